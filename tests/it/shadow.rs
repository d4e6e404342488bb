//! `caio dispatch --shadow` is a live run without the calls, and `caio shadow diff` says what became of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::delivery::{PEOPLE, approved, place};
use crate::sandbox::Sandbox;
use crate::support::Place;

/// Everything that the store holds, by kind and name.
fn held(place: &Place) -> BTreeMap<String, String> {
    let _ = std::fs::remove_file(place.path("all.ndjson"));
    place.expect(0, &["state", "export", "all.ndjson"]);
    let mut held = BTreeMap::new();
    for line in place.read("all.ndjson").lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let (kind, record) = line.as_object().unwrap().iter().next().unwrap();
        let name = format!("{kind} {} {}", record["index"], record["key"]);
        if kind != "end" && kind != "caio_export" {
            held.insert(name, record.to_string());
        }
    }
    held
}

fn calls(sandbox: &Sandbox) -> Vec<Value> {
    let (_, calls) = sandbox.control("GET", "calls", None);
    calls["calls"].as_array().unwrap().clone()
}

#[test]
fn a_shadow_run_makes_every_request_and_no_call_and_claims_nothing() {
    let sandbox = Sandbox::start();
    let place = place(&sandbox);
    let id = approved(&place);
    let before = held(&place);

    let shadow = place.json(0, &["dispatch", "--shadow"]);
    assert!(calls(&sandbox).is_empty(), "nobody was called");
    assert_eq!(shadow["shadow"]["items"].as_array().unwrap().len(), PEOPLE);
    let after = held(&place);
    for (name, record) in &before {
        assert_eq!(after.get(name), Some(record), "{name} is as it was");
    }
    let ours = ["caio:shadow:", "caio:event:", "caio:idx:shadow"];
    for name in after.keys().filter(|name| !before.contains_key(*name)) {
        assert!(ours.iter().any(|it| name.contains(it)), "{name}");
    }

    // The batch is as approved as before: the same requests reach the provider.
    let handed = &shadow["handed_over"][0];
    place.json(0, &["dispatch", "--live"]);
    let posted: Vec<Value> = calls(&sandbox)
        .into_iter()
        .filter(|it| {
            it["operation"] == "instantly.create_campaign"
                || it["operation"] == "instantly.add_leads"
        })
        .collect();
    assert_eq!(posted.len(), 2, "{posted:?}");
    for (call, request) in posted.iter().zip(handed["requests"].as_array().unwrap()) {
        let mut expected = request["body"].clone();
        if let Some(id) = expected.get_mut("campaign_id") {
            id.clone_from(&call["request"]["campaign_id"]);
        }
        assert_eq!(call["request"], expected, "what was shown was sent");
        let path = request["path"].as_str().unwrap();
        assert!(call["path"].as_str().unwrap().ends_with(path));
    }
    let diff = place.json(0, &["shadow", "diff", &id]);
    assert_eq!(
        (&diff["in_shadow"], &diff["sent"]),
        (&json!(PEOPLE), &json!(PEOPLE))
    );
    assert_eq!(diff["differences"], json!([]));
    let text = place.expect(0, &["shadow", "diff", &id]).out;
    assert!(text.contains("nothing differs"), "{text}");
    // It ran: it is no longer approved, in shadow neither.
    place.expect(4, &["dispatch", "--shadow", "--batch", &id]);
    let listed = place.json(0, &["shadow", "list"]);
    assert_eq!(listed["shadow"][0]["batch"], id.as_str());
    let shown = place.expect(0, &["shadow", "show", &id]).out;
    assert!(shown.contains("caio_body") && shown.contains("POST /leads/add"));
}

#[test]
fn what_differs_is_named_field_by_field() {
    let sandbox = Sandbox::start();
    let place = place(&sandbox);
    let id = approved(&place);
    place.expect(0, &["dispatch", "--shadow"]);
    place.expect(3, &["shadow", "diff", &id]);

    // One person opts out, and the accounts that send are others.
    place.expect(
        0,
        &[
            "suppress",
            "add",
            "kim3@acme3.example.com",
            "--reason",
            "asked",
        ],
    );
    let production = place.read("config/production.json");
    let production = production.replace("ann@acorn.example.com", "eve@acorn.example.com");
    place.write("config/production.json", production);
    place.expect(3, &["dispatch", "--live"]);

    let diff = place.json(3, &["shadow", "diff", &id]);
    assert_eq!(diff["sent"], PEOPLE - 1);
    let differences = diff["differences"].as_array().unwrap();
    assert_eq!(differences.len(), 2, "{diff}");
    let of = |field: &str| differences.iter().find(|it| it["field"] == field).unwrap();
    let missing = of("");
    assert_eq!(missing["shadow"]["email"], "Kim3@acme3.example.com");
    assert!(missing["sent"].is_null() && missing["why"].is_string());
    let account = of("/email_list/0");
    assert_eq!(account["shadow"], "ann@acorn.example.com");
    assert_eq!(account["sent"], "eve@acorn.example.com");
    let unknown = place.expect(1, &["shadow", "diff", "batch_0"]);
    assert!(unknown.err.contains("batch_0"), "{}", unknown.err);
}

#[test]
fn a_stop_an_unapproved_batch_and_no_batch_hold_for_shadow_too() {
    let sandbox = Sandbox::start();
    let place = place(&sandbox);
    place.expect(4, &["dispatch", "--shadow"]);
    approved(&place);
    place.expect(2, &["dispatch", "--shadow", "--live"]);
    place.expect(0, &["stop", "--reason", "test"]);
    let before = place.dump();
    let stopped = place.expect(4, &["dispatch", "--shadow"]);
    assert!(
        stopped.err.contains("nothing was run in shadow"),
        "{}",
        stopped.err
    );
    assert_eq!(place.dump(), before, "a run that is refused writes nothing");
}
