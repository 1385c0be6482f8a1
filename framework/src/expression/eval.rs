//! Walking the tree of an expression.

use std::rc::Rc;

use super::ExpressionError;
use super::arguments::Arguments;
use super::operators;
use super::scope::Scope;
use super::syntax::{Call, Kind, Loop, Node, Piece};
use super::value::Value;
use super::{containers, datetime, format, names, text};

type Evaluated<'a> = Result<Value<'a>, ExpressionError>;

pub(super) fn eval<'a>(root: &Node, scope: &Scope<'a>) -> Evaluated<'a> {
    let mut evaluator = Evaluator {
        scope,
        locals: Vec::new(),
    };
    evaluator.eval(root)
}

struct Evaluator<'s, 'a> {
    scope: &'s Scope<'a>,
    /// The names of the loops around, the innermost last.
    locals: Vec<(String, Value<'a>)>,
}

impl<'a> Evaluator<'_, 'a> {
    fn eval(&mut self, node: &Node) -> Evaluated<'a> {
        let here = |problem: String| ExpressionError::new(node.at, problem);
        self.scope.pay(1).map_err(here)?;
        let scope = self.scope;
        let value = scope.deeper(|| self.node(node), |problem| Err(here(problem)))?;
        scope.pay_for(&value).map_err(here)?;
        Ok(value)
    }

    fn node(&mut self, node: &Node) -> Evaluated<'a> {
        let here = |problem: String| ExpressionError::new(node.at, problem);
        match &node.kind {
            Kind::None => Ok(Value::None),
            Kind::Bool(value) => Ok(Value::Bool(*value)),
            Kind::Number(number) => Ok(Value::Number(number.clone())),
            Kind::Text(text) => Ok(Value::text(text.clone())),
            Kind::Format(pieces) => self.format(pieces, node.at),
            Kind::Name(name) => self.name(name).map_err(here),
            Kind::List(nodes) => self.all(nodes).map(Value::list),
            Kind::Tuple(nodes) => Ok(Value::Tuple(Rc::new(self.all(nodes)?))),
            Kind::Set(nodes) => {
                let values = self.all(nodes)?;
                containers::distinct(self.scope, values).map_err(here)
            }
            Kind::Dict(members) => {
                let members = members
                    .iter()
                    .map(|(name, value)| Ok((self.eval(name)?, self.eval(value)?)))
                    .collect::<Result<_, ExpressionError>>()?;
                containers::dict(self.scope, members).map_err(here)
            }
            Kind::ListFor(element, loops) => self.collect(element, loops).map(Value::list),
            Kind::SetFor(element, loops) => {
                let values = self.collect(element, loops)?;
                containers::distinct(self.scope, values).map_err(here)
            }
            Kind::DictFor(member, loops) => {
                let mut members = Vec::new();
                self.each(loops, &mut |it| {
                    members.push((it.eval(&member.0)?, it.eval(&member.1)?));
                    Ok(())
                })?;
                containers::dict(self.scope, members).map_err(here)
            }
            Kind::Unary(operator, operand) => {
                let value = self.eval(operand)?;
                operators::unary(*operator, value).map_err(here)
            }
            Kind::Binary(operator, left, right) => {
                let (left, right) = (self.eval(left)?, self.eval(right)?);
                let weight = left.weight() + right.weight();
                self.scope.pay_bytes(weight).map_err(here)?;
                operators::binary(self.scope, *operator, left, right).map_err(here)
            }
            Kind::And(parts) => self.until(parts, false),
            Kind::Or(parts) => self.until(parts, true),
            Kind::Compare(first, rest) => {
                let mut left = self.eval(first)?;
                for (comparison, right) in rest {
                    let right = self.eval(right)?;
                    let weight = left.weight() + right.weight();
                    self.scope.pay_bytes(weight).map_err(here)?;
                    let holds = operators::compare(self.scope, *comparison, &left, &right);
                    if !holds.map_err(here)? {
                        return Ok(Value::Bool(false));
                    }
                    left = right;
                }
                Ok(Value::Bool(true))
            }
            Kind::Conditional {
                test,
                then,
                otherwise,
            } => {
                if self.eval(test)?.is_true().map_err(here)? {
                    self.eval(then)
                } else {
                    self.eval(otherwise)
                }
            }
            Kind::Call(function, call) => {
                let mut arguments = self.arguments(call)?;
                function(self.scope, &mut arguments)
                    .and_then(|value| arguments.finish().map(|()| value))
                    .map_err(|problem| here(format!("{}(): {problem}", call.name)))
            }
            Kind::Method(object, call) => {
                let object = self.eval(object)?;
                let mut arguments = self.arguments(call)?;
                self.method(&object, &call.name, &mut arguments)
                    .and_then(|value| arguments.finish().map(|()| value))
                    .map_err(|problem| here(format!(".{}(): {problem}", call.name)))
            }
            Kind::Attribute(object, name) => {
                let object = self.eval(object)?;
                attribute(self.scope, &object, name).map_err(here)
            }
            Kind::Index(object, index) => {
                let (object, index) = (self.eval(object)?, self.eval(index)?);
                containers::at(self.scope, &object, &index).map_err(here)
            }
            Kind::Slice(object, parts) => {
                let object = self.eval(object)?;
                let mut bounds = [None; 3];
                for (bound, part) in bounds.iter_mut().zip(parts) {
                    if let Some(part) = part {
                        let value = self.eval(part)?;
                        if !matches!(value, Value::None) {
                            let whole = || here("a slice has whole numbers".to_owned());
                            *bound = Some(value.index().ok_or_else(whole)?);
                        }
                    }
                }
                containers::slice(self.scope, &object, bounds).map_err(here)
            }
        }
    }

    fn name(&self, name: &str) -> Result<Value<'a>, String> {
        let local = self.locals.iter().rev().find(|(local, _)| local == name);
        if let Some((_, value)) = local {
            return Ok(value.clone());
        }
        let found = self.scope.name(name)?.or_else(|| names::value(name));
        found.ok_or_else(|| match name {
            "self" => "self is not defined: the record has no such property".to_owned(),
            _ => format!(
                "the name '{name}' is not defined: it is no property of this record; of one that \
                 may be missing write _.get('{name}')"
            ),
        })
    }

    fn all(&mut self, nodes: &[Node]) -> Result<Vec<Value<'a>>, ExpressionError> {
        nodes.iter().map(|node| self.eval(node)).collect()
    }

    /// `and`, `or`: the first value that decides, or the last.
    fn until(&mut self, parts: &[Node], decides: bool) -> Evaluated<'a> {
        let mut value = Value::None;
        for part in parts {
            value = self.eval(part)?;
            let is_true = value.is_true();
            if is_true.map_err(|problem| ExpressionError::new(part.at, problem))? == decides {
                break;
            }
        }
        Ok(value)
    }

    fn arguments(&mut self, call: &Call) -> Result<Arguments<'a>, ExpressionError> {
        let positional = self.all(&call.positional)?;
        let named = call
            .named
            .iter()
            .map(|(name, node)| Ok((name.clone(), self.eval(node)?)))
            .collect::<Result<_, ExpressionError>>()?;
        Ok(Arguments::new(positional, named))
    }

    fn method(
        &self,
        object: &Value<'a>,
        name: &str,
        arguments: &mut Arguments<'a>,
    ) -> Result<Value<'a>, String> {
        let scope = self.scope;
        let called = match object {
            Value::Text(text) => text::method(scope, text, name, arguments),
            Value::Date(_) | Value::Moment(_) | Value::Delta(_) => {
                datetime::method(scope, object, name, arguments)
            }
            _ => containers::method(scope, object, name, arguments),
        };
        called.unwrap_or_else(|| Err(format!("{} has no such method", object.kind())))
    }

    fn format(&mut self, pieces: &[Piece], at: usize) -> Evaluated<'a> {
        let here = |problem| ExpressionError::new(at, problem);
        let mut text = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Value { node, quoted, form } => {
                    let mut value = self.eval(node)?;
                    if *quoted {
                        value = Value::text(value.quoted());
                    }
                    text.push_str(&format::value(&value, form).map_err(here)?);
                }
            }
            self.scope.pay_bytes(text.len()).map_err(here)?;
        }
        Ok(Value::text(text))
    }

    fn collect(
        &mut self,
        element: &Node,
        loops: &[Loop],
    ) -> Result<Vec<Value<'a>>, ExpressionError> {
        let mut values = Vec::new();
        self.each(loops, &mut |it| {
            values.push(it.eval(element)?);
            Ok(())
        })?;
        Ok(values)
    }

    /// Does something for each turn of the loops.
    fn each(
        &mut self,
        loops: &[Loop],
        done: &mut dyn FnMut(&mut Self) -> Result<(), ExpressionError>,
    ) -> Result<(), ExpressionError> {
        let Some((first, rest)) = loops.split_first() else {
            return done(self);
        };
        let values = self.eval(&first.values)?;
        let here = |problem| ExpressionError::new(first.values.at, problem);
        let Some(values) = self.scope.elements(&values).map_err(here)? else {
            return Err(here(format!("{} has no elements", values.kind())));
        };
        let outside = self.locals.len();
        for value in values {
            self.bind(&first.targets, value).map_err(here)?;
            let mut wanted = true;
            for condition in &first.conditions {
                let value = self.eval(condition)?;
                wanted = value.is_true().map_err(here)?;
                if !wanted {
                    break;
                }
            }
            if wanted {
                self.each(rest, done)?;
            }
            self.locals.truncate(outside);
        }
        Ok(())
    }

    fn bind(&mut self, targets: &[String], value: Value<'a>) -> Result<(), String> {
        if let [only] = targets {
            self.locals.push((only.clone(), value));
            return Ok(());
        }
        let values = value.elements().unwrap_or_default();
        if values.len() != targets.len() {
            return Err(format!(
                "{} names for {} values",
                targets.len(),
                values.len()
            ));
        }
        self.locals.extend(targets.iter().cloned().zip(values));
        Ok(())
    }
}

/// What stands behind a dot without being called: a part of a date, or the member of an object.
fn attribute<'a>(scope: &Scope<'a>, object: &Value<'a>, name: &str) -> Result<Value<'a>, String> {
    if let Some(part) = datetime::part_of(object, name) {
        return Ok(part);
    }
    match scope.member(object, &Value::text(name.to_owned()))? {
        Some(value) => Ok(value),
        None if object.is_dict() => Err(format!("the object has no member '{name}'")),
        None => Err(format!("{} has no '{name}'", object.kind())),
    }
}
