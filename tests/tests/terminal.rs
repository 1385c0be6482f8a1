//! What a person at a terminal sees, and a pipe does not.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::pty::{Winsize, openpty};
use serde_json::json;
use target_tests::case::Case;
use target_tests::singer::{record, schema, state};
use target_tests::target::binary;

/// Loads two records with a pause between them, and returns what stands on the terminal and what
/// came out of standard output.
fn load(case: &Case, args: &[&str], environment: &[(&str, &str)]) -> (String, String) {
    let size = Winsize {
        ws_row: 24,
        ws_col: 120,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let pty = openpty(Some(&size), None).expect("a pseudo terminal");
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("config.json");
    std::fs::write(&config, case.settings.to_string()).expect("written");
    let mut child = Command::new(binary())
        .args(args)
        .arg("--config")
        .arg(&config)
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::from(pty.slave))
        .spawn()
        .expect("it starts");
    // The child has the only end, so that reading ends with it.
    let mut master = File::from(pty.master);
    let reader = std::thread::spawn(move || {
        let mut seen = Vec::new();
        // A terminal whose other end is closed is an error on Linux.
        let _ = master.read_to_end(&mut seen);
        String::from_utf8_lossy(&seen).into_owned()
    });
    let mut input = child.stdin.take().expect("piped");
    let mut send = |text: String| input.write_all(text.as_bytes()).expect("it reads");
    send(schema("s", json!({"id": {}}), &["id"]) + &record("s", json!({"id": 1})));
    std::thread::sleep(Duration::from_millis(1_500));
    send(record("s", json!({"id": 2})) + &state(json!({"n": 2})));
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    let seen = reader.join().expect("it reads");
    assert!(output.status.success(), "{seen}");
    (seen, String::from_utf8(output.stdout).expect("UTF-8"))
}

#[test]
fn a_line_while_it_runs_and_a_table_when_it_is_done() {
    let case = Case::new().set("batch_wait_limit_seconds", 0.1);
    let (seen, printed) = load(&case, &[], &[]);
    for part in [
        "1 records  ",
        "in flight 0  state none yet",
        "created bucket",
        "stream  read  written  unchanged  conflicting  deleted",
        "s          2        2          0",
        "2 records in ",
    ] {
        assert!(seen.contains(part), "no {part:?} in {seen:?}");
    }
    assert!(!seen.contains("METRIC"), "{seen:?}");
    assert!(!seen.contains("loaded stream"), "{seen:?}");
    assert_eq!(printed, "{\"n\":2}\n");
}

#[test]
fn colours_only_where_they_are_wanted() {
    const COLOUR: &str = "\u{1b}[3";
    let (seen, _) = load(&Case::new(), &[], &[]);
    assert!(seen.contains(COLOUR), "{seen:?}");
    let (seen, _) = load(&Case::new(), &[], &[("NO_COLOR", "1")]);
    assert!(!seen.contains(COLOUR), "{seen:?}");
}

#[test]
fn no_line_where_none_is_wanted_or_possible() {
    let json: &[&str] = &["--log-format", "json"];
    let quiet: &[&str] = &["--log-level", "warn"];
    for (args, environment) in [
        (json, ("A", "B")),
        (quiet, ("A", "B")),
        (&[], ("TERM", "dumb")),
    ] {
        let (seen, _) = load(&Case::new(), args, &[environment]);
        assert!(!seen.contains("in flight"), "{args:?}: {seen:?}");
    }
}

#[test]
fn a_dry_run_has_the_line_and_its_own_table() {
    let case = Case::new().set("batch_wait_limit_seconds", 0.1);
    let (seen, printed) = load(&case, &["load", "--dry-run"], &[]);
    assert!(seen.contains("in flight"), "{seen:?}");
    assert!(!seen.contains("stream  read"), "{seen:?}");
    assert!(printed.starts_with("stream  created"), "{printed}");
}
