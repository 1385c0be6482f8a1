//! What the server has said of a batch so far. Pure.

use async_nats::{Message, StatusCode};
use serde::Deserialize;

use super::super::super::error::{ApiError, Failure};
use super::super::answer::Answer;

/// The server knows fast ingest, but does not take it for this bucket, or not from us.
const REFUSALS: [u64; 4] = [10205, 10206, 10207, 10209];
/// It has forgotten the batch, or has too many.
const LOST: u64 = 10208;
const TOO_MANY: u64 = 10211;

/// The acks that may be outstanding.
const OUTSTANDING: u64 = 2;

/// See the module.
#[derive(Debug)]
pub(super) struct Progress {
    most: u64,
    sent: u64,
    /// All messages up to this one are stored.
    acked: u64,
    /// How many messages an ack covers.
    granted: u16,
    failed: Option<Failed>,
    ended: Option<Ended>,
}

#[derive(Debug)]
struct Failed {
    /// The message that was refused, if it was one.
    number: Option<u64>,
    failure: Failure,
    /// Whether the server does not want batches at all.
    refused: bool,
    /// Whether the answer to the whole batch is still to come.
    may_end: bool,
}

#[derive(Debug)]
struct Ended {
    count: u64,
    /// The revision of the last message.
    revision: u64,
}

/// Everything that the server may send to a batch's inbox.
#[derive(Debug, Deserialize)]
struct Word {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    seq: u64,
    #[serde(default)]
    msgs: u16,
    #[serde(default)]
    count: u64,
    error: Option<ApiError>,
}

impl Progress {
    /// `granted` is how many messages an ack is thought to cover, until the server says it.
    pub(super) fn new(granted: u16, most: usize) -> Self {
        Self {
            most: most as u64,
            sent: 0,
            acked: 0,
            granted: granted.max(1),
            failed: None,
            ended: None,
        }
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    pub(super) fn note_sent(&mut self) {
        self.sent += 1;
    }

    pub(super) fn granted(&self) -> u16 {
        self.granted
    }

    /// Whether one more message may be in flight.
    pub(super) fn may_send(&self) -> bool {
        let most = (OUTSTANDING * u64::from(self.granted)).min(self.most);
        self.sent - self.acked < most
    }

    pub(super) fn failure(&self) -> Option<Failure> {
        self.failed.as_ref().map(|failed| failed.failure.clone())
    }

    pub(super) fn is_refused(&self) -> bool {
        self.failed.as_ref().is_some_and(|failed| failed.refused)
    }

    pub(super) fn may_yet_end(&self) -> bool {
        self.failed.as_ref().is_some_and(|failed| failed.may_end)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Whether the batch ended at a write that was in conflict: all before it is stored, and
    /// nothing behind it.
    pub(super) fn ended_in_conflict(&self) -> bool {
        let Some(Failed {
            number: Some(number),
            failure: Failure::Conflict,
            ..
        }) = self.failed
        else {
            return false;
        };
        number == self.ended.as_ref().map_or(0, |ended| ended.count) + 1
    }

    /// Takes note of a message to the batch's inbox.
    pub(super) fn take(&mut self, message: &Message) {
        if message.status == Some(StatusCode::NO_RESPONDERS) {
            self.fail(None, Failure::NoBucket, false);
            return;
        }
        match (
            serde_json::from_slice(&message.payload),
            number(&message.subject),
        ) {
            (Ok(word), Some(number)) => self.word(word, number),
            _ => self.misunderstood(),
        }
    }

    /// `number` is that of the message to which this answers.
    fn word(&mut self, word: Word, number: u64) {
        match (word.kind.as_deref(), word.error) {
            (Some("ack"), None) => {
                self.granted = word.msgs.max(1);
                self.ack(word.seq);
            }
            (Some("err"), Some(error)) => self.fail(Some(word.seq), error.meaning(), true),
            (Some("gap"), None) => {
                let why = "a message was lost on its way to the server".to_owned();
                self.fail(None, Failure::Transient(why), true);
            }
            (None, Some(error)) if REFUSALS.contains(&error.err_code) => {
                self.fail(None, transient(&error), false);
                if let Some(failed) = &mut self.failed {
                    failed.refused = true;
                }
            }
            (None, Some(error)) if matches!(error.err_code, LOST | TOO_MANY) => {
                self.fail(None, transient(&error), false);
            }
            (None, Some(error)) => self.fail(Some(number), error.meaning(), false),
            (None, None) if word.count > 0 && word.seq > 0 => {
                self.ack(word.count);
                self.ended.get_or_insert(Ended {
                    count: word.count,
                    revision: word.seq,
                });
                if word.count < self.sent {
                    let why = "the server ended the batch early".to_owned();
                    self.fail(None, Failure::Transient(why), false);
                }
            }
            _ => self.misunderstood(),
        }
    }

    /// What comes after an error is not believed: nothing behind the error is stored.
    fn ack(&mut self, number: u64) {
        let bound = match &self.failed {
            Some(Failed {
                number: Some(failed),
                ..
            }) => failed.saturating_sub(1),
            _ => self.sent,
        };
        self.acked = self.acked.max(number.min(bound));
    }

    fn fail(&mut self, number: Option<u64>, failure: Failure, may_end: bool) {
        self.failed.get_or_insert(Failed {
            number,
            failure,
            refused: false,
            may_end,
        });
    }

    fn misunderstood(&mut self) {
        // After a failure, a leader that is new may end a batch of which it has nothing.
        if self.failed.is_none() {
            let why = "the server does not answer as fast ingest demands".to_owned();
            self.fail(None, Failure::Transient(why), false);
            if let Some(failed) = &mut self.failed {
                failed.refused = true;
            }
        }
    }

    /// The greatest revision that the server can have given away before the batch, once it has
    /// ended.
    pub(super) fn earliest(&self) -> Option<u64> {
        let ended = self.ended.as_ref()?;
        Some(ended.revision.saturating_sub(ended.count))
    }

    /// What became of the messages, of which `items` says whose they are. `before` is a revision
    /// from before the batch: where it and the last one of the batch leave no room for others, the
    /// revisions of all messages are known.
    pub(super) fn answers(self, items: &[usize], before: Option<u64>) -> Vec<(usize, Answer)> {
        let acked = usize::try_from(self.acked).unwrap_or(usize::MAX);
        let mut answers: Vec<_> = items
            .iter()
            .take(acked)
            .map(|item| (*item, Ok(None)))
            .collect();
        if let Some(ended) = &self.ended
            && ended.count == answers.len() as u64
        {
            if let Some(before) = before
                && ended.revision.checked_sub(ended.count) == Some(before)
            {
                for ((_, answer), revision) in answers.iter_mut().zip(before + 1..) {
                    *answer = Ok(Some(revision));
                }
            } else if let Some(last) = answers.last_mut() {
                last.1 = Ok(Some(ended.revision));
            }
        }
        if let Some(Failed {
            number: Some(number),
            failure,
            ..
        }) = self.failed
            && let Some(item) = number.checked_sub(1).and_then(|at| items.get(at as usize))
        {
            answers.push((*item, Err(failure)));
        }
        answers
    }
}

fn transient(error: &ApiError) -> Failure {
    Failure::Transient(format!(
        "the server answered '{}' ({})",
        error.description, error.err_code
    ))
}

/// The number in a reply subject: `….{number}.{operation}.$FI`.
fn number(subject: &str) -> Option<u64> {
    subject.rsplit('.').nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch of which `sent` messages are on their way.
    fn sent(sent: u64) -> Progress {
        let mut progress = Progress::new(500, 1024);
        for _ in 0..sent {
            progress.note_sent();
        }
        progress
    }

    fn hear(progress: &mut Progress, number: u64, text: &str) {
        progress.word(serde_json::from_str(text).expect("JSON"), number);
    }

    fn answers(progress: Progress, count: usize) -> Vec<(usize, Answer)> {
        progress.answers(&(10..10 + count).collect::<Vec<_>>(), None)
    }

    #[test]
    fn numbers_are_read_from_reply_subjects() {
        assert_eq!(number("_INBOX.abc.500.fail.17.1.$FI"), Some(17));
        assert_eq!(number("a.b"), None);
    }

    #[test]
    fn the_server_says_how_fast() {
        let mut progress = Progress::new(1, 1024);
        progress.note_sent();
        assert!(progress.may_send());
        progress.note_sent();
        assert!(!progress.may_send());
        hear(&mut progress, 1, r#"{"type":"ack","seq":0,"msgs":500}"#);
        for _ in 2..1000 {
            assert!(progress.may_send());
            progress.note_sent();
        }
        assert!(!progress.may_send());
        hear(&mut progress, 500, r#"{"type":"ack","seq":500,"msgs":500}"#);
        assert!(progress.may_send());
        assert!(!Progress::new(500, 0).may_send());
    }

    #[test]
    fn the_commit_covers_all() {
        let mut progress = sent(3);
        let text = r#"{"stream":"KV_b","seq":77,"batch":"x","count":3}"#;
        hear(&mut progress, 3, text);
        assert!(progress.has_ended());
        let all = [(10, Ok(None)), (11, Ok(None)), (12, Ok(Some(77)))];
        assert_eq!(answers(progress, 3), all);
    }

    #[test]
    fn what_has_no_ack_is_unknown() {
        let mut progress = sent(5);
        hear(&mut progress, 2, r#"{"type":"ack","seq":2,"msgs":2}"#);
        assert_eq!(answers(progress, 5), [(10, Ok(None)), (11, Ok(None))]);
    }

    #[test]
    fn an_error_bounds_what_later_acks_say() {
        let mut progress = sent(5);
        let error = r#"{"type":"err","seq":3,"error":{"code":400,"err_code":10054,"description":"message size exceeds maximum allowed"}}"#;
        hear(&mut progress, 3, error);
        hear(&mut progress, 4, r#"{"type":"ack","seq":4,"msgs":2}"#);
        assert!(progress.may_yet_end());
        let answers = answers(progress, 5);
        assert_eq!(answers[..2], [(10, Ok(None)), (11, Ok(None))]);
        assert!(matches!(answers[2..], [(12, Err(Failure::Rejected(_)))]));
    }

    #[test]
    fn an_error_without_a_type_is_about_its_message() {
        let mut progress = sent(2);
        let error = r#"{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"},"stream":"KV_b","seq":0}"#;
        hear(&mut progress, 2, error);
        let answers = answers(progress, 2);
        assert!(matches!(answers[..], [(11, Err(Failure::Permanent(_)))]));
    }

    #[test]
    fn an_early_end_says_what_is_stored() {
        let mut progress = sent(5);
        hear(&mut progress, 4, r#"{"type":"gap","last_seq":3,"seq":4}"#);
        assert!(progress.failure().is_some());
        let text = r#"{"stream":"KV_b","seq":9,"batch":"x","count":2}"#;
        hear(&mut progress, 2, text);
        assert!(progress.has_ended());
        assert_eq!(answers(progress, 5), [(10, Ok(None)), (11, Ok(Some(9)))]);
    }

    #[test]
    fn revisions_are_known_where_there_is_no_room_for_others() {
        let commit = r#"{"stream":"KV_b","seq":77,"batch":"x","count":3}"#;
        for (before, expected) in [
            (74, [Some(75), Some(76), Some(77)]),
            (73, [None, None, Some(77)]),
            (80, [None, None, Some(77)]),
        ] {
            let mut progress = sent(3);
            hear(&mut progress, 3, commit);
            let answers = progress.answers(&[10, 11, 12], Some(before));
            let revisions: Vec<_> = answers.into_iter().map(|(_, answer)| answer).collect();
            assert_eq!(revisions, expected.map(Ok), "{before}");
        }
    }

    #[test]
    fn a_conflict_ends_the_batch() {
        let conflict = r#"{"type":"err","seq":3,"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 5"}}"#;
        let mut progress = sent(5);
        hear(&mut progress, 3, conflict);
        assert!(
            !progress.ended_in_conflict(),
            "the last word is still to come"
        );
        let text = r#"{"stream":"KV_b","seq":9,"batch":"x","count":2}"#;
        hear(&mut progress, 2, text);
        assert!(progress.ended_in_conflict());
        let expected = [
            (10, Ok(Some(8))),
            (11, Ok(Some(9))),
            (12, Err(Failure::Conflict)),
        ];
        assert_eq!(progress.answers(&[10, 11, 12, 13, 14], Some(7)), expected);
    }

    #[test]
    fn a_batch_that_begins_with_a_conflict_is_none() {
        let conflict = r#"{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 5"},"stream":"KV_b","seq":0}"#;
        let mut progress = sent(2);
        hear(&mut progress, 1, conflict);
        assert!(progress.ended_in_conflict());
        assert_eq!(answers(progress, 2), [(10, Err(Failure::Conflict))]);
        // What would leave the first message open is no such end.
        let mut progress = sent(2);
        hear(&mut progress, 2, conflict);
        assert!(!progress.ended_in_conflict());
    }

    #[test]
    fn servers_and_buckets_without_it_are_told() {
        for (text, refused) in [
            (
                r#"{"error":{"code":400,"err_code":10205,"description":"batch publish is disabled"},"seq":0}"#,
                true,
            ),
            // A server that knows nothing of it acknowledges each message.
            (r#"{"stream":"KV_b","seq":5}"#, true),
            (
                r#"{"error":{"code":400,"err_code":10208,"description":"batch publish ID unknown"},"seq":0}"#,
                false,
            ),
            (
                r#"{"error":{"code":429,"err_code":10211,"description":"too many inflight"},"seq":0}"#,
                false,
            ),
        ] {
            let mut progress = sent(2);
            hear(&mut progress, 1, text);
            assert_eq!(progress.is_refused(), refused, "{text}");
            assert!(matches!(progress.failure(), Some(Failure::Transient(_))));
            assert_eq!(answers(progress, 2), []);
        }
    }
}
