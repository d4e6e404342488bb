//! The old system's own records, written as its contract shows them, carried over once.

use std::fs;
use std::process::Command;

use caio_state::conformance::RedisServer;
use serde_json::Value;

use crate::support::Place;

/// A folder with one of everything that gates a send.
fn hive(place: &Place) {
    for folder in [
        "operator_batches",
        "cadence_state",
        "lead_status",
        "shadow_mode_emails",
        "heyreach_followups",
        "idempotency",
    ] {
        fs::create_dir_all(place.path(".hive-mind").join(folder)).unwrap();
    }
    for (file, text) in [
        (
            "operator_state.json",
            r#"{"date":"2026-03-02","outbound_email_dispatched":3,"outbound_linkedin_dispatched":2,"revival_dispatched":0,"cadence_dispatched":1,"leads_dispatched":["email:kim@acme.test","pipe_lou_02","legacy_shadow_17"],"last_run_at":"2026-03-02T14:05:11.102938+00:00","runs_today":2}"#,
        ),
        (
            "operator_batches/batch_0a1b2c3d.json",
            r#"{"batch_id":"batch_0a1b2c3d","created_at":"2026-03-02T14:00:00.000123+00:00","motion":"outbound","status":"executed","leads_preview":[{"name":"Zo\u00eb"}],"score":1.0,"approved_shadow_email_ids":[]}"#,
        ),
        (
            "cadence_state/kim_at_acme_test.json",
            r#"{"email":" Kim@Acme.test","cadence_id":"default_21day","tier":"tier_1","current_step":3,"status":"active","steps_completed":[{"step":1,"action":"dispatched","at":"2026-03-03T13:00:00+00:00"},{"step":2,"action":"skipped","reason":"x","at":"2026-03-04T13:00:00+00:00"}]}"#,
        ),
        (
            "lead_status/mia_at_beta_test.json",
            r#"{"email":"mia@beta.test","status":"unsubscribed","reply_count":0}"#,
        ),
        (
            "shadow_mode_emails/pipe_lou_02.json",
            r#"{"email_id":"pipe_lou_02","status":"dispatched_to_instantly","to":"lou@beta.test","tier":"tier_1","instantly_campaign_id":"c-9","instantly_dispatched_at":"2026-03-02T14:05:10+00:00","heyreach_list_id":4711,"heyreach_dispatched_at":"2026-03-02T14:05:11+00:00"}"#,
        ),
        (
            "shadow_mode_emails/pipe_nia_03.json",
            r#"{"email_id":"pipe_nia_03","status":"approved","to":"nia@beta.test","queued_for_send":true,"send_error":"timeout"}"#,
        ),
        (
            "heyreach_followups/connection_accepted_20260304_080000.json",
            r#"{"reason":"connection_accepted","lead":{"email":"kim@acme.test"},"processed":false}"#,
        ),
        (
            "idempotency/0123456789abcdef.json",
            r#"{"key":"0123456789abcdef","response":{},"expires_at":"2099-03-03T14:05:09.1"}"#,
        ),
        (
            "idempotency/old.json",
            r#"{"key":"old","response":{},"expires_at":"2026-03-03T14:05:09.1"}"#,
        ),
        (
            "shadow_mode_emails/torn.json",
            r#"{"email_id":"torn","to":"#,
        ),
        (
            "instantly_dispatch_log.jsonl",
            "{\"campaign_name\": \"t1\", \"campaign_id\": \"c-8\", \"leads_added\": 1, \"status\": \"dispatched\", \"recipient_emails\": [\"ola@beta.test\"], \"error\": null}\nnot json\n",
        ),
        (
            "instantly_dispatch_state.json",
            r#"{"date":"2026-03-02","dispatched_count":2,"dispatched_emails":["a","b"],"campaigns_created":[]}"#,
        ),
        (
            "unsubscribes.jsonl",
            "{\"email\": \"pia@beta.test\", \"at\": \"2026-03-03T08:00:00+00:00\"}\n",
        ),
    ] {
        place.write(&format!(".hive-mind/{file}"), text);
    }
}

const FOLLOW: &[&str] = &["state", "follow", "--from", "hive:.hive-mind"];
const MIGRATE: &[&str] = &["state", "migrate", "--from", "hive:.hive-mind"];

fn carried(place: &Place) {
    let first = place.json(3, MIGRATE);
    let kinds = &first["kinds"];
    for (kind, found) in [
        ("daily_state", 1),
        ("batches", 1),
        ("cadence", 1),
        ("lead_status", 1),
        // kim, lou by e-mail and LinkedIn, nia, ola.
        ("touches", 5),
        ("ceilings", 1),
        // The answer whose day is over stays.
        ("kept", 2),
        ("opt_outs", 2),
    ] {
        assert_eq!(kinds[kind]["created"], found, "{kind}: {first}");
    }
    for (old, value) in [
        ("operator_state_migrated", Value::from(true)),
        ("batches_migrated", Value::from(1)),
        ("cadence_states_migrated", Value::from(1)),
        ("ok", Value::from(false)),
    ] {
        assert_eq!(first[old], value, "{old}");
    }
    let faults = first["faults"].to_string();
    assert!(faults.contains("torn.json") && faults.contains("instantly_dispatch_log.jsonl"));
    let held = first["held"].to_string();
    assert!(
        held.contains("legacy_shadow_17") && held.contains("pipe_nia_03"),
        "{held}"
    );

    let second = place.json(3, MIGRATE);
    for (kind, tally) in second["kinds"].as_object().unwrap() {
        assert_eq!(
            (&tally["created"], &tally["conflicts"]),
            (&0.into(), &0.into()),
            "{kind}"
        );
    }
    assert_eq!(second["digest"], first["digest"]);
}

/// Nobody that the old system wrote to, or that opted out, is written to again.
fn nobody_again(place: &Place) {
    place.write(
        "leads.csv",
        "name,email,title,company,employees,industry,technologies,demo_requested,website_visits\n\
         Kim Doe,kim@acme.test,CEO,Acme,120,Marketing Agency,HubSpot; Salesforce,yes,9\n\
         Lou Doe,lou@beta.test,CEO,Beta,120,Marketing Agency,HubSpot; Salesforce,yes,9\n\
         Mia Doe,mia@beta.test,CEO,Beta,120,Marketing Agency,HubSpot; Salesforce,yes,9\n\
         Nia Doe,nia@beta.test,CEO,Beta,120,Marketing Agency,HubSpot; Salesforce,yes,9\n\
         Ola Doe,ola@beta.test,CEO,Beta,120,Marketing Agency,HubSpot; Salesforce,yes,9\n\
         Pia Doe,pia@beta.test,CEO,Beta,120,Marketing Agency,HubSpot; Salesforce,yes,9\n\
         Ria Doe,ria@beta.test,CEO,Beta,120,Marketing Agency,HubSpot; Salesforce,yes,9\n",
    );
    let report = place.json(0, &["run", "leads.csv"]);
    assert_eq!(report["fates"]["queued"], 1, "{report}");
    place.expect(0, &["drafts", "approve", "--all", "--yes"]);
    let batch = place.json(0, &["batch", "create"])["batch"].clone();
    let items = batch["items"].as_array().unwrap();
    let offered: Vec<&str> = items
        .iter()
        .filter_map(|it| it["recipient"].as_str())
        .collect();
    assert_eq!(offered, ["ria@beta.test"]);
}

#[test]
fn the_old_records_are_carried_into_the_embedded_store_once() {
    let place = Place::new();
    hive(&place);
    let dry = place.json(3, &[MIGRATE, &["--dry-run"]].concat());
    assert_eq!(dry["kinds"]["touches"]["created"], 5);
    assert!(!place.path(".caio").exists(), "a dry-run makes nothing");
    carried(&place);
    nobody_again(&place);
}

/// Opt-outs, statuses and messages that the old system adds later arrive; nothing is taken back.
#[test]
fn what_only_the_old_files_hold_is_followed_and_never_taken_back() {
    let place = Place::new();
    hive(&place);
    place.json(3, MIGRATE);
    let kim = ".hive-mind/lead_status/kim_at_acme_test.json";
    let status = |status: &str, replies: u32| {
        place.write(
            kim,
            format!(
                r#"{{"email":"kim@acme.test","status":"{status}","reply_count":{replies},"updated_at":"2026-03-0{}T08:00:00+00:00"}}"#,
                replies + 2
            ),
        );
        let report = place.json(3, FOLLOW);
        assert_eq!(report["conflicts"], Value::Array(Vec::new()), "{report}");
        assert_eq!(
            report["kinds"]["daily_state"]["found"], 0,
            "both systems keep these"
        );
        let tally = &report["kinds"]["lead_status"];
        (
            tally["created"].as_u64().unwrap(),
            tally["united"].as_u64().unwrap(),
        )
    };
    assert_eq!(status("opened", 0), (1, 0));
    assert_eq!(status("replied", 1), (0, 1));
    assert_eq!(status("opened", 0), (0, 0), "an answer counts for good");
    assert_eq!(status("opened", 2), (0, 1), "and another answer is counted");
    place.json(0, &["state", "verify"]);

    place.write(
        ".hive-mind/instantly_dispatch_state.json",
        r#"{"date":"2026-03-02","dispatched_count":5}"#,
    );
    place.write(
        ".hive-mind/unsubscribes.jsonl",
        "{\"email\": \"quin@beta.test\"}\n",
    );
    let report = place.json(3, FOLLOW);
    assert_eq!(report["kinds"]["ceilings"]["united"], 1);
    assert_eq!(report["kinds"]["opt_outs"]["created"], 1);
    let shown = place.expect(0, &["suppress", "list"]).out;
    assert!(
        shown.contains("quin@beta.test") && shown.contains("pia@beta.test"),
        "{shown}"
    );
}

#[test]
fn scenario_06_a_second_migration_leaves_newer_values_alone_and_without_redis_fails() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = RedisServer::start(folder.path(), &[]).unwrap();
    let port = server.port().to_string();
    let place = Place::new()
        .variable("REDIS_URL", &format!("redis://127.0.0.1:{port}"))
        .variable("STATE_REDIS_PREFIX", "caio-test");
    let redis = |parts: &[&str]| {
        let output = Command::new("redis-cli")
            .args(["-p", &port])
            .args(parts)
            .output()
            .unwrap();
        String::from_utf8(output.stdout)
            .unwrap()
            .trim_end()
            .to_owned()
    };
    hive(&place);
    carried(&place);
    // As json.dumps(ensure_ascii=False) of the old system writes it.
    assert_eq!(
        redis(&["GET", "caio-test:operator:batch:batch_0a1b2c3d"]),
        r#"{"batch_id": "batch_0a1b2c3d", "created_at": "2026-03-02T14:00:00.000123+00:00", "motion": "outbound", "status": "executed", "leads_preview": [{"name": "Zoë"}], "score": 1.0, "approved_shadow_email_ids": []}"#
    );
    let cadence = redis(&["--raw", "KEYS", "caio-test:cadence:lead:*"]);
    assert_eq!(cadence.lines().count(), 1);
    assert!(redis(&["GET", &cadence]).starts_with(r#"{"email": " Kim@Acme.test", "#));

    let newer = r#"{"date": "2026-03-02", "outbound_email_dispatched": 20}"#;
    redis(&["SET", "caio-test:operator:state:2026-03-02", newer]);
    let again = place.json(3, MIGRATE);
    let conflict = &again["conflicts"][0];
    assert_eq!(conflict["store"], newer);
    assert!(
        conflict["offered"]
            .as_str()
            .unwrap()
            .contains("\"runs_today\": 2")
    );
    assert_eq!(
        redis(&["GET", "caio-test:operator:state:2026-03-02"]),
        newer
    );
    nobody_again(&place);

    server.kill().unwrap();
    let gone = place.expect(1, MIGRATE);
    assert!(gone.err.contains("[store.unavailable]"), "{}", gone.err);
}
