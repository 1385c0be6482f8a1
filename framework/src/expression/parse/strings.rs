//! Strings, and the values within an `f'…'`.

use super::{DEEPEST, Parsed, Parser, parse};
use crate::expression::ExpressionError;
use crate::expression::syntax::{Kind, Piece};
use crate::expression::token::{self, TokenKind};

impl Parser {
    /// Strings that stand beside each other are one.
    pub(super) fn strings(&mut self) -> Parsed<Kind> {
        let mut pieces = Vec::new();
        loop {
            let at = self.at();
            match self.kind().clone() {
                TokenKind::Text(text) => pieces.push(Piece::Text(text)),
                TokenKind::Format { inside, raw } => {
                    pieces.extend(self.pieces(&inside, raw, at)?);
                }
                _ => break,
            }
            self.advance();
        }
        let texts: Option<Vec<&str>> = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => Some(text.as_str()),
                Piece::Value { .. } => None,
            })
            .collect();
        Ok(match texts {
            Some(texts) => Kind::Text(texts.concat()),
            None => Kind::Format(pieces),
        })
    }

    /// What stands between the quotes of an `f'…'`.
    fn pieces(&self, inside: &str, raw: bool, at: usize) -> Parsed<Vec<Piece>> {
        let refuse = |problem: &str| Err(ExpressionError::new(at, problem));
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut rest = inside;
        while let Some(brace) = rest.find(['{', '}']) {
            text.push_str(&rest[..brace]);
            let (found, behind) = rest[brace..].split_at(1);
            rest = behind;
            if let Some(behind) = rest.strip_prefix(found) {
                text.push_str(found);
                rest = behind;
                continue;
            }
            if found == "}" {
                return refuse("a brace in an f'…' that none opens; write }} for the character");
            }
            let Some(end) = end_of_value(rest) else {
                return refuse("a brace in an f'…' that none closes; write {{ for the character");
            };
            pieces.push(Piece::Text(literal(&std::mem::take(&mut text), raw, at)?));
            pieces.push(self.piece(&rest[..end], at)?);
            rest = &rest[end + 1..];
        }
        text.push_str(rest);
        pieces.push(Piece::Text(literal(&text, raw, at)?));
        Ok(pieces)
    }

    fn piece(&self, inside: &str, at: usize) -> Parsed<Piece> {
        let (value, form) = split_form(inside);
        if form.contains(['{', '}']) {
            let problem = "the form of a value in an f'…' must be fixed";
            return Err(ExpressionError::new(at, problem));
        }
        let (value, quoted) = match value.strip_suffix("!r") {
            Some(value) => (value, true),
            None => (value.strip_suffix("!s").unwrap_or(value), false),
        };
        if self.depth == DEEPEST {
            return self.refuse(format!("nested deeper than {DEEPEST} levels"));
        }
        let mut node = parse(value).map_err(|error| ExpressionError {
            problem: format!("in an f'…': {}", error.problem),
            at,
        })?;
        node.at = at;
        Ok(Piece::Value {
            node,
            quoted,
            form: form.to_owned(),
        })
    }
}

fn literal(text: &str, raw: bool, at: usize) -> Parsed<String> {
    if raw {
        return Ok(text.to_owned());
    }
    token::unescape(text, at)
}

/// Where the brace is that closes a value in an `f'…'`.
fn end_of_value(text: &str) -> Option<usize> {
    at_the_top(text, '}')
}

/// A value in an `f'…'`, and its form behind the colon.
fn split_form(text: &str) -> (&str, &str) {
    match at_the_top(text, ':') {
        Some(colon) => (&text[..colon], &text[colon + 1..]),
        None => (text, ""),
    }
}

/// The first character that is wanted and stands neither in brackets nor in quotes.
fn at_the_top(text: &str, wanted: char) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), _) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, _) if depth == 0 && c == wanted => return Some(at),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            (None, _) => {}
        }
    }
    None
}
