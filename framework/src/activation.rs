//! ACTIVATE_VERSION: what a sink is asked to do when a tap has read a whole table anew.
//!
//! A tap that reads a table as a whole gives each reading a version, and says at its end which one
//! counts now. What is stored of an older version is gone at the source. This is the one thing in
//! Singer that deletes, so the rules are narrow: only strictly older versions, nothing without a
//! version, and no more than `max_delete_fraction`. They stand here, once for all sinks.

use crate::sink::SinkError;
use crate::value::{Plain, Tape, Value};

/// The member with the version of its table that a record is of: see [`version_of`].
pub const TABLE_VERSION: &str = "_sdc_table_version";
/// The member that says when a record was deleted: see [`is_marked`].
pub const DELETED_AT: &str = "_sdc_deleted_at";
/// The version that marked it: a mark of this kind is lifted by a record of that version or a later
/// one, while one that the tap has sent is not.
const DELETED_BY_VERSION: &str = "_sdc_deleted_by_version";

/// What a sink is to delete; see [`Sink::activate_version`](crate::Sink::activate_version).
///
/// A sink that holds its records in a list would do it like this:
///
/// ```
/// use singer_target::SinkError;
/// use singer_target::activation::{Activated, Activation};
/// use singer_target::value::Tape;
///
/// fn activate(rows: &mut Vec<Tape>, activation: &Activation) -> Result<Activated, SinkError> {
///     let is_old = |row: &Tape| row.root().is_some_and(|stored| activation.deletes(stored));
///     // Count before anything is deleted.
///     let old = rows.iter().filter(|row| is_old(row)).count() as u64;
///     activation.check_share(old, rows.len() as u64)?;
///     if activation.is_hard() {
///         rows.retain(|row| !is_old(row));
///     } else {
///         for row in rows.iter_mut().filter(|row| is_old(row)) {
///             let mut marked = Tape::new();
///             row.root().inspect(|stored| activation.mark(*stored, &mut marked));
///             *row = marked;
///         }
///     }
///     let mut activated = Activated::default();
///     activated.deleted = old;
///     Ok(activated)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Activation {
    version: i64,
    hard: bool,
    max_fraction: f64,
    now: String,
}

/// What a sink has deleted. [`Activation`] has an example.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Activated {
    /// Records that were marked or removed.
    pub deleted: u64,
}

impl Activated {
    /// This many records were marked or removed.
    #[must_use]
    pub fn new(deleted: u64) -> Self {
        Self { deleted }
    }
}

impl Activation {
    /// `now` is the moment that marks give.
    pub(crate) fn new(version: i64, hard: bool, max_fraction: f64, now: String) -> Self {
        Self {
            version,
            hard,
            max_fraction,
            now,
        }
    }

    /// The version that counts now.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.version
    }

    /// Whether records are removed (setting `hard_delete`) rather than [marked](Self::mark).
    #[must_use]
    pub fn is_hard(&self) -> bool {
        self.hard
    }

    /// Whether a stored record is to be deleted: its `_sdc_table_version` is strictly older, and it
    /// is not marked yet. One without a version is somebody else's and stays.
    #[must_use]
    pub fn deletes(&self, stored: Value<'_>) -> bool {
        let older = version_of(stored).is_some_and(|version| version < self.version);
        older && (self.hard || !is_marked(stored))
    }

    /// Writes `stored` to `into` with the mark of a deletion: `_sdc_deleted_at` says when, and
    /// `_sdc_deleted_by_version` that it was this version.
    pub fn mark(&self, stored: Value<'_>, into: &mut Tape) {
        into.clear();
        let at = into.append(stored);
        let version = self.version.to_string();
        for (name, value) in [
            (DELETED_AT, Plain::Text(&self.now)),
            (DELETED_BY_VERSION, Plain::Number(&version)),
        ] {
            into.set_member(at, name, value);
        }
    }

    /// Whether the sink must [count](Self::check_share) before it deletes anything.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.max_fraction < 1.0
    }

    /// Checks that `deleted` of the `stored` records of a stream are no more than the user allows
    /// to be deleted at once (setting `max_delete_fraction`).
    ///
    /// # Errors
    /// If they are more. Nothing must be deleted then.
    pub fn check_share(&self, deleted: u64, stored: u64) -> Result<(), SinkError> {
        let what = format!("version {}", self.version);
        check_share(&what, deleted, stored, self.max_fraction)
    }
}

/// Checks that `what` deletes no more than the `max_fraction` of what is stored.
pub(crate) fn check_share(
    what: &str,
    deleted: u64,
    stored: u64,
    max_fraction: f64,
) -> Result<(), SinkError> {
    // Counts of records are far below what a float holds exactly.
    let share = deleted as f64 / stored.max(1) as f64;
    if share <= max_fraction {
        return Ok(());
    }
    Err(SinkError::permanent(format!(
        "{what} would delete {deleted} of {stored} records, and max_delete_fraction allows \
         {max_fraction} of them; nothing was deleted: look whether the tap has read all of its \
         table, or raise that setting"
    )))
}

/// Whether a stored record, which is marked as deleted, was marked by a version that `record` is
/// not older than: then it is in its table again, and the mark is void.
///
/// ```
/// # use singer_target::{activation::is_revived, value::Tape};
/// let parsed = |json: &str| {
///     let mut tape = Tape::new();
///     tape.parse(json.as_bytes()).map(|()| tape)
/// };
/// let stored = parsed(r#"{"id":1,"_sdc_deleted_at":"2024-05-01","_sdc_deleted_by_version":5}"#)?;
/// for (version, revived) in [(4, false), (5, true)] {
///     let record = parsed(&format!(r#"{{"id":1,"_sdc_table_version":{version}}}"#))?;
///     assert_eq!(is_revived(stored.root().unwrap(), record.root().unwrap()), revived);
/// }
/// # Ok::<(), singer_target::value::ParseError>(())
/// ```
#[must_use]
pub fn is_revived(stored: Value<'_>, record: Value<'_>) -> bool {
    let Some(by) = integer(stored, DELETED_BY_VERSION) else {
        return false;
    };
    is_marked(stored) && version_of(record).is_none_or(|version| version >= by)
}

/// The version of its table that a record is of: `_sdc_table_version`, if it is an integer.
///
/// ```
/// # use singer_target::{activation::version_of, value::Tape};
/// # let mut tape = Tape::new();
/// tape.parse(br#"{"id": 1, "_sdc_table_version": 5}"#)?;
/// assert_eq!(version_of(tape.root().unwrap()), Some(5));
/// # Ok::<(), singer_target::value::ParseError>(())
/// ```
#[must_use]
pub fn version_of(record: Value<'_>) -> Option<i64> {
    integer(record, TABLE_VERSION)
}

/// Whether a record says that it was deleted at its source: `_sdc_deleted_at` is there and not
/// null.
///
/// ```
/// # use singer_target::{activation::is_marked, value::Tape};
/// # let mut tape = Tape::new();
/// tape.parse(br#"{"id": 1, "_sdc_deleted_at": "2024-05-01T00:00:00Z"}"#)?;
/// assert!(is_marked(tape.root().unwrap()));
/// # Ok::<(), singer_target::value::ParseError>(())
/// ```
#[must_use]
pub fn is_marked(record: Value<'_>) -> bool {
    record
        .get(DELETED_AT)
        .is_some_and(|deleted| !deleted.is_null())
}

/// Whether a stored record is marked as deleted by a version of its table, and not by the tap.
///
/// ```
/// # use singer_target::{activation::is_marked_by_version, value::Tape};
/// # let mut tape = Tape::new();
/// tape.parse(br#"{"id":1,"_sdc_deleted_at":"2024-05-01","_sdc_deleted_by_version":5}"#)?;
/// assert!(is_marked_by_version(tape.root().unwrap()));
/// tape.parse(br#"{"id":1,"_sdc_deleted_at":"2024-05-01"}"#)?;
/// assert!(!is_marked_by_version(tape.root().unwrap()));
/// # Ok::<(), singer_target::value::ParseError>(())
/// ```
#[must_use]
pub fn is_marked_by_version(stored: Value<'_>) -> bool {
    is_marked(stored) && integer(stored, DELETED_BY_VERSION).is_some()
}

fn integer(record: Value<'_>, name: &str) -> Option<i64> {
    record.get(name)?.as_number()?.as_i64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn activation(hard: bool, max_fraction: f64) -> Activation {
        Activation::new(5, hard, max_fraction, "2024-01-01T00:00:00Z".into())
    }

    #[test]
    fn only_what_is_strictly_older_is_deleted() {
        for (stored, soft, hard) in [
            (r#"{"_sdc_table_version":4}"#, true, true),
            (r#"{"_sdc_table_version":5}"#, false, false),
            (r#"{"_sdc_table_version":6}"#, false, false),
            (r#"{"_sdc_table_version":null}"#, false, false),
            (r#"{"_sdc_table_version":"4"}"#, false, false),
            (
                r#"{"_sdc_table_version":99999999999999999999}"#,
                false,
                false,
            ),
            (r#"{"id":1}"#, false, false),
            (
                r#"{"_sdc_table_version":4,"_sdc_deleted_at":null}"#,
                true,
                true,
            ),
            (
                r#"{"_sdc_table_version":4,"_sdc_deleted_at":"x"}"#,
                false,
                true,
            ),
        ] {
            let tape = Tape::parsed(stored);
            for (is_hard, expected) in [(false, soft), (true, hard)] {
                let deletes = activation(is_hard, 1.0).deletes(tape.value(0));
                assert_eq!(deletes, expected, "{stored}, hard: {is_hard}");
            }
        }
    }

    #[test]
    fn a_mark_takes_the_place_of_a_null_and_is_lifted_by_its_version() {
        let stored = Tape::parsed(r#"{"_sdc_deleted_at":null,"id":1,"_sdc_table_version":4}"#);
        let mut marked = Tape::new();
        activation(false, 1.0).mark(stored.value(0), &mut marked);
        assert_eq!(
            marked.value(0).to_json(),
            r#"{"id":1,"_sdc_table_version":4,"_sdc_deleted_at":"2024-01-01T00:00:00Z","_sdc_deleted_by_version":5}"#
        );
        for (record, revived) in [
            (r#"{"_sdc_table_version":4}"#, false),
            (r#"{"_sdc_table_version":5}"#, true),
            (r#"{"_sdc_table_version":6}"#, true),
            ("{}", true),
        ] {
            let record = Tape::parsed(record);
            assert_eq!(is_revived(marked.value(0), record.value(0)), revived);
        }
        let by_the_tap = Tape::parsed(r#"{"_sdc_deleted_at":"x","_sdc_table_version":4}"#);
        let later = Tape::parsed(r#"{"_sdc_table_version":6}"#);
        assert!(!is_revived(by_the_tap.value(0), later.value(0)));
    }

    #[test]
    fn no_more_is_deleted_than_the_user_allows() {
        assert!(!activation(true, 1.0).is_limited());
        assert!(activation(true, 1.0).check_share(7, 7).is_ok());
        let half = activation(true, 0.5);
        assert!(half.is_limited());
        assert!(half.check_share(0, 0).is_ok());
        assert!(half.check_share(2, 4).is_ok());
        let error = half.check_share(3, 4).expect_err("too many").to_string();
        assert!(
            error.contains("would delete 3 of 4 records")
                && error.contains("max_delete_fraction allows 0.5"),
            "{error}"
        );
    }
}
