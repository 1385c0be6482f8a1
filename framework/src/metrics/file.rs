//! Metrics in a file, which is replaced as a whole: a reader never sees half of it.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct MetricsFile {
    path: PathBuf,
    partial: PathBuf,
}

impl MetricsFile {
    pub(super) fn new(path: &Path) -> Self {
        // In the same folder, since only there it can be renamed; hidden from those who look for
        // `*.prom`.
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".{}.partial", std::process::id()));
        Self {
            path: path.to_owned(),
            partial: path.with_file_name(name),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn write(&self, text: &str) -> io::Result<()> {
        fs::write(&self.partial, text)
            .and_then(|()| fs::rename(&self.partial, &self.path))
            .inspect_err(|_| {
                // Perhaps it was never made.
                let _ = fs::remove_file(&self.partial);
            })
    }
}
