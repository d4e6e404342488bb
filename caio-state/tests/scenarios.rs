//! Acceptance scenarios that need nothing but a store, each over every backend.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use caio_state::conformance::{RedisServer, TestClock};
use caio_state::{
    Access, CommitOutcome, Guard, Key, MemoryStore, Range, RedisStore, SqliteStore, StateStore,
    StateStoreExt, StoreError, Txn, TxnId, Write, stop,
};
use jiff::SignedDuration;

fn key(name: &str) -> Key {
    Key::new(&[name])
}

/// One of each kind of record.
fn one_of_each() -> Txn {
    let put = |name: &str, expires_in| Write::Put {
        key: key(name),
        value: b"{}".to_vec(),
        expires_in,
    };
    let index = |name: &str| Write::Index {
        index: "i".to_owned(),
        order: name.to_owned(),
        key: key(name),
    };
    let add = Write::Add {
        counter: key("n"),
        amount: 2,
        expires_in: None,
    };
    let day = Some(SignedDuration::from_hours(24));
    Txn {
        id: TxnId("1".to_owned()),
        guards: vec![],
        writes: vec![put("a", None), put("b", day), index("a"), index("b"), add],
    }
}

/// Every way of reading, of what is there and of what is not.
async fn read_everything(store: &dyn StateStore) {
    let documents = store.get(&[key("a"), key("b"), key("none")]).await.unwrap();
    assert_eq!(documents.iter().flatten().count(), 2);
    let counters = store.counters(&[key("n"), key("none")]).await.unwrap();
    assert_eq!(counters, [2, 0]);
    for prefix in ["", "a", "none", "operator:batch:"] {
        store.scan(prefix, None, 1).await.unwrap();
        store.scan(prefix, Some(&key("a")), 9).await.unwrap();
    }
    for index in ["i", "none"] {
        for descending in [false, true] {
            let range = Range {
                descending,
                ..Range::default()
            };
            let page = store.range(index, &range, None, 1).await.unwrap();
            let after = page.items.first();
            store.range(index, &range, after, 9).await.unwrap();
        }
    }
    assert_eq!(stop::read(store).await.unwrap(), None);
    assert!(!store.dump().await.unwrap().is_empty());
    store.now().await.unwrap();
    store.ping().await.unwrap();
}

/// Reads with `store`, which may be open for reading alone, and is then refused every commit.
async fn read_and_be_refused(store: &dyn StateStore) {
    read_everything(store).await;
    let mut write = one_of_each();
    write.id = TxnId("2".to_owned());
    let refused = store.commit(&write).await.unwrap_err();
    assert!(matches!(refused, StoreError::ReadOnly { .. }), "{refused}");
}

#[tokio::test]
async fn scenario_16_reading_leaves_memory_as_it_is() {
    let store = MemoryStore::new(TestClock::noon());
    store.commit(&one_of_each()).await.unwrap();
    // Its state is private: what it shows of itself is all of it.
    let before = format!("{store:?}");
    read_everything(&store).await;
    assert_eq!(format!("{store:?}"), before);
}

#[tokio::test]
async fn scenario_16_reading_leaves_the_file_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    let open = |access| SqliteStore::open(&path, TestClock::noon(), access).unwrap();
    let bytes = |path: &Path| {
        let log = path.with_extension("db-wal");
        (fs::read(path).unwrap(), fs::read(log).unwrap_or_default())
    };
    let store = open(Access::ReadWrite);
    store.commit(&one_of_each()).await.unwrap();
    let before = bytes(&path);
    read_everything(&store).await;
    read_and_be_refused(&open(Access::ReadOnly)).await;
    assert!(bytes(&path) == before);
}

#[tokio::test]
async fn scenario_16_reading_leaves_every_key_of_redis_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start(folder.path(), &[]).unwrap();
    let client = redis::Client::open(format!("redis://127.0.0.1:{}", server.port())).unwrap();
    let connection = client.get_multiplexed_async_connection().await.unwrap();
    let bytes = async || {
        let mut connection = connection.clone();
        let keys = redis::cmd("KEYS").arg("*").clone();
        let mut names: Vec<String> = keys.query_async(&mut connection).await.unwrap();
        names.sort();
        let mut all = Vec::new();
        for name in names {
            let dump = redis::cmd("DUMP").arg(&name).clone();
            let value: Vec<u8> = dump.query_async(&mut connection).await.unwrap();
            // When it ends is part of it.
            let ends = redis::cmd("PEXPIRETIME").arg(&name).clone();
            let ends: i64 = ends.query_async(&mut connection).await.unwrap();
            all.push((name, value, ends));
        }
        all
    };
    let open = |access| {
        let mut options = server.options("caio-test");
        options.environment = Some("test".to_owned());
        Arc::new(RedisStore::open(options, access).unwrap())
    };
    let store = open(Access::ReadWrite);
    store.commit(&one_of_each()).await.unwrap();
    let before = bytes().await;
    assert_eq!(before.len(), 9, "{before:?}");
    read_everything(&*store).await;
    read_everything(&*open(Access::ReadWrite)).await;
    read_and_be_refused(&*open(Access::ReadOnly)).await;
    assert!(bytes().await == before);
}

/// A refused commit remembers its answer and changes nothing else.
#[tokio::test]
async fn scenario_03_what_is_there_is_never_replaced_by_a_create() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.db");
    let server = RedisServer::start(folder.path(), &[]).unwrap();
    let clock = TestClock::noon();
    let stores: [Box<dyn StateStore>; 3] = [
        Box::new(MemoryStore::new(clock.clone())),
        Box::new(SqliteStore::open(&file, clock, Access::ReadWrite).unwrap()),
        Box::new(RedisStore::open(server.options("p"), Access::ReadWrite).unwrap()),
    ];
    let put = |id: &str, guards, value: &str| Txn {
        id: TxnId(id.to_owned()),
        guards,
        writes: vec![Write::Put {
            key: key("batch"),
            value: value.as_bytes().to_vec(),
            expires_in: None,
        }],
    };
    for store in stores {
        store.commit(&put("1", vec![], "executed")).await.unwrap();
        let before = store.dump().await.unwrap();
        let stale = put("2", vec![Guard::Absent(key("batch"))], "approved");
        for _ in 0..2 {
            let outcome = store.commit(&stale).await.unwrap();
            assert_eq!(outcome, CommitOutcome::Refused { guard: 0 }, "{store}");
        }
        assert_eq!(store.dump().await.unwrap(), before, "{store}");
    }
}
