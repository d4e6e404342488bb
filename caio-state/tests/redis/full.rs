//! A server that takes no writes: no memory left, or a disk that cannot be written.

use std::fs;

use caio_state::{CommitOutcome, Guard, RedisStore, StateStore, Txn, Write};

use crate::world::{World, add, key, put, txn};

/// Every kind of write; its guards hold.
fn claim() -> Txn {
    let index = Write::Index {
        index: "i".to_owned(),
        order: "1".to_owned(),
        key: key("a"),
    };
    let guards = vec![Guard::Absent(key("a")), Guard::StopAbsent];
    let delete = Write::Delete(key("old"));
    txn(
        "claim",
        guards,
        vec![delete, put("a", "1"), add("n"), index],
    )
}

/// Refused with `why`, and not one key more or less; `mend` makes it work again, once.
async fn refused_then_applied(world: &World, store: &RedisStore, why: &str, mend: impl AsyncFn()) {
    let names = async || {
        let mut names: Vec<String> = world.plain(&["KEYS", "*"]).await;
        names.sort();
        names
    };
    let before = names().await;
    let refusal = txn("no", vec![Guard::Present(key("none"))], vec![]);
    for txn in [&claim(), &claim(), &refusal] {
        let error = store.commit(txn).await.unwrap_err();
        assert_eq!(error.code(), "store.unavailable", "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
    assert_eq!(names().await, before, "nothing is half written");
    // Reading goes on.
    let found = store.get(&[key("old"), key("a")]).await.unwrap();
    assert!(found[0].is_some() && found[1].is_none());

    mend().await;
    for _ in 0..2 {
        let outcome = store.commit(&claim()).await.unwrap();
        assert_eq!(outcome, CommitOutcome::Committed);
    }
    assert_eq!(
        store.counters(&[key("n")]).await.unwrap(),
        [1],
        "applied once"
    );
    assert_eq!(store.get(&[key("old")]).await.unwrap(), [None]);
}

#[tokio::test]
async fn without_memory_a_commit_is_refused_and_works_again_later() {
    let world = World::new();
    let store = world.store();
    let first = txn("0", vec![], vec![put("old", "x"), put("older", "x")]);
    store.commit(&first).await.unwrap();
    for (setting, value) in [("maxmemory-policy", "noeviction"), ("maxmemory", "1")] {
        world.plain::<()>(&["CONFIG", "SET", setting, value]).await;
    }
    let deletion = txn("1", vec![], vec![Write::Delete(key("older"))]);
    let outcome = store.commit(&deletion).await.unwrap();
    assert_eq!(
        outcome,
        CommitOutcome::Committed,
        "what frees memory goes through"
    );
    let mend = async || {
        world
            .plain::<()>(&["CONFIG", "SET", "maxmemory", "0"])
            .await;
    };
    refused_then_applied(&world, &store, "takes no writes", mend).await;
}

#[tokio::test]
async fn with_a_disk_that_cannot_be_written_a_commit_is_refused_and_works_again_later() {
    // With a rule for snapshots, the server stops taking writes once a snapshot has failed.
    let world = World::with(&["--save", "3600 1000000"]);
    let store = world.store();
    let first = txn("0", vec![], vec![put("old", "x")]);
    store.commit(&first).await.unwrap();
    // Nobody can put a file over a folder, whatever their rights.
    let in_the_way = world.folder.path().join("dump.rdb");
    fs::create_dir(&in_the_way).unwrap();
    snapshot(&world, "err").await;
    let mend = async || {
        fs::remove_dir(&in_the_way).unwrap();
        snapshot(&world, "ok").await;
    };
    refused_then_applied(&world, &store, "takes no writes", mend).await;
}

/// Takes a snapshot and waits until it is `known` how that ended.
async fn snapshot(world: &World, known: &str) {
    world.plain::<String>(&["BGSAVE"]).await;
    let mut tries = 0;
    loop {
        let info: String = world.plain(&["INFO", "persistence"]).await;
        let ended = info.contains("rdb_bgsave_in_progress:0");
        if ended && info.contains(&format!("rdb_last_bgsave_status:{known}")) {
            return;
        }
        tries += 1;
        assert!(tries < 1000, "the snapshot never ends with {known}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
