//! The files of a stream on a real disk: what a kill leaves behind, step by step. Dropping an output
//! leaves what a kill leaves, since nothing is kept back in memory.

use std::path::Path;

use tempfile::TempDir;

use super::config::{JsonlConfig, LoadMethod};
use super::names::Template;
use super::output::{Layouts, Output};

/// A folder with the files of the stream `s`.
struct Folder(TempDir, JsonlConfig);

impl Folder {
    fn new(file: &str, rotate_bytes: Option<u64>, load_method: LoadMethod) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = JsonlConfig {
            path: format!("{}/{file}", folder.path().display()),
            rotate_bytes,
            load_method,
            ..JsonlConfig::default()
        };
        Self(folder, config)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn open(&self) -> Output {
        let template = Template::parse(&self.1.path).expect("valid");
        Layouts::new(&self.1, template, 0)
            .open("s")
            .expect("opened")
    }

    /// All files but the journal, with their contents.
    fn files(&self) -> Vec<(String, String)> {
        let entries = std::fs::read_dir(self.path()).expect("listed");
        let mut files: Vec<_> = entries
            .map(|entry| entry.expect("listed"))
            .map(|entry| {
                (
                    entry.file_name().into_string().expect("UTF-8"),
                    entry.path(),
                )
            })
            .filter(|(name, _)| !name.ends_with(".journal"))
            .map(|(name, path)| (name, std::fs::read_to_string(path).expect("read")))
            .collect();
        files.sort();
        files
    }

    fn has_journal(&self) -> bool {
        std::fs::read_dir(self.path())
            .expect("listed")
            .any(|entry| entry.expect("listed").path().extension() == Some("journal".as_ref()))
    }
}

fn owned(files: &[(&str, &str)]) -> Vec<(String, String)> {
    files
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect()
}

/// Writes the records 'a', 'b' and so on as the writer does: what is known already is left out.
fn write(output: &mut Output, records: &str) {
    append(output, records);
    output.sync().expect("synced");
}

fn append(output: &mut Output, records: &str) {
    let prints: Vec<u64> = records.bytes().map(u64::from).collect();
    let known = output.skip(&prints, true).expect("read");
    output
        .append(&records.as_bytes()[known..], &prints[known..])
        .expect("appended");
}

fn complete(mut output: Output) {
    output.finish().expect("finished");
    output.forget().expect("forgotten");
}

#[test]
fn a_half_written_batch_is_cut_off() {
    let folder = Folder::new("{stream}.jsonl", None, LoadMethod::AppendOnly);
    let mut run = folder.open();
    write(&mut run, "abc");
    append(&mut run, "de");
    drop(run);
    assert_eq!(folder.files(), owned(&[("s.jsonl", "abcde")]));
    let mut run = folder.open();
    assert_eq!(folder.files(), owned(&[("s.jsonl", "abc")]));
    write(&mut run, "bcdef");
    complete(run);
    assert_eq!(folder.files(), owned(&[("s.jsonl", "abcdef")]));
    assert!(!folder.has_journal());
}

#[test]
fn a_first_batch_that_was_not_synced_is_cut_off_behind_the_records_of_earlier_runs() {
    let folder = Folder::new("{stream}.jsonl", None, LoadMethod::AppendOnly);
    std::fs::write(folder.path().join("s.jsonl"), "earlier;").expect("written");
    let mut run = folder.open();
    append(&mut run, "ab");
    drop(run);
    let mut run = folder.open();
    write(&mut run, "ab");
    complete(run);
    assert_eq!(folder.files(), owned(&[("s.jsonl", "earlier;ab")]));
}

#[test]
fn what_is_sent_again_is_left_out_wherever_the_tap_starts_and_however_often_it_is_killed() {
    for start in 0..=4 {
        let folder = Folder::new("{stream}.jsonl", None, LoadMethod::AppendOnly);
        let mut run = folder.open();
        write(&mut run, "ab");
        write(&mut run, "cd");
        drop(run);
        let all = "abcdefgh";
        for end in [start + 1, 6] {
            let mut run = folder.open();
            for record in all[start..end].split_inclusive(|_| true) {
                write(&mut run, record);
            }
        }
        let mut run = folder.open();
        write(&mut run, &all[start..start + 2]);
        write(&mut run, &all[start + 2..]);
        complete(run);
        assert_eq!(folder.files(), owned(&[("s.jsonl", all)]), "from {start}");
    }
}

#[test]
fn after_a_complete_run_equal_records_are_new_ones() {
    let folder = Folder::new("{stream}.jsonl", None, LoadMethod::AppendOnly);
    for _ in 0..2 {
        let mut run = folder.open();
        write(&mut run, "ab");
        complete(run);
    }
    assert_eq!(folder.files(), owned(&[("s.jsonl", "abab")]));
}

#[test]
fn from_the_first_different_record_on_all_are_written() {
    let folder = Folder::new("{stream}.jsonl", None, LoadMethod::AppendOnly);
    let mut run = folder.open();
    write(&mut run, "abcd");
    drop(run);
    let mut run = folder.open();
    write(&mut run, "b");
    write(&mut run, "xcd");
    complete(run);
    assert_eq!(folder.files(), owned(&[("s.jsonl", "abcdxcd")]));
}

#[test]
fn parts_get_their_names_when_they_are_full() {
    let folder = Folder::new("{stream}-{part}.jsonl", Some(4), LoadMethod::AppendOnly);
    let mut run = folder.open();
    write(&mut run, "ab");
    assert_eq!(folder.files(), owned(&[("s-00001.jsonl.partial", "ab")]));
    write(&mut run, "cd");
    assert_eq!(folder.files(), owned(&[("s-00001.jsonl", "abcd")]));
    write(&mut run, "e");
    drop(run);
    let mut run = folder.open();
    write(&mut run, "cdefghi");
    write(&mut run, "j");
    complete(run);
    let expected = [
        ("s-00001.jsonl", "abcd"),
        ("s-00002.jsonl", "efghi"),
        ("s-00003.jsonl", "j"),
    ];
    assert_eq!(folder.files(), owned(&expected));
    let mut run = folder.open();
    write(&mut run, "k");
    complete(run);
    assert_eq!(
        folder.files().last(),
        owned(&[("s-00004.jsonl", "k")]).last()
    );
}

#[test]
fn a_part_gets_its_name_after_a_kill_between_its_end_and_its_renaming() {
    let folder = Folder::new("{stream}-{part}.jsonl", Some(2), LoadMethod::AppendOnly);
    let mut run = folder.open();
    write(&mut run, "ab");
    drop(run);
    let [first, partial] =
        ["s-00001.jsonl", "s-00001.jsonl.partial"].map(|it| folder.path().join(it));
    std::fs::rename(first, partial).expect("renamed");
    let mut run = folder.open();
    write(&mut run, "abc");
    complete(run);
    let expected = [("s-00001.jsonl", "ab"), ("s-00002.jsonl", "c")];
    assert_eq!(folder.files(), owned(&expected));
}

#[test]
fn overwriting_replaces_the_file_when_the_run_is_complete() {
    let folder = Folder::new("{stream}.jsonl", None, LoadMethod::Overwrite);
    let mut run = folder.open();
    write(&mut run, "old");
    complete(run);
    let mut run = folder.open();
    write(&mut run, "ne");
    drop(run);
    let expected = [("s.jsonl", "old"), ("s.jsonl.partial", "ne")];
    assert_eq!(folder.files(), owned(&expected));
    // Resumed from a STATE: what it covers must not be lost.
    let mut run = folder.open();
    write(&mut run, "w");
    run.finish().expect("finished");
    assert_eq!(folder.files(), owned(&[("s.jsonl", "new")]));
    // Killed after the renaming, before the last STATE was printed.
    drop(run);
    let mut run = folder.open();
    write(&mut run, "ewer");
    complete(run);
    assert_eq!(folder.files(), owned(&[("s.jsonl", "newer")]));
    complete(folder.open());
    assert_eq!(folder.files(), owned(&[("s.jsonl", "")]));
}

#[test]
fn files_that_are_gone_start_the_stream_anew() {
    for file in [
        "{stream}.jsonl",
        "{stream}-{part}.jsonl",
        "{stream}-{timestamp}.jsonl",
    ] {
        let folder = Folder::new(file, None, LoadMethod::AppendOnly);
        let mut run = folder.open();
        write(&mut run, "abc");
        drop(run);
        for (name, _) in folder.files() {
            std::fs::remove_file(folder.path().join(name)).expect("removed");
        }
        let mut run = folder.open();
        write(&mut run, "abcd");
        complete(run);
        let files = folder.files();
        assert_eq!(files.len(), 1);
        assert_eq!(files[0].1, "abcd");
    }
}
