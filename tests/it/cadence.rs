//! The follow-up, from the command line and over 21 simulated days, to the sandbox.

mod days;

use serde_json::{Value, json};

use crate::delivery::{batch, on_each_store, place};
use crate::sandbox::Sandbox;
use crate::support::Place;

/// A place that sends e-mail and LinkedIn messages to the sandbox.
fn both(sandbox: &Sandbox, routed: bool) -> Place {
    let base = &sandbox.base;
    let place = place(sandbox)
        .variable("HEYREACH_API_KEY", "planted-secret")
        .variable("HEYREACH_BASE_URL", &format!("{base}/heyreach/api/public"));
    let mut production: Value =
        serde_json::from_str(&place.read("config/production.json")).unwrap();
    production["external_apis"]["heyreach"] = json!({ "enabled": true });
    production["operator"]["revival"] = json!({ "enabled": true });
    if routed {
        production["operator"]["outbound"]["tier_channel_routing"] =
            json!({ "tier_1": ["instantly", "heyreach"], "tier_3": ["instantly"] });
    }
    place.write("config/production.json", production.to_string());
    place
}

/// Reads two leads whose profiles are known, approves what was written, and sends it.
fn first_touch(place: &Place) {
    let row = |name: &str| {
        format!(
            "{name} Doe,{name}@acme.example.com,CEO,Acme,120,Marketing Agency,HubSpot,yes,9,https://www.linkedin.com/in/caio-test-{name}\n"
        )
    };
    let head = "name,email,title,company,employees,industry,technologies,demo_requested,website_visits,linkedin_url\n";
    place.write("leads.csv", format!("{head}{}{}", row("kim"), row("lou")));
    place.json(0, &["run", "leads.csv"]);
    place.expect(0, &["icp", "adopt", "default"]);
    place.expect(0, &["drafts", "approve", "--all", "--yes"]);
    batch(place);
    let report = place.json(0, &["dispatch", "--live"]);
    assert_eq!(report["run"]["status"], "executed", "{report}");
}

/// Everybody in HeyReach's lists, with what they are told.
fn told(sandbox: &Sandbox) -> Vec<(String, String, String)> {
    let (_, state) = sandbox.control("GET", "state", None);
    let lists = state["heyreach"]["lists"].as_array().unwrap().clone();
    let mut told = Vec::new();
    for list in lists {
        for lead in list["leads"].as_array().unwrap() {
            let fields = lead["customFields"].as_array().unwrap();
            let message = fields
                .iter()
                .find(|it| it["name"] == "caio_message")
                .unwrap();
            let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
            told.push((
                text(&list["name"]),
                text(&lead["firstName"]),
                text(&message["value"]),
            ));
        }
    }
    told.sort();
    told
}

#[test]
fn scenario_14_without_anything_approved_there_is_no_batch_and_nothing_runs() {
    let sandbox = Sandbox::start();
    let place = both(&sandbox, false);
    first_touch(&place);
    let before = sandbox.control("GET", "state", None).1;
    for motion in ["cadence", "revival"] {
        let none = place.expect(1, &["batch", "create", "--motion", motion]);
        assert!(none.err.contains("[batch.empty]"), "{}", none.err);
    }
    let batches = place.json(0, &["batch", "list"])["batches"].clone();
    assert_eq!(
        batches.as_array().unwrap().len(),
        1,
        "that of the first touch"
    );
    assert_eq!(sandbox.control("GET", "state", None).1, before);
}

#[test]
fn scenario_15_follow_ups_and_revivals_run_live_only_with_an_approved_batch_of_theirs() {
    let sandbox = Sandbox::start();
    let place = both(&sandbox, false);
    first_touch(&place);
    let (store, before) = (place.dump(), sandbox.control("GET", "state", None).1);
    for motion in ["cadence", "revival", "all"] {
        let refused = place.expect(4, &["dispatch", "--live", "--motion", motion]);
        assert!(
            refused.out.contains("no batch is approved"),
            "{}",
            refused.out
        );
    }
    assert_eq!(place.dump(), store, "nothing was written");
    assert_eq!(sandbox.control("GET", "state", None).1, before);
}

/// A live run of what is approved and in no batch makes the batch that a person has to approve, tells
/// people, and sends nothing; the same again makes no second one.
#[test]
fn scenario_15_a_live_run_without_a_batch_makes_a_pending_one_and_sends_nothing() {
    let sandbox = Sandbox::start();
    let place = both(&sandbox, false);
    first_touch(&place);
    let sent_at = ["--sent-at", "2026-01-05T10:00:00Z"];
    for who in ["kim@acme.example.com", "lou@acme.example.com"] {
        place.expect(0, &[&["cadence", "enroll", who], &sent_at[..]].concat());
    }
    let live = ["dispatch", "--live", "--motion", "cadence"];
    // What is due is written on the way, and waits for a reviewer: so there is no batch yet.
    let unread = place.expect(4, &live);
    assert!(
        unread.err.contains("no approved draft may go"),
        "{}",
        unread.err
    );
    let drafts = place.json(0, &["drafts", "list"])["drafts"].clone();
    assert_eq!(drafts.as_array().unwrap().len(), 2, "{drafts}");
    place.expect(0, &["drafts", "approve", "--all", "--yes"]);
    let before = sandbox.control("GET", "state", None).1;
    // A stop keeps even the batch from being made.
    place.expect(0, &["stop"]);
    place.expect(4, &live);
    let pending = || {
        let batches = place.json(0, &["batch", "list"])["batches"].clone();
        let pending = batches.as_array().unwrap().iter();
        let pending =
            pending.filter(|it| it["status"] == "pending_approval" || it["status"] == "pending");
        pending.cloned().collect::<Vec<_>>()
    };
    assert_eq!(pending().len(), 0);
    place.expect(0, &["resume"]);
    let refused = place.expect(4, &live);
    assert!(
        refused.err.contains("waits for approval"),
        "{}",
        refused.err
    );
    let made = pending();
    assert_eq!(made.len(), 1, "{made:?}");
    assert!(refused.err.contains(made[0]["id"].as_str().unwrap()));
    let again = place.expect(4, &live);
    assert!(!again.err.contains("waits for approval"), "{}", again.err);
    assert_eq!(pending(), made, "no second one");
    let alerts = place.json(0, &["alerts", "list"])["alerts"].clone();
    let ready = alerts.as_array().unwrap().iter();
    let ready = ready.filter(|it| it["kind"] == "batch_ready" && it["subject"] == made[0]["id"]);
    assert_eq!(ready.count(), 1, "{alerts}");
    assert_eq!(
        sandbox.control("GET", "state", None).1,
        before,
        "nothing was sent"
    );

    // What was made is shown, approved and sent like any other.
    let id = made[0]["id"].as_str().unwrap();
    let shown = place.json(0, &["batch", "show", id])["batch"].clone();
    let digest = shown["digest"].as_str().unwrap();
    place.expect(0, &["batch", "approve", id, "--digest", digest]);
    let report = place.json(0, &live);
    assert_eq!(report["run"]["status"], "executed", "{report}");
    assert_eq!(told(&sandbox).len(), 2);
}

/// The preview of a batch shows every message of it, LinkedIn's as well, word for word.
#[test]
fn scenario_18_every_linkedin_message_is_in_the_preview_and_sent_as_it_was_shown() {
    on_each_store(|store| {
        let sandbox = Sandbox::start();
        let place = both(&sandbox, true).variable("CAIO_STORE", store);
        let row = |name: &str| {
            format!(
                "{name} Doe,{name}@acme.example.com,CEO,Acme,120,Marketing Agency,HubSpot,yes,9,https://www.linkedin.com/in/caio-test-{name}\n"
            )
        };
        let head = "name,email,title,company,employees,industry,technologies,demo_requested,website_visits,linkedin_url\n";
        place.write("one.csv", format!("{head}{}{}", row("kim"), row("lou")));
        place.write("two.csv", format!("{head}{}", row("kim")));
        place.json(0, &["run", "one.csv"]);
        place.run(&["run", "two.csv"]);
        place.expect(0, &["icp", "adopt", "default"]);
        place.expect(0, &["drafts", "approve", "--all", "--yes"]);
        let made = place.json(0, &["batch", "create"])["batch"].clone();
        let id = made["id"].as_str().unwrap();
        let shown = place.json(0, &["batch", "show", id]);
        let messages = shown["drafts"].as_array().unwrap();
        let of = |medium: &str| {
            let of = messages.iter().filter(|it| it["medium"] == medium);
            of.map(|it| it["body"].as_str().unwrap().to_owned())
                .collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!((messages.len(), of("email").len()), (4, 2), "{shown}");
        let digest = made["digest"].as_str().unwrap();
        place.expect(0, &["batch", "approve", id, "--digest", digest]);
        let report = place.json(0, &["dispatch", "--live"]);
        assert_eq!(report["run"]["status"], "executed", "{report}");
        assert_eq!(sandbox.summary("instantly")["deliveries"], 2);
        let told = told(&sandbox).into_iter().map(|(_, _, text)| text);
        assert_eq!(
            told.collect::<std::collections::BTreeSet<_>>(),
            of("linkedin"),
            "{store}"
        );
    });
}

#[test]
fn a_step_goes_from_the_index_over_a_person_to_the_provider_and_is_done() {
    let sandbox = Sandbox::start();
    let place = both(&sandbox, false);
    first_touch(&place);
    let early = place.expect(1, &["cadence", "enroll", "kim@acme.example.com"]);
    assert!(early.err.contains("[cadence.not_sent]"), "{}", early.err);
    for who in ["kim@acme.example.com", "lou@acme.example.com"] {
        let sent = [
            "cadence",
            "enroll",
            who,
            "--sent-at",
            "2026-01-05T10:00:00Z",
        ];
        place.expect(0, &sent);
    }
    let twice = place.expect(1, &["cadence", "enroll", "kim@acme.example.com"]);
    assert!(twice.err.contains("[cadence.enrolled]"), "{}", twice.err);
    let store = place.dump();
    let due = place.json(0, &["cadence", "due"])["due"].clone();
    assert_eq!(due.as_array().unwrap().len(), 2, "{due}");
    assert_eq!(
        (&due[0]["step"], &due[0]["state"]),
        (&json!(2), &json!("to_write"))
    );
    assert_eq!(
        place.json(0, &["cadence", "list"])["leads"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        place.json(0, &["cadence", "summary"])["actions_due_today"],
        2
    );
    place.expect(0, &["cadence", "show", "kim@acme.example.com"]);
    place.expect(0, &["revival", "scan"]);
    assert_eq!(place.dump(), store, "questions write nothing");

    // One is held by a person, one goes on.
    place.expect(
        0,
        &[
            "cadence",
            "pause",
            "lou@acme.example.com",
            "--reason",
            "holiday",
        ],
    );
    let written = place.json(0, &["cadence", "draft"]);
    assert_eq!(written["drafts"].as_array().unwrap().len(), 1, "{written}");
    let shown = place.json(0, &["drafts", "list"])["drafts"][0].clone();
    assert_eq!(
        (&shown["medium"], &shown["motion"]),
        (&json!("linkedin"), &json!("cadence"))
    );
    let unapproved = place.expect(1, &["batch", "create", "--motion", "cadence"]);
    assert!(
        unapproved.err.contains("[batch.empty]"),
        "{}",
        unapproved.err
    );
    place.expect(0, &["drafts", "approve", "--all", "--yes"]);
    let made = place.json(0, &["batch", "create", "--motion", "cadence"])["batch"].clone();
    let text = |field: &str| made[field].as_str().unwrap().to_owned();
    place.expect(
        0,
        &["batch", "approve", &text("id"), "--digest", &text("digest")],
    );
    let report = place.json(0, &["dispatch", "--live", "--motion", "cadence"]);
    assert_eq!(report["run"]["status"], "executed", "{report}");
    let told = told(&sandbox);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].0.ends_with("_s2") && told[0].2.starts_with("Hi kim,"),
        "{told:?}"
    );
    let kim = place.json(0, &["cadence", "show", "kim@acme.example.com"])["lead"].clone();
    assert_eq!(kim["steps_completed"][1]["action"], "dispatched", "{kim}");
    assert_eq!(kim["current_step"], 3);

    // The next one is days away, and ends with a word from a person.
    assert!(
        place.json(0, &["cadence", "due"])["due"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    place.expect(0, &["cadence", "resume", "lou@acme.example.com"]);
    let due = place.json(0, &["cadence", "due"])["due"].clone();
    assert_eq!(due.as_array().unwrap().len(), 1);
    let exit = [
        "cadence",
        "exit",
        "lou@acme.example.com",
        "--reason",
        "asked by phone",
    ];
    place.expect(0, &exit);
    assert!(
        place
            .expect(1, &exit)
            .err
            .contains("[cadence.wrong_status]")
    );
    let summary = place.json(0, &["cadence", "summary"]);
    assert_eq!(summary["exit_reasons"]["asked by phone"], 1, "{summary}");
    let history = place.expect(0, &["history", "lou@acme.example.com"]).out;
    assert!(history.contains("cadence.exited"), "{history}");
}

#[test]
fn a_tier_that_is_routed_so_is_asked_to_connect_beside_the_first_e_mail_and_only_there() {
    let sandbox = Sandbox::start();
    let place = both(&sandbox, true);
    first_touch(&place);
    let asked = told(&sandbox);
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert_eq!(sandbox.summary("instantly")["deliveries"], 2);
    let sent = [
        "cadence",
        "enroll",
        "kim@acme.example.com",
        "--sent-at",
        "2026-01-05T10:00:00Z",
    ];
    place.expect(0, &sent);
    let synced = place.json(0, &["cadence", "sync"]);
    assert_eq!(
        synced["steps"][0]["why"], "asked_to_connect_at_first_touch",
        "{synced}"
    );
    let due = place.json(0, &["cadence", "due"])["due"].clone();
    assert_eq!(
        (&due[0]["step"], &due[0]["channel"]),
        (&json!(3), &json!("email"))
    );
    assert_eq!(told(&sandbox), asked);
}
