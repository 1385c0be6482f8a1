//! What a target is and can be told: settings, capabilities and plugins.
//!
//! Everything here is rendered from the settings schema and the registered plugins, so it lists
//! what works and nothing else. The settings page of the documentation is the Markdown form.

mod json;
mod markdown;
mod meltano;
mod text;

use crate::config::SettingsSchema;
use crate::manifest::BatchFiles;

/// What a target is called.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TargetInfo {
    /// The name of the executable: `target-nats-kv`. Environment variables begin with it.
    pub(crate) name: &'static str,
    /// The version of the executable.
    pub(crate) version: &'static str,
    /// One sentence on what it does.
    pub(crate) description: &'static str,
}

/// A plugin that is compiled in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PluginInfo {
    /// What it is for: `sink`, `encoder`.
    pub(crate) kind: &'static str,
    /// The name by which it is chosen.
    pub(crate) name: &'static str,
    /// One sentence on what it does.
    pub(crate) description: &'static str,
}

/// All there is to tell about a target.
#[derive(Debug, Clone)]
pub(crate) struct About<'a> {
    /// What it is called.
    pub(crate) target: TargetInfo,
    /// Its settings.
    pub(crate) schema: &'a SettingsSchema,
    /// The names that the Meltano SDK has for what it can do.
    pub(crate) capabilities: Vec<&'static str>,
    /// Which files of BATCH messages it reads.
    pub(crate) batch: BatchFiles,
    /// The sinks and encoders in it.
    pub(crate) plugins: Vec<PluginInfo>,
}

/// How to tell it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For reading in a terminal
    #[default]
    Text,
    /// As the Meltano SDK writes it, with the settings as a JSON Schema
    Json,
    /// The settings page
    Markdown,
    /// A plugin definition for `meltano add --from-ref`
    Meltano,
}

impl About<'_> {
    /// The whole text, ending with a newline.
    #[must_use]
    pub(crate) fn render(&self, format: Format) -> String {
        match format {
            Format::Text => text::render(self),
            Format::Json => json::render(self),
            Format::Markdown => markdown::render(self),
            Format::Meltano => meltano::render(self),
        }
    }
}

#[cfg(test)]
mod tests;
