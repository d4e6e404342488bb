//! GoHighLevel's stand-in: what goes wrong there, as its users report it.

use serde_json::{Value, json};

use super::Sandbox;

fn upsert(sandbox: &Sandbox, contact: &Value) -> Value {
    let mut body = json!({ "locationId": "loc1" });
    body.as_object_mut()
        .unwrap()
        .extend(contact.as_object().unwrap().clone());
    let (status, answer) = sandbox.ghl("POST", "contacts/upsert", Some(&body));
    assert_eq!(status, 200, "{answer}");
    answer
}

fn mail(contact: &Value) -> Value {
    json!({
        "type": "Email", "contactId": contact["id"], "subject": "s", "html": "<p>x</p>",
        "emailFrom": "ann@example.com",
    })
}

fn find(sandbox: &Sandbox, email: &str) -> Value {
    let path = format!("contacts/search/duplicate?locationId=loc1&email={email}");
    sandbox.ghl("GET", &path, None).1["contact"].clone()
}

#[test]
fn gh_01_an_upsert_merges_two_people_and_ignores_the_second_key() {
    let sandbox = Sandbox::start();
    let first = upsert(
        &sandbox,
        &json!({ "email": "ada@example.com", "phone": "+12025550100" }),
    );
    let merged = upsert(
        &sandbox,
        &json!({ "email": "bob@example.com", "phone": "+12025550100" }),
    );
    assert_eq!(merged["new"], false);
    assert_eq!(merged["contact"]["id"], first["contact"]["id"]);
    assert_eq!(merged["contact"]["email"], "ada@example.com");
    assert_eq!(find(&sandbox, "bob@example.com"), Value::Null);
}

#[test]
fn gh_02_a_contact_is_refused_and_there_all_the_same_and_there_is_no_other_look_up() {
    let sandbox = Sandbox::start();
    sandbox.fault(&json!({
        "operation": "ghl.upsert_contact", "nth": 1, "kind": "status", "code": 422, "effect": true,
    }));
    let body = json!({ "locationId": "loc1", "email": "ada@example.com" });
    assert_eq!(sandbox.ghl("POST", "contacts/upsert", Some(&body)).0, 422);
    assert_eq!(
        find(&sandbox, "ada@example.com")["email"],
        "ada@example.com"
    );
    let (status, answer) = sandbox.ghl("GET", "contacts/lookup?email=ada@example.com", None);
    assert_eq!(
        (status, answer["message"].as_str()),
        (400, Some("Contact with id lookup not found"))
    );
}

#[test]
fn gh_03_a_message_is_sent_and_the_answer_is_lost() {
    let sandbox = Sandbox::start();
    let contact = upsert(&sandbox, &json!({ "email": "ada@example.com" }))["contact"].clone();
    sandbox.fault(&json!({ "operation": "ghl.send_message", "nth": 1, "kind": "reset_after" }));
    let headers = [
        ("authorization", "Bearer pit-x"),
        ("version", "2021-04-15"),
        ("content-type", "application/json"),
    ];
    let text = mail(&contact).to_string();
    assert!(
        sandbox
            .send("POST", "/ghl/conversations/messages", &headers, Some(&text))
            .is_err()
    );
    let path = format!(
        "conversations/search?locationId=loc1&contactId={}",
        contact["id"].as_str().unwrap()
    );
    let (_, found) = sandbox.ghl("GET", &path, None);
    let conversation = found["conversations"][0]["id"].as_str().unwrap();
    let (_, listed) = sandbox.ghl(
        "GET",
        &format!("conversations/{conversation}/messages"),
        None,
    );
    let message = &listed["messages"]["messages"][0];
    assert!(message.get("html").is_none(), "a listing has no texts");
    let id = message["id"].as_str().unwrap();
    let (_, email) = sandbox.ghl("GET", &format!("conversations/messages/email/{id}"), None);
    assert_eq!(email["message"]["html"], "<p>x</p>");
    // GH-07: right after a send its status is not told.
    sandbox
        .fault(&json!({ "operation": "ghl.get_message", "nth": 1, "kind": "status", "code": 401 }));
    assert_eq!(
        sandbox
            .ghl("GET", &format!("conversations/messages/email/{id}"), None)
            .0,
        401
    );
}

#[test]
fn gh_04_tags_that_are_sent_replace_those_that_are_there() {
    let sandbox = Sandbox::start();
    upsert(
        &sandbox,
        &json!({ "email": "ada@example.com", "tags": ["warm", "customer"] }),
    );
    upsert(
        &sandbox,
        &json!({ "email": "ada@example.com", "firstName": "Ada" }),
    );
    assert_eq!(
        find(&sandbox, "ada@example.com")["tags"],
        json!(["warm", "customer"])
    );
    upsert(
        &sandbox,
        &json!({ "email": "ada@example.com", "tags": ["new"] }),
    );
    assert_eq!(find(&sandbox, "ada@example.com")["tags"], json!(["new"]));
}

#[test]
fn gh_05_who_is_not_to_be_disturbed_gets_nothing() {
    let sandbox = Sandbox::start();
    for kept in [
        json!({ "dnd": true }),
        json!({ "dndSettings": { "Email": { "status": "active" } } }),
    ] {
        let mut contact = json!({ "email": "ada@example.com" });
        contact
            .as_object_mut()
            .unwrap()
            .extend(kept.as_object().unwrap().clone());
        let contact = upsert(&sandbox, &contact)["contact"].clone();
        let (status, answer) = sandbox.ghl("POST", "conversations/messages", Some(&mail(&contact)));
        assert_eq!(status, 400, "{answer}");
        assert!(
            answer["message"]
                .as_str()
                .unwrap()
                .contains("DND is active"),
            "{answer}"
        );
        upsert(
            &sandbox,
            &json!({ "email": "ada@example.com", "dnd": false, "dndSettings": {} }),
        );
    }
    assert_eq!(sandbox.summary("ghl")["deliveries"], 0);
}

#[test]
fn gh_06_too_many_calls_say_how_long_to_wait() {
    let sandbox = Sandbox::start();
    sandbox.fault(&json!({
        "operation": "ghl.find_contact", "nth": 1, "kind": "status", "code": 429, "retry_after": 7,
    }));
    let path = "contacts/search/duplicate?locationId=loc1&email=ada@example.com";
    assert_eq!(sandbox.ghl("GET", path, None).0, 429);
    assert_eq!(sandbox.ghl("GET", path, None).0, 200);
}

#[test]
fn gh_10_a_sender_that_is_no_address_and_another_version_are_refused() {
    let sandbox = Sandbox::start();
    let contact = upsert(&sandbox, &json!({ "email": "ada@example.com" }))["contact"].clone();
    let mut body = mail(&contact);
    body["emailFrom"] = json!("loc1");
    assert_eq!(
        sandbox.ghl("POST", "conversations/messages", Some(&body)).0,
        422
    );
    let headers = [("authorization", "Bearer pit-x"), ("version", "2021-07-28")];
    let (status, _) = sandbox.json(
        "POST",
        "/ghl/conversations/messages",
        &headers,
        Some(&mail(&contact)),
    );
    assert_eq!(status, 400);
}
