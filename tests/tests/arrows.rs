//! The house keeps its shape: which package may depend on which, and what lies at the top.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;
use target_tests::place;

/// The names of the packages that each package of ours depends on, tests aside, all the way down.
fn reachable(package: &str) -> BTreeSet<String> {
    let metadata = metadata();
    let names: BTreeMap<&str, &str> = array(&metadata["packages"])
        .map(|package| (text(&package["id"]), text(&package["name"])))
        .collect();
    let edges: BTreeMap<&str, Vec<&str>> = array(&metadata["resolve"]["nodes"])
        .map(|node| (text(&node["id"]), normal_dependencies(node)))
        .collect();
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> = names
        .iter()
        .filter(|(_, name)| **name == package)
        .map(|(id, _)| *id)
        .collect();
    assert_eq!(open.len(), 1, "one package is called {package}");
    while let Some(id) = open.pop() {
        for next in &edges[id] {
            if found.insert(names[next].to_owned()) {
                open.push(next);
            }
        }
    }
    found
}

fn normal_dependencies(node: &Value) -> Vec<&str> {
    array(&node["deps"])
        .filter(|dep| array(&dep["dep_kinds"]).any(|kind| kind["kind"] != "dev"))
        .map(|dep| text(&dep["pkg"]))
        .collect()
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--all-features"])
        .current_dir(place::repository())
        .output()
        .expect("cargo runs these tests");
    serde_json::from_slice(&output.stdout).expect("cargo writes JSON")
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value
        .as_array()
        .expect("cargo's metadata has an array here")
        .iter()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("cargo's metadata has a string here")
}

#[test]
fn the_framework_knows_no_database() {
    let framework = reachable("singer-target");
    for driver in [
        "async-nats",
        "singer-sinks",
        "target-nats-kv",
        "target-tests",
    ] {
        assert!(!framework.contains(driver), "framework depends on {driver}");
    }
}

#[test]
fn the_sinks_know_the_framework_and_not_the_program() {
    let sinks = reachable("singer-sinks");
    assert!(sinks.contains("singer-target") && sinks.contains("async-nats"));
    for above in ["target-nats-kv", "target-tests"] {
        assert!(!sinks.contains(above), "sinks depends on {above}");
    }
}

#[test]
fn the_program_knows_both_and_not_the_tests() {
    let program = reachable("target-nats-kv");
    assert!(program.contains("singer-target") && program.contains("singer-sinks"));
    assert!(!program.contains("target-tests"));
}

#[test]
fn the_top_level_is_as_agreed() {
    let output = Command::new("git")
        .args(["ls-tree", "--name-only", "HEAD"])
        .current_dir(place::repository())
        .output()
        .expect("git is there, or this is no checkout");
    let listed = String::from_utf8_lossy(&output.stdout);
    let found: BTreeSet<&str> = listed
        .lines()
        .filter(|name| !name.starts_with('.'))
        .collect();
    let agreed = BTreeSet::from([
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "deny.toml",
        "docs",
        "framework",
        "sinks",
        "target-nats-kv",
        "tests",
    ]);
    assert_eq!(found, agreed);
}

/// Only these modules may print; the lint stays on everywhere else.
#[test]
fn only_the_state_emitter_writes_states() {
    let output = Command::new("git")
        .args([
            "grep",
            "-lE",
            r"print_stdout|io::stdout\(|tokio::io::stdout",
        ])
        .args(["--", "framework/src", "sinks/src", "target-nats-kv/src"])
        .current_dir(place::repository())
        .output()
        .expect("git is there, or this is no checkout");
    let files = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        !files.contains("sinks/"),
        "a sink writes to standard output: {files}"
    );
    assert!(
        files.lines().count() <= 3,
        "who writes to standard output?\n{files}"
    );
}
