//! After a kill: which records the tap sends again.
//!
//! A tap that starts from a STATE sends what it sent after that STATE before. So its first records
//! are the last ones in the files, from some place on, and none if the STATE covers all of them.
//! That place is looked up by the fingerprints in the journal; the records from there on are left
//! out as long as they are the same, one after the other.

use singer_target::Record;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::error::FileError;
use super::journal::{Journal, Records};

/// Members that tell of the run and not of the record.
const OF_THE_RUN: [&str; 5] = [
    "_sdc_extracted_at",
    "_sdc_received_at",
    "_sdc_batched_at",
    "_sdc_sequence",
    "_sdc_sync_started_at",
];

/// Stands for a record's content.
pub(super) fn fingerprint(record: Record<'_>) -> u64 {
    let json = record.value().json_slice().unwrap_or_default();
    if !json.contains("\"_sdc_") {
        return xxh3_64(json.as_bytes());
    }
    let mut hash = Xxh3::new();
    let mut text = String::new();
    for (name, value) in record.value().members() {
        if !OF_THE_RUN.contains(&name) {
            text.clear();
            value.write_json(&mut text);
            for part in [name, &text] {
                hash.update(&part.len().to_le_bytes());
                hash.update(part.as_bytes());
            }
        }
    }
    hash.digest()
}

/// How far the comparison with an unfinished run is.
#[derive(Debug)]
pub(super) enum Resume {
    /// No record has come yet.
    Search,
    /// The records so far were the same as those of the unfinished run.
    Follow(Records),
    /// There is nothing to compare with, or no longer.
    Done,
}

impl Resume {
    /// How many of the first of `records` are there already. `keyed`: the stream has key properties.
    pub(super) fn skip(
        &mut self,
        journal: &Journal,
        records: &[u64],
        keyed: bool,
    ) -> Result<usize, FileError> {
        if records.is_empty() {
            return Ok(0);
        }
        match std::mem::replace(self, Self::Done) {
            Self::Done => Ok(0),
            Self::Search => {
                let mut known = journal.records()?;
                let Some(overlap) = Overlap::find(|| known.next(), records, keyed)? else {
                    return Ok(0);
                };
                let mut known = journal.records()?;
                for _ in 0..overlap.end {
                    known.next()?;
                }
                if overlap.length == records.len() {
                    *self = Self::Follow(known);
                }
                Ok(overlap.length)
            }
            Self::Follow(mut known) => {
                for (index, record) in records.iter().enumerate() {
                    if known.next()? != Some(*record) {
                        return Ok(index);
                    }
                }
                *self = Self::Follow(known);
                Ok(records.len())
            }
        }
    }
}

/// Where a batch stands in what is known.
#[derive(Debug, PartialEq, Eq)]
struct Overlap {
    /// How many of its first records.
    length: usize,
    /// How many known records there are up to its end.
    end: u64,
}

impl Overlap {
    /// Finds where all of `batch` stands among the known records, or the first of it as the last of
    /// them: the search of Knuth, Morris and Pratt, which needs no memory but for the batch.
    ///
    /// Where equal records leave a choice, `longest` says which: most records left out or fewest.
    /// An equal record of the same key adds nothing. Without a key it may be one that is new, and
    /// writing a record twice is better than losing one.
    fn find<E>(
        mut known: impl FnMut() -> Result<Option<u64>, E>,
        batch: &[u64],
        longest: bool,
    ) -> Result<Option<Self>, E> {
        let borders = borders(batch);
        let mut length = 0;
        let mut end = 0;
        let mut whole = None;
        while let Some(record) = known()? {
            end += 1;
            length = extend(batch, &borders, length, record);
            if length == batch.len() {
                whole = Some(Self { length, end });
                if longest {
                    return Ok(whole);
                }
            }
        }
        if !longest {
            while length > 0 && borders[length - 1] > 0 {
                length = borders[length - 1];
            }
        }
        let tail = (length > 0).then_some(Self { length, end });
        Ok(tail.or(whole))
    }
}

/// How many of the first of `batch` are the last seen, after one more.
fn extend(batch: &[u64], borders: &[usize], mut length: usize, next: u64) -> usize {
    while length > 0 && batch.get(length) != Some(&next) {
        length = borders[length - 1];
    }
    length + usize::from(batch[length] == next)
}

/// For each beginning of `batch`: the length of its longest end that is also a beginning.
fn borders(batch: &[u64]) -> Vec<usize> {
    let mut borders = vec![0];
    for index in 1..batch.len() {
        let length = extend(batch, &borders, borders[index - 1], batch[index]);
        borders.push(length);
    }
    borders
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    fn find(known: &[u64], batch: &[u64], longest: bool) -> Option<Overlap> {
        let mut known = known.iter().copied();
        let Ok(found) = Overlap::find(|| Ok::<_, Infallible>(known.next()), batch, longest);
        found
    }

    #[test]
    fn a_batch_is_found_within_and_at_the_end() {
        let known = [1, 2, 3, 4, 5];
        assert_eq!(
            find(&known, &[2, 3], true),
            Some(Overlap { length: 2, end: 3 })
        );
        assert_eq!(
            find(&known, &[4, 5, 6, 7], true),
            Some(Overlap { length: 2, end: 5 })
        );
        assert_eq!(find(&known, &[2, 4], true), None);
        assert_eq!(find(&known, &[6], true), None);
        assert_eq!(find(&[], &[6], true), None);
    }

    #[test]
    fn equal_records_are_left_out_only_with_a_key() {
        let known = [9, 1, 1, 1];
        assert_eq!(
            find(&known, &[1, 1, 1, 2], true),
            Some(Overlap { length: 3, end: 4 })
        );
        assert_eq!(
            find(&known, &[1, 1, 1, 2], false),
            Some(Overlap { length: 1, end: 4 })
        );
    }

    proptest! {
        /// Against every place, tried one by one.
        #[test]
        fn it_agrees_with_a_naive_search(
            known in prop::collection::vec(0..3u64, 0..12),
            batch in prop::collection::vec(0..3u64, 1..5),
            longest: bool,
        ) {
            let mut places = (0..known.len()).filter_map(|start| {
                let length = batch.len().min(known.len() - start);
                (known[start..start + length] == batch[..length])
                    .then_some(Overlap { length, end: (start + length) as u64 })
            });
            let naive = if longest { places.next() } else { places.next_back() };
            prop_assert_eq!(find(&known, &batch, longest), naive);
        }
    }
}
