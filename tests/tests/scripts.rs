//! The scripts of this repository, and those that the documentation shows, have nothing that ShellCheck
//! warns of.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use target_tests::{page, place, python};

/// What begins as a script of bash, in the folders that have some.
fn scripts() -> Vec<PathBuf> {
    let folders = [".ci", ".github"].map(|folder| place::repository().join(folder));
    let entries = folders.iter().flat_map(fs::read_dir).flatten();
    entries
        .map(|entry| entry.expect("it is readable").path())
        .filter(|path| fs::read(path).is_ok_and(|text| text.starts_with(b"#!")))
        .collect()
}

#[test]
fn shellcheck_has_nothing_to_say() {
    let shown = tempfile::tempdir().expect("the temporary directory is writable");
    let mut scripts = scripts();
    for page in page::all() {
        for block in page::blocks(&page::read(&page)) {
            if let ("sh", Some(title)) = (block.kind.as_str(), block.title) {
                let script = shown.path().join(title);
                fs::write(&script, block.text).expect("our own directory is writable");
                scripts.push(script);
            }
        }
    }
    assert!(scripts.len() >= 5, "{scripts:?}");
    python::checked(
        Command::new(python::installed("shellcheck").join("shellcheck")).args(scripts),
        "ShellCheck warns",
    );
}
