//! `caio campaigns`: what waits at the providers, against the sandbox.

use serde_json::{Value, json};

use crate::delivery::{PEOPLE, approved, place};
use crate::sandbox::Sandbox;
use crate::support::Place;

/// A place whose letters wait in one draft campaign, and that campaign's id.
fn drafted(sandbox: &Sandbox) -> (Place, String) {
    let place = place(sandbox);
    approved(&place);
    let live = place.expect(0, &["dispatch", "--live"]);
    let said = format!("{PEOPLE} drafted");
    assert!(
        live.out.contains(&said) && !live.out.contains("sent"),
        "{}",
        live.out
    );
    let listed = place.json(0, &["campaigns", "list"]);
    let campaign = &listed["campaigns"][0];
    assert_eq!(campaign["ledger"], json!({ "drafted": PEOPLE }), "{listed}");
    assert_eq!(campaign["campaign"]["stage"], "draft");
    let id = campaign["campaign"]["id"].as_str().unwrap().to_owned();
    (place, id)
}

fn status(sandbox: &Sandbox, id: &str) -> i64 {
    let (_, campaign) = sandbox.instantly("GET", &format!("campaigns/{id}"), None);
    campaign["status"].as_i64().unwrap()
}

fn people(sandbox: &Sandbox, id: &str) -> Vec<String> {
    let filter = json!({ "campaign": id, "limit": 100 });
    let (_, page) = sandbox.instantly("POST", "leads/list", Some(&filter));
    let leads = page["items"].as_array().unwrap();
    leads
        .iter()
        .map(|it| it["email"].as_str().unwrap().to_lowercase())
        .collect()
}

const OUT: &str = "kim3@acme3.example.com";

#[test]
fn a_named_person_starts_what_waits_and_who_opted_out_since_is_gone_first() {
    let sandbox = Sandbox::start();
    let (place, id) = drafted(&sandbox);
    assert!(
        place
            .expect(0, &["ledger", "show", OUT])
            .out
            .contains("drafted")
    );
    place.expect(0, &["suppress", "add", OUT, "--reason", "asked by phone"]);
    let started = place.json(3, &["campaigns", "activate", &id, "--by", "lee"]);
    let started = &started["started"];
    assert_eq!(started["people"], PEOPLE - 1, "{started}");
    assert_eq!(started["taken_out"][0]["recipient"], OUT);
    assert!(
        started["taken_out"][0]["reason"]
            .as_str()
            .unwrap()
            .contains("asked by phone")
    );
    assert_eq!(status(&sandbox, &id), 1);
    let there = people(&sandbox, &id);
    assert!(
        there.len() == PEOPLE - 1 && !there.contains(&OUT.to_owned()),
        "{there:?}"
    );
    assert!(
        place
            .expect(0, &["ledger", "show", OUT])
            .out
            .contains("rejected")
    );
    let history = place.expect(0, &["history", "--limit", "5"]).out;
    assert!(
        history.contains("campaign.started") && history.contains("lee"),
        "{history}"
    );
    let again = place.expect(1, &["campaigns", "activate", &id]);
    assert!(again.err.contains("[campaign.stage]"), "{}", again.err);
    place.expect(0, &["campaigns", "pause", &id]);
    assert_eq!(status(&sandbox, &id), 2);
    let listed = place.expect(0, &["campaigns", "list"]).out;
    assert!(
        listed.contains("paused") && listed.contains("7 drafted, 1 rejected"),
        "{listed}"
    );
    // It goes on, and nobody else was ever touched.
    place.expect(0, &["campaigns", "activate", &id]);
    assert_eq!(sandbox.summary("instantly")["violations"], json!([]));
}

#[test]
fn a_removal_that_is_not_certain_and_a_stop_leave_the_draft_alone() {
    let sandbox = Sandbox::start();
    let (place, id) = drafted(&sandbox);
    place.expect(0, &["suppress", "add", OUT, "--reason", "asked by phone"]);
    for rule in [
        json!({ "operation": "instantly.delete_lead", "nth": "every", "kind": "status", "code": 500 }),
        // It says that it worked, and did nothing.
        json!({ "operation": "instantly.delete_lead", "nth": "every", "kind": "status", "code": 200, "body": {} }),
        json!({ "operation": "instantly.list_leads", "nth": "every", "kind": "cut_json" }),
    ] {
        sandbox.control("DELETE", "faults", None);
        sandbox.fault(&rule);
        let refused = place.expect(1, &["campaigns", "activate", &id]);
        let code = if rule["kind"] == "cut_json" {
            "[campaign.unasked]"
        } else {
            "[campaign.not_removed]"
        };
        assert!(refused.err.contains(code), "{rule}: {}", refused.err);
        assert_eq!(status(&sandbox, &id), 0, "{rule}");
    }
    sandbox.control("DELETE", "faults", None);
    assert_eq!(people(&sandbox, &id).len(), PEOPLE);
    place.expect(0, &["stop", "--reason", "test"]);
    let blocked = place.expect(4, &["campaigns", "activate", &id]);
    assert!(blocked.err.contains("stop flag"), "{}", blocked.err);
    let mut command = place.command(&["campaigns", "activate", &id]);
    let answer = command.env("EMERGENCY_STOP", "true").output().unwrap();
    assert_eq!(answer.status.code(), Some(4));
    assert_eq!(
        (status(&sandbox, &id), people(&sandbox, &id).len()),
        (0, PEOPLE)
    );
    place.expect(0, &["resume"]);
    place.expect(3, &["campaigns", "activate", &id]);
    assert_eq!(
        (status(&sandbox, &id), people(&sandbox, &id).len()),
        (1, PEOPLE - 1)
    );
}

#[test]
fn what_the_provider_says_is_looked_at_again() {
    let sandbox = Sandbox::start();
    let (place, id) = drafted(&sandbox);
    // IN-16: activated, and held back by the provider.
    sandbox.switch(&json!({ "activated_status": -2 }));
    let held = place.expect(1, &["campaigns", "activate", &id]);
    assert!(held.err.contains("bounce protect (-2)"), "{}", held.err);
    sandbox.switch(&json!({}));
    sandbox.instantly("POST", &format!("campaigns/{id}/pause"), None);
    // The answer is lost, and it runs.
    sandbox.fault(&json!({ "operation": "instantly.activate", "nth": 1, "kind": "reset_after" }));
    place.expect(0, &["campaigns", "activate", &id]);
    assert_eq!(status(&sandbox, &id), 1);
    // It says that it rests, and sends.
    sandbox.fault(&json!({ "operation": "instantly.pause", "nth": 1, "kind": "status", "code": 200, "body": {} }));
    let sends = place.expect(1, &["campaigns", "pause", &id]);
    assert!(sends.err.contains("[campaign.sends]"), "{}", sends.err);
    place.expect(0, &["campaigns", "pause", &id]);
    // Somebody whom nobody approved stands in it.
    let lead = json!({ "campaign_id": id, "leads": [{ "email": "stranger@example.com" }] });
    sandbox.instantly("POST", "leads/add", Some(&lead));
    let strange = place.expect(1, &["campaigns", "activate", &id]);
    assert!(
        strange
            .err
            .contains("stranger@example.com: no delivery of ours"),
        "{}",
        strange.err
    );
    assert_eq!(status(&sandbox, &id), 2);
    let unknown = place.expect(1, &["campaigns", "activate", "elsewhere"]);
    assert!(
        unknown.err.contains("[campaign.unknown]"),
        "{}",
        unknown.err
    );
    let none = place.expect(2, &["campaigns", "pause", "1", "--provider", "ghl"]);
    assert!(
        none.err.contains("ghl sends at once and has none"),
        "{}",
        none.err
    );
}

#[test]
fn a_campaign_of_heyreach_goes_on_without_whom_nobody_may_write_to() {
    let sandbox = Sandbox::start();
    let place = place(&sandbox)
        .variable("HEYREACH_API_KEY", "planted-secret")
        .variable(
            "HEYREACH_BASE_URL",
            &format!("{}/heyreach/api/public", sandbox.base),
        );
    let make = |status: &str| {
        let body = json!({ "name": "Spring", "status": status });
        sandbox.control("POST", "heyreach/campaigns", Some(&body)).1["id"]
            .as_i64()
            .unwrap()
    };
    let (draft, paused) = (make("DRAFT").to_string(), make("PAUSED"));
    let is = |id: i64| {
        let (_, page) = sandbox.heyreach("campaign/GetAll", &json!({ "offset": 0, "limit": 100 }));
        let items: Vec<Value> = page["items"].as_array().unwrap().clone();
        let found = items.into_iter().find(|it| it["id"] == id);
        found.unwrap()["status"].as_str().unwrap().to_owned()
    };
    let listed = place.expect(0, &["campaigns", "list"]).out;
    assert!(
        listed.contains("heyreach") && listed.contains("PAUSED"),
        "{listed}"
    );
    let by = ["--provider", "heyreach"];
    let refused = place.expect(
        1,
        &[&["campaigns", "activate", draft.as_str()][..], &by].concat(),
    );
    assert!(
        refused.err.contains("in heyreach's own pages"),
        "{}",
        refused.err
    );
    let lead = json!({
        "profileUrl": "https://linkedin.com/in/caio-test-kim", "firstName": "Kim", "lastName": "Doe",
        "emailAddress": "kim@example.com",
    });
    let body = json!({ "campaignId": paused, "accountLeadPairs": [{ "lead": lead }] });
    sandbox.heyreach("campaign/AddLeadsToCampaignV2", &body);
    let id = paused.to_string();
    let strange = place.expect(
        1,
        &[&["campaigns", "activate", id.as_str()][..], &by].concat(),
    );
    assert!(
        strange.err.contains("kim@example.com: no delivery of ours"),
        "{}",
        strange.err
    );
    assert_eq!(is(paused), "PAUSED");
}
