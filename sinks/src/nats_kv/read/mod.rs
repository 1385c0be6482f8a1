//! Reading what a bucket holds under many keys at once.
//!
//! Three ways, the quickest that the server and the bucket allow: a batched direct get (some 1,000
//! keys a request), single direct gets, or gets at the leader.
//!
//! A direct get may be answered by a replica or a mirror that lags behind. What is written for it is
//! safe, by compare-and-set; but a record that is *not* written, since an outdated value looks as
//! new, would be lost. So the leader is asked first how far the bucket is, and an answer of somebody
//! who is not as far does not count.

mod ahead;
mod found;
mod wanted;

pub(super) use ahead::{Ahead, CONSUMER, Manner, Witness};
pub(super) use found::{Content, Found, content};

use std::time::Duration;

use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{LastRawMessageErrorKind, Stream};
use async_nats::{Client, Message, Request, RequestErrorKind, StatusCode};
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use serde::Deserialize;

use super::connect::Patience;
use super::error::{ApiError, Failure};
use super::scan::{Of, Scan};
use ahead::Position;
use found::About;
use wanted::Wanted;

/// How keys are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// `multi_last`, from server 2.11, where the bucket has `allow_direct`.
    Batched,
    /// One direct get a key; where only the leader answers, since it does not say how far it is.
    Direct,
    /// One get a key at the leader.
    Leader,
}

/// Reads the keys of one bucket.
#[derive(Clone)]
pub(super) struct Reader {
    pub(super) client: Client,
    pub(super) stream: Stream<()>,
    pub(super) stream_name: String,
    /// `$JS.API`, or another prefix of the JetStream API.
    pub(super) api_prefix: String,
    /// `$KV.{bucket}.`
    pub(super) subject_prefix: String,
    pub(super) way: Way,
    pub(super) patience: Patience,
}

/// More keys are refused by the server.
const MAX_KEYS: usize = 1024;
/// Single gets under way at once.
const CONCURRENT_GETS: usize = 64;
/// A bound on a request's size, beside the server's `max_payload`.
const MAX_REQUEST_BYTES: usize = 256 * 1024;
/// How often others may answer who are behind the leader, before it is asked itself.
const ATTEMPTS: u32 = 4;
/// The first pause before the next attempt; it doubles.
const PAUSE: Duration = Duration::from_millis(1);
/// What a request has besides its keys.
const REQUEST_FRAME: usize = 32;

const BAD_REQUEST: u16 = 408;
const TOO_MANY_RESULTS: u16 = 413;
const END_OF_BATCH: u16 = 204;

/// How a batched get ended.
enum End {
    /// All was sent.
    Complete,
    /// The server stopped at its limit of pending bytes.
    More,
    /// The keys are too many for this server.
    TooMany,
    /// It was another server, and it lacks what the leader has.
    Behind,
}

impl Reader {
    /// The last revisions of `keys`, which must differ, in their order: not older than this call.
    pub(super) async fn last(&self, keys: &[&str]) -> Result<Vec<Option<Found>>, Failure> {
        let at_least = match self.way {
            Way::Batched if !keys.is_empty() => self.position().await?.last_revision,
            _ => 0,
        };
        self.last_since(keys, at_least).await
    }

    /// The same, not older than the bucket was at the revision `at_least`.
    async fn last_since(
        &self,
        keys: &[&str],
        at_least: u64,
    ) -> Result<Vec<Option<Found>>, Failure> {
        match self.way {
            Way::Batched => self.batched(keys, at_least).await,
            way => self.one_by_one(keys, way).await,
        }
    }

    /// The last revisions of `keys` as the leader has them.
    pub(super) async fn last_at_leader(
        &self,
        keys: &[&str],
    ) -> Result<Vec<Option<Found>>, Failure> {
        self.one_by_one(keys, Way::Leader).await
    }

    async fn one_by_one(&self, keys: &[&str], way: Way) -> Result<Vec<Option<Found>>, Failure> {
        let mut gets = Vec::with_capacity(keys.len());
        for key in keys {
            gets.push(async move {
                match way {
                    Way::Leader => self.at_leader(key).await,
                    Way::Direct | Way::Batched => self.direct(key).await,
                }
            });
        }
        stream::iter(gets)
            .buffered(CONCURRENT_GETS)
            .try_collect()
            .await
    }

    async fn batched(&self, keys: &[&str], at_least: u64) -> Result<Vec<Option<Found>>, Failure> {
        let mut found = Vec::with_capacity(keys.len());
        let mut most = MAX_KEYS;
        while found.len() < keys.len() {
            let start = found.len();
            let end = self.end_of_chunk(keys, start, most);
            match self.chunk(&keys[start..end], at_least).await? {
                Some(values) => found.extend(values),
                None if end - start == 1 => {
                    let why = "the server refuses to read even a single key".to_owned();
                    return Err(Failure::Permanent(why));
                }
                None => most = (end - start).div_ceil(2),
            }
        }
        Ok(found)
    }

    /// The values of keys for one request, as of the revision `at_least`; `None` if they are too
    /// many for the server.
    async fn chunk(
        &self,
        keys: &[&str],
        at_least: u64,
    ) -> Result<Option<Vec<Option<Found>>>, Failure> {
        for attempt in 0..ATTEMPTS {
            let mut found = vec![None; keys.len()];
            let mut wanted = Wanted::new(keys);
            loop {
                match self.multi_last(&mut wanted, &mut found, at_least).await? {
                    End::Complete => return Ok(Some(found)),
                    End::More if wanted.is_empty() => return Ok(Some(found)),
                    End::More => {}
                    End::TooMany => return Ok(None),
                    End::Behind => break,
                }
            }
            tokio::time::sleep(PAUSE * 2_u32.pow(attempt)).await;
        }
        self.last_at_leader(keys).await.map(Some)
    }

    fn end_of_chunk(&self, keys: &[&str], start: usize, most: usize) -> usize {
        const QUOTES_AND_COMMA: usize = 3;
        let mut bytes = 0;
        let limit = MAX_REQUEST_BYTES
            .min(self.client.max_payload())
            .saturating_sub(REQUEST_FRAME);
        let fit = keys[start..].iter().take(most).take_while(|key| {
            bytes += self.subject_prefix.len() + key.len() + QUOTES_AND_COMMA;
            bytes <= limit
        });
        start + fit.count().max(1)
    }

    /// Asks for the `wanted` keys, moves what comes to `found` and no longer wants it. Who answers
    /// must have got as far as the revision `at_least`.
    async fn multi_last(
        &self,
        wanted: &mut Wanted<'_>,
        found: &mut [Option<Found>],
        at_least: u64,
    ) -> Result<End, Failure> {
        let request = wanted.request(&self.subject_prefix);
        let name = &self.stream_name;
        let inbox = self.client.new_inbox();
        let mut replies = self
            .client
            .subscribe(inbox.clone())
            .await
            .map_err(|error| failed(&error))?;
        self.client
            .publish_with_reply(
                format!("{}.DIRECT.GET.{name}", self.api_prefix),
                inbox,
                request.into(),
            )
            .await
            .map_err(|error| failed(&error))?;
        loop {
            // A timer only where there is something to wait for.
            let reply = match replies.next().now_or_never() {
                Some(reply) => reply,
                None => {
                    let reply = self.patience.wait(replies.next()).await;
                    reply.ok_or_else(|| self.silence())?
                }
            };
            let reply =
                reply.ok_or_else(|| Failure::Transient("the connection was closed".to_owned()))?;
            match reply.status.map(|status| status.as_u16()) {
                None | Some(200) => {
                    let about = About::of(&reply);
                    let key = about
                        .subject
                        .and_then(|subject| subject.strip_prefix(self.subject_prefix.as_str()));
                    if let Some(index) = key.and_then(|key| wanted.take(key)) {
                        found[index] = Some(about.found(&reply)?);
                    }
                }
                Some(END_OF_BATCH) => {
                    let number = |name: &str| -> Option<u64> {
                        let headers = reply.headers.as_ref()?;
                        headers.get(name)?.as_str().parse().ok()
                    };
                    let is_behind = number("Nats-UpTo-Sequence").is_none_or(|it| it < at_least);
                    return Ok(match number("Nats-Num-Pending") {
                        _ if is_behind => End::Behind,
                        None | Some(0) => End::Complete,
                        Some(_) => End::More,
                    });
                }
                Some(404) => return Ok(End::Complete),
                Some(TOO_MANY_RESULTS) => return Ok(End::TooMany),
                Some(status) => return Err(unexpected(status, &reply)),
            }
        }
    }

    async fn direct(&self, key: &str) -> Result<Option<Found>, Failure> {
        let name = &self.stream_name;
        let subject = format!(
            "{}.DIRECT.GET.{name}.{}{key}",
            self.api_prefix, self.subject_prefix
        );
        let reply = self.request(subject).await?;
        match reply.status.map(|status| status.as_u16()) {
            None | Some(200) => About::of(&reply).found(&reply).map(Some),
            Some(404) => Ok(None),
            Some(status) => Err(unexpected(status, &reply)),
        }
    }

    async fn at_leader(&self, key: &str) -> Result<Option<Found>, Failure> {
        let subject = format!("{}{key}", self.subject_prefix);
        let answer = self
            .patience
            .wait(last_message(&self.stream, &subject))
            .await;
        let message = answer.ok_or_else(|| self.silence())??;
        Ok(message.map(|message| Found {
            revision: message.sequence,
            content: content(Some(&message.headers), message.payload),
        }))
    }

    /// Where the bucket's stream is by now, as its leader knows it.
    async fn position(&self) -> Result<Position, Failure> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Answer {
            Error { error: ApiError },
            Info { created: String, state: State },
        }
        #[derive(Deserialize)]
        struct State {
            last_seq: u64,
            messages: u64,
        }
        let subject = format!("{}.STREAM.INFO.{}", self.api_prefix, self.stream_name);
        let reply = self.request(subject).await?;
        match serde_json::from_slice(&reply.payload).map_err(|error| failed(&error))? {
            Answer::Error { error } => Err(error.meaning()),
            Answer::Info { created, state } => Ok(Position {
                created,
                last_revision: state.last_seq,
                messages: state.messages,
            }),
        }
    }

    /// Begins a pass over the keys that `filter` matches.
    pub(super) async fn scan(&self, filter: &str) -> Result<Scan, Failure> {
        Scan::open(
            &self.stream,
            &self.client,
            format!("{}{filter}", self.subject_prefix),
            self.subject_prefix.clone(),
            self.patience.clone(),
            Of::Values,
        )
        .await
    }

    async fn request(&self, subject: String) -> Result<Message, Failure> {
        let request = Request::new().timeout(Some(self.patience.limit()));
        let asked = self.client.send_request(subject, request);
        let answer = self.patience.wait(asked).await;
        let answer = answer.ok_or_else(|| self.silence())?;
        answer.map_err(|error| match error.kind() {
            RequestErrorKind::NoResponders => Failure::NoBucket,
            RequestErrorKind::TimedOut => self.silence(),
            _ => failed(&error),
        })
    }

    fn silence(&self) -> Failure {
        let seconds = self.patience.silence().as_secs();
        Failure::Transient(format!(
            "the server did not answer a read within {seconds} s"
        ))
    }
}

/// The last message on `subject`, as the leader has it.
pub(super) async fn last_message(
    stream: &Stream<()>,
    subject: &str,
) -> Result<Option<StreamMessage>, Failure> {
    match stream.get_last_raw_message_by_subject(subject).await {
        Ok(message) => Ok(Some(message)),
        Err(error) => match error.kind() {
            LastRawMessageErrorKind::NoMessageFound => Ok(None),
            LastRawMessageErrorKind::JetStream(error) => Err(ApiError::from(&error).meaning()),
            _ => Err(failed(&error)),
        },
    }
}

/// Not `Display` of the whole chain on purpose: subjects hold keys.
fn failed(error: &dyn std::error::Error) -> Failure {
    Failure::Transient(format!("reading the bucket failed: {error}"))
}

fn unexpected(status: u16, reply: &Message) -> Failure {
    if reply.status == Some(StatusCode::NO_RESPONDERS) {
        return Failure::NoBucket;
    }
    let description = reply.description.as_deref().unwrap_or_default();
    let why = format!("the server refused a read: {status} {description}");
    if status == BAD_REQUEST {
        Failure::Permanent(why)
    } else {
        Failure::Transient(why)
    }
}
