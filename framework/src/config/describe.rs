//! A schema in words: what a setting may be, for messages and for the settings page.

use serde_json::Value;

use super::simplify;

/// What is allowed: `true or false`, `a whole number from 1 to 100000`, `one of a, b`.
pub(super) fn allowed(schema: &Value) -> String {
    let choices = simplify::choices(schema);
    if !choices.is_empty() {
        let values: Vec<_> = choices.into_iter().map(|choice| choice.value).collect();
        return format!("one of {}", values.join(", "));
    }
    for keyword in ["anyOf", "oneOf"] {
        if let Value::Array(alternatives) = &schema[keyword] {
            return any(alternatives.iter().map(allowed));
        }
    }
    let types = simplify::types(schema);
    if types.is_empty() {
        return "any value".to_owned();
    }
    any(types.iter().map(|name| of_type(name, schema)))
}

fn any(alternatives: impl Iterator<Item = String>) -> String {
    let alternatives: Vec<_> = alternatives.collect();
    alternatives.join(" or ")
}

fn of_type(name: &str, schema: &Value) -> String {
    match name {
        "boolean" => "true or false".to_owned(),
        "integer" => format!("a whole number{}", range(schema)),
        "number" => format!("a number{}", range(schema)),
        "string" => string(schema),
        "array" => match &schema["items"] {
            items @ Value::Object(_) => match plain(items) {
                Some(noun) => format!("a list of {noun}s"),
                None => format!("a list, each item {}", allowed(items)),
            },
            _ => "a list".to_owned(),
        },
        "object" => match &schema["additionalProperties"] {
            values @ Value::Object(_) => match plain(values) {
                Some(noun) => format!("an object of {noun}s"),
                None => format!("an object, each value {}", allowed(values)),
            },
            _ => "an object".to_owned(),
        },
        other => other.to_owned(),
    }
}

/// The noun of a type that anything may be said of.
fn plain(schema: &Value) -> Option<&'static str> {
    match allowed(schema).as_str() {
        "a string" => Some("string"),
        "a number" => Some("number"),
        "a whole number" => Some("whole number"),
        _ => None,
    }
}

fn range(schema: &Value) -> String {
    let bound = |keyword: &str| schema.get(keyword).filter(|bound| bound.is_number());
    let above = bound("exclusiveMinimum");
    match (bound("minimum"), bound("maximum")) {
        (Some(low), Some(high)) => format!(" from {low} to {high}"),
        (Some(low), None) => format!(", {low} or more"),
        (None, Some(high)) => match above {
            Some(low) => format!(" above {low}, {high} at most"),
            None => format!(", {high} or less"),
        },
        (None, None) => above.map_or_else(String::new, |low| format!(" above {low}")),
    }
}

fn string(schema: &Value) -> String {
    let noun = match schema["format"].as_str() {
        Some("file-path") => "the path of a file",
        Some("date") => "a date",
        Some("date-time") => "a date and time",
        Some("uri") => "a URL",
        _ => "a string",
    };
    let length = match (schema["minLength"].as_u64(), schema["maxLength"].as_u64()) {
        (Some(1), None) => " that is not empty".to_owned(),
        (Some(low), None) => format!(" of at least {low} characters"),
        (None, Some(high)) => format!(" of at most {high} characters"),
        (Some(low), Some(high)) => format!(" of {low} to {high} characters"),
        (None, None) => String::new(),
    };
    let pattern = match schema["pattern"].as_str() {
        Some(pattern) => format!(" that matches {pattern}"),
        None => String::new(),
    };
    format!("{noun}{length}{pattern}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::allowed;

    #[test]
    fn says_what_is_allowed() {
        let cases = [
            (json!({"type": "boolean"}), "true or false"),
            (
                json!({"type": "integer", "minimum": 1, "maximum": 9}),
                "a whole number from 1 to 9",
            ),
            (
                json!({"type": "number", "minimum": 0}),
                "a number, 0 or more",
            ),
            (
                json!({"type": "number", "exclusiveMinimum": 0}),
                "a number above 0",
            ),
            (json!({"type": "string", "enum": ["a", "b"]}), "one of a, b"),
            (
                json!({"type": "string", "minLength": 1}),
                "a string that is not empty",
            ),
            (
                json!({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
                "a string or a list of strings",
            ),
        ];
        for (schema, words) in cases {
            assert_eq!(allowed(&schema), words, "{schema}");
        }
    }
}
