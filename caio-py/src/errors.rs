//! Every failure is a Python exception with a stable `.code`; the classes live in `caio_py._errors`.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use caio_core::compat::CompatError;
use pyo3::exceptions::{PyAttributeError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;

/// A class of `caio_py._errors`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Class {
    BatchInvalid,
    Bug,
    InvalidInput,
    LeadSource,
    StateConflict,
    StateCorrupt,
    StateUnavailable,
    WrongType,
}

impl Class {
    const fn name(self) -> &'static str {
        match self {
            Self::BatchInvalid => "BatchInvalid",
            Self::Bug => "CaioBug",
            Self::InvalidInput => "InvalidInput",
            Self::LeadSource => "LeadSourceError",
            Self::StateConflict => "StateConflict",
            Self::StateCorrupt => "StateCorrupt",
            Self::StateUnavailable => "StateUnavailable",
            Self::WrongType => "WrongType",
        }
    }

    /// The exception, with its stable code.
    pub(crate) fn error(self, code: &str, message: impl Into<String>) -> PyErr {
        let message = message.into();
        Python::attach(|py| {
            let made = py
                .import("caio_py._errors")
                .and_then(|module| module.getattr(self.name()))
                .and_then(|class| class.call1((message.as_str(), code)));
            match made {
                Ok(value) => PyErr::from_value(value),
                Err(error) => error,
            }
        })
    }
}

/// A batch that may not be executed, with the check that refused it as `.kind`.
pub(crate) fn batch_invalid(kind: &str, code: &str, message: String) -> PyErr {
    let error = Class::BatchInvalid.error(code, message);
    Python::attach(|py| match error.value(py).setattr("kind", kind) {
        Ok(()) => error,
        Err(error) => error,
    })
}

/// The exception that the old system would have raised: Python's own class, plus a `.code`.
pub(crate) fn compat(raised: &CompatError) -> PyErr {
    let message = raised.message.clone();
    let error = match raised.exception {
        "AttributeError" => PyAttributeError::new_err(message),
        "TypeError" => PyTypeError::new_err(message),
        "ValueError" => PyValueError::new_err(message),
        other => PyRuntimeError::new_err(format!("{other}: {message}")),
    };
    Python::attach(|py| match error.value(py).setattr("code", raised.code()) {
        Ok(()) => error,
        Err(error) => error,
    })
}

/// Raises what a signal handler raises: Ctrl-C ends a long call.
#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "the method is not general enough"
)]
pub(crate) fn check_signals() -> PyResult<()> {
    Python::attach(|py| py.check_signals())
}

/// Runs `work`; a panic in it becomes a `CaioBug`, which asks for a report.
pub(crate) fn guarded<T>(work: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| Err(bug(&*payload)))
}

fn bug(payload: &(dyn Any + Send)) -> PyErr {
    let what = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    let version = env!("CARGO_PKG_VERSION");
    Class::Bug.error(
        "bug",
        format!("this is a bug in caio_py {version}, please report it with this text: {what}"),
    )
}

/// Panics, so that the tests see what a mistake looks like from Python.
#[pyfunction]
#[expect(clippy::panic, reason = "the tests ask what becomes of a panic")]
pub(crate) fn _panic() -> PyResult<()> {
    guarded(|| panic!("made for the tests"))
}
