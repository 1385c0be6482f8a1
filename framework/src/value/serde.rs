//! Values in any format that serde speaks: an encoder is a serializer and a deserializer.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Error as _, Serialize, SerializeMap, SerializeSeq, Serializer};

use super::parse::MAX_DEPTH;
use super::{BigNumbers, Fitted, Number, Tape, Value, ValueKind};

/// A value to be serialized, with a rule for the numbers that 64 bits cannot hold.
///
/// ```
/// # use singer_target::value::{BigNumbers, Tape};
/// let mut tape = Tape::new();
/// tape.parse(br#"{"id":1,"huge":123456789012345678901234567890}"#).unwrap();
/// let value = tape.root().unwrap().with_big_numbers(BigNumbers::String);
/// let json = serde_json::to_string(&value).unwrap();
/// assert_eq!(json, r#"{"id":1,"huge":"123456789012345678901234567890"}"#);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct WithBigNumbers<'a> {
    value: Value<'a>,
    policy: BigNumbers,
}

impl<'a> Value<'a> {
    /// The value with a rule for the numbers that 64 bits cannot hold, for any serde serializer.
    #[must_use]
    pub fn with_big_numbers(self, policy: BigNumbers) -> WithBigNumbers<'a> {
        WithBigNumbers {
            value: self,
            policy,
        }
    }
}

impl Value<'_> {
    /// A JSON pointer to the first number that 64 bits cannot hold without rounding.
    #[must_use]
    pub fn pointer_to_big_number(self) -> Option<String> {
        match self.kind() {
            ValueKind::Number => {
                let exact = self.as_number().and_then(Number::exact);
                exact.is_none().then(String::new)
            }
            ValueKind::Array => (0..).zip(self.elements()).find_map(|(index, element)| {
                let rest = element.pointer_to_big_number()?;
                Some(format!("/{index}{rest}"))
            }),
            ValueKind::Object => self.members().find_map(|(name, member)| {
                let rest = member.pointer_to_big_number()?;
                Some(format!(
                    "/{}{rest}",
                    name.replace('~', "~0").replace('/', "~1")
                ))
            }),
            _ => None,
        }
    }
}

impl Serialize for WithBigNumbers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { value, policy } = *self;
        match value.kind() {
            ValueKind::Null => serializer.serialize_unit(),
            ValueKind::Bool => serializer.serialize_bool(value.as_bool() == Some(true)),
            ValueKind::String => serializer.serialize_str(value.as_str().unwrap_or_default()),
            ValueKind::Number => match value.as_number() {
                Some(number) => serialize_number(number, policy, serializer),
                None => serializer.serialize_unit(),
            },
            ValueKind::Array => {
                let mut array = serializer.serialize_seq(Some(value.elements().count()))?;
                for element in value.elements() {
                    array.serialize_element(&element.with_big_numbers(policy))?;
                }
                array.end()
            }
            ValueKind::Object => {
                let mut object = serializer.serialize_map(Some(value.members().count()))?;
                for (name, member) in value.members() {
                    object.serialize_entry(name, &member.with_big_numbers(policy))?;
                }
                object.end()
            }
        }
    }
}

fn serialize_number<S: Serializer>(
    number: Number<'_>,
    policy: BigNumbers,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match number.fitted(policy).map_err(S::Error::custom)? {
        Fitted::Unsigned(value) => serializer.serialize_u64(value),
        Fitted::Signed(value) => serializer.serialize_i64(value),
        Fitted::Float(value) => serializer.serialize_f64(value),
        Fitted::Text(digits) => serializer.serialize_str(digits),
    }
}

impl Tape {
    /// Replaces the contents with the one value that `deserializer` yields.
    ///
    /// # Errors
    /// What the deserializer reports, values that JSON does not have (bytes that are not UTF-8, NaN
    /// and infinities, members whose names are not strings), and values that nest deeper than 128
    /// levels. The tape is then empty.
    pub fn read<'de, D: Deserializer<'de>>(&mut self, deserializer: D) -> Result<(), D::Error> {
        self.clear();
        let filler = Filler {
            tape: self,
            depth: 0,
        };
        let result = filler.deserialize(deserializer);
        if result.is_err() {
            self.clear();
        }
        result
    }
}

/// Any value that JSON has, in any format: see [`Tape::read`] for what it has not.
///
/// ```
/// # use singer_target::value::Tape;
/// let tape: Tape = toml::from_str("id = 1").unwrap();
/// assert_eq!(tape.root().unwrap().to_json(), r#"{"id":1}"#);
/// ```
impl<'de> Deserialize<'de> for Tape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut tape = Self::new();
        tape.read(deserializer)?;
        Ok(tape)
    }
}

/// Appends one value to the tape.
struct Filler<'t> {
    tape: &'t mut Tape,
    /// How many arrays and objects it lies in.
    depth: usize,
}

impl Filler<'_> {
    /// The depth of what lies in this value.
    fn deeper<E: serde::de::Error>(&self) -> Result<usize, E> {
        // What is read must be such that it can be read again once it was written.
        if self.depth == MAX_DEPTH {
            return Err(E::custom(format!("nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(self.depth + 1)
    }
}

impl<'de> DeserializeSeed<'de> for Filler<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Filler<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON has")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.tape.push_null();
        Ok(())
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.tape.push_bool(value);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.tape.push_number(&value.to_string());
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.tape.push_number(&value.to_string());
        Ok(())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        if !value.is_finite() {
            return Err(E::custom("JSON has no NaN and no infinity"));
        }
        self.tape.push_number(&format!("{value:?}"));
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.tape.push_str(value);
        Ok(())
    }

    fn visit_bytes<E: serde::de::Error>(self, value: &[u8]) -> Result<(), E> {
        match std::str::from_utf8(value) {
            Ok(value) => self.visit_str(value),
            Err(_) => Err(E::custom("bytes that are not UTF-8")),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let depth = self.deeper()?;
        let open = self.tape.open_array();
        let mut first = true;
        while seq
            .next_element_seed(Element {
                tape: self.tape,
                depth,
                first: &mut first,
            })?
            .is_some()
        {}
        self.tape.close_array(open);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let depth = self.deeper()?;
        let open = self.tape.open_object();
        let mut first = true;
        while map
            .next_key_seed(Name {
                tape: self.tape,
                first: &mut first,
            })?
            .is_some()
        {
            self.tape.colon();
            map.next_value_seed(Filler {
                tape: self.tape,
                depth,
            })?;
        }
        self.tape.close_object(open);
        Ok(())
    }
}

/// An element, with the comma before it: only once it is there, since its absence ends the array.
struct Element<'t> {
    tape: &'t mut Tape,
    depth: usize,
    first: &'t mut bool,
}

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.tape.separate(self.first);
        let Self { tape, depth, .. } = self;
        Filler { tape, depth }.deserialize(deserializer)
    }
}

/// The name of a member, with the comma before it.
struct Name<'t> {
    tape: &'t mut Tape,
    first: &'t mut bool,
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.tape.separate(self.first);
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string as the name of a member")
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.tape.push_str(value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_a_round_trip_through_serde() {
        let json = r#"{"a":[],"b":[1,-2,0.5,null,true],"c":{"d":{},"e":"x\n"},"[":"["}"#;
        let tape = Tape::parsed(json);
        let value = tape.value(0).with_big_numbers(BigNumbers::String);
        let through = serde_json::to_string(&value).expect("serializes");
        assert_eq!(through, json);
        let mut back = Tape::new();
        let content: serde::de::value::MapDeserializer<'_, _, serde::de::value::Error> =
            serde::de::value::MapDeserializer::new([("a", 1u64), ("b\n", 2)].into_iter());
        back.read(content).expect("reads");
        assert_eq!(back.value(0).to_json(), r#"{"a":1,"b\n":2}"#);
    }

    #[test]
    fn big_numbers_follow_the_policy() {
        let tape = Tape::parsed("[1e400]");
        let value = tape.value(0);
        assert_eq!(
            serde_json::to_string(&value.with_big_numbers(BigNumbers::String)).expect("a string"),
            r#"["1e400"]"#
        );
        assert!(serde_json::to_string(&value.with_big_numbers(BigNumbers::Error)).is_err());
        assert!(serde_json::to_string(&value.with_big_numbers(BigNumbers::Float)).is_err());
        let deep = Tape::parsed(r#"{"a":1,"b/c":[0.1,1e400]}"#);
        assert_eq!(
            deep.value(0).pointer_to_big_number().as_deref(),
            Some("/b~1c/1")
        );
        assert_eq!(
            Tape::parsed("[1,0.5]").value(0).pointer_to_big_number(),
            None
        );
    }
}
