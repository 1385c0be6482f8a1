//! Detects that two records of different source keys have the same legacy key.

use std::collections::HashMap;

use singer_target::value::Value;
use xxhash_rust::xxh3::Xxh3Default;

/// Keys that are remembered. Bounds the memory to some 18 MB; later keys are not watched.
const CAPACITY: usize = 900_000;

/// The legacy keys of a run, and what source keys they stand for.
#[derive(Debug, Default)]
pub(in super::super) struct Collisions {
    sources: HashMap<u64, u32>,
}

impl Collisions {
    /// Remembers that `key` stands for these values. Returns whether it stood for others before.
    pub(in super::super) fn collides<'a>(
        &mut self,
        key: &str,
        values: impl Iterator<Item = Value<'a>>,
    ) -> bool {
        let mut source = Xxh3Default::new();
        for value in values {
            match value.json_slice() {
                Some(text) => source.update(text.as_bytes()),
                None => source.update(value.to_json().as_bytes()),
            }
            source.update(b",");
        }
        // 32 of the bits are enough to tell a handful of sources of one key apart.
        let source = source.digest() as u32;
        let key = xxhash_rust::xxh3::xxh3_64(key.as_bytes());
        if let Some(known) = self.sources.get(&key) {
            return *known != source;
        }
        if self.sources.len() < CAPACITY {
            self.sources.insert(key, source);
        }
        false
    }
}
