//! The pieces of Python's semantics that parity rests on.
//!
//! The Python system's records, hashes and decisions were made by Python 3.11 with Unicode 14;
//! where Rust's own functions differ (white space, number texts, dates, `str()` of a list), the
//! functions here answer as Python does. Values are [`serde_json::Value`]s: what JSON cannot
//! carry (bytes, NaN, lone surrogates) is the business of the Python module, as are integers beyond
//! 64 bits and `-0`, which arrive here as floats.

mod datetime;
mod digit;
mod json;
mod number;
mod order;
mod text;
mod value;

pub use datetime::PyDateTime;
pub use datetime::fromisoformat;
pub use datetime::strptime_ymd;
pub use json::loads;
pub use json::push_ascii_json;
pub use json::push_ascii_string;
pub use json::{dumps, dumps_indented};
pub use number::PyInt;
pub use number::float_repr;
pub use number::int_of;
pub use order::iterate;
pub use order::sorted;
pub use text::is_space;
pub use text::py_strip;
pub use value::dict_get;
pub use value::is_truthy;
pub use value::py_eq;
pub use value::repr;
pub use value::str_of;
pub use value::text_of;
pub use value::type_name;

/// An exception that Python would have raised.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{exception}: {message}")]
pub struct PyException {
    /// Class name, such as `TypeError`.
    pub exception: &'static str,
    /// What was wrong.
    pub message: String,
}

impl PyException {
    /// An `AttributeError`: `value` has no method `attribute`.
    pub(crate) fn attribute(value: &serde_json::Value, attribute: &str) -> Self {
        Self {
            exception: "AttributeError",
            message: format!(
                "'{}' object has no attribute '{attribute}'",
                type_name(value)
            ),
        }
    }

    /// A `TypeError`.
    pub(crate) fn type_error(message: impl Into<String>) -> Self {
        Self {
            exception: "TypeError",
            message: message.into(),
        }
    }

    /// A `ValueError`.
    pub(crate) fn value_error(message: impl Into<String>) -> Self {
        Self {
            exception: "ValueError",
            message: message.into(),
        }
    }

    /// Stable code of this error.
    pub const fn code(&self) -> &'static str {
        "compat.raised"
    }
}
