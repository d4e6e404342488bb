//! The Rust half of the Python module `caio_py`; what users import is the package beside it.
//!
//! Functions here convert, call `caio-core` or `caio-dispatch`, and convert back. Docstrings,
//! defaults of the old modules and the cutover live in `python/caio_py`.

#![expect(
    clippy::doc_markdown,
    reason = "Python shows these comments as plain text"
)]

mod compat;
mod convert;
mod decisions;
mod engines;
mod environment;
mod errors;
mod keys;
mod known;
mod leads;
mod runtime;
mod state;
mod template;

use pyo3::prelude::*;

/// Records are many small texts: half of a call's time was spent in the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The private extension module.
#[pymodule(gil_used = true)]
mod _caio_py {
    #[pymodule_export]
    use crate::compat::{
        compat_auth_allowlist, compat_categorize_rejection, compat_email_to_filename,
        compat_heyreach_lead, compat_heyreach_list_name, compat_instantly_campaign_name,
        compat_instantly_lead, compat_is_auth_exempt_path, compat_is_lead_eligible,
        compat_is_strict, compat_migrate_legacy_dedup, compat_normalize_path,
        compat_priority_to_tier, compat_ramp_status, compat_segment_lead, compat_token_is_valid,
        compat_validate_batch, compat_warmup_schedule,
    };
    #[pymodule_export]
    use crate::decisions::{
        ramp_status, record_file_name, rejection, validate_batch, warmup_schedule,
    };
    #[pymodule_export]
    use crate::engines::{CadenceEngine, LeadStatusManager, is_lead_eligible};
    #[pymodule_export]
    use crate::errors::_panic;
    #[pymodule_export]
    use crate::keys::{
        cadence_action_id, cadence_email_hash, compute_preview_hash, dedup_email_key,
        normalize_email,
    };
    #[pymodule_export]
    use crate::leads::{LeadBatch, segment_lead, segment_leads};

    #[pymodule_export]
    use crate::state::StateStore;

    use super::{Bound, PyModule, PyModuleMethods, PyResult};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
