//! What is particular to Redis: plain writers beside us, broken connections, lost data.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::fs;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;

use caio_state::conformance::{RedisServer, TestIds};
use caio_state::{
    Access, CommitOutcome, Guard, Key, Lease, RedisOptions, RedisStore, StateStore, StateStoreExt,
    StoreError, Txn, TxnId, Write,
};
use jiff::SignedDuration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn key(name: &str) -> Key {
    Key::new(&[name])
}

fn put(name: &str, value: &str) -> Write {
    Write::Put {
        key: key(name),
        value: value.as_bytes().to_vec(),
        expires_in: None,
    }
}

fn add(name: &str) -> Write {
    Write::Add {
        counter: key(name),
        amount: 1,
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

fn open(options: RedisOptions) -> RedisStore {
    RedisStore::open(options, Access::ReadWrite).unwrap()
}

/// A server, and what the Python system would use to talk to it.
struct World {
    server: RedisServer,
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = RedisServer::start(folder.path(), &[]).unwrap();
        Self { server, folder }
    }

    fn store(&self) -> RedisStore {
        open(self.server.options("caio-test"))
    }

    async fn plain<T: redis::FromRedisValue>(&self, parts: &[&str]) -> T {
        let url = format!("redis://127.0.0.1:{}", self.server.port());
        let client = redis::Client::open(url).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut command = redis::cmd(parts[0]);
        for part in &parts[1..] {
            command.arg(*part);
        }
        command.query_async(&mut connection).await.unwrap()
    }
}

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
        let mut options = world.server.options("caio-test");
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

    let mut options = world.server.options("fresh");
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

#[tokio::test]
async fn scenario_5_without_redis_everything_refuses_within_a_second() {
    let mut world = World::new();
    world.server.kill().unwrap();
    let gone = world.store();
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

const PASS: u8 = 0;
/// What the client asks reaches the server; the answer does not reach the client.
const DROP_ANSWERS: u8 = 1;
/// Nothing travels, nothing is closed.
const HOLD: u8 = 2;
/// Connections are closed at once.
const CUT: u8 = 3;

/// A proxy between client and server that fails in the ways of networks.
struct Proxy {
    port: u16,
    mode: Arc<AtomicU8>,
    dropped: Arc<AtomicUsize>,
}

impl Proxy {
    async fn start(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (mode, dropped) = (Arc::new(AtomicU8::new(PASS)), Arc::new(AtomicUsize::new(0)));
        let (shared, counter) = (Arc::clone(&mode), Arc::clone(&dropped));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(relay(
                    client,
                    server,
                    Arc::clone(&shared),
                    Arc::clone(&counter),
                ));
            }
        });
        Self {
            port,
            mode,
            dropped,
        }
    }

    fn set(&self, mode: u8) {
        self.mode.store(mode, Ordering::SeqCst);
    }

    fn store(&self) -> RedisStore {
        let url = format!(
            "redis://127.0.0.1:{}?prefix=caio-test&timeout=400",
            self.port
        );
        open(RedisOptions::parse(&url, None).unwrap())
    }
}

async fn relay(mut client: TcpStream, server: u16, mode: Arc<AtomicU8>, dropped: Arc<AtomicUsize>) {
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, server))
        .await
        .unwrap();
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                match mode.load(Ordering::SeqCst) {
                    CUT => return,
                    HOLD => {}
                    _ => server.write_all(&asked[..length]).await.unwrap(),
                }
            }
            read = server.read(&mut answered) => {
                let Ok(length @ 1..) = read else { return };
                match mode.load(Ordering::SeqCst) {
                    PASS => client.write_all(&answered[..length]).await.unwrap(),
                    DROP_ANSWERS => {
                        dropped.fetch_add(1, Ordering::SeqCst);
                        return;
                    }
                    CUT => return,
                    _ => {}
                }
            }
        }
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
    let store = proxy.store();
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
