//! Work that stands for what a client must do for a record besides moving it.
//!
//! On two cores a client takes from the server what it computes itself. How much of the ceiling is
//! left to any client that computes for so long is measured by the raw client with a burden.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// So much work for each record, in turns of a loop; nothing by default.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Burden {
    turns: u64,
}

impl Burden {
    /// As much as takes `microseconds` where nothing else runs. Turns are counted and not time,
    /// since time passes also while the server has the core.
    pub(crate) fn of(microseconds: f64) -> Self {
        const TURNS: u64 = 1_000_000;
        let time = |_| {
            let start = Instant::now();
            work(TURNS);
            start.elapsed()
        };
        let quickest = (0..20).map(time).min().unwrap_or(Duration::MAX);
        let turns = microseconds / 1e6 / quickest.as_secs_f64() * TURNS as f64;
        Self {
            turns: turns as u64,
        }
    }

    /// Does it once.
    pub(crate) fn bear(self) {
        work(self.turns);
    }
}

fn work(turns: u64) {
    let mut state = 1_u64;
    for turn in 0..turns {
        state = black_box(state.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ turn);
    }
}
