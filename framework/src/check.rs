//! What a check of the destination finds.

/// One thing that a check looked at.
///
/// ```
/// # use singer_target::check::{Finding, Verdict};
/// let findings = [
///     Finding::good("the server answers"),
///     Finding::warning("the table has no index on its key"),
///     Finding::bad("the user may not write"),
/// ];
/// assert!(findings.iter().any(|it| it.verdict == Verdict::Bad));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// How good it is.
    pub verdict: Verdict,
    /// What was looked at and what was found, in one line.
    pub text: String,
}

/// How good a [`Finding`] is. [`Finding`] has an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// As it should be.
    Good,
    /// A run would work, but the user should know.
    Warning,
    /// A run would fail.
    Bad,
}

impl Finding {
    /// Something that is as it should be.
    pub fn good(text: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Good,
            text: text.into(),
        }
    }

    /// Something that works but that the user should know.
    pub fn warning(text: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Warning,
            text: text.into(),
        }
    }

    /// Something that a run would fail for.
    pub fn bad(text: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Bad,
            text: text.into(),
        }
    }
}
