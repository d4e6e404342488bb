//! Data that was acknowledged and is gone: nothing is decided on what is left.

use std::fs;

use caio_state::conformance::RedisServer;
use caio_state::{StateStore, StoreError};

use crate::world::{CUT, Proxy, World, add, put, txn};

#[tokio::test]
async fn a_store_that_came_back_older_is_noticed_and_nothing_is_written() {
    for how in ["truncated", "older copy"] {
        let mut world = World::new();
        let store = world.store();
        let write = |n: usize| txn(&n.to_string(), vec![], vec![put(&n.to_string(), "x")]);
        for n in 0..3 {
            store.commit(&write(n)).await.unwrap();
        }
        let data = world.folder.path().join("appendonlydir");
        let copy = world.folder.path().join("copy");
        copy_folder(&data, &copy);
        for n in 3..6 {
            store.commit(&write(n)).await.unwrap();
        }
        world.server.kill().unwrap();
        if how == "truncated" {
            let log = fs::read_dir(&data).unwrap().map(|it| it.unwrap().path());
            let log = log
                .filter(|it| it.to_string_lossy().ends_with(".incr.aof"))
                .max()
                .unwrap();
            let length = fs::metadata(&log).unwrap().len();
            fs::File::options()
                .write(true)
                .open(&log)
                .unwrap()
                .set_len(length - 700)
                .unwrap();
        } else {
            fs::remove_dir_all(&data).unwrap();
            copy_folder(&copy, &data);
        }
        world.server.restart().unwrap();
        let mut code = "";
        for n in 10..20 {
            match store.commit(&write(n)).await {
                Err(error) if error.code() == "store.lost_data" => {
                    code = error.code();
                    break;
                }
                Err(StoreError::Unavailable { .. } | StoreError::Ambiguous { .. }) => {}
                other => panic!("{how}: {other:?}"),
            }
        }
        assert_eq!(code, "store.lost_data", "{how}");
        for n in 20..30 {
            assert!(
                store.commit(&write(n)).await.is_err(),
                "{how}: it stays stopped"
            );
        }
    }
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[tokio::test]
async fn a_stale_replica_that_took_over_is_noticed_and_nothing_is_written() {
    let mut world = World::new();
    let link = Proxy::start(world.server.port()).await;
    let folder = tempfile::tempdir().unwrap();
    let port = link.port.to_string();
    let replica = RedisServer::start(folder.path(), &["--replicaof", "127.0.0.1", &port]).unwrap();
    let replica = World {
        server: replica,
        folder,
    };
    let proxy = Proxy::start(world.server.port()).await;
    let store = proxy.store();
    let write = |n: u32| {
        txn(
            &n.to_string(),
            vec![],
            vec![put(&n.to_string(), "x"), add("n")],
        )
    };
    for n in 0..3 {
        store.commit(&write(n)).await.unwrap();
    }
    let sequence = ["GET", "caio-test:caio:_sequence"];
    let mut tries = 0;
    while replica.plain::<Option<u64>>(&sequence).await != Some(3) {
        tries += 1;
        assert!(tries < 1000, "the replica never follows");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }

    link.set(CUT);
    for n in 3..6 {
        store.commit(&write(n)).await.unwrap();
    }
    assert_eq!(
        replica.plain::<Option<u64>>(&sequence).await,
        Some(3),
        "it is cut off"
    );
    world.server.kill().unwrap();
    replica.plain::<()>(&["REPLICAOF", "NO", "ONE"]).await;
    proxy.lead_to(replica.server.port());

    let before = everything(&replica).await;
    let mut lost = None;
    for n in 10..20 {
        match store.commit(&write(n)).await {
            Err(StoreError::LostData { seen, found, .. }) => {
                lost = Some((seen, found));
                break;
            }
            Err(StoreError::Unavailable { .. } | StoreError::Ambiguous { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(lost, Some((6, 3)));
    // What was never acknowledged is refused as well, and so is what was: its outcome is gone.
    for n in [0, 5, 30] {
        let error = store.commit(&write(n)).await.unwrap_err();
        assert_eq!(error.code(), "store.lost_data");
    }
    assert_eq!(everything(&replica).await, before, "nothing is written");
}

/// Every name with its bytes.
async fn everything(world: &World) -> Vec<(String, Option<Vec<u8>>)> {
    let mut names: Vec<String> = world.plain(&["KEYS", "*"]).await;
    names.sort();
    let mut all = Vec::new();
    for name in names {
        let bytes = world.plain(&["DUMP", &name]).await;
        all.push((name, bytes));
    }
    all
}
