//! What the service does when it is asked over HTTP: the same steps as the commands.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::delivery::{PEOPLE, approved, place, queued};
use crate::sandbox::Sandbox;
use crate::service::{Service, TOKEN};

fn live(service: &Service) -> Value {
    let body = json!({ "dry_run": false, "motion": "outbound" });
    let reply = service.post("/api/operator/trigger", &body);
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

#[test]
fn a_run_that_the_service_is_asked_for_finds_out_first_what_nobody_knew() {
    let sandbox = Sandbox::start();
    let place = place(&sandbox).variable("DASHBOARD_AUTH_TOKEN", TOKEN);
    let first = approved(&place);
    let service = Service::over(place);
    sandbox.fault(&json!({ "operation": "instantly.add_leads", "nth": 1, "kind": "reset_after" }));
    // The provider cannot be asked either, for now.
    sandbox.fault(&json!({ "operation": "instantly.list_leads", "nth": "every", "kind": "status", "code": 500 }));
    let lost = live(&service);
    assert_eq!(lost["batch_id"], first, "{lost}");
    let status = |service: &Service, id: &str| {
        service.get(&format!("/api/batches/{id}"))["batch"]["status"].clone()
    };
    assert_eq!(status(&service, &first), "unknown", "{lost}");
    sandbox.control("DELETE", "faults", None);

    service.place.write(
        "more.csv",
        "name,email,title,company,employees,industry,technologies,demo_requested,website_visits\n\
         Lou Roe,lou@oak.example.com,CEO,Oak,120,Marketing Agency,HubSpot; Salesforce,yes,9\n",
    );
    service.place.json(0, &["run", "more.csv"]);
    service
        .place
        .expect(0, &["drafts", "approve", "--all", "--yes"]);
    let second = crate::delivery::batch(&service.place);
    let report = live(&service);
    assert_eq!(
        (&report["batch_id"], &report["errors"]),
        (&json!(second), &json!([]))
    );
    assert_eq!(report["instantly_report"]["total_dispatched"], 1);
    assert_eq!(
        status(&service, &first),
        "executed",
        "found out before anything else was done"
    );
    assert_eq!(status(&service, &second), "executed");
    let summary = sandbox.summary("instantly");
    assert_eq!(summary["duplicates"], json!([]));
    assert_eq!(summary["recipients"], PEOPLE + 1);
}

#[test]
fn a_run_whose_caller_has_left_is_recorded_before_the_service_ends() {
    let sandbox = Sandbox::start();
    let place = place(&sandbox).variable("DASHBOARD_AUTH_TOKEN", TOKEN);
    let batch = approved(&place);
    let mut service = Service::over(place);
    // The provider has the letters and takes its time to say so.
    sandbox.fault(
        &json!({ "operation": "instantly.add_leads", "nth": 1, "kind": "slow", "ms": 4000 }),
    );
    let until = |is_so: &dyn Fn() -> bool| {
        let asked = std::iter::repeat_with(|| {
            std::thread::sleep(Duration::from_millis(5));
            is_so()
        });
        assert!(asked.take(6000).any(|it| it));
    };
    let body = json!({ "dry_run": false, "motion": "outbound" }).to_string();
    let mut caller = TcpStream::connect(&service.address).unwrap();
    let request = format!(
        "POST /api/operator/trigger HTTP/1.1\r\nHost: {}\r\nX-Dashboard-Token: {TOKEN}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        service.address,
        body.len()
    );
    caller.write_all(request.as_bytes()).unwrap();
    until(&|| sandbox.control("GET", "faults", None).1["rules"][0]["fired"] == 1);
    drop(caller);
    let is_left = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap_or_default();
        line["http.status"] == 499 && line["http.route"] == "/api/operator/trigger"
    };
    until(&|| service.place.read("serve.log").lines().any(is_left));
    assert!(service.end().success());

    let shown = service.place.json(0, &["batch", "show", &batch]);
    assert_eq!(shown["batch"]["status"], "executed", "{shown}");
    assert_eq!(sandbox.summary("instantly")["recipients"], PEOPLE);
}

#[test]
fn a_batch_of_follow_ups_over_http_writes_those_that_are_due_as_the_command_does() {
    let sandbox = Sandbox::start();
    let place = place(&sandbox).variable("DASHBOARD_AUTH_TOKEN", TOKEN);
    queued(&place, 1);
    let enrolled = [
        "cadence",
        "enroll",
        "kim0@acme0.example.com",
        "--sent-at",
        "2026-01-05T10:00:00Z",
    ];
    place.expect(0, &enrolled);
    let service = Service::over(place);
    let made = service.post("/api/batches", &json!({ "motion": "cadence" }));
    assert_eq!(made.status, 409, "{made:?}");
    let refused = made.json();
    assert_eq!(
        (&refused["code"], &refused["follow_ups"]),
        (&json!("batch.empty"), &json!(1)),
        "{refused}"
    );
    let pending = service.get("/api/drafts?search=kim0");
    let steps = pending["drafts"].as_array().unwrap().iter();
    let step = steps
        .map(|it| it["step"].clone())
        .find(|it| *it != 1)
        .unwrap();
    assert!(step.as_u64().unwrap() > 1, "{pending}");
    // Asked again, nothing is written twice; an approved one goes into a batch.
    let again = service.post("/api/batches", &json!({ "motion": "cadence" }));
    assert_eq!(again.json()["follow_ups"], 0);
    let outbound = service.post("/api/batches", &json!({}));
    assert_eq!(outbound.json()["follow_ups"], 0);
}

#[test]
fn what_fails_too_often_in_a_row_is_given_a_rest_by_all_requests_and_shown() {
    let sandbox = Sandbox::start();
    let service = Service::over(place(&sandbox).variable("DASHBOARD_AUTH_TOKEN", TOKEN));
    let breaker = || {
        let shown = service.get("/api/integrations");
        shown["integrations"]["instantly"]["breaker"].clone()
    };
    assert_eq!(breaker(), "closed");
    sandbox.fault(
        &json!({ "operation": "instantly.list_campaigns", "nth": "every", "kind": "reset_before" }),
    );
    for _ in 0..6 {
        let headers = [("X-Dashboard-Token", TOKEN)];
        let refused = service.send("GET", "/api/instantly/campaigns", &headers, "");
        assert_eq!(refused.status, 502, "{refused:?}");
    }
    // Each request has a client of its own; the breaker is the same.
    assert_eq!(breaker(), "open");
    assert_eq!(
        service.get("/api/metrics")["components"][0]["breaker"],
        json!(null),
        "the store has none"
    );
}
