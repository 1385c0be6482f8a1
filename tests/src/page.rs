//! A page of the documentation as its fenced blocks.
//!
//! What stands behind a fence says what the block is for. `console` holds commands, each after `$ `, and
//! below a command what it prints on standard output, where `…` is anything; `sh` holds commands
//! whose output is not shown, and `cron` a crontab. Any other is data or source text: a
//! file of the name in `title=` (`append`: the next part of it), or something to be read. `exit=` gives the code with which the last
//! command of a block ends, if not 0.

use std::fs;

use crate::place;

/// A fenced block.
#[derive(Debug, Clone)]
pub struct Block {
    /// The language.
    pub kind: String,
    /// What `title=` says: the name of a file.
    pub title: Option<String>,
    /// Whether it says `append`: the file has begun in an earlier block.
    pub append: bool,
    /// What `exit=` says.
    pub exit: i32,
    /// What is between the fences.
    pub text: String,
    /// The line of the page on which it begins.
    pub line: usize,
    /// The heading that it stands below.
    pub section: String,
}

/// A command as it is typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Without its prompt; with line breaks where it goes on after a backslash.
    pub text: String,
    /// The lines that are shown below it; none where a block shows no output.
    pub shown: Option<Vec<String>>,
}

impl Block {
    /// The commands that it holds; a titled one is a file, and holds none.
    ///
    /// # Panics
    /// If a console begins with output.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        match (self.kind.as_str(), &self.title) {
            ("console", None) => console(&self.text),
            ("sh", None) => joined(&self.text),
            ("cron", None) => scheduled(&self.text),
            _ => Vec::new(),
        }
    }

    /// The environment that a crontab gives to its commands, by name.
    pub fn environment(&self) -> impl Iterator<Item = (&str, &str)> {
        let lines = self.text.lines().filter(|_| self.kind == "cron");
        lines.filter_map(assignment)
    }
}

/// The paths of all pages in the repository.
///
/// # Panics
/// If they cannot be listed.
#[must_use]
pub fn all() -> Vec<String> {
    let folder = fs::read_dir(place::repository().join("docs")).expect("there is documentation");
    let names = folder.map(|entry| entry.expect("it is readable").file_name());
    names
        .filter_map(|name| Some(format!("docs/{}", name.to_str()?)))
        .filter(|name| name.ends_with(".md"))
        .chain(["README.md", "CONTRIBUTING.md"].map(str::to_owned))
        .collect()
}

/// The text of a page, by its path in the repository.
///
/// # Panics
/// If it cannot be read.
#[must_use]
pub fn read(path: &str) -> String {
    fs::read_to_string(place::repository().join(path))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The blocks of a page.
///
/// # Panics
/// If a block has no end.
#[must_use]
pub fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    let mut section = "";
    let mut indent = 0;
    for (line, number) in page.lines().zip(1..) {
        // One within a list is indented as a whole.
        let fence = line.trim_start().strip_prefix("```");
        match (&mut open, fence) {
            (None, Some(info)) => {
                indent = line.len() - line.trim_start().len();
                open = Some(begin(info, number, section));
            }
            (None, None) if line.starts_with('#') => section = line.trim_start_matches('#').trim(),
            (None, None) => {}
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line.get(indent..).unwrap_or_default());
                block.text.push('\n');
            }
        }
    }
    assert!(open.is_none(), "a block has no end");
    blocks
}

fn begin(info: &str, line: usize, section: &str) -> Block {
    let value = |name: &str| info.split(' ').find_map(|word| word.strip_prefix(name));
    let kind = info.split(' ').next();
    Block {
        kind: kind.unwrap_or_default().to_owned(),
        title: value("title=").map(str::to_owned),
        append: info.split(' ').any(|word| word == "append"),
        exit: value("exit=").map_or(0, |code| code.parse().expect("a number")),
        text: String::new(),
        line,
        section: section.to_owned(),
    }
}

fn console(text: &str) -> Vec<Command> {
    let mut commands: Vec<Command> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(first), _) => commands.push(Command {
                text: first.to_owned(),
                shown: Some(Vec::new()),
            }),
            (None, None) => panic!("output without a command: {line}"),
            (None, Some(command)) => {
                let shown = command.shown.get_or_insert_default();
                if shown.is_empty() && command.text.ends_with('\\') {
                    command.text.push('\n');
                    command.text.push_str(line);
                } else {
                    shown.push(line.to_owned());
                }
            }
        }
    }
    commands
}

fn joined(text: &str) -> Vec<Command> {
    let mut commands: Vec<Command> = Vec::new();
    for line in text.lines() {
        match commands.last_mut() {
            Some(command) if command.text.ends_with('\\') => {
                command.text.push('\n');
                command.text.push_str(line);
            }
            _ => commands.push(Command {
                text: without_comment(line).to_owned(),
                shown: None,
            }),
        }
    }
    commands
}

/// What the lines of a crontab run: that which follows the five fields of the time.
fn scheduled(text: &str) -> Vec<Command> {
    let lines = text.lines().filter(|line| assignment(line).is_none());
    lines
        .map(|line| Command {
            text: line.splitn(6, ' ').nth(5).unwrap_or_default().to_owned(),
            shown: None,
        })
        .collect()
}

/// The variable that a line of a crontab sets, if it does.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let is_name = name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    is_name.then_some((name, value))
}

/// What stands before a comment at the end of a line.
fn without_comment(line: &str) -> &str {
    line.split("  # ").next().unwrap_or_default().trim_end()
}

/// Whether a text is as it is shown, line by line.
#[must_use]
pub fn alike(text: &str, shown: &str) -> bool {
    let mut lines = text.lines().map(str::trim_end);
    let mut shown = shown.lines();
    loop {
        match (lines.next(), shown.next()) {
            (Some(line), Some(shown)) if matches(line, shown) => {}
            (line, shown) => return line.is_none() && shown.is_none(),
        }
    }
}

/// Whether a line is as it is shown, `…` being anything.
#[must_use]
pub fn matches(line: &str, shown: &str) -> bool {
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
