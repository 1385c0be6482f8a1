//! Made-up data, for masking: `fake.first_name()`.
//!
//! The data are those of the crate `fake`, under the names of Python's Faker. With a seed, the same
//! input gives the same output; which one, is not the same as in Python.

mod functions;
mod texts;

pub(super) use functions::FUNCTIONS;

use fake::rand::rngs::ChaCha8Rng;
use fake::rand::{RngExt, SeedableRng};
use md5::digest::Digest as _;
use serde_json::Value as Setting;

use texts::{Kind, Locale, locale};

/// What the setting `faker_config` says.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakeSettings {
    seed: Option<String>,
    locales: Vec<Locale>,
}

/// A source of made-up data.
#[derive(Debug)]
pub(crate) struct Faker {
    random: ChaCha8Rng,
    locales: Vec<Locale>,
}

impl FakeSettings {
    /// Reads the setting. The error says what is wrong with it.
    pub(crate) fn parse(members: &serde_json::Map<String, Setting>) -> Result<Self, String> {
        let mut settings = Self::default();
        for (name, value) in members {
            match (name.as_str(), value) {
                (_, Setting::Null) => {}
                ("seed", Setting::String(_) | Setting::Number(_)) => {
                    settings.seed = Some(value.to_string());
                }
                ("seed", _) => return Err("seed must be a number or text".to_owned()),
                ("locale", Setting::String(one)) => settings.locales.push(locale(one)?),
                ("locale", Setting::Array(several)) => {
                    for one in several {
                        let one = one.as_str().ok_or("locale must be text or a list of it")?;
                        settings.locales.push(locale(one)?);
                    }
                }
                ("locale", _) => return Err("locale must be text or a list of it".to_owned()),
                _ => return Err(format!("there is no '{name}'; there are seed and locale")),
            }
        }
        Ok(settings)
    }
}

impl Faker {
    /// One that gives the same data each time, if a seed is set.
    pub(crate) fn new(settings: &FakeSettings) -> Self {
        let random = match &settings.seed {
            Some(seed) => seeded(seed),
            None => fake::rand::make_rng(),
        };
        let mut locales = settings.locales.clone();
        if locales.is_empty() {
            locales.push(Locale::EN);
        }
        Self { random, locales }
    }

    /// A number from 0 up to but not including 1.
    pub(in crate::expression) fn fraction(&mut self) -> f64 {
        self.random.random()
    }

    fn below(&mut self, end: usize) -> usize {
        (self.fraction() * end as f64) as usize
    }

    /// From `least` up to and including `most`.
    fn between(&mut self, least: i64, most: i64) -> i64 {
        if most <= least {
            return least;
        }
        self.random.random_range(least..=most)
    }

    fn text(&mut self, kind: Kind) -> String {
        let locale = self.locales[self.random.random_range(0..self.locales.len())];
        texts::text(locale, kind, &mut self.random)
    }

    /// `#` and `%` become digits, `?` letters.
    fn pattern(&mut self, pattern: &str, digits: bool, letters: bool) -> String {
        let mut fill = |c: char| match c {
            '#' if digits => char::from(b'0' + self.below(10) as u8),
            '%' if digits => char::from(b'1' + self.below(9) as u8),
            '?' if letters => char::from(b'a' + self.below(26) as u8),
            other => other,
        };
        pattern.chars().map(&mut fill).collect()
    }
}

fn seeded(seed: &str) -> ChaCha8Rng {
    ChaCha8Rng::from_seed(sha2::Sha256::digest(seed.as_bytes()).into())
}
