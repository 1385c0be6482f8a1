//! JSON text to a tape, on top of `jiter`, which finds the tokens.
//!
//! Strict where Singer's Python is lax: no NaN, no lone surrogates, no trailing text. Errors name a
//! place, never the text found there, since that may be somebody's data.

use jiter::{Jiter, JiterError, Peek};

use super::Tape;

/// Deeper JSON is refused: validators and sinks recurse. The same limit as `serde_json`'s.
const MAX_DEPTH: usize = 128;

/// JSON puts no bound on an exponent; past this many digits two numbers could not be compared.
const MAX_EXPONENT_DIGITS: usize = 15;

/// Why a text is not JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not valid JSON at column {column}: {problem}")]
pub struct ParseError {
    /// The byte where it was noticed, counted from 1.
    pub column: usize,
    /// What was expected or is not allowed.
    pub problem: String,
}

impl ParseError {
    fn new(index: usize, problem: impl Into<String>) -> Self {
        Self {
            column: index + 1,
            problem: problem.into(),
        }
    }
}

impl From<JiterError> for ParseError {
    fn from(error: JiterError) -> Self {
        Self::new(error.index, error.error_type.to_string())
    }
}

impl Tape {
    /// Replaces the contents with the one JSON value that `json` holds.
    ///
    /// # Errors
    /// If `json` is not exactly one JSON value in UTF-8, nests deeper than 128 levels or has a
    /// number with an exponent of more than 15 digits. The tape is then empty.
    pub fn parse(&mut self, json: &[u8]) -> Result<(), ParseError> {
        self.clear();
        let result = Parser {
            tape: self,
            json,
            jiter: Jiter::new(json),
        }
        .document();
        if result.is_err() {
            self.clear();
        }
        result
    }

    #[cfg(test)]
    pub(crate) fn parsed(json: &str) -> Self {
        let mut tape = Self::new();
        tape.parse(json.as_bytes()).expect("valid JSON");
        tape
    }
}

struct Parser<'t, 'j> {
    tape: &'t mut Tape,
    json: &'j [u8],
    jiter: Jiter<'j>,
}

impl Parser<'_, '_> {
    fn document(mut self) -> Result<(), ParseError> {
        let peek = self.jiter.peek()?;
        self.value(peek, 0)?;
        Ok(self.jiter.finish()?)
    }

    fn value(&mut self, peek: Peek, depth: usize) -> Result<(), ParseError> {
        match peek {
            Peek::String => {
                let string = self.jiter.known_str()?;
                push_str(self.tape, self.json, string);
            }
            Peek::Object => self.object(depth + 1)?,
            Peek::Array => self.array(depth + 1)?,
            Peek::True | Peek::False => {
                let value = self.jiter.known_bool(peek)?;
                self.tape.push_bool(value);
            }
            Peek::Null => {
                self.jiter.known_null()?;
                self.tape.push_null();
            }
            _ => self.number(peek)?,
        }
        Ok(())
    }

    fn number(&mut self, peek: Peek) -> Result<(), ParseError> {
        let start = self.jiter.current_index();
        let bytes = self.jiter.known_number_bytes(peek)?;
        let text =
            std::str::from_utf8(bytes).map_err(|_| ParseError::new(start, "invalid number"))?;
        if let Some(exponent) = text.find(['e', 'E'])
            && text.len() - exponent > MAX_EXPONENT_DIGITS
        {
            return Err(ParseError::new(
                start,
                "number with an exponent of more than 15 digits",
            ));
        }
        self.tape.push_number(text);
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<(), ParseError> {
        self.check(depth)?;
        let open = self.tape.open_array();
        let mut first = true;
        let mut next = self.jiter.known_array()?;
        while let Some(peek) = next {
            self.tape.separate(&mut first);
            self.value(peek, depth)?;
            next = self.jiter.array_step()?;
        }
        self.tape.close_array(open);
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<(), ParseError> {
        self.check(depth)?;
        let open = self.tape.open_object();
        let mut first = true;
        let mut next = self.jiter.known_object()?;
        while let Some(name) = next {
            self.tape.separate(&mut first);
            push_str(self.tape, self.json, name);
            self.tape.colon();
            let peek = self.jiter.peek()?;
            self.value(peek, depth)?;
            next = self.jiter.next_key()?;
        }
        self.tape.close_object(open);
        Ok(())
    }

    fn check(&self, depth: usize) -> Result<(), ParseError> {
        if depth > MAX_DEPTH {
            let problem = format!("nested deeper than {MAX_DEPTH} levels");
            return Err(ParseError::new(self.jiter.current_index(), problem));
        }
        Ok(())
    }
}

/// A string that still lies in the input had no escape in it, so it needs none now.
fn push_str(tape: &mut Tape, json: &[u8], string: &str) {
    if json.as_ptr_range().contains(&string.as_ptr()) {
        tape.push_plain_str(string);
    } else {
        tape.push_str(string);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
