//! Runs what a page of the documentation shows, as somebody who follows it would.
//!
//! A fenced block whose first line names a file (`json title=target.json`) becomes that file. In a
//! block of the kind `console`, each line after `$ ` is a command, and what stands below it is what
//! it prints on standard output, where `…` is anything. A block ends with success, or with the
//! code that its first line says (`console exit=1`). All other blocks are only read.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::nats_server::NatsServer;
use crate::{place, python, target};

/// The server that the pages speak of.
const SERVER: &str = "nats://localhost:4222";

/// Follows the page `docs/NAME` in the directory `folder`. Returns how many commands it has.
///
/// # Panics
/// If a command fails, or prints something else than the page shows.
pub fn follow(name: &str, server: &NatsServer, folder: &Path) -> usize {
    let page = place::repository().join("docs").join(name);
    let page = fs::read_to_string(page).expect("the page is readable");
    let mut commands = 0;
    for (kind, text) in blocks(&page) {
        let text = text.replace(SERVER, &server.url());
        let word = |name: &str| {
            kind.split_whitespace()
                .find_map(|word| word.strip_prefix(name))
        };
        if let Some(file) = word("title=") {
            fs::write(folder.join(file), text).expect("our own directory is writable");
        } else if kind.starts_with("console") {
            let exit = word("exit=").map_or(0, |code| code.parse().expect("a number"));
            let all = sessions(&text);
            for (index, (command, shown)) in all.iter().enumerate() {
                let exit = if index + 1 == all.len() { exit } else { 0 };
                run(name, command, shown, exit, folder);
                commands += 1;
            }
        }
    }
    commands
}

/// The fenced blocks: what follows the fence, and their text.
fn blocks(page: &str) -> Vec<(&str, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(&str, String)> = None;
    let mut indent = 0;
    for line in page.lines() {
        // One within a list is indented as a whole.
        let fence = line.trim_start().strip_prefix("```");
        match (&mut open, fence) {
            (None, Some(kind)) => {
                indent = line.len() - line.trim_start().len();
                open = Some((kind, String::new()));
            }
            (None, None) => {}
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some((_, text)), None) => {
                text.push_str(line.get(indent..).unwrap_or_default());
                text.push('\n');
            }
        }
    }
    assert!(open.is_none(), "a block has no end");
    blocks
}

/// The commands of a block, each with the lines that are shown below it.
fn sessions(text: &str) -> Vec<(String, Vec<String>)> {
    let mut sessions: Vec<(String, Vec<String>)> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("$ "), sessions.last_mut()) {
            (Some(command), _) => sessions.push((command.to_owned(), Vec::new())),
            (None, Some((command, shown))) if shown.is_empty() && command.ends_with('\\') => {
                command.push('\n');
                command.push_str(line);
            }
            (None, Some((_, shown))) => shown.push(line.to_owned()),
            (None, None) => panic!("output without a command: {line}"),
        }
    }
    sessions
}

fn run(page: &str, command: &str, shown: &[String], exit: i32, folder: &Path) {
    let programs = [
        target::binary()
            .parent()
            .expect("it is in a directory")
            .to_owned(),
        python::installed("nats-py"),
    ];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = programs.into_iter().chain(std::env::split_paths(&path));
    let mut shell = Command::new("bash");
    target::without_settings(&mut shell);
    let output = shell
        .args(["-o", "pipefail", "-c", command])
        .current_dir(folder)
        .env(
            "PATH",
            std::env::join_paths(path).expect("no colons in them"),
        )
        .output()
        .expect("there is a shell");
    let text = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    let told = format!("{page}: $ {command}\n{text}\n{said}");
    assert_eq!(output.status.code(), Some(exit), "{told}");
    let lines: Vec<_> = text.lines().map(str::trim_end).collect();
    let alike = lines.len() == shown.len()
        && lines
            .iter()
            .zip(shown)
            .all(|(line, shown)| matches(line, shown));
    assert!(alike, "{told}\nand the page shows:\n{}", shown.join("\n"));
}

/// Whether a line is as it is shown, `…` being anything.
fn matches(line: &str, shown: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}
