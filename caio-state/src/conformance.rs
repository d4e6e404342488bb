//! The laws that every backend obeys, as plain functions over `&dyn StateStore`.
//!
//! A new backend calls [`all`] with a factory of empty stores; each law gets a store of its own.
//! What a backend says it cannot do is asserted to be answered as unsupported, never skipped.

#![allow(clippy::unwrap_used, reason = "a law that does not hold panics")]

mod laws;
mod races;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use caio_core::{Clock, IdSource};
use jiff::{SignedDuration, Timestamp};

use crate::store::StateStore;
use crate::txn::{Guard, Txn, TxnId, Write};

/// A clock that a test sets.
#[derive(Debug)]
pub struct TestClock(AtomicI64);

impl TestClock {
    /// A clock that stands at `start`.
    pub fn new(start: Timestamp) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(start.as_microsecond())))
    }

    /// A clock that stands at noon on a Monday in March.
    pub fn noon() -> Arc<Self> {
        Self::new(Timestamp::from_second(1_772_452_800).unwrap_or(Timestamp::UNIX_EPOCH))
    }

    /// Moves it.
    pub fn advance(&self, by: SignedDuration) {
        let micros = i64::try_from(by.as_micros()).unwrap_or(0);
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let micros = self.0.load(Ordering::SeqCst);
        Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// Ids that count up; random bytes that differ and are no secret.
#[derive(Debug, Default)]
pub struct TestIds(AtomicU64);

impl IdSource for TestIds {
    fn id(&self) -> String {
        format!("{:032x}", self.0.fetch_add(1, Ordering::SeqCst))
    }

    fn random(&self) -> [u8; 32] {
        let number = self.0.fetch_add(1, Ordering::SeqCst).to_le_bytes();
        std::array::from_fn(|at| number[at % 8])
    }
}

/// Runs every law; `make` gives an empty store that tells the time of the clock. Answers the names
/// of the laws that were run.
///
/// # Panics
/// When a law does not hold.
pub async fn all<S, F>(make: impl Fn(Arc<dyn Clock>) -> F) -> Vec<&'static str>
where
    S: AsRef<dyn StateStore>,
    F: Future<Output = S>,
{
    let mut names = Vec::new();
    for (name, law) in laws::LAWS.iter().chain(races::RACES) {
        let clock = TestClock::noon();
        let store = make(clock.clone()).await;
        law(store.as_ref(), &clock).await;
        names.push(*name);
    }
    names
}

/// A law over an empty store.
type Law = for<'a> fn(
    &'a dyn StateStore,
    &'a TestClock,
) -> std::pin::Pin<Box<dyn Future<Output = ()> + 'a>>;

fn txn(id: &str, guards: Vec<Guard>, writes: Vec<Write>) -> Txn {
    Txn {
        id: TxnId(id.to_owned()),
        guards,
        writes,
    }
}

fn put(key: &str, value: &[u8]) -> Write {
    Write::Put {
        key: crate::Key::new(&[key]),
        value: value.to_vec(),
        expires_in: None,
    }
}
