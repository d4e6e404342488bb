//! The laws that every backend obeys, as plain functions over `&dyn StateStore`.
//!
//! A new backend calls [`all`] with a factory of empty stores; each law gets a store of its own.
//! What a backend says it cannot do is asserted to be answered as unsupported, never skipped.

#![allow(clippy::unwrap_used, reason = "a law that does not hold panics")]

mod laws;
mod needs;
mod races;
mod redis_server;

use needs::Need;
pub use redis_server::RedisServer;

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use caio_core::{Clock, IdSource};
use jiff::{SignedDuration, Timestamp};

use crate::guard::TXN_HOURS;
use crate::store::{Capabilities, StateStore};
use crate::txn::{Guard, Txn, TxnId, Write};

/// The time of a test, set by hand.
pub struct TestClock {
    micros: AtomicI64,
    ages: Option<Box<dyn Fn(SignedDuration) + Send + Sync>>,
}

impl TestClock {
    /// A clock that stands at `start`.
    pub fn new(start: Timestamp) -> Arc<Self> {
        Arc::new(Self {
            micros: AtomicI64::new(start.as_microsecond()),
            ages: None,
        })
    }

    /// A clock that stands at noon on a Monday in March.
    pub fn noon() -> Arc<Self> {
        Self::new(Timestamp::from_second(1_772_452_800).unwrap_or(Timestamp::UNIX_EPOCH))
    }

    /// A clock that stands at this moment, beside a store that has a clock of its own.
    #[expect(clippy::disallowed_methods, reason = "the store's clock shows it too")]
    pub fn today() -> Arc<Self> {
        Self::new(Timestamp::now())
    }

    /// A clock beside a store that has its own: when time passes, `ages` makes everything in the store
    /// end sooner by as much. No test waits, and none hurries.
    pub fn aging(ages: impl Fn(SignedDuration) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            micros: AtomicI64::new(0),
            ages: Some(Box::new(ages)),
        })
    }

    /// Lets `by` pass.
    pub fn advance(&self, by: SignedDuration) {
        let micros = i64::try_from(by.as_micros()).unwrap_or(0);
        self.micros.fetch_add(micros, Ordering::SeqCst);
        if let Some(ages) = &self.ages {
            ages(by);
        }
    }

    /// Lets so much time pass that no outcome is kept any more.
    pub fn advance_past_outcomes(&self) {
        self.advance(SignedDuration::from_hours(TXN_HOURS + 1));
    }
}

impl fmt::Debug for TestClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TestClock").field(&self.now()).finish()
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let micros = self.micros.load(Ordering::SeqCst);
        Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// Ids that count up; random bytes that differ and are no secret.
#[derive(Debug, Default)]
pub struct TestIds(AtomicU64);

impl TestIds {
    /// Ids from `first` on, for a second source beside one that begins at 0.
    pub fn from(first: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(first)))
    }
}

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
    all_in(TestClock::noon, async |clock| make(clock).await).await
}

/// The same on clocks of a certain kind.
///
/// # Panics
/// When a law does not hold.
pub async fn all_in<S>(
    clock: impl Fn() -> Arc<TestClock>,
    make: impl AsyncFn(Arc<dyn Clock>) -> S,
) -> Vec<&'static str>
where
    S: AsRef<dyn StateStore>,
{
    let mut names = Vec::new();
    let mut lacking = BTreeSet::new();
    for (name, needs, law) in entries() {
        let clock = clock();
        let store = make(clock.clone()).await;
        let lacks = needs::lacking(needs, store.as_ref().capabilities());
        if lacks.is_empty() {
            law(store.as_ref(), &clock).await;
            names.push(*name);
        }
        lacking.extend(lacks);
    }
    for need in lacking {
        needs::refuses(make(clock()).await.as_ref(), need).await;
    }
    names
}

/// Every law in the order in which they are run, and whether a backend that can do this much is held
/// to it; what it cannot do it has to refuse.
pub fn laws(capabilities: Capabilities) -> Vec<(&'static str, bool)> {
    let held = |needs| needs::lacking(needs, capabilities).is_empty();
    entries()
        .map(|(name, needs, _)| (*name, held(needs)))
        .collect()
}

fn entries() -> impl Iterator<Item = &'static Entry> {
    laws::LAWS.iter().chain(races::RACES)
}

/// A law, and what a backend needs for it.
type Entry = (&'static str, &'static [Need], Law);

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
