//! How a stored record that is not simply replaced stands to a new one: what is told to users.

use std::cmp::Ordering;

use singer_target::activation::{is_marked_by_version, is_revived, version_of};
use singer_target::value::{Tape, Value};

use super::super::config::RefreshMode;
use super::{Candidate, Comparison, Verdict, is_deleted};

/// How what is stored stands to a record. Whether it stays is told by the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Standing {
    /// It is the same record, or is gone as the record says.
    Same,
    /// It is newer, or was deleted since.
    Newer,
    /// It is another one, and not known to be newer.
    Other,
}

impl Comparison {
    /// What [`with_stored`](Self::with_stored) decides, and the standing of what would be
    /// overwritten as well.
    pub(in super::super) fn examine(
        &self,
        new: Candidate<'_>,
        stored: &[u8],
        scratch: &mut Tape,
    ) -> (Verdict, Standing) {
        let writes_all = self.mode == RefreshMode::Full;
        if self.has_same_bytes(new, stored) {
            let verdict = match self.mode {
                RefreshMode::Newer => Verdict::Keep(Standing::Same),
                RefreshMode::Same | RefreshMode::Full => Verdict::Write,
            };
            return (verdict, Standing::Same);
        }
        match self.read(stored, scratch) {
            Err(_) if writes_all => (Verdict::Write, Standing::Other),
            Err(what) => (Verdict::Repair(what), Standing::Other),
            Ok(stored) if self.is_of_another(new, stored) && !writes_all => {
                (Verdict::Collision, Standing::Other)
            }
            Ok(stored) => {
                let standing = self.standing(new, stored, self.order(new.value, stored));
                if writes_all {
                    (Verdict::Write, standing)
                } else {
                    (self.decide(new, stored), standing)
                }
            }
        }
    }

    /// `order` is that of the replication keys.
    pub(super) fn standing(
        &self,
        new: Candidate<'_>,
        stored: Value<'_>,
        order: Option<Ordering>,
    ) -> Standing {
        let same_version = version_of(new.value) <= version_of(stored);
        let same_mark = is_deleted(new.value) == is_deleted(stored);
        let same_age = order.is_none_or(Ordering::is_eq);
        if same_version && same_mark && same_age && self.is_same_data(new, stored) {
            return Standing::Same;
        }
        let deleted_since = is_deleted(stored) && !is_deleted(new.value);
        let is_newer = if self.mode == RefreshMode::Full {
            // Whatever is written last stands, but for what a version has deleted after it.
            deleted_since && is_marked_by_version(stored) && !is_revived(stored, new.value)
        } else {
            order == Some(Ordering::Less) || deleted_since
        };
        if is_newer {
            Standing::Newer
        } else {
            Standing::Other
        }
    }
}
