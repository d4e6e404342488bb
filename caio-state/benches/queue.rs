//! Queueing drafts in the SQLite store, beside bare inserts of the same bytes in transactions of the
//! same size with the same settings; and pages of an index among few and among many entries.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::sync::Arc;

use caio_core::Clock;
use caio_state::{Access, Guard, Key, Range, SqliteStore, StateStore, Txn, TxnId, Write};
use jiff::Timestamp;

const DRAFTS: usize = 5_000;
const EACH: usize = 500;

#[derive(Debug)]
struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_772_452_800).unwrap()
    }
}

fn value() -> Vec<u8> {
    vec![b'x'; 1500]
}

fn transactions(run: usize) -> Vec<Txn> {
    let draft = |number: usize| {
        let key = Key::new(&["caio", "draft", &format!("{run}-{number:024x}")]);
        let index = Write::Index {
            index: "caio:idx:draft:pending".to_owned(),
            order: format!("{:03}|{number}", number % 100),
            key: key.clone(),
        };
        let put = Write::Put {
            key: key.clone(),
            value: value(),
            expires_in: None,
        };
        (Guard::Absent(key), [put, index])
    };
    (0..DRAFTS / EACH)
        .map(|batch| {
            let drafts: Vec<_> = (batch * EACH..(batch + 1) * EACH).map(draft).collect();
            Txn {
                id: TxnId(format!("{run}-{batch}")),
                guards: drafts.iter().map(|(guard, _)| guard.clone()).collect(),
                writes: drafts.into_iter().flat_map(|(_, writes)| writes).collect(),
            }
        })
        .collect()
}

/// Median ratio of `ours` to `base` over 11 alternating pairs, in wall time.
#[expect(clippy::disallowed_methods, reason = "a benchmark looks at the clock")]
fn ratio(mut base: impl FnMut(), mut ours: impl FnMut()) -> f64 {
    let time = |work: &mut dyn FnMut()| {
        let start = std::time::Instant::now();
        work();
        start.elapsed().as_secs_f64()
    };
    let mut ratios: Vec<f64> = (0..11)
        .map(|_| {
            let base = time(&mut base);
            time(&mut ours) / base
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    ratios[5]
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str| {
        SqliteStore::open(&folder.path().join(name), Arc::new(Noon), Access::ReadWrite).unwrap()
    };
    let store = open("ours.db");
    let bare = rusqlite::Connection::open(folder.path().join("bare.db")).unwrap();
    bare.pragma_update(None, "journal_mode", "WAL").unwrap();
    bare.pragma_update(None, "synchronous", "FULL").unwrap();
    bare.execute_batch("CREATE TABLE t (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID")
        .unwrap();
    let mut run = 0;
    let mut bare_run = 0;
    let ratio = ratio(
        || {
            bare_run += 1;
            for batch in 0..DRAFTS / EACH {
                let transaction = bare.unchecked_transaction().unwrap();
                let mut insert = bare
                    .prepare_cached("INSERT INTO t VALUES (?1, ?2)")
                    .unwrap();
                for number in batch * EACH..(batch + 1) * EACH {
                    insert
                        .execute((format!("caio:draft:{bare_run}-{number:024x}"), value()))
                        .unwrap();
                }
                drop(insert);
                transaction.commit().unwrap();
            }
        },
        || {
            run += 1;
            for txn in transactions(run) {
                runtime.block_on(store.commit(&txn)).unwrap();
            }
        },
    );
    println!(
        "queueing: {:.0} % of the rate of bare inserts (bar: 40 %)",
        100.0 / ratio
    );

    for size in [1_000, 100_000] {
        let store = open(&format!("pages-{size}.db"));
        for start in (0..size).step_by(5_000) {
            let index = |number: usize| Write::Index {
                index: "i".to_owned(),
                order: format!("{number:09}"),
                key: Key::new(&["d", &number.to_string()]),
            };
            let writes = (start..(start + 5_000).min(size)).map(index).collect();
            let txn = Txn {
                id: TxnId(format!("{size}-{start}")),
                guards: vec![],
                writes,
            };
            runtime.block_on(store.commit(&txn)).unwrap();
        }
        let before = store.steps();
        runtime
            .block_on(store.range("i", &Range::default(), None, 50))
            .unwrap();
        println!(
            "a page of 50 among {size} entries: {} steps of SQLite's machine",
            store.steps() - before
        );
    }
}
