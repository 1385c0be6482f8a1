//! Names of files: the setting `path`, filled in. Two streams never share a name.

use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stays as it is in a stream's name. `%` does not, so that the name can be read back: that is
/// what makes two names of streams two names of files.
const UNSAFE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');
/// Behind the name of a file that is not complete.
const PARTIAL: &str = ".partial";
/// Behind the name of the file that remembers an unfinished run.
const JOURNAL: &str = ".journal";

/// The setting `path`, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Stream,
    Part,
    Timestamp,
}

impl Template {
    /// Takes `path` apart, or says what is wrong with it.
    pub(super) fn parse(path: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = path;
        while let Some(open) = rest.find('{') {
            let close = rest[open..].find('}').ok_or("has a { without a }")? + open;
            if open > 0 {
                pieces.push(Piece::Text(rest[..open].to_owned()));
            }
            pieces.push(match &rest[open..=close] {
                "{stream}" => Piece::Stream,
                "{part}" => Piece::Part,
                "{timestamp}" => Piece::Timestamp,
                other => {
                    return Err(format!(
                        "has {other}, which is none of {{stream}}, {{part}} and {{timestamp}}"
                    ));
                }
            });
            rest = &rest[close + 1..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        let template = Self(pieces);
        template.check()?;
        Ok(template)
    }

    /// Whatever could let two streams, or a file and a journal, share a name is refused.
    fn check(&self) -> Result<(), String> {
        let count = |piece| self.0.iter().filter(|other| **other == piece).count();
        if count(Piece::Stream) == 0 {
            return Err("must have {stream}, so that each stream has a file of its own".into());
        }
        if count(Piece::Part) > 1 || count(Piece::Timestamp) > 1 {
            return Err("can have {part} and {timestamp} only once".into());
        }
        match self.0.last() {
            Some(Piece::Text(end))
                if !PARTIAL.ends_with(end.as_str())
                    && !JOURNAL.ends_with(end.as_str())
                    && !end.ends_with('/') => {}
            _ => return Err("must end with an extension, such as .jsonl".into()),
        }
        let separated = self.0.windows(2).all(|pair| match pair {
            [Piece::Text(text), Piece::Part | Piece::Timestamp] => {
                text.contains(['-', '_', '.', '/'])
            }
            [Piece::Part | Piece::Timestamp, Piece::Text(text)] => {
                text.contains(['-', '_', '.', '/'])
            }
            [_, Piece::Text(_)] | [Piece::Text(_), _] => true,
            _ => false,
        });
        if !separated {
            return Err("must have -, _ or . before and behind {part} and {timestamp}".into());
        }
        let folder_varies = self
            .0
            .iter()
            .skip_while(|piece| !matches!(piece, Piece::Part | Piece::Timestamp))
            .any(|piece| matches!(piece, Piece::Text(text) if text.contains('/')));
        if folder_varies {
            return Err("can have {part} and {timestamp} only in the file's name".into());
        }
        Ok(())
    }

    pub(super) fn has_part(&self) -> bool {
        self.0.contains(&Piece::Part)
    }

    /// Whether every run writes files of its own.
    pub(super) fn is_new_each_time(&self) -> bool {
        self.has_part() || self.0.contains(&Piece::Timestamp)
    }

    fn render(&self, stream: &str, part: &str, timestamp: &str) -> PathBuf {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Stream => out.push_str(stream),
                Piece::Part => out.push_str(part),
                Piece::Timestamp => out.push_str(timestamp),
            }
        }
        PathBuf::from(out)
    }
}

/// The names of one stream's files.
#[derive(Debug)]
pub(super) struct Names {
    template: Template,
    stream: String,
}

impl Names {
    pub(super) fn new(template: &Template, stream: &str) -> Self {
        let mut safe = utf8_percent_encode(stream, UNSAFE).to_string();
        // No hidden files, and neither `.` nor `..`.
        if safe.starts_with('.') {
            safe.replace_range(..1, "%2E");
        }
        Self {
            template: template.clone(),
            stream: safe,
        }
    }

    /// The file of a part; `started` is when its run started, in milliseconds since 1970.
    pub(super) fn file(&self, part: u64, started: u64) -> PathBuf {
        let part = format!("{part:05}");
        self.template
            .render(&self.stream, &part, &timestamp(started))
    }

    /// The same while it is not complete.
    pub(super) fn partial(&self, part: u64, started: u64) -> PathBuf {
        with_suffix(&self.file(part, started), PARTIAL)
    }

    /// The journal, which does not depend on parts and times, so that the next run finds it.
    pub(super) fn journal(&self) -> PathBuf {
        with_suffix(&self.template.render(&self.stream, "", ""), JOURNAL)
    }

    /// The number behind the highest one in the folder.
    pub(super) fn next_part(&self, started: u64) -> std::io::Result<u64> {
        // No file name has a NUL.
        let pattern = self
            .template
            .render(&self.stream, "\0", &timestamp(started));
        let pattern = pattern.file_name().and_then(|name| name.to_str());
        let Some((before, behind)) = pattern.and_then(|name| name.split_once('\0')) else {
            return Ok(1);
        };
        let mut highest = 0;
        for entry in std::fs::read_dir(folder(&self.journal()))? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| {
                let name = name.strip_suffix(PARTIAL).unwrap_or(name);
                let digits = name.strip_prefix(before)?.strip_suffix(behind)?;
                digits.parse::<u64>().ok()
            });
            highest = highest.max(number.unwrap_or(0));
        }
        Ok(highest + 1)
    }
}

/// The folder that a file is in.
pub(super) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn timestamp(milliseconds: u64) -> String {
    i64::try_from(milliseconds)
        .ok()
        .and_then(|milliseconds| jiff::Timestamp::from_millisecond(milliseconds).ok())
        .unwrap_or_default()
        .strftime("%Y%m%dT%H%M%S%3fZ")
        .to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const START: u64 = 1_769_847_300_250;

    #[test]
    fn placeholders_are_filled_in() {
        let template = Template::parse("a/{stream}-{part}_{timestamp}.jsonl").expect("valid");
        let names = Names::new(&template, "public.users");
        let file = names.file(12, START);
        assert_eq!(
            file.to_str(),
            Some("a/public.users-00012_20260131T081500250Z.jsonl")
        );
        assert_eq!(
            names.journal().to_str(),
            Some("a/public.users-_.jsonl.journal")
        );
    }

    #[test]
    fn streams_never_share_a_file_nor_leave_the_folder() {
        let template = Template::parse("out/{stream}.jsonl").expect("valid");
        let streams = [
            "a",
            "A",
            "a/b",
            "a%2Fb",
            "a b",
            "a%20b",
            ".",
            "..",
            "%2E",
            "../a",
            "ü",
            "u\u{308}",
            "a\0",
            "a.journal",
            "a.jsonl.journal",
            "a.jsonl.partial",
            "a\\b",
            "a:b",
        ];
        let mut seen = HashSet::new();
        for stream in streams {
            let names = Names::new(&template, stream);
            for path in [
                names.file(1, START),
                names.partial(1, START),
                names.journal(),
            ] {
                assert_eq!(folder(&path), Path::new("out"), "{stream:?}");
                assert!(seen.insert(path), "{stream:?}");
            }
        }
    }

    #[test]
    fn templates_that_could_mix_up_files_are_refused() {
        for (path, problem) in [
            ("all.jsonl", "must have {stream}"),
            ("{stream}", "extension"),
            ("{stream}.partial", "extension"),
            ("{stream}/", "extension"),
            ("{stream}{part}.jsonl", "before and behind"),
            ("{part}x{stream}.jsonl", "before and behind"),
            ("{part}/{stream}.jsonl", "only in the file's name"),
            ("{stream}-{part}-{part}.jsonl", "only once"),
            ("{stream}.{date}.jsonl", "{date}"),
            ("{stream.jsonl", "without a }"),
        ] {
            let error = Template::parse(path).expect_err("refused");
            assert!(error.contains(problem), "{path}: {error}");
        }
    }
}
