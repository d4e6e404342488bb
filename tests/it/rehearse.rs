//! `caio rehearse` on a store that is made of the contract's examples, with one person for each defect.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use caio_state::conformance::RedisServer;
use serde_json::{Value, json};

use crate::support::Place;

const FOLDER: &str = ".hive-mind";

/// The records of the contract as they stand there, all of them about Kim and Lou.
const EXAMPLES: &[(&str, &str)] = &[
    (
        "operator_state.json",
        r#"{"date":"2026-03-02","outbound_email_dispatched":3,"outbound_linkedin_dispatched":2,"revival_dispatched":0,"cadence_dispatched":1,"leads_dispatched":["email:kim@acme.test","email:jo@acme.test"],"last_run_at":"2026-03-02T14:05:11.102938+00:00","runs_today":2}"#,
    ),
    (
        "operator_batches/batch_0a1b2c3d.json",
        r#"{"batch_id":"batch_0a1b2c3d","created_at":"2026-03-02T14:00:00.000123+00:00","motion":"outbound","status":"executed","leads_preview":[],"total_email_leads":1,"tier_breakdown":{"tier_1":1},"approved_shadow_email_ids":["pipe_kim_01","pipe_ray_01"],"approved_linkedin_shadow_ids":[],"approved_revival_emails":[],"approved_cadence_actions":[],"preview_hash":"00","expires_at":"2026-03-03T14:00:00.000200+00:00","approved_at":"2026-03-02T13:00:00+00:00","approved_by":"reviewer","executed_at":null,"execution_report":null}"#,
    ),
    (
        "cadence_state/kim_at_acme_test.json",
        r#"{"email":"kim@acme.test","cadence_id":"default_21day","tier":"tier_1","started_at":"2026-03-02T14:05:11.000000+00:00","current_step":3,"status":"active","exit_reason":"","linkedin_url":"","linkedin_connected":false,"lead_data":{"first_name":"Kim","last_name":"Doe","company":"Acme","title":"COO","source_type":"","icp_score":0},"steps_completed":[{"step":3,"action":"dispatched","at":"2026-03-04T13:00:00+00:00"}],"last_step_at":"2026-03-03T13:00:00+00:00","next_step_due":"2026-03-06","paused_at":""}"#,
    ),
    (
        "lead_status/kim_at_acme_test.json",
        r#"{"email":"kim@acme.test","status":"opened","status_history":[{"from":"unknown","to":"opened","at":"2026-03-04T09:00:00+00:00","source":"instantly_webhook:open"}],"signals":[{"type":"instantly_webhook:open","status":"opened","at":"2026-03-04T09:00:00+00:00","data":{"campaign_id":"c-9"}}],"created_at":"2026-03-04T09:00:00+00:00","open_count":1,"reply_count":0,"linkedin_status":null,"updated_at":"2026-03-04T09:00:00+00:00"}"#,
    ),
    (
        "shadow_mode_emails/pipe_kim_01.json",
        r#"{"email_id":"pipe_kim_01","status":"dispatched_to_instantly","to":"kim@acme.test","subject":"Ops at Acme","body":"For Kim.","source":"pipeline","timestamp":"2026-03-01T10:00:00+00:00","created_at":"2026-03-01T10:00:00+00:00","recipient_data":{"name":"Kim Doe","company":"Acme","title":"COO","linkedin_url":"https://linkedin.com/in/kimdoe","location":"","employees":"120","industry":"Legal"},"context":{"intent_score":20,"icp_tier":"tier_1","icp_score":88,"campaign_type":"standard_outreach"},"priority":"high","tier":"tier_1","synthetic":false,"contact_id":null,"template_id":null,"approved_at":"2026-03-02T09:00:00.000001","approved_by":"reviewer","feedback":null,"instantly_campaign_id":"c-9","instantly_campaign_name":"t1_pipeline_20260302_v1","instantly_dispatched_at":"2026-03-02T14:05:10+00:00","heyreach_list_id":4711,"heyreach_list_name":"caio_t1_20260302_v1","heyreach_dispatched_at":"2026-03-02T14:05:11+00:00"}"#,
    ),
    (
        "instantly_dispatch_state.json",
        r#"{"date":"2026-03-02","dispatched_count":2,"dispatched_emails":["pipe_kim_01","pipe_lou_02"],"campaigns_created":[{"name":"t1_pipeline_20260302_v1","leads":2,"at":"2026-03-02T14:05:10.1+00:00"}]}"#,
    ),
    (
        "instantly_dispatch_log.jsonl",
        r#"{"campaign_name":"t1_pipeline_20260302_v1","campaign_id":"c-9","leads_added":2,"shadow_email_ids":["pipe_kim_01","pipe_lou_02"],"status":"dispatched","recipient_emails":["kim@acme.test","lou@beta.test"],"error":null}"#,
    ),
    (
        "heyreach_dispatch_log.jsonl",
        r#"{"list_name": "caio_t1_20260302_v1", "list_id": 4711, "leads_added": 1, "tier": "tier_1", "shadow_email_ids": ["pipe_kim_01"], "status": "dispatched", "recipient_emails": ["kim@acme.test"], "error": null}"#,
    ),
    (
        "unsubscribes.jsonl",
        r#"{"email": "lou@beta.test", "at": "2026-03-03T08:00:00+00:00"}"#,
    ),
];

/// A letter that was approved in time and went to Instantly, unless a change says otherwise.
fn letter(name: &str, to: &str, changes: &Value) -> (String, String) {
    let mut letter = json!({
        "email_id": name, "status": "dispatched_to_instantly", "to": to, "tier": "tier_1",
        "subject": format!("For {to}"), "body": format!("Dear {to}"), "recipient_data": null,
        "approved_at": "2026-03-01T09:00:00", "approved_by": "reviewer",
        "instantly_campaign_id": format!("c-{name}"),
        "instantly_dispatched_at": "2026-03-02T14:05:10+00:00",
    });
    for (member, value) in changes.as_object().unwrap() {
        if value.is_null() {
            letter.as_object_mut().unwrap().remove(member);
        } else {
            letter[member] = value.clone();
        }
    }
    (
        format!("shadow_mode_emails/{name}.json"),
        letter.to_string(),
    )
}

/// Letters that no channel of the old system has had.
fn unsent() -> Value {
    json!({ "status": "approved", "instantly_campaign_id": null, "instantly_dispatched_at": null })
}

fn status(person: &str, changes: &[(&str, &str, &str)]) -> (String, String) {
    let history: Vec<Value> = changes
        .iter()
        .map(|(from, to, at)| json!({ "from": from, "to": to, "at": at, "source": "test" }))
        .collect();
    let last = changes.last().unwrap().1;
    let record = json!({
        "email": person, "status": last, "status_history": history, "signals": [],
        "created_at": "2026-02-01T09:00:00+00:00", "open_count": 0, "reply_count": 0,
    });
    let name = person.replace('@', "_at_").replace('.', "_");
    (format!("lead_status/{name}.json"), record.to_string())
}

/// One person for each defect that a store can show.
fn defects() -> Vec<(String, String)> {
    let mut jo = letter(
        "pipe_jo_01",
        "jo@acme.test",
        &json!({ "instantly_campaign_id": "c-9" }),
    );
    // Jo stands behind Kim in the same campaign, which printed Kim's letter.
    "shadow_mode_emails/pipe_kim_02.json".clone_into(&mut jo.0);
    let ghl = |changes: Value| {
        let mut all = unsent();
        all["status"] = json!("sent_via_ghl");
        for (member, value) in changes.as_object().unwrap() {
            all[member] = value.clone();
        }
        all
    };
    let given = json!({ "sent_via_ghl": true, "sent_at": "2026-03-02T15:00:00" });
    let unapproved =
        json!({ "sent_via_ghl": true, "sent_at": "2026-03-02T15:00:00", "approved_at": null });
    let synthetic =
        json!({ "sent_via_ghl": true, "sent_at": "2026-03-02T15:00:00", "synthetic": true });
    vec![
        jo,
        letter("pipe_max_01", "max@beta.test", &json!({})),
        status(
            "max@beta.test",
            &[("sent", "unsubscribed", "2026-02-20T09:00:00+00:00")],
        ),
        letter("pipe_nia_01", "nia@beta.test", &json!({})),
        status(
            "nia@beta.test",
            &[
                ("sent", "unsubscribed", "2026-02-20T09:00:00+00:00"),
                ("unsubscribed", "opened", "2026-02-21T09:00:00+00:00"),
            ],
        ),
        letter("pipe_oda_01", "oda@beta.test", &json!({})),
        letter("pipe_oda_02", " Oda@Beta.test", &json!({})),
        letter(
            "pipe_pia_01",
            "pia@beta.test",
            &json!({ "queued_for_send": true, "send_error": "timeout" }),
        ),
        letter("pipe_quin_01", "quin@beta.test", &unsent()),
        letter("pipe_ray_01", "ray@beta.test", &unsent()),
        letter(
            "pipe_sam_01",
            "sam@beta.test",
            &json!({ "rejected_at": "2026-03-02T10:00:00" }),
        ),
        letter("pipe_tom_01", "tom@beta.test", &ghl(unapproved)),
        letter("pipe_uma_01", "uma@beta.test", &ghl(synthetic)),
        letter("pipe_vic_01", "vic@beta.test", &ghl(given)),
        letter("pipe_wes_01", "wes@beta.test", &json!({})),
        status(
            "wes@beta.test",
            &[("sent", "replied", "2026-03-02T09:00:00+00:00")],
        ),
    ]
}

fn place(records: &[(String, String)]) -> Place {
    let place = Place::new();
    for folder in [
        "operator_batches",
        "cadence_state",
        "lead_status",
        "shadow_mode_emails",
    ] {
        fs::create_dir_all(place.path(FOLDER).join(folder)).unwrap();
    }
    let examples = EXAMPLES
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    for (name, text) in examples.chain(records.iter().cloned()) {
        place.write(&format!("{FOLDER}/{name}"), text);
    }
    fs::create_dir(place.path(".caio")).unwrap();
    place.write(
        ".caio/caio.toml",
        "time_zone = \"America/New_York\"\n[limits]\nemail_per_day = 100\nemail_per_hour = 100\n\
         email_per_domain_hour = 100\n[ramp]\nenabled = false\n",
    );
    place
}

/// Every file below a folder, with its bytes.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    all
}

/// The reasons for each person, and whether ours would write to them.
fn people(report: &Value) -> BTreeMap<String, (Vec<String>, bool)> {
    let people = report["rehearsal"]["people"].as_array().unwrap();
    let line = |it: &Value| {
        let ids = it["why"].as_array().unwrap().iter();
        let ids: Vec<String> = ids
            .map(|why| why["id"].as_str().unwrap().to_owned())
            .collect();
        let person = it["person"].as_str().unwrap().to_owned();
        (person, (ids, it["ours"].is_object()))
    };
    people.iter().map(line).collect()
}

#[test]
fn each_difference_from_the_old_system_has_its_rule_or_defect() {
    let place = place(&defects());
    let before = files(&place.path(FOLDER));
    let report = place.json(0, &["rehearse", "--from", "hive:.hive-mind", "--days", "3"]);
    assert_eq!(
        files(&place.path(FOLDER)),
        before,
        "the source is only read"
    );
    assert_eq!(
        (&report["first"], &report["last"]),
        (&json!("2026-03-02"), &json!("2026-03-04"))
    );
    let people = people(&report);
    for (person, ids, writes) in [
        ("kim@acme.test", &["BT-10", "OPD-7"][..], true),
        ("lou@beta.test", &["rule: approval"], false),
        ("jo@acme.test", &["IN-1"], true),
        ("max@beta.test", &["OPD-1"], false),
        ("nia@beta.test", &["LS-1"], false),
        ("oda@beta.test", &["BT-12"], true),
        ("pia@beta.test", &["GH-4"], false),
        ("quin@beta.test", &["BT-11"], true),
        ("ray@beta.test", &["OPD-17"], true),
        ("sam@beta.test", &["OPD-16"], false),
        ("tom@beta.test", &["GH-0"], false),
        ("uma@beta.test", &["CF-6"], false),
        ("vic@beta.test", &[], true),
        ("wes@beta.test", &["OPD-1"], false),
    ] {
        let expected: Vec<String> = ids.iter().map(|it| (*it).to_owned()).collect();
        assert_eq!(
            people.get(person),
            Some(&(expected, writes)),
            "{person}: {report}"
        );
    }
    assert_eq!(people.len(), 14);
    assert_eq!(report["unexplained"], 0);
    let days = report["rehearsal"]["days"].as_array().unwrap();
    assert_eq!(days[0]["ours"], 6, "{report}");
    assert_eq!(days[1]["ours"], 0, "nobody is written to twice");

    let text = place
        .expect(0, &["rehearse", "--from", "hive:.hive-mind", "--days", "3"])
        .out;
    for expected in [
        "oda@beta.test",
        "BT-12: written to by",
        "14 people, 1 the same, 13 differ",
        "0 unexplained",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    // No store of its own was made either.
    assert!(!place.path(".caio/caio.db").exists());
}

#[test]
fn limits_and_ramp_hold_and_say_so() {
    let place = place(&defects());
    let config = place.read(".caio/caio.toml");
    place.write(
        ".caio/caio.toml",
        config.replace("email_per_day = 100", "email_per_day = 2"),
    );
    let report = place.json(
        0,
        &[
            "rehearse",
            "--from",
            "hive:.hive-mind",
            "--days",
            "2",
            "--until",
            "2026-03-03",
        ],
    );
    let days = report["rehearsal"]["days"].as_array().unwrap();
    assert_eq!((&days[0]["ours"], &days[1]["ours"]), (&json!(2), &json!(2)));
    assert!(
        report["reasons"]["rule: limits and ramp"].as_u64().unwrap() > 2,
        "{report}"
    );
    assert_eq!(report["unexplained"], 0);
}

#[test]
fn a_store_that_the_old_state_was_carried_into_is_rehearsed_the_same_way() {
    let place = place(&defects());
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start(folder.path(), &[]).unwrap();
    let redis = format!("redis://127.0.0.1:{}?prefix=caio-test", server.port());
    for source in ["sqlite:.caio/caio.db", &redis] {
        of_store(&place, source);
    }
}

/// Everything that a store holds, without the time of asking.
fn exported(place: &Place, source: &str) -> Vec<String> {
    let _ = fs::remove_file(place.path("all.ndjson"));
    place.expect(0, &["--store", source, "state", "export", "all.ndjson"]);
    let text = place.read("all.ndjson");
    // A server says how long a record still lives, and an export until when: not to the microsecond.
    let without_end = |line: &str| line.split(",\"expires\"").next().unwrap_or(line).to_owned();
    let lines = text
        .lines()
        .filter(|it| !it.contains("caio_export") && !it.contains("sha256"));
    lines.map(without_end).collect()
}

fn of_store(place: &Place, source: &str) {
    place.expect(
        3,
        &[
            "--store",
            source,
            "state",
            "migrate",
            "--from",
            "hive:.hive-mind",
        ],
    );
    let before = exported(place, source);
    let report = place.json(
        0,
        &[
            "--store", "memory:", "rehearse", "--from", source, "--days", "3",
        ],
    );
    assert_eq!(exported(place, source), before, "the source is only read");
    let people = people(&report);
    // Texts stay in the folder, so nobody has an approved one.
    assert_eq!(people["max@beta.test"].0, ["OPD-1"]);
    assert_eq!(people["oda@beta.test"].0, ["rule: approval"]);
    assert!(people.values().all(|(_, writes)| !writes));
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_rehearsed() {
    let mut records = defects();
    records.push(("shadow_mode_emails/broken.json".to_owned(), "{".to_owned()));
    records.push(letter("pipe_nobody", "nobody", &json!({ "to": null })));
    let place = place(&records);
    let report = place.json(3, &["rehearse", "--from", "hive:.hive-mind", "--days", "3"]);
    let faults = report["rehearsal"]["faults"].as_array().unwrap();
    let named: Vec<&str> = faults
        .iter()
        .map(|it| it["file"].as_str().unwrap())
        .collect();
    assert_eq!(
        named,
        [
            "shadow_mode_emails/broken.json",
            "shadow_mode_emails/pipe_nobody.json"
        ]
    );
    assert_eq!(people(&report).len(), 14);
    place.expect(1, &["rehearse", "--from", "hive:nowhere"]);
    fs::create_dir(place.path("empty")).unwrap();
    let empty = place.expect(1, &["rehearse", "--from", "hive:empty"]);
    assert!(empty.err.contains("no day"), "{}", empty.err);
    place.expect(2, &["rehearse", "--from", "hive:empty", "--days", "0"]);
}
