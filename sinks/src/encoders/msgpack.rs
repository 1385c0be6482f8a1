//! MessagePack: smaller than JSON and quicker to read; decimals are 64-bit floats.
//!
//! Integers take their smallest form. What 64 bits cannot hold is never rounded unasked: see
//! [`MessagePackConfig::msgpack_big_numbers`].

use rmp::encode;
use rmp_serde::decode::Error;
use schemars::JsonSchema;
use serde::Deserialize;
use singer_target::BoxError;
use singer_target::Encoder;
use singer_target::value::{BigNumbers, Fitted, Number, Tape, Value, ValueKind};
use singer_target::{EncoderEntry, EncoderPlugin};

inventory::submit! { EncoderEntry::of::<MessagePack>() }

/// The encoder `msgpack`.
#[derive(Debug, Clone, Copy)]
pub struct MessagePack {
    big_numbers: BigNumbers,
}

/// The settings of MessagePack.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct MessagePackConfig {
    /// What to do with a number that MessagePack cannot hold without rounding: an integer beyond
    /// 64 bits, or a decimal with more digits than a 64-bit float keeps. `string` writes its
    /// digits as a string, `error` treats the record as invalid, `float` writes the nearest float.
    #[serde(default)]
    pub msgpack_big_numbers: BigNumbers,
}

impl EncoderPlugin for MessagePack {
    const NAME: &'static str = "msgpack";
    const DESCRIPTION: &'static str =
        "MessagePack: integers in their smallest form, decimals as 64-bit floats";
    type Config = MessagePackConfig;
    type Encoder = Self;

    fn build(config: MessagePackConfig) -> Self {
        Self {
            big_numbers: config.msgpack_big_numbers,
        }
    }
}

impl MessagePack {
    /// Appends a value. By serde it would take a quarter more, most of it for strings.
    fn write(self, value: Value<'_>, out: &mut Vec<u8>) -> Result<(), BoxError> {
        match value.kind() {
            ValueKind::Null => encode::write_nil(out)?,
            ValueKind::Bool => encode::write_bool(out, value.as_bool() == Some(true))?,
            ValueKind::Number => match value.as_number() {
                Some(number) => self.write_number(number, out)?,
                None => encode::write_nil(out)?,
            },
            ValueKind::String => encode::write_str(out, value.as_str().unwrap_or_default())?,
            ValueKind::Array => {
                encode::write_array_len(out, u32::try_from(value.elements().count())?)?;
                for element in value.elements() {
                    self.write(element, out)?;
                }
            }
            ValueKind::Object => {
                encode::write_map_len(out, u32::try_from(value.members().count())?)?;
                for (name, member) in value.members() {
                    encode::write_str(out, name)?;
                    self.write(member, out)?;
                }
            }
        }
        Ok(())
    }

    fn write_number(self, number: Number<'_>, out: &mut Vec<u8>) -> Result<(), BoxError> {
        match number.fitted(self.big_numbers)? {
            Fitted::Unsigned(value) => drop(encode::write_uint(out, value)?),
            Fitted::Signed(value) => drop(encode::write_sint(out, value)?),
            Fitted::Float(value) => encode::write_f64(out, value)?,
            Fitted::Text(digits) => encode::write_str(out, digits)?,
        }
        Ok(())
    }
}

impl Encoder for MessagePack {
    fn content_type(&self) -> &'static str {
        "application/msgpack"
    }

    fn encode(&self, record: Value<'_>, out: &mut Vec<u8>) -> Result<(), BoxError> {
        let before = out.len();
        self.write(record, out).map_err(|error| {
            out.truncate(before);
            match record.pointer_to_big_number() {
                Some(at) => format!("at {at}: {error} (setting msgpack_big_numbers)").into(),
                None => error,
            }
        })
    }

    fn decode(&self, bytes: &[u8], into: &mut Tape) -> Result<(), BoxError> {
        let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes);
        into.read(&mut deserializer)?;
        // At the end, there is no marker of whatever should follow.
        if let Err(Error::InvalidMarkerRead(_)) = <()>::deserialize(&mut deserializer) {
            return Ok(());
        }
        into.clear();
        Err("more bytes follow the value".into())
    }

    /// The markers of a map with up to 15, 2^16 and 2^32 members.
    fn recognises(&self, bytes: &[u8]) -> bool {
        matches!(bytes.first(), Some(0x80..=0x8f | 0xde | 0xdf))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoders::Json;

    fn encode(json: &str, big_numbers: BigNumbers) -> Result<Vec<u8>, BoxError> {
        let mut tape = Tape::new();
        tape.parse(json.as_bytes()).expect("JSON");
        let mut out = Vec::new();
        MessagePack { big_numbers }.encode(tape.root().expect("a value"), &mut out)?;
        Ok(out)
    }

    fn decoded(bytes: &[u8]) -> Result<String, BoxError> {
        let mut tape = Tape::new();
        let result = MessagePack::build(MessagePackConfig::default()).decode(bytes, &mut tape);
        assert_eq!(result.is_err(), tape.root().is_none());
        result.map(|()| tape.root().expect("a value").to_json())
    }

    /// Found by fuzzing: what nests deeper than JSON may could be read, but not again once it was
    /// written as JSON.
    #[test]
    fn nesting_is_bounded_as_in_json() {
        let nested = |depth: usize| [vec![0x91; depth - 1], vec![0x90]].concat();
        let json = decoded(&nested(128)).expect("it is read");
        Tape::new()
            .parse(json.as_bytes())
            .expect("it is read again");
        let error = decoded(&nested(129)).expect_err("too deep").to_string();
        assert!(error.contains("128 levels"), "{error}");
    }

    #[test]
    fn integers_are_small_and_decimals_floats() {
        let bytes = encode(
            r#"{"a":1,"b":-1,"c":200,"d":1.0,"e":-129,"f":18446744073709551615}"#,
            BigNumbers::Error,
        )
        .expect("encodes");
        let mut expected = b"\x86\xa1a\x01\xa1b\xff\xa1c\xcc\xc8\xa1d\xcb".to_vec();
        expected.extend(1f64.to_be_bytes());
        expected.extend(b"\xa1e\xd1\xff\x7f\xa1f\xcf\xff\xff\xff\xff\xff\xff\xff\xff");
        assert_eq!(bytes, expected);
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        for json in [
            "{}",
            r#"{"a":[1,2.5,-3,"ü\n",true,false,null,{}],"b":{"c":[]},"d":1.0,"e":0.1}"#,
            r#"{"long":"0123456789012345678901234567890123456789"}"#,
        ] {
            let bytes = encode(json, BigNumbers::Error).expect("encodes");
            assert!(
                MessagePack {
                    big_numbers: BigNumbers::Error
                }
                .recognises(&bytes)
            );
            assert!(!Json.recognises(&bytes));
            assert_eq!(decoded(&bytes).expect("decodes"), json);
        }
    }

    #[test]
    fn big_numbers_follow_the_setting() {
        for big in ["1e400", "0.1234567890123456789", "1180591620717411303424"] {
            let json = format!(r#"{{"n":{big}}}"#);
            assert!(encode(&json, BigNumbers::Error).is_err());
            let text = decoded(&encode(&json, BigNumbers::String).expect("encodes"));
            assert_eq!(text.expect("decodes"), format!(r#"{{"n":"{big}"}}"#));
        }
        let float =
            decoded(&encode(r#"{"n":0.1234567890123456789}"#, BigNumbers::Float).expect("encodes"));
        assert_eq!(float.expect("decodes"), r#"{"n":0.12345678901234568}"#);
        assert!(encode(r#"{"n":1e400}"#, BigNumbers::Float).is_err());
    }

    #[test]
    fn a_refused_record_leaves_no_bytes() {
        let mut tape = Tape::new();
        tape.parse(br#"{"a":1,"n":1e400}"#).expect("JSON");
        let mut out = b"kept".to_vec();
        let encoder = MessagePack {
            big_numbers: BigNumbers::Error,
        };
        assert!(
            encoder
                .encode(tape.root().expect("a value"), &mut out)
                .is_err()
        );
        assert_eq!(out, b"kept");
    }

    #[test]
    fn bytes_that_are_not_one_record_are_errors() {
        for broken in [
            &b""[..],
            b"\x81",
            b"\x81\xa1a",
            b"\x80\x80",
            b"\x80\xc0",
            b"\x80\xc1",
            b"\x80\x91",
            b"\x81\x01\x01",
            b"\x81\xa1a\xcb\x7f\xf0\0\0\0\0\0\0",
            b"\x81\xa1a\xc1",
            b"\x81\xa1a\xc4\x01\xff",
        ] {
            assert!(decoded(broken).is_err(), "{broken:?}");
        }
    }
}
