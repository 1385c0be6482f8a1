//! Every command that the documentation shows is run by a test, or has a reason not to be.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use target_tests::page::{self, Block};
use target_tests::walkthrough::{ELSEWHERE, Elsewhere};
use target_tests::{place, target};

/// The pages that are followed block by block, each with the test that does it.
const FOLLOWED: [(&str, &str); 13] = [
    ("README.md", "docs.rs"),
    ("docs/adding-a-target.md", "adding_a_target.rs"),
    ("docs/batch.md", "docs.rs"),
    ("docs/before-and-after.md", "docs.rs"),
    ("docs/deletes.md", "docs.rs"),
    ("docs/keys-and-values.md", "docs.rs"),
    ("docs/meltano.md", "meltano.rs"),
    ("docs/migrating.md", "docs.rs"),
    ("docs/operations.md", "docs.rs"),
    ("docs/performance.md", "docs.rs"),
    ("docs/quick-start.md", "docs.rs"),
    ("docs/refresh-modes.md", "docs.rs"),
    ("docs/stream-maps.md", "docs.rs"),
];

/// What is only read: data, drawings, output.
const DATA: [&str; 4] = ["conf", "json", "text", "yaml"];
/// What is run by something that reads it: a program, or the test that follows the page.
const SOURCES: [&str; 4] = ["python", "rust", "sql", "toml"];

/// The pages of the documentation, with their blocks.
fn pages() -> BTreeMap<String, Vec<Block>> {
    let names = page::all().into_iter();
    names
        .map(|name| (name.clone(), page::blocks(&page::read(&name))))
        .collect()
}

fn is_followed(page: &str) -> bool {
    FOLLOWED.iter().any(|(followed, _)| *followed == page)
}

#[test]
fn every_block_is_run_or_holds_no_command() {
    let pages = pages();
    let all = pages.iter().filter(|(page, _)| is_followed(page));
    let run: Vec<String> = all.flat_map(|(_, blocks)| commands(blocks)).collect();
    for (page, blocks) in &pages {
        for block in blocks {
            let place = format!("{page}, line {}", block.line);
            match block.kind.as_str() {
                "console" | "sh" | "cron" => {}
                kind if DATA.contains(&kind) => {
                    let shown = block.text.lines().any(|line| line.starts_with("$ "));
                    assert!(!shown, "{place}: a command is not of the kind {kind}");
                }
                kind if SOURCES.contains(&kind) => {
                    assert!(is_followed(page), "{place}: who runs this?");
                }
                kind => panic!("{place}: say what the block is: {kind:?} does not"),
            }
            for command in commands(std::slice::from_ref(block)) {
                let elsewhere = ELSEWHERE.iter().any(|(other, _)| *other == command);
                let followed = is_followed(page) || run.contains(&command);
                assert!(followed || elsewhere, "{place}: nobody runs $ {command}");
            }
            if let Some(file) = &block.title {
                let used = run.iter().any(|command| command.contains(file.as_str()));
                let built = ["rust", "toml"].contains(&block.kind.as_str());
                assert!(used || built, "{place}: nothing uses {file}");
            }
        }
    }
    assert!(run.len() > 80, "the pages hold commands: {}", run.len());
}

fn commands(blocks: &[Block]) -> Vec<String> {
    let all = blocks.iter().flat_map(Block::commands);
    all.map(|command| command.text).collect()
}

#[test]
fn the_pages_are_followed_by_the_tests_that_are_named() {
    for (page, test) in FOLLOWED {
        // The one of Meltano has its page in the support for it.
        let folders = ["tests/tests", "tests/src"].map(|folder| place::repository().join(folder));
        let files = folders.iter().map(|folder| folder.join(test));
        let sources = files.flat_map(fs::read_to_string).collect::<String>();
        assert!(sources.contains(&format!("\"{page}\"")), "{test}: {page}");
    }
}

#[test]
fn what_is_not_run_where_it_stands_has_its_reason() {
    let pages = pages();
    let all: Vec<String> = pages.values().flat_map(|blocks| commands(blocks)).collect();
    let ci = [".github/workflows/ci.yml", ".ci/run"]
        .map(page::read)
        .concat();
    let ci = ci.replace(" --locked", "");
    for (command, place) in ELSEWHERE {
        assert!(
            all.iter().any(|shown| shown == command),
            "on no page: {command}"
        );
        match place {
            Elsewhere::InCi => assert!(ci.contains(command), "not in CI: {command}"),
            Elsewhere::OnPage(page) => {
                assert!(
                    commands(&pages[page]).iter().any(|it| it == command),
                    "{command}"
                );
                assert!(is_followed(page), "{page}");
            }
            Elsewhere::TooLong => takes(command),
        }
    }
}

/// Commands within a sentence are looked at, too: whether there is such a command, with such options.
#[test]
fn commands_in_sentences_exist() {
    let subcommands = [
        "about", "check", "discover", "load", "migrate", "state", "verify",
    ];
    let mut tried = 0;
    for page in page::all() {
        for line in page::read(&page).lines() {
            for span in line.split('`').skip(1).step_by(2) {
                let command = span.split([';', '|', '<', '>']).next().unwrap_or_default();
                let first = command.split(' ').next().unwrap_or_default();
                if subcommands.contains(&first) && command.contains(' ') {
                    takes(&format!("target-nats-kv {command}"));
                } else if command.starts_with("target-nats-kv ") && !command.contains('→')
                    || command.starts_with("cargo throughput")
                {
                    takes(command);
                } else {
                    continue;
                }
                tried += 1;
            }
        }
    }
    assert!(tried > 10, "the pages speak of commands: {tried}");
}

/// Whether a program of ours understands a command line. It then shows its help.
fn takes(command: &str) {
    let cargo = page::read(".cargo/config.toml");
    let throughput = Path::new(env!("CARGO_BIN_EXE_throughput"));
    let (program, arguments) = match command.strip_prefix("cargo throughput") {
        Some(arguments) => {
            // Otherwise cargo takes the options for its own.
            assert!(cargo.contains("--bin throughput --\""), "{cargo}");
            (throughput, arguments)
        }
        None => {
            let arguments = command.strip_prefix("target-nats-kv");
            (target::binary(), arguments.expect("it is the target"))
        }
    };
    let output = Command::new(program)
        .args(arguments.split_whitespace())
        .arg("--help")
        .output()
        .expect("it was built");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {said}");
}
