//! Our values as an instance representation of the `jsonschema` crate, so that a record is
//! validated where it lies, without a second tree of it.

use std::borrow::Cow;

use jsonschema::json::{Array, Json, JsonNumber, Node, NodeIdentity, Object};
use jsonschema::types::JsonType;
use serde_json::Value as JsonValue;

use crate::value::{Elements, Members, Number, Tape, Value, ValueKind};

/// The representation; a marker.
#[derive(Debug)]
pub(crate) struct TapeJson;

impl Json for TapeJson {
    type Node<'a> = Value<'a>;
    type PreparedKey = String;
    type StringBuffer = Tape;

    // A look-up walks the members, so one walk over all of them is as cheap as two look-ups.
    const KEYS_PER_LOOKUP: usize = 4;

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>(buffer: &mut Tape, string: &str, f: impl FnOnce(Value<'_>) -> T) -> T {
        f(buffer.set_string(string))
    }
}

impl<'a> Node<'a, TapeJson> for Value<'a> {
    type Object = ObjectNode<'a>;
    type Array = ArrayNode<'a>;
    type Number = Number<'a>;

    fn as_object(&self) -> Option<ObjectNode<'a>> {
        (self.kind() == ValueKind::Object).then_some(ObjectNode(*self))
    }

    fn as_array(&self) -> Option<ArrayNode<'a>> {
        (self.kind() == ValueKind::Array).then_some(ArrayNode(*self))
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        self.as_str().map(Cow::Borrowed)
    }

    fn as_number(&self) -> Option<Number<'a>> {
        Value::as_number(*self)
    }

    fn as_boolean(&self) -> Option<bool> {
        self.as_bool()
    }

    fn is_null(&self) -> bool {
        Value::is_null(*self)
    }

    fn is_number(&self) -> bool {
        self.kind() == ValueKind::Number
    }

    fn json_type(&self) -> JsonType {
        match self.kind() {
            ValueKind::Null => JsonType::Null,
            ValueKind::Bool => JsonType::Boolean,
            ValueKind::Number => JsonType::Number,
            ValueKind::String => JsonType::String,
            ValueKind::Array => JsonType::Array,
            ValueKind::Object => JsonType::Object,
        }
    }

    fn to_value(&self) -> Cow<'a, JsonValue> {
        // The text of a tape is JSON, and it nests no deeper than serde_json allows.
        Cow::Owned(serde_json::from_str(&self.to_json()).unwrap_or(JsonValue::Null))
    }

    fn identity(&self) -> Option<NodeIdentity> {
        let (tape, at) = self.address();
        Some(NodeIdentity::tagged(tape, at))
    }
}

/// An object that is validated.
pub(crate) struct ObjectNode<'a>(Value<'a>);

impl<'a> Object<'a, TapeJson> for ObjectNode<'a> {
    type Node = Value<'a>;
    type MemberName = &'a str;
    type MembersIter = Members<'a>;

    fn len(&self) -> usize {
        self.0.members().count()
    }

    fn is_empty(&self) -> bool {
        self.0.members().next().is_none()
    }

    fn get(&self, key: &String) -> Option<Value<'a>> {
        self.0.get(key)
    }

    fn members(&self) -> Members<'a> {
        self.0.members()
    }
}

/// An array that is validated.
pub(crate) struct ArrayNode<'a>(Value<'a>);

impl<'a> Array<'a, TapeJson> for ArrayNode<'a> {
    type Node = Value<'a>;
    type ElementsIter = Elements<'a>;

    fn len(&self) -> usize {
        self.0.elements().count()
    }

    fn elements(&self) -> Elements<'a> {
        self.0.elements()
    }
}

impl JsonNumber for Number<'_> {
    fn as_u64(&self) -> Option<u64> {
        Number::as_u64(*self)
    }

    fn as_i64(&self) -> Option<i64> {
        Number::as_i64(*self)
    }

    fn as_f64(&self) -> Option<f64> {
        Number::as_f64(*self)
    }

    fn as_str(&self) -> Cow<'_, str> {
        Cow::Borrowed(Number::as_str(*self))
    }

    fn to_number(&self) -> Cow<'_, serde_json::Number> {
        Cow::Owned(serde_json::Number::from_string_unchecked(
            Number::as_str(*self).to_owned(),
        ))
    }

    fn is_integer(&self) -> bool {
        Number::is_integer(*self)
    }

    // Draft 4 takes `1.0` for no integer; every later draft and every tap's author does.
    fn is_written_as_integer(&self) -> bool {
        Number::is_integer(*self)
    }
}
