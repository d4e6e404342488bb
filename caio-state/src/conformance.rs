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
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use caio_core::{Clock, IdSource};
use jiff::{SignedDuration, Timestamp};

use crate::store::{Capabilities, StateStore};
use crate::txn::{Guard, Txn, TxnId, Write};

/// The time of a test: set by hand, or, for a store with a clock of its own, real and shortened.
#[derive(Debug)]
pub struct TestClock {
    micros: AtomicI64,
    real: Option<Shortened>,
}

/// Real time, in which a law's hour is short.
#[derive(Debug, Clone, Copy)]
pub struct Shortened {
    /// What a law's hour takes.
    pub hour: Duration,
    /// How long the store keeps the outcome of a transaction.
    pub outcomes_kept: Duration,
}

impl TestClock {
    /// A clock that stands at `start`.
    pub fn new(start: Timestamp) -> Arc<Self> {
        Arc::new(Self {
            micros: AtomicI64::new(start.as_microsecond()),
            real: None,
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

    /// Real time for stores that have their own.
    pub fn shortened(real: Shortened) -> Arc<Self> {
        Arc::new(Self {
            micros: AtomicI64::new(0),
            real: Some(real),
        })
    }

    /// What `span` takes on this clock.
    pub fn span(&self, span: SignedDuration) -> SignedDuration {
        let shorter = |real: Shortened| {
            let factor = real.hour.as_secs_f64() / 3600.0;
            SignedDuration::from_secs_f64(span.as_secs_f64() * factor)
        };
        self.real.map_or(span, shorter)
    }

    /// Lets `by` pass.
    pub fn advance(&self, by: SignedDuration) {
        self.pass(self.span(by));
    }

    /// Lets so much time pass that no outcome is kept any more.
    pub fn advance_past_outcomes(&self) {
        let kept = self.real.map(|real| real.outcomes_kept + real.hour / 10);
        let kept = kept.and_then(|kept| SignedDuration::try_from(kept).ok());
        self.pass(kept.unwrap_or(SignedDuration::from_hours(25)));
    }

    fn pass(&self, time: SignedDuration) {
        if self.real.is_some() {
            // A store counts in milliseconds, by a clock that is not ours.
            let time = Duration::try_from(time).unwrap_or_default();
            std::thread::sleep(time + Duration::from_millis(5));
        } else {
            let micros = i64::try_from(time.as_micros()).unwrap_or(0);
            self.micros.fetch_add(micros, Ordering::SeqCst);
        }
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
