//! `iter()`, `<` and `sorted()` over JSON values.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use super::PyException;
use super::py_eq;
use super::type_name;

/// A number or boolean, for comparisons by exact value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Numeric {
    Int(i128),
    Float(f64),
}

impl Numeric {
    /// The number that `value` is; `None` for every other type.
    pub(super) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(flag) => Some(Self::Int(i128::from(*flag))),
            Value::Number(number) => number
                .as_i128()
                .map(Self::Int)
                .or_else(|| number.as_f64().map(Self::Float)),
            _ => None,
        }
    }

    /// Exact comparison, without rounding an integer to a float.
    pub(super) fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Int(left), Self::Int(right)) => left.cmp(&right),
            (Self::Float(left), Self::Float(right)) => {
                left.partial_cmp(&right).unwrap_or(Ordering::Equal)
            }
            (Self::Int(left), Self::Float(right)) => compare_int_float(left, right),
            (Self::Float(left), Self::Int(right)) => compare_int_float(right, left).reverse(),
        }
    }
}

fn compare_int_float(int: i128, float: f64) -> Ordering {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates far outside the 65 bits that an integer of JSON needs"
    )]
    let whole = float.trunc() as i128;
    int.cmp(&whole)
        .then_with(|| 0.0.partial_cmp(&float.fract()).unwrap_or(Ordering::Equal))
}

/// `left < right`; a `TypeError` for types that have no order.
fn less_than(left: &Value, right: &Value) -> Result<bool, PyException> {
    match (left, right) {
        (Value::String(left), Value::String(right)) => Ok(left < right),
        (Value::Array(left), Value::Array(right)) => {
            match left.iter().zip(right).find(|(a, b)| !py_eq(a, b)) {
                Some((a, b)) => less_than(a, b),
                None => Ok(left.len() < right.len()),
            }
        }
        _ => match (Numeric::of(left), Numeric::of(right)) {
            (Some(a), Some(b)) => Ok(a.compare(b).is_lt()),
            _ => Err(PyException::type_error(format!(
                "'<' not supported between instances of '{}' and '{}'",
                type_name(left),
                type_name(right)
            ))),
        },
    }
}

/// What `for item in value` yields: items of a list, keys of an object, characters of a text.
pub fn iterate(value: &Value) -> Result<Vec<Cow<'_, Value>>, PyException> {
    match value {
        Value::Array(items) => Ok(items.iter().map(Cow::Borrowed).collect()),
        Value::Object(members) => Ok(members
            .keys()
            .map(|key| Cow::Owned(Value::String(key.clone())))
            .collect()),
        Value::String(text) => Ok(text
            .chars()
            .map(|c| Cow::Owned(Value::String(c.to_string())))
            .collect()),
        other => Err(PyException::type_error(format!(
            "'{}' object is not iterable",
            type_name(other)
        ))),
    }
}

/// `sorted(items)`: stable; a `TypeError` when two items have no order.
///
/// A merge sort of our own, since the standard one may panic over an order that fails half-way.
pub fn sorted(mut items: Vec<Cow<'_, Value>>) -> Result<Vec<Cow<'_, Value>>, PyException> {
    if items.len() < 2 {
        return Ok(items);
    }
    let upper = sorted(items.split_off(items.len() / 2))?;
    let mut lower = sorted(items)?.into_iter().peekable();
    let mut upper = upper.into_iter().peekable();
    let mut merged = Vec::with_capacity(lower.len() + upper.len());
    while let (Some(left), Some(right)) = (lower.peek(), upper.peek()) {
        let next = if less_than(right, left)? {
            upper.next()
        } else {
            lower.next()
        };
        merged.extend(next);
    }
    merged.extend(lower);
    merged.extend(upper);
    Ok(merged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sort(value: &Value) -> Result<Value, PyException> {
        let items = sorted(iterate(value)?)?;
        Ok(Value::Array(
            items.into_iter().map(Cow::into_owned).collect(),
        ))
    }

    #[test]
    fn mixed_numbers_sort_and_mixed_types_raise() {
        assert_eq!(
            sort(&json!([2, 1.5, true, 1])),
            Ok(json!([true, 1, 1.5, 2]))
        );
        assert_eq!(sort(&json!("cba")), Ok(json!(["a", "b", "c"])));
        assert_eq!(sort(&json!({"b": 1, "a": 2})), Ok(json!(["a", "b"])));
        assert_eq!(
            sort(&json!([["b"], ["a", null], ["a"]])),
            Ok(json!([["a"], ["a", null], ["b"]]))
        );
        assert_eq!(sort(&json!([{"a": 1}])), Ok(json!([{"a": 1}])));
        for refused in [
            json!(["a", 1]),
            json!([null, null]),
            json!([{}, {}]),
            json!(7),
            json!(null),
        ] {
            assert_eq!(
                sort(&refused).unwrap_err().exception,
                "TypeError",
                "{refused}"
            );
        }
    }

    #[test]
    fn integers_beyond_the_mantissa_compare_exactly() {
        let (int, float) = (
            json!(9_007_199_254_740_993_i64),
            json!(9_007_199_254_740_992.0),
        );
        assert_eq!(less_than(&float, &int), Ok(true));
        assert_eq!(less_than(&int, &float), Ok(false));
        assert_eq!(less_than(&json!(-3), &json!(-2.5)), Ok(true));
        assert_eq!(less_than(&json!(u64::MAX), &json!(1e300)), Ok(true));
    }
}
