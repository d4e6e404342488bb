//! Everything that a store holds, as values that another store takes.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::error::Result;
use crate::key::Key;

/// Records handed over at a time.
pub(crate) const PORTION: usize = 500;

/// Something that a store holds. Outcomes of transactions are no part of it: they belong to the
/// store that gave them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A counter.
    Counter {
        /// Name.
        key: Key,
        /// Where it stands.
        value: u64,
        /// When it ends.
        expires: Option<Timestamp>,
    },
    /// A document.
    Document {
        /// Name.
        key: Key,
        /// Value.
        value: Vec<u8>,
        /// When it ends.
        expires: Option<Timestamp>,
    },
    /// A key in an index.
    Place {
        /// Index.
        index: String,
        /// Where in it.
        order: String,
        /// Document that it points at.
        key: Key,
    },
}

/// Takes what a store holds, portion by portion.
#[async_trait]
pub trait Sink: Send {
    /// Takes some records: documents come before counters, counters before places, and the places of
    /// one index in order. A store that is changed meanwhile may give a record twice.
    async fn take(&mut self, records: Vec<Record>) -> Result<()>;
}

#[async_trait]
impl Sink for Vec<Record> {
    async fn take(&mut self, records: Vec<Record>) -> Result<()> {
        self.extend(records);
        Ok(())
    }
}
