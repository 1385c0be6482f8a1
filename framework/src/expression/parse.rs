//! From tokens to the tree: Python's grammar of expressions, by recursive descent.

use super::ExpressionError;
use super::functions::{self, Native};
use super::number::Number;
use super::syntax::{Binary, Call, Comparison, Kind, Loop, Node, Piece, Unary};
use super::token::{self, Token, TokenKind};

/// So many expressions may stand within each other.
const DEEPEST: usize = 40;

/// So many tokens may an expression have.
const LONGEST: usize = 4000;

/// Python's own words, which no name can be.
const KEYWORDS: [&str; 32] = [
    "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif",
    "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda",
    "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

type Parsed<T> = Result<T, ExpressionError>;

pub(super) fn parse(text: &str) -> Parsed<Node> {
    let tokens = token::tokens(text)?;
    if tokens.len() > LONGEST {
        let problem = format!("an expression of more than {LONGEST} tokens");
        return Err(ExpressionError::new(1, problem));
    }
    let mut parser = Parser {
        tokens,
        next: 0,
        depth: 0,
    };
    let node = parser.expression()?;
    match parser.kind() {
        TokenKind::End => Ok(node),
        TokenKind::Sign("=" | ":=") => parser.refuse("nothing can be assigned in an expression"),
        _ => parser.unexpected("the end"),
    }
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

impl Parser {
    /// The last token, [`TokenKind::End`], is never passed.
    fn token(&self) -> &Token {
        &self.tokens[self.next]
    }

    fn kind(&self) -> &TokenKind {
        &self.token().kind
    }

    fn at(&self) -> usize {
        self.token().at
    }

    fn refuse<T>(&self, problem: impl Into<String>) -> Parsed<T> {
        Err(ExpressionError::new(self.at(), problem))
    }

    fn unexpected<T>(&self, expected: &str) -> Parsed<T> {
        let found = match self.kind() {
            TokenKind::End => "it ends".to_owned(),
            TokenKind::Word(word) => format!("there is {word:?}"),
            TokenKind::Sign(sign) => format!("there is {sign:?}"),
            TokenKind::Int(_) | TokenKind::Float(_) => "there is a number".to_owned(),
            TokenKind::Text(_) | TokenKind::Format { .. } => "there is a string".to_owned(),
        };
        self.refuse(format!("expected {expected}, but {found}"))
    }

    fn advance(&mut self) {
        if self.next + 1 < self.tokens.len() {
            self.next += 1;
        }
    }

    fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.kind(), TokenKind::Sign(other) if *other == sign);
        if found {
            self.advance();
        }
        found
    }

    fn expect(&mut self, sign: &str) -> Parsed<()> {
        if self.sign(sign) {
            return Ok(());
        }
        self.unexpected(&format!("{sign:?}"))
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.kind(), TokenKind::Word(other) if other == word)
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.advance();
        }
        found
    }

    fn name(&mut self) -> Parsed<String> {
        match self.kind() {
            TokenKind::Word(word) if !KEYWORDS.contains(&word.as_str()) => {
                let name = word.clone();
                self.advance();
                Ok(name)
            }
            _ => self.unexpected("a name"),
        }
    }

    /// Guards the stack.
    fn nested<T>(&mut self, part: fn(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == DEEPEST {
            return self.refuse(format!("nested deeper than {DEEPEST} levels"));
        }
        self.depth += 1;
        let parsed = part(self);
        self.depth -= 1;
        parsed
    }

    fn expression(&mut self) -> Parsed<Node> {
        self.nested(Self::conditional)
    }

    fn conditional(&mut self) -> Parsed<Node> {
        if self.is_word("lambda") {
            return self.refuse("lambda is not offered");
        }
        let at = self.at();
        let then = self.disjunction()?;
        if !self.word("if") {
            return Ok(then);
        }
        let test = self.disjunction()?;
        if !self.word("else") {
            return self.unexpected("\"else\"");
        }
        let kind = Kind::Conditional {
            test: Box::new(test),
            then: Box::new(then),
            otherwise: Box::new(self.expression()?),
        };
        Ok(Node { kind, at })
    }

    fn disjunction(&mut self) -> Parsed<Node> {
        self.sequence("or", Self::conjunction, Kind::Or)
    }

    fn conjunction(&mut self) -> Parsed<Node> {
        self.sequence("and", Self::inversion, Kind::And)
    }

    fn sequence(
        &mut self,
        word: &str,
        part: fn(&mut Self) -> Parsed<Node>,
        kind: fn(Vec<Node>) -> Kind,
    ) -> Parsed<Node> {
        let at = self.at();
        let first = part(self)?;
        if !self.is_word(word) {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.word(word) {
            parts.push(part(self)?);
        }
        let kind = kind(parts);
        Ok(Node { kind, at })
    }

    fn inversion(&mut self) -> Parsed<Node> {
        let at = self.at();
        if !self.word("not") {
            return self.comparison();
        }
        let kind = Kind::Unary(Unary::Not, Box::new(self.nested(Self::inversion)?));
        Ok(Node { kind, at })
    }

    fn comparison(&mut self) -> Parsed<Node> {
        let at = self.at();
        let first = self.binary(0)?;
        let mut rest = Vec::new();
        while let Some(comparison) = self.comparison_sign()? {
            rest.push((comparison, self.binary(0)?));
        }
        if rest.is_empty() {
            return Ok(first);
        }
        let kind = Kind::Compare(Box::new(first), rest);
        Ok(Node { kind, at })
    }

    fn comparison_sign(&mut self) -> Parsed<Option<Comparison>> {
        let comparison = match self.kind() {
            TokenKind::Sign("==") => Comparison::Equal,
            TokenKind::Sign("!=") => Comparison::NotEqual,
            TokenKind::Sign("<") => Comparison::Less,
            TokenKind::Sign("<=") => Comparison::LessOrEqual,
            TokenKind::Sign(">") => Comparison::Greater,
            TokenKind::Sign(">=") => Comparison::GreaterOrEqual,
            TokenKind::Word(word) => match word.as_str() {
                "in" => Comparison::In,
                "is" => {
                    self.advance();
                    let negated = self.word("not");
                    return Ok(Some(if negated {
                        Comparison::IsNot
                    } else {
                        Comparison::Is
                    }));
                }
                "not" => {
                    self.advance();
                    if !self.is_word("in") {
                        return self.unexpected("\"in\"");
                    }
                    Comparison::NotIn
                }
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        self.advance();
        Ok(Some(comparison))
    }

    /// Operators with a left and a right side that bind at least as strongly as `level`.
    fn binary(&mut self, level: u8) -> Parsed<Node> {
        let at = self.at();
        let mut left = self.factor()?;
        while let Some((operator, strength)) = self.operator()
            && strength >= level
        {
            self.advance();
            let right = self.binary(strength + 1)?;
            let kind = Kind::Binary(operator, Box::new(left), Box::new(right));
            left = Node { kind, at };
        }
        if let TokenKind::Sign(sign @ ("<<" | ">>" | "@")) = self.kind() {
            return self.refuse(format!("the operator {sign} is not offered"));
        }
        Ok(left)
    }

    fn operator(&self) -> Option<(Binary, u8)> {
        let TokenKind::Sign(sign) = self.kind() else {
            return None;
        };
        Some(match *sign {
            "|" => (Binary::BitOr, 1),
            "^" => (Binary::BitXor, 2),
            "&" => (Binary::BitAnd, 3),
            "+" => (Binary::Add, 4),
            "-" => (Binary::Subtract, 4),
            "*" => (Binary::Multiply, 5),
            "/" => (Binary::Divide, 5),
            "//" => (Binary::FloorDivide, 5),
            "%" => (Binary::Modulo, 5),
            _ => return None,
        })
    }

    fn factor(&mut self) -> Parsed<Node> {
        let at = self.at();
        let operator = match self.kind() {
            TokenKind::Sign("-") => Unary::Minus,
            TokenKind::Sign("+") => Unary::Plus,
            TokenKind::Sign("~") => Unary::Invert,
            _ => return self.power(),
        };
        self.advance();
        let kind = Kind::Unary(operator, Box::new(self.nested(Self::factor)?));
        Ok(Node { kind, at })
    }

    fn power(&mut self) -> Parsed<Node> {
        let at = self.at();
        let base = self.primary()?;
        if !self.sign("**") {
            return Ok(base);
        }
        let exponent = Box::new(self.nested(Self::factor)?);
        let kind = Kind::Binary(Binary::Power, Box::new(base), exponent);
        Ok(Node { kind, at })
    }

    /// An atom, and what is called, read or looked up of it.
    fn primary(&mut self) -> Parsed<Node> {
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
        functions::method_exists(&name).map_err(|problem| ExpressionError::new(at, problem))?;
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
    fn call(&mut self, name: String) -> Parsed<Call> {
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
    fn element(&mut self) -> Parsed<Node> {
        let at = self.at();
        let node = self.expression()?;
        if !self.is_word("for") {
            return Ok(node);
        }
        let kind = Kind::ListFor(Box::new(node), self.loops()?);
        Ok(Node { kind, at })
    }

    fn loops(&mut self) -> Parsed<Vec<Loop>> {
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

    fn atom(&mut self) -> Parsed<Node> {
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
        if functions::is_module(word) {
            let dotted = matches!(self.kind(), TokenKind::Sign("."));
            while self.sign(".") {
                path.push('.');
                path.push_str(&self.name()?);
            }
            if dotted && !matches!(self.kind(), TokenKind::Sign("(")) {
                let constant = functions::constant(&path).map_err(here)?;
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
        let function: Native = functions::function(&path).map_err(here)?;
        Ok(Kind::Call(function, self.call(path)?))
    }

    /// Strings that stand beside each other are one.
    fn strings(&mut self) -> Parsed<Kind> {
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
