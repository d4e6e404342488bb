//! HeyReach takes a hundred leads a call: a run that ends between two calls is finished, nobody is asked
//! twice and nobody is left out.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{LIVE, batch, on_each_store, place};
use crate::sandbox::Sandbox;
use crate::support::Place;

/// People with a profile: two calls.
const PEOPLE: usize = 130;

/// A place that asks everybody to connect beside the first e-mail.
fn routed(sandbox: &Sandbox, store: &str) -> Place {
    let base = &sandbox.base;
    let place = place(sandbox)
        .variable("CAIO_STORE", store)
        .variable("CAIO_IN_FLIGHT", "1")
        .variable("HEYREACH_API_KEY", "planted-secret")
        .variable("HEYREACH_BASE_URL", &format!("{base}/heyreach/api/public"));
    let mut production: Value =
        serde_json::from_str(&place.read("config/production.json")).unwrap();
    production["external_apis"]["heyreach"] = json!({ "enabled": true });
    production["operator"]["outbound"]["tier_channel_routing"] =
        json!({ "tier_1": ["instantly", "heyreach"] });
    for limit in ["linkedin_full_daily_limit", "linkedin_warmup_daily_limit"] {
        production["operator"]["outbound"][limit] = json!(500);
    }
    place.write("config/production.json", production.to_string());
    let config = place.read(".caio/caio.toml");
    let config = config.replace("[limits]\n", "[limits]\nlinkedin_per_day = 500\n");
    place.write(".caio/caio.toml", config);
    place
}

/// An approved batch of their invitations, beside their e-mails.
fn invitations(place: &Place) -> String {
    let mut leads = "name,email,title,company,employees,industry,technologies,demo_requested,website_visits,linkedin_url\n".to_owned();
    for at in 0..PEOPLE {
        leads.push_str(&format!(
            "Kim{at} Doe{at},kim{at}@acme{at}.example.com,CEO,Acme {at},120,Marketing Agency,HubSpot; Salesforce,yes,9,https://www.linkedin.com/in/caio-test-kim-{at}\n"
        ));
    }
    place.write("leads.csv", leads);
    place.json(0, &["run", "leads.csv"]);
    place.expect(0, &["icp", "adopt", "default"]);
    place.expect(0, &["drafts", "approve", "--all", "--yes"]);
    let id = batch(place);
    let shown = place.json(0, &["batch", "show", &id]);
    let items = shown["batch"]["items"].as_array().unwrap().iter();
    let asked = items.filter(|it| it["medium"] == "linkedin").count();
    assert_eq!(asked, PEOPLE);
    id
}

/// How often the provider has each profile.
fn profiles(sandbox: &Sandbox) -> BTreeMap<String, usize> {
    let (_, state) = sandbox.control("GET", "state", None);
    let mut profiles = BTreeMap::new();
    for list in state["heyreach"]["lists"].as_array().unwrap() {
        for lead in list["leads"].as_array().unwrap() {
            let profile = lead["profileUrl"].as_str().unwrap().to_owned();
            *profiles.entry(profile).or_default() += 1;
        }
    }
    profiles
}

fn each_once(sandbox: &Sandbox, what: &str) {
    let profiles = profiles(sandbox);
    assert_eq!(profiles.len(), PEOPLE, "{what}");
    assert!(profiles.values().all(|times| *times == 1), "{what}");
}

/// The process is killed when a hundred are answered and not recorded, when they are recorded, and before the
/// call for the next.
#[cfg(feature = "kill-points")]
#[test]
fn a_run_that_is_killed_between_two_calls_is_finished_by_the_next() {
    for point in ["after-answer:1", "after-record:1", "before-call:2"] {
        on_each_store(|store| {
            let what = format!("{point} {store}");
            let sandbox = Sandbox::start();
            let place = routed(&sandbox, store);
            let id = invitations(&place);
            let mut command = place.command(LIVE);
            // Whoever goes on waits for the end of this lease, and keeps its own while others use the machine.
            command
                .env("CAIO_KILL_AT", point)
                .env("CAIO_LEASE_MS", "2000");
            let killed = command.output().unwrap();
            assert_eq!(killed.status.code(), None, "{what}: it was killed");
            let mut report = place.run(&[LIVE, &["--json"]].concat());
            while report.err.contains("lease.held") {
                report = place.run(&[LIVE, &["--json"]].concat());
            }
            assert_eq!(report.code, 0, "{what}: {}", report.err);
            each_once(&sandbox, &what);
            let shown = place.json(0, &["batch", "show", &id]);
            assert_eq!(shown["batch"]["status"], "executed", "{what}");
        });
    }
}

/// A stop between two calls: what was not asked for stays approved, and goes in the next batch.
#[test]
fn a_run_that_is_stopped_between_two_calls_leaves_the_rest_for_the_next_batch() {
    on_each_store(|store| {
        let sandbox = Sandbox::start();
        let place = routed(&sandbox, store);
        let id = invitations(&place);
        // The stop comes while the first call is under way.
        sandbox.fault(&json!({ "operation": "heyreach.add_leads", "nth": 1, "kind": "hold" }));
        let mut run = place.command(LIVE).spawn().unwrap();
        let fired = || sandbox.control("GET", "faults", None).1["rules"][0]["fired"] == 1;
        while !fired() {
            assert!(run.try_wait().unwrap().is_none(), "{store}: it ended");
        }
        place.expect(0, &["stop"]);
        sandbox.control("DELETE", "faults", None);
        assert_eq!(run.wait().unwrap().code(), Some(3));
        let before = profiles(&sandbox);
        // The call under way is heard out.
        assert_eq!(before.len(), 100, "{store}");
        let shown = place.json(0, &["batch", "show", &id]);
        assert_eq!(shown["batch"]["status"], "partial");
        place.expect(0, &["resume"]);
        batch(&place);
        place.json(0, LIVE);
        each_once(&sandbox, store);
    });
}
