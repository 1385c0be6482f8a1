//! The tree that an expression is parsed into.

use super::functions::Native;
use super::number::Number;

/// A part of an expression, and the character it begins at, counted from 1.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) at: usize,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    None,
    Bool(bool),
    Number(Number),
    Text(String),
    /// The pieces of an `f'…'`.
    Format(Vec<Piece>),
    Name(String),
    List(Vec<Node>),
    Tuple(Vec<Node>),
    Set(Vec<Node>),
    Dict(Vec<(Node, Node)>),
    ListFor(Box<Node>, Vec<Loop>),
    SetFor(Box<Node>, Vec<Loop>),
    DictFor(Box<(Node, Node)>, Vec<Loop>),
    Unary(Unary, Box<Node>),
    Binary(Binary, Box<Node>, Box<Node>),
    /// The last value that was looked at, as in Python.
    And(Vec<Node>),
    Or(Vec<Node>),
    /// `a < b < c`
    Compare(Box<Node>, Vec<(Comparison, Node)>),
    Conditional {
        test: Box<Node>,
        then: Box<Node>,
        otherwise: Box<Node>,
    },
    Call(Native, Call),
    Method(Box<Node>, Call),
    Attribute(Box<Node>, String),
    Index(Box<Node>, Box<Node>),
    Slice(Box<Node>, [Option<Box<Node>>; 3]),
}

/// What a function or a method is called with.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) positional: Vec<Node>,
    pub(super) named: Vec<(String, Node)>,
}

/// `for targets in values if conditions`
#[derive(Debug, Clone)]
pub(super) struct Loop {
    pub(super) targets: Vec<String>,
    pub(super) values: Node,
    pub(super) conditions: Vec<Node>,
}

/// A piece of an `f'…'`.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    Text(String),
    Value {
        node: Node,
        /// `!r`
        quoted: bool,
        /// What stands behind the colon.
        form: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unary {
    Not,
    Minus,
    Plus,
    Invert,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Modulo,
    Power,
    BitOr,
    BitXor,
    BitAnd,
}

impl Binary {
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::FloorDivide => "//",
            Self::Modulo => "%",
            Self::Power => "**",
            Self::BitOr => "|",
            Self::BitXor => "^",
            Self::BitAnd => "&",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
    Is,
    IsNot,
}
