//! Every backend against every law, and against a model of the store.
#![cfg(feature = "conformance")]
#![allow(
    clippy::match_same_arms,
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use caio_core::Clock;
use caio_state::conformance::{RedisServer, Shortened, TestClock, TestIds, all, all_in};
use caio_state::{
    Access, CommitOutcome, DualStore, Guard, HiveStore, Key, MemoryStore, Range, RedisStore,
    SqliteStore, StateStore, Txn, TxnId, Write, dual,
};
use proptest::prelude::*;

/// A store and the folder it lives in.
struct InFolder(Arc<dyn StateStore>, #[allow(dead_code)] tempfile::TempDir);

impl AsRef<dyn StateStore> for InFolder {
    fn as_ref(&self) -> &(dyn StateStore + 'static) {
        &*self.0
    }
}

async fn sqlite(clock: Arc<dyn Clock>) -> InFolder {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("x.db"), clock, Access::ReadWrite).unwrap();
    InFolder(Arc::new(store), folder)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_obeys_every_law_also_behind_arc() {
    let laws =
        all(async |clock: Arc<dyn Clock>| Arc::new(MemoryStore::new(clock)) as Arc<dyn StateStore>)
            .await;
    println!("memory: {} laws", laws.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_obeys_every_law_behind_box() {
    all(async |clock: Arc<dyn Clock>| Box::new(MemoryStore::new(clock)) as Box<dyn StateStore>)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_obeys_every_law() {
    let laws = all(sqlite).await;
    println!("sqlite: {} laws", laws.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hive_obeys_the_laws_of_single_documents_and_refuses_the_rest() {
    let laws = all(async |clock: Arc<dyn Clock>| {
        let folder = tempfile::tempdir().unwrap();
        let store = HiveStore::open(folder.path(), clock, Access::ReadWrite).unwrap();
        InFolder(Arc::new(store), folder)
    })
    .await;
    println!("hive: {} laws", laws.len());
}

/// Two empty stores in memory.
fn two(clock: &Arc<dyn Clock>) -> Box<dyn StateStore> {
    let memory = || Arc::new(MemoryStore::new(clock.clone()));
    Box::new(DualStore::new(memory(), memory(), TestIds::from(1 << 32)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn dual_obeys_the_laws_and_lists_only_after_the_mark() {
    let laws = all(async |clock: Arc<dyn Clock>| two(&clock)).await;
    println!("dual, under way: {} laws", laws.len());
    let laws = all(async |clock: Arc<dyn Clock>| {
        let primary = Arc::new(MemoryStore::new(clock.clone()));
        let ids = TestIds::from(1 << 32);
        dual::cut_over(&*primary, &*ids, "kim").await.unwrap();
        let legacy = Arc::new(MemoryStore::new(clock));
        let store = DualStore::new(primary, legacy, ids);
        store.ping().await.unwrap();
        Box::new(store) as Box<dyn StateStore>
    })
    .await;
    println!("dual, migrated: {} laws", laws.len());
}

/// A law's hour in real time: long enough that a busy machine does not count as an hour.
const REAL: Shortened = Shortened {
    hour: Duration::from_millis(1500),
    outcomes_kept: Duration::from_millis(1500),
};

fn redis(server: &RedisServer, prefix: &str) -> Arc<dyn StateStore> {
    let mut options = server.options(prefix);
    options.outcomes_kept = REAL.outcomes_kept;
    options.timeout = Duration::from_secs(10);
    Arc::new(RedisStore::open(options, Access::ReadWrite).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redis_obeys_every_law_under_every_kind_of_prefix() {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start(folder.path(), &[]).unwrap();
    for prefix in ["caio-test", "{caio}*[x]"] {
        let stores = AtomicUsize::new(0);
        let laws = all_in(
            || TestClock::shortened(REAL),
            async |_| {
                let number = stores.fetch_add(1, Ordering::SeqCst);
                redis(&server, &format!("{prefix}-{number}"))
            },
        )
        .await;
        println!("redis, prefix {prefix}: {} laws", laws.len());
    }
}

/// One operation of the model test.
#[derive(Debug, Clone)]
enum Operation {
    Put(u8, u8),
    PutIfAbsent(u8, u8),
    Delete(u8),
    Move(u8, u8),
    Add(u8, i8),
}

fn operation() -> impl Strategy<Value = Operation> {
    let small = 0u8..4;
    prop_oneof![
        (small.clone(), any::<u8>()).prop_map(|(key, value)| Operation::Put(key, value)),
        (small.clone(), any::<u8>()).prop_map(|(key, value)| Operation::PutIfAbsent(key, value)),
        small.clone().prop_map(Operation::Delete),
        (small.clone(), 0u8..6).prop_map(|(key, order)| Operation::Move(key, order)),
        (small, any::<i8>()).prop_map(|(key, amount)| Operation::Add(key, amount)),
    ]
}

fn key(number: u8) -> Key {
    Key::new(&["k", &number.to_string()])
}

fn transaction(at: usize, operation: &Operation) -> Txn {
    let (guards, write) = match operation {
        Operation::Put(number, value) => (
            vec![],
            Write::Put {
                key: key(*number),
                value: vec![*value],
                expires_in: None,
            },
        ),
        Operation::PutIfAbsent(number, value) => (
            vec![Guard::Absent(key(*number))],
            Write::Put {
                key: key(*number),
                value: vec![*value],
                expires_in: None,
            },
        ),
        Operation::Delete(number) => (vec![], Write::Delete(key(*number))),
        Operation::Move(number, order) => (
            vec![],
            Write::Index {
                index: "i".to_owned(),
                order: order.to_string(),
                key: key(*number),
            },
        ),
        Operation::Add(number, amount) => (
            vec![],
            Write::Add {
                counter: key(*number),
                amount: (*amount).into(),
                expires_in: None,
            },
        ),
    };
    Txn {
        id: TxnId(at.to_string()),
        guards,
        writes: vec![write],
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn every_backend_does_what_a_map_does(operations in prop::collection::vec(operation(), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let memory = MemoryStore::new(TestClock::noon());
            let file = sqlite(TestClock::noon()).await;
            for store in [&memory as &dyn StateStore, file.as_ref()] {
                let mut documents: BTreeMap<u8, u8> = BTreeMap::new();
                let mut counters: BTreeMap<u8, i64> = BTreeMap::new();
                let mut places: BTreeMap<u8, u8> = BTreeMap::new();
                for (at, operation) in operations.iter().enumerate() {
                    let outcome = store.commit(&transaction(at, operation)).await.unwrap();
                    let mut expected = CommitOutcome::Committed;
                    match operation {
                        Operation::Put(key, value) => {
                            documents.insert(*key, *value);
                        }
                        Operation::PutIfAbsent(key, _) if documents.contains_key(key) => {
                            expected = CommitOutcome::Refused { guard: 0 };
                        }
                        Operation::PutIfAbsent(key, value) => {
                            documents.insert(*key, *value);
                        }
                        Operation::Delete(key) => {
                            documents.remove(key);
                        }
                        Operation::Move(key, order) => {
                            places.insert(*key, *order);
                        }
                        Operation::Add(key, amount) => {
                            let counter = counters.entry(*key).or_default();
                            *counter = (*counter + i64::from(*amount)).max(0);
                        }
                    }
                    assert_eq!(outcome, expected);
                }
                for number in 0..4 {
                    let found = store.get(&[key(number)]).await.unwrap().remove(0);
                    assert_eq!(found.map(|it| it.value), documents.get(&number).map(|it| vec![*it]));
                    let counter = store.counters(&[key(number)]).await.unwrap()[0];
                    assert_eq!(counter, counters.get(&number).copied().unwrap_or(0).unsigned_abs());
                }
                let mut expected: Vec<(u8, u8)> = places.iter().map(|(key, order)| (*order, *key)).collect();
                expected.sort_unstable();
                let found = store.range("i", &Range::default(), None, 9).await.unwrap().items;
                let found: Vec<(String, Key)> = found.into_iter().map(|it| (it.order, it.key)).collect();
                let expected: Vec<(String, Key)> =
                    expected.into_iter().map(|(order, number)| (order.to_string(), key(number))).collect();
                assert_eq!(found, expected);
            }
        });
    }
}
