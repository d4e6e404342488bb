//! Moving everything from one store into another, and into a file and back.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use caio_core::identity::cadence_email_hash;
use caio_state::archive::{self, Writer};
use caio_state::conformance::{RedisServer, TestClock, TestIds};
use caio_state::copy::{Copy, Report, Tally, digest};
use caio_state::{
    Access, CommitOutcome, HiveStore, Key, MemoryStore, Range, RedisStore, SqliteStore, StateStore,
    StoreError, Txn, TxnId, Write,
};
use jiff::SignedDuration;

type Store = Arc<dyn StateStore>;

fn put(key: &str, value: &[u8]) -> Write {
    Write::Put {
        key: Key::new(&[key]),
        value: value.to_vec(),
        expires_in: None,
    }
}

async fn commit(store: &dyn StateStore, id: &str, writes: Vec<Write>) {
    let txn = Txn {
        id: TxnId(id.to_owned()),
        guards: Vec::new(),
        writes,
    };
    assert_eq!(store.commit(&txn).await.unwrap(), CommitOutcome::Committed);
}

/// Documents of every kind, some of them in indexes, and counters.
async fn fill(store: &dyn StateStore) {
    for at in 0..1100_u32 {
        let name = format!("caio:draft:{at:05}");
        let index = |index: u32| Write::Index {
            index: format!("caio:idx:{index}"),
            order: format!("{:05}", 7 * at % 1100),
            key: Key::new(&[&name]),
        };
        let value = format!("{{\"n\": {at}}}");
        commit(
            store,
            &name,
            vec![put(&name, value.as_bytes()), index(at % 3), index(9)],
        )
        .await;
    }
    let week = Some(SignedDuration::from_hours(7 * 24));
    let add = |name: &str, amount, expires_in| Write::Add {
        counter: Key::new(&["caio", "limit", name]),
        amount,
        expires_in,
    };
    let short = Write::Put {
        key: Key::new(&["short"]),
        value: b"\xff\0".to_vec(),
        expires_in: week,
    };
    let token = put("locks:operator:all", b"token");
    let writes = vec![add("day", 5, week), add("month", 90, None), short, token];
    commit(store, "rest", writes).await;
}

struct Stores<'a> {
    folder: &'a Path,
    server: &'a RedisServer,
    made: AtomicU64,
}

impl Stores<'_> {
    fn make(&self) -> [Store; 3] {
        let number = self.made.fetch_add(1, Ordering::SeqCst);
        let clock = TestClock::today();
        let file = self.folder.join(format!("{number}.db"));
        let options = self.server.options(&format!("copy-{number}"));
        [
            Arc::new(MemoryStore::new(clock.clone())),
            Arc::new(SqliteStore::open(&file, clock, Access::ReadWrite).unwrap()),
            Arc::new(RedisStore::open(options, Access::ReadWrite).unwrap()),
        ]
    }
}

async fn copy(from: &dyn StateStore, to: &dyn StateStore, dry_run: bool) -> Report {
    let ids = TestIds::from(rand_start());
    let mut copy = Copy::new(to, &*ids, &from.to_string(), dry_run, &|_| {});
    from.export(&mut copy).await.unwrap();
    copy.report()
}

/// Ids that no two copies share.
fn rand_start() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::SeqCst) << 32
}

fn tally(report: &Report, kind: &str) -> Tally {
    report.kinds.get(kind).copied().unwrap_or_default()
}

#[tokio::test]
async fn every_store_is_copied_into_every_other_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start(folder.path(), &[]).unwrap();
    let stores = Stores {
        folder: folder.path(),
        server: &server,
        made: AtomicU64::new(0),
    };
    for from in stores.make() {
        fill(&*from).await;
        let whole = digest(&*from).await.unwrap();
        assert_eq!(
            (whole.documents, whole.counters, whole.places),
            (1101, 2, 2200)
        );
        for to in stores.make() {
            let dry = copy(&*from, &*to, true).await;
            assert_eq!(tally(&dry, "documents").created, 1101);
            assert_eq!(
                digest(&*to).await.unwrap().documents,
                0,
                "a dry run writes nothing"
            );
            let first = copy(&*from, &*to, false).await;
            assert!(
                first.is_clean(),
                "{from} to {to}: {:?}",
                first.conflicts.first()
            );
            assert_eq!(first.offered, whole);
            assert_eq!(first.verified, 1101 + 2 + 2200);
            assert_eq!(first.left["locks of the Python system"], 1);
            assert_eq!(digest(&*to).await.unwrap(), whole, "{from} to {to}");
            let second = copy(&*from, &*to, false).await;
            for kind in ["documents", "counters", "places"] {
                assert_eq!(tally(&second, kind).created, 0, "{kind}");
            }
            assert_eq!(second.verified, first.verified);
            let order = to
                .range("caio:idx:9", &Range::default(), None, 3)
                .await
                .unwrap();
            assert_eq!(order.items[1].order, "00001");
            let records: Vec<_> = {
                let mut records = Vec::new();
                to.export(&mut records).await.unwrap();
                records
            };
            let expiring = records.iter().filter(|record| {
                matches!(
                    record,
                    caio_state::Record::Document {
                        expires: Some(_),
                        ..
                    } | caio_state::Record::Counter {
                        expires: Some(_),
                        ..
                    }
                )
            });
            assert_eq!(expiring.count(), 2);
        }
    }
}

#[tokio::test]
async fn what_differs_stays_and_is_listed_with_both_values() {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start(folder.path(), &[]).unwrap();
    let stores = Stores {
        folder: folder.path(),
        server: &server,
        made: AtomicU64::new(0),
    };
    let from = &stores.make()[0];
    fill(&**from).await;
    for to in stores.make() {
        let other = Write::Index {
            index: "caio:idx:elsewhere".to_owned(),
            order: "1".to_owned(),
            key: Key::new(&["caio:draft:00007"]),
        };
        let used = Write::Add {
            counter: Key::new(&["caio", "limit", "day"]),
            amount: 9,
            expires_in: None,
        };
        commit(
            &*to,
            "newer",
            vec![put("caio:draft:00007", b"newer"), other, used],
        )
        .await;
        for _ in 0..2 {
            let report = copy(&**from, &*to, false).await;
            let listed: Vec<(&str, &str, &str)> = report
                .conflicts
                .iter()
                .map(|it| (it.key.as_str(), it.store.as_str(), it.offered.as_str()))
                .collect();
            assert_eq!(
                listed,
                [
                    ("caio:draft:00007", "newer", "{\"n\": 7}"),
                    ("caio:limit:day", "9", "5")
                ]
            );
            assert_eq!(report.left["places of documents that differ"], 2);
        }
        let kept = to
            .get(&[Key::new(&["caio:draft:00007"])])
            .await
            .unwrap()
            .remove(0);
        assert_eq!(kept.unwrap().value, b"newer");
        let whole = Range::default();
        let index = to
            .range("caio:idx:1", &whole, None, 9999)
            .await
            .unwrap()
            .items;
        assert!(
            index
                .iter()
                .all(|entry| entry.key.as_str() != "caio:draft:00007")
        );
    }
}

#[tokio::test]
async fn an_old_folder_is_copied_and_a_folder_keeps_what_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let hive = |name: &str| {
        let path = folder.path().join(name);
        HiveStore::open(&path, TestClock::today(), Access::ReadWrite).unwrap()
    };
    let (first, second) = (hive("first"), hive("second"));
    let kim = Key::new(&["cadence", "lead", &cadence_email_hash("kim@example.com")]);
    commit(
        &first,
        "1",
        vec![put(kim.as_str(), b"{\"email\": \"kim@example.com\"}")],
    )
    .await;
    let store = MemoryStore::new(TestClock::today());
    assert_eq!(
        tally(&copy(&first, &store, false).await, "documents").created,
        1
    );
    fill(&store).await;
    let report = copy(&store, &second, false).await;
    assert!(report.is_clean(), "{:?}", report.conflicts);
    assert_eq!(tally(&report, "documents").created, 1102);
    assert_eq!(report.left["counters, which the store cannot keep"], 2);
    assert_eq!(
        report.left["places in indexes, which the store cannot keep"],
        2200
    );
    assert_eq!(
        second.get(&[kim]).await.unwrap().iter().flatten().count(),
        1
    );
}

#[tokio::test]
async fn a_file_gives_everything_back_and_one_that_is_not_whole_nothing() {
    let store = MemoryStore::new(TestClock::today());
    fill(&store).await;
    let mut file = Vec::new();
    let mut writer = Writer::new(&mut file, "memory:", "2026-03-02T12:00:00Z").unwrap();
    store.export(&mut writer).await.unwrap();
    let written = writer.finish().unwrap();
    assert_eq!(archive::check(file.as_slice()).unwrap(), written);
    let other = MemoryStore::new(TestClock::today());
    let ids = TestIds::from(rand_start());
    let mut copy = Copy::new(&other, &*ids, "file", false, &|_| {});
    archive::read(file.as_slice(), &mut copy).await.unwrap();
    assert!(copy.report().is_clean());
    assert_eq!(digest(&other).await.unwrap(), digest(&store).await.unwrap());

    let lines: Vec<&[u8]> = file.split_inclusive(|byte| *byte == b'\n').collect();
    let fault = |file: &[u8]| match archive::check(file) {
        Err(StoreError::Corrupt { key, reason, .. }) => format!("{key}: {reason}"),
        other => format!("{other:?}"),
    };
    for cut in [0, 1, 40, file.len() / 2, file.len() - 2] {
        assert!(fault(&file[..cut]).starts_with("line "), "{cut}");
    }
    let without = |gone: usize| [&lines[..gone], &lines[gone + 1..]].concat().concat();
    assert!(fault(&without(0)).starts_with("line 1: expected a file that"));
    assert!(fault(&without(5)).ends_with("lines were lost or changed before this one"));
    let last = without(lines.len() - 1);
    assert!(fault(&last).ends_with("its last line is missing"));
    let changed =
        String::from_utf8(file.clone())
            .unwrap()
            .replacen("{\\\"n\\\": 7}", "{\\\"n\\\": 8}", 1);
    assert!(fault(changed.as_bytes()).ends_with("lines were lost or changed before this one"));
}
