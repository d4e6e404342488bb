//! GoHighLevel beside Instantly: the real binary sends through it, and nobody is written to by both.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{PEOPLE, approved};
use crate::sandbox::Sandbox;
use crate::support::Place;

const LIVE: &[&str] = &["dispatch", "--live", "--send-now"];

/// A place that may send through both.
pub(crate) fn place(sandbox: &Sandbox) -> Place {
    let place = super::place(sandbox)
        .variable("GHL_PROD_API_KEY", "pit-planted")
        .variable("GHL_LOCATION_ID", "loc1")
        .variable("GHL_FROM_EMAIL", "ann@warm.example.com")
        .variable("GHL_BASE_URL", &format!("{}/ghl", sandbox.base));
    change(&place, |it| {
        it["external_apis"]["ghl"] = json!({ "enabled": true });
    });
    place
}

fn change(place: &Place, edit: impl Fn(&mut Value)) {
    let mut production: Value =
        serde_json::from_str(&place.read("config/production.json")).unwrap();
    edit(&mut production);
    place.write("config/production.json", production.to_string());
}

/// An approved batch by a provider.
fn batch(place: &Place, via: &str, more: &[&str]) -> Value {
    let args = [&["batch", "create", "--via", via], more].concat();
    let batch = place.json(0, &args)["batch"].clone();
    let text = |field: &str| batch[field].as_str().unwrap().to_owned();
    place.expect(
        0,
        &["batch", "approve", &text("id"), "--digest", &text("digest")],
    );
    batch
}

/// The letters are approved, and the batch that holds them is not.
fn ready(place: &Place) {
    let id = approved(place);
    place.expect(0, &["batch", "revoke", &id]);
}

pub(crate) fn messages(sandbox: &Sandbox) -> Vec<Value> {
    let (_, state) = sandbox.control("GET", "state", None);
    state["ghl"]["messages"].as_array().unwrap().clone()
}

#[test]
fn each_person_has_one_exact_e_mail_at_once_and_their_contact_keeps_its_tags() {
    let sandbox = Sandbox::start();
    let place = place(&sandbox);
    ready(&place);
    let known = json!({
        "locationId": "loc1", "email": "kim0@acme0.example.com", "tags": ["warm"], "firstName": "K.",
    });
    sandbox.ghl("POST", "contacts/upsert", Some(&known));
    batch(&place, "ghl", &[]);
    let blocked = place.expect(4, &["dispatch", "--live"]);
    assert!(
        blocked.out.contains("--send-now says that it shall"),
        "{}",
        blocked.out
    );
    let shown = place.json(0, &["dispatch"]);
    assert!(messages(&sandbox).is_empty(), "a dry run sends nothing");
    let sent = place.expect(0, LIVE);
    assert!(sent.out.contains(&format!("{PEOPLE} sent")), "{}", sent.out);
    let sent = messages(&sandbox);
    assert_eq!(sent.len(), PEOPLE);
    let requests = shown["requests"].as_array().unwrap();
    let mut bodies = BTreeSet::new();
    for message in &sent {
        assert_eq!(message["emailFrom"], "ann@warm.example.com");
        let same = |it: &&Value| it["body"]["emailTo"] == message["emailTo"];
        let shown = &requests.iter().find(same).unwrap()["body"];
        assert_eq!(
            shown["subject"], message["subject"],
            "what was seen is what is sent"
        );
        assert_eq!(shown["html"], message["html"]);
        bodies.insert(message["html"].to_string());
    }
    assert_eq!(bodies.len(), PEOPLE, "nobody has another one's letter");
    let (_, found) = sandbox.ghl(
        "GET",
        "contacts/search/duplicate?locationId=loc1&email=kim0%40acme0.example.com",
        None,
    );
    assert_eq!(
        (&found["contact"]["tags"], &found["contact"]["firstName"]),
        (&json!(["warm"]), &json!("K."))
    );
    let shown = place.expect(0, &["ledger", "show", "kim0@acme0.example.com"]);
    assert!(shown.out.contains(" sent "), "{}", shown.out);

    // The same people through Instantly: the touch is taken, whoever delivered it.
    place.expect(0, &["run", "leads.csv"]);
    place.expect(1, &["batch", "create"]);
    assert_eq!(sandbox.summary("instantly")["recipients"], 0);
    assert_eq!(sandbox.summary("ghl")["duplicates"], json!([]));
    let stopped = place.expect(0, &["stop", "--reason", "test"]);
    assert!(
        stopped.out.contains("ghl: nothing of ours sends"),
        "{}",
        stopped.out
    );
    assert!(!place.expect(0, &["history"]).out.contains("pit-planted"));
}

#[test]
fn both_senders_of_e_mail_count_in_the_same_windows() {
    let sandbox = Sandbox::start();
    let place = place(&sandbox);
    change(&place, |it| {
        it["operator"]["outbound"]["email_daily_limit"] = json!(5);
    });
    ready(&place);
    let first = batch(&place, "ghl", &["--limit", "3"]);
    assert_eq!(first["items"].as_array().unwrap().len(), 3);
    place.expect(0, LIVE);
    let second = batch(&place, "instantly", &[]);
    assert_eq!(
        second["items"].as_array().unwrap().len(),
        2,
        "five a day, by whomever"
    );
    place.expect(0, &["dispatch", "--live"]);
    let recipients = |provider: &str| sandbox.summary(provider)["recipients"].clone();
    assert_eq!(
        (recipients("ghl"), recipients("instantly")),
        (json!(3), json!(2))
    );
    place.expect(1, &["batch", "create"]);
}

#[test]
fn scenario_13_what_ghl_was_handed_never_reaches_instantly() {
    let sandbox = Sandbox::start();
    // One call at a time, so that it is known whose answer is lost.
    let place = place(&sandbox).variable("CAIO_IN_FLIGHT", "1");
    ready(&place);
    // Two time-outs of which nobody knows what became, and one certain refusal.
    for (nth, operation) in [
        (1, "send_message"),
        (2, "send_message"),
        (1, "search_conversations"),
        (2, "search_conversations"),
    ] {
        sandbox.fault(&json!({
            "operation": format!("ghl.{operation}"), "nth": nth, "kind": "timeout_after", "hold_ms": 50,
        }));
    }
    sandbox.fault(
        &json!({ "operation": "ghl.send_message", "nth": 3, "kind": "status", "code": 422 }),
    );
    // The looking is tried three times.
    for nth in 3..=6 {
        sandbox.fault(&json!({
            "operation": "ghl.search_conversations", "nth": nth, "kind": "reset_before",
        }));
    }
    batch(&place, "ghl", &["--limit", "3"]);
    let report = place.json(3, LIVE);
    let states: Vec<&str> = report["run"]["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["unknown", "unknown", "not_sent"], "{report}");
    let handed: BTreeSet<String> = report["run"]["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["recipient"].as_str().unwrap().to_owned())
        .collect();
    // The three stay where they are: Instantly is handed the other five only.
    let answer = place.run(&["batch", "create", "--json"]);
    assert_eq!(answer.code, 3, "{}", answer.err);
    assert!(
        answer.err.contains("handed to ghl before"),
        "{}",
        answer.err
    );
    let batch: Value = serde_json::from_str(&answer.out).unwrap();
    let batch = &batch["batch"];
    let text = |field: &str| batch[field].as_str().unwrap().to_owned();
    place.expect(
        0,
        &["batch", "approve", &text("id"), "--digest", &text("digest")],
    );
    place.json(0, &["dispatch", "--live", "--batch", &text("id")]);
    let (_, state) = sandbox.control("GET", "state", None);
    let uploaded: BTreeSet<String> = state["instantly"]["campaigns"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|it| it["leads"].as_array().unwrap())
        .map(|it| it["email"].as_str().unwrap().to_lowercase())
        .collect();
    assert_eq!(uploaded.len(), PEOPLE - 3);
    assert!(uploaded.is_disjoint(&handed), "{uploaded:?}");
    // Both messages are there, and found by asking; the refused one goes through ghl, once.
    assert_eq!(messages(&sandbox).len(), 2);
    sandbox.control("DELETE", "faults", None);
    place.expect(0, &["ledger", "reconcile"]);
    self::batch(&place, "ghl", &[]);
    place.expect(0, LIVE);
    assert_eq!(messages(&sandbox).len(), 3);
    assert_eq!(sandbox.summary("ghl")["duplicates"], json!([]));
}

#[test]
fn whatever_ghl_answers_nobody_is_written_to_twice() {
    let sandbox = Sandbox::start();
    for (operation, kind, more) in [
        ("find_contact", "reset_before", json!({})),
        ("find_contact", "html", json!({})),
        ("upsert_contact", "reset_after", json!({})),
        (
            "upsert_contact",
            "status",
            json!({ "code": 422, "effect": true }),
        ),
        ("upsert_contact", "status", json!({ "code": 400 })),
        ("send_message", "reset_before", json!({})),
        ("send_message", "reset_after", json!({})),
        ("send_message", "timeout_after", json!({ "hold_ms": 50 })),
        ("send_message", "cut_json", json!({})),
        ("send_message", "html", json!({})),
        (
            "send_message",
            "status",
            json!({ "code": 500, "effect": true }),
        ),
        (
            "send_message",
            "status",
            json!({ "code": 429, "retry_after": 0 }),
        ),
        ("send_message", "status", json!({ "code": 401 })),
    ] {
        sandbox.control("POST", "reset", None);
        let place = place(&sandbox);
        ready(&place);
        let mut rule = json!({ "operation": format!("ghl.{operation}"), "nth": 2, "kind": kind });
        rule.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        sandbox.fault(&rule);
        batch(&place, "ghl", &["--limit", "3"]);
        let report = place.run(&["dispatch", "--live", "--send-now", "--json"]);
        let report: Value = serde_json::from_str(&report.out).unwrap();
        let mut states: BTreeMap<&str, usize> = BTreeMap::new();
        for item in report["run"]["items"].as_array().unwrap() {
            *states.entry(item["state"].as_str().unwrap()).or_default() += 1;
        }
        let count = |state: &str| states.get(state).copied().unwrap_or(0);
        let there = messages(&sandbox).len();
        assert!(
            (count("accepted")..=count("accepted") + count("unknown")).contains(&there),
            "{rule}: {states:?}, {there} there"
        );
        if count("unknown") > 0 {
            let settled = place.run(&["ledger", "reconcile"]);
            assert_eq!(settled.code, 0, "{rule}: {}", settled.err);
        }
        let left = 3 - messages(&sandbox).len();
        if left > 0 {
            batch(&place, "ghl", &["--limit", &left.to_string()]);
            place.expect(0, LIVE);
        }
        let summary = sandbox.summary("ghl");
        assert_eq!(
            (&summary["duplicates"], &summary["recipients"]),
            (&json!([]), &json!(3)),
            "{rule}: {states:?}"
        );
    }
}

#[test]
fn without_a_sender_there_is_no_channel_and_the_reason_is_said() {
    let sandbox = Sandbox::start();
    let place = place(&sandbox);
    ready(&place);
    batch(&place, "ghl", &[]);
    for (name, value, says) in [
        (
            "GHL_FROM_EMAIL",
            "",
            "ghl: `` is no address to send from; set GHL_FROM_EMAIL",
        ),
        ("GHL_FROM_EMAIL", "loc1", "ghl: `loc1` is no address"),
        (
            "GHL_LOCATION_ID",
            "",
            "ghl: the location is missing; set GHL_LOCATION_ID",
        ),
    ] {
        let mut command = place.command(LIVE);
        let answer = command.env(name, value).output().unwrap();
        let err = String::from_utf8(answer.stderr).unwrap();
        assert_eq!(answer.status.code(), Some(4), "{err}");
        assert!(err.contains(says), "{err}");
    }
    let mut command = place.command(LIVE);
    let answer = command
        .env("GHL_BASE_URL", "http://ghl.example.com")
        .output()
        .unwrap();
    let err = String::from_utf8(answer.stderr).unwrap();
    assert_eq!(answer.status.code(), Some(2), "{err}");
    assert!(
        err.contains("ghl: the base address has to be https"),
        "{err}"
    );
    assert!(messages(&sandbox).is_empty());
}
