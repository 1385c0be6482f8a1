//! Lists, tuples and objects: looking into them, making them, and their methods.

use std::rc::Rc;

use super::arguments::Arguments;
use super::scope::Scope;
use super::value::{Outcome, Value};
use crate::value::ValueKind;

type Method = for<'a> fn(&Scope<'a>, &Value<'a>, &mut Arguments<'a>) -> Outcome<Value<'a>>;

pub(super) const DICT_METHODS: &[(&str, Method)] = &[
    ("copy", |_, object, _| Ok(object.clone())),
    ("get", |scope, object, arguments| {
        let name = arguments.need("key")?;
        let default = arguments.next("default").unwrap_or(Value::None);
        Ok(scope.member(object, &name)?.unwrap_or(default))
    }),
    ("items", |scope, object, _| {
        let members = paid(scope, object.members())?;
        let pair = |(name, value)| Value::Tuple(Rc::new(vec![name, value]));
        Ok(Value::list(members.into_iter().map(pair).collect()))
    }),
    ("keys", |scope, object, _| {
        Ok(Value::list(paid(scope, object.elements())?))
    }),
    ("values", |scope, object, _| {
        let members = paid(scope, object.members())?;
        Ok(Value::list(
            members.into_iter().map(|(_, value)| value).collect(),
        ))
    }),
];

pub(super) const LIST_METHODS: &[(&str, Method)] = &[
    ("copy", |_, list, _| Ok(list.clone())),
    ("count", |scope, list, arguments| {
        let wanted = arguments.need("value")?;
        let mut count = 0;
        for element in paid(scope, list.elements())? {
            count += usize::from(element.equals(&wanted)?);
        }
        Ok(Value::int(count))
    }),
    ("index", |scope, list, arguments| {
        let wanted = arguments.need("value")?;
        for (index, element) in paid(scope, list.elements())?.iter().enumerate() {
            if element.equals(&wanted)? {
                return Ok(Value::int(index));
            }
        }
        Err("the list has no such element".to_owned())
    }),
];

fn paid<'a, T>(scope: &Scope<'a>, values: Option<Vec<T>>) -> Outcome<Vec<T>> {
    let values = values.unwrap_or_default();
    scope.pay(values.len())?;
    Ok(values)
}

pub(super) fn method<'a>(
    scope: &Scope<'a>,
    object: &Value<'a>,
    name: &str,
    arguments: &mut Arguments<'a>,
) -> Option<Outcome<Value<'a>>> {
    let methods = match object.kind() {
        "an object" => DICT_METHODS,
        "a list" | "a tuple" => LIST_METHODS,
        _ => return None,
    };
    let (_, method) = methods.iter().find(|(other, _)| *other == name)?;
    Some(method(scope, object, arguments))
}

/// An object of these members. Of one name the last counts.
pub(super) fn dict<'a>(
    scope: &Scope<'a>,
    members: Vec<(Value<'a>, Value<'a>)>,
) -> Outcome<Value<'a>> {
    let mut unique: Vec<(Value<'a>, Value<'a>)> = Vec::with_capacity(members.len());
    let mut places = std::collections::HashMap::<String, usize>::new();
    for (name, value) in members {
        scope.pay(1)?;
        match places.entry(hashable(&name)?) {
            std::collections::hash_map::Entry::Occupied(place) => {
                unique[*place.get()].1 = value;
            }
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(unique.len());
                unique.push((name, value));
            }
        }
    }
    Ok(Value::Dict(Rc::new(unique)))
}

/// What is the same for equal values. Lists and objects have none, as in Python.
pub(super) fn hashable(value: &Value<'_>) -> Outcome<String> {
    match value {
        Value::Text(text) => Ok(format!("t{text}")),
        Value::Tuple(values) => {
            let parts: Outcome<Vec<_>> = values.iter().map(hashable).collect();
            Ok(format!("({})", parts?.join("\u{0}")))
        }
        _ if matches!(value.kind(), "a list" | "an object" | "a function") => Err(format!(
            "{} cannot be the name of a member or the element of a set",
            value.kind()
        )),
        _ => match value.number()? {
            Some(number) => Ok(format!("n{}", number.canonical())),
            None => Ok(value.quoted()),
        },
    }
}

/// A set: a list without repetitions, in the order in which its elements came.
pub(super) fn distinct<'a>(scope: &Scope<'a>, values: Vec<Value<'a>>) -> Outcome<Value<'a>> {
    scope.pay(values.len())?;
    let mut seen = std::collections::HashSet::new();
    let mut distinct = Vec::with_capacity(values.len());
    for value in values {
        if seen.insert(hashable(&value)?) {
            distinct.push(value);
        }
    }
    Ok(Value::list(distinct))
}

/// `wanted in object`
pub(super) fn contains<'a>(
    scope: &Scope<'a>,
    object: &Value<'a>,
    wanted: &Value<'a>,
) -> Outcome<bool> {
    if let (Value::Text(text), Value::Text(part)) = (object, wanted) {
        return Ok(text.contains(&**part));
    }
    if object.is_dict() {
        return Ok(scope.member(object, wanted)?.is_some());
    }
    let elements = match object {
        Value::Text(_) => None,
        other => other.elements(),
    };
    let Some(elements) = elements else {
        return Err(format!(
            "`in` does not go with {} and {}",
            wanted.kind(),
            object.kind()
        ));
    };
    for element in elements {
        scope.pay(1)?;
        if element.equals(wanted)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `object[index]`
pub(super) fn at<'a>(
    scope: &Scope<'a>,
    object: &Value<'a>,
    index: &Value<'a>,
) -> Outcome<Value<'a>> {
    if object.is_dict() {
        let found = scope.member(object, index)?;
        return found.ok_or_else(|| match index {
            Value::Text(_) => "the object has no such member; .get() gives None then".to_owned(),
            other => format!(
                "the object has no such member: the name is {}",
                other.kind()
            ),
        });
    }
    let list = matches!(object.kind(), "a list" | "a tuple" | "text");
    if !list {
        return Err(format!("{} has no elements", object.kind()));
    }
    let whole = || format!("an index is a whole number, not {}", index.kind());
    let index = index.index().ok_or_else(whole)?;
    let found = match object {
        Value::Text(text) if index >= 0 => {
            let c = text.chars().nth(index as usize);
            c.map(|c| Value::text(c.to_string()))
        }
        Value::Text(text) => {
            let c = text.chars().rev().nth(index.unsigned_abs() as usize - 1);
            c.map(|c| Value::text(c.to_string()))
        }
        Value::Json(json) if json.kind() == ValueKind::Array && index >= 0 => {
            json.elements().nth(index as usize).map(Value::of)
        }
        _ => {
            let elements = object.elements().unwrap_or_default();
            let at = if index < 0 {
                index + elements.len() as i64
            } else {
                index
            };
            usize::try_from(at)
                .ok()
                .and_then(|at| elements.get(at).cloned())
        }
    };
    found.ok_or_else(|| format!("{} has fewer elements", object.kind()))
}

/// `object[from:to:step]`
pub(super) fn slice<'a>(
    scope: &Scope<'a>,
    object: &Value<'a>,
    [from, to, step]: [Option<i64>; 3],
) -> Outcome<Value<'a>> {
    let elements = if object.is_dict() {
        None
    } else {
        scope.elements(object)?
    };
    let Some(elements) = elements else {
        return Err(format!("{} has no slices", object.kind()));
    };
    let step = step.unwrap_or(1);
    let length = elements.len() as i64;
    let place = |bound: i64, least: i64, most: i64| {
        let bound = if bound < 0 {
            bound.saturating_add(length)
        } else {
            bound
        };
        bound.clamp(least, most)
    };
    let mut taken = Vec::new();
    let (mut at, end) = match step {
        0 => return Err("the step of a slice cannot be 0".to_owned()),
        1.. => (
            from.map_or(0, |from| place(from, 0, length)),
            to.map_or(length, |to| place(to, 0, length)),
        ),
        _ => (
            from.map_or(length - 1, |from| place(from, -1, length - 1)),
            to.map_or(-1, |to| place(to, -1, length - 1)),
        ),
    };
    while if step > 0 { at < end } else { at > end } {
        taken.extend(elements.get(at as usize).cloned());
        at = at.saturating_add(step);
    }
    Ok(match object {
        Value::Text(_) => {
            let text: String = taken.iter().map(Value::to_text).collect();
            scope.pay_bytes(text.len())?;
            Value::text(text)
        }
        Value::Tuple(_) => Value::Tuple(Rc::new(taken)),
        _ => Value::list(taken),
    })
}
