//! Every backend against every law; what is particular to SQLite's file; a model of the store.
#![cfg(feature = "conformance")]
#![allow(
    clippy::match_same_arms,
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs
)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use caio_core::Clock;
use caio_state::conformance::{TestClock, all};
use caio_state::{
    Access, CommitOutcome, Guard, Key, MemoryStore, Range, SqliteStore, StateStore, StateStoreExt,
    StoreError, Txn, TxnId, Write,
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

#[tokio::test]
async fn a_file_is_private_and_read_only_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/caio.db");
    let clock: Arc<dyn Clock> = TestClock::noon();
    let reader = SqliteStore::open(&path, Arc::clone(&clock), Access::ReadOnly).unwrap();
    assert_eq!(reader.dump().await.unwrap(), "");
    assert!(
        !path.exists() && !path.parent().unwrap().exists(),
        "reading makes nothing"
    );

    let writer = SqliteStore::open(&path, Arc::clone(&clock), Access::ReadWrite).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(
        fs::metadata(path.parent().unwrap())
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o700
    );
    let key = Key::new(&["a"]);
    let put = Write::Put {
        key: key.clone(),
        value: b"1".to_vec(),
        expires_in: None,
    };
    let txn = Txn {
        id: TxnId("1".to_owned()),
        guards: vec![],
        writes: vec![put],
    };
    writer.commit(&txn).await.unwrap();

    let reader = SqliteStore::open(&path, clock, Access::ReadOnly).unwrap();
    assert!(reader.get(std::slice::from_ref(&key)).await.unwrap()[0].is_some());
    assert!(matches!(
        reader.commit(&txn).await,
        Err(StoreError::ReadOnly { .. })
    ));
}

#[test]
fn what_is_no_store_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &std::path::Path| {
        let access = Access::ReadWrite;
        SqliteStore::open(path, TestClock::noon(), access)
            .unwrap_err()
            .to_string()
    };
    assert!(open(folder.path()).contains("folder"));
    let text = folder.path().join("text.db");
    fs::write(
        &text,
        "this is no database, it is a text that is long enough to be looked at",
    )
    .unwrap();
    assert!(open(&text).contains("--store"), "{}", open(&text));
    let foreign = folder.path().join("foreign.db");
    rusqlite::Connection::open(&foreign)
        .unwrap()
        .execute_batch("CREATE TABLE t (x)")
        .unwrap();
    assert!(open(&foreign).contains("another program"));
    let newer = folder.path().join("newer.db");
    SqliteStore::open(&newer, TestClock::noon(), Access::ReadWrite).unwrap();
    rusqlite::Connection::open(&newer)
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    assert!(open(&newer).contains("newer version"));
    assert!(open(std::path::Path::new("/proc/none/caio.db")).contains("cannot be made"));
}

/// What a page costs follows the page, not the data.
#[tokio::test]
async fn a_page_takes_as_many_steps_among_many_entries_as_among_few() {
    let mut taken = Vec::new();
    for size in [1_000, 100_000] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.db");
        let store = SqliteStore::open(&path, TestClock::noon(), Access::ReadWrite).unwrap();
        let index = |number: usize| Write::Index {
            index: "i".to_owned(),
            order: format!("{number:09}"),
            key: Key::new(&["d", &number.to_string()]),
        };
        let writes = (0..size).map(index).collect();
        store
            .commit(&Txn {
                id: TxnId("1".to_owned()),
                guards: vec![],
                writes,
            })
            .await
            .unwrap();
        let first = store.range("i", &Range::default(), None, 50).await.unwrap();
        store
            .range("i", &Range::default(), first.next.as_ref(), 50)
            .await
            .unwrap();
        taken.push(store.steps());
    }
    assert_eq!(taken[0], taken[1]);
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
