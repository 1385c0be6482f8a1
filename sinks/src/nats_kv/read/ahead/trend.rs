//! Whether reading ahead would pay, learnt from keys that were asked for one by one. Pure.

use super::super::Found;

/// From this share on, in percent, of keys that exist and that were stored in the order in which
/// they are asked for.
const MOSTLY: usize = 90;
/// Fewer keys say nothing.
const ENOUGH: usize = 100;

/// The revision behind which the next keys are likely to be, if these are in the order of their
/// revisions.
pub(super) fn position(found: &[Option<Found>]) -> Option<u64> {
    let (mut present, mut ascending, mut before) = (0, 0, 0);
    for revision in found.iter().flatten().map(|found| found.revision) {
        present += 1;
        ascending += usize::from(revision > before);
        before = revision;
    }
    let mostly = |part: usize| part * 100 >= found.len() * MOSTLY;
    (found.len() >= ENOUGH && mostly(present) && mostly(ascending)).then_some(before)
}

#[cfg(test)]
mod tests {
    use super::super::super::Content;
    use super::*;

    fn found(revisions: impl IntoIterator<Item = u64>) -> Vec<Option<Found>> {
        let content = Content::Value(bytes::Bytes::new());
        revisions
            .into_iter()
            .map(|revision| {
                (revision > 0).then(|| Found {
                    revision,
                    content: content.clone(),
                })
            })
            .collect()
    }

    #[test]
    fn keys_in_the_order_of_their_revisions_have_a_position() {
        assert_eq!(position(&found(11..=210)), Some(210));
        assert_eq!(position(&found(1..=50)), None, "too few");
        assert_eq!(position(&found((1..=200).rev())), None, "the other way");
        let some_absent = |every| found((1..=200).map(move |n| if n % every == 0 { 0 } else { n }));
        assert_eq!(position(&some_absent(50)), Some(199));
        assert_eq!(position(&some_absent(5)), None, "too many are new");
    }
}
