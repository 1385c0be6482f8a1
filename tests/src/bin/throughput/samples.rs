//! Figures of repeated measurements: machines are noisy, so medians are shown.

/// What was measured in each round of one thing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn push(&mut self, figure: f64) {
        self.0.push(figure);
    }

    /// The figure in the middle.
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    }

    /// The least and the greatest of the quotients with what was measured in the same rounds.
    pub(crate) fn spread_over(&self, base: &Self) -> (f64, f64) {
        let quotients = self.0.iter().zip(&base.0).map(|(own, base)| own / base);
        quotients.fold((f64::INFINITY, 0.0), |(least, greatest), quotient| {
            (quotient.min(least), quotient.max(greatest))
        })
    }
}

impl FromIterator<f64> for Samples {
    fn from_iter<I: IntoIterator<Item = f64>>(figures: I) -> Self {
        Self(figures.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_quotients() {
        let samples: Samples = [3.0, 1.0, 20.0].into_iter().collect();
        assert_eq!(samples.median(), 3.0);
        let base: Samples = [1.0, 2.0, 10.0].into_iter().collect();
        assert_eq!(samples.spread_over(&base), (0.5, 3.0));
    }
}
