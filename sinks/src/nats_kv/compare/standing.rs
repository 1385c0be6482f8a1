//! How a stored record stands to a new one, for those who only look.

use std::cmp::Ordering;

use singer_target::activation::{is_revived, version_of};
use singer_target::value::{Tape, Value};

use super::super::config::RefreshMode;
use super::{Candidate, Comparison, is_deleted};

/// Where a stored record that was deleted by a new version of its table has this.
const DELETED_BY_VERSION: &str = "_sdc_deleted_by_version";

/// How what is stored stands to a record. Whether it stays is told by the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Standing {
    /// It is the same record.
    Same,
    /// It is newer, or was deleted since.
    Newer,
    /// It is another one, and not known to be newer.
    Other,
}

impl Comparison {
    /// How the bytes of a stored value stand to a record. `scratch` is reused from call to call.
    pub(in super::super) fn standing(
        &self,
        new: Candidate<'_>,
        stored: &[u8],
        scratch: &mut Tape,
    ) -> Standing {
        if self.decode(stored, scratch).is_none() {
            return Standing::Other;
        }
        scratch
            .root()
            .map_or(Standing::Other, |stored| self.standing_of(new, stored))
    }

    /// The same for a stored value that was read.
    pub(in super::super) fn standing_of(&self, new: Candidate<'_>, stored: Value<'_>) -> Standing {
        let order = self.order(new.value, stored);
        let same_version = version_of(new.value) <= version_of(stored);
        let same_mark = is_deleted(new.value) == is_deleted(stored);
        let same_age = order.is_none_or(Ordering::is_eq);
        if same_version && same_mark && same_age && self.is_same_data(new, stored) {
            return Standing::Same;
        }
        let deleted_since = is_deleted(stored) && !is_deleted(new.value);
        let is_newer = if self.mode == RefreshMode::Full {
            // Whatever is written last stands, but for what a version has deleted after it.
            let by_version = stored.get(DELETED_BY_VERSION).is_some();
            deleted_since && by_version && !is_revived(stored, new.value)
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
