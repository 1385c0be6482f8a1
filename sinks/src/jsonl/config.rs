//! The settings of the sink, and the one place where they are described.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use singer_target::config::Problem;

use super::names::Template;

/// The settings of the sink `jsonl`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct JsonlConfig {
    /// The file that a stream is written to. `{stream}` stands for the stream's name, with bytes
    /// that are not safe in file names as `%XX`; `{part}` for the number of the part, from `00001`;
    /// `{timestamp}` for the UTC time at which the run started, as in `20260131T081500250Z`.
    ///
    /// With `{part}` or `{timestamp}` no file is ever added to: one that is being written has
    /// `.partial` behind its name until it is complete. Folders are created.
    #[schemars(extend("examples" = ["out/{stream}.jsonl", "out/{stream}-{part}.jsonl.gz"]))]
    pub path: String,

    /// The encoding of the records: the name of an encoder. JSON is written as one line a record;
    /// MessagePack and CBOR as one value behind the other; any other encoding with the length of
    /// each record before it, as 4 bytes, the highest first.
    pub encoding: String,

    /// Compress the files. Each batch is a gzip member or a zstd frame of its own, so that a file
    /// is valid at any time. Name the files to match: nothing is added to `path`.
    pub compression: Compression,

    /// `append-only` adds to what is there; `overwrite` replaces a stream's file by what one run
    /// writes, when that is complete.
    pub load_method: LoadMethod,

    /// Begin the next part once a file has this many bytes, compressed ones if there is a
    /// compression. A batch is never divided. Needs `{part}` in `path`.
    #[schemars(range(min = 1))]
    pub rotate_bytes: Option<u64>,
}

impl Default for JsonlConfig {
    fn default() -> Self {
        Self {
            path: "{stream}.jsonl".to_owned(),
            encoding: "json".to_owned(),
            compression: Compression::None,
            load_method: LoadMethod::AppendOnly,
            rotate_bytes: None,
        }
    }
}

/// How files are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    None,
    /// Members of gzip, which every tool reads.
    Gzip,
    /// Frames of zstd with checksums: smaller and several times faster than gzip.
    Zstd,
}

/// What becomes of the records of earlier runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LoadMethod {
    /// They stay.
    AppendOnly,
    /// They are replaced.
    Overwrite,
}

/// What is wrong with settings that are each valid.
pub(super) fn validate(config: &JsonlConfig) -> Vec<Problem> {
    let template = match Template::parse(&config.path) {
        Ok(template) => template,
        Err(message) => return vec![Problem::new("path", message)],
    };
    let mut problems = Vec::new();
    if config.rotate_bytes.is_some() && !template.has_part() {
        problems.push(Problem::new(
            "rotate_bytes",
            "needs {part} in the setting path, such as out/{stream}-{part}.jsonl",
        ));
    }
    if config.load_method == LoadMethod::Overwrite && template.is_new_each_time() {
        problems.push(Problem::new(
            "load_method",
            "overwrite replaces one file, so the setting path cannot have {part} or {timestamp}",
        ));
    }
    problems
}
