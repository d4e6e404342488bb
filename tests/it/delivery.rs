//! From a file of leads to letters at a provider: the real binary, against the sandbox.

mod crash;
pub(crate) mod ghl;
mod heyreach;
mod stop;

use caio_state::conformance::RedisServer;
use serde_json::{Value, json};

use crate::sandbox::Sandbox;
use crate::support::Place;

/// A seal key that outlives the folder of a place.
const SEAL: &str = "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

/// People whose letters are approved.
pub(crate) const PEOPLE: usize = 8;

/// A place that may send, and delivers to the sandbox.
pub(crate) fn place(sandbox: &Sandbox) -> Place {
    let base = &sandbox.base;
    let place = Place::new()
        .variable("INSTANTLY_API_KEY", "planted-secret")
        .variable("INSTANTLY_BASE_URL", &format!("{base}/instantly/api/v2"))
        .variable("CAIO_SEAL_KEYS", SEAL)
        .variable("CAIO_LEASE_MS", "20000")
        .variable("CAIO_SETTLES_WITHIN", "0")
        .variable("CAIO_COEXIST", "off");
    std::fs::create_dir(place.path("config")).unwrap();
    let production = json!({
        "operator": { "enabled": true, "outbound": { "email_daily_limit": 150 }, "ramp": { "enabled": false } },
        "guardrails": {
            "email_limits": {
                "monthly_limit": 2500, "daily_limit": 150, "hourly_limit": 150,
                "per_domain_hourly_limit": 150, "min_delay_seconds": 0,
            },
            "max_emails_per_campaign": 150,
        },
        "external_apis": { "instantly": {
            "enabled": true, "sending_accounts": { "primary_from_emails": ["ann@acorn.example.com"] },
        } },
        "email_behavior": { "actually_send": true, "shadow_mode": false, "max_daily_sends": 150 },
        "rollout_phase": { "current": "live", "phases": { "live": { "email_send": true } } },
    });
    place.write("config/production.json", production.to_string());
    std::fs::create_dir(place.path(".caio")).unwrap();
    place.write(
        ".caio/caio.toml",
        "time_zone = \"America/New_York\"\n\
         [sender]\nname = \"Ann Moss\"\ncompany = \"Acorn\"\nemail = \"ann@acorn.example.com\"\n\
         postal_address = \"1 Oak Street, Springfield\"\nopt_out_text = \"Reply no and I stop.\"\n\
         [limits]\nemail_per_day = 150\nemail_per_hour = 150\nemail_per_domain_hour = 150\n\
         email_min_delay_seconds = 0\n[ramp]\nenabled = false\n",
    );
    place
}

/// Reads `PEOPLE` leads, approves their letters, and the batch that holds them.
pub(crate) fn approved(place: &Place) -> String {
    approved_of(place, PEOPLE)
}

/// The same for so many.
fn approved_of(place: &Place, people: usize) -> String {
    queued(place, people);
    place.expect(0, &["drafts", "approve", "--all", "--yes"]);
    batch(place)
}

/// Reads so many leads, whose letters wait for a person.
pub(crate) fn queued(place: &Place, people: usize) {
    let mut leads =
        "name,email,title,company,employees,industry,technologies,demo_requested,website_visits\n"
            .to_owned();
    for at in 0..people {
        leads.push_str(&format!(
            "Kim{at} Doe{at},Kim{at}@acme{at}.example.com,CEO,Acme {at},120,Marketing Agency,HubSpot; Salesforce,yes,9\n"
        ));
    }
    place.write("leads.csv", leads);
    place.json(0, &["run", "leads.csv"]);
    place.expect(0, &["icp", "adopt", "default"]);
}

/// Over SQLite, and over a Redis of its own.
pub(crate) fn on_each_store(test: impl Fn(&str)) {
    test("sqlite:.caio/caio.db");
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start(folder.path(), &[]).unwrap();
    let port = server.port();
    test(&format!("redis://127.0.0.1:{port}?prefix=caio-test"));
}

/// An approved batch of everything that may go.
pub(crate) fn batch(place: &Place) -> String {
    let batch = place.json(0, &["batch", "create"])["batch"].clone();
    let text = |field: &str| batch[field].as_str().unwrap().to_owned();
    let (id, digest) = (text("id"), text("digest"));
    place.expect(0, &["batch", "approve", &id, "--digest", &digest]);
    id
}

const LIVE: &[&str] = &["dispatch", "--live"];

/// Every lead that the sandbox holds.
fn leads(sandbox: &Sandbox) -> Vec<Value> {
    let mut leads = Vec::new();
    let (_, page) = sandbox.instantly("GET", "campaigns?limit=100", None);
    for campaign in page["items"].as_array().unwrap() {
        let filter = json!({ "campaign": campaign["id"], "limit": 100 });
        let (_, page) = sandbox.instantly("POST", "leads/list", Some(&filter));
        leads.extend(page["items"].as_array().unwrap().iter().cloned());
    }
    leads
}

#[test]
fn scenario_19_letters_land_in_a_draft_once_each_with_its_own_words() {
    let sandbox = Sandbox::start();
    let place = place(&sandbox);
    let id = approved(&place);
    let shown = place.json(0, &["dispatch"]);
    assert!(leads(&sandbox).is_empty(), "a dry run sends nothing");
    let report = place.json(0, LIVE);
    assert_eq!(report["run"]["status"], "executed", "{report}");
    let landed = leads(&sandbox);
    assert_eq!(landed.len(), PEOPLE);
    let shown = shown["requests"][1]["body"]["leads"]
        .as_array()
        .unwrap()
        .clone();
    for lead in &landed {
        let same = |it: &&Value| {
            let address = it["email"].as_str().unwrap().to_lowercase();
            Some(address.as_str()) == lead["email"].as_str().map(str::to_lowercase).as_deref()
        };
        let approved = shown.iter().find(same).unwrap();
        let (left, right) = (&lead["payload"], &approved["custom_variables"]);
        assert_eq!(
            left["caio_body"], right["caio_body"],
            "what was seen is what is sent"
        );
        assert_eq!(left["caio_subject"], right["caio_subject"]);
    }
    let bodies: std::collections::BTreeSet<String> = landed
        .iter()
        .map(|it| it["payload"]["caio_body"].to_string())
        .collect();
    assert_eq!(bodies.len(), PEOPLE, "nobody has another one's letter");
    let (_, page) = sandbox.instantly("GET", "campaigns?limit=100", None);
    let campaign = &page["items"][0];
    assert_eq!(
        (&campaign["status"], page["items"].as_array().unwrap().len()),
        (&0.into(), 1)
    );
    assert_eq!(campaign["email_list"][0], "ann@acorn.example.com");
    assert_eq!(
        campaign["campaign_schedule"]["schedules"][0]["timezone"],
        "America/Detroit"
    );

    // Nothing is left to send, and the batch runs no second time.
    place.expect(4, LIVE);
    let again = place.run(&["dispatch", "--live", "--batch", &id]);
    assert_eq!(again.code, 4, "{}", again.err);
    assert_eq!(leads(&sandbox).len(), PEOPLE);
    assert!(!place.expect(0, &["history"]).out.contains("planted-secret"));
}

#[test]
fn scenario_20_a_failed_upload_goes_with_a_fresh_campaign_and_the_right_words() {
    let sandbox = Sandbox::start();
    let place = place(&sandbox);
    approved(&place);
    sandbox.fault(
        &json!({ "operation": "instantly.add_leads", "nth": "every", "kind": "status", "code": 402 }),
    );
    let failed = place.json(3, LIVE);
    assert_eq!(failed["run"]["status"], "failed", "{failed}");
    sandbox.control("DELETE", "faults", None);
    batch(&place);
    let shown = place.json(0, &["dispatch"]);
    place.json(0, LIVE);
    let (_, page) = sandbox.instantly("GET", "campaigns?limit=100", None);
    let names: std::collections::BTreeSet<&str> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 2, "the second batch has a campaign of its own");
    let landed = leads(&sandbox);
    assert_eq!(landed.len(), PEOPLE);
    let text = shown["requests"].to_string();
    for lead in &landed {
        assert!(
            text.contains(&lead["payload"]["caio_body"].to_string()),
            "{lead}"
        );
    }
    let listed = place.expect(0, &["campaigns", "list"]).out;
    assert!(
        listed.contains("8 not_sent") && listed.contains("8 drafted"),
        "{listed}"
    );
    // Where nothing may be handed over, nothing is made.
    let sandbox = Sandbox::start();
    let place = self::place(&sandbox);
    approved(&place);
    for draft in place.json(0, &["drafts", "list", "--status", "approved"])["drafts"]
        .as_array()
        .unwrap()
    {
        let id = draft["id"].as_str().unwrap();
        place.expect(0, &["drafts", "edit", id, "--subject", "Another one"]);
    }
    place.run(LIVE);
    assert_eq!(sandbox.summary("instantly")["containers"], 0);
}

#[test]
fn in_16_a_sender_that_is_kept_for_people_we_know_sends_no_cold_mail() {
    let sandbox = Sandbox::start();
    let place = place(&sandbox);
    approved(&place);
    let mut production: Value =
        serde_json::from_str(&place.read("config/production.json")).unwrap();
    let instantly = &mut production["external_apis"]["instantly"];
    instantly["do_not_use_for_cold"] = json!(["acorn.example.com"]);
    place.write("config/production.json", production.to_string());
    let blocked = place.expect(4, LIVE);
    let why = "ann@acorn.example.com must not send cold mail (do_not_use_for_cold)";
    assert!(blocked.out.contains(why), "{}", blocked.out);
    // The environment names no other one either.
    production["external_apis"]["instantly"]["sending_accounts"] = json!({});
    place.write("config/production.json", production.to_string());
    let mut command = place.command(LIVE);
    let answer = command
        .env("INSTANTLY_FROM_EMAIL", "ann@mail.acorn.example.com")
        .output();
    let answer = answer.unwrap();
    assert_eq!(answer.status.code(), Some(4));
    assert!(
        String::from_utf8(answer.stdout)
            .unwrap()
            .contains("must not send cold mail")
    );
    assert!(leads(&sandbox).is_empty());
}

#[test]
fn one_move_stops_what_is_here_and_what_is_there() {
    let sandbox = Sandbox::start();
    let place = place(&sandbox);
    approved(&place);
    place.json(0, LIVE);
    let (_, page) = sandbox.instantly("GET", "campaigns?limit=10", None);
    let id = page["items"][0]["id"].as_str().unwrap().to_owned();
    let (status, answer) = sandbox.instantly("POST", &format!("campaigns/{id}/activate"), None);
    assert_eq!(status, 200, "{answer}");
    sandbox
        .fault(&json!({ "operation": "instantly.pause", "nth": 1, "kind": "status", "code": 400 }));
    let failed = place.expect(3, &["stop", "--reason", "test"]);
    assert!(
        failed.err.contains("1 campaigns still send"),
        "{}",
        failed.err
    );
    let stopped = place.json(0, &["stop", "--reason", "test"]);
    assert_eq!(stopped["halted"]["instantly"]["paused"], 1, "{stopped}");
    let (_, campaign) = sandbox.instantly("GET", &format!("campaigns/{id}"), None);
    assert_eq!(campaign["status"], 2);
    let blocked = place.expect(4, LIVE);
    assert!(blocked.out.contains("stop flag"), "{}", blocked.out);
    // The flag may be out of reach: what runs at the provider is paused all the same.
    sandbox.instantly("POST", &format!("campaigns/{id}/activate"), None);
    let away = [
        "--store",
        "redis://127.0.0.1:1?prefix=p",
        "stop",
        "--reason",
        "test",
    ];
    let answer = place.expect(1, &away);
    assert!(
        answer.out.contains("instantly: 1 campaigns paused"),
        "{}",
        answer.out
    );
    let (_, campaign) = sandbox.instantly("GET", &format!("campaigns/{id}"), None);
    assert_eq!(campaign["status"], 2);
}

#[test]
fn what_nobody_knows_is_found_out_or_decided() {
    let sandbox = Sandbox::start();
    let place = place(&sandbox);
    let id = approved(&place);
    // The upload has no effect, nor has the look that follows an answer.
    for operation in ["add_leads", "list_leads"] {
        sandbox.fault(&json!({
            "operation": format!("instantly.{operation}"), "nth": "every", "kind": "reset_before",
        }));
    }
    let report = place.json(3, LIVE);
    assert_eq!(report["run"]["status"], "unknown", "{report}");
    let shown = place.json(0, &["ledger", "show", &id])["entries"].clone();
    let entries = shown.as_array().unwrap();
    assert_eq!(entries.len(), PEOPLE);
    let first = entries[0]["id"].as_str().unwrap();
    let person = entries[0]["item"]["recipient"].as_str().unwrap();
    assert!(
        place
            .expect(0, &["ledger", "show", person])
            .out
            .contains(first)
    );
    let said = [
        "ledger",
        "resolve",
        first,
        "accepted",
        "--reason",
        "seen there",
    ];
    place.expect(0, &said);
    let again = place.expect(1, &said);
    assert!(
        again.err.contains("[ledger.nothing_unknown]"),
        "{}",
        again.err
    );
    place.expect(3, &["ledger", "reconcile"]);
    sandbox.control("DELETE", "faults", None);
    // The others are not there, and go with the next batch.
    place.expect(0, &["ledger", "reconcile"]);
    assert!(leads(&sandbox).is_empty());
    batch(&place);
    place.json(0, LIVE);
    assert_eq!(leads(&sandbox).len(), PEOPLE - 1);
    let history = place.expect(0, &["history", "--limit", "500"]).out;
    assert!(history.contains("seen there (said by kim)"), "{history}");
}

#[test]
fn whatever_the_provider_answers_nobody_is_written_to_twice() {
    let sandbox = Sandbox::start();
    for (operation, kind, more) in [
        ("create_campaign", "reset_before", json!({})),
        ("create_campaign", "reset_after", json!({})),
        (
            "create_campaign",
            "status",
            json!({ "code": 500, "effect": true }),
        ),
        ("create_campaign", "cut_json", json!({})),
        ("add_leads", "reset_before", json!({})),
        ("add_leads", "reset_after", json!({})),
        ("add_leads", "timeout_after", json!({ "hold_ms": 50 })),
        (
            "add_leads",
            "status",
            json!({ "code": 503, "effect": true }),
        ),
        ("add_leads", "status", json!({ "code": 402 })),
        ("add_leads", "html", json!({})),
        ("add_leads", "cut_json", json!({})),
        ("add_leads", "zero_counts", json!({})),
        (
            "add_leads",
            "partial",
            json!({ "leads": 3, "counter": "in_blocklist" }),
        ),
        ("add_leads", "reverse_created", json!({})),
        ("list_campaigns", "ignore_cursor", json!({})),
    ] {
        sandbox.control("POST", "reset", None);
        let place = place(&sandbox);
        approved(&place);
        let mut rule =
            json!({ "operation": format!("instantly.{operation}"), "nth": 1, "kind": kind });
        for (name, value) in more.as_object().unwrap() {
            rule[name] = value.clone();
        }
        sandbox.fault(&rule);
        let report = place.run(&["dispatch", "--live", "--json"]);
        let report: Value = serde_json::from_str(&report.out).unwrap();
        let mut states = std::collections::BTreeMap::new();
        for item in report["run"]["items"].as_array().unwrap() {
            *states
                .entry(item["state"].as_str().unwrap().to_owned())
                .or_insert(0) += 1;
        }
        let summary = sandbox.summary("instantly");
        let landed = usize::try_from(summary["recipients"].as_u64().unwrap()).unwrap();
        let count = |state: &str| states.get(state).copied().unwrap_or(0);
        // What is said to be there is there, and what is there is not said to be elsewhere.
        assert!(
            landed >= count("accepted"),
            "{operation} {kind}: {states:?} {summary}"
        );
        assert!(
            landed <= count("accepted") + count("unknown"),
            "{operation} {kind}: {states:?}"
        );
        // What was not sent goes with the next batch; nobody has two letters afterwards.
        if count("not_sent") > 0 {
            batch(&place);
            place.expect(0, LIVE);
        }
        let summary = sandbox.summary("instantly");
        assert_eq!(
            summary["duplicates"],
            json!([]),
            "{operation} {kind}: {summary}"
        );
        let landed = usize::try_from(summary["recipients"].as_u64().unwrap()).unwrap();
        let refused = count("rejected") + count("unknown");
        assert!(
            landed + refused >= PEOPLE,
            "{operation} {kind}: {states:?} {summary}"
        );
    }
}
