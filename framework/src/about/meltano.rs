//! A plugin definition, as `meltano add --from-ref` reads it.
//!
//! It is YAML of which every scalar is written as JSON, which YAML contains: nothing needs to be
//! quoted by rules of our own.

use serde_json::{Value, json};

use super::About;
use super::text::push;
use crate::config::Setting;

pub(super) fn render(about: &About<'_>) -> String {
    let target = &about.target;
    let name = target.name;
    let mut out = String::new();
    push(
        &mut out,
        format_args!(
            "# Made by `{name} about --format meltano`. Install it in a Meltano project with\n\
             #   meltano add --plugin-type loader --from-ref THIS_FILE {name}\n"
        ),
    );
    let members = [
        ("name", json!(name)),
        ("namespace", json!(name.replace('-', "_"))),
        ("variant", json!("default")),
        ("label", json!(label(name.trim_start_matches("target-")))),
        ("description", json!(target.description)),
        ("pip_url", json!(format!("{name}=={}", target.version))),
        ("executable", json!(name)),
    ];
    for (key, value) in members {
        push(&mut out, format_args!("{key}: {value}\n"));
    }
    out.push_str("capabilities:\n");
    for capability in &about.capabilities {
        push(&mut out, format_args!("- {}\n", json!(capability)));
    }
    let required: Vec<_> = about.schema.required().collect();
    // One group: what has to be set together for the loader to work.
    push(
        &mut out,
        format_args!(
            "settings_group_validation:\n- {}\nsettings:\n",
            json!(required)
        ),
    );
    for setting in about.schema.settings() {
        write_setting(&mut out, setting);
    }
    out
}

fn write_setting(out: &mut String, setting: &Setting) {
    push(out, format_args!("- name: {}\n", json!(setting.name)));
    let mut member = |key: &str, value: Value| push(out, format_args!("  {key}: {value}\n"));
    member("label", label(&setting.name).into());
    member("kind", kind(setting).into());
    if !setting.description().is_empty() {
        member("description", setting.description().into());
    }
    if let Some(default) = setting.default() {
        // Meltano gives a value to the target as if the user had: then nothing else would count.
        let is_fallback = setting.fallback_variables().next().is_none();
        let key = if is_fallback { "value" } else { "placeholder" };
        member(key, default.clone());
    }
    if setting.is_secret() {
        member("sensitive", true.into());
    }
    let choices = setting.choices();
    if !choices.is_empty() {
        push(out, format_args!("  options:\n"));
        for choice in choices {
            push(
                out,
                format_args!(
                    "  - label: {}\n    value: {}\n",
                    json!(label(&choice.value)),
                    json!(choice.value)
                ),
            );
        }
    }
}

/// Meltano's word for the type.
///
/// It has none for a number with a fraction: its `decimal` crashes it, and `integer` cuts the
/// fraction off. As a `string` it is passed on as it was written, and where Meltano makes text of
/// it, it also sets the environment variable, which is read as a number and wins.
fn kind(setting: &Setting) -> &'static str {
    if !setting.choices().is_empty() {
        return "options";
    }
    let types = setting.types();
    let [only] = types.as_slice() else {
        return "string";
    };
    match (only.as_str(), setting.schema()["format"].as_str()) {
        ("boolean", _) => "boolean",
        ("integer", _) => "integer",
        ("array", _) => "array",
        ("object", _) => "object",
        (_, Some("file-path")) => "file",
        (_, Some("date" | "date-time")) => "date_iso8601",
        _ => "string",
    }
}

/// `tls_ca` as a person would write it: `TLS CA`.
fn label(name: &str) -> String {
    const ACRONYMS: &[&str] = &[
        "api", "ca", "id", "json", "jwt", "kv", "nats", "tls", "ttl", "url",
    ];
    let words: Vec<String> = name
        .split(['_', '-'])
        .map(|word| {
            if ACRONYMS.contains(&word) {
                return word.to_uppercase();
            }
            let mut letters = word.chars();
            letters
                .next()
                .map(|first| first.to_uppercase().collect::<String>() + letters.as_str())
                .unwrap_or_default()
        })
        .collect();
    words.join(" ")
}
