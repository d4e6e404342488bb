//! Moving state between stores and files, and looking at it as a whole.

use std::os::unix::fs::PermissionsExt;

use caio_state::conformance::RedisServer;

use crate::support::Place;

/// A place whose store holds drafts, a batch, a suppression and their history.
fn filled() -> Place {
    let place = Place::new();
    place.example();
    place.json(3, &["run", "leads.csv"]);
    place.expect(0, &["drafts", "approve", "--all", "--yes"]);
    place.expect(0, &["batch", "create"]);
    place.expect(
        0,
        &["suppress", "add", "quin@example.com", "--reason", "asked"],
    );
    place
}

const MIGRATE: &[&str] = &["state", "migrate", "--from", "sqlite:.caio/caio.db"];
const VERIFY: &[&str] = &["state", "verify", "--from", "sqlite:.caio/caio.db"];

#[test]
fn a_store_is_moved_to_redis_and_both_hold_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start(folder.path(), &[]).unwrap();
    let redis = format!("redis://127.0.0.1:{}?prefix=caio-test", server.port());
    let place = filled();
    let to = |args: &[&'static str]| -> Vec<String> {
        let store = ["--store", &redis].map(str::to_owned);
        store
            .into_iter()
            .chain(args.iter().map(|it| (*it).to_owned()))
            .collect()
    };
    let json = |code, args: &[&'static str]| {
        let args = to(args);
        place.json(code, &args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    assert!(json(3, VERIFY)["missing"].as_u64().unwrap() > 20);
    let dry = json(0, &[MIGRATE, &["--dry-run"]].concat());
    let first = json(0, MIGRATE);
    assert_eq!(
        dry["kinds"]["documents"]["created"],
        first["kinds"]["documents"]["created"]
    );
    let second = json(0, MIGRATE);
    assert_eq!(second["kinds"]["documents"]["created"], 0);
    let verified = json(0, VERIFY);
    assert_eq!(
        (&verified["missing"], &verified["same"]),
        (&0.into(), &true.into())
    );
    // The work goes on there, and what differs afterwards is never taken back.
    let approved = ["drafts", "list", "--status", "approved"];
    assert_eq!(json(0, &approved), place.json(0, &approved));
    let drift = json(0, &["state", "verify"]);
    assert_eq!(drift["unreadable"].as_array().map(Vec::len), Some(0));
    json(0, &["stop", "--reason", "over there"]);
    place.expect(0, &["stop", "--reason", "over here"]);
    let conflicts = json(3, MIGRATE)["conflicts"].clone();
    let mut conflicts = conflicts.as_array().unwrap().iter();
    let conflict = conflicts.find(|it| it["key"] == "caio:stop").unwrap();
    assert!(conflict["store"].as_str().unwrap().contains("over there"));
    assert!(conflict["offered"].as_str().unwrap().contains("over here"));
    assert_eq!(json(0, &["status"])["stopped"]["reason"], "over there");
    let none = place.expect(1, &["state", "migrate", "--from", "sqlite:none.db"]);
    assert!(none.err.contains("no such file"), "{}", none.err);
}

#[test]
fn a_file_carries_everything_and_half_a_file_nothing() {
    let place = filled();
    place.expect(0, &["state", "export", "all.ndjson"]);
    let mode = std::fs::metadata(place.path("all.ndjson"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600, "it names people");
    let again = place.expect(1, &["state", "export", "all.ndjson"]);
    assert!(again.err.contains("[export.write]"), "{}", again.err);

    let other = ["--store", "sqlite:other.db"];
    let import = |code, file: &str, more: &[&str]| {
        let args = [&other[..], &["state", "import", file], more].concat();
        place.json(code, &args)
    };
    let dry = import(0, "all.ndjson", &["--dry-run"]);
    assert!(!place.path("other.db").exists());
    let first = import(0, "all.ndjson", &[]);
    assert_eq!(dry["kinds"], first["kinds"]);
    assert_eq!(
        import(0, "all.ndjson", &[])["kinds"]["places"]["created"],
        0
    );
    let here = place.json(0, &["state", "verify"])["holds"].clone();
    let there = place.json(0, &[&other[..], &["state", "verify"]].concat())["holds"].clone();
    assert_eq!(here, there);

    let whole = place.read("all.ndjson");
    place.write("half.ndjson", &whole[..whole.len() / 2]);
    let args = [
        "--store",
        "sqlite:third.db",
        "state",
        "import",
        "half.ndjson",
    ];
    let refused = place.expect(1, &args);
    assert!(
        refused.err.contains("half.ndjson: import: `line "),
        "{}",
        refused.err
    );
    assert!(!place.path("third.db").exists(), "nothing is taken from it");
}

#[test]
fn indexes_that_were_damaged_are_made_anew_from_the_records() {
    let place = filled();
    place.expect(0, &["state", "verify"]);
    let before = place.json(0, &["drafts", "list", "--status", "approved"]);
    let store = rusqlite::Connection::open(place.path(".caio/caio.db")).unwrap();
    store
        .execute_batch(
            "DELETE FROM place WHERE name LIKE 'caio:idx:draft:%';
             INSERT INTO place VALUES ('caio:idx:draft:pending', 'x', 'caio:draft:none');
             INSERT INTO document VALUES ('caio:draft:odd', '{', 0, NULL);",
        )
        .unwrap();
    let drift = place.json(3, &["state", "verify"]);
    assert_eq!(drift["stale"], 1);
    assert!(drift["missing"].as_u64().unwrap() > 3);
    assert_eq!(drift["unreadable"][0]["key"], "caio:draft:odd");
    place.expect(3, &["state", "reindex", "--dry-run"]);
    assert_eq!(
        place.json(3, &["state", "verify"])["missing"],
        drift["missing"]
    );
    place.expect(3, &["state", "reindex"]);
    let after = place.json(3, &["state", "verify"]);
    assert_eq!((&after["missing"], &after["stale"]), (&0.into(), &0.into()));
    assert_eq!(
        place.json(0, &["drafts", "list", "--status", "approved"]),
        before
    );
}

#[test]
fn two_stores_are_asked_until_somebody_ends_it() {
    let place = Place::new();
    std::fs::create_dir_all(place.path(".hive-mind/operator_batches")).unwrap();
    place.write(
        ".hive-mind/operator_batches/batch_1.json",
        r#"{"batch_id": "batch_1", "status": "executed"}"#,
    );
    let both = ["--store", "dual:sqlite:.caio/caio.db,hive:.hive-mind"];
    let dual = |code, args: &[&str]| place.expect(code, &[&both[..], args].concat());
    let shown = dual(1, &["status"]);
    assert!(
        shown.err.contains("[store.migration_incomplete]"),
        "{}",
        shown.err
    );
    assert!(
        shown.out.contains("not seen: the stop flag"),
        "{}",
        shown.out
    );
    dual(0, &["stop", "--reason", "move"]);
    let doctor = dual(3, &["doctor"]).out;
    assert!(doctor.contains("doctor.migration_under_way"), "{doctor}");
    place.json(0, &["state", "migrate", "--from", "hive:.hive-mind"]);
    let asked = dual(2, &["state", "cutover"]);
    assert!(asked.err.contains("--yes"), "{}", asked.err);
    dual(0, &["state", "cutover", "--yes"]);
    std::fs::remove_dir_all(place.path(".hive-mind")).unwrap();
    std::fs::create_dir(place.path(".hive-mind")).unwrap();
    assert!(dual(0, &["status"]).out.contains("STOPPED by kim"));
    let doctor = dual(3, &["doctor"]).out;
    assert!(!doctor.contains("doctor.migration"), "{doctor}");
    assert!(place.expect(0, &["history"]).out.contains("state.cut_over"));
}

#[test]
fn a_person_says_who_sends_for_a_motion() {
    let place = Place::new();
    let nobody = place.expect(0, &["state", "authority", "outbound"]);
    assert!(nobody.out.contains("nobody has said"), "{}", nobody.out);
    place.expect(0, &["state", "authority", "outbound", "caio"]);
    let shown = place.expect(0, &["state", "authority", "outbound"]);
    assert!(
        shown.out.contains("caio sends for outbound, said by kim"),
        "{}",
        shown.out
    );
    place.expect(2, &["state", "authority", "outbound", "somebody"]);
    place.expect(0, &["state", "authority", "outbound", "python"]);
    let refused = place.expect(4, &["dispatch", "--live"]);
    assert!(
        refused
            .out
            .contains("the Python system sends for outbound, as kim said"),
        "{}",
        refused.out
    );
    let nowhere = place.expect(4, &["--store", "memory:", "dispatch", "--live"]);
    assert!(
        nowhere.out.contains("memory: may not decide"),
        "{}",
        nowhere.out
    );
    assert!(
        place
            .expect(0, &["history"])
            .out
            .contains("authority.given")
    );
}

/// A platform's container throws its disk away, and every claim with it.
#[test]
fn an_embedded_store_on_the_systems_own_disk_refuses_live_for_real() {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &std::path::Path| std::fs::metadata(path).unwrap().dev();
    let refused = |place: &Place| {
        let answer = place.run(&["dispatch", "--live", "--json"]);
        assert_eq!(answer.code, 4, "{}", answer.err);
        answer.out.contains("put it on a mounted volume")
    };
    for (environment, kept, expected) in [
        ("production", "", true),
        ("staging", "", true),
        ("development", "", false),
        ("production", "on", false),
    ] {
        let place = Place::new()
            .variable("ENVIRONMENT", environment)
            .variable("CAIO_DISK_IS_KEPT", kept);
        place.expect(0, &["state", "verify"]);
        let is_own = device(&place.path(".")) == device(std::path::Path::new("/"));
        assert_eq!(refused(&place), expected && is_own, "{environment} {kept}");
    }
    let memory = Place::new()
        .variable("ENVIRONMENT", "production")
        .variable("CAIO_STORE", "memory:");
    let answer = memory.run(&["dispatch", "--live", "--json"]);
    assert!(
        answer.out.contains("ends with the process"),
        "{}",
        answer.out
    );
}
