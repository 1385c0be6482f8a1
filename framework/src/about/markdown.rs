//! The settings page.

use super::About;
use super::text::push;
use crate::config::{SectionDocs, Setting};

pub(super) fn render(about: &About<'_>) -> String {
    let name = about.target.name;
    let mut out = String::new();
    push(
        &mut out,
        format_args!(
            "# Settings of {name}\n\n\
             <!-- Made by `{name} about --format markdown` from the doc comments of the settings. \
             Do not edit. -->\n\n\
             {}\n\n\
             A setting is given in a configuration file (`--config FILE`; JSON, or YAML or TOML by \
             its extension; of several files the later wins), or in its environment variable, which \
             wins over the files. Variables are also read from `.env` in the working directory. A \
             null, and an empty variable, mean \"not set\". A list or an object in a variable is \
             written as JSON; a list of simple values may also be separated by commas.\n",
            about.target.description
        ),
    );
    if !about.capabilities.is_empty() {
        let capabilities: Vec<_> = about
            .capabilities
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        push(
            &mut out,
            format_args!("\nCapabilities: {}.\n", capabilities.join(", ")),
        );
    }
    if !about.plugins.is_empty() {
        out.push_str("\n| Plugin | Name | |\n|---|---|---|\n");
        for plugin in &about.plugins {
            push(
                &mut out,
                format_args!(
                    "| {} | `{}` | {} |\n",
                    plugin.kind,
                    plugin.name,
                    cell(plugin.description)
                ),
            );
        }
    }
    for section in about.schema.sections() {
        let settings: Vec<_> = about
            .schema
            .settings()
            .filter(|setting| setting.section == section.title)
            .collect();
        if !settings.is_empty() {
            write_section(&mut out, section, &settings, name);
        }
    }
    out
}

/// A heading, a table to find a setting in, then each setting.
fn write_section(
    out: &mut String,
    section: &SectionDocs,
    settings: &[&Setting],
    target_name: &str,
) {
    push(out, format_args!("\n## {}\n", section.title));
    if !section.description.is_empty() {
        push(out, format_args!("\n{}\n", section.description));
    }
    out.push_str("\n| Setting | Default | |\n|---|---|---|\n");
    for setting in settings {
        push(
            out,
            format_args!(
                "| [`{name}`](#{name}) | {} | {} |\n",
                default(setting),
                cell(first_sentence(setting.description())),
                name = setting.name,
            ),
        );
    }
    for setting in settings {
        write_setting(out, setting, target_name);
    }
}

fn write_setting(out: &mut String, setting: &Setting, target_name: &str) {
    push(out, format_args!("\n### `{}`\n", setting.name));
    if !setting.description().is_empty() {
        push(out, format_args!("\n{}\n", setting.description()));
    }
    let choices = setting.choices();
    if !choices.is_empty() {
        out.push_str("\n| Value | Meaning |\n|---|---|\n");
        for choice in &choices {
            push(
                out,
                format_args!("| `{}` | {} |\n", choice.value, cell(&choice.description)),
            );
        }
    }
    out.push('\n');
    if choices.is_empty() {
        push(out, format_args!("- Allowed: {}\n", setting.allowed()));
    }
    match setting.default() {
        None if setting.required => out.push_str("- Required\n"),
        _ => push(out, format_args!("- Default: {}\n", default(setting))),
    }
    for example in setting.schema()["examples"]
        .as_array()
        .into_iter()
        .flatten()
    {
        push(out, format_args!("- Example: `{example}`\n"));
    }
    push(
        out,
        format_args!("- Environment: `{}`\n", setting.variable(target_name)),
    );
    let fallbacks: Vec<_> = setting
        .fallback_variables()
        .map(|name| format!("`{name}`"))
        .collect();
    if !fallbacks.is_empty() {
        push(
            out,
            format_args!("- If it is not set: {}\n", fallbacks.join(", ")),
        );
    }
    if setting.is_secret() {
        out.push_str("- Secret: never shown in logs or messages\n");
    }
}

fn default(setting: &Setting) -> String {
    match setting.default() {
        Some(default) => format!("`{default}`"),
        None if setting.required => "required".to_owned(),
        None => "not set".to_owned(),
    }
}

fn first_sentence(text: &str) -> &str {
    let paragraph = text.split("\n").next().unwrap_or_default();
    paragraph
        .find(". ")
        .map_or(paragraph, |end| &paragraph[..=end])
}

/// Text that does not break a table.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}
