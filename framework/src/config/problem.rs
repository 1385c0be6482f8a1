//! What is wrong with the configuration: all of it, one line each.

use std::fmt;

/// One setting that cannot be accepted, and what would be.
///
/// ```
/// # use singer_target::config::Problem;
/// let problem = Problem::new("rotate_bytes", "needs {part} in the setting path");
/// assert_eq!(problem.to_string(), "rotate_bytes: needs {part} in the setting path");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The setting's name, or the file that could not be read.
    pub setting: String,
    /// What is wrong and what is allowed. Never the value of a secret.
    pub message: String,
    /// The file or environment variable that the value came from, if it is known.
    pub(crate) origin: Option<String>,
}

impl Problem {
    /// A setting and what is wrong with it, with what is allowed.
    pub fn new(setting: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            setting: setting.into(),
            message: message.into(),
            origin: None,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.setting, self.message)?;
        match &self.origin {
            Some(origin) => write!(f, " (set by {origin})"),
            None => Ok(()),
        }
    }
}

/// The configuration was refused; its text has one line for each problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfigError {
    pub(super) problems: Vec<Problem>,
}

impl ConfigError {
    /// One setting that is wrong: for checks that a schema cannot make, such as a file that does
    /// not exist.
    pub(crate) fn of(setting: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            problems: vec![Problem::new(setting, message)],
        }
    }

    /// `Ok` when there is no problem.
    pub(crate) fn unless_empty(problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Self { problems })
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}
