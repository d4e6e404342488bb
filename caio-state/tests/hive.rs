//! The folder of the Python system: its own files, torn ones, and a disk that is full.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::Path;
use std::process::Command;

use caio_core::identity::cadence_email_hash;
use caio_state::conformance::TestClock;
use caio_state::{
    Access, CommitOutcome, Guard, HiveStore, Key, StateStore, StoreError, Txn, TxnId, Write,
};

fn open(folder: &Path, access: Access) -> HiveStore {
    HiveStore::open(folder, TestClock::noon(), access).unwrap()
}

fn key(name: &str) -> Key {
    Key::new(&[name])
}

fn cadence(email: &str) -> Key {
    Key::new(&["cadence", "lead", &cadence_email_hash(email)])
}

fn txn(id: &str, guards: Vec<Guard>, key: &Key, value: &str) -> Txn {
    let put = Write::Put {
        key: key.clone(),
        value: value.as_bytes().to_vec(),
        expires_in: None,
    };
    Txn {
        id: TxnId(id.to_owned()),
        guards,
        writes: vec![put],
    }
}

async fn put(store: &HiveStore, key: &Key, value: &str) -> Result<CommitOutcome, StoreError> {
    let id = format!("{key} {value}");
    store.commit(&txn(&id, vec![], key, value)).await
}

async fn text(store: &HiveStore, key: &Key) -> Result<Option<String>, StoreError> {
    let found = store.get(std::slice::from_ref(key)).await?.remove(0);
    Ok(found.map(|it| String::from_utf8(it.value).unwrap()))
}

fn write(folder: &Path, name: &str, text: &str) {
    let file = folder.join(name);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

#[tokio::test]
async fn its_files_are_read_under_the_keys_and_in_the_form_that_they_have_in_redis() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let daily = "{\n  \"date\": \"2026-03-02\",\n  \"runs_today\": 2,\n  \"note\": \"Zoë\"\n}";
    write(folder, "operator_state.json", daily);
    let batch = "{\n  \"batch_id\": \"batch_0a1b2c3d\",\n  \"status\": \"pending\",\n  \"leads_preview\": []\n}";
    write(folder, "operator_batches/batch_0a1b2c3d.json", batch);
    let kim = "{\n  \"email\": \"Kim@Acme.test\",\n  \"current_step\": 3\n}";
    write(folder, "cadence_state/kim_at_acme_test.json", kim);
    let status = "{\"email\": \"kim@acme.test\", \"status\": \"opened\"}";
    write(folder, "lead_status/kim_at_acme_test.json", status);
    for access in [Access::ReadOnly, Access::ReadWrite] {
        let store = open(folder, access);
        for (key, expected) in [
            (
                key("operator:state:2026-03-02"),
                r#"{"date": "2026-03-02", "runs_today": 2, "note": "Zoë"}"#,
            ),
            (
                key("operator:batch:batch_0a1b2c3d"),
                r#"{"batch_id": "batch_0a1b2c3d", "status": "pending", "leads_preview": []}"#,
            ),
            (
                cadence("kim@acme.test"),
                r#"{"email": "Kim@Acme.test", "current_step": 3}"#,
            ),
            (
                Key::new(&["caio", "status", &cadence_email_hash("kim@acme.test")]),
                status,
            ),
        ] {
            assert_eq!(text(&store, &key).await.unwrap().as_deref(), Some(expected));
        }
        assert_eq!(
            text(&store, &key("operator:state:2026-03-03"))
                .await
                .unwrap(),
            None,
            "the folder keeps one day"
        );
        assert_eq!(store.scan("", None, 9).await.unwrap().items.len(), 4);
    }
    // What is written stays in the file that the Python system looks for, as it writes it.
    let store = open(folder, Access::ReadWrite);
    let next = r#"{"email": "Kim@Acme.test", "current_step": 4}"#;
    put(&store, &cadence("kim@acme.test"), next).await.unwrap();
    assert_eq!(
        fs::read_to_string(folder.join("cadence_state/kim_at_acme_test.json")).unwrap(),
        kim.replace('3', "4")
    );
}

#[tokio::test]
async fn two_people_whose_old_names_are_one_have_files_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let old = "cadence_state/a_b_at_example_com.json";
    write(
        folder,
        old,
        r#"{"email": "a.b@example.com", "current_step": 1}"#,
    );
    let store = open(folder, Access::ReadWrite);
    let (dotted, other) = (cadence("a.b@example.com"), cadence("a_b@example.com"));
    assert_eq!(text(&store, &other).await.unwrap(), None);
    put(&store, &other, r#"{"email": "a_b@example.com"}"#)
        .await
        .unwrap();
    assert!(
        text(&store, &dotted)
            .await
            .unwrap()
            .unwrap()
            .contains("a.b@")
    );
    assert!(
        text(&store, &other)
            .await
            .unwrap()
            .unwrap()
            .contains("a_b@")
    );
    assert_eq!(
        fs::read_dir(folder.join("cadence_state")).unwrap().count(),
        2
    );
    // A record under somebody else's key is refused.
    let refused = put(&store, &dotted, r#"{"email": "kim@example.com"}"#).await;
    assert!(
        matches!(refused, Err(StoreError::Invalid(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn an_approved_batch_is_never_mirrored_as_approved() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Access::ReadWrite);
    let batch = r#"{"batch_id": "batch_1", "status": "approved"}"#;
    put(&store, &key("operator:batch:batch_1"), batch)
        .await
        .unwrap();
    let file = folder.path().join("operator_batches/batch_1.json");
    let written: serde_json::Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    assert_eq!(written["status"], "caio_approved");
    assert!(!store.capabilities().live_authority);
}

#[tokio::test]
async fn a_file_that_ends_at_any_byte_is_an_error_and_never_absent() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let store = open(folder, Access::ReadWrite);
    let (own, kim) = (key("caio:draft:1"), cadence("kim@acme.test"));
    put(&store, &own, "\0\n{}").await.unwrap();
    put(&store, &kim, r#"{"email": "kim@acme.test", "n": [1]}"#)
        .await
        .unwrap();
    let only = |name: &str| {
        let entries = fs::read_dir(folder.join(name)).unwrap();
        let mut files = entries.map(|it| it.unwrap().path());
        files
            .find(|it| it.extension().is_some_and(|it| it != "tmp"))
            .unwrap()
    };
    for (key, file) in [(own, only("caio")), (kim, only("cadence_state"))] {
        let whole = fs::read(&file).unwrap();
        for length in 0..whole.len() {
            fs::write(&file, &whole[..length]).unwrap();
            let answer = text(&store, &key).await;
            assert!(
                matches!(answer, Err(StoreError::Corrupt { .. })),
                "{length}: {answer:?}"
            );
        }
        // Neither a listing nor a new record passes over it, and a copy is kept.
        assert!(store.scan("", None, 9).await.is_err());
        let absent = txn("over", vec![Guard::Absent(key.clone())], &key, "{}");
        assert!(store.commit(&absent).await.is_err());
        let quarantine = fs::read_dir(folder.join("caio/quarantine"))
            .unwrap()
            .count();
        assert!(quarantine >= whole.len(), "{quarantine}");
        fs::write(&file, &whole).unwrap();
        assert!(text(&store, &key).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_person_whose_file_may_be_the_broken_one_is_not_absent() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "lead_status/somebody.json",
        "{\"email\": \"lou@",
    );
    let store = open(folder.path(), Access::ReadOnly);
    let kim = Key::new(&["caio", "status", &cadence_email_hash("kim@acme.test")]);
    let answer = text(&store, &kim).await;
    assert!(
        matches!(answer, Err(StoreError::Corrupt { .. })),
        "{answer:?}"
    );
    assert!(
        !folder.path().join("caio").exists(),
        "reading writes nothing"
    );
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_no_empty_one() {
    let missing = tempfile::tempdir().unwrap().path().join("none");
    let answer = HiveStore::open(&missing, TestClock::noon(), Access::ReadOnly);
    assert!(matches!(answer, Err(StoreError::Unavailable { .. })));
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Access::ReadOnly);
    let answer = put(&store, &key("a"), "x").await;
    assert!(matches!(answer, Err(StoreError::ReadOnly { .. })));
}

/// The child of the next test: writes until the disk takes no more, then says what is there.
#[tokio::test]
#[ignore = "run by a_full_disk_keeps_the_old_value with a limit on the size of files"]
async fn fill_the_disk() {
    let folder = std::env::var_os("CAIO_TEST_FOLDER").unwrap();
    let store = open(Path::new(&folder), Access::ReadWrite);
    let refused = put(&store, &key("a"), &"x".repeat(1 << 20)).await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable { .. })),
        "{refused:?}"
    );
    assert_eq!(
        text(&store, &key("a")).await.unwrap().as_deref(),
        Some("old")
    );
    put(&store, &key("a"), "new").await.unwrap();
}

#[tokio::test]
async fn a_full_disk_keeps_the_old_value() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Access::ReadWrite);
    put(&store, &key("a"), "old").await.unwrap();
    // A limit on the size of files fails in the midst of a write, as a full disk does.
    let child = Command::new("bash")
        .args([
            "-c",
            r#"trap "" XFSZ; ulimit -f 64; exec "$0" --ignored --exact fill_the_disk"#,
        ])
        .arg(std::env::current_exe().unwrap())
        .env("CAIO_TEST_FOLDER", folder.path())
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{printed}");
    assert!(printed.contains("1 passed"), "{printed}");
    assert_eq!(
        text(&store, &key("a")).await.unwrap().as_deref(),
        Some("new")
    );
    let left = fs::read_dir(folder.path().join("caio")).unwrap();
    let left = left.map(|it| it.unwrap().file_name().into_string().unwrap());
    assert!(left.into_iter().all(|name| !name.ends_with("tmp")));
}
