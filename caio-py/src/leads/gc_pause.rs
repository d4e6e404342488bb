//! Python's cycle collector, kept from looking through answers while they are made.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// While it lives the collector does not run.
///
/// What is made in between is new, is held by the answer and has no cycles: the collector, which runs
/// after each few hundred new containers, would find nothing to free. Only one who holds the
/// interpreter throughout may hold this: other threads never see the collector off, and whether it was
/// on is theirs to say.
pub(super) struct GcPause<'py>(Option<&'py Bound<'py, PyModule>>);

static COLLECTOR: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

impl<'py> GcPause<'py> {
    pub(super) fn begin(py: Python<'py>) -> PyResult<Self> {
        let found = COLLECTOR.get_or_try_init(py, || Ok::<_, PyErr>(py.import("gc")?.unbind()))?;
        let collector = found.bind(py);
        let is_on = collector
            .call_method0(intern!(py, "isenabled"))?
            .is_truthy()?;
        if !is_on {
            return Ok(Self(None));
        }
        collector.call_method0(intern!(py, "disable"))?;
        Ok(Self(Some(collector)))
    }
}

impl Drop for GcPause<'_> {
    fn drop(&mut self) {
        if let Some(collector) = self.0 {
            // Fails for no reason that `disable` has not failed for before.
            let _ = collector.call_method0(intern!(collector.py(), "enable"));
        }
    }
}
