//! One runtime for everything that waits, shared by all threads and made anew in a forked child.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use tokio::runtime::{Builder, Runtime};

use crate::errors::{Class, check_signals, guarded};

/// How often a waiting call looks for Ctrl-C.
const LOOK: Duration = Duration::from_millis(50);

/// The runtime, and the process whose threads drive it. Locked only while the interpreter is held
/// and for an instant, so that no fork finds it locked.
static RUNTIME: Mutex<Option<(u32, &'static Runtime)>> = Mutex::new(None);

/// The runtime of this process. A child of a fork has none of its parent's threads: it leaves the
/// parent's runtime alone, which may not even be dropped there, and gets its own.
pub(crate) fn runtime(_held: Python<'_>) -> PyResult<&'static Runtime> {
    let mut known = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    if let Some((owner, runtime)) = *known
        && owner == process
    {
        return Ok(runtime);
    }
    let made = Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("caio_py")
        .enable_all()
        .build()
        .map_err(|error| Class::StateUnavailable.error("runtime", error.to_string()))?;
    let made: &'static Runtime = Box::leak(Box::new(made));
    *known = Some((process, made));
    Ok(made)
}

/// Waits for `work` without the interpreter; Ctrl-C ends it.
pub(crate) fn wait<T: Send>(
    py: Python<'_>,
    work: impl Future<Output = PyResult<T>> + Send,
) -> PyResult<T> {
    let runtime = runtime(py)?;
    guarded(|| {
        py.detach(|| {
            runtime.block_on(async {
                tokio::pin!(work);
                loop {
                    tokio::select! {
                        done = &mut work => return done,
                        () = tokio::time::sleep(LOOK) => check_signals()?,
                    }
                }
            })
        })
    })
}
