//! Python's values as JSON values and back.

use std::collections::HashMap;
use std::fmt::Display;
use std::hash::{BuildHasherDefault, Hasher};

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use serde_json::{Map, Number, Value};

use crate::errors::Class;

/// Deepest nesting that is read: a record that holds itself has no end.
const DEEPEST: usize = 128;

/// What becomes of a value that JSON does not have, such as bytes or a `datetime`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Foreign {
    /// A `WrongType` that names it.
    Refuse,
    /// `null`: one odd field never costs the record.
    Null,
}

/// A Python value as JSON; refuses what JSON does not have.
pub(crate) fn to_value(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    value(object, Foreign::Refuse, 0)
}

fn value(object: &Bound<'_, PyAny>, foreign: Foreign, depth: usize) -> PyResult<Value> {
    if depth > DEEPEST {
        return Err(too_deep());
    }
    if let Ok(text) = object.cast::<PyString>() {
        return Ok(Value::String(text.to_str()?.to_owned()));
    }
    if object.is_none() {
        return Ok(Value::Null);
    }
    if let Ok(flag) = object.cast::<PyBool>() {
        return Ok(Value::Bool(flag.is_true()));
    }
    if let Ok(number) = object.cast::<PyInt>() {
        return whole(number, foreign);
    }
    if let Ok(number) = object.cast::<PyFloat>() {
        return match Number::from_f64(number.value()) {
            Some(number) => Ok(Value::Number(number)),
            None => refuse(foreign, || {
                format!("{} is not a JSON number", number.value())
            }),
        };
    }
    if let Ok(dict) = object.cast::<PyDict>() {
        return Ok(Value::Object(members(dict, foreign, depth)?));
    }
    if let Ok(list) = object.cast::<PyList>() {
        let items = list.iter().map(|item| value(&item, foreign, depth + 1));
        return Ok(Value::Array(items.collect::<PyResult<_>>()?));
    }
    if let Ok(tuple) = object.cast::<PyTuple>() {
        let items = tuple.iter().map(|item| value(&item, foreign, depth + 1));
        return Ok(Value::Array(items.collect::<PyResult<_>>()?));
    }
    if let Some(fields) = dataclass_fields(object)? {
        let mut members = Map::new();
        for name in fields {
            let member = object.getattr(name.as_str())?;
            members.insert(name, value(&member, foreign, depth + 1)?);
        }
        return Ok(Value::Object(members));
    }
    refuse(foreign, || {
        let class = object.get_type();
        let name = class
            .name()
            .map_or_else(|_| "?".to_owned(), |name| name.to_string());
        format!("a record holds text, numbers, booleans, None, lists and dicts, not {name}")
    })
}

fn members(
    dict: &Bound<'_, PyDict>,
    foreign: Foreign,
    depth: usize,
) -> PyResult<Map<String, Value>> {
    let mut members = Map::with_capacity(dict.len());
    for (key, member) in dict.iter() {
        let Ok(key) = key.cast::<PyString>() else {
            if foreign == Foreign::Null {
                continue;
            }
            return Err(wrong_type("the keys of a record are text"));
        };
        members.insert(
            key.to_str()?.to_owned(),
            value(&member, foreign, depth + 1)?,
        );
    }
    Ok(members)
}

/// An integer; one beyond 64 bits becomes a float, as JSON's readers have it.
fn whole(number: &Bound<'_, PyInt>, foreign: Foreign) -> PyResult<Value> {
    if let Ok(small) = number.extract::<i64>() {
        return Ok(Value::Number(small.into()));
    }
    if let Ok(large) = number.extract::<u64>() {
        return Ok(Value::Number(large.into()));
    }
    match number.extract::<f64>().ok().and_then(Number::from_f64) {
        Some(number) => Ok(Value::Number(number)),
        None => refuse(foreign, || "an integer is larger than any float".to_owned()),
    }
}

fn refuse(foreign: Foreign, message: impl FnOnce() -> String) -> PyResult<Value> {
    match foreign {
        Foreign::Null => Ok(Value::Null),
        Foreign::Refuse => Err(wrong_type(message())),
    }
}

/// A `WrongType` (a `TypeError`).
pub(crate) fn wrong_type(message: impl Into<String>) -> PyErr {
    Class::WrongType.error("input.wrong_type", message)
}

/// The fields of a dataclass instance; `None` for everything else.
fn dataclass_fields(object: &Bound<'_, PyAny>) -> PyResult<Option<Vec<String>>> {
    let py = object.py();
    if !object.hasattr(intern!(py, "__dataclass_fields__"))?
        || object.is_instance_of::<pyo3::types::PyType>()
    {
        return Ok(None);
    }
    let fields = object.getattr(intern!(py, "__dataclass_fields__"))?;
    fields
        .try_iter()?
        .map(|name| name?.extract())
        .collect::<PyResult<_>>()
        .map(Some)
}

/// A record, given as a dict or as a dataclass instance, reduced to `keys`. Anything else is
/// converted whole, so that the old exception for its type is raised further on.
pub(crate) fn picked(object: &Bound<'_, PyAny>, keys: &[&str]) -> PyResult<Value> {
    let mut members = Map::with_capacity(keys.len());
    if let Ok(dict) = object.cast::<PyDict>() {
        for key in keys {
            if let Some(member) = dict.get_item(PyString::intern(object.py(), key))? {
                members.insert((*key).to_owned(), to_value(&member)?);
            }
        }
    } else if dataclass_fields(object)?.is_some() {
        for key in keys {
            if let Some(member) = object.getattr_opt(*key)? {
                members.insert((*key).to_owned(), to_value(&member)?);
            }
        }
    } else {
        return to_value(object);
    }
    Ok(Value::Object(members))
}

/// Names of members that nearly every answer has, as Python's own texts.
static NAMES: PyOnceLock<HashMap<&'static str, Py<PyString>, BuildHasherDefault<ShortText>>> =
    PyOnceLock::new();

/// Hashes names that this module itself has chosen: nobody can send colliding ones, and the usual
/// hash took a fifth of a scored lead's time.
#[derive(Default)]
struct ShortText(u64);

impl Hasher for ShortText {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            let mixed = self.0.rotate_left(5) ^ u64::from_le_bytes(word);
            self.0 = mixed.wrapping_mul(0x517c_c1b7_2722_0a95);
        }
    }

    fn finish(&self) -> u64 {
        self.0.rotate_left(26)
    }
}

const COMMON: [&str; 80] = [
    "lead_id",
    "linkedin_url",
    "name",
    "title",
    "company",
    "icp_score",
    "icp_tier",
    "intent_score",
    "source_type",
    "source_name",
    "segment_tags",
    "score_breakdown",
    "scoring_reasons",
    "disqualification_reason",
    "needs_review",
    "email",
    "company_size",
    "industry",
    "recommended_campaign",
    "personalization_hooks",
    "title_seniority",
    "industry_fit",
    "tech_signals",
    "tech_stack",
    "intent_types",
    "intent_signals",
    "engagement_bonus",
    "batch_id",
    "created_at",
    "motion",
    "status",
    "date",
    "cadence_id",
    "tier",
    "started_at",
    "current_step",
    "exit_reason",
    "linkedin_connected",
    "lead_data",
    "steps_completed",
    "last_step_at",
    "next_step_due",
    "paused_at",
    "step",
    "day",
    "channel",
    "action",
    "at",
    "first_name",
    "last_name",
    "custom_variables",
    "icpScore",
    "icpTier",
    "sourceType",
    "campaignType",
    "ghl_contact_id",
    "shadow_email_id",
    "pipeline_run_id",
    "value",
    "signals",
    "status_history",
    "updated_at",
    "open_count",
    "reply_count",
    "employee_count",
    "technologies",
    "revenue_estimate",
    "intent",
    "contact",
    "work_email",
    "verified_email",
    "original_lead",
    "website_visits",
    "content_downloads",
    "pricing_page_visits",
    "demo_requested",
    "tier_1",
    "tier_2",
    "tier_3",
    "tier_4",
];

pub(crate) fn name<'py>(py: Python<'py>, text: &str) -> Bound<'py, PyString> {
    let names = NAMES.get_or_init(py, || {
        COMMON
            .into_iter()
            .map(|it| (it, PyString::intern(py, it).unbind()))
            .collect()
    });
    match names.get(text) {
        Some(known) => known.bind(py).clone(),
        None => PyString::new(py, text),
    }
}

/// A JSON value as Python's.
pub(crate) fn to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(flag) => PyBool::new(py, *flag).to_owned().into_any(),
        Value::Number(number) => {
            if let Some(small) = number.as_i64() {
                small.into_pyobject(py)?.into_any()
            } else if let Some(large) = number.as_u64() {
                large.into_pyobject(py)?.into_any()
            } else {
                PyFloat::new(py, number.as_f64().unwrap_or(f64::NAN)).into_any()
            }
        }
        Value::String(text) => PyString::new(py, text).into_any(),
        Value::Array(items) => {
            let items: Vec<_> = items
                .iter()
                .map(|it| to_python(py, it))
                .collect::<PyResult<_>>()?;
            PyList::new(py, items)?.into_any()
        }
        Value::Object(members) => {
            let dict = PyDict::new(py);
            for (key, member) in members {
                dict.set_item(name(py, key), to_python(py, member)?)?;
            }
            dict.into_any()
        }
    })
}

/// A record as JSON text, for readers of text; what JSON does not have is `null`.
pub(crate) fn push_json(out: &mut String, object: &Bound<'_, PyAny>) -> PyResult<()> {
    json_text(out, object, 0)
}

fn json_text(out: &mut String, object: &Bound<'_, PyAny>, depth: usize) -> PyResult<()> {
    if let Ok(text) = object.cast::<PyString>() {
        push_text(out, text);
    } else if let Ok(dict) = object.cast::<PyDict>() {
        if depth > DEEPEST {
            return Err(too_deep());
        }
        out.push('{');
        let mut first = true;
        for (key, member) in dict.iter() {
            let Ok(key) = key.cast::<PyString>() else {
                continue;
            };
            if key.to_str().is_err() {
                continue;
            }
            out.push_str(if first { "" } else { "," });
            first = false;
            push_text(out, key);
            out.push(':');
            json_text(out, &member, depth + 1)?;
        }
        out.push('}');
    } else {
        // Numbers, lists and everything rarer.
        let value = value(object, Foreign::Null, depth)?;
        out.push_str(&value.to_string());
    }
    Ok(())
}

/// A text; one with lone surrogates is none that a record can hold.
fn push_text(out: &mut String, text: &Bound<'_, PyString>) {
    let Ok(text) = text.to_str() else {
        out.push_str("null");
        return;
    };
    let plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&Value::String(text.to_owned()).to_string());
    }
}

fn too_deep() -> PyErr {
    Class::InvalidInput.error(
        "input.too_deep",
        format!("a record is nested deeper than {DEEPEST} levels"),
    )
}

/// A `datetime.date`, or the date of a `datetime.datetime`.
pub(crate) fn date(object: &Bound<'_, PyAny>) -> PyResult<Date> {
    let py = object.py();
    let part = |name| object.getattr_opt(name);
    let (Some(year), Some(month), Some(day)) = (
        part(intern!(py, "year"))?,
        part(intern!(py, "month"))?,
        part(intern!(py, "day"))?,
    ) else {
        return Err(wrong_type("expected a datetime.date"));
    };
    Date::new(year.extract()?, month.extract()?, day.extract()?).map_err(invalid)
}

/// An instant from a `datetime.datetime`; a naive one is read as UTC (CP9).
pub(crate) fn instant(object: &Bound<'_, PyAny>) -> PyResult<Timestamp> {
    let py = object.py();
    let Some(hour) = object.getattr_opt(intern!(py, "hour"))? else {
        return Err(wrong_type("expected a datetime.datetime"));
    };
    let part = |name: &str| object.getattr(name);
    let micros: i32 = part("microsecond")?.extract()?;
    let local = DateTime::from_parts(
        date(object)?,
        jiff::civil::Time::new(
            hour.extract()?,
            part("minute")?.extract()?,
            part("second")?.extract()?,
            micros * 1000,
        )
        .map_err(invalid)?,
    );
    let utc = local
        .to_zoned(jiff::tz::TimeZone::UTC)
        .map_err(invalid)?
        .timestamp();
    let offset = object.call_method0(intern!(py, "utcoffset"))?;
    if offset.is_none() {
        return Ok(utc);
    }
    let seconds: i64 = offset.getattr("days")?.extract::<i64>()? * 86_400
        + offset.getattr("seconds")?.extract::<i64>()?;
    let micros: i64 = offset.getattr("microseconds")?.extract()?;
    utc.checked_sub(jiff::SignedDuration::from_micros(
        seconds * 1_000_000 + micros,
    ))
    .map_err(invalid)
}

/// The instant given, or the clock's.
pub(crate) fn instant_or_now(object: Option<&Bound<'_, PyAny>>) -> PyResult<Timestamp> {
    match object {
        Some(object) if !object.is_none() => instant(object),
        _ => Ok(now()),
    }
}

/// The clock of the machine.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the module reads the clock"
)]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// An `InvalidInput` (a `ValueError`).
pub(crate) fn invalid(problem: impl Display) -> PyErr {
    Class::InvalidInput.error("input.invalid", problem.to_string())
}

/// A path, given as text or as a `pathlib.Path`.
pub(crate) fn path(object: &Bound<'_, PyAny>) -> PyResult<std::path::PathBuf> {
    object
        .extract()
        .map_err(|_: PyErr| PyTypeError::new_err("expected a path: str or os.PathLike"))
}
