//! Which values are equal, and which come first.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::{Outcome, Value};
use crate::expression::containers::hashable;

type Members<'a> = Vec<(Value<'a>, Value<'a>)>;

impl<'a> Value<'a> {
    /// Whether `==` holds.
    pub(in crate::expression) fn equals(&self, other: &Self) -> Outcome<bool> {
        if let (Self::Json(left), Self::Json(right)) = (self, other) {
            return Ok(left == right);
        }
        if let (Some(left), Some(right)) = (self.number()?, other.number()?) {
            return Ok(left.compare(&right)? == Ordering::Equal);
        }
        Ok(match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Text(left), Self::Text(right)) => left == right,
            (Self::Date(left), Self::Date(right)) => left == right,
            (Self::Moment(left), Self::Moment(right)) => left.compare(right) == Ok(Ordering::Equal),
            (Self::Delta(left), Self::Delta(right)) => left == right,
            (Self::Zone(left), Self::Zone(right)) => left == right,
            (Self::Tuple(left), Self::Tuple(right)) => all_equal(left, right)?,
            _ if self.kind() == "a list" && other.kind() == "a list" => {
                let (left, right) = (self.elements(), other.elements());
                all_equal(&left.unwrap_or_default(), &right.unwrap_or_default())?
            }
            _ => match (self.members(), other.members()) {
                (Some(left), Some(right)) => all_members_equal(left, right)?,
                _ => false,
            },
        })
    }

    /// The order of two values of one kind.
    pub(in crate::expression) fn compare(&self, other: &Self) -> Outcome<Ordering> {
        if let (Some(left), Some(right)) = (self.number()?, other.number()?) {
            return left.compare(&right);
        }
        match (self, other) {
            (Self::Text(left), Self::Text(right)) => Ok(left.cmp(right)),
            (Self::Date(left), Self::Date(right)) => Ok(left.cmp(right)),
            (Self::Moment(left), Self::Moment(right)) => left.compare(right),
            (Self::Delta(left), Self::Delta(right)) => Ok(left.cmp(right)),
            _ if self.kind() == other.kind() && matches!(self.kind(), "a list" | "a tuple") => {
                let (left, right) = (self.elements(), other.elements());
                let (left, right) = (left.unwrap_or_default(), right.unwrap_or_default());
                for (left, right) in left.iter().zip(&right) {
                    let order = left.compare(right)?;
                    if order != Ordering::Equal {
                        return Ok(order);
                    }
                }
                Ok(left.len().cmp(&right.len()))
            }
            _ => Err(format!(
                "{} and {} have no order",
                self.kind(),
                other.kind()
            )),
        }
    }
}

fn all_members_equal<'a>(left: Members<'a>, right: Members<'a>) -> Outcome<bool> {
    if left.len() != right.len() {
        return Ok(false);
    }
    let by_name = |(name, value): (Value<'a>, Value<'a>)| Ok((hashable(&name)?, value));
    let right = right.into_iter().map(by_name);
    let right = right.collect::<Outcome<HashMap<_, _>>>()?;
    for (name, value) in left {
        match right.get(&hashable(&name)?) {
            Some(other) if value.equals(other)? => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

fn all_equal<'a>(left: &[Value<'a>], right: &[Value<'a>]) -> Outcome<bool> {
    if left.len() != right.len() {
        return Ok(false);
    }
    for (left, right) in left.iter().zip(right) {
        if !left.equals(right)? {
            return Ok(false);
        }
    }
    Ok(true)
}
