//! Shared state behind one small trait with one atomic primitive.
//!
//! Everything that must not race is a document with a version, and every transition is *read,
//! decide purely, commit with guards*. A [`Txn`] is applied whole or not at all, and one whose
//! answer was lost is sent again with the same id and never applied twice.

pub mod archive;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod copy;
pub mod dual;
mod error;
mod ext;
mod guard;
mod hive;
mod key;
mod lease;
mod memory;
mod overlay;
mod record;
mod redis;
mod sqlite;
pub mod stop;
mod store;
mod txn;

pub use dual::DualStore;
pub use error::{Result, StoreError};
pub use ext::StateStoreExt;
pub use hive::HiveStore;
pub use key::Key;
pub use lease::{Held, Lease};
pub use memory::MemoryStore;
pub use overlay::OverlayStore;
pub use record::{Record, Sink};
pub use redis::{RedisOptions, RedisStore};
pub use sqlite::{Access, SqliteStore};
pub use store::{Capabilities, Page, Range, RangeEntry, StateStore, Version, Versioned};
pub use txn::{CommitOutcome, Guard, Txn, TxnId, Write};
