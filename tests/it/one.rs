//! One e-mail through GoHighLevel as soon as it is approved: `POST /api/emails/{id}/approve` against the
//! sandbox, where the old file switches that on.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::delivery::ghl::{messages, place};
use crate::delivery::queued;
use crate::sandbox::Sandbox;
use crate::service::{Reply, Service, TOKEN};
use crate::support::Place;

/// How long the lease of a process that died stands, in milliseconds. A shorter one might end before its
/// holder has a turn, where others use the machine.
const LEASE: &str = "5000";

/// Runs before what stays open is given up, and the pause between two.
const RUNS: usize = 300;
const PAUSE: Duration = Duration::from_millis(100);

/// The service over a queue of so many letters.
fn service(sandbox: &Sandbox, people: usize) -> Service {
    let place = place(sandbox)
        .variable("DASHBOARD_AUTH_TOKEN", TOKEN)
        .variable("CAIO_LEASE_MS", LEASE);
    queued(&place, people);
    Service::over(place)
}

/// What waits for a decision.
fn queue(service: &Service) -> Vec<Value> {
    let queue = service.get("/api/pending-emails?limit=100");
    queue["pending_emails"].as_array().unwrap().clone()
}

fn approve(service: &Service, email: &Value) -> Reply {
    let target = format!(
        "/api/emails/{}/approve",
        email["email_id"].as_str().unwrap()
    );
    service.post(&target, &json!({ "seen": email["content"] }))
}

fn address(text: &Value) -> String {
    text.as_str().unwrap().to_lowercase()
}

/// How many messages each address got.
fn got(sandbox: &Sandbox) -> BTreeMap<String, usize> {
    let mut got = BTreeMap::new();
    for message in messages(sandbox) {
        *got.entry(address(&message["emailTo"])).or_default() += 1;
    }
    got
}

#[test]
fn d_04_and_d_05_one_approval_is_one_letter_through_the_layers_and_the_ledger() {
    let sandbox = Sandbox::start();
    let service = service(&sandbox, 4);
    let emails = queue(&service);
    let sent = approve(&service, &emails[0]);
    assert_eq!(sent.status, 200, "{sent:?}");
    let sent = sent.json();
    assert_eq!(
        (&sent["status"], &sent["approved_by"]),
        (&json!("sent_via_ghl"), &json!("env"))
    );
    let letters = messages(&sandbox);
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0]["subject"], emails[0]["subject"]);
    assert_eq!(letters[0]["emailTo"], emails[0]["to"]);
    let batch = service.get(&format!(
        "/api/batches/{}",
        sent["batch_id"].as_str().unwrap()
    ));
    assert_eq!(batch["batch"]["status"], "executed");
    assert_eq!(
        batch["batch"]["seal"]["approved_by"], "env",
        "sealed, though nobody made a batch"
    );
    let ledger = service.get(&format!(
        "/api/ledger?batch={}",
        sent["batch_id"].as_str().unwrap()
    ));
    let entries = ledger["entries"].as_array().unwrap();
    assert_eq!(
        (entries.len(), &entries[0]["state"]),
        (1, &json!("accepted"))
    );

    // Again, one after the other and at the same time: the letter that went is the only one.
    for _ in 0..3 {
        assert_eq!(approve(&service, &emails[0]).status, 409);
    }
    let replies: Vec<u16> = std::thread::scope(|scope| {
        let one = || approve(&service, &emails[1]).status;
        let all: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
        all.into_iter().map(|it| it.join().unwrap()).collect()
    });
    let yes = replies.iter().filter(|it| **it == 200).count();
    let no = replies.iter().filter(|it| **it == 409).count();
    assert_eq!((yes, no), (1, 7), "{replies:?}");
    assert_eq!(messages(&sandbox).len(), 2);

    // What forbids a send forbids this one; the answer says so, and the letter stays approved.
    service.place.expect(0, &["stop", "--reason", "lunch"]);
    let stopped = approve(&service, &emails[2]).json();
    assert_eq!(stopped["status"], "approved");
    assert!(
        stopped["message"].as_str().unwrap().contains("stop"),
        "{stopped}"
    );
    service.place.expect(0, &["resume"]);
    let out = emails[3]["to"].as_str().unwrap();
    service
        .place
        .expect(0, &["suppress", "add", out, "--reason", "asked by phone"]);
    let out = approve(&service, &emails[3]).json();
    assert_eq!(out["status"], "approved");
    assert!(
        out["message"].as_str().unwrap().starts_with("not sent"),
        "{out}"
    );
    assert_eq!(messages(&sandbox).len(), 2);
    let shown = service.get("/api/drafts?status=approved");
    let ids: Vec<&Value> = shown["drafts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["id"])
        .collect();
    assert!(
        ids.contains(&&emails[2]["email_id"]),
        "free for another batch: {shown}"
    );
    assert!(
        service.get("/api/batches?status=approved")["batches"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

/// How often GoHighLevel was asked for anything.
fn calls(sandbox: &Sandbox) -> usize {
    let (_, calls) = sandbox.control("GET", "calls", None);
    let calls = calls["calls"].as_array().unwrap().iter();
    calls.filter(|it| it["provider"] == "ghl").count()
}

/// Runs until no batch is under way and of none it is unknown what became of it; answers how many are.
fn recovered(place: &Place) -> Value {
    let mut open = Value::Null;
    for _ in 0..RUNS {
        // Whoever takes over waits for the end of the lease that the dead process held.
        place.run(&["dispatch", "--live", "--send-now"]);
        let batches = &place.json(0, &["status"])["batches"];
        open = json!({ "executing": batches["executing"], "unknown": batches["unknown"] });
        if open == json!({ "executing": 0, "unknown": 0 }) {
            break;
        }
        std::thread::sleep(PAUSE);
    }
    open
}

#[test]
fn whenever_the_process_ends_nobody_gets_a_letter_twice() {
    let sandbox = Sandbox::start();
    let mut service = service(&sandbox, 8);
    let emails = queue(&service);
    assert_eq!(emails.len(), 8);
    for (number, email) in emails.iter().enumerate() {
        let server = service.address.clone();
        let before = calls(&sandbox);
        if number % 2 == 0 {
            // The letter goes, and its answer does not come.
            sandbox.fault(&json!({
                "operation": "ghl.send_message", "nth": 1, "kind": "hold",
            }));
        }
        let target = format!(
            "/api/emails/{}/approve",
            email["email_id"].as_str().unwrap()
        );
        let body = json!({ "seen": email["content"] });
        let asking = std::thread::spawn(move || {
            let agent = ureq::Agent::config_builder()
                .http_status_as_error(false)
                .build()
                .new_agent();
            let asked = agent
                .post(format!("http://{server}{target}"))
                .header("X-Dashboard-Token", TOKEN)
                .send(body.to_string());
            asked.map_or(0, |it| it.status().as_u16())
        });
        if number % 2 == 0 {
            let fired = || sandbox.control("GET", "faults", None).1["rules"][0]["fired"] == 1;
            loop {
                let has_ended = asking.is_finished();
                if fired() {
                    break;
                }
                assert!(!has_ended, "it did not send");
            }
        } else {
            // After no call, one, two, three: or when it has ended before.
            while calls(&sandbox) < before + number / 2 && !asking.is_finished() {}
        }
        service.crash();
        asking.join().unwrap();
        sandbox.control("DELETE", "faults", None);
        // The reviewer tries again, and again.
        for _ in 0..2 {
            let again = approve(&service, email);
            assert!(matches!(again.status, 200 | 409), "{again:?}");
        }
    }
    // What nobody knows is asked for; what never went may go with the next run.
    let open = recovered(&service.place);
    assert_eq!(open, json!({ "executing": 0, "unknown": 0 }));
    let got = got(&sandbox);
    let left = service.get("/api/drafts?status=approved");
    let left: Vec<String> = left["drafts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| address(&it["to"]))
        .collect();
    for (number, email) in emails.iter().enumerate() {
        let to = address(&email["to"]);
        let times = got.get(&to).copied().unwrap_or(0);
        if number % 2 == 0 {
            assert_eq!(times, 1, "{to}: it had gone before the process ended");
        }
        let waits = usize::from(left.contains(&to));
        assert_eq!(
            times + waits,
            1,
            "{to}: sent once, or free for another batch: {got:?} {left:?}"
        );
    }
    assert_eq!(sandbox.summary("ghl")["duplicates"], json!([]));
}
