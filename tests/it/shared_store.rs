//! The main job on a Redis that the Python system uses as well.

use caio_state::conformance::RedisServer;

use crate::support::Place;

fn place() -> (Place, RedisServer, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start(folder.path(), &[]).unwrap();
    let url = format!("redis://127.0.0.1:{}", server.port());
    let place = Place::new()
        .variable("REDIS_URL", &url)
        .variable("STATE_REDIS_PREFIX", "caio-test")
        .variable("CAIO_ENVIRONMENT", "test");
    (place, server, folder)
}

#[test]
fn the_whole_way_on_redis_twice_is_once() {
    let (place, _server, _folder) = place();
    place.example();
    let first = place.json(3, &["run", "leads.csv"]);
    let second = place.json(3, &["run", "leads.csv"]);
    assert_eq!(second["fates"].get("queued"), None, "{second}");
    assert_eq!(second["fates"]["already_known"], first["fates"]["queued"]);
    place.expect(0, &["drafts", "approve", "--all", "--yes"]);
    let batch = place.json(0, &["batch", "create"])["batch"].clone();
    let text = |field: &str| batch[field].as_str().unwrap().to_owned();
    let (id, digest) = (text("id"), text("digest"));
    place.expect(0, &["batch", "approve", &id, "--digest", &digest]);
    let shown = place.expect(0, &["dispatch"]);
    assert!(shown.out.contains("caio_body"), "{}", shown.out);
    assert!(shown.err.contains("prefix caio-test"), "{}", shown.err);
    place.expect(4, &["dispatch", "--live"]);
    place.expect(0, &["stop", "--reason", "test"]);
    assert!(place.expect(0, &["status"]).out.contains("test"));
    assert!(
        !place.path(".caio/caio.db").exists(),
        "state is in one place"
    );
}

#[test]
fn without_redis_nothing_falls_back_and_the_reason_is_said() {
    let (place, mut server, _folder) = place();
    place.example();
    server.kill().unwrap();
    for args in [
        &["run", "leads.csv"][..],
        &["dispatch", "--live"],
        &["status"],
    ] {
        let answer = place.run(args);
        assert_ne!(answer.code, 0, "{args:?}");
        assert!(answer.err.contains("[store.unavailable]"), "{}", answer.err);
    }
    assert!(!place.path(".caio/caio.db").exists());
}

#[test]
fn another_environment_is_refused_and_a_bare_prefix_is_warned_of() {
    let (place, server, _folder) = place();
    place.expect(0, &["stop", "--reason", "test"]);
    let url = format!("redis://127.0.0.1:{}", server.port());
    let other = Place::new()
        .variable("REDIS_URL", &url)
        .variable("STATE_REDIS_PREFIX", "caio-test")
        .variable("CAIO_ENVIRONMENT", "production");
    let answer = other.run(&["resume"]);
    assert!(
        answer.err.contains("[store.wrong_environment]"),
        "{}",
        answer.err
    );
    let bare = Place::new().variable("REDIS_URL", &url);
    let answer = bare.expect(0, &["status"]);
    assert!(answer.err.contains("STATE_REDIS_PREFIX"), "{}", answer.err);
}
