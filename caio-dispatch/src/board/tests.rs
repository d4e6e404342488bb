//! The newest leads: the same from the indexes as from everything, and as dear as the page is long.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use caio_core::{EmailKey, Lead};
use caio_state::conformance::{TestClock, TestIds};
use caio_state::{
    Capabilities, CommitOutcome, Key, MemoryStore, Page, Range, RangeEntry, Sink, StateStore,
    StateStoreExt, Txn, TxnId, Versioned, Write,
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::json;

use super::{Places, Row, newest};
use crate::leads::LeadRecord;
use crate::records;
use crate::reindex::Reindex;

/// A store that counts what is read.
#[derive(Debug)]
struct Counted {
    store: MemoryStore,
    ids: Arc<TestIds>,
    calls: AtomicU64,
    records: AtomicU64,
}

impl Counted {
    fn new() -> Self {
        Self {
            store: MemoryStore::new(TestClock::noon()),
            ids: Arc::default(),
            calls: AtomicU64::new(0),
            records: AtomicU64::new(0),
        }
    }

    fn count(&self, records: usize) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.records.fetch_add(records as u64, Ordering::SeqCst);
    }

    /// Calls, and documents and places read, since this was asked last.
    fn taken(&self) -> (u64, u64) {
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::SeqCst);
        (take(&self.calls), take(&self.records))
    }

    async fn write(&self, writes: impl IntoIterator<Item = Write>) {
        let txn = Txn {
            id: TxnId(caio_core::IdSource::id(&*self.ids)),
            guards: Vec::new(),
            writes: writes.into_iter().collect(),
        };
        self.commit_surely(&txn).await.unwrap();
    }

    fn reindex(&self) -> Reindex<'_> {
        Reindex {
            store: self,
            ids: &*self.ids,
            dry_run: false,
        }
    }

    /// Indexes in which nothing is missing.
    async fn whole(&self) -> Places {
        let places = Places::default();
        assert!(places.look(&self.reindex()).await.unwrap());
        places
    }

    /// From the indexes.
    async fn page(&self, places: &Places, limit: usize) -> Vec<Row> {
        self.taken();
        newest(self, places, limit).await.unwrap()
    }

    /// From everything.
    async fn all(&self, limit: usize) -> Vec<Row> {
        self.taken();
        newest(self, &Places::default(), limit).await.unwrap()
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "counted {}", self.store)
    }
}

#[async_trait]
impl StateStore for Counted {
    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    async fn get(&self, keys: &[Key]) -> caio_state::Result<Vec<Option<Versioned>>> {
        self.count(keys.len());
        self.store.get(keys).await
    }

    async fn counters(&self, keys: &[Key]) -> caio_state::Result<Vec<u64>> {
        self.store.counters(keys).await
    }

    async fn scan(
        &self,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> caio_state::Result<Page<(Key, Versioned), Key>> {
        let page = self.store.scan(prefix, after, limit).await?;
        self.count(page.items.len());
        Ok(page)
    }

    async fn range(
        &self,
        index: &str,
        range: &Range,
        after: Option<&RangeEntry>,
        limit: usize,
    ) -> caio_state::Result<Page<RangeEntry, RangeEntry>> {
        let page = self.store.range(index, range, after, limit).await?;
        self.count(page.items.len());
        Ok(page)
    }

    async fn commit(&self, txn: &Txn) -> caio_state::Result<CommitOutcome> {
        self.store.commit(txn).await
    }

    async fn commit_many(&self, txns: &[Txn]) -> caio_state::Result<Vec<CommitOutcome>> {
        self.store.commit_many(txns).await
    }

    async fn export(&self, sink: &mut dyn Sink) -> caio_state::Result<()> {
        self.store.export(sink).await
    }

    async fn now(&self) -> caio_state::Result<Timestamp> {
        self.store.now().await
    }

    async fn ping(&self) -> caio_state::Result<()> {
        self.store.ping().await
    }
}

fn person(number: usize) -> EmailKey {
    EmailKey::parse(&format!("p{number}@example.com")).unwrap()
}

/// So many seconds after noon.
fn second(number: usize) -> Timestamp {
    let noon: Timestamp = "2026-03-02T12:00:00Z".parse().unwrap();
    noon + SignedDuration::from_secs(number.try_into().unwrap())
}

/// A lead's record that says no more than when it was taken.
fn lead(number: usize, updated_at: &str) -> Vec<Write> {
    let key = person(number);
    let lead: Lead = serde_json::from_value(json!({ "key": key, "email": key })).unwrap();
    let record = LeadRecord {
        updated_at: updated_at.to_owned(),
        ..LeadRecord::taken_over(lead, (50, None), "a test")
    };
    records::put_lead(&record).unwrap()
}

fn status(number: usize, updated_at: Option<&str>) -> [Write; 2] {
    let mut record = json!({ "email": person(number), "status": "opened" });
    if let Some(updated_at) = updated_at {
        record["updated_at"] = json!(updated_at);
    }
    records::put_status(&records::lead_status(&person(number)), &record)
}

/// Every second lead has a status, some of an earlier time than the lead's record; every fifth person
/// is known by signals alone.
async fn world(leads: usize) -> Counted {
    let store = Counted::new();
    for number in 0..leads {
        let at = second(10 * number).to_string();
        let mut writes = Vec::new();
        if number % 5 != 0 {
            writes.extend(lead(number, &at));
        }
        if number % 2 == 0 || number % 5 == 0 {
            let signal = second(10 * number + 11).to_string();
            let signal = if number % 3 == 0 { &at } else { &signal };
            writes.extend(status(number, Some(signal)));
        }
        store.write(writes).await;
    }
    store
}

#[tokio::test]
async fn a_page_costs_the_same_among_a_hundred_leads_and_among_ten_thousand() {
    let (few, many) = (world(100).await, world(10_000).await);
    let (of_few, of_many) = (few.whole().await, many.whole().await);
    for limit in [1, 20, 50] {
        assert_eq!(few.page(&of_few, limit).await.len(), limit);
        let cost = few.taken();
        let page = many.page(&of_many, limit).await;
        assert_eq!(many.taken(), cost, "a page of {limit}");
        assert!(cost.0 <= 10 && cost.1 <= 400, "a page of {limit}: {cost:?}");
        assert_eq!(page, many.all(limit).await);
        assert!(many.taken().1 > 10_000, "the way without an index");
    }
}

#[tokio::test]
async fn what_was_written_without_a_place_shows_up_all_the_same() {
    let store = world(30).await;
    let places = Places::default();
    let bare = |number, at| status(number, Some(at)).into_iter().take(1);
    let look = async || places.look(&store.reindex()).await.unwrap();
    let first = async || {
        let rows = newest(&store, &places, 1).await.unwrap();
        rows[0].email.clone()
    };
    // Before anybody has looked, after a look that had to make its place, and from the index.
    store.write(bare(7, "2027-01-01T00:00:00Z")).await;
    assert_eq!(first().await, "p7@example.com");
    assert!(!look().await);
    assert_eq!(first().await, "p7@example.com");
    assert!(look().await);
    assert_eq!(first().await, "p7@example.com");
    // Whoever goes on to write without one is found by the next look; then everything is read again.
    store.write(bare(8, "2027-01-02T00:00:00Z")).await;
    assert!(!look().await);
    store.write(bare(9, "2027-01-03T00:00:00Z")).await;
    assert_eq!(first().await, "p9@example.com");
    // A record that cannot be read has no place: while there is one, everything is read.
    store
        .write([Write::Put {
            key: records::lead_status(&person(10)),
            value: b"no record".to_vec(),
            expires_in: None,
        }])
        .await;
    assert_eq!((look().await, look().await), (false, false));
}

#[tokio::test]
async fn mending_takes_no_place_from_a_record_that_was_written_meanwhile() {
    let store = world(1).await;
    let places = store.whole().await;
    let rows = store.page(&places, 5).await;
    assert_eq!(rows.len(), 1);
    let key = records::lead_status(&person(0));
    // What a look saw: a place that the record had before it was written anew.
    let index = records::STATUS_INDEX.to_owned();
    let write = Write::Unindex {
        index,
        key: key.clone(),
    };
    let seen = vec![(key.clone(), write)];
    assert_eq!(store.reindex().mend(seen.clone()).await.unwrap(), 0);
    assert_eq!(store.page(&places, 5).await, rows);
    store.write([Write::Delete(key)]).await;
    assert_eq!(store.reindex().mend(seen).await.unwrap(), 1);
    assert_eq!(store.page(&places, 5).await, []);
}

/// Times as both systems and hands write them; some of them tell one instant in two ways.
const TIMES: [&str; 10] = [
    "2026-03-02T10:00:00Z",
    "2026-03-02T10:00:00.000000Z",
    "2026-03-02T10:00:00+00:00",
    "2026-03-02T10:00:00.500000+00:00",
    "2026-03-02T11:30:00+02:00",
    "2026-03-02T10:00:00",
    "2026-03-02 09:59:59.25",
    "2025-12-31T23:59:59-08:00",
    "yesterday",
    "",
];

/// A lead's record, or a status that tells a time or none.
fn written() -> impl Strategy<Value = (usize, bool, Option<usize>)> {
    let time = prop::option::weighted(0.9, 0..TIMES.len());
    (0..12_usize, any::<bool>(), time)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_indexes_say_what_reading_everything_says(
        written in prop::collection::vec(written(), 0..40),
        limit in 1..16_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let store = Counted::new();
            for (number, is_lead, time) in written {
                let at = time.map(|it| TIMES[it]);
                if is_lead {
                    store.write(lead(number, at.unwrap_or(""))).await;
                } else {
                    store.write(status(number, at)).await;
                }
            }
            let rows = store.page(&store.whole().await, limit).await;
            prop_assert_eq!(&rows, &store.all(limit).await);
            let drift = Reindex { dry_run: true, ..store.reindex() }.run().await.unwrap();
            prop_assert!(drift.is_none(), "{:?}", drift);
            let times: Vec<Option<Timestamp>> = rows
                .iter()
                .map(|row| row.updated_at.as_deref().and_then(caio_core::batch::parse_instant))
                .collect();
            prop_assert!(times.is_sorted_by(|a, b| a >= b), "{:?}", times);
            Ok(())
        })?;
    }
}
