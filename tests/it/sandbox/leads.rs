//! Instantly's leads, by scenario.

use serde_json::{Value, json};

use super::Sandbox;
use super::instantly::created;

fn leads(count: usize) -> Value {
    let lead = |number: usize| json!({ "email": format!("lead-{number}@example.com") });
    (0..count).map(lead).collect()
}

fn add(sandbox: &Sandbox, campaign: &str, leads: &Value) -> Value {
    let body = json!({ "campaign_id": campaign, "leads": leads });
    let (status, answer) = sandbox.instantly("POST", "leads/add", Some(&body));
    assert_eq!(status, 200, "{answer}");
    answer
}

/// What is not zero among the counters of those that did not land.
fn counters(answer: &Value) -> Vec<(&str, u64)> {
    [
        "in_blocklist",
        "duplicated_leads",
        "skipped_count",
        "invalid_email_count",
        "incomplete_count",
        "duplicate_email_count",
    ]
    .into_iter()
    .map(|name| (name, answer[name].as_u64().unwrap()))
    .filter(|(_, count)| *count > 0)
    .collect()
}

fn listed(sandbox: &Sandbox, body: &Value) -> Vec<String> {
    let (status, answer) = sandbox.instantly("POST", "leads/list", Some(body));
    assert_eq!(status, 200, "{answer}");
    let items = answer["items"].as_array().unwrap();
    items
        .iter()
        .map(|lead| lead["email"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn in_05_every_reason_not_to_land_has_its_counter() {
    let sandbox = Sandbox::start();
    let (one, other) = (created(&sandbox, "one"), created(&sandbox, "other"));
    let blocked = json!({ "bl_value": "blocked.example.com" });
    assert_eq!(
        sandbox
            .instantly("POST", "block-lists-entries", Some(&blocked))
            .0,
        200
    );
    assert_eq!(
        add(&sandbox, &other, &json!([{ "email": "known@example.com" }]))["leads_uploaded"],
        1
    );
    assert_eq!(
        add(&sandbox, &one, &json!([{ "email": "here@example.com" }]))["leads_uploaded"],
        1
    );
    for (lead, counter) in [
        (json!({ "email": "a@blocked.example.com" }), "in_blocklist"),
        (json!({ "email": "Here@Example.com " }), "duplicated_leads"),
        (json!({ "email": "known@example.com" }), "skipped_count"),
        (json!({ "email": "no-address" }), "invalid_email_count"),
        (json!({ "first_name": "Ada" }), "incomplete_count"),
    ] {
        let body = json!({ "campaign_id": one, "leads": [lead], "skip_if_in_workspace": true });
        let (status, answer) = sandbox.instantly("POST", "leads/add", Some(&body));
        assert_eq!(
            (status, &answer["leads_uploaded"]),
            (200, &json!(0)),
            "{answer}"
        );
        assert_eq!(counters(&answer), [(counter, 1)]);
        assert_eq!(answer["created_leads"], json!([]));
    }
    let twice = json!([{ "email": "new@example.com" }, { "email": "NEW@example.com" }]);
    let answer = add(&sandbox, &one, &twice);
    assert_eq!(answer["leads_uploaded"], 1);
    assert_eq!(counters(&answer), [("duplicate_email_count", 1)]);
    assert_eq!(sandbox.summary("instantly")["deliveries"], 3);
}

#[test]
fn in_06_what_was_made_has_gaps_and_may_be_in_another_order() {
    let sandbox = Sandbox::start();
    let campaign = created(&sandbox, "gaps");
    sandbox
        .fault(&json!({ "operation": "instantly.add_leads", "nth": 1, "kind": "reverse_created" }));
    let given =
        json!([{ "email": "a@example.com" }, { "email": "" }, { "email": "c@example.com" }]);
    let answer = add(&sandbox, &campaign, &given);
    let made = answer["created_leads"].as_array().unwrap();
    let made: Vec<_> = made
        .iter()
        .map(|lead| (lead["index"].as_u64(), lead["email"].as_str()))
        .collect();
    assert_eq!(
        made,
        [
            (Some(2), Some("c@example.com")),
            (Some(0), Some("a@example.com"))
        ]
    );
}

#[test]
fn in_07_more_than_a_thousand_leads_are_refused() {
    let sandbox = Sandbox::start();
    let campaign = created(&sandbox, "many");
    let body = json!({ "campaign_id": campaign, "leads": leads(1_001) });
    let (status, answer) = sandbox.instantly("POST", "leads/add", Some(&body));
    assert_eq!(status, 400);
    assert_eq!(
        answer["message"],
        "body/leads must NOT have more than 1000 items"
    );
    assert_eq!(
        add(&sandbox, &campaign, &leads(1_000))["leads_uploaded"],
        1_000
    );
}

#[test]
fn in_08_a_plan_that_is_used_up_takes_a_part() {
    let sandbox = Sandbox::start();
    sandbox.switch(&json!({ "remaining_in_plan": 2 }));
    let campaign = created(&sandbox, "plan");
    let answer = add(&sandbox, &campaign, &leads(3));
    assert_eq!(
        (&answer["leads_uploaded"], &answer["remaining_in_plan"]),
        (&json!(2), &json!(0))
    );
    assert_eq!(
        (&answer["total_sent"], counters(&answer)),
        (&json!(3), vec![])
    );
}

#[test]
fn in_09_skip_if_in_campaign_has_two_readings() {
    let sandbox = Sandbox::start();
    let (one, other) = (created(&sandbox, "one"), created(&sandbox, "other"));
    add(&sandbox, &one, &leads(1));
    let body = json!({ "campaign_id": other, "leads": leads(1), "skip_if_in_campaign": true });
    let (_, any) = sandbox.instantly("POST", "leads/add", Some(&body));
    assert_eq!(counters(&any), [("skipped_count", 1)]);
    sandbox.switch(&json!({ "skip_if_in_campaign_means": "this_campaign" }));
    let (_, this) = sandbox.instantly("POST", "leads/add", Some(&body));
    assert_eq!(this["leads_uploaded"], 1);
}

#[test]
fn in_10_one_address_in_two_campaigns_is_two_records_and_a_duplicate() {
    let sandbox = Sandbox::start();
    let (one, other) = (created(&sandbox, "one"), created(&sandbox, "other"));
    add(&sandbox, &one, &leads(2));
    add(&sandbox, &other, &leads(1));
    let found = listed(&sandbox, &json!({ "contacts": ["Lead-0@example.com"] }));
    assert_eq!(found, ["lead-0@example.com", "lead-0@example.com"]);
    let summary = sandbox.summary("instantly");
    assert_eq!(
        (&summary["recipients"], &summary["deliveries"]),
        (&json!(2), &json!(3))
    );
    assert_eq!(
        summary["duplicates"],
        json!([{ "recipient": "lead-0@example.com", "containers": [one, other] }])
    );
    let (_, found) = sandbox.instantly(
        "GET",
        "campaigns/search-by-contact?search=lead-0%40example.com",
        None,
    );
    assert_eq!(found["items"].as_array().unwrap().len(), 2);
}

#[test]
fn in_11_a_wrong_campaign_key_is_refused_or_widens_the_list() {
    let sandbox = Sandbox::start();
    let (one, other) = (created(&sandbox, "one"), created(&sandbox, "other"));
    let body = json!({ "campaign_id": one, "email": "a@example.com" });
    let (status, answer) = sandbox.instantly("POST", "leads", Some(&body));
    assert_eq!(
        (status, &answer["message"]),
        (400, &json!("body must have required property 'campaign'"))
    );
    add(&sandbox, &one, &json!([{ "email": "a@example.com" }]));
    add(&sandbox, &other, &json!([{ "email": "b@example.com" }]));
    let whole = ["a@example.com", "b@example.com"];
    assert_eq!(listed(&sandbox, &json!({ "campaign_id": one })), whole);
    assert_eq!(
        listed(&sandbox, &json!({ "campaign": one })),
        ["a@example.com"]
    );
}

#[test]
fn in_12_leads_come_in_pages_by_the_cursor_of_the_body() {
    let sandbox = Sandbox::start();
    let campaign = created(&sandbox, "pages");
    add(&sandbox, &campaign, &leads(5));
    let (_, first) = sandbox.instantly(
        "POST",
        "leads/list",
        Some(&json!({ "campaign": campaign, "limit": 3 })),
    );
    let after = &first["next_starting_after"];
    add(
        &sandbox,
        &campaign,
        &json!([{ "email": "late@example.com" }]),
    );
    let rest = listed(
        &sandbox,
        &json!({ "campaign": campaign, "limit": 100, "starting_after": after }),
    );
    assert_eq!(
        rest,
        [
            "lead-3@example.com",
            "lead-4@example.com",
            "late@example.com"
        ]
    );
    assert!(listed(&sandbox, &json!({ "campaign": campaign, "limit": 500 })).is_empty());
}

#[test]
fn in_18_a_deleted_lead_is_gone_and_may_come_again() {
    let sandbox = Sandbox::start();
    let campaign = created(&sandbox, "gone");
    let lead = json!([{ "email": "a@example.com", "custom_variables": { "caio": "t-1", "n": 1 } }]);
    let id = add(&sandbox, &campaign, &lead)["created_leads"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let (_, held) = sandbox.instantly("GET", &format!("leads/{id}"), None);
    assert_eq!(
        (&held["payload"]["caio"], &held["campaign"]),
        (&json!("t-1"), &json!(campaign))
    );
    assert_eq!(
        sandbox.instantly("DELETE", &format!("leads/{id}"), None).0,
        200
    );
    assert_eq!(
        sandbox.instantly("DELETE", &format!("leads/{id}"), None).0,
        404
    );
    assert_eq!(add(&sandbox, &campaign, &lead)["leads_uploaded"], 1);
}

#[test]
fn in_19_a_bulk_delete_without_ids_is_refused_and_remembered() {
    let sandbox = Sandbox::start();
    let campaign = created(&sandbox, "bulk");
    let answer = add(&sandbox, &campaign, &leads(3));
    for body in [
        json!({ "campaign_id": campaign }),
        json!({ "campaign_id": campaign, "limit": 1 }),
    ] {
        assert_eq!(sandbox.instantly("DELETE", "leads", Some(&body)).0, 400);
    }
    let by_address = json!({ "campaign_id": campaign, "email": "lead-0@example.com" });
    assert_eq!(
        sandbox.instantly("DELETE", "leads", Some(&by_address)).0,
        400
    );
    let summary = sandbox.summary("instantly");
    assert_eq!(summary["violations"].as_array().unwrap().len(), 2);
    assert_eq!(summary["deliveries"], 3);
    let ids = [
        &answer["created_leads"][0]["id"],
        &answer["created_leads"][2]["id"],
    ];
    let (_, deleted) = sandbox.instantly(
        "DELETE",
        "leads",
        Some(&json!({ "campaign_id": campaign, "ids": ids })),
    );
    assert_eq!(deleted, json!({ "count": 2 }));
    assert_eq!(
        listed(&sandbox, &json!({ "campaign": campaign })),
        ["lead-1@example.com"]
    );
}

#[test]
fn a_lead_takes_one_level_of_variables_and_nothing_unknown() {
    let sandbox = Sandbox::start();
    let campaign = created(&sandbox, "closed");
    for (lead, wrong) in [
        (
            json!({ "email": "a@example.com", "custom_variables": { "deep": {} } }),
            "string,number,boolean,null",
        ),
        (
            json!({ "email": "a@example.com", "firstName": "Ada" }),
            "additional properties",
        ),
    ] {
        let body = json!({ "campaign_id": campaign, "leads": [lead] });
        let (status, answer) = sandbox.instantly("POST", "leads/add", Some(&body));
        assert_eq!(status, 400);
        assert!(
            answer["message"].as_str().unwrap().contains(wrong),
            "{answer}"
        );
    }
    let body = json!({ "leads": leads(1) });
    assert_eq!(sandbox.instantly("POST", "leads/add", Some(&body)).0, 400);
}

#[test]
fn in_17_an_interest_is_taken_as_an_order_and_its_refusal_has_an_odd_body() {
    let sandbox = Sandbox::start();
    let campaign = created(&sandbox, "interest");
    add(&sandbox, &campaign, &leads(1));
    let set = |email: &str, value: Value| {
        let body = json!({ "lead_email": email, "campaign_id": campaign, "interest_value": value });
        sandbox.instantly("POST", "leads/update-interest-status", Some(&body))
    };
    assert_eq!(set("lead-0@example.com", json!(-1)).0, 202);
    let (_, held) = sandbox.instantly("POST", "leads/list", Some(&json!({})));
    assert_eq!(held["items"][0]["lt_interest_status"], -1);
    assert_eq!(
        set("nobody@example.com", json!(1)),
        (400, json!({ "error": "Invalid lead email" }))
    );
}
