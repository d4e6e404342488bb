//! What is particular to Redis: plain writers beside us, broken connections, lost data.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

mod full;
mod lost;
mod together;
mod world;

use std::fs;
use std::net::Ipv4Addr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use caio_state::conformance::{RedisServer, TestIds};
use caio_state::{
    Access, CommitOutcome, Guard, Key, Lease, RedisOptions, RedisStore, StateStore, StateStoreExt,
    Write,
};
use jiff::SignedDuration;
use world::{CUT, DROP_ANSWERS, HOLD, PASS, Proxy, World, add, key, open, put, txn};

#[tokio::test]
async fn both_systems_read_what_the_other_wrote() {
    let world = World::new();
    let store = world.store();
    // As json.dumps of the Python system writes it: separators, order, non-ASCII as it is.
    let theirs = r#"{"name": "Zoë", "n": [1, 2], "x": null}"#;
    world
        .plain::<()>(&["SET", "caio-test:operator:batch:batch_0a1b2c3d", theirs])
        .await;
    let batch = Key::new(&["operator", "batch", "batch_0a1b2c3d"]);
    let found = store
        .get(std::slice::from_ref(&batch))
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    assert_eq!(found.value, theirs.as_bytes());

    let ours = r#"{"batch_id": "batch_0a1b2c3d", "n": [], "big": 12345678901234567890, "f": 1.0}"#;
    let write = Write::Put {
        key: batch.clone(),
        value: ours.as_bytes().to_vec(),
        expires_in: None,
    };
    let guard = vec![Guard::Unchanged(batch.clone(), found.version.clone())];
    let outcome = store
        .commit(&txn("1", guard.clone(), vec![write]))
        .await
        .unwrap();
    assert_eq!(outcome, CommitOutcome::Committed);
    let read: String = world
        .plain(&["GET", "caio-test:operator:batch:batch_0a1b2c3d"])
        .await;
    assert_eq!(read, ours);

    // A plain writer's change is seen by a guard and by a scan, though it never ran our script.
    world
        .plain::<()>(&["SET", "caio-test:operator:batch:batch_0a1b2c3d", theirs])
        .await;
    let now = store
        .get(std::slice::from_ref(&batch))
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    assert_eq!(
        now.version, found.version,
        "equal values may have equal versions"
    );
    world
        .plain::<()>(&["SET", "caio-test:operator:batch:batch_0a1b2c3d", "{}"])
        .await;
    let refused = store
        .commit(&txn("2", guard, vec![put("x", "y")]))
        .await
        .unwrap();
    assert_eq!(refused, CommitOutcome::Refused { guard: 0 });
    for name in [
        "cadence:lead:9fbdefe2837a03c9225be80e",
        "operator:state:2026-03-02",
    ] {
        world
            .plain::<()>(&["SET", &format!("caio-test:{name}"), "{}"])
            .await;
    }
    world
        .plain::<()>(&["SET", "other:operator:batch:batch_1", "{}"])
        .await;
    let names: Vec<String> = store
        .scan("", None, 99)
        .await
        .unwrap()
        .items
        .into_iter()
        .map(|(key, _)| key.as_str().to_owned())
        .collect();
    assert_eq!(
        names,
        [
            "cadence:lead:9fbdefe2837a03c9225be80e",
            "operator:batch:batch_0a1b2c3d",
            "operator:state:2026-03-02"
        ]
    );
    // One page at a time, across names that are ours and names that are not.
    let writes = (0..5)
        .map(|at| put(&format!("operator:batch:batch_0{at}"), "{}"))
        .collect();
    store.commit(&txn("3", vec![], writes)).await.unwrap();
    let mut paged = Vec::new();
    let mut after = None;
    loop {
        let page = store
            .scan("operator:batch:", after.as_ref(), 2)
            .await
            .unwrap();
        paged.extend(
            page.items
                .into_iter()
                .map(|(key, _)| key.as_str().to_owned()),
        );
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(paged.len(), 6);
    assert!(paged.is_sorted());
}

#[tokio::test]
async fn the_lock_of_the_python_system_is_a_document_to_us() {
    let world = World::new();
    let store = world.store();
    let lock = Key::new(&["locks", "operator", "outbound"]);
    let take = |id: &str| {
        let write = Write::Put {
            key: lock.clone(),
            value: b"token".to_vec(),
            expires_in: Some(SignedDuration::from_secs(30)),
        };
        txn(id, vec![Guard::Absent(lock.clone())], vec![write])
    };
    let theirs = [
        "SET",
        "caio-test:locks:operator:outbound",
        "theirs",
        "NX",
        "EX",
        "240",
    ];
    assert_eq!(
        store.commit(&take("1")).await.unwrap(),
        CommitOutcome::Committed
    );
    assert_eq!(
        world.plain::<Option<String>>(&theirs).await,
        None,
        "they are refused"
    );
    let ttl: i64 = world
        .plain(&["PTTL", "caio-test:locks:operator:outbound"])
        .await;
    assert!((1..=30_000).contains(&ttl));
    world
        .plain::<()>(&["DEL", "caio-test:locks:operator:outbound"])
        .await;
    assert_eq!(
        world.plain::<Option<String>>(&theirs).await.as_deref(),
        Some("OK")
    );
    let refused = store.commit(&take("2")).await.unwrap();
    assert_eq!(
        refused,
        CommitOutcome::Refused { guard: 0 },
        "we are refused"
    );
}

#[tokio::test]
async fn staging_and_production_refuse_each_others_data() {
    let world = World::new();
    let within = |environment: &str| {
        let mut options = world.options("caio-test");
        options.environment = Some(environment.to_owned());
        options
    };
    open(within("staging"))
        .commit(&txn("1", vec![], vec![put("a", "1")]))
        .await
        .unwrap();
    open(within("staging")).ping().await.unwrap();
    for access in [Access::ReadOnly, Access::ReadWrite] {
        let store = RedisStore::open(within("production"), access).unwrap();
        let errors = [
            store.ping().await.unwrap_err(),
            store.get(&[key("a")]).await.unwrap_err(),
            store.scan("", None, 9).await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.code(), "store.wrong_environment");
        }
    }
    let store = open(within("production"));
    let error = store.commit(&txn("2", vec![], vec![])).await.unwrap_err();
    assert_eq!(error.code(), "store.wrong_environment");

    let mut options = world.options("fresh");
    options.environment = Some("production".to_owned());
    let reader = RedisStore::open(options, Access::ReadOnly).unwrap();
    reader.ping().await.unwrap();
    let keys: Vec<String> = world.plain(&["KEYS", "fresh:*"]).await;
    assert!(keys.is_empty(), "reading claims nothing");
    assert_eq!(
        reader
            .commit(&txn("1", vec![], vec![]))
            .await
            .unwrap_err()
            .code(),
        "store.read_only"
    );
}

/// A value that cannot be read is an error, never *absent*, and changes nothing.
#[tokio::test]
async fn scenario_4_a_failed_read_is_no_absence() {
    let world = World::new();
    let store = world.store();
    world
        .plain::<()>(&["LPUSH", "caio-test:operator:state:2026-03-02", "x"])
        .await;
    let state = Key::new(&["operator", "state", "2026-03-02"]);
    let error = store.get(&[state]).await.unwrap_err();
    assert_eq!(error.code(), "store.corrupt");
    // A script that fails has written nothing.
    world
        .plain::<()>(&["LPUSH", "caio-test:caio:_i:i", "x"])
        .await;
    let index = Write::Index {
        index: "i".to_owned(),
        order: "1".to_owned(),
        key: key("a"),
    };
    let error = store
        .commit(&txn("1", vec![], vec![put("a", "1"), index]))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("is a list"), "{error}");
    assert_eq!(store.get(&[key("a")]).await.unwrap(), [None]);
}

/// Nothing is undone in a script: whatever stands in the way of a write is found before the first one.
#[tokio::test]
async fn a_name_of_another_kind_refuses_the_whole_commit() {
    let world = World::new();
    let index = || Write::Index {
        index: "i".to_owned(),
        order: "1".to_owned(),
        key: key("a"),
    };
    let broken = [
        ["LPUSH", "caio:_sequence", "x"],
        ["SET", "caio:_sequence", "x"],
        ["LPUSH", "caio:_t:1", "x"],
        ["SET", "caio:_documents", "x"],
        ["LPUSH", "caio:_n:n", "x"],
        ["SET", "caio:_n:n", "1.5"],
        ["SADD", "caio:_i:i", "x"],
        ["SET", "caio:_p:i", "x"],
    ];
    for (number, [command, name, value]) in broken.into_iter().enumerate() {
        let prefix = format!("broken-{number}");
        let name = format!("{prefix}:{name}");
        world.plain::<()>(&[command, &name, value]).await;
        let store = open(world.options(&prefix));
        let writes = vec![put("a", "1"), Write::Delete(key("b")), add("n"), index()];
        let error = store.commit(&txn("1", vec![], writes)).await.unwrap_err();
        assert_eq!(error.code(), "store.invalid", "{name}: {error}");
        let names: Vec<String> = world.plain(&["KEYS", &format!("{prefix}:*")]).await;
        assert_eq!(names, [name], "nothing is written");
    }
}

#[tokio::test]
async fn scenario_5_without_redis_everything_refuses_within_a_second() {
    let mut world = World::new();
    world.server.kill().unwrap();
    let gone = open(world.server.options("caio-test"));
    let hole = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = hole.local_addr().unwrap().port();
    let silent = RedisOptions::parse(&format!("redis://127.0.0.1:{port}?prefix=p"), None).unwrap();
    for store in [gone, open(silent)] {
        let answered = tokio::time::timeout(Duration::from_secs(1), async {
            assert_eq!(store.ping().await.unwrap_err().code(), "store.unavailable");
        });
        answered.await.unwrap();
        let answered = tokio::time::timeout(Duration::from_secs(1), async {
            let error = store.commit(&txn("1", vec![], vec![])).await.unwrap_err();
            assert!(
                ["store.unavailable", "store.ambiguous"].contains(&error.code()),
                "{error}"
            );
        });
        answered.await.unwrap();
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_after_the_write_is_asked_again_and_applied_once() {
    let world = World::new();
    let proxy = Proxy::start(world.server.port()).await;
    let store = proxy.store();
    store
        .commit(&txn("0", vec![], vec![add("n")]))
        .await
        .unwrap();
    proxy.set(DROP_ANSWERS);
    let send = txn(
        "1",
        vec![Guard::Absent(key("claim"))],
        vec![add("n"), put("claim", "1")],
    );
    let error = store.commit(&send).await.unwrap_err();
    assert_eq!(error.code(), "store.ambiguous");
    assert!(
        proxy.dropped.load(Ordering::SeqCst) > 0,
        "the write reached the server"
    );
    proxy.set(PASS);
    assert_eq!(store.commit(&send).await.unwrap(), CommitOutcome::Committed);
    assert_eq!(store.counters(&[key("n")]).await.unwrap(), [2]);
    // A claim under another id meets the first one.
    let other = txn("2", vec![Guard::Absent(key("claim"))], vec![add("n")]);
    assert_eq!(
        store.commit(&other).await.unwrap(),
        CommitOutcome::Refused { guard: 0 }
    );
}

#[tokio::test]
async fn a_broken_connection_is_an_error_and_mends_itself() {
    let world = World::new();
    let proxy = Proxy::start(world.server.port()).await;
    let store = proxy.store_within(Duration::from_millis(400));
    store
        .commit(&txn("0", vec![], vec![put("a", "1")]))
        .await
        .unwrap();
    for mode in [HOLD, CUT] {
        proxy.set(mode);
        assert!(store.get(&[key("a")]).await.is_err(), "never *absent*");
        let id = format!("in mode {mode}");
        assert!(
            store
                .commit(&txn(&id, vec![], vec![add("n")]))
                .await
                .is_err()
        );
        proxy.set(PASS);
        let mut tries = 0;
        while let Err(error) = store.get(&[key("a")]).await {
            tries += 1;
            assert!(tries < 20, "{error}");
        }
    }
    assert_eq!(
        store.counters(&[key("n")]).await.unwrap(),
        [0],
        "nothing got through"
    );
}

#[tokio::test]
async fn a_claim_without_its_replicas_does_not_count() {
    let world = World::new();
    let mut options = world.server.options("caio-test");
    options.replicas = 1;
    let store = open(options);
    let error = store
        .commit(&txn("1", vec![], vec![put("a", "1")]))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("0 of 1 replicas"), "{error}");

    let folder = tempfile::tempdir().unwrap();
    let port = world.server.port().to_string();
    let _replica = RedisServer::start(folder.path(), &["--replicaof", "127.0.0.1", &port]).unwrap();
    let mut tries = 0;
    while store
        .commit(&txn("1", vec![], vec![put("a", "1")]))
        .await
        .is_err()
    {
        tries += 1;
        assert!(tries < 50, "the replica never follows");
    }
}

#[tokio::test]
async fn a_fence_survives_lost_data() {
    let mut world = World::new();
    let lease = Lease::new(key("lease"));
    let ids = TestIds::default();
    let ttl = SignedDuration::from_secs(60);
    let first = lease
        .acquire(&world.store(), &ids, "one", "work", ttl)
        .await
        .unwrap()
        .unwrap();
    world.server.kill().unwrap();
    fs::remove_dir_all(world.folder.path().join("appendonlydir")).unwrap();
    world.server.restart().unwrap();
    let store = world.store();
    let second = lease
        .acquire(&store, &ids, "two", "work", ttl)
        .await
        .unwrap()
        .unwrap();
    assert!(second.fence > first.fence);
    assert!(
        store
            .get_json::<serde_json::Value>(&key("lease"))
            .await
            .unwrap()
            .is_some()
    );
}
