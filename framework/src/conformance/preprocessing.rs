//! The rule of preprocessing: the same record always becomes the same, and stays one of its key.

use super::fixtures::numbered_batch;
use super::held::Entry;
use super::trial::Trial;
use super::{Destination, Violation};
use crate::sink::Sink;
use crate::value::{Tape, ValueKind};

pub(super) async fn check<D: Destination>(trial: &Trial<'_, D>) -> Result<(), Violation> {
    if !D::Sink::PREPROCESSES {
        return Ok(());
    }
    let session = trial.open().await?;
    let (mut into, mut again) = (Tape::new(), Tape::new());
    for n in 1..=20 {
        let entry = Entry::new(format!("key-{n}"), n);
        let batch = numbered_batch(&session.stream, [(n, entry.to_json())]);
        let record = batch.record(0).value();
        let preprocess = |into: &mut Tape| -> Result<String, Violation> {
            // What another record has left must not matter.
            let changed = session.sink.preprocess(&session.stream, record, into);
            let changed = changed.map_err(|why| trial.broken(format!("it refuses one: {why}")))?;
            let record = if changed { into.root() } else { Some(record) };
            let record = record.filter(|it| it.kind() == ValueKind::Object);
            let record = record.ok_or_else(|| trial.broken("what it makes is not an object"))?;
            if record.get("id").is_none_or(|key| key.is_null()) {
                return Err(trial.broken("what it makes has no key"));
            }
            Ok(record.to_json())
        };
        if preprocess(&mut into)? != preprocess(&mut again)? {
            return Err(trial.broken("it makes something else of the same record"));
        }
    }
    Ok(())
}
