//! From tokens to the tree: Python's grammar of expressions, by recursive descent. Here are the
//! operators, from those that bind least to those that bind most.

mod atom;
mod primary;
mod strings;

use super::ExpressionError;
use super::syntax::{Binary, Comparison, Kind, Node, Unary};
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
}
