//! Signed webhooks sent to the running service, beside bare durable appends of the same records with
//! the same policy, by as many writers: rows in a SQLite file, synced in groups; the commit script of
//! the store in Redis, over one connection.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use caio_core::webhook::signature::Proof;
use caio_core::webhook::{Kind, Source, Trust};
use caio_dispatch::inbox::{EventState, StoredEvent};
use caio_state::conformance::RedisServer;
use caio_state::{Access, CommitOutcome, Guard, RedisStore, StateStore, Txn, TxnId};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;
use tokio::sync::{mpsc, oneshot};

use crate::client::{CONNECTIONS, Load, Requests, load, measured};
use crate::{ROUNDS, Server, caio, median};

const SECRET: &str = "whsec-0123456789abcdef0123456789abcdef";
const EACH: usize = 200;
const EVENT: &str = include_str!("../../../tests/webhooks/instantly_reply.json");

/// Most records that share one sync.
const TOGETHER: usize = 64;

pub(crate) fn measure() {
    compare("SQLite", &[], sqlite);
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--appendonly", "yes", "--appendfsync", "everysec"];
    let redis = RedisServer::start(folder.path(), &arguments).unwrap();
    let url = format!("redis://127.0.0.1:{}", redis.port());
    let bare = |events: &[Vec<StoredEvent>]| scripts(&redis, events);
    compare(
        "Redis",
        &[("REDIS_URL", &url), ("STATE_REDIS_PREFIX", "ours")],
        bare,
    );
}

fn compare(name: &str, variables: &[(&str, &str)], bare: impl Fn(&[Vec<StoredEvent>]) -> Load) {
    let start = |port: u16, home: &Path| {
        let mut command = caio(port, home);
        command.env("INSTANTLY_WEBHOOK_SECRET", SECRET);
        command.envs(variables.iter().copied());
        command
    };
    let server = Server::start(start).0;
    let mut ratios = Vec::new();
    for round in 0..ROUNDS {
        let bodies = bodies(round);
        let requests = bodies.iter().map(|bodies| {
            let each = bodies.iter().map(|body| request(&server, body));
            Requests::Each(each.collect())
        });
        let ours = load(server.address, requests.collect());
        let events = bodies.iter().map(|it| it.iter().map(event).collect());
        let theirs = bare(&events.collect::<Vec<Vec<StoredEvent>>>());
        println!(
            "webhooks, {name:6}  caio {:8.0}/s p99 {:6.2} ms   bare appends {:8.0}/s p99 {:6.2} ms",
            ours.rate, ours.slow, theirs.rate, theirs.slow
        );
        ratios.push(100.0 * ours.rate / theirs.rate);
    }
    println!(
        "webhooks, {name:6}  {:.0} % of the rate of bare appends (median of {ROUNDS})",
        median(ratios)
    );
}

/// Bodies that name a person each, by connection.
fn bodies(round: usize) -> Vec<Vec<String>> {
    let body = |connection, number| {
        let person = format!("kim-{round}-{connection}-{number}@example.com");
        EVENT.replace("Kim@Example.com", &person)
    };
    (0..CONNECTIONS)
        .map(|connection| (0..EACH).map(|number| body(connection, number)).collect())
        .collect()
}

fn request(server: &Server, body: &String) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let signature = caio_core::identity::hex(&mac.finalize().into_bytes());
    format!(
        "POST /webhooks/instantly HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
         X-Instantly-Signature: {signature}\r\nContent-Length: {}\r\n\r\n{body}",
        server.address,
        body.len()
    )
    .into_bytes()
}

/// The record that the service makes of a body.
fn event(body: &String) -> StoredEvent {
    let digest = caio_core::identity::hex(&<Sha256 as sha2::Digest>::digest(body));
    StoredEvent {
        id: format!("wh_{}", &digest[..32]),
        source: Source::Instantly,
        hint: None,
        kind: Kind::Replied,
        name: "reply_received".to_owned(),
        received_at: Timestamp::now(),
        trust: Trust::Proven,
        proof: Some(Proof::Hmac),
        state: EventState::Pending,
        reason: String::new(),
        attempts: 0,
        settled_at: None,
        body: body.clone(),
        encoded: false,
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// Rows at the end of a table: what waits together is synced together.
fn sqlite(events: &[Vec<StoredEvent>]) -> Load {
    type Waiting = (String, Vec<u8>, oneshot::Sender<()>);
    let folder = tempfile::tempdir().unwrap();
    let bare = rusqlite::Connection::open(folder.path().join("bare.db")).unwrap();
    bare.pragma_update(None, "journal_mode", "WAL").unwrap();
    bare.pragma_update(None, "synchronous", "FULL").unwrap();
    bare.execute_batch("CREATE TABLE t (key TEXT, value BLOB)")
        .unwrap();
    let (sender, mut receiver) = mpsc::channel::<Waiting>(256);
    let writer = std::thread::spawn(move || {
        let mut together = Vec::new();
        while receiver.blocking_recv_many(&mut together, TOGETHER) > 0 {
            let transaction = bare.unchecked_transaction().unwrap();
            let mut insert = bare
                .prepare_cached("INSERT INTO t VALUES (?1, ?2)")
                .unwrap();
            for (key, value, _) in &together {
                insert.execute((key, value)).unwrap();
            }
            drop(insert);
            transaction.commit().unwrap();
            for (_, _, done) in together.drain(..) {
                done.send(()).unwrap();
            }
        }
    });
    let records = events.iter().map(|events| {
        let record = |event: &StoredEvent| (event.id.clone(), serde_json::to_vec(event).unwrap());
        events.iter().map(record).collect::<Vec<_>>()
    });
    let records: Vec<_> = records.collect();
    let begun = Instant::now();
    let waits = runtime().block_on(async {
        let mut all = tokio::task::JoinSet::new();
        for records in records {
            let sender = sender.clone();
            all.spawn(async move {
                let mut waits: Vec<Duration> = Vec::with_capacity(records.len());
                for (key, value) in records {
                    let begun = Instant::now();
                    let (done, wait) = oneshot::channel();
                    sender.send((key, value, done)).await.unwrap();
                    wait.await.unwrap();
                    waits.push(begun.elapsed());
                }
                waits
            });
        }
        all.join_all().await.into_iter().flatten().collect()
    });
    let load = measured(waits, begun.elapsed());
    drop(sender);
    writer.join().unwrap();
    load
}

/// The commit that stores an event, without a service around it.
fn scripts(redis: &RedisServer, events: &[Vec<StoredEvent>]) -> Load {
    let runtime = runtime();
    let entered = runtime.enter();
    let prefix = format!("bare{}", Timestamp::now().as_microsecond());
    let store = RedisStore::open(redis.options(&prefix), Access::ReadWrite).unwrap();
    let store: Arc<dyn StateStore> = Arc::new(store);
    let txns = events.iter().map(|events| {
        let txn = |event: &StoredEvent| Txn {
            id: TxnId(event.id.clone()),
            guards: vec![Guard::Absent(event.key())],
            writes: event.writes(None).unwrap(),
        };
        events.iter().map(txn).collect::<Vec<_>>()
    });
    let txns: Vec<_> = txns.collect();
    drop(entered);
    let begun = Instant::now();
    let waits = runtime.block_on(async {
        let mut all = tokio::task::JoinSet::new();
        for txns in txns {
            let store = Arc::clone(&store);
            all.spawn(async move {
                let mut waits: Vec<Duration> = Vec::with_capacity(txns.len());
                for txn in txns {
                    let begun = Instant::now();
                    let outcome = store.commit(&txn).await.unwrap();
                    assert_eq!(outcome, CommitOutcome::Committed);
                    waits.push(begun.elapsed());
                }
                waits
            });
        }
        all.join_all().await.into_iter().flatten().collect()
    });
    measured(waits, begun.elapsed())
}
