//! Whether guards hold: one rule for every backend that evaluates them in this process.

use jiff::{SignedDuration, Timestamp};

use crate::error::Result;
use crate::key::Key;
use crate::lease::LeaseRecord;
use crate::stop;
use crate::store::Versioned;
use crate::txn::Guard;

/// How long the outcome of a transaction is kept.
pub(crate) const TXN_HOURS: i64 = 24;

/// `ttl` after `now`; a lifetime beyond the calendar ends with it.
pub(crate) fn later(now: Timestamp, ttl: SignedDuration) -> Timestamp {
    now.checked_add(ttl).unwrap_or(if ttl.is_negative() {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

/// What guards look at: the state at the instant of commit.
pub(crate) trait View {
    /// A live document.
    fn document(&self, key: &Key) -> Result<Option<Versioned>>;
    /// A live counter; absent is 0.
    fn counter(&self, key: &Key) -> Result<u64>;
}

/// Position of the first guard that does not hold.
pub(crate) fn first_failing(
    view: &impl View,
    guards: &[Guard],
    now: Timestamp,
) -> Result<Option<usize>> {
    for (position, guard) in guards.iter().enumerate() {
        if !holds(view, guard, now)? {
            return Ok(Some(position));
        }
    }
    Ok(None)
}

fn holds(view: &impl View, guard: &Guard, now: Timestamp) -> Result<bool> {
    Ok(match guard {
        Guard::Absent(key) => view.document(key)?.is_none(),
        Guard::Ceiling {
            counter,
            add,
            ceiling,
        } => view
            .counter(counter)?
            .checked_add(*add)
            .is_some_and(|total| total <= *ceiling),
        Guard::Fence { lease, fence } => match view.document(lease)? {
            // A lease that cannot be read is not held.
            Some(document) => serde_json::from_slice::<LeaseRecord>(&document.value)
                .is_ok_and(|record| record.fence == *fence && record.is_held(now)),
            None => false,
        },
        Guard::Present(key) => view.document(key)?.is_some(),
        Guard::StopAbsent => view.document(&stop::key())?.is_none(),
        Guard::Unchanged(key, version) => view
            .document(key)?
            .is_some_and(|document| document.version == *version),
    })
}
