//! Moving from one store to another: who is asked, what comes over, and when that ends.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use caio_state::conformance::{RedisServer, TestClock, TestIds};
use caio_state::{
    Access, CommitOutcome, DualStore, Guard, HiveStore, Key, MemoryStore, Range, RedisOptions,
    RedisStore, SqliteStore, StateStore, StoreError, Txn, TxnId, Write, dual,
};
use jiff::SignedDuration;

const EXECUTED: &str = r#"{"batch_id": "batch_1", "status": "executed"}"#;
const APPROVED: &str = r#"{"batch_id": "batch_1", "status": "approved"}"#;

fn key(name: &str) -> Key {
    Key::new(&[name])
}

fn batch() -> Key {
    key("operator:batch:batch_1")
}

fn put(key: &Key, value: &str) -> Write {
    Write::Put {
        key: key.clone(),
        value: value.as_bytes().to_vec(),
        expires_in: None,
    }
}

fn txn(id: &str, guards: Vec<Guard>, writes: Vec<Write>) -> Txn {
    Txn {
        id: TxnId(id.to_owned()),
        guards,
        writes,
    }
}

async fn commit(
    store: &dyn StateStore,
    id: &str,
    guards: Vec<Guard>,
    writes: Vec<Write>,
) -> CommitOutcome {
    store.commit(&txn(id, guards, writes)).await.unwrap()
}

async fn text(store: &dyn StateStore, key: &Key) -> Option<String> {
    let found = store
        .get(std::slice::from_ref(key))
        .await
        .unwrap()
        .remove(0);
    found.map(|it| String::from_utf8(it.value).unwrap())
}

fn hive(folder: &Path, batch: &str) -> Arc<dyn StateStore> {
    fs::create_dir_all(folder.join("operator_batches")).unwrap();
    fs::write(folder.join("operator_batches/batch_1.json"), batch).unwrap();
    Arc::new(HiveStore::open(folder, TestClock::noon(), Access::ReadOnly).unwrap())
}

/// Ids that no two tests and stores share.
fn ids() -> Arc<TestIds> {
    static IDS: LazyLock<Arc<TestIds>> = LazyLock::new(Arc::default);
    Arc::clone(&IDS)
}

fn dual(primary: &Arc<dyn StateStore>, legacy: &Arc<dyn StateStore>) -> DualStore {
    DualStore::new(Arc::clone(primary), Arc::clone(legacy), ids())
}

/// Every primary: the law is the same.
fn primaries(folder: &Path, server: &RedisServer) -> [Arc<dyn StateStore>; 3] {
    let clock = TestClock::noon();
    let file = folder.join("x.db");
    let redis = RedisStore::open(server.options("dual"), Access::ReadWrite).unwrap();
    [
        Arc::new(MemoryStore::new(clock.clone())),
        Arc::new(SqliteStore::open(&file, clock, Access::ReadWrite).unwrap()),
        Arc::new(redis),
    ]
}

#[tokio::test]
async fn scenario_03_an_executed_batch_is_never_approved_again_by_a_stale_file() {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start(folder.path(), &[]).unwrap();
    for primary in primaries(folder.path(), &server) {
        commit(&*primary, "1", vec![], vec![put(&batch(), EXECUTED)]).await;
        let legacy = hive(&folder.path().join("hive"), APPROVED);
        let store = dual(&primary, &legacy);
        assert_eq!(text(&store, &batch()).await.as_deref(), Some(EXECUTED));
        // Nor by a question for approved ones, which no batch of the primary answers.
        let whole = Range::default();
        let listing = store.range("caio:idx:batch:approved", &whole, None, 9);
        let refused = listing.await.unwrap_err();
        assert_eq!(refused.code(), "store.migration_incomplete");
        let refused = store.scan("operator:batch:", None, 9).await.unwrap_err();
        assert_eq!(refused.code(), "store.migration_incomplete");
        assert_eq!(text(&*primary, &batch()).await.as_deref(), Some(EXECUTED));
        assert_eq!(
            dual::legacy_use(&*primary).await.unwrap().unwrap().answers,
            0
        );
    }
}

#[tokio::test]
async fn scenario_04_a_primary_that_fails_is_not_absent_and_the_legacy_store_is_not_asked() {
    let folder = tempfile::tempdir().unwrap();
    let options = RedisOptions::parse("redis://127.0.0.1:1?prefix=p", None).unwrap();
    let primary: Arc<dyn StateStore> =
        Arc::new(RedisStore::open(options, Access::ReadWrite).unwrap());
    let store = dual(&primary, &hive(folder.path(), APPROVED));
    let answer = store.get(&[batch()]).await;
    assert!(
        matches!(answer, Err(StoreError::Unavailable { .. })),
        "{answer:?}"
    );
    let answer = store
        .commit(&txn("1", vec![], vec![put(&batch(), EXECUTED)]))
        .await;
    assert!(answer.is_err());
}

#[tokio::test]
async fn what_only_the_legacy_store_has_comes_over_once_and_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start(folder.path(), &[]).unwrap();
    for primary in primaries(folder.path(), &server) {
        let hive_folder = folder.path().join("hive");
        let store = dual(&primary, &hive(&hive_folder, APPROVED));
        assert_eq!(text(&store, &batch()).await.as_deref(), Some(APPROVED));
        assert_eq!(text(&*primary, &batch()).await.as_deref(), Some(APPROVED));
        assert_eq!(text(&store, &key("none")).await, None);
        // What the folder says later is no more news.
        fs::write(hive_folder.join("operator_batches/batch_1.json"), EXECUTED).unwrap();
        assert_eq!(text(&store, &batch()).await.as_deref(), Some(APPROVED));
        let used = dual::legacy_use(&*primary).await.unwrap().unwrap();
        assert_eq!(
            (used.answers, used.last_key.as_deref()),
            (1, Some("operator:batch:batch_1"))
        );
    }
}

#[tokio::test]
async fn guards_see_what_the_legacy_store_has_and_what_is_gone_stays_gone() {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start(folder.path(), &[]).unwrap();
    for primary in primaries(folder.path(), &server) {
        let store = dual(&primary, &hive(&folder.path().join("hive"), APPROVED));
        let absent = || vec![Guard::Absent(batch())];
        assert_eq!(
            commit(&store, "1", absent(), vec![put(&batch(), EXECUTED)]).await,
            CommitOutcome::Refused { guard: 0 }
        );
        commit(&store, "2", vec![], vec![Write::Delete(batch())]).await;
        assert_eq!(text(&store, &batch()).await, None);
        assert_eq!(
            commit(&store, "3", absent(), vec![put(&batch(), EXECUTED)]).await,
            CommitOutcome::Committed
        );
    }
}

#[tokio::test]
async fn what_has_expired_does_not_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let clock = TestClock::noon();
    let primary: Arc<dyn StateStore> = Arc::new(MemoryStore::new(clock.clone()));
    let store = dual(&primary, &hive(folder.path(), APPROVED));
    let short = Write::Put {
        key: batch(),
        value: EXECUTED.as_bytes().to_vec(),
        expires_in: Some(SignedDuration::from_hours(1)),
    };
    commit(&store, "1", vec![], vec![short]).await;
    assert_eq!(text(&store, &batch()).await.as_deref(), Some(EXECUTED));
    clock.advance(SignedDuration::from_hours(2));
    assert_eq!(text(&store, &batch()).await, None);
}

#[tokio::test]
async fn limits_that_were_used_in_the_legacy_store_are_used() {
    let primary: Arc<dyn StateStore> = Arc::new(MemoryStore::new(TestClock::noon()));
    let legacy: Arc<dyn StateStore> = Arc::new(MemoryStore::new(TestClock::noon()));
    let add = |amount| Write::Add {
        counter: key("day"),
        amount,
        expires_in: None,
    };
    commit(&*legacy, "1", vec![], vec![add(4)]).await;
    let store = dual(&primary, &legacy);
    let ceiling = || {
        vec![Guard::Ceiling {
            counter: key("day"),
            add: 1,
            ceiling: 5,
        }]
    };
    assert_eq!(
        commit(&store, "2", ceiling(), vec![add(1)]).await,
        CommitOutcome::Committed
    );
    assert_eq!(
        commit(&store, "3", ceiling(), vec![add(1)]).await,
        CommitOutcome::Refused { guard: 0 }
    );
    assert_eq!(store.counters(&[key("day")]).await.unwrap(), [5]);
}

#[tokio::test]
async fn after_the_mark_the_legacy_store_is_not_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let primary: Arc<dyn StateStore> = Arc::new(MemoryStore::new(TestClock::noon()));
    let legacy = hive(folder.path(), "{broken");
    let store = dual(&primary, &legacy);
    let answer = store.get(&[batch()]).await;
    assert!(
        matches!(answer, Err(StoreError::Corrupt { .. })),
        "{answer:?}"
    );
    assert!(!store.capabilities().live_authority);
    let first = dual::cut_over(&*primary, &*ids(), "kim").await.unwrap();
    let again = dual::cut_over(&*primary, &*ids(), "lou").await.unwrap();
    assert_eq!(again, first, "the first word counts");
    assert_eq!(text(&store, &batch()).await, None);
    assert!(
        store
            .scan("operator:", None, 9)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    assert!(store.capabilities().listings);
}

#[tokio::test]
async fn reading_alone_answers_and_brings_nothing_over() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.db");
    drop(SqliteStore::open(&file, TestClock::noon(), Access::ReadWrite).unwrap());
    let primary: Arc<dyn StateStore> =
        Arc::new(SqliteStore::open(&file, TestClock::noon(), Access::ReadOnly).unwrap());
    let store = dual(&primary, &hive(&folder.path().join("hive"), APPROVED));
    assert_eq!(text(&store, &batch()).await.as_deref(), Some(APPROVED));
    assert_eq!(text(&*primary, &batch()).await, None);
}
