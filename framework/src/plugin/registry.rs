//! What is linked into a binary: sorted, without duplicates, and loud about what is absent.

use super::{EncoderEntry, Encoders, SinkEntry};
use crate::config::{
    ConfigError, FlatteningSettings, MapSettings, MetricsSettings, Section, Settings,
    SettingsSchema, TargetSettings, VersionSettings, dead_letter_rule,
};

/// All plugins that are linked into the binary, sorted by name.
pub(crate) struct Registry {
    pub(crate) sinks: Vec<SinkEntry>,
    pub(crate) encoders: Vec<EncoderEntry>,
}

/// Why the plugins of a binary cannot be used. A fault of the binary, not of its user.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum RegistryError {
    /// No plugin of that name is linked.
    #[error(
        "this binary has no {kind} '{name}' (it has: {known}); a crate of plugins must be named in \
         the code to be linked: `use the_crate as _;`"
    )]
    Missing {
        /// `sink` or `encoder`.
        kind: &'static str,
        /// The name that was asked for.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// Two plugins have the same name.
    #[error("this binary has two {kind}s with the name '{name}'")]
    Duplicate {
        /// `sink` or `encoder`.
        kind: &'static str,
        /// The name that both have.
        name: &'static str,
    },
}

impl Registry {
    /// Collects what is linked.
    ///
    /// # Errors
    /// If two plugins of a kind share a name.
    pub(crate) fn linked() -> Result<Self, RegistryError> {
        Self::new(
            inventory::iter::<SinkEntry>.into_iter().copied(),
            inventory::iter::<EncoderEntry>.into_iter().copied(),
        )
    }

    fn new(
        sinks: impl Iterator<Item = SinkEntry>,
        encoders: impl Iterator<Item = EncoderEntry>,
    ) -> Result<Self, RegistryError> {
        let mut registry = Self {
            sinks: sinks.collect(),
            encoders: encoders.collect(),
        };
        registry.sinks.sort_by_key(|entry| entry.name);
        registry.encoders.sort_by_key(|entry| entry.name);
        refuse_duplicates("sink", registry.sinks.iter().map(|entry| entry.name))?;
        refuse_duplicates("encoder", registry.encoders.iter().map(|entry| entry.name))?;
        Ok(registry)
    }

    /// The sink of that name.
    ///
    /// # Errors
    /// If it is not linked.
    pub(crate) fn sink(&self, name: &str) -> Result<SinkEntry, RegistryError> {
        self.sinks
            .iter()
            .find(|entry| entry.name == name)
            .copied()
            .ok_or_else(|| {
                let known: Vec<_> = self.sink_names().collect();
                let known = if known.is_empty() {
                    "none".to_owned()
                } else {
                    known.join(", ")
                };
                RegistryError::Missing {
                    kind: "sink",
                    name: name.to_owned(),
                    known,
                }
            })
    }

    /// The names of all sinks, sorted.
    pub(crate) fn sink_names(&self) -> impl Iterator<Item = &'static str> {
        self.sinks.iter().map(|entry| entry.name)
    }

    /// All settings of a target with this sink.
    pub(crate) fn settings_schema(&self, sink: SinkEntry) -> Result<SettingsSchema, ConfigError> {
        let mut sections = vec![
            Section::of::<TargetSettings>("Target"),
            Section::of::<MapSettings>("Stream maps"),
            Section::of::<FlatteningSettings>("Flattening"),
            Section::of::<MetricsSettings>("Metrics"),
        ];
        if sink.activates_versions {
            sections.push(Section::of::<VersionSettings>("Table versions"));
        }
        sections.push(sink.section);
        sections.extend(self.encoders.iter().map(|encoder| encoder.section));
        let schema = SettingsSchema::new(&sections)?;
        Ok(schema.with_rule(dead_letter_rule(sink.dead_letter_setting)))
    }

    pub(crate) fn build_encoders(&self, settings: &Settings) -> Result<Encoders, ConfigError> {
        self.encoders
            .iter()
            .map(|entry| Ok((entry.name, (entry.build)(settings)?)))
            .collect()
    }
}

fn refuse_duplicates(
    kind: &'static str,
    sorted: impl Iterator<Item = &'static str>,
) -> Result<(), RegistryError> {
    let mut previous = None;
    for name in sorted {
        if previous == Some(name) {
            return Err(RegistryError::Duplicate { kind, name });
        }
        previous = Some(name);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;

    use super::*;
    use crate::{Batch, Report, Sink, SinkContext, SinkError, SinkPlugin};

    struct Nowhere;

    impl Sink for Nowhere {
        async fn write(&self, batch: &Batch) -> Result<Report, SinkError> {
            Ok(Report::all_written(batch))
        }
    }

    impl SinkPlugin for Nowhere {
        const NAME: &'static str = "nowhere";
        const DESCRIPTION: &'static str = "Drops records";
        type Config = NoSettings;
        type Sink = Self;

        async fn open(_: NoSettings, _: SinkContext) -> Result<Self, SinkError> {
            Ok(Self)
        }
    }

    #[derive(serde::Deserialize, JsonSchema)]
    struct NoSettings {}

    #[test]
    fn an_absent_sink_is_a_loud_error() {
        let empty = Registry::new(std::iter::empty(), std::iter::empty()).expect("no duplicates");
        let error = empty.sink("nats-kv").err().expect("absent").to_string();
        assert!(
            error.contains("no sink 'nats-kv' (it has: none)"),
            "{error}"
        );
        assert!(error.contains("use the_crate as _"), "{error}");
        let one = SinkEntry::of::<Nowhere>();
        let registry = Registry::new([one].into_iter(), std::iter::empty()).expect("one");
        assert!(registry.sink("nowhere").is_ok());
        assert!(
            registry
                .sink("other")
                .err()
                .expect("absent")
                .to_string()
                .contains("it has: nowhere")
        );
    }

    #[test]
    fn two_plugins_with_one_name_are_refused() {
        let entry = SinkEntry::of::<Nowhere>();
        let error = Registry::new([entry, entry].into_iter(), std::iter::empty()).err();
        assert_eq!(
            error,
            Some(RegistryError::Duplicate {
                kind: "sink",
                name: "nowhere"
            })
        );
    }

    #[test]
    fn what_a_sink_offers_is_what_it_was_registered_with() {
        let entry = SinkEntry::of::<Nowhere>();
        assert!(entry.check.is_none() && entry.discover.is_none());
        assert_eq!((entry.crate_name)(), "singer_target");
    }
}
