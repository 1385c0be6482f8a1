//! Whether conflicts are so rare that conditional writes may go together. Pure.
//!
//! One conflict ends a batch of fast ingest, and what is behind it is sent again. So after one,
//! rounds have an ack for each write, until enough of them had no conflict. How many are enough
//! doubles when the next conflict comes soon, and halves when it comes late.

/// After the first conflict, and at least.
const FEW: u32 = 16;
/// At most.
const MANY: u32 = 1024;
/// So many times the rounds that were enough are late.
const LATE: u32 = 8;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Calm {
    /// Rounds since the last conflict.
    rounds: u32,
    /// How many it takes.
    needed: u32,
}

impl Calm {
    pub(super) fn is_enough(&self) -> bool {
        self.rounds >= self.needed
    }

    /// A round of conditional writes has ended.
    pub(super) fn note(&mut self, had_conflicts: bool) {
        if !had_conflicts {
            self.rounds = self.rounds.saturating_add(1);
            return;
        }
        // What comes while nobody relies on it says nothing of how long to wait.
        if self.is_enough() {
            let is_late = self.rounds >= self.needed.saturating_mul(LATE);
            let needed = if is_late {
                self.needed / 2
            } else {
                self.needed * 2
            };
            self.needed = needed.clamp(FEW, MANY);
        }
        self.rounds = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(calm: &mut Calm, rounds: u32) -> bool {
        (0..rounds).for_each(|_| calm.note(false));
        calm.is_enough()
    }

    #[test]
    fn a_conflict_is_followed_by_a_while_without() {
        let mut calm = Calm::default();
        assert!(pass(&mut calm, 0));
        calm.note(true);
        assert!(!pass(&mut calm, FEW - 1));
        calm.note(true);
        assert!(!pass(&mut calm, FEW - 1));
        assert!(pass(&mut calm, 1));
        calm.note(true);
        assert!(!pass(&mut calm, 2 * FEW - 1));
        // Each as soon as it is relied on.
        for _ in 0..20 {
            while !calm.is_enough() {
                calm.note(false);
            }
            calm.note(true);
        }
        assert!(!pass(&mut calm, MANY - 1));
        for needed in [MANY / 2, MANY / 4] {
            assert!(pass(&mut calm, LATE * MANY));
            calm.note(true);
            assert!(!pass(&mut calm, needed - 1));
            assert!(pass(&mut calm, 1));
        }
    }
}
