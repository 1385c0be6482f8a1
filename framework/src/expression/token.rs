//! From the text of an expression to its tokens.

use std::str::FromStr;

use num_bigint::BigInt;

use super::ExpressionError;

/// A token and the character it begins at, counted from 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) at: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    /// A name or a keyword.
    Word(String),
    Int(BigInt),
    Float(f64),
    Text(String),
    /// The inside of an `f'…'`, and whether its backslashes are escapes.
    Format {
        inside: String,
        raw: bool,
    },
    /// An operator or a bracket.
    Sign(&'static str),
    End,
}

/// The longer ones first.
const SIGNS: [&str; 38] = [
    "**=", "//=", "<<=", ">>=", "...", "**", "//", "<<", ">>", "<=", ">=", "==", "!=", ":=", "->",
    "+=", "-=", "*=", "/=", "%=", "+", "-", "*", "/", "%", "<", ">", "(", ")", "[", "]", "{", "}",
    ",", ":", ".", "=", "|",
];
const MORE_SIGNS: [&str; 5] = ["&", "^", "~", ";", "@"];

/// Longer numbers are not written by hand, and take long to read.
const LONGEST_NUMBER: usize = 4300;

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, ExpressionError> {
    let mut lexer = Lexer {
        rest: text,
        at: 1,
        tokens: Vec::new(),
    };
    while lexer.token()? {}
    Ok(lexer.tokens)
}

struct Lexer<'t> {
    rest: &'t str,
    at: usize,
    tokens: Vec<Token>,
}

impl<'t> Lexer<'t> {
    fn skip(&mut self, bytes: usize) -> &'t str {
        let (skipped, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        self.at += skipped.chars().count();
        skipped
    }

    fn push(&mut self, at: usize, kind: TokenKind) {
        self.tokens.push(Token { kind, at });
    }

    fn refuse<T>(&self, problem: impl Into<String>) -> Result<T, ExpressionError> {
        Err(ExpressionError::new(self.at, problem))
    }

    /// Reads one token; `false` at the end.
    fn token(&mut self) -> Result<bool, ExpressionError> {
        self.skip(self.rest.len() - self.rest.trim_start().len());
        let at = self.at;
        let Some(first) = self.rest.chars().next() else {
            self.push(at, TokenKind::End);
            return Ok(false);
        };
        let number = first.is_ascii_digit()
            || first == '.' && self.rest[1..].starts_with(|c: char| c.is_ascii_digit());
        if number {
            let kind = self.number()?;
            self.push(at, kind);
        } else if first == '_' || first.is_alphabetic() {
            self.word(at)?;
        } else if first == '\'' || first == '"' {
            let inside = self.quoted()?;
            let text = unescape(inside, at)?;
            self.push(at, TokenKind::Text(text));
        } else {
            let mut signs = SIGNS.iter().chain(&MORE_SIGNS);
            match signs.find(|sign| self.rest.starts_with(**sign)) {
                Some(sign) => {
                    self.skip(sign.len());
                    self.push(at, TokenKind::Sign(sign));
                }
                None => return self.refuse(format!("the character {first:?} means nothing here")),
            }
        }
        Ok(true)
    }

    /// A name, a keyword, or the prefix of a string.
    fn word(&mut self, at: usize) -> Result<(), ExpressionError> {
        let end = self
            .rest
            .find(|c: char| c != '_' && !c.is_alphanumeric())
            .unwrap_or(self.rest.len());
        let word = self.skip(end);
        if !self.rest.starts_with(['\'', '"']) {
            self.push(at, TokenKind::Word(word.to_owned()));
            return Ok(());
        }
        let kind = match word.to_lowercase().as_str() {
            "r" => TokenKind::Text(self.quoted()?.to_owned()),
            "u" => {
                let inside = self.quoted()?;
                TokenKind::Text(unescape(inside, at)?)
            }
            prefix @ ("f" | "fr" | "rf") => {
                let raw = prefix != "f";
                let inside = self.quoted()?.to_owned();
                TokenKind::Format { inside, raw }
            }
            _ => return self.refuse(format!("strings of the kind {word}'…' are not offered")),
        };
        self.push(at, kind);
        Ok(())
    }

    /// What stands between the quotes that the rest begins with.
    fn quoted(&mut self) -> Result<&'t str, ExpressionError> {
        let quote = &self.rest[..1];
        let triple = quote.repeat(3);
        let quotes = if self.rest.starts_with(&triple) {
            triple
        } else {
            quote.to_owned()
        };
        let inside = &self.rest[quotes.len()..];
        let mut escaped = false;
        for (end, c) in inside.char_indices() {
            if escaped {
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if inside[end..].starts_with(&quotes) {
                self.skip(quotes.len() + end + quotes.len());
                return Ok(&inside[..end]);
            }
        }
        self.refuse("a string that does not end: the closing quote is missing")
    }

    fn number(&mut self) -> Result<TokenKind, ExpressionError> {
        let bytes = self.rest.as_bytes();
        let digits = |from: usize| {
            let digit = |byte: &&u8| byte.is_ascii_digit() || **byte == b'_';
            from + bytes[from..].iter().take_while(digit).count()
        };
        let mut end = digits(0);
        let mut float = false;
        if bytes.get(end) == Some(&b'.') {
            float = true;
            end = digits(end + 1);
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            if bytes.get(end + 1 + sign).is_some_and(u8::is_ascii_digit) {
                float = true;
                end = digits(end + 1 + sign);
            }
        }
        if self.rest[end..].starts_with(|c: char| c == '_' || c.is_alphanumeric()) {
            return self.refuse("a number that letters follow");
        }
        if end > LONGEST_NUMBER {
            return self.refuse(format!("a number of more than {LONGEST_NUMBER} digits"));
        }
        let written = self.rest[..end].replace('_', "");
        let kind = if float {
            f64::from_str(&written)
                .ok()
                .filter(|value| value.is_finite())
                .map(TokenKind::Float)
        } else {
            BigInt::from_str(&written).ok().map(TokenKind::Int)
        };
        match kind {
            Some(kind) => {
                self.skip(end);
                Ok(kind)
            }
            None => self.refuse("this is no number"),
        }
    }
}

/// The characters that a string with escapes stands for.
pub(super) fn unescape(inside: &str, at: usize) -> Result<String, ExpressionError> {
    let mut text = String::with_capacity(inside.len());
    let mut rest = inside.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        let digits = match rest.next() {
            Some('\n') | None => continue,
            Some('n') => Err('\n'),
            Some('t') => Err('\t'),
            Some('r') => Err('\r'),
            Some('0') => Err('\0'),
            Some(quote @ ('\\' | '\'' | '"')) => Err(quote),
            Some('x') => Ok(2),
            Some('u') => Ok(4),
            Some('U') => Ok(8),
            // As in Python: what is no escape stays as it is.
            Some(other) => {
                text.push('\\');
                Err(other)
            }
        };
        match digits {
            Err(c) => text.push(c),
            Ok(count) => {
                let code: String = rest.by_ref().take(count).collect();
                let c = u32::from_str_radix(&code, 16)
                    .ok()
                    .filter(|_| code.len() == count)
                    .and_then(char::from_u32);
                let bad = "an escape that stands for no character";
                text.push(c.ok_or_else(|| ExpressionError::new(at, bad))?);
            }
        }
    }
    Ok(text)
}
