//! The sink `jsonl` as users meet it: the example `target-jsonl` as a process, real files, real kills.
#![cfg(all(unix, feature = "jsonl", feature = "json", feature = "msgpack"))]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

/// The example, which `cargo test` builds beside this test.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("this program");
    let folder = test.ancestors().nth(2).expect("target/PROFILE/deps/TEST");
    let program = folder.join("examples/target-jsonl");
    assert!(
        program.exists(),
        "{} is missing: run `cargo build --example target-jsonl`, or all tests of the crate",
        program.display()
    );
    program
}

/// A folder with a configuration, in which the target is run.
struct Place(TempDir);

impl Place {
    fn new(config: &Value) -> Self {
        let place = Self(tempfile::tempdir().expect("a folder"));
        place.configure(config);
        place
    }

    fn configure(&self, config: &Value) {
        fs::write(self.path().join("config.json"), config.to_string()).expect("written");
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// The target, to be given input.
    fn start(&self, shell: &str) -> Child {
        Command::new("sh")
            .arg("-c")
            .arg(format!("{shell} exec \"$0\" --config config.json"))
            .arg(program())
            .current_dir(self.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started")
    }

    fn run_in(&self, shell: &str, input: &str) -> Output {
        let mut child = self.start(shell);
        let mut stdin = child.stdin.take().expect("piped");
        std::thread::scope(|scope| {
            // It fails when the target ends before it has read all.
            scope.spawn(move || stdin.write_all(input.as_bytes()));
            child.wait_with_output().expect("ended")
        })
    }

    fn run(&self, input: &str) {
        let output = self.run_in("", input);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
    }

    /// The names of the files under `out`, sorted.
    fn files(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path().join("out")) else {
            return Vec::new();
        };
        let mut names: Vec<_> = entries
            .map(|entry| entry.expect("listed").file_name())
            .map(|name| name.into_string().expect("UTF-8"))
            .collect();
        names.sort();
        names
    }

    /// What all files under `out` hold together, decompressed.
    fn contents(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for name in self.files() {
            let bytes = fs::read(self.path().join("out").join(&name)).expect("read");
            if name.ends_with(".gz") {
                flate2::read::MultiGzDecoder::new(&*bytes)
                    .read_to_end(&mut all)
                    .expect("whole members");
            } else if name.ends_with(".zst") {
                all.extend(zstd::stream::decode_all(&*bytes).expect("whole frames"));
            } else {
                all.extend(bytes);
            }
        }
        all
    }

    /// The member `id` of each JSON line.
    fn ids(&self) -> Vec<u64> {
        let contents = String::from_utf8(self.contents()).expect("UTF-8");
        contents
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
            .map(|record| record["id"].as_u64().expect("a number"))
            .collect()
    }
}

const SCHEMA: &str =
    r#"{"type":"SCHEMA","stream":"s","schema":{"type":"object"},"key_properties":["id"]}"#;

/// A record, with a STATE behind each 70th and the last.
fn lines(id: u64, last: u64) -> String {
    let text = "x".repeat((id % 97) as usize);
    let record = json!({"id": id, "text": text});
    let mut out = format!("{{\"type\":\"RECORD\",\"stream\":\"s\",\"record\":{record}}}\n");
    if id.is_multiple_of(70) || id == last {
        out += &format!("{{\"type\":\"STATE\",\"value\":{{\"id\":{id}}}}}\n");
    }
    out
}

/// What a tap sends that starts behind `state`.
fn tap(state: u64, last: u64) -> String {
    let records = (state + 1..=last).map(|id| lines(id, last));
    format!("{SCHEMA}\n") + &records.collect::<String>()
}

/// The id of the last STATE in `stdout`.
fn last_state(stdout: impl Read) -> Option<u64> {
    let lines = BufReader::new(stdout).lines();
    let last = lines.map(|line| line.expect("read")).last()?;
    serde_json::from_str::<Value>(&last).expect("JSON")["id"].as_u64()
}

/// Runs the target again and again, each run from the last STATE and killed at another moment, and
/// then once to the end.
fn run_with_kills(place: &Place, input: &[String], kills: u64) {
    let from = |state: u64| input[0].clone() + &input[1 + state as usize..].concat();
    let mut state = 0;
    let mut with_records = 0;
    for round in 0..kills {
        let mut child = place.start("");
        let mut stdin = child.stdin.take().expect("piped");
        let stdout = child.stdout.take().expect("piped");
        let rest = from(state);
        let printed = std::thread::scope(|scope| {
            let writer = scope.spawn(move || {
                // It fails when the target is killed, which is before its input ends.
                let _ = stdin.write_all(rest.as_bytes());
                stdin
            });
            let (first, has_printed) = mpsc::channel();
            let reader = scope.spawn(move || {
                let mut stdout = BufReader::new(stdout);
                let _ = stdout.fill_buf();
                let _ = first.send(());
                last_state(stdout)
            });
            // Most are killed while they write, which takes a busy machine long to begin with.
            if round % 4 != 0 {
                let _ = has_printed.recv_timeout(Duration::from_secs(10));
            }
            std::thread::sleep(Duration::from_millis(15 + round * 37 % 53));
            child.kill().expect("killed");
            child.wait().expect("ended");
            drop(writer.join());
            reader.join().expect("read")
        });
        state = printed.unwrap_or(state);
        with_records += u64::from(!place.files().is_empty());
    }
    assert!(
        with_records > kills / 2,
        "only {with_records} of {kills} came to write"
    );
    place.run(&from(state));
}

#[test]
fn killed_at_any_moment_it_loses_nothing_and_writes_nothing_twice() {
    const LAST: u64 = 40_000;
    // The schema, and then by number: a STATE holds the number of the record before it.
    let input: Vec<String> = std::iter::once(format!("{SCHEMA}\n"))
        .chain((1..=LAST).map(|id| lines(id, LAST)))
        .collect();
    for (path, more) in [
        ("out/{stream}.jsonl", json!({})),
        (
            "out/{stream}-{part}.jsonl.zst",
            json!({"compression": "zstd", "rotate_bytes": 20_000}),
        ),
        ("out/{stream}.jsonl", json!({"load_method": "overwrite"})),
    ] {
        let mut config = json!({"path": path, "batch_size_rows": 50, "state_interval_seconds": 0});
        for (name, value) in more.as_object().expect("an object") {
            config[name] = value.clone();
        }
        let place = Place::new(&config);
        run_with_kills(&place, &input, 12);
        assert!(place.ids().into_iter().eq(1..=LAST), "{config}");
        let files = place.files();
        let unfinished = |name: &&String| name.ends_with(".partial") || name.ends_with(".journal");
        assert_eq!(files.iter().find(unfinished), None, "{config}");
    }
}

#[test]
fn a_full_disk_ends_the_run_and_the_next_one_goes_on() {
    let place = Place::new(&json!({"path": "out/{stream}.jsonl", "batch_size_rows": 50}));
    // The system's limit on the size of a file: a write fails in the middle of a batch, as it does
    // on a full disk.
    let output = place.run_in("trap '' XFSZ; ulimit -f 40;", &tap(0, 3000));
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    let expected = "cannot write out/s.jsonl (setting path): File too large";
    assert!(stderr.contains(expected), "{stderr}");
    let state = last_state(&*output.stdout).unwrap_or(0);
    assert_eq!(place.files(), ["s.jsonl", "s.jsonl.journal"]);
    place.run(&tap(state, 3000));
    assert!(place.ids().into_iter().eq(1..=3000));
}

#[test]
fn what_cannot_be_opened_is_named_before_a_record_is_written() {
    let place = Place::new(&json!({"path": "out/{stream}.jsonl"}));
    fs::write(place.path().join("out"), "a file").expect("written");
    let output = place.run_in("", &tap(0, 1));
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("out/s.jsonl.journal (setting path)"),
        "{stderr}"
    );
    assert_eq!(last_state(&*output.stdout), None);
    // A folder in which nobody, not even root, may create files.
    if cfg!(target_os = "linux") {
        place.configure(&json!({"path": "/sys/{stream}.jsonl"}));
        let output = place.run_in("", &tap(0, 1));
        assert_eq!(output.status.code(), Some(1));
        let stderr = String::from_utf8_lossy(&output.stderr);
        let expected = "cannot open /sys/s.jsonl.journal (setting path): Permission denied";
        assert!(stderr.contains(expected), "{stderr}");
    }
}

#[test]
fn every_encoding_and_compression_holds_the_same_records() {
    let records: Vec<u64> = (1..=300).collect();
    for (extension, compression) in [("", "none"), (".gz", "gzip"), (".zst", "zstd")] {
        let place = Place::new(&json!({
            "path": format!("out/{{stream}}-{{part}}.jsonl{extension}"),
            "compression": compression,
            "rotate_bytes": 1000,
            "batch_size_rows": 50,
        }));
        place.run(&tap(0, 300));
        assert_eq!(place.ids(), records, "{compression}");
        assert!(
            place.files().len() > 1,
            "{compression}: {:?}",
            place.files()
        );
    }
    let place = Place::new(&json!({"path": "out/{stream}.msgpack", "encoding": "msgpack"}));
    place.run(&tap(0, 300));
    let contents = place.contents();
    let mut rest = &contents[..];
    let mut ids = Vec::new();
    while !rest.is_empty() {
        let record: Value = rmp_serde::from_read(&mut rest).expect("MessagePack");
        ids.push(record["id"].as_u64().expect("a number"));
    }
    assert_eq!(ids, records);
}

#[test]
fn settings_that_do_not_fit_are_refused_together() {
    let place = Place::new(&json!({
        "path": "out/{stream}-{timestamp}.jsonl", "rotate_bytes": 1, "load_method": "overwrite",
    }));
    let output = place.run_in("", "");
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&output.stderr);
    for problem in [
        "rotate_bytes: needs {part}",
        "load_method: overwrite replaces one file",
    ] {
        assert!(stderr.contains(problem), "{stderr}");
    }
    place.configure(&json!({"encoding": "xml"}));
    let output = place.run_in("", "");
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("no encoder 'xml', only json, msgpack"),
        "{stderr}"
    );
}

/// A run that ends early keeps what the next one needs, and gives no file a name that is not whole.
#[test]
fn a_run_that_ends_early_is_gone_on_with() {
    for load_method in ["append-only", "overwrite"] {
        let place = Place::new(&json!({
            "path": "out/{stream}.jsonl", "load_method": load_method,
        }));
        let bad_line = lines(101, 200) + "no message\n";
        let output = place.run_in("", &(tap(0, 100) + &bad_line));
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(last_state(&*output.stdout), Some(100));
        if load_method == "overwrite" {
            assert!(
                !place.files().contains(&"s.jsonl".to_owned()),
                "{:?}",
                place.files()
            );
        }
        // 101 was written, but no STATE said so: the tap sends it again.
        place.run(&tap(100, 200));
        assert_eq!(place.files(), ["s.jsonl"]);
        assert_eq!(place.ids(), (1..=200).collect::<Vec<_>>(), "{load_method}");
    }
}
