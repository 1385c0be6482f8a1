//! The streams that are open.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use singer_target::{SinkError, Stream};

use super::lock;
use super::write::StreamRules;

/// By its name, what a run has for each stream.
pub(super) struct Streams<T>(Mutex<HashMap<String, Arc<T>>>);

impl<T> Default for Streams<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: AsRef<StreamRules>> Streams<T> {
    /// Opens a stream, or opens it again.
    ///
    /// # Errors
    /// Another open stream may have the same keys.
    pub(super) fn open(&self, stream: &Stream, opened: T) -> Result<(), SinkError> {
        let rules = opened.as_ref();
        let mut streams = lock(&self.0);
        for (name, other) in streams.iter() {
            let other = (**other).as_ref();
            if name != stream.name()
                && other.subject_prefix == rules.subject_prefix
                && other.keys.may_meet(&rules.keys)
            {
                return Err(SinkError::permanent(format!(
                    "its records may have the same keys as those of the stream '{name}'; give each \
                     stream a bucket of its own with {{stream}} in the setting 'bucket'"
                )));
            }
        }
        streams.insert(stream.name().to_owned(), Arc::new(opened));
        Ok(())
    }

    /// A stream that was opened.
    pub(super) fn get(&self, stream: &Stream) -> Result<Arc<T>, SinkError> {
        let name = stream.name();
        lock(&self.0).get(name).cloned().ok_or_else(|| {
            SinkError::permanent(format!("stream '{name}' was used before it was opened"))
        })
    }
}
