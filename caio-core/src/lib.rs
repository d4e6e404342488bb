//! The domain of `caio` as pure functions and plain types.
//!
//! Nothing here performs I/O, reads a clock or the environment, or draws a random number: `now`,
//! ids and seeds come in as arguments, so that every decision is tested with values alone. Where
//! the Python system that `caio` replaces decided otherwise, its decision is kept, bit for bit, in
//! [`compat`]; `docs/parity.md` lists each difference.

pub mod access;
pub mod batch;
pub mod breaker;
pub mod cadence;
pub mod compat;
pub mod config;
pub mod copy;
pub mod draft;
pub mod eligibility;
pub mod escalation;
pub mod icp;
pub mod identity;
pub mod lead;
pub mod limits;
pub mod preview_hash;
pub mod pytext;
pub mod ramp;
pub mod record;
pub mod rejection;
pub mod requests;
pub mod revival;
pub mod route;
pub mod safety;
pub mod scorecard;
pub mod signals;
pub mod suppression;
pub mod terms;
pub mod texts;
pub mod time;
pub mod warmup;
pub mod webhook;

pub use batch::{Batch, BatchStatus};
pub use draft::{Draft, DraftStatus};
pub use identity::EmailKey;
pub use lead::Lead;
pub use preview_hash::{PreviewHash, PreviewScope, preview_hash};
pub use terms::{Medium, Mode, Motion, Provider, Step, Tier};
pub use time::{Clock, IdSource};
