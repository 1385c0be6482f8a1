//! Expressions that can be parsed, most of them: what a fuzzer would not find by changing bytes.

use std::fmt;
use std::sync::LazyLock;

use arbitrary::Arbitrary;
use singer_target::internals::expression_names;

static NAMES: LazyLock<(Vec<String>, Vec<&str>)> = LazyLock::new(expression_names);

const MEMBERS: &[&str] = &[
    "id", "name", "big", "small", "great", "price", "nothing", "yes", "self", "at", "tags", "address",
    "text", "empty", "none", "_", "record", "config", "x", "y", "__stream_name__", "missing",
];

const LITERALS: &[&str] = &[
    "0", "1", "-1", "2", "10", "3.5", "1e300", "4300", "999999999999999999999", "''", "'a'", "','", "'%s'",
    "'%Y-%m-%d'", "'2026-02-29T00:00:00Z'", "'ß\\n\\''", "f'{id:>9}{name!r}'", "True", "False", "None",
    "()", "[]", "{}", "datetime.timezone.utc",
];

const OPERATORS: &[&str] = &[
    "+", "-", "*", "/", "//", "%", "**", "|", "^", "&", "<", "<=", ">", ">=", "==", "!=", "in", "not in",
    "is", "is not", "and", "or", "if x else", "for x in", "for x, y in", "if yes else",
];

const ARGUMENTS: &[&str] = &[
    "default", "key", "reverse", "base", "days", "tzinfo", "indent", "sort_keys", "width", "maxsplit",
    "hour", "tz",
];

#[derive(Debug, Arbitrary)]
pub enum Tree {
    Name(u8),
    Literal(u8),
    Number(i64),
    Float(f64),
    Text(String),
    Format(Box<Tree>, String),
    Unary(u8, Box<Tree>),
    Binary(Box<Tree>, u8, Box<Tree>),
    List(Vec<Tree>),
    Tuple(Vec<Tree>),
    Set(Vec<Tree>),
    Dict(Vec<(Tree, Tree)>),
    /// `[element for x in … for y in …]`: the names of the loops are those of the members.
    Loops(u8, Box<Tree>, Vec<(u8, Tree)>),
    Call(u8, Vec<Tree>, Option<(u8, Box<Tree>)>),
    Method(Box<Tree>, u8, Vec<Tree>),
    Attribute(Box<Tree>, u8),
    Index(Box<Tree>, Box<Tree>),
    Slice(Box<Tree>, Box<Tree>, Option<Box<Tree>>, Box<Tree>),
}

fn one<T>(of: &[T], at: u8) -> &T {
    &of[usize::from(at) % of.len()]
}

fn all<T: fmt::Display>(parts: &[T]) -> String {
    let texts: Vec<_> = parts.iter().map(T::to_string).collect();
    texts.join(", ")
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(one::<&str>(MEMBERS, *name)),
            Self::Literal(literal) => f.write_str(one::<&str>(LITERALS, *literal)),
            Self::Number(number) => write!(f, "{number}"),
            Self::Float(number) => write!(f, "{number:e}"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Format(value, form) => write!(f, "f\"\"\"{{{value}:{form}}}\"\"\""),
            Self::Unary(sign, operand) => write!(f, "({} {operand})", one(&["-", "+", "~", "not"], *sign)),
            Self::Binary(left, sign, right) => write!(f, "({left} {} {right})", one(OPERATORS, *sign)),
            Self::List(parts) => write!(f, "[{}]", all(parts)),
            Self::Tuple(parts) => write!(f, "({},)", all(parts)),
            Self::Set(parts) => write!(f, "{{{}}}", all(parts)),
            Self::Dict(members) => {
                let members: Vec<_> = members.iter().map(|(name, it)| format!("{name}: {it}")).collect();
                write!(f, "{{{}}}", members.join(", "))
            }
            Self::Loops(kind, element, loops) => {
                let (open, close) = one(&[("[", "]"), ("{", "}"), ("sum(", ")"), ("{id: ", "}")], *kind);
                write!(f, "{open}{element}")?;
                for (name, values) in loops {
                    write!(f, " for {} in {values}", one(MEMBERS, *name))?;
                }
                f.write_str(close)
            }
            Self::Call(name, arguments, named) => {
                write!(f, "{}({}", one(&NAMES.0, *name), all(arguments))?;
                if let Some((name, value)) = named {
                    let comma = if arguments.is_empty() { "" } else { ", " };
                    write!(f, "{comma}{}={value}", one(ARGUMENTS, *name))?;
                }
                f.write_str(")")
            }
            Self::Method(object, name, arguments) => {
                write!(f, "({object}).{}({})", one(&NAMES.1, *name), all(arguments))
            }
            Self::Attribute(object, name) => {
                let parts = ["city", "no", "year", "tzinfo", "days", "microsecond"];
                write!(f, "({object}).{}", one(&parts, *name))
            }
            Self::Index(object, index) => write!(f, "({object})[{index}]"),
            Self::Slice(object, from, to, step) => {
                let to = to.as_ref().map(|to| to.to_string()).unwrap_or_default();
                write!(f, "({object})[{from}:{to}:{step}]")
            }
        }
    }
}
