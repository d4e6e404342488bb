//! Acceptance scenarios from one end to the other: the real binary, its stores, the sandbox.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::delivery::{PEOPLE, approved, batch, on_each_store, place};
use crate::sandbox::Sandbox;
use crate::support::Place;

const HEADER: &str =
    "name,email,title,company,employees,industry,technologies,demo_requested,website_visits\n";

fn row(name: &str, email: &str) -> String {
    format!("{name},{email},CEO,Acme,120,Marketing Agency,HubSpot; Salesforce,yes,9\n")
}

/// Letters to these people, approved one by one.
fn letters(place: &Place, people: &[(&str, &str)]) {
    let rows = people.iter().map(|(name, email)| row(name, email));
    place.write("leads.csv", HEADER.to_owned() + &rows.collect::<String>());
    place.json(0, &["run", "leads.csv"]);
    place.expect(0, &["icp", "adopt", "default"]);
    place.expect(0, &["drafts", "approve", "--all", "--yes"]);
}

/// Everybody whom the sandbox holds, by campaign.
fn campaigns(sandbox: &Sandbox) -> Vec<Vec<Value>> {
    let (_, page) = sandbox.instantly("GET", "campaigns?limit=100", None);
    let campaigns = page["items"].as_array().unwrap().iter();
    let leads = |campaign: &Value| {
        let filter = json!({ "campaign": campaign["id"], "limit": 100 });
        let (_, page) = sandbox.instantly("POST", "leads/list", Some(&filter));
        page["items"].as_array().unwrap().clone()
    };
    campaigns.map(leads).collect()
}

fn landed(sandbox: &Sandbox) -> Vec<Value> {
    campaigns(sandbox).into_iter().flatten().collect()
}

fn uploads(sandbox: &Sandbox) -> usize {
    let (_, calls) = sandbox.control("GET", "calls", None);
    let calls = calls["calls"].as_array().unwrap().iter();
    calls
        .filter(|it| it["operation"] == "instantly.add_leads")
        .count()
}

#[test]
fn scenario_01_two_processes_on_one_batch_upload_it_once() {
    on_each_store(|store| {
        let sandbox = Sandbox::start();
        let place = place(&sandbox).variable("CAIO_STORE", store);
        let id = approved(&place);
        let args = ["dispatch", "--live", "--batch", &id];
        let start = || {
            let mut command = place.command(&args);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command.spawn().unwrap()
        };
        let mut both = [start(), start()];
        let codes = both.each_mut().map(|it| it.wait().unwrap().code().unwrap());
        assert!(codes.contains(&0), "one of them sends: {codes:?}");
        assert_eq!(landed(&sandbox).len(), PEOPLE, "{store}");
        assert_eq!(uploads(&sandbox), 1, "{store}: {codes:?}");
    });
}

#[test]
fn scenario_18_one_person_in_two_files_gets_one_letter_and_the_preview_shows_every_message() {
    on_each_store(|store| {
        let sandbox = Sandbox::start();
        let place = place(&sandbox).variable("CAIO_STORE", store);
        letters(&place, &[("Kim Doe", "Kim@Acme.example.com")]);
        place.write(
            "more.csv",
            HEADER.to_owned() + &row("Kim D.", " kim@acme.example.com"),
        );
        place.run(&["run", "more.csv"]);
        place.run(&["drafts", "approve", "--all", "--yes"]);
        let id = batch(&place);
        let shown = place.json(0, &["batch", "show", &id]);
        let shown = shown["batch"]["items"].as_array().unwrap().clone();
        assert_eq!(shown.len(), 1);
        place.json(0, &["dispatch", "--live"]);
        assert_eq!(landed(&sandbox).len(), 1);
        assert_eq!(sandbox.summary("instantly")["duplicates"], json!([]));
    });
}

#[test]
fn scenario_19_three_leads_of_one_tier_get_three_different_bodies() {
    on_each_store(|store| {
        let sandbox = Sandbox::start();
        let place = place(&sandbox).variable("CAIO_STORE", store);
        let people = [
            ("Kim Doe", "kim@acme.example.com"),
            ("Lou Roe", "lou@beta.example.com"),
            ("Mia Poe", "mia@gamma.example.com"),
        ];
        letters(&place, &people);
        batch(&place);
        place.json(0, &["dispatch", "--live"]);
        let campaigns = campaigns(&sandbox);
        assert_eq!(campaigns.len(), 1, "one tier, one campaign");
        let body = |lead: &Value| lead["payload"]["caio_body"].as_str().unwrap().to_owned();
        let bodies: BTreeSet<String> = campaigns[0].iter().map(body).collect();
        assert_eq!(bodies.len(), 3);
        for lead in &campaigns[0] {
            let first = lead["first_name"].as_str().unwrap();
            assert!(body(lead).contains(first), "{first} has their own letter");
        }
    });
}

#[test]
fn scenario_20_an_upload_that_failed_goes_into_a_fresh_campaign_with_the_right_letters() {
    on_each_store(|store| {
        let sandbox = Sandbox::start();
        let place = place(&sandbox).variable("CAIO_STORE", store);
        approved(&place);
        sandbox.fault(
            &json!({ "operation": "instantly.add_leads", "nth": 1, "kind": "status", "code": 400 }),
        );
        let failed = place.json(3, &["dispatch", "--live"]);
        let items = failed["run"]["items"].as_array().unwrap();
        assert!(items.iter().all(|it| it["state"] == "not_sent"), "{failed}");
        assert!(landed(&sandbox).is_empty());

        batch(&place);
        let shown = place.json(0, &["dispatch"]);
        let shown = shown["requests"][1]["body"]["leads"]
            .as_array()
            .unwrap()
            .clone();
        place.json(0, &["dispatch", "--live"]);
        let campaigns = campaigns(&sandbox);
        let sizes: BTreeSet<usize> = campaigns.iter().map(Vec::len).collect();
        assert_eq!(sizes, BTreeSet::from([0, PEOPLE]), "a campaign of its own");
        for lead in campaigns.iter().flatten() {
            let address = |it: &Value| it["email"].as_str().unwrap().to_lowercase();
            let expected = shown
                .iter()
                .find(|it| address(it) == address(lead))
                .unwrap();
            let (left, right) = (&lead["payload"], &expected["custom_variables"]);
            assert_eq!(left["caio_body"], right["caio_body"]);
        }
    });
}

#[test]
fn scenario_22_a_limit_of_0_sends_nothing_and_a_high_one_lifts_no_cap() {
    on_each_store(|store| {
        let sandbox = Sandbox::start();
        let place = place(&sandbox).variable("CAIO_STORE", store);
        let id = approved(&place);
        place.run(&["dispatch", "--live", "--limit", "0"]);
        assert!(landed(&sandbox).is_empty());
        place.run(&["batch", "revoke", &id]);
        let config = place.read(".caio/caio.toml");
        place.write(
            ".caio/caio.toml",
            config.replace("email_per_day = 150", "email_per_day = 3"),
        );
        let batch = place.json(0, &["batch", "create", "--limit", "50"])["batch"].clone();
        assert_eq!(
            batch["items"].as_array().unwrap().len(),
            3,
            "capped: {batch}"
        );
        let text = |field: &str| batch[field].as_str().unwrap().to_owned();
        place.expect(
            0,
            &["batch", "approve", &text("id"), "--digest", &text("digest")],
        );
        place.run(&["dispatch", "--live", "--limit", "50"]);
        assert_eq!(landed(&sandbox).len(), 3);
        place.expect(2, &["dispatch", "--live", "--limit", "-1"]);
    });
}

#[test]
fn scenario_25_a_null_in_one_file_costs_that_file_alone() {
    let place = Place::new();
    let folder = place.path(".hive-mind/shadow_mode_emails");
    fs::create_dir_all(&folder).unwrap();
    for (name, change) in [
        ("null_data", json!({ "recipient_data": null })),
        ("null_tier", json!({ "tier": null })),
        ("null_to", json!({ "to": null })),
        (
            "null_timestamp",
            json!({ "instantly_dispatched_at": null, "timestamp": null }),
        ),
        ("good", json!({})),
    ] {
        let mut letter = json!({
            "email_id": name, "to": format!("{name}@acme.example.com"), "tier": "tier_1",
            "subject": "s", "body": "b", "recipient_data": { "name": "Kim" },
            "status": "dispatched_to_instantly", "instantly_campaign_id": "c-1",
            "approved_at": "2026-03-02T09:00:00",
            "instantly_dispatched_at": "2026-03-02T14:05:10+00:00",
        });
        for (member, value) in change.as_object().unwrap() {
            letter[member] = value.clone();
        }
        fs::write(folder.join(format!("{name}.json")), letter.to_string()).unwrap();
    }
    let report = place.json(3, &["state", "migrate", "--from", "hive:.hive-mind"]);
    let faults = report["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 1, "{report}");
    assert_eq!(faults[0]["file"], "shadow_mode_emails/null_to.json");
    for name in ["good", "null_data", "null_tier", "null_timestamp"] {
        let person = format!("{name}@acme.example.com");
        let known = place.json(0, &["ledger", "show", &person]);
        assert_eq!(known["entries"].as_array().unwrap().len(), 1, "{name}");
    }
    let rehearsal = place.json(3, &["rehearse", "--from", "hive:.hive-mind"]);
    let people = rehearsal["rehearsal"]["people"].as_array().unwrap();
    assert_eq!(people.len(), 4, "{rehearsal}");

    // A file of leads: the faulty row is refused with its field, the others are written to.
    place.write(
        "leads.jsonl",
        "{\"email\": null, \"name\": \"Kim\"}\n{\"email\": \"lou@beta.example.com\", \"name\": \"Lou Roe\", \"company\": null}\n",
    );
    let run = place.run(&["run", "leads.jsonl", "--json"]);
    assert_eq!(run.code, 3, "{}{}", run.out, run.err);
    assert!(place.read("leads.refused.csv").contains("email"));
}
