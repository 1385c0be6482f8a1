//! The keys of the Python target: `str()` of each key value, `:` replaced, joined with `-`.

use singer_target::value::{Number, Value, ValueKind};

/// Appends `str(value)` as Python writes it, with `_` for each `:`.
pub(super) fn push_part(value: Value<'_>, out: &mut String) -> Result<(), &'static str> {
    match value.kind() {
        ValueKind::Null => out.push_str("None"),
        ValueKind::Bool if value.as_bool() == Some(true) => out.push_str("True"),
        ValueKind::Bool => out.push_str("False"),
        ValueKind::Number => {
            if let Some(number) = value.as_number() {
                push_number(number, out);
            }
        }
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            out.extend(text.chars().map(|c| if c == ':' { '_' } else { c }));
        }
        // Python writes brackets and spaces, which no key may hold.
        ValueKind::Array => return Err("is an array, which the legacy key format cannot hold"),
        ValueKind::Object => return Err("is an object, which the legacy key format cannot hold"),
    }
    Ok(())
}

/// Python read integers as `int`, and every other number as `Decimal`.
fn push_number(number: Number<'_>, out: &mut String) {
    match number.as_str() {
        "-0" => out.push('0'),
        text if number.is_written_as_integer() => out.push_str(text),
        text => push_decimal(text, out),
    }
}

/// Python's `str(Decimal(text))`: all digits are kept, and an exponent is written if it is positive
/// or the number less than 1e-6.
pub(super) fn push_decimal(text: &str, out: &mut String) {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i64 = exponent
        .parse()
        .expect("the reader refuses exponents of more than 15 digits");
    let unsigned = mantissa.trim_start_matches('-');
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = format!("{whole}{fraction}");
    let digits = match digits.trim_start_matches('0') {
        "" => "0",
        significant => significant,
    };
    let exponent = exponent - fraction.len() as i64;
    // How many digits stand before the point if no exponent is written.
    let leading = exponent + digits.len() as i64;
    let scientific = exponent > 0 || leading <= -6;
    let point = if scientific { 1 } else { leading };
    if unsigned.len() < mantissa.len() {
        out.push('-');
    }
    if point <= 0 {
        out.push_str("0.");
        out.extend((point..0).map(|_| '0'));
        out.push_str(digits);
    } else {
        let (before, after) = digits.split_at(digits.len().min(point as usize));
        out.push_str(before);
        if !after.is_empty() {
            out.push('.');
            out.push_str(after);
        }
    }
    if scientific {
        out.push_str(&format!("E{:+}", leading - point));
    }
}

/// Whether the Python target's client would have taken `key`, and its server stored it.
pub(super) fn check(key: &str) -> Result<(), String> {
    if !super::is_legal(key) {
        return Err(
            "its key has a character that keys cannot hold: key_format 'escaped' can store it"
                .to_owned(),
        );
    }
    if key.starts_with('.') || key.ends_with('.') || key.contains("..") {
        return Err(
            "its key has an empty part: key_format 'escaped' can store all but empty values"
                .to_owned(),
        );
    }
    Ok(())
}
