//! Dicts of one shape: copying one that has all keys is cheaper than adding them one by one.

use std::hash::Hash;
use std::sync::Mutex;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

use crate::known::place;

/// A dict that is made once and copied from then on. It holds nothing that can be changed.
pub(crate) struct Template(PyOnceLock<Py<PyDict>>);

impl Template {
    pub(crate) const fn new() -> Self {
        Self(PyOnceLock::new())
    }

    /// A copy of the dict that `make` makes the first time.
    pub(crate) fn copy<'py>(
        &self,
        py: Python<'py>,
        make: impl FnOnce() -> PyResult<Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let dict = self.0.get_or_try_init(py, || make().map(Bound::unbind))?;
        dict.bind(py).copy()
    }
}

/// Dicts that are told by a key, made once as long as they are kept and copied from then on. They
/// hold nothing that can be changed.
pub(crate) struct Templates<K>(Mutex<Vec<Place<K>>>);

/// A key and its dict, where one is kept.
type Place<K> = Option<(K, Py<PyDict>)>;

/// Dicts that are kept; a new one takes the place of another, so that memory stays as it is.
const MOST: usize = 1024;

impl<K: Hash + Eq> Templates<K> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// A copy of the dict that `make` makes of the key.
    pub(crate) fn copy<'py>(
        &self,
        py: Python<'py>,
        key: K,
        make: impl FnOnce(&K) -> PyResult<Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let at = place(&key, MOST);
        // Whoever finds it locked does without.
        let kept = self.0.try_lock().ok().and_then(|kept| match kept.get(at) {
            Some(Some((known, dict))) if *known == key => Some(dict.bind(py).clone()),
            _ => None,
        });
        if let Some(kept) = kept {
            return kept.copy();
        }
        let dict = make(&key)?;
        if let Ok(mut kept) = self.0.try_lock() {
            if kept.is_empty() {
                kept.resize_with(MOST, || None);
            }
            if let Some(place) = kept.get_mut(at) {
                *place = Some((key, dict.clone().unbind()));
            }
        }
        dict.copy()
    }
}

/// Sets members of a dict, each `name: value;`.
macro_rules! set {
    ($dict:expr; $($name:ident: $value:expr;)+) => {
        $( $dict.set_item(pyo3::intern!($dict.py(), stringify!($name)), $value)?; )+
    };
}

pub(crate) use set;
