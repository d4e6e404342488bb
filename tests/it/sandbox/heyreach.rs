//! HeyReach, by scenario.

use serde_json::{Value, json};

use super::Sandbox;

fn profile(number: usize) -> Value {
    json!({
        "profileUrl": format!("https://www.linkedin.com/in/person-{number}/"),
        "firstName": "Ada",
        "lastName": "Example",
    })
}

fn profiles(count: usize) -> Vec<Value> {
    (0..count).map(profile).collect()
}

fn list(sandbox: &Sandbox) -> Value {
    let body = json!({ "name": "caio-1", "type": "USER_LIST" });
    let (status, answer) = sandbox.heyreach("list/CreateEmptyList", &body);
    assert_eq!(status, 200, "{answer}");
    answer["id"].clone()
}

fn add(sandbox: &Sandbox, list: &Value, leads: &[Value]) -> (u16, Value) {
    sandbox.heyreach(
        "list/AddLeadsToListV2",
        &json!({ "listId": list, "leads": leads }),
    )
}

fn counts(added: u64, updated: u64, failed: u64) -> Value {
    json!({ "addedLeadsCount": added, "updatedLeadsCount": updated, "failedLeadsCount": failed })
}

fn campaign(sandbox: &Sandbox, status: &str) -> Value {
    let body = json!({ "name": "Spring", "status": status });
    let (code, answer) = sandbox.control("POST", "heyreach/campaigns", Some(&body));
    assert_eq!(code, 200, "{answer}");
    answer["id"].clone()
}

fn status(sandbox: &Sandbox) -> Value {
    sandbox.heyreach("campaign/GetAll", &json!({})).1["items"][0]["status"].clone()
}

#[test]
fn hr_01_a_wrong_key_or_a_missing_last_name_is_dropped_without_a_word() {
    let sandbox = Sandbox::start();
    let list = list(&sandbox);
    let wrong_key = json!({
        "linkedInUrl": "https://linkedin.com/in/a", "firstName": "Ada", "lastName": "Example",
    });
    let no_last_name =
        json!({ "profileUrl": "https://linkedin.com/in/a", "firstName": "Ada", "lastName": "" });
    for lead in [wrong_key, no_last_name] {
        assert_eq!(add(&sandbox, &list, &[lead]), (200, counts(0, 0, 0)));
    }
    assert_eq!(sandbox.summary("heyreach")["deliveries"], 0);
}

#[test]
fn hr_02_counts_may_fall_short_of_what_was_sent() {
    let sandbox = Sandbox::start();
    let list = list(&sandbox);
    assert_eq!(add(&sandbox, &list, &profiles(5)), (200, counts(5, 0, 0)));
    sandbox.fault(
        &json!({ "operation": "heyreach.add_leads", "nth": 1, "kind": "partial", "leads": 95 }),
    );
    assert_eq!(
        add(&sandbox, &list, &profiles(100)),
        (200, counts(90, 5, 0))
    );
    let rule = json!({
        "operation": "heyreach.add_leads", "nth": 1, "kind": "partial", "leads": 1, "counter": "failedLeadsCount",
    });
    sandbox.fault(&rule);
    assert_eq!(add(&sandbox, &list, &profiles(3)), (200, counts(0, 1, 2)));
    let elsewhere =
        json!({ "profileUrl": "https://example.com/a", "firstName": "A", "lastName": "B" });
    assert_eq!(add(&sandbox, &list, &[elsewhere]), (200, counts(0, 0, 1)));
    sandbox.fault(&json!({ "operation": "heyreach.add_leads", "nth": 1, "kind": "zero_counts" }));
    assert_eq!(add(&sandbox, &list, &profiles(1)), (200, counts(0, 0, 0)));
}

#[test]
fn hr_03_more_than_a_hundred_leads_are_refused() {
    let sandbox = Sandbox::start();
    let list = list(&sandbox);
    let (status, answer) = add(&sandbox, &list, &profiles(101));
    assert_eq!(status, 400);
    assert!(answer["errorMessage"].is_string());
    assert_eq!(sandbox.summary("heyreach")["deliveries"], 0);
}

#[test]
fn hr_04_names_of_own_fields_are_letters_digits_and_underscores() {
    let sandbox = Sandbox::start();
    let list = list(&sandbox);
    let with = |name: &str| {
        let mut lead = profile(1);
        lead["customUserFields"] = json!([{ "name": name, "value": "x" }]);
        lead
    };
    let (status, answer) = add(&sandbox, &list, &[profile(0), with("first line")]);
    assert_eq!(status, 400);
    assert!(
        answer["errorMessage"]
            .as_str()
            .unwrap()
            .contains("first line"),
        "{answer}"
    );
    assert_eq!(
        add(&sandbox, &list, &[with("first_line2")]),
        (200, counts(1, 0, 0))
    );
    let (_, page) = sandbox.heyreach("list/GetLeadsFromList", &json!({ "listId": list }));
    assert_eq!(page["totalCount"], 1);
    assert_eq!(
        page["items"][0]["customFields"],
        json!([{ "name": "first_line2", "value": "x" }])
    );
}

#[test]
fn hr_05_fields_beside_the_lead_are_lost() {
    let sandbox = Sandbox::start();
    let campaign = campaign(&sandbox, "IN_PROGRESS");
    let fields = json!([{ "name": "line", "value": "x" }]);
    let mut inside = profile(1);
    inside["customUserFields"] = fields.clone();
    let pairs = json!([{ "lead": profile(0), "customUserFields": fields }, { "lead": inside }]);
    let body = json!({ "campaignId": campaign, "accountLeadPairs": pairs });
    assert_eq!(
        sandbox.heyreach("campaign/AddLeadsToCampaignV2", &body).1,
        counts(2, 0, 0)
    );
    let (_, page) = sandbox.heyreach(
        "campaign/GetLeadsFromCampaign",
        &json!({ "campaignId": campaign }),
    );
    assert_eq!(page["items"][0]["customFields"], json!([]));
    assert_eq!(page["items"][1]["customFields"], fields);
}

#[test]
fn hr_06_a_list_may_lose_own_fields() {
    let sandbox = Sandbox::start();
    sandbox.switch(&json!({ "lists_lose_fields": true }));
    let list = list(&sandbox);
    let mut lead = profile(1);
    lead["customUserFields"] = json!([{ "name": "line", "value": "x" }]);
    add(&sandbox, &list, &[lead]);
    let (_, page) = sandbox.heyreach("list/GetLeadsFromList", &json!({ "listId": list }));
    assert_eq!(page["items"][0]["customFields"], json!([]));
}

#[test]
fn hr_07_adding_to_a_campaign_depends_on_its_status() {
    for (before, code, after) in [
        ("DRAFT", 400, "DRAFT"),
        ("FINISHED", 200, "IN_PROGRESS"),
        ("PAUSED", 200, "PAUSED"),
    ] {
        let sandbox = Sandbox::start();
        let campaign = campaign(&sandbox, before);
        let body = json!({ "campaignId": campaign, "accountLeadPairs": [{ "lead": profile(0) }] });
        let (status_code, answer) = sandbox.heyreach("campaign/AddLeadsToCampaignV2", &body);
        assert_eq!(
            (status_code, status(&sandbox)),
            (code, json!(after)),
            "{answer}"
        );
    }
}

#[test]
fn hr_08_resume_asks_for_a_campaign_that_has_stopped() {
    let sandbox = Sandbox::start();
    let id = campaign(&sandbox, "DRAFT");
    let (code, answer) = sandbox.heyreach(&format!("campaign/Resume?campaignId={id}"), &json!({}));
    assert_eq!(
        (code, &answer["errorMessage"]),
        (
            400,
            &json!("The campaign you are trying to resume is not paused, finished or failed.")
        )
    );
    assert_eq!(
        sandbox
            .heyreach(
                &format!("campaign/StartCampaign?campaignId={id}"),
                &json!({})
            )
            .0,
        200
    );
    assert_eq!(
        sandbox
            .heyreach(&format!("campaign/Pause?campaignId={id}"), &json!({}))
            .0,
        200
    );
    let (_, answer) = sandbox.heyreach(&format!("campaign/Resume?campaignId={id}"), &json!({}));
    assert_eq!(
        (&answer["status"], status(&sandbox)),
        (&json!("IN_PROGRESS"), json!("PAUSED"))
    );
    assert_eq!(
        sandbox
            .heyreach(
                &format!("campaign/PauseCampaign?campaignId={id}"),
                &json!({})
            )
            .0,
        404
    );
}

#[test]
fn hr_09_a_list_whose_answer_was_lost_is_there() {
    let sandbox = Sandbox::start();
    sandbox.fault(&json!({
        "operation": "heyreach.create_list", "nth": 1, "kind": "timeout_after", "hold_ms": 50,
    }));
    let headers = [("x-api-key", "k"), ("content-type", "application/json")];
    let path = "/heyreach/api/public/list/CreateEmptyList";
    assert!(
        sandbox
            .send("POST", path, &headers, Some(r#"{"name":"token-1"}"#))
            .is_err()
    );
    let (_, found) = sandbox.heyreach("list/GetAll", &json!({ "keyword": "token-1" }));
    assert_eq!(
        (&found["totalCount"], &found["items"][0]["count"]),
        (&json!(1), &json!(0))
    );
}

#[test]
fn hr_11_there_are_two_bodies_of_a_refusal() {
    let sandbox = Sandbox::start();
    let (code, answer) = sandbox.heyreach(
        "list/AddLeadsToListV2",
        &json!({ "listId": list(&sandbox) }),
    );
    assert_eq!(
        (code, &answer["errors"]["Leads"]),
        (400, &json!(["The Leads field is required."]))
    );
    let (code, answer) = add(&sandbox, &json!(1), &profiles(1));
    assert_eq!((code, answer["errorMessage"].is_string()), (404, true));
    let key = |key: &str| {
        sandbox
            .send(
                "GET",
                "/heyreach/api/public/auth/CheckApiKey",
                &[("x-api-key", key)],
                None,
            )
            .unwrap()
            .0
    };
    assert_eq!((key("any"), key("wrong"), key("")), (200, 401, 401));
}

#[test]
fn hr_07_a_lead_that_was_stopped_stays_stopped_and_can_be_found() {
    let sandbox = Sandbox::start();
    let campaign = campaign(&sandbox, "IN_PROGRESS");
    let pairs: Vec<Value> = profiles(2)
        .iter()
        .map(|lead| json!({ "lead": lead }))
        .collect();
    let body = json!({ "campaignId": campaign, "accountLeadPairs": pairs });
    let add = || sandbox.heyreach("campaign/AddLeadsToCampaignV2", &body).1;
    assert_eq!(add(), counts(2, 0, 0));
    let url = "https://linkedin.com/in/person-1";
    let stop = json!({ "campaignId": campaign, "leadUrl": url });
    assert_eq!(
        sandbox.heyreach("campaign/StopLeadInCampaign", &stop).0,
        200
    );
    assert_eq!(add(), counts(0, 2, 0));
    let (_, page) = sandbox.heyreach(
        "campaign/GetLeadsFromCampaign",
        &json!({ "campaignId": campaign }),
    );
    let status = |at: usize| page["items"][at]["leadCampaignStatus"].as_str();
    assert_eq!((status(0), status(1)), (Some("Pending"), Some("Paused")));
    let find = |url: &str| {
        let found = sandbox.heyreach(
            "campaign/GetCampaignsForLead",
            &json!({ "profileUrl": url }),
        );
        found.1["items"].clone()
    };
    assert_eq!(find(url)[0]["campaignId"], campaign);
    assert_eq!(find("https://linkedin.com/in/nobody"), json!([]));
}

#[test]
fn hr_09_leads_can_be_found_in_lists_and_taken_out() {
    let sandbox = Sandbox::start();
    let list = list(&sandbox);
    add(&sandbox, &list, &profiles(3));
    let url = "https://linkedin.com/in/person-1";
    let (_, found) = sandbox.heyreach("list/GetListsForLead", &json!({ "profileUrl": url }));
    assert_eq!(found["items"][0]["listId"], list);
    let remove = |path: &str, body: &Value| {
        let key = [("x-api-key", "k")];
        sandbox
            .json(
                "DELETE",
                &format!("/heyreach/api/public/list/{path}"),
                &key,
                Some(body),
            )
            .1
    };
    let by_url = json!({ "listId": list, "profileUrls": [url, "https://linkedin.com/in/nobody"] });
    let missing = json!({ "notFoundInList": ["https://linkedin.com/in/nobody"] });
    assert_eq!(remove("DeleteLeadsFromListByProfileUrl", &by_url), missing);
    let by_id = json!({ "listId": list, "leadMemberIds": ["person-0"] });
    assert_eq!(
        remove("DeleteLeadsFromList", &by_id),
        json!({ "notFoundInList": [] })
    );
    let (_, left) = sandbox.heyreach("list/GetLeadsFromList", &json!({ "listId": list }));
    assert_eq!(
        (&left["totalCount"], &left["items"][0]["linkedin_id"]),
        (&json!(1), &json!("person-2"))
    );
}

#[test]
fn hr_12_one_profile_in_many_spellings_is_one_lead() {
    let sandbox = Sandbox::start();
    let list = list(&sandbox);
    let with = |url: &str| json!({ "profileUrl": url, "firstName": "Ada", "lastName": "Example" });
    let spellings = [
        "https://www.linkedin.com/in/zo%C3%AB",
        "http://linkedin.com/in/Zoë/",
        "linkedin.com/in/zoë?trk=x",
    ];
    assert_eq!(
        add(&sandbox, &list, &spellings.map(with)),
        (200, counts(1, 2, 0))
    );
    let summary = sandbox.summary("heyreach");
    assert_eq!(
        (&summary["recipients"], &summary["duplicates"]),
        (&json!(1), &json!([]))
    );
    let gone = json!({ "listId": list, "leadProfileUrl": "https://linkedin.com/in/other" });
    assert_eq!(
        sandbox.heyreach("list/GetLeadsFromList", &gone).1["totalCount"],
        0
    );
}
