//! Why a run failed, and the exit code that it ends with.

use crate::config::ConfigError;
use crate::plugin::RegistryError;
use crate::sink::SinkError;

/// Why a run failed. Its text is what the user reads: what happened, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// Wrong settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The binary lacks a plugin.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The sink failed.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// A line of the input is not a message that can be loaded.
    #[error("line {line}: {problem}")]
    Input {
        /// The line, counted from 1.
        line: u64,
        /// What is wrong with it, without its values.
        problem: String,
    },
    /// The input could not be read, or the output not be written.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A fault of the program.
    #[error("internal error: {0}; please report it")]
    Internal(String),
}

impl RunError {
    /// The exit code that the process ends with: 1 for a failed run, 2 for wrong settings, 3 for a
    /// destination that cannot be reached or does not allow it.
    #[must_use]
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Sink(SinkError::Config(_)) => 2,
            Self::Sink(SinkError::Unavailable(_)) => 3,
            _ => 1,
        }
    }

    pub(crate) fn input(line: u64, problem: impl Into<String>) -> Self {
        Self::Input {
            line,
            problem: problem.into(),
        }
    }

    pub(crate) fn io(what: impl Into<String>, source: std::io::Error) -> Self {
        Self::Io {
            what: what.into(),
            source,
        }
    }
}
