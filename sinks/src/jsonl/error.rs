//! What goes wrong with a file. It never passes by itself, so the run ends.

use std::io;
use std::path::{Path, PathBuf};

use singer_target::SinkError;

/// A file and what could not be done with it.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {} (setting path): {source}", path.display())]
pub(super) struct FileError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl From<FileError> for SinkError {
    fn from(error: FileError) -> Self {
        Self::permanent(error)
    }
}

/// Says which file an error is about.
pub(super) trait At<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, FileError>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, FileError> {
        self.map_err(|source| FileError {
            action,
            path: path.to_owned(),
            source,
        })
    }
}
