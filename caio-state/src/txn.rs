//! The one write primitive: guards and writes that are applied whole or not at all.

use std::fmt;

use jiff::SignedDuration;

use crate::Key;
use crate::store::Version;

/// Identity of a transaction, kept 24 hours: sending it again returns the first outcome.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TxnId(pub String);

impl fmt::Display for TxnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Guards and writes, all or nothing.
#[derive(Debug, Clone)]
pub struct Txn {
    /// Identity; fresh for each decision, the same when a lost answer is asked for again.
    pub id: TxnId,
    /// Every one must hold.
    pub guards: Vec<Guard>,
    /// Applied in order.
    pub writes: Vec<Write>,
}

/// A condition on the store at the instant of commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guard {
    /// No document of this name.
    Absent(Key),
    /// The counter plus `add` stays within `ceiling` (the writes still have to [`Write::Add`]).
    Ceiling {
        /// Counter; absent counts as 0.
        counter: Key,
        /// What the writes will add.
        add: u64,
        /// Highest value allowed afterwards.
        ceiling: u64,
    },
    /// The lease is held and its fence is this one.
    Fence {
        /// Lease.
        lease: Key,
        /// Fence received when it was taken.
        fence: u64,
    },
    /// A document of this name exists.
    Present(Key),
    /// The stop flag (`caio:stop`) is not set.
    StopAbsent,
    /// The document is at this version.
    Unchanged(Key, Version),
}

/// A change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Adds to a counter (created at 0); a result below 0 is set to 0.
    Add {
        /// Counter.
        counter: Key,
        /// What to add.
        amount: i64,
        /// Lifetime of the counter, set when it is created.
        expires_in: Option<SignedDuration>,
    },
    /// Removes a document; an absent one is no error.
    Delete(Key),
    /// Puts `key` into an ordered index at `order`, once; any earlier place of `key` is left.
    Index {
        /// Index name.
        index: String,
        /// Place: compared as bytes.
        order: String,
        /// Document that the entry points at.
        key: Key,
    },
    /// Creates or replaces a document. Values are opaque bytes.
    Put {
        /// Document.
        key: Key,
        /// Value.
        value: Vec<u8>,
        /// Lifetime.
        expires_in: Option<SignedDuration>,
    },
    /// Takes `key` out of an index, wherever it stands there.
    Unindex {
        /// Index name.
        index: String,
        /// Document that the entry points at.
        key: Key,
    },
}

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitOutcome {
    /// Applied, now or when its id was first sent.
    Committed,
    /// Nothing was applied.
    Refused {
        /// Position in [`Txn::guards`] of the first that failed.
        guard: usize,
    },
}
