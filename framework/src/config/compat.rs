//! Settings of the Meltano SDK that are not ours (yet).
//!
//! A project that moves from a Python target has them in its configuration. One that changes
//! nothing here is accepted; one that would change the data must not be ignored in silence. A
//! setting that a struct declares is never looked up here.

use serde_json::Value;

/// What may stand in a setting that is not implemented.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Accept {
    /// Anything: it has no effect on what is loaded.
    Anything,
    /// Nothing, false or empty, or one of these values, since they ask for what is done anyway.
    Off(&'static [&'static str]),
}

/// Each one the SDK offers to every target.
pub(crate) const SDK_SETTINGS: &[(&str, Accept)] = &[
    ("hard_delete", Accept::Off(&[])),
    ("load_method", Accept::Off(&["append-only", "upsert"])),
    // A BATCH message names its files and how they are written itself.
    ("batch_config", Accept::Anything),
    // Where a sink cannot delete, nothing is.
    ("process_activate_version_messages", Accept::Anything),
];

/// What the table says about this name. A leading underscore marks what Meltano keeps for itself.
pub(crate) fn lookup(name: &str) -> Option<Accept> {
    if name.starts_with('_') {
        return Some(Accept::Anything);
    }
    SDK_SETTINGS
        .iter()
        .find_map(|(known, accept)| (*known == name).then_some(*accept))
}

impl Accept {
    /// Why this value cannot be accepted, if it cannot.
    pub(crate) fn refusal(self, value: &Value) -> Option<String> {
        let Self::Off(harmless) = self else {
            return None;
        };
        let off = match value {
            Value::Null => true,
            Value::Bool(on) => !on,
            Value::String(text) => text.is_empty() || harmless.contains(&text.as_str()),
            Value::Array(items) => items.is_empty(),
            Value::Object(members) => members.is_empty(),
            Value::Number(_) => false,
        };
        if off {
            return None;
        }
        let mut message =
            "is not supported yet by this version, and ignoring it would change the data; remove it"
                .to_owned();
        if !harmless.is_empty() {
            message.push_str(" or use ");
            message.push_str(&harmless.join(" or "));
        }
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::lookup;

    #[test]
    fn refuses_only_what_would_change_the_data() {
        let refused = |name, value| {
            lookup(name)
                .expect("in the table")
                .refusal(&value)
                .is_some()
        };
        assert!(refused("hard_delete", json!(true)));
        assert!(refused("load_method", json!("overwrite")));
        for value in [json!(null), json!(false), json!(""), json!({}), json!([])] {
            assert!(!refused("hard_delete", value));
        }
        assert!(!refused("load_method", json!("upsert")));
        assert!(!refused("batch_config", json!({"encoding": {}})));
        assert!(!refused("_meltano", json!(1)));
        assert!(lookup("buckett").is_none());
    }
}
