//! The texts of the command line, as snapshots: a change to one is seen in review.

use insta::assert_snapshot;
use serde_json::{Value, json};
use target_tests::target::{Outcome, Target};

fn run(args: &[&str]) -> Outcome {
    Target::new(args)
        .env("COLUMNS", "100")
        .env("NO_COLOR", "1")
        .run("")
}

/// Standard output of a successful run; standard error must be silent.
fn output(args: &[&str]) -> String {
    let outcome = run(args).success();
    assert_eq!(outcome.stderr, "", "for {args:?}");
    outcome.stdout.replace(env!("CARGO_PKG_VERSION"), "VERSION")
}

/// Standard error of a run that was wrongly asked for; standard output must be silent.
fn usage(args: &[&str]) -> String {
    let outcome = run(args).exited(2);
    assert_eq!(outcome.stdout, "", "for {args:?}");
    outcome.stderr
}

#[test]
fn version() {
    assert_snapshot!(output(&["--version"]));
}

#[test]
fn help() {
    assert_snapshot!(output(&["--help"]));
}

#[test]
fn help_of_the_commands() {
    for command in ["load", "verify", "migrate", "about", "discover", "check"] {
        assert_snapshot!(command, output(&[command, "--help"]));
    }
}

#[test]
fn about_as_text() {
    let text = output(&["about"]);
    assert_eq!(output(&["about", "--format", "text"]), text);
    assert_eq!(output(&["--about"]), text);
    assert_snapshot!(text);
}

#[test]
fn about_as_json() {
    let text = output(&["about", "--format", "json"]);
    assert_eq!(output(&["--about", "--format", "json"]), text);
    let about: Value = serde_json::from_str(&text).expect("it is JSON");
    for member in [
        "name",
        "description",
        "version",
        "sdk_version",
        "capabilities",
        "settings",
    ] {
        assert!(about.get(member).is_some(), "the SDK's shape has {member}");
    }
    for secret in ["password", "token", "creds_content", "nkey_seed"] {
        let setting = &about["settings"]["properties"][secret];
        assert_eq!(
            (&setting["secret"], &setting["writeOnly"]),
            (&json!(true), &json!(true)),
            "{secret}"
        );
    }
    assert_snapshot!(text);
}

#[test]
fn about_as_a_meltano_plugin() {
    assert_snapshot!(output(&["about", "--format", "meltano"]));
}

#[test]
fn wrong_usage() {
    assert_snapshot!("unknown_argument", usage(&["--nonsense"]));
    assert_snapshot!("unknown_command", usage(&["lode"]));
    assert_snapshot!("unknown_format", usage(&["about", "--format", "html"]));
    assert_snapshot!("argument_without_value", usage(&["--config"]));
}

#[test]
fn wrong_settings() {
    let outcome = Target::with_config(json!({
        "refresh_mode": "sometimes",
        "bucket_history": 65,
        "batch_size_rows": "many",
        "keyprefix": "x",
        "validate_records": "no",
    }))
    .env("NO_COLOR", "1")
    .run("")
    .exited(2);
    assert_snapshot!(outcome.stderr);
}

#[test]
fn a_bad_line() {
    let server = target_tests::case::Case::new();
    let input = "{\"type\":\"STATE\",\"value\":{}}\n{\"type\":\"RECORD\",\"stream\":}\n";
    let outcome = server.target().env("NO_COLOR", "1").run(input).exited(1);
    let error = outcome
        .stderr
        .lines()
        .filter(|line| line.contains("line 2"));
    assert_snapshot!(without_times(&error.collect::<Vec<_>>().join("\n")));
}

/// Log lines start with a time, which is never the same.
fn without_times(text: &str) -> String {
    text.split_inclusive(' ')
        .map(|word| {
            if word.starts_with("20") && word.contains("T") {
                "TIME "
            } else {
                word
            }
        })
        .collect()
}
