//! Keys and hashes: the same functions in both layers.
//!
//! A `str` that Rust can hold is answered here. Anything else (an int, bytes, a lone surrogate) is
//! asked for the methods that the old function called, so that it answers, or raises, as it did.

use caio_core::compat;
use caio_core::identity;
use caio_core::preview_hash::{PreviewScope, preview_hash};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

use crate::convert;
use crate::errors::{self, guarded};

/// Ids from which on a hash takes long enough to let other threads run.
const MANY: usize = 500;

const SCOPE: [&str; 5] = [
    "approved_cadence_actions",
    "approved_linkedin_shadow_ids",
    "approved_revival_emails",
    "approved_shadow_email_ids",
    "motion",
];

/// The canonical form of an address: stripped of white space and lower-cased, all of Unicode.
///
/// None and everything else that is false are `""`. Nothing is folded: `a+b@` stays what it is.
/// Raises `AttributeError` for an int, as the old function did.
#[pyfunction]
#[pyo3(signature = (email))]
pub(crate) fn normalize_email<'py>(email: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let Some(text) = held(email) else {
        return foreign(email);
    };
    if is_plain(text) {
        return Ok(email.clone());
    }
    Ok(PyString::new(email.py(), &identity::normalize_email(text)).into_any())
}

/// `email:` and the canonical address, or `""`: how a day's record names a person.
#[pyfunction]
#[pyo3(signature = (email))]
pub(crate) fn dedup_email_key<'py>(email: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = email.py();
    let Some(text) = held(email) else {
        let normal = foreign(email)?;
        if !normal.is_truthy()? {
            return Ok(PyString::new(py, "").into_any());
        }
        return intern!(py, "email:").add(normal.str()?);
    };
    let key = if is_plain(text) && !text.is_empty() {
        ["email:", text].concat()
    } else {
        identity::dedup_email_key(text)
    };
    Ok(PyString::new(py, &key).into_any())
}

/// First 24 hex digits of SHA-256 over the canonical address, or `""`: names a cadence record.
#[pyfunction]
#[pyo3(signature = (email))]
pub(crate) fn cadence_email_hash(email: &Bound<'_, PyAny>) -> PyResult<String> {
    let Some(text) = held(email) else {
        let normal = foreign(email)?;
        if !normal.is_truthy()? {
            return Ok(String::new());
        }
        // Raises as the old one did, for bytes and for lone surrogates.
        let bytes = normal.call_method1(intern!(email.py(), "encode"), ("utf-8",))?;
        return Err(convert::wrong_type(format!("{bytes} is no address")));
    };
    Ok(identity::cadence_email_hash(text))
}

/// `address|channel|s<step>|d<day>`: names one cadence action of an approved scope.
#[pyfunction]
#[pyo3(signature = (email, channel, step, day))]
pub(crate) fn cadence_action_id(email: &str, channel: &str, step: i64, day: i64) -> String {
    identity::cadence_action_id(email, channel, step, day)
}

/// SHA-256 (64 hex digits) over a batch's scope: motion, ids and actions, sorted.
///
/// `batch` is a dict or a dataclass instance. Text, recipients, expiry, tier and limits are not
/// covered (PR-3) and the hash has no key (PR-4): what an approval rests on is the seal. Raises
/// `TypeError` where a list is null or mixed, `ValueError` for a step or day that is no number.
#[pyfunction]
#[pyo3(signature = (batch))]
pub(crate) fn compute_preview_hash(batch: &Bound<'_, PyAny>) -> PyResult<String> {
    guarded(|| match plain_scope_hash(batch)? {
        Some(hash) => Ok(hash),
        None => {
            let scope = convert::picked(batch, &SCOPE)?;
            let hash = compat::compute_preview_hash(&scope).map_err(|it| errors::compat(&it))?;
            Ok(hash.as_str().to_owned())
        }
    })
}

/// The text of a `str`; `None` for any other type and for text with lone surrogates.
fn held<'a>(object: &'a Bound<'_, PyAny>) -> Option<&'a str> {
    object.cast::<PyString>().ok()?.to_str().ok()
}

/// Nothing to strip and nothing to lower.
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let edge = |byte: Option<&u8>| byte.is_some_and(|byte| *byte <= b' ');
    bytes
        .iter()
        .all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase())
        && !edge(bytes.first())
        && !edge(bytes.last())
}

/// `(email or "").strip().lower()` by the value's own methods.
fn foreign<'py>(email: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = email.py();
    if !email.is_truthy()? {
        return Ok(PyString::new(py, "").into_any());
    }
    email
        .call_method0(intern!(py, "strip"))?
        .call_method0(intern!(py, "lower"))
}

/// The hash of a dict whose scope is lists of texts without actions, borrowed, not copied; `None`
/// for any other shape.
fn plain_scope_hash(batch: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    let py = batch.py();
    let Ok(batch) = batch.cast_exact::<PyDict>() else {
        return Ok(None);
    };
    if let Some(actions) = batch.get_item(intern!(py, "approved_cadence_actions"))?
        && actions.is_truthy()?
    {
        return Ok(None);
    }
    let motion = batch.get_item(intern!(py, "motion"))?;
    let motion = match &motion {
        None => None,
        Some(motion) if motion.is_none() => None,
        Some(motion) => match held(motion) {
            Some(motion) => Some(motion),
            None => return Ok(None),
        },
    };
    let mut lists = Vec::with_capacity(3);
    for key in [
        intern!(py, "approved_shadow_email_ids"),
        intern!(py, "approved_linkedin_shadow_ids"),
        intern!(py, "approved_revival_emails"),
    ] {
        let Some(texts) = texts(batch.get_item(key)?) else {
            return Ok(None);
        };
        lists.push(texts);
    }
    let mut borrowed = Vec::with_capacity(3);
    for list in &lists {
        let mut ids = Vec::with_capacity(list.len());
        for id in list {
            match id.to_str() {
                Ok(id) => ids.push(id),
                Err(_) => return Ok(None),
            }
        }
        borrowed.push(ids);
    }
    let [shadow, linkedin, revival] = &borrowed[..] else {
        return Ok(None);
    };
    let scope = PreviewScope {
        motion,
        shadow_email_ids: shadow,
        linkedin_shadow_ids: linkedin,
        revival_emails: revival,
        cadence_actions: &[],
    };
    let hash = if shadow.len() + linkedin.len() + revival.len() > MANY {
        py.detach(|| preview_hash(&scope))
    } else {
        preview_hash(&scope)
    };
    Ok(Some(hash.as_str().to_owned()))
}

/// The texts of a list or tuple; `None` where it holds, or is, anything else.
fn texts<'py>(list: Option<Bound<'py, PyAny>>) -> Option<Vec<Bound<'py, PyString>>> {
    let Some(list) = list else {
        return Some(Vec::new());
    };
    let text = |item: Bound<'py, PyAny>| item.cast_into::<PyString>().ok();
    if let Ok(list) = list.cast::<PyList>() {
        list.iter().map(text).collect()
    } else if let Ok(tuple) = list.cast::<PyTuple>() {
        tuple.iter().map(text).collect()
    } else {
        None
    }
}
