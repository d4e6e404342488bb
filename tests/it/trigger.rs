//! What the service does when it is asked over HTTP: the same steps as the commands.

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
    let status = |id: &str| service.get(&format!("/api/batches/{id}"))["batch"]["status"].clone();
    assert_eq!(status(&first), "unknown", "{lost}");
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
        status(&first),
        "executed",
        "found out before anything else was done"
    );
    assert_eq!(status(&second), "executed");
    let summary = sandbox.summary("instantly");
    assert_eq!(summary["duplicates"], json!([]));
    assert_eq!(summary["recipients"], PEOPLE + 1);
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
