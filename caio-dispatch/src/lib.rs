//! From a file of leads to a recorded delivery.
//!
//! Sources read rows, the pipeline makes drafts of them, a person decides, a batch is planned and
//! sealed, and the operator executes it once, with an entry in the ledger before every call.

pub mod access;
pub mod audit;
pub mod batches;
pub mod board;
pub mod cadence;
pub mod campaigns;
pub mod channel;
pub mod coexist;
pub mod copywriter;
pub mod decay;
pub mod doctor;
pub mod enrich;
mod error;
pub mod facts;
pub mod history;
pub mod hive;
pub mod icp;
pub mod idempotency;
pub mod inbox;
pub mod leads;
pub mod ledger;
pub mod migrate;
pub mod notify;
pub mod operator;
pub mod pipeline;
pub mod plan;
pub mod policy;
pub mod providers;
pub mod records;
pub mod refused;
pub mod rehearse;
pub mod reindex;
pub mod review;
pub mod revival;
pub mod runs;
pub mod shadow;
pub mod source;
pub mod suppress;
pub mod tidy;
pub mod timeline;
mod transition;
pub mod windows;

pub use error::{DispatchError, Result};
