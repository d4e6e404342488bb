//! Somebody stops everything while a run is under way: from another process, and with a file.

use std::process::Stdio;
use std::time::Duration;

use caio_state::conformance::RedisServer;
use serde_json::json;

use super::{LIVE, approved_of, place};
use crate::sandbox::Sandbox;
use crate::support::Place;

const PEOPLE: usize = 120;
const PERMITS: u64 = 2;

/// Uploads that the provider has met so far.
fn uploads(sandbox: &Sandbox) -> u64 {
    let rules = sandbox.control("GET", "faults", None).1;
    rules["rules"][0]["fired"].as_u64().unwrap()
}

/// A run of many calls, two at a time, that `stop` ends after a few of them.
fn stopped_in_mid_run(sandbox: &Sandbox, place: &Place, stop: impl Fn(), go_on: impl Fn()) {
    sandbox.control("POST", "reset", None);
    let batch = approved_of(place, PEOPLE);
    sandbox.fault(&json!({
        "operation": "instantly.add_leads", "nth": "every", "kind": "slow", "ms": 200,
    }));
    let mut command = place.command(LIVE);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut run = command.spawn().unwrap();
    while uploads(sandbox) < 2 {
        assert!(
            run.try_wait().unwrap().is_none(),
            "it ended before the stop"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    stop();
    let at_stop = uploads(sandbox);
    assert_eq!(
        run.wait().unwrap().code(),
        Some(3),
        "done, and not everything went"
    );

    let landed = sandbox.summary("instantly")["recipients"].as_u64().unwrap();
    assert!(
        landed <= at_stop + PERMITS,
        "{landed} landed, {at_stop} called at the stop"
    );
    let shown = place.json(0, &["ledger", "show", &batch]);
    let entries = shown["entries"].as_array().unwrap();
    let of = |state: &str| entries.iter().filter(|it| it["state"] == state).count() as u64;
    assert_eq!(
        (of("accepted"), of("accepted") + of("not_sent")),
        (landed, entries.len() as u64)
    );
    assert!(
        entries.len() as u64 <= landed + 2 * PERMITS,
        "claims go a little ahead, no more"
    );

    // As long as it stands nothing goes; afterwards the others are still approved.
    place.expect(4, LIVE);
    assert_eq!(sandbox.summary("instantly")["recipients"], landed);
    go_on();
    let next = place.json(0, &["batch", "create"])["batch"].clone();
    assert_eq!(
        next["items"].as_array().unwrap().len() as u64,
        PEOPLE as u64 - landed
    );
}

#[test]
fn scenario_24_a_stop_from_elsewhere_ends_a_run_that_is_under_way() {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start(folder.path(), &[]).unwrap();
    let sandbox = Sandbox::start();
    let redis = |name: &str| format!("redis://127.0.0.1:{}?prefix={name}", server.port());
    for (name, store) in [("sqlite", None), ("redis", Some(redis("stop")))] {
        let mut place = place(&sandbox)
            .variable("CAIO_IN_FLIGHT", &PERMITS.to_string())
            .variable("CAIO_LEADS_PER_CALL", "1");
        if let Some(url) = &store {
            place = place.variable("CAIO_STORE", url);
        }
        let stop = || drop(place.expect(0, &["stop", "--reason", name]));
        let resume = || drop(place.expect(0, &["resume"]));
        stopped_in_mid_run(&sandbox, &place, stop, resume);
    }
    let place = place(&sandbox)
        .variable("CAIO_IN_FLIGHT", &PERMITS.to_string())
        .variable("CAIO_LEADS_PER_CALL", "1");
    let put = || place.write(".caio/STOP", "");
    let take = || std::fs::remove_file(place.path(".caio/STOP")).unwrap();
    stopped_in_mid_run(&sandbox, &place, put, take);
}
