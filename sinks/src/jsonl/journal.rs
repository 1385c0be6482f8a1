//! The journal of an unfinished run: a small file beside the data of a stream.
//!
//! It says how far the data is complete, batch by batch, and holds a fingerprint of each record, so
//! that the next run can cut off what a kill left half written and recognise the records that the
//! tap sends again. It is removed when a run is complete. An entry is a count of words, the words
//! (64 bits, the lowest byte first) and a hash of them: an entry that was not written to its end is
//! told by that, and ends the journal.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Take, Write};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::error::{At, FileError};

/// The first word of the first entry; the second is the time at which the run started.
const MAGIC: u64 = u64::from_le_bytes(*b"jsonl  1");
const WORD: usize = size_of::<u64>();

/// Up to where the data of a stream is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// The number of the part that is being written.
    pub(super) part: u64,
    /// How long its file is, in bytes.
    pub(super) length: u64,
}

/// What the journal tells of a run that was not completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unfinished {
    /// When that run started, in milliseconds since 1970.
    pub(super) started: u64,
    pub(super) position: Position,
}

/// An open journal, locked so that no other run writes the same files.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    /// The end of the last entry.
    end: u64,
}

impl Journal {
    /// Opens or creates the journal; what follows its last complete entry is cut off.
    pub(super) fn open(path: PathBuf) -> Result<(Self, Option<Unfinished>), FileError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .at("open", &path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let in_use = "another run writes this stream, or two streams have one file name";
                return Err(io::Error::other(in_use)).at("lock", &path);
            }
            // File systems without locks are served too.
            Err(TryLockError::Error(_)) => {}
        }
        let mut journal = Self { path, file, end: 0 };
        let unfinished = journal.recover().at("read", &journal.path)?;
        Ok((journal, unfinished))
    }

    fn recover(&mut self) -> io::Result<Option<Unfinished>> {
        let length = self.file.metadata()?.len();
        let mut entries = Entries::new(&self.path, length)?;
        let started = match entries.next()? {
            Some([MAGIC, started]) => *started,
            _ => return Ok(None),
        };
        let mut unfinished = None;
        self.end = entries.read;
        while let Some([part, length, ..]) = entries.next()? {
            let position = Position {
                part: *part,
                length: *length,
            };
            unfinished = Some(Unfinished { started, position });
            self.end = entries.read;
        }
        self.file.set_len(self.end)?;
        self.file.seek(SeekFrom::End(0))?;
        Ok(unfinished)
    }

    /// Starts anew.
    pub(super) fn start(&mut self, unfinished: Unfinished) -> Result<(), FileError> {
        self.end = 0;
        self.file
            .set_len(0)
            .and_then(|()| self.file.rewind())
            .at("write", &self.path)?;
        self.push(&[MAGIC, unfinished.started])?;
        self.advance(unfinished.position, &[])
    }

    /// Notes that the data is complete up to `position`, and the records since the last entry.
    pub(super) fn advance(&mut self, position: Position, records: &[u64]) -> Result<(), FileError> {
        self.push(&[&[position.part, position.length], records].concat())
    }

    fn push(&mut self, words: &[u64]) -> Result<(), FileError> {
        let mut entry = Vec::with_capacity((words.len() + 2) * WORD);
        entry.extend_from_slice(&(words.len() as u64).to_le_bytes());
        entry.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        entry.extend_from_slice(&xxh3_64(&entry).to_le_bytes());
        self.file.write_all(&entry).at("write", &self.path)?;
        self.end += entry.len() as u64;
        Ok(())
    }

    pub(super) fn sync(&self) -> Result<(), FileError> {
        self.file.sync_data().at("sync", &self.path)
    }

    /// The fingerprints of all records that the journal knows now.
    pub(super) fn records(&self) -> Result<Records, FileError> {
        let entries = Entries::new(&self.path, self.end).at("read", &self.path)?;
        Ok(Records {
            path: self.path.clone(),
            entries,
            at: 0,
        })
    }

    /// Removes the journal: the run is complete.
    pub(super) fn remove(self) -> Result<(), FileError> {
        std::fs::remove_file(&self.path).at("remove", &self.path)
    }
}

/// Reads entries, one at a time.
#[derive(Debug)]
struct Entries {
    reader: Take<BufReader<File>>,
    words: Vec<u64>,
    /// The end of the last entry that was read.
    read: u64,
}

impl Entries {
    fn new(path: &Path, end: u64) -> io::Result<Self> {
        Ok(Self {
            reader: BufReader::new(File::open(path)?).take(end),
            words: Vec::new(),
            read: 0,
        })
    }

    /// The words of the next entry; `None` at the end, and for one that is not complete.
    fn next(&mut self) -> io::Result<Option<&[u64]>> {
        self.words.clear();
        let mut head = [0; WORD];
        let left = self.reader.limit();
        if left < 2 * WORD as u64 {
            return Ok(None);
        }
        self.reader.read_exact(&mut head)?;
        let count = u64::from_le_bytes(head);
        if count > left / WORD as u64 - 2 {
            return Ok(None);
        }
        let mut entry = head.to_vec();
        (&mut self.reader)
            .take((count + 1) * WORD as u64)
            .read_to_end(&mut entry)?;
        let (body, hash) = entry.split_at(entry.len() - WORD);
        if hash != xxh3_64(body).to_le_bytes() {
            return Ok(None);
        }
        let (words, _) = body[WORD..].as_chunks::<WORD>();
        self.words
            .extend(words.iter().map(|word| u64::from_le_bytes(*word)));
        self.read += entry.len() as u64;
        Ok(Some(&self.words))
    }
}

/// The fingerprints in a journal, in order, read as they are needed.
#[derive(Debug)]
pub(super) struct Records {
    path: PathBuf,
    entries: Entries,
    at: usize,
}

impl Records {
    pub(super) fn next(&mut self) -> Result<Option<u64>, FileError> {
        loop {
            if let Some(record) = self.entries.words.get(self.at) {
                self.at += 1;
                return Ok(Some(*record));
            }
            // The first two words of every entry are none.
            self.at = 2;
            if self.entries.next().at("read", &self.path)?.is_none() {
                return Ok(None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Unfinished = Unfinished {
        started: 7,
        position: Position {
            part: 3,
            length: 10,
        },
    };

    fn records(journal: &Journal) -> Vec<u64> {
        let mut records = journal.records().expect("readable");
        std::iter::from_fn(|| records.next().expect("readable")).collect()
    }

    #[test]
    fn it_remembers_up_to_the_last_entry_wherever_it_is_cut() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s.journal");
        let (mut journal, none) = Journal::open(path.clone()).expect("opened");
        assert_eq!(none, None);
        journal.start(START).expect("written");
        let mut ends = vec![(journal.end, START.position, 0)];
        for length in [20, 30] {
            let position = Position { part: 3, length };
            journal
                .advance(position, &[length, length + 1])
                .expect("written");
            ends.push((journal.end, position, ends.len() * 2));
        }
        drop(journal);
        let whole = std::fs::read(&path).expect("read");
        for cut in 0..=whole.len() {
            std::fs::write(&path, &whole[..cut]).expect("written");
            let (journal, unfinished) = Journal::open(path.clone()).expect("opened");
            let expected = ends.iter().rfind(|(end, ..)| *end <= cut as u64);
            assert_eq!(unfinished.map(|it| it.position), expected.map(|it| it.1));
            assert_eq!(
                records(&journal),
                [20, 21, 30, 31][..expected.map_or(0, |it| it.2)]
            );
        }
    }

    #[test]
    fn what_is_corrupt_is_cut_off_and_written_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s.journal");
        let (mut journal, _) = Journal::open(path.clone()).expect("opened");
        journal.start(START).expect("written");
        let good = journal.end;
        journal
            .advance(START.position, &[1, 2, 3])
            .expect("written");
        drop(journal);
        let mut bytes = std::fs::read(&path).expect("read");
        bytes[good as usize + 30] ^= 1;
        std::fs::write(&path, &bytes).expect("written");
        let (mut journal, unfinished) = Journal::open(path.clone()).expect("opened");
        assert_eq!(unfinished, Some(START));
        journal.advance(START.position, &[4]).expect("written");
        drop(journal);
        let (journal, _) = Journal::open(path).expect("opened");
        assert_eq!(records(&journal), [4]);
    }

    #[test]
    fn two_runs_cannot_write_one_stream() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s.journal");
        let open = Journal::open(path.clone()).expect("opened");
        let error = Journal::open(path.clone()).expect_err("locked").to_string();
        assert!(
            error.contains("another run") && error.contains("s.journal"),
            "{error}"
        );
        drop(open);
        assert!(Journal::open(path).is_ok());
    }
}
