//! Instantly's campaigns, by scenario.

use serde_json::{Value, json};

use super::Sandbox;

pub(super) fn campaign(name: &str) -> Value {
    json!({
        "name": name,
        "campaign_schedule": { "schedules": [{
            "name": "weekdays",
            "timing": { "from": "09:00", "to": "17:00" },
            "days": { "1": true, "2": true, "3": true, "4": true, "5": true },
            "timezone": "America/Detroit",
        }]},
        "sequences": [{ "steps": [{
            "type": "email",
            "delay": 2,
            "variants": [{ "subject": "Hello", "body": "<p>Hi {{firstName}}</p>" }],
        }]}],
        "email_list": ["sender@example.com"],
    })
}

pub(super) fn created(sandbox: &Sandbox, name: &str) -> String {
    let (status, answer) = sandbox.instantly("POST", "campaigns", Some(&campaign(name)));
    assert_eq!(status, 200, "{answer}");
    answer["id"].as_str().unwrap().to_owned()
}

fn refused(sandbox: &Sandbox, body: &Value) -> String {
    let (status, answer) = sandbox.instantly("POST", "campaigns", Some(body));
    assert_eq!((status, &answer["error"]), (400, &json!("Bad Request")));
    answer["message"].as_str().unwrap().to_owned()
}

fn names(answer: &Value) -> Vec<&str> {
    let items = answer["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["name"].as_str().unwrap())
        .collect()
}

#[test]
fn in_01_a_campaign_whose_answer_was_lost_is_there() {
    let sandbox = Sandbox::start();
    sandbox.fault(
        &json!({ "operation": "instantly.create_campaign", "nth": 1, "kind": "reset_after" }),
    );
    let headers = [
        ("authorization", "Bearer k"),
        ("content-type", "application/json"),
    ];
    let body = campaign("token-1").to_string();
    let lost = sandbox.send("POST", "/instantly/api/v2/campaigns", &headers, Some(&body));
    assert!(lost.is_err());
    let (_, found) = sandbox.instantly("GET", "campaigns?search=TOKEN-1", None);
    assert_eq!(names(&found), ["token-1"]);
}

#[test]
fn in_02_names_may_repeat() {
    let sandbox = Sandbox::start();
    assert_ne!(created(&sandbox, "same"), created(&sandbox, "same"));
    let (_, found) = sandbox.instantly("GET", "campaigns?search=same", None);
    assert_eq!(names(&found), ["same", "same"]);
}

#[test]
fn in_03_time_zones_are_a_closed_list() {
    let sandbox = Sandbox::start();
    let with = |zone: &str| {
        let mut body = campaign("zones");
        body["campaign_schedule"]["schedules"][0]["timezone"] = json!(zone);
        body
    };
    for zone in [
        "America/New_York",
        "America/Los_Angeles",
        "Europe/London",
        "UTC",
    ] {
        assert_eq!(
            refused(&sandbox, &with(zone)),
            "body/campaign_schedule/schedules/0/timezone must be equal to one of the allowed values"
        );
    }
    for zone in ["America/Detroit", "America/Creston", "Europe/Isle_of_Man"] {
        assert_eq!(
            sandbox.instantly("POST", "campaigns", Some(&with(zone))).0,
            200
        );
    }
    assert_eq!(sandbox.summary("instantly")["containers"], 3);
}

#[test]
fn in_03_a_body_is_closed_and_whole() {
    let sandbox = Sandbox::start();
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut body = campaign("closed");
        change(&mut body);
        refused(&sandbox, &body)
    };
    let name = |body: &mut Value| {
        body.as_object_mut().unwrap().remove("name");
    };
    assert_eq!(changed(&name), "body must have required property 'name'");
    assert_eq!(
        changed(&|body| body["status"] = json!(1)),
        "body must NOT have additional properties"
    );
    assert_eq!(
        changed(&|body| body["campaign_schedule"]["schedules"] = json!([])),
        "body/campaign_schedule/schedules must NOT have fewer than 1 items"
    );
    assert_eq!(
        changed(&|body| body["campaign_schedule"]["schedules"][0]["days"] = json!({})),
        "body/campaign_schedule/schedules/0/days must NOT have fewer than 1 properties"
    );
    assert_eq!(
        changed(&|body| body["campaign_schedule"]["schedules"][0]["timing"]["to"] = json!("24:00")),
        "body/campaign_schedule/schedules/0/timing/to must match pattern \
         \"^([01][0-9]|2[0-3]):([0-5][0-9])$\""
    );
    assert_eq!(
        changed(&|body| body["sequences"][0]["steps"][0]["variants"][0] = json!({ "subject": "s" })),
        "body/sequences/0/steps/0/variants/0 must have required property 'body'"
    );
    assert_eq!(sandbox.summary("instantly")["containers"], 0);
}

#[test]
fn in_04_days_by_name_leave_no_day_to_send_on() {
    let sandbox = Sandbox::start();
    let mut body = campaign("named days");
    body["campaign_schedule"]["schedules"][0]["days"] = json!({ "monday": true });
    let (status, made) = sandbox.instantly("POST", "campaigns", Some(&body));
    assert_eq!((status, &made["status"]), (200, &json!(0)));
    assert_eq!(made["campaign_schedule"]["schedules"][0]["days"], json!({}));
    let path = format!("campaigns/{}/activate", made["id"].as_str().unwrap());
    let (_, active) = sandbox.instantly("POST", &path, None);
    assert_eq!(
        (&active["status"], &active["not_sending_status"]),
        (&json!(1), &json!(1))
    );
}

#[test]
fn in_12_pages_end_with_an_empty_one() {
    let sandbox = Sandbox::start();
    for name in ["a", "b", "c"] {
        created(&sandbox, name);
    }
    let mut path = "campaigns?limit=2".to_owned();
    let mut seen = Vec::new();
    let mut pages = 0;
    loop {
        let (_, page) = sandbox.instantly("GET", &path, None);
        pages += 1;
        seen.extend(names(&page).into_iter().map(str::to_owned));
        match page["next_starting_after"].as_str() {
            Some(cursor) => path = format!("campaigns?limit=2&starting_after={cursor}"),
            None => break,
        }
    }
    assert_eq!(
        (seen, pages),
        (vec!["a".to_owned(), "b".to_owned(), "c".to_owned()], 3)
    );
    let (_, page) = sandbox.instantly("GET", "campaigns?limit=500", None);
    assert_eq!(page, json!({ "items": [] }));
    sandbox.fault(&json!({ "operation": "instantly.list_campaigns", "nth": "every", "kind": "ignore_cursor" }));
    let (_, first) = sandbox.instantly("GET", "campaigns?limit=2", None);
    let cursor = first["next_starting_after"].as_str().unwrap();
    let (_, again) = sandbox.instantly(
        "GET",
        &format!("campaigns?limit=2&starting_after={cursor}"),
        None,
    );
    assert_eq!(first, again);
}

#[test]
fn in_14_a_key_is_needed_and_may_lack_a_scope() {
    let sandbox = Sandbox::start();
    let path = "/instantly/api/v2/workspaces/current";
    let status = |key: &str| {
        sandbox
            .send("GET", path, &[("authorization", key)], None)
            .unwrap()
            .0
    };
    assert_eq!(sandbox.send("GET", path, &[], None).unwrap().0, 401);
    assert_eq!(status("Bearer wrong"), 401);
    assert_eq!(status("Basic abc"), 401);
    assert_eq!(status("Bearer noscope"), 403);
    assert_eq!(status("Bearer any"), 200);
}

#[test]
fn in_15_an_empty_body_must_not_call_itself_json() {
    let sandbox = Sandbox::start();
    let id = created(&sandbox, "empty");
    let json_type = [
        ("authorization", "Bearer k"),
        ("content-type", "application/json"),
    ];
    for (method, path) in [("POST", "/activate"), ("POST", "/pause"), ("DELETE", "")] {
        let path = format!("/instantly/api/v2/campaigns/{id}{path}");
        let (status, body) = sandbox.send(method, &path, &json_type, Some("")).unwrap();
        assert_eq!(status, 400, "{body}");
        assert!(body.contains("Body cannot be empty"), "{body}");
    }
    assert_eq!(
        sandbox
            .instantly("POST", &format!("campaigns/{id}/pause"), Some(&json!({})))
            .0,
        200
    );
    let (_, held) = sandbox.instantly("GET", &format!("campaigns/{id}"), None);
    assert_eq!(held["status"], 2);
    let text = [
        ("authorization", "Bearer k"),
        ("content-type", "text/plain"),
    ];
    let (status, _) = sandbox
        .send("POST", "/instantly/api/v2/campaigns", &text, Some("{}"))
        .unwrap();
    assert_eq!(status, 415);
}

#[test]
fn in_16_active_is_not_sending() {
    let sandbox = Sandbox::start();
    let id = created(&sandbox, "no lead");
    let (_, active) = sandbox.instantly("POST", &format!("campaigns/{id}/activate"), None);
    assert_eq!(
        (&active["status"], &active["not_sending_status"]),
        (&json!(1), &json!(2))
    );
    sandbox.switch(&json!({ "activated_status": -99 }));
    let (status, answer) = sandbox.instantly("POST", &format!("campaigns/{id}/activate"), None);
    assert_eq!((status, &answer["status"]), (200, &json!(-99)));
    let (status, answer) = sandbox.instantly("POST", "campaigns/none/activate", None);
    assert_eq!((status, &answer["statusCode"]), (400, &json!(404)));
}

#[test]
fn in_18_a_deleted_campaign_is_gone() {
    let sandbox = Sandbox::start();
    let id = created(&sandbox, "gone");
    let path = format!("campaigns/{id}");
    assert_eq!(sandbox.instantly("DELETE", &path, None).1["id"], json!(id));
    assert_eq!(sandbox.instantly("DELETE", &path, None).0, 404);
    assert_eq!(sandbox.instantly("GET", &path, None).0, 404);
}

#[test]
fn in_21_and_in_22_a_create_may_answer_otherwise_than_asked() {
    let sandbox = Sandbox::start();
    sandbox.switch(&json!({ "drop_email_list": true, "new_campaign_status": 1 }));
    let id = created(&sandbox, "odd");
    let (_, held) = sandbox.instantly("GET", &format!("campaigns/{id}"), None);
    assert_eq!(
        (&held["email_list"], &held["status"]),
        (&json!([]), &json!(1))
    );
    let change = json!({ "email_list": ["sender@example.com"] });
    let (status, changed) = sandbox.instantly("PATCH", &format!("campaigns/{id}"), Some(&change));
    assert_eq!(
        (status, &changed["email_list"]),
        (200, &change["email_list"])
    );
}

#[test]
fn in_30_an_agent_that_does_not_name_itself_is_refused() {
    let sandbox = Sandbox::start();
    let headers = [("authorization", "Bearer k"), ("user-agent", "")];
    let path = "/instantly/api/v2/workspaces/current";
    assert_eq!(sandbox.send("GET", path, &headers, None).unwrap().0, 403);
}
