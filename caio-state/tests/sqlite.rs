//! What is particular to SQLite's file: who may read it, what is refused, what a page costs, and
//! several handles and processes on one file.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use caio_state::conformance::TestClock;
use caio_state::{
    Access, CommitOutcome, Guard, Key, Range, RangeEntry, SqliteStore, StateStore, StateStoreExt,
    StoreError, Txn, TxnId, Write,
};
use jiff::SignedDuration;

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, TestClock::noon(), Access::ReadWrite).unwrap()
}

fn reading(path: &Path) -> SqliteStore {
    SqliteStore::open(path, TestClock::noon(), Access::ReadOnly).unwrap()
}

fn key(name: &str) -> Key {
    Key::new(&[name])
}

fn put(name: &str, value: &[u8]) -> Write {
    Write::Put {
        key: key(name),
        value: value.to_vec(),
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

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Names and contents of a folder.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn a_file_is_private_and_its_folder_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/caio.db");
    let writer = open(&path);
    writer
        .commit(&txn("1", vec![], vec![put("a", b"1")]))
        .await
        .unwrap();
    for (name, _) in files(path.parent().unwrap()) {
        assert_eq!(mode(&path.with_file_name(&name)), 0o600, "{name}");
    }
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    assert_eq!(mode(&folder.path().join("deep")), 0o700);
}

#[tokio::test]
async fn reading_makes_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/caio.db");
    let reader = reading(&path);
    assert_eq!(reader.dump().await.unwrap(), "");
    reader.ping().await.unwrap();
    drop(reader);
    assert!(!path.parent().unwrap().exists(), "reading makes nothing");

    let writer = open(&path);
    let first = txn("1", vec![], vec![put("a", b"1")]);
    writer.commit(&first).await.unwrap();
    drop(writer);
    let before = files(path.parent().unwrap());
    let reader = reading(&path);
    assert!(reader.get(&[key("a")]).await.unwrap()[0].is_some());
    for refused in [
        reader.commit(&first).await.map(|_| ()),
        reader.commit_many(&[]).await.map(|_| ()),
    ] {
        assert!(matches!(refused, Err(StoreError::ReadOnly { .. })));
    }
    drop(reader);
    // SQLite lets readers and writers meet in files beside the store; a reader writes nothing there.
    let mut after = files(path.parent().unwrap());
    after.retain(|(name, content)| {
        !(name.ends_with("-shm") || name.ends_with("-wal") && content.is_empty())
    });
    assert!(after == before, "reading changed the file");
}

#[tokio::test]
async fn a_reader_follows_a_writer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    let (writer, reader) = (open(&path), reading(&path));
    for number in 0..3_u8 {
        let write = put("a", &[number]);
        writer
            .commit(&txn(&number.to_string(), vec![], vec![write]))
            .await
            .unwrap();
        let found = reader.get(&[key("a")]).await.unwrap().remove(0).unwrap();
        assert_eq!(found.value, [number]);
    }
}

#[test]
fn what_is_no_store_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = |path: &Path| {
        let answers = [Access::ReadWrite, Access::ReadOnly]
            .map(|access| SqliteStore::open(path, TestClock::noon(), access).unwrap_err());
        let [one, other] = answers.map(|error| error.to_string());
        assert_eq!(one, other, "the same reason whatever it is opened for");
        one
    };
    assert!(refusal(folder.path()).contains("folder"));
    let text = folder.path().join("text.db");
    fs::write(
        &text,
        "no database, but a text that is long enough to look at".repeat(3),
    )
    .unwrap();
    let before = fs::read(&text).unwrap();
    assert!(refusal(&text).contains("--store"), "{}", refusal(&text));
    assert_eq!(
        fs::read(&text).unwrap(),
        before,
        "a refused file stays as it is"
    );

    let foreign = folder.path().join("foreign.db");
    rusqlite::Connection::open(&foreign)
        .unwrap()
        .execute_batch("CREATE TABLE t (x)")
        .unwrap();
    assert!(refusal(&foreign).contains("another program"));

    let newer = folder.path().join("newer.db");
    drop(open(&newer));
    rusqlite::Connection::open(&newer)
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    assert!(refusal(&newer).contains("newer version"));

    let nowhere = Path::new("/proc/none/caio.db");
    let error = SqliteStore::open(nowhere, TestClock::noon(), Access::ReadWrite).unwrap_err();
    assert!(error.to_string().contains("cannot be made"), "{error}");
}

/// Steps of SQLite's machine for one page, in a store of `size` entries and documents.
async fn steps(store: &SqliteStore, page: &str, size: usize) -> u64 {
    let middle = size / 2;
    let entry = |number: usize| RangeEntry {
        order: format!("{number:09}"),
        key: Key::new(&["d", &format!("{number:09}")]),
    };
    let bounds = |descending| Range {
        from: Some(format!("{:09}", 1)),
        until: Some(format!("{:09}", size - 1)),
        descending,
    };
    let after = entry(middle);
    let before = store.steps();
    match page {
        "first" => drop(store.range("i", &Range::default(), None, 50).await.unwrap()),
        "deep" => drop(
            store
                .range("i", &bounds(false), Some(&after), 50)
                .await
                .unwrap(),
        ),
        "deep, downwards" => {
            drop(
                store
                    .range("i", &bounds(true), Some(&after), 50)
                    .await
                    .unwrap(),
            );
        }
        _ => drop(store.scan("d", Some(&after.key), 50).await.unwrap()),
    }
    store.steps() - before
}

#[tokio::test]
async fn a_page_costs_the_same_among_many_entries_as_among_few() {
    let mut taken = Vec::new();
    for size in [1_000, 100_000] {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder.path().join("x.db"));
        let writes = (0..size).flat_map(|number| {
            let name = format!("{number:09}");
            let key = Key::new(&["d", &name]);
            let index = Write::Index {
                index: "i".to_owned(),
                order: name,
                key: key.clone(),
            };
            [put(key.as_str(), b"x"), index]
        });
        store
            .commit(&txn("1", vec![], writes.collect()))
            .await
            .unwrap();
        let mut pages = Vec::new();
        for page in ["first", "deep", "deep, downwards", "scan"] {
            let steps = steps(&store, page, size).await;
            assert!(steps > 50, "{page}: {steps} steps for 50 entries");
            pages.push((page, steps));
        }
        taken.push(pages);
    }
    assert_eq!(taken[0], taken[1]);
}

#[tokio::test]
async fn a_counter_at_its_end_stays_there_and_stays_readable() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("x.db"));
    for id in ["1", "2"] {
        let add = Write::Add {
            counter: key("n"),
            amount: i64::MAX,
            expires_in: Some(SignedDuration::MAX),
        };
        store.commit(&txn(id, vec![], vec![add])).await.unwrap();
    }
    let most = u64::try_from(i64::MAX).unwrap();
    assert_eq!(store.counters(&[key("n")]).await.unwrap(), [most]);
}

#[tokio::test]
async fn what_has_expired_is_purged_in_bounded_amounts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    let clock = TestClock::noon();
    let store = SqliteStore::open(&path, clock.clone(), Access::ReadWrite).unwrap();
    let writes = (0..1_000).map(|number| Write::Put {
        key: key(&number.to_string()),
        value: vec![],
        expires_in: Some(SignedDuration::from_secs(1)),
    });
    store
        .commit(&txn("1", vec![], writes.collect()))
        .await
        .unwrap();
    clock.advance(SignedDuration::from_secs(1));
    let rows = || {
        let connection = rusqlite::Connection::open(&path).unwrap();
        let count = "SELECT count(*) FROM document";
        connection
            .query_row(count, [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    let mut left = vec![rows()];
    for number in 2..9 {
        store
            .commit(&txn(&number.to_string(), vec![], vec![]))
            .await
            .unwrap();
        left.push(rows());
    }
    assert_eq!(left, [1000, 800, 600, 400, 200, 0, 0, 0]);
}

/// Many handles open one new file at once, then one of them wins each key.
#[test]
fn handles_that_make_one_file_at_once_share_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    let won: Vec<usize> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|number| {
                let path = &path;
                scope.spawn(move || claims(path, &format!("handle {number}"), 40))
            })
            .collect();
        threads.into_iter().map(|it| it.join().unwrap()).collect()
    });
    assert_eq!(won.iter().sum::<usize>(), 40, "{won:?}");
}

/// Claims each of `count` keys through a handle of its own; how many were won.
fn claims(path: &Path, who: &str, count: usize) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let store = open(path);
    let claim = |number: usize| {
        let name = format!("claim/{number}");
        let txn = txn(
            &format!("{who}/{number}"),
            vec![Guard::Absent(key(&name))],
            vec![put(&name, who.as_bytes())],
        );
        runtime.block_on(store.commit(&txn)).unwrap() == CommitOutcome::Committed
    };
    (0..count).filter(|number| claim(*number)).count()
}

const CHILD: &str = "CAIO_STATE_TEST_CHILD";

/// What a child process does: guarded increments of one number, in a file that its parent names.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "how a parent hands the file to its child"
)]
fn child() {
    let Ok(path) = std::env::var(CHILD) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let store = Arc::new(open(Path::new(&path)));
    let who = std::process::id();
    let mut attempt = 0;
    for _ in 0..EACH {
        loop {
            attempt += 1;
            let found = runtime.block_on(store.get(&[key("n")])).unwrap().remove(0);
            let (number, guard) = match found {
                Some(found) => (
                    std::str::from_utf8(&found.value).unwrap().parse().unwrap(),
                    Guard::Unchanged(key("n"), found.version),
                ),
                None => (0_usize, Guard::Absent(key("n"))),
            };
            let next = put("n", (number + 1).to_string().as_bytes());
            let txn = txn(&format!("{who}/{attempt}"), vec![guard], vec![next]);
            if runtime.block_on(store.commit(&txn)).unwrap() == CommitOutcome::Committed {
                break;
            }
        }
    }
}

const EACH: usize = 100;

#[tokio::test]
async fn processes_on_one_file_lose_no_increment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    let children: Vec<_> = (0..3)
        .map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "child", "--nocapture"])
                .env(CHILD, &path)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    let store = reading(&path);
    let found = store.get(&[key("n")]).await.unwrap().remove(0).unwrap();
    assert_eq!(found.value, (3 * EACH).to_string().as_bytes());
}
