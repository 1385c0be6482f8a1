//! Calls, members, indexes and slices of a value, and loops over one.

use super::{Parsed, Parser};
use crate::expression::ExpressionError;
use crate::expression::names;
use crate::expression::syntax::{Call, Kind, Loop, Node};
use crate::expression::token::TokenKind;

impl Parser {
    /// An atom, and what is called, read or looked up of it.
    pub(super) fn primary(&mut self) -> Parsed<Node> {
        let mut node = self.atom()?;
        loop {
            let at = self.at();
            let kind = if self.sign(".") {
                self.member(node)?
            } else if self.sign("[") {
                let kind = self.subscript(node)?;
                self.expect("]")?;
                kind
            } else if matches!(self.kind(), TokenKind::Sign("(")) {
                return self.refuse("only functions and methods can be called");
            } else {
                return Ok(node);
            };
            node = Node { kind, at };
        }
    }

    fn member(&mut self, object: Node) -> Parsed<Kind> {
        let at = self.at();
        let name = self.name()?;
        if name.starts_with('_') || name.starts_with("func_") {
            let problem = format!("a name behind a dot cannot begin so; write ['{name}']");
            return Err(ExpressionError::new(at, problem));
        }
        if !self.sign("(") {
            return Ok(Kind::Attribute(Box::new(object), name));
        }
        names::method_exists(&name).map_err(|problem| ExpressionError::new(at, problem))?;
        Ok(Kind::Method(Box::new(object), self.call(name)?))
    }

    fn subscript(&mut self, object: Node) -> Parsed<Kind> {
        let object = Box::new(object);
        let mut parts = [None, None, None];
        let mut part = 0;
        loop {
            let empty = matches!(self.kind(), TokenKind::Sign(":" | "]"));
            if !empty {
                parts[part] = Some(Box::new(self.expression()?));
            }
            if part == 2 || !self.sign(":") {
                break;
            }
            part += 1;
        }
        if part > 0 {
            return Ok(Kind::Slice(object, parts));
        }
        match parts {
            [Some(index), ..] => Ok(Kind::Index(object, index)),
            _ => self.unexpected("an index"),
        }
    }

    /// The arguments of a call, whose bracket is open already.
    pub(super) fn call(&mut self, name: String) -> Parsed<Call> {
        let mut call = Call {
            name,
            positional: Vec::new(),
            named: Vec::new(),
        };
        while !self.sign(")") {
            if matches!(self.kind(), TokenKind::Sign("*" | "**")) {
                return self.refuse("arguments cannot be unpacked");
            }
            let named = matches!(self.tokens.get(self.next + 1), Some(token) if token.kind == TokenKind::Sign("="));
            if named {
                let name = self.name()?;
                self.advance();
                call.named.push((name, self.expression()?));
            } else {
                if !call.named.is_empty() {
                    return self.refuse("an argument without a name behind one with a name");
                }
                let argument = self.element()?;
                call.positional.push(argument);
            }
            if !self.sign(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(call)
    }

    /// An expression, or `expression for …`.
    pub(super) fn element(&mut self) -> Parsed<Node> {
        let at = self.at();
        let node = self.expression()?;
        if !self.is_word("for") {
            return Ok(node);
        }
        let kind = Kind::ListFor(Box::new(node), self.loops()?);
        Ok(Node { kind, at })
    }

    pub(super) fn loops(&mut self) -> Parsed<Vec<Loop>> {
        let mut loops = Vec::new();
        while self.word("for") {
            let bracket = self.sign("(");
            let mut targets = vec![self.name()?];
            while self.sign(",") {
                targets.push(self.name()?);
            }
            if bracket {
                self.expect(")")?;
            }
            if !self.word("in") {
                return self.unexpected("\"in\"");
            }
            let values = self.nested(Self::disjunction)?;
            let mut conditions = Vec::new();
            while self.word("if") {
                conditions.push(self.nested(Self::disjunction)?);
            }
            loops.push(Loop {
                targets,
                values,
                conditions,
            });
        }
        Ok(loops)
    }
}
