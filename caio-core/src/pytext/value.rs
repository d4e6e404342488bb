//! Truth, `str()`, `repr()`, `==` and `.get()` of a JSON value read by Python.

use std::borrow::Cow;
use std::fmt::Write;

use serde_json::Number;
use serde_json::Value;

use super::PyException;
use super::float_repr;
use super::order::Numeric;

/// The Python type that `json.loads` makes of this value.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

/// `bool(value)`: null, false, zero and everything empty are false.
pub fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

/// `value.get(key)`; an `AttributeError` unless `value` is an object.
pub fn dict_get<'a>(value: &'a Value, key: &str) -> Result<Option<&'a Value>, PyException> {
    match value {
        Value::Object(members) => Ok(members.get(key)),
        other => Err(PyException::attribute(other, "get")),
    }
}

/// The text itself; an `AttributeError` naming `method` for any other type.
pub fn text_of<'a>(value: &'a Value, method: &str) -> Result<&'a str, PyException> {
    value
        .as_str()
        .ok_or_else(|| PyException::attribute(value, method))
}

/// `left == right`: numbers and booleans by value, the rest by content.
pub fn py_eq(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::String(left), Value::String(right)) => left == right,
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(a, b)| py_eq(a, b))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, a)| right.get(key).is_some_and(|b| py_eq(a, b)))
        }
        _ => match (Numeric::of(left), Numeric::of(right)) {
            (Some(left), Some(right)) => left.compare(right).is_eq(),
            _ => false,
        },
    }
}

/// `str(value)`: a text as it is, everything else as `repr` writes it.
pub fn str_of(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(repr(other)),
    }
}

/// `repr(value)`.
pub fn repr(value: &Value) -> String {
    let mut out = String::new();
    push_repr(&mut out, value);
    out
}

fn push_repr(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Number(number) => push_number(out, number),
        Value::String(text) => push_text_repr(out, text),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                push_repr(out, item);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (index, (key, item)) in members.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                push_text_repr(out, key);
                out.push_str(": ");
                push_repr(out, item);
            }
            out.push('}');
        }
    }
}

/// Writes a number as both `repr` and `json.dumps` do.
pub(super) fn push_number(out: &mut String, number: &Number) {
    if number.is_f64() {
        out.push_str(&float_repr(number.as_f64().unwrap_or(0.0)));
    } else {
        // Writing to a `String` cannot fail.
        let _ = write!(out, "{number}");
    }
}

/// A text in quotes: single ones unless it holds only single ones itself.
fn push_text_repr(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.push(quote);
    for c in text.chars() {
        // Writing to a `String` cannot fail.
        let _ = match c {
            '\\' => write!(out, "\\\\"),
            '\n' => write!(out, "\\n"),
            '\r' => write!(out, "\\r"),
            '\t' => write!(out, "\\t"),
            c if c == quote => write!(out, "\\{c}"),
            ' '..='~' => write!(out, "{c}"),
            c if is_printable(c) => write!(out, "{c}"),
            c => match u32::from(c) {
                code @ 0..=0xff => write!(out, "\\x{code:02x}"),
                code @ 0x100..=0xffff => write!(out, "\\u{code:04x}"),
                code => write!(out, "\\U{code:08x}"),
            },
        };
    }
    out.push(quote);
}

/// `str.isprintable` of one non-ASCII character.
///
/// Rust escapes by the same categories in `str::escape_debug`; behind a first character it
/// leaves combining marks alone, as Python does. Characters assigned after Unicode 14 are
/// printable here and not in Python 3.11.
fn is_printable(c: char) -> bool {
    let mut buffer = ['a'; 2];
    buffer[1] = c;
    let text: String = buffer.iter().collect();
    text.escape_debug().nth(1) == Some(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn containers_print_as_python_prints_them() {
        let value = json!({"a": [1, 1.0, true, null, "it's", "both ' and \""], "b": {}});
        assert_eq!(
            repr(&value),
            r#"{'a': [1, 1.0, True, None, "it's", 'both \' and "'], 'b': {}}"#
        );
        assert_eq!(
            repr(&json!("\u{7f}\u{ad}é\u{301}\u{2028}\u{1f600}\u{e0001}\\\n")),
            "'\\x7f\\xadé\u{301}\\u2028\u{1f600}\\U000e0001\\\\\\n'"
        );
        assert_eq!(str_of(&json!("a'b")), "a'b");
    }

    #[test]
    fn equality_is_by_value_across_number_types() {
        assert!(py_eq(&json!([1, {"a": 0}]), &json!([true, {"a": -0.0}])));
        assert!(!py_eq(
            &json!(9_007_199_254_740_993_i64),
            &json!(9_007_199_254_740_992.0)
        ));
        assert!(!py_eq(&json!(""), &json!(0)));
    }
}
