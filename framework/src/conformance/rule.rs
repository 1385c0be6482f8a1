//! The rules of the contract, and what it means that one is broken.

use std::fmt;

/// A rule that every sink keeps. Its text is a sentence.
///
/// A test for each says which one is broken by its own name:
///
/// ```
/// use singer_target::conformance::{Kit, Rule, Violation, memory::Memory};
///
/// # #[tokio::main(flavor = "current_thread")]
/// // #[tokio::test]
/// async fn main() -> Result<(), Violation> {
///     Kit::new(async || Ok(Memory::upserting())).check(Rule::Order).await
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// Reports are complete. Not checked on its own, but on every write of the other checks.
    Report,
    /// What is reported as written is there.
    Acknowledgement,
    /// The newest record of a key wins.
    Order,
    /// What cannot be taken is named, and nothing else.
    Rejection,
    /// What has failed is stored when it is written again.
    Retry,
    /// What is written twice is there once.
    Idempotence,
    /// A changed schema costs no record.
    Barrier,
    /// An activated version deletes what is older, and nothing else. Checked for sinks that have
    /// [`Sink::ACTIVATES_VERSIONS`](crate::Sink::ACTIVATES_VERSIONS).
    Activation,
    /// The same record is always preprocessed into the same. Checked for sinks that have
    /// [`Sink::PREPROCESSES`](crate::Sink::PREPROCESSES).
    Preprocessing,
    /// A write can be abandoned.
    Cancellation,
    /// Neither closing nor failing to close costs a record.
    Close,
    /// No STATE without its records, in whole runs with faults, kills and signals.
    StateSafety,
    /// What a [`StateStore`](crate::StateStore) was given last is what it gives back. Checked by
    /// [`check_state_store`](super::check_state_store) only.
    KeptState,
}

impl Rule {
    /// The rules that can be checked each on its own.
    pub const ALL: &'static [Self] = &[
        Self::Acknowledgement,
        Self::Order,
        Self::Rejection,
        Self::Retry,
        Self::Idempotence,
        Self::Barrier,
        Self::Activation,
        Self::Preprocessing,
        Self::Cancellation,
        Self::Close,
        Self::StateSafety,
    ];
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Report => "a report tells of every record of its batch exactly once",
            Self::Acknowledgement => {
                "a record that is reported as written is stored as it is, and can be read at once"
            }
            Self::Order => "of the records of one key the last one wins, in a batch and after it",
            Self::Rejection => {
                "a record that cannot be stored is rejected by its index, without its values, and \
                 the others of its batch are stored"
            }
            Self::Retry => {
                "a batch whose write failed, before or after it was stored, is stored when it is \
                 written again"
            }
            Self::Idempotence => "a batch that is written again leaves one copy of each record",
            Self::Barrier => "opening a stream again, also with a changed schema, costs no record",
            Self::Activation => {
                "activating a version deletes the records of strictly older versions, and no others"
            }
            Self::Preprocessing => {
                "the same record is always preprocessed into the same one, which keeps its key"
            }
            Self::Cancellation => {
                "a write that is dropped half-way corrupts nothing, and the batch can be written \
                 again"
            }
            Self::Close => {
                "what was acknowledged is there after the sink is closed, or dropped without that"
            }
            Self::StateSafety => {
                "a STATE is printed only when every record before it is stored, whatever fails"
            }
            Self::KeptState => {
                "the STATE that was kept last is read back as it was, until it is cleared"
            }
        })
    }
}

/// A rule that a sink breaks, and how.
///
/// ```
/// use singer_target::conformance::{Kit, Rule, memory::Memory};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// // A destination that keeps every record breaks the promise to keep the newest of each key.
/// let kit = Kit::new(async || Ok(Memory::appending()));
/// let violation = kit.check(Rule::Order).await.unwrap_err();
/// assert_eq!(violation.rule(), Rule::Order);
/// assert!(violation.to_string().starts_with("broken rule Order: of the records of one key"));
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Violation {
    rule: Rule,
    what: String,
}

impl Violation {
    pub(super) fn new(rule: Rule, what: impl Into<String>) -> Self {
        Self {
            rule,
            what: what.into(),
        }
    }

    /// Names the random run in which it showed.
    pub(super) fn in_run(mut self, seed: u64) -> Self {
        self.what.push_str(&format!(" (seed {seed})"));
        self
    }

    /// The rule that is broken.
    #[must_use]
    pub fn rule(&self) -> Rule {
        self.rule
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "broken rule {:?}: {}: {}",
            self.rule, self.rule, self.what
        )
    }
}

/// The same text: tests that return a `Result` print errors in this form.
impl fmt::Debug for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Violation {}

/// Every rule that a sink breaks: at least one. [`Kit::check_all`](super::Kit::check_all) gives it,
/// and a test that returns it prints a line for each.
#[derive(Clone, PartialEq, Eq)]
pub struct Violations(pub(super) Vec<Violation>);

impl Violations {
    /// One by one, in the order of [`Rule::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = &Violation> {
        self.0.iter()
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the sink does not conform:")?;
        self.iter().try_for_each(|it| write!(f, "\n- {it}"))
    }
}

/// The same text: tests that return a `Result` print errors in this form.
impl fmt::Debug for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Violations {}
