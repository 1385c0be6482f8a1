//! Which files of BATCH messages this binary reads. It depends on the features that it was built with.

/// What `about` tells of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BatchFiles {
    /// As `encoding.format` names them.
    pub(crate) formats: Vec<&'static str>,
    /// Of lines, as `encoding.compression` names them.
    pub(crate) compressions: Vec<&'static str>,
    /// What an address may begin with, before `://`.
    pub(crate) stores: Vec<&'static str>,
}

impl BatchFiles {
    /// Those of this binary.
    pub(crate) fn supported() -> Self {
        let mut formats = vec!["jsonl"];
        if cfg!(feature = "parquet") {
            formats.push("parquet");
        }
        let mut stores = vec!["file"];
        if cfg!(feature = "cloud") {
            stores.extend(["s3", "gs", "az", "https", "http"]);
        }
        Self {
            formats,
            compressions: vec!["none", "gzip", "zstd"],
            stores,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::store::Address;
    use crate::message::{self, Message};
    use crate::value::Tape;

    /// Whether a store or a format is refused for want of a feature.
    fn lacks_a_feature<T>(outcome: Result<T, crate::BoxError>) -> bool {
        outcome.is_err_and(|error| error.to_string().contains("built without the feature"))
    }

    #[test]
    fn exactly_the_stores_that_can_be_opened_are_told() {
        let files = BatchFiles::supported();
        for store in ["file", "s3", "gs", "az", "https", "http"] {
            let address = format!("{store}://example/folder/file.jsonl");
            let address = Address::parse(&address).expect("an address");
            let told = files.stores.contains(&store);
            assert_eq!(told, !lacks_a_feature(address.store()), "{store}");
        }
    }

    #[tokio::test]
    async fn exactly_the_formats_that_can_be_read_are_told() {
        let files = BatchFiles::supported();
        for format in ["jsonl", "parquet"] {
            for compression in [&files.compressions[..], &["bzip2"]].concat() {
                let line = format!(
                    r#"{{"type":"BATCH","stream":"s","encoding":{{"format":"{format}","compression":"{compression}"}},"manifest":[]}}"#
                );
                let mut tape = Tape::new();
                let parsed = message::parse(line.as_bytes(), &mut tape);
                let Ok(Message::Batch(batch)) = parsed else {
                    assert_eq!(compression, "bzip2", "{line}");
                    continue;
                };
                let file = crate::manifest::BatchFile::new("file:///nowhere/at/all", batch.format);
                let opened = file.expect("an address").open(1024).await;
                let told = files.formats.contains(&format);
                assert_eq!(told, !lacks_a_feature(opened), "{line}");
            }
        }
    }
}
