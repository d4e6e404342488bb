//! The trait, and what travels through it.

use std::fmt::{Debug, Display};

use async_trait::async_trait;
use jiff::Timestamp;

use crate::error::Result;
use crate::key::Key;
use crate::record::Sink;
use crate::txn::{CommitOutcome, Txn};

/// Opaque version of a document: equal values may have equal versions, so never rely on noticing
/// that a value changed and changed back.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version(pub String);

/// A document and its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned {
    /// Value, opaque to the store.
    pub value: Vec<u8>,
    /// Version to guard a later commit with.
    pub version: Version,
}

/// Part of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, C> {
    /// Entries in order.
    pub items: Vec<T>,
    /// Pass as `after` to go on; absent when the listing is complete.
    pub next: Option<C>,
}

/// Bounds of an index listing: `from <= order < until`, compared as bytes; `None` is open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Range {
    /// First place, included.
    pub from: Option<String>,
    /// End, excluded.
    pub until: Option<String>,
    /// Highest place first.
    pub descending: bool,
}

/// An entry of an index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RangeEntry {
    /// Place.
    pub order: String,
    /// Document it points at.
    pub key: Key,
}

/// What a backend can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Transactions over several documents.
    pub multi_document: bool,
    /// Ordered indexes.
    pub indexes: bool,
    /// Counters and leases.
    pub counters: bool,
    /// Scans, ranges and exports that leave nothing out.
    pub listings: bool,
    /// May decide for live sends.
    pub live_authority: bool,
}

/// Shared state. No default methods: a wrapper cannot forget one.
#[async_trait]
pub trait StateStore: Debug + Display + Send + Sync {
    /// What this backend can do; anything else answers [`StoreError::Unsupported`].
    ///
    /// [`StoreError::Unsupported`]: crate::StoreError::Unsupported
    fn capabilities(&self) -> Capabilities;

    /// Documents by name, in the order asked. `None` is *absent*, never *failed*.
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>>;

    /// Counters by name, in the order asked; absent is 0.
    async fn counters(&self, keys: &[Key]) -> Result<Vec<u64>>;

    /// Documents whose name begins with `prefix`, by name, in pages.
    async fn scan(
        &self,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Page<(Key, Versioned), Key>>;

    /// Entries of an ordered index, in pages.
    async fn range(
        &self,
        index: &str,
        range: &Range,
        after: Option<&RangeEntry>,
        limit: usize,
    ) -> Result<Page<RangeEntry, RangeEntry>>;

    /// Applies `txn` whole or not at all.
    async fn commit(&self, txn: &Txn) -> Result<CommitOutcome>;

    /// Applies each of `txns` whole or not at all, independently of the others; a backend may group
    /// them into one round trip or one disk sync. One answer a transaction, in order.
    async fn commit_many(&self, txns: &[Txn]) -> Result<Vec<CommitOutcome>>;

    /// Gives everything that the store holds to `sink`.
    async fn export(&self, sink: &mut dyn Sink) -> Result<()>;

    /// The store's own time.
    async fn now(&self) -> Result<Timestamp>;

    /// Answers when the store can be used.
    async fn ping(&self) -> Result<()>;
}
