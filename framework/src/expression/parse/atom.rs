//! What an expression begins with: names, literals, and all that stands in brackets.

use super::{KEYWORDS, Parsed, Parser};
use crate::expression::ExpressionError;
use crate::expression::names;
use crate::expression::number::Number;
use crate::expression::syntax::{Call, Kind, Node};
use crate::expression::token::{Token, TokenKind};

impl Parser {
    pub(super) fn atom(&mut self) -> Parsed<Node> {
        let Token { kind, at } = self.token().clone();
        let kind = match kind {
            TokenKind::Int(value) => self.then(Kind::Number(Number::Int(value))),
            TokenKind::Float(value) => self.then(Kind::Number(Number::Float(value))),
            TokenKind::Text(_) | TokenKind::Format { .. } => self.strings()?,
            TokenKind::Word(word) => self.worded(&word, at)?,
            TokenKind::Sign("(") => self.then_of(Self::parenthesised)?,
            TokenKind::Sign("[") => self.then_of(Self::list)?,
            TokenKind::Sign("{") => self.then_of(Self::braces)?,
            _ => return self.unexpected("a value"),
        };
        Ok(Node { kind, at })
    }

    fn then(&mut self, kind: Kind) -> Kind {
        self.advance();
        kind
    }

    fn then_of(&mut self, part: fn(&mut Self) -> Parsed<Kind>) -> Parsed<Kind> {
        self.advance();
        part(self)
    }

    fn worded(&mut self, word: &str, at: usize) -> Parsed<Kind> {
        if KEYWORDS.contains(&word) {
            return self.refuse(format!(
                "\"{word}\" is a word of the language; of a property of that name write _['{word}']"
            ));
        }
        self.advance();
        let here = |problem| ExpressionError::new(at, problem);
        match word {
            "None" => return Ok(Kind::None),
            "True" => return Ok(Kind::Bool(true)),
            "False" => return Ok(Kind::Bool(false)),
            _ => {}
        }
        let mut path = word.to_owned();
        if names::is_module(word) {
            let dotted = matches!(self.kind(), TokenKind::Sign("."));
            while self.sign(".") {
                path.push('.');
                path.push_str(&self.name()?);
            }
            if dotted && !matches!(self.kind(), TokenKind::Sign("(")) {
                let constant = names::constant(&path).map_err(here)?;
                return Ok(Kind::Call(
                    constant,
                    Call {
                        name: path,
                        positional: Vec::new(),
                        named: Vec::new(),
                    },
                ));
            }
        }
        if !self.sign("(") {
            return Ok(Kind::Name(path));
        }
        let function = names::function(&path).map_err(here)?;
        Ok(Kind::Call(function, self.call(path)?))
    }

    fn parenthesised(&mut self) -> Parsed<Kind> {
        if self.sign(")") {
            return Ok(Kind::Tuple(Vec::new()));
        }
        let first = self.element()?;
        if !self.sign(",") {
            self.expect(")")?;
            return Ok(first.kind);
        }
        let mut elements = vec![first];
        self.rest_of(&mut elements, ")")?;
        Ok(Kind::Tuple(elements))
    }

    fn list(&mut self) -> Parsed<Kind> {
        if self.sign("]") {
            return Ok(Kind::List(Vec::new()));
        }
        let first = self.expression()?;
        if self.is_word("for") {
            let kind = Kind::ListFor(Box::new(first), self.loops()?);
            self.expect("]")?;
            return Ok(kind);
        }
        let mut elements = vec![first];
        if self.sign(",") {
            self.rest_of(&mut elements, "]")?;
        } else {
            self.expect("]")?;
        }
        Ok(Kind::List(elements))
    }

    /// The elements behind the first comma, with the closing bracket.
    fn rest_of(&mut self, elements: &mut Vec<Node>, bracket: &str) -> Parsed<()> {
        while !self.sign(bracket) {
            elements.push(self.expression()?);
            if !self.sign(",") {
                return self.expect(bracket);
            }
        }
        Ok(())
    }

    /// A dict or a set.
    fn braces(&mut self) -> Parsed<Kind> {
        if self.sign("}") {
            return Ok(Kind::Dict(Vec::new()));
        }
        if matches!(self.kind(), TokenKind::Sign("**")) {
            return self.refuse("objects cannot be unpacked; write a | b");
        }
        let first = self.expression()?;
        if !self.sign(":") {
            if self.is_word("for") {
                let kind = Kind::SetFor(Box::new(first), self.loops()?);
                self.expect("}")?;
                return Ok(kind);
            }
            let mut elements = vec![first];
            if self.sign(",") {
                self.rest_of(&mut elements, "}")?;
            } else {
                self.expect("}")?;
            }
            return Ok(Kind::Set(elements));
        }
        let first = (first, self.expression()?);
        if self.is_word("for") {
            let kind = Kind::DictFor(Box::new(first), self.loops()?);
            self.expect("}")?;
            return Ok(kind);
        }
        let mut members = vec![first];
        while self.sign(",") && !matches!(self.kind(), TokenKind::Sign("}")) {
            let name = self.expression()?;
            self.expect(":")?;
            members.push((name, self.expression()?));
        }
        self.expect("}")?;
        Ok(Kind::Dict(members))
    }
}
