//! JSON text to a tape, in one pass.
//!
//! Most lines are compact JSON already, so their text goes to the tape as it is: one copy for each
//! run of text without white space and escapes, one node for each value in it.
//!
//! Strict where Singer's Python is lax: no NaN, no lone surrogates, no trailing text. Errors name a
//! place, never the text found there, since that may be somebody's data.

use super::Tape;
use super::build::{Kind, Names, Open};
use super::escape::unescape;
use super::scan::end_of_plain;

/// Deeper JSON is refused: validators and sinks recurse. The same limit as `serde_json`'s.
pub(super) const MAX_DEPTH: usize = 128;

/// JSON puts no bound on an exponent; past this many digits two numbers could not be compared.
const MAX_EXPONENT_DIGITS: usize = 15;

/// Longer numbers are refused: what validators do with them takes time by the square of their
/// length.
const MAX_NUMBER_BYTES: usize = 4_300;

/// Why a text is not JSON. It never quotes the text, and so may be logged.
///
/// ```
/// # use singer_target::value::Tape;
/// let error = Tape::new().parse(br#"{"id": secret}"#).unwrap_err();
/// assert_eq!(error.column, 8);
/// assert!(!error.to_string().contains("secret"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not valid JSON at column {column}: {problem}")]
pub struct ParseError {
    /// The byte where it was noticed, counted from 1.
    pub column: usize,
    /// What was expected or is not allowed.
    pub problem: String,
}

impl Tape {
    /// Replaces the contents with the one JSON value that `json` holds.
    ///
    /// # Errors
    /// If `json` is not exactly one JSON value in UTF-8, nests deeper than 128 levels or has a
    /// number of more than 4,300 characters or with an exponent of more than 15 digits. The tape is
    /// then empty.
    pub fn parse(&mut self, json: &[u8]) -> Result<(), ParseError> {
        self.clear();
        let parsed = text_of(json).and_then(|text| Parser::new(self, text).document());
        if parsed.is_err() {
            self.clear();
        }
        parsed.map_err(|fault| *fault)
    }

    #[cfg(test)]
    pub(crate) fn parsed(json: &str) -> Self {
        let mut tape = Self::new();
        tape.parse(json.as_bytes()).expect("valid JSON");
        tape
    }
}

/// Boxed, so that success costs no more than a register.
type Fault = Box<ParseError>;

impl ParseError {
    #[cold]
    fn at(index: usize, problem: impl Into<String>) -> Fault {
        Box::new(Self {
            column: index + 1,
            problem: problem.into(),
        })
    }
}

fn text_of(json: &[u8]) -> Result<&str, Fault> {
    simdutf8::basic::from_utf8(json).or_else(|_| {
        // Only this one tells where.
        std::str::from_utf8(json).map_err(|error| ParseError::at(error.valid_up_to(), "not UTF-8"))
    })
}

/// What [`Parser::peek`] finds behind the text. It stands nowhere in JSON.
const END: u8 = 0;

struct Parser<'t, 'j> {
    tape: &'t mut Tape,
    text: &'j str,
    /// The next byte to look at.
    at: usize,
    /// The text before this byte is on the tape, so far as it belongs there.
    copied: usize,
    /// From a byte that is not copied yet to its place on the tape; may wrap around.
    shift: usize,
}

impl<'t, 'j> Parser<'t, 'j> {
    /// The tape must be empty.
    fn new(tape: &'t mut Tape, text: &'j str) -> Self {
        Self {
            tape,
            text,
            at: 0,
            copied: 0,
            shift: 0,
        }
    }

    fn document(mut self) -> Result<(), Fault> {
        self.skip_space();
        self.value(0)?;
        self.copy(self.at);
        self.skip_space();
        if self.at < self.text.len() {
            return Err(self.error("text behind the value"));
        }
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<(), Fault> {
        match self.peek() {
            b'"' => self.string().map(drop),
            b'{' => self.object(depth + 1),
            b'[' => self.array(depth + 1),
            b'-' | b'0'..=b'9' => self.number(),
            b'n' => self.literal("null", Kind::Null),
            b't' => self.literal("true", Kind::True),
            b'f' => self.literal("false", Kind::False),
            _ => Err(self.expected("a value")),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), Fault> {
        let open = self.open(Kind::Object, depth)?;
        let mut names = Names::default();
        if self.peek() != b'}' {
            loop {
                if self.peek() != b'"' {
                    return Err(self.expected("a name in double quotes"));
                }
                let start = self.at + 1;
                if self.string()? {
                    names.add(&self.text.as_bytes()[start..self.at - 1]);
                } else {
                    names.suspect();
                }
                self.skip_space();
                if !self.take(b':') {
                    return Err(self.expected("':'"));
                }
                self.skip_space();
                self.value(depth)?;
                if !self.another() {
                    break;
                }
            }
        }
        self.close(b'}')?;
        if names.may_repeat() {
            self.copy(self.at - 1);
            self.tape.close_object(open);
            self.go_on();
        } else {
            self.tape.close_at(open, self.place(self.at));
        }
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<(), Fault> {
        let open = self.open(Kind::Array, depth)?;
        if self.peek() != b']' {
            loop {
                self.value(depth)?;
                if !self.another() {
                    break;
                }
            }
        }
        self.close(b']')?;
        self.tape.close_at(open, self.place(self.at));
        Ok(())
    }

    fn open(&mut self, kind: Kind, depth: usize) -> Result<Open, Fault> {
        if depth > MAX_DEPTH {
            return Err(self.error(format!("nested deeper than {MAX_DEPTH} levels")));
        }
        let open = self.tape.open_at(kind, self.place(self.at));
        self.at += 1;
        self.skip_space();
        Ok(open)
    }

    /// Whether there is another member or element, and moves to it.
    fn another(&mut self) -> bool {
        self.skip_space();
        let more = self.take(b',');
        self.skip_space();
        more
    }

    fn close(&mut self, bracket: u8) -> Result<(), Fault> {
        if self.take(bracket) {
            return Ok(());
        }
        Err(self.expected(&format!("',' or '{}'", char::from(bracket))))
    }

    /// Whether the string has no escape.
    #[inline(always)]
    fn string(&mut self) -> Result<bool, Fault> {
        let start = self.at + 1;
        let end = end_of_plain(self.text.as_bytes(), start);
        if self.byte(end) != b'"' {
            return self.escaped_string(start, end).map(|()| false);
        }
        self.push(Kind::String, start, end);
        self.at = end + 1;
        Ok(true)
    }

    /// A string that begins at `start` and has an escape, or what is no string, at `at`.
    fn escaped_string(&mut self, start: usize, mut at: usize) -> Result<(), Fault> {
        self.copy(self.at);
        let first = self.tape.unescaped.len();
        let mut plain = start;
        loop {
            self.tape.unescaped.push_str(&self.text[plain..at]);
            if at == self.text.len() {
                return Err(ParseError::at(at, "the text ends within a string"));
            }
            match self.byte(at) {
                b'"' => break,
                b'\\' => {
                    let (character, length) = unescape(&self.text.as_bytes()[at..])
                        .map_err(|problem| ParseError::at(at, problem))?;
                    self.tape.unescaped.push(character);
                    plain = at + length;
                    at = end_of_plain(self.text.as_bytes(), plain);
                }
                _ => return Err(ParseError::at(at, "control character in a string")),
            }
        }
        self.tape.push_unescaped(first);
        self.at = at + 1;
        self.go_on();
        Ok(())
    }

    fn number(&mut self) -> Result<(), Fault> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        let exponent = self.at;
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.digits()?;
            if self.at - exponent > MAX_EXPONENT_DIGITS {
                let problem = "number with an exponent of more than 15 digits";
                return Err(ParseError::at(start, problem));
            }
        }
        if self.at - start > MAX_NUMBER_BYTES {
            let problem = format!("number of more than {MAX_NUMBER_BYTES} characters");
            return Err(ParseError::at(start, problem));
        }
        self.push(Kind::Number, start, self.at);
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return Err(self.expected("a digit"));
        }
        self.at += digits;
        Ok(())
    }

    fn literal(&mut self, literal: &str, kind: Kind) -> Result<(), Fault> {
        if !self.text.as_bytes()[self.at..].starts_with(literal.as_bytes()) {
            return Err(self.expected("a value"));
        }
        let end = self.at + literal.len();
        self.push(kind, self.at, end);
        self.at = end;
        Ok(())
    }

    /// Adds the node of a value that has no others in it.
    fn push(&mut self, kind: Kind, start: usize, end: usize) {
        self.tape.push(kind, self.place(start)..self.place(end));
    }

    /// Where the byte at `index`, which is not copied yet, will be on the tape.
    fn place(&self, index: usize) -> usize {
        index.wrapping_add(self.shift)
    }

    /// Copies the text up to `end`.
    fn copy(&mut self, end: usize) {
        self.tape.text.push_str(&self.text[self.copied..end]);
        self.copied = end;
    }

    /// What comes next stands behind what the tape has: the text up to there was copied, or is left
    /// out.
    fn go_on(&mut self) {
        self.copied = self.at;
        self.shift = self.tape.text.len().wrapping_sub(self.copied);
    }

    /// Leaves out white space.
    fn skip_space(&mut self) {
        // Nearly all of JSON's bytes are greater.
        if self.peek() <= b' ' && is_space(self.peek()) {
            self.leave_out_space();
        }
    }

    #[cold]
    fn leave_out_space(&mut self) {
        self.copy(self.at);
        while is_space(self.peek()) {
            self.at += 1;
        }
        self.go_on();
    }

    /// The byte at `index`; [`END`] behind the text.
    fn byte(&self, index: usize) -> u8 {
        self.text.as_bytes().get(index).copied().unwrap_or(END)
    }

    fn peek(&self) -> u8 {
        self.byte(self.at)
    }

    /// Moves behind `byte`, if it comes next.
    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == byte;
        self.at += usize::from(found);
        found
    }

    #[cold]
    fn error(&self, problem: impl Into<String>) -> Fault {
        ParseError::at(self.at, problem)
    }

    #[cold]
    fn expected(&self, what: &str) -> Fault {
        if self.at < self.text.len() {
            self.error(format!("expected {what}"))
        } else {
            self.error(format!("the text ends where {what} is expected"))
        }
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::value::Value;

    fn error(json: &[u8]) -> ParseError {
        let mut tape = Tape::new();
        let error = tape.parse(json).expect_err("must be refused");
        assert!(tape.root().is_none());
        error
    }

    #[test]
    fn text_comes_back_compact_and_exact() {
        for (given, compact) in [
            (
                r#" { "a" : [ 1.10 , -0 , 1E+400, 123456789012345678901234567890 ] } "#,
                r#"{"a":[1.10,-0,1E+400,123456789012345678901234567890]}"#,
            ),
            (r#""\u00e9\u0041\/""#, r#""éA/""#),
            (r#""\ud83d\ude00""#, r#""😀""#),
            (r#""\u0000\n\t\"\\\u001f""#, r#""\u0000\n\t\"\\\u001f""#),
            ("[]", "[]"),
            ("{}", "{}"),
            (r#"{"":{"":""}}"#, r#"{"":{"":""}}"#),
        ] {
            assert_eq!(Tape::parsed(given).value(0).to_json(), compact, "{given}");
        }
    }

    #[test]
    fn bad_json_is_refused_without_repeating_it() {
        for json in [
            "",
            " ",
            "nul",
            "01",
            "1.",
            ".5",
            "+1",
            "1e",
            "-",
            "[1,]",
            "{\"a\":1,}",
            "{\"a\"}",
            "[1 2]",
            "NaN",
            "Infinity",
            "-Infinity",
            "\"secret",
            "\"\\ud800\"",
            "\"\\udc00\"",
            "\"\\ud800\\u0041\"",
            "\"\\x\"",
            "\"a\nb\"",
            "{} {}",
            "{'a':1}",
            "tru",
            "1e1234567890123456",
        ] {
            let message = error(json.as_bytes()).to_string();
            assert!(!message.contains("secret"), "{message}");
        }
        error(b"\"\xff\"");
        error(b"\"\xc3\"");
        error(b"{\"\xff\":1}");
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        Tape::parsed(&nested(MAX_DEPTH));
        assert!(
            error(nested(MAX_DEPTH + 1).as_bytes())
                .problem
                .contains("128")
        );
        error("[".repeat(1_000_000).as_bytes());
    }

    #[test]
    fn strings_end_where_they_end_whatever_their_length() {
        for length in 0..40 {
            for (last, text) in [("x", "x"), ("ü", "ü"), ("\u{7f}", "\u{7f}"), ("\n", "\\n")] {
                let plain = "é".repeat(length % 3) + &"a".repeat(length);
                let json = format!("[\"{plain}{text}\",\"{plain}\"]");
                let tape = Tape::parsed(&json);
                let mut elements = tape.value(0).elements().filter_map(Value::as_str);
                assert_eq!(elements.next(), Some(&*format!("{plain}{last}")), "{json}");
                assert_eq!(elements.next(), Some(&*plain), "{json}");
                assert_eq!(tape.value(0).to_json(), json);
            }
        }
    }

    /// JSON and what is nearly JSON: a value, written with white space and escapes, then spoilt.
    fn texts() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just("{".to_owned()),
            Just("}".to_owned()),
            Just("[".to_owned()),
            Just("]".to_owned()),
            "[,: \t\n]",
            "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})?",
            "(true|false|null)",
            r#""([a-z\u{80}-\u{1f600}]|\\[\\"/bfnrtu]|\\u[0-9a-f]{4}|\\ud8[0-9a-f]{2}\\udc[0-9a-f]{2}){0,12}""#,
        ];
        let scalar = prop_oneof![
            piece.clone(),
            any::<u8>().prop_map(|byte| char::from(byte).to_string()),
        ];
        let value = scalar.prop_recursive(4, 40, 6, |inner| {
            let space = "[ \n]{0,2}";
            let name = r#""([ab]|\\u006[1-3]|\\n){0,2}""#;
            prop_oneof![
                (prop::collection::vec((inner.clone(), space), 0..5)).prop_map(|all| {
                    let all: Vec<_> = all.into_iter().map(|(a, b)| a + &b).collect();
                    format!("[{}]", all.join(","))
                }),
                prop::collection::vec((name, space, inner), 0..5).prop_map(|all| {
                    let all: Vec<_> = all
                        .into_iter()
                        .map(|(name, space, value)| format!("{name}{space}:{space}{value}{space}"))
                        .collect();
                    format!("{{{}}}", all.join(","))
                }),
            ]
        });
        let spoilt = prop::option::weighted(0.2, (any::<prop::sample::Index>(), any::<u8>()));
        (value, spoilt).prop_map(|(text, spoilt)| {
            let mut bytes = text.into_bytes();
            if let Some((at, byte)) = spoilt
                && !bytes.is_empty()
            {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn what_serde_json_takes_is_taken_and_means_the_same(json in texts()) {
            let mut tape = Tape::new();
            let expected = serde_json::from_slice::<serde_json::Value>(&json);
            match tape.parse(&json) {
                Err(error) => prop_assert!(expected.is_err(), "{error}"),
                Ok(()) => {
                    let found = tape.value(0).to_json();
                    prop_assert_eq!(Some(serde_json::from_str(&found).expect("JSON")), expected.ok());
                    // The text is compact: another parse changes nothing.
                    prop_assert_eq!(Tape::parsed(&found).value(0).to_json(), found);
                }
            }
        }
    }
}
