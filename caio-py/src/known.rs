//! Texts that answers say over and over, as Python holds them: making one anew costs more than what
//! is said by it.

use std::hash::{BuildHasher, Hash};
use std::sync::Mutex;

use foldhash::fast::FixedState;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};

/// Texts that are kept; a new one takes the place of another, so that memory stays as it is.
const MOST: usize = 4096;

/// Longest text that is kept, in bytes.
const LONGEST: usize = 160;

/// Each text in the place that its hash names. Whoever finds it locked does without: making a list may
/// run code of the caller's, which may come back here or fork.
static KNOWN: Mutex<Vec<Option<Py<PyString>>>> = Mutex::new(Vec::new());

/// The text as Python's, the same object as long as it is kept.
pub(crate) fn text<'py>(py: Python<'py>, text: &str) -> Bound<'py, PyString> {
    match KNOWN.try_lock() {
        Ok(mut known) => find(py, &mut known, text),
        Err(_) => PyString::new(py, text),
    }
}

/// A list of such texts.
pub(crate) fn list<'py, 't>(
    py: Python<'py>,
    texts: impl ExactSizeIterator<Item = &'t str>,
) -> PyResult<Bound<'py, PyList>> {
    if texts.len() == 0 {
        return Ok(PyList::empty(py));
    }
    match KNOWN.try_lock() {
        Ok(mut known) => PyList::new(py, texts.map(|text| find(py, &mut known, text))),
        Err(_) => PyList::new(py, texts),
    }
}

fn find<'py>(
    py: Python<'py>,
    known: &mut Vec<Option<Py<PyString>>>,
    text: &str,
) -> Bound<'py, PyString> {
    if text.len() > LONGEST {
        return PyString::new(py, text);
    }
    if known.is_empty() {
        known.resize_with(MOST, || None);
    }
    let Some(kept) = known.get_mut(place(&text, MOST)) else {
        return PyString::new(py, text);
    };
    if let Some(kept) = kept
        && kept.to_str(py).is_ok_and(|kept| kept == text)
    {
        return kept.bind(py).clone();
    }
    let made = PyString::new(py, text);
    *kept = Some(made.clone().unbind());
    made
}

/// The one of so many places that belongs to a key.
pub(crate) fn place(key: &impl Hash, places: usize) -> usize {
    let hash = FixedState::default().hash_one(key);
    usize::try_from(hash % places as u64).unwrap_or(0)
}
