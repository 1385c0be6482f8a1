//! The files of one stream: the one that is being written, its journal, and its parts.
//!
//! The order of the writes is what makes a kill harmless. Data is appended and synced, then an entry
//! of the journal says so and is synced, and only then are the records acknowledged. So what the
//! journal says is there, and what is behind it was never acknowledged and may be cut off.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use singer_target::Batch;

use super::config::{JsonlConfig, LoadMethod};
use super::error::{At, FileError};
use super::journal::{Journal, Position, Unfinished};
use super::names::{Names, Template, folder};
use super::resume::Resume;

/// When a file gets its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// It has it from the beginning: runs append to one file.
    InPlace,
    /// When the run is complete.
    Whole,
    /// When the part is full or the run complete.
    Parts,
}

/// What all streams of a run have in common.
#[derive(Debug)]
pub(super) struct Layouts {
    template: Template,
    layout: Layout,
    rotate_bytes: u64,
    overwrite: bool,
    /// When the run started, in milliseconds since 1970.
    started: u64,
}

impl Layouts {
    pub(super) fn new(config: &JsonlConfig, template: Template, started: u64) -> Self {
        let overwrite = config.load_method == LoadMethod::Overwrite;
        let layout = if template.has_part() {
            Layout::Parts
        } else if overwrite || template.is_new_each_time() {
            Layout::Whole
        } else {
            Layout::InPlace
        };
        Self {
            template,
            layout,
            rotate_bytes: config.rotate_bytes.unwrap_or(u64::MAX),
            overwrite,
            started,
        }
    }

    /// Opens the files of a stream, and takes up an unfinished run.
    pub(super) fn open(&self, stream: &str) -> Result<Output, FileError> {
        let names = Names::new(&self.template, stream);
        let path = names.journal();
        fs::create_dir_all(folder(&path)).at("create the folder of", &path)?;
        let (journal, unfinished) = Journal::open(path)?;
        let mut output = Output {
            names,
            layout: self.layout,
            rotate_bytes: self.rotate_bytes,
            journal,
            started: self.started,
            position: Position { part: 1, length: 0 },
            data: None,
            records: Vec::new(),
            resume: Resume::Done,
            lines: BTreeMap::new(),
            is_safe: false,
        };
        let resumes = match unfinished {
            Some(unfinished) => output.take_up(unfinished)?,
            None => false,
        };
        if !resumes {
            output.start(self.overwrite)?;
        }
        if self.layout == Layout::InPlace || self.overwrite {
            output.open_data()?;
        }
        Ok(output)
    }
}

/// The open files of a stream.
#[derive(Debug)]
pub(super) struct Output {
    names: Names,
    layout: Layout,
    rotate_bytes: u64,
    journal: Journal,
    started: u64,
    /// Up to where data was appended.
    position: Position,
    data: Option<Data>,
    /// Fingerprints of the records since the last entry of the journal.
    records: Vec<u64>,
    resume: Resume,
    /// The first and the last line of each batch of this run that was appended.
    lines: BTreeMap<u64, u64>,
    /// Whether the journal and the names of all files would survive a loss of power.
    is_safe: bool,
}

impl Output {
    fn start(&mut self, overwrite: bool) -> Result<(), FileError> {
        let path = self.path();
        match self.layout {
            Layout::Parts => {
                let part = self.names.next_part(self.started);
                self.position.part = part.at("list the folder of", &path)?;
            }
            Layout::InPlace => {
                self.position.length = length(&path).at("open", &path)?.unwrap_or(0);
            }
            Layout::Whole if overwrite => {}
            Layout::Whole => {
                if self.final_path().exists() {
                    return Err(io::ErrorKind::AlreadyExists.into())
                        .at("create", &self.final_path());
                }
            }
        }
        self.journal.start(Unfinished {
            started: self.started,
            position: self.position,
        })
    }

    /// Goes on where an unfinished run ended; `false` if its files are gone.
    fn take_up(&mut self, unfinished: Unfinished) -> Result<bool, FileError> {
        let before = (self.started, self.position);
        self.started = unfinished.started;
        self.position = unfinished.position;
        let path = self.path();
        if self.layout == Layout::Parts && self.position.part > 1 {
            // The journal goes to the next part before the last one gets its name.
            self.publish(self.position.part - 1)?;
        }
        let expected = self.position.length;
        let mut found = length(&path).at("open", &path)?;
        if self.layout == Layout::Whole && found.is_none() && expected > 0 {
            // The run got as far as to give the file its name, so there it is.
            let complete = self.final_path();
            found = length(&complete).at("open", &complete)?;
            if found == Some(expected) {
                fs::rename(&complete, &path).at("rename", &complete)?;
            }
        }
        if found.unwrap_or(0) < expected {
            tracing::warn!(
                "{} is not as the unfinished run left it: starting anew, records may be there twice",
                path.display()
            );
            (self.started, self.position) = before;
            return Ok(false);
        }
        tracing::info!(
            "taking up an unfinished run at {} bytes of {}",
            expected,
            path.display()
        );
        if found.is_some() {
            self.open_data()?;
        }
        self.resume = Resume::Search;
        Ok(true)
    }

    fn final_path(&self) -> PathBuf {
        self.names.file(self.position.part, self.started)
    }

    /// The file that is being written.
    pub(super) fn path(&self) -> PathBuf {
        match self.layout {
            Layout::InPlace => self.final_path(),
            Layout::Whole | Layout::Parts => self.names.partial(self.position.part, self.started),
        }
    }

    /// The file that is being written; if it was not open, cut to what is known of it.
    fn take_data(&mut self) -> Result<Data, FileError> {
        if let Some(data) = self.data.take() {
            return Ok(data);
        }
        let path = self.path();
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)
            .at("open", &path)?;
        file.set_len(self.position.length).at("cut", &path)?;
        self.is_safe = false;
        Ok(Data { path, file })
    }

    fn open_data(&mut self) -> Result<(), FileError> {
        self.data = Some(self.take_data()?);
        Ok(())
    }

    /// Whether the record of this line was appended before.
    pub(super) fn has_line(&self, line: u64) -> bool {
        let batch = self.lines.range(..=line).next_back();
        batch.is_some_and(|(_, last)| line <= *last)
    }

    /// How many of the first of `records` an unfinished run has written already.
    pub(super) fn skip(&mut self, records: &[u64], keyed: bool) -> Result<usize, FileError> {
        self.resume.skip(&self.journal, records, keyed)
    }

    /// Appends the bytes of `records`. They are durable after [`sync`](Self::sync).
    pub(super) fn append(&mut self, bytes: &[u8], records: &[u64]) -> Result<(), FileError> {
        if records.is_empty() {
            return Ok(());
        }
        if self.position.length >= self.rotate_bytes {
            self.sync()?;
        }
        self.open_data()?;
        if !self.is_safe {
            self.journal.sync()?;
            sync_folder(&self.path())?;
            self.is_safe = true;
        }
        let mut data = self.take_data()?;
        if let Err(error) = data.file.write_all(bytes) {
            // If this fails too, the next run cuts it off.
            let _ = data.file.set_len(self.position.length);
            return Err(error).at("write", &data.path);
        }
        self.data = Some(data);
        self.position.length += bytes.len() as u64;
        self.records.extend_from_slice(records);
        Ok(())
    }

    /// Notes that the records of a batch were taken.
    pub(super) fn took(&mut self, batch: &Batch) {
        let last = batch.record(batch.len() - 1).line();
        self.lines.insert(batch.record(0).line(), last);
    }

    /// Makes all that was appended durable.
    pub(super) fn sync(&mut self) -> Result<(), FileError> {
        if self.records.is_empty() {
            return Ok(());
        }
        if let Some(data) = &self.data {
            data.file.sync_data().at("sync", &data.path)?;
        }
        self.journal.advance(self.position, &self.records)?;
        self.journal.sync()?;
        self.records.clear();
        if self.position.length >= self.rotate_bytes {
            self.next_part()?;
        }
        Ok(())
    }

    fn next_part(&mut self) -> Result<(), FileError> {
        let full = self.position.part;
        self.position = Position {
            part: full + 1,
            length: 0,
        };
        self.journal.advance(self.position, &[])?;
        self.journal.sync()?;
        self.data = None;
        self.publish(full)
    }

    /// Gives a complete file its name, unless it has it.
    fn publish(&self, part: u64) -> Result<(), FileError> {
        let partial = self.names.partial(part, self.started);
        match fs::rename(&partial, self.names.file(part, self.started)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            renamed => {
                renamed.at("rename", &partial)?;
                sync_folder(&partial)
            }
        }
    }

    /// Gives the last file its name: the run is complete.
    pub(super) fn finish(&mut self) -> Result<(), FileError> {
        match self.layout {
            Layout::InPlace => Ok(()),
            Layout::Parts if self.position.length > 0 => self.next_part(),
            Layout::Parts => Ok(()),
            Layout::Whole => {
                self.data = None;
                self.publish(self.position.part)
            }
        }
    }

    /// Removes the journal: nothing that was written will be sent again.
    pub(super) fn forget(self) -> Result<(), FileError> {
        self.journal.remove()
    }
}

#[derive(Debug)]
struct Data {
    path: PathBuf,
    file: File,
}

fn length(path: &Path) -> io::Result<Option<u64>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes the names in the folder of `path` durable, where the system has a way to.
fn sync_folder(path: &Path) -> Result<(), FileError> {
    if cfg!(unix) {
        let folder = folder(path);
        File::open(folder)
            .and_then(|it| it.sync_all())
            .at("sync the folder", folder)?;
    }
    Ok(())
}
