//! `int()` and `repr(float)`.

use std::fmt;

use serde_json::Value;

use super::PyException;
use super::digit::decimal;
use super::is_space;
use super::repr;
use super::type_name;

/// Python refuses to read a decimal text with more digits than this.
const MAX_DIGITS: usize = 4300;

/// A Python integer, which has no upper bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PyInt {
    /// One that fits a machine word.
    Small(i64),
    /// Decimal digits of a larger one, with a leading `-` when negative.
    Big(String),
}

impl fmt::Display for PyInt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Small(number) => number.fmt(f),
            Self::Big(digits) => f.write_str(digits),
        }
    }
}

impl PyInt {
    fn from_digits(negative: bool, digits: &str) -> Self {
        let digits = digits.trim_start_matches('0');
        let text = if digits.is_empty() {
            "0".to_owned()
        } else if negative {
            format!("-{digits}")
        } else {
            digits.to_owned()
        };
        text.parse().map_or(Self::Big(text), Self::Small)
    }
}

/// `int(value)`: texts are read, floats truncated; refuses null, lists and objects with a
/// `TypeError` and texts that are no number with a `ValueError`.
pub fn int_of(value: &Value) -> Result<PyInt, PyException> {
    match value {
        Value::Bool(flag) => Ok(PyInt::Small(i64::from(*flag))),
        Value::Number(number) => Ok(if let Some(small) = number.as_i64() {
            PyInt::Small(small)
        } else if let Some(large) = number.as_u64() {
            PyInt::Big(large.to_string())
        } else {
            let whole = number.as_f64().unwrap_or(0.0).trunc();
            PyInt::from_digits(whole < 0.0, &format!("{:.0}", whole.abs()))
        }),
        Value::String(text) => parse_int(text).ok_or_else(|| {
            PyException::value_error(format!(
                "invalid literal for int() with base 10: {}",
                repr(value)
            ))
        }),
        Value::Null | Value::Array(_) | Value::Object(_) => Err(PyException::type_error(format!(
            "int() argument must be a string, a bytes-like object or a real number, not '{}'",
            type_name(value)
        ))),
    }
}

/// Decimal text as `int()` reads it: white space around, one sign, digits of any script, single
/// underscores between digits.
fn parse_int(text: &str) -> Option<PyInt> {
    // Unlike `strip`, `int` does not skip U+001C–U+001F.
    let text = text.trim_matches(|c: char| is_space(c) && !('\u{1c}'..='\u{1f}').contains(&c));
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut plain = String::with_capacity(digits.len());
    let mut after_digit = false;
    for c in digits.chars() {
        if let Some(digit) = decimal(c) {
            plain.push(char::from(b'0' + digit));
            after_digit = true;
        } else if c == '_' && after_digit {
            after_digit = false;
        } else {
            return None;
        }
    }
    (after_digit && plain.len() <= MAX_DIGITS).then(|| PyInt::from_digits(negative, &plain))
}

/// `repr(number)`: the shortest digits that read back, in scientific form from `1e+16` on and
/// below `1e-4`.
pub fn float_repr(number: f64) -> String {
    let scientific = format!("{number:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = number.to_string();
        if plain.contains('.') {
            plain
        } else {
            format!("{plain}.0")
        }
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn int(value: &Value) -> String {
        match int_of(value) {
            Ok(number) => number.to_string(),
            Err(raised) => raised.exception.to_owned(),
        }
    }

    #[test]
    fn int_reads_what_python_reads() {
        for (value, expected) in [
            (json!(" 4 "), "4"),
            (json!("\u{a0}6"), "6"),
            (json!("1_000"), "1000"),
            (json!("-007"), "-7"),
            (json!("+0"), "0"),
            (json!("-0"), "0"),
            (json!("١٢"), "12"),
            (json!("99999999999999999999"), "99999999999999999999"),
            (json!("9".repeat(4300)), &"9".repeat(4300)),
            (json!("9".repeat(4301)), "ValueError"),
            (json!(-2.7), "-2"),
            (json!(-0.5), "0"),
            (json!(1e22), "10000000000000000000000"),
            (json!(u64::MAX), "18446744073709551615"),
            (json!(true), "1"),
            (json!("\u{1c}5"), "ValueError"),
            (json!("1__0"), "ValueError"),
            (json!("_1"), "ValueError"),
            (json!("1_"), "ValueError"),
            (json!("+ 5"), "ValueError"),
            (json!(""), "ValueError"),
            (json!("3.0"), "ValueError"),
            (json!("½"), "ValueError"),
            (json!(null), "TypeError"),
            (json!([1]), "TypeError"),
        ] {
            assert_eq!(int(&value), expected, "{value}");
        }
    }

    #[test]
    fn float_texts_switch_to_scientific_where_python_does() {
        for (number, expected) in [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (0.1, "0.1"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.5e300, "1.5e+300"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (5e-324, "5e-324"),
        ] {
            assert_eq!(float_repr(number), expected);
        }
    }
}
