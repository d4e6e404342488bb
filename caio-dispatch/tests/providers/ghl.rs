//! GoHighLevel: the scenarios of what may come back, each over a real socket.

use caio_dispatch::channel::{Channel, Outcome, Outgoing, Proof};
use serde_json::{Value, json};

use crate::server::{Answer, KEY, Server};
use crate::{container, entry, outgoing, reason, states};

fn ok(body: Value) -> Answer {
    Answer::Json(200, body)
}

fn contact(number: usize) -> Value {
    json!({ "id": format!("c{number}"), "email": format!("lead{number}@example.com"), "dnd": false })
}

/// The look-up of a contact that is there.
fn known(number: usize) -> Answer {
    ok(json!({ "contact": contact(number) }))
}

fn nobody() -> Answer {
    ok(json!({ "contact": null }))
}

fn sent() -> Answer {
    let sent = json!({ "conversationId": "v1", "messageId": "m0", "emailMessageId": "e0" });
    Answer::Json(201, sent)
}

fn conversations() -> Answer {
    ok(json!({ "conversations": [{ "id": "v1" }], "total": 1 }))
}

fn messages(messages: &Value, next: bool) -> Answer {
    let last = messages
        .as_array()
        .unwrap()
        .last()
        .map(|it| it["id"].clone());
    ok(json!({ "messages": { "lastMessageId": last, "nextPage": next, "messages": messages } }))
}

/// A message of the listing, sent a minute after the entries of the ledger were intended.
fn listed(id: &str) -> Value {
    json!({ "id": id, "direction": "outbound", "dateAdded": "2026-03-02T11:01:00Z" })
}

fn email(mark: &str, status: &str) -> Answer {
    let body = format!("<div id=\"caio-{mark}\">Body</div>");
    ok(json!({ "id": "m1", "status": status, "body": body }))
}

async fn one(answers: Vec<Answer>) -> (Outcome, Server) {
    let server = Server::start(answers).await;
    let outcomes = server.ghl().deliver(&container(), &[outgoing(0)]).await;
    assert_eq!(outcomes.len(), 1);
    (outcomes[0].clone(), server)
}

/// How often the message was handed over.
fn sends(server: &Server) -> usize {
    let calls = server.calls();
    let is_send = |call: &&String| *call == "POST /api/conversations/messages";
    calls.iter().filter(is_send).count()
}

#[tokio::test]
async fn gh_10_each_operation_asks_for_its_version_and_the_message_is_exact() {
    let made = ok(json!({ "new": true, "contact": contact(0) }));
    let (outcome, server) = one(vec![nobody(), made, sent()]).await;
    assert_eq!(reason(&outcome), "e0");
    let seen = server.seen();
    assert!(seen[0].0.starts_with(
        "GET /api/contacts/search/duplicate?locationId=loc1&email=Lead0%40example.com"
    ));
    for ((_, head, _), version) in seen.iter().zip(["2021-07-28", "2021-07-28", "2021-04-15"]) {
        assert!(head.contains(&format!("version: {version}")), "{head}");
        assert!(head.contains("authorization: bearer hunter2"));
    }
    let (upsert, message) = (&seen[1].2, &seen[2].2);
    assert_eq!(upsert["locationId"], "loc1");
    assert!(upsert.get("tags").is_none(), "tags would be replaced");
    assert_eq!(
        message,
        &json!({
            "type": "Email", "contactId": "c0", "emailFrom": "ann@example.com",
            "emailTo": "Lead0@example.com", "subject": "Subject 0",
            "html": "<div id=\"caio-00000000\">Body 0</div>",
        })
    );
}

#[tokio::test]
async fn gh_04_a_contact_that_is_there_is_left_as_it_is() {
    let (outcome, server) = one(vec![known(0), sent()]).await;
    assert_eq!(reason(&outcome), "e0");
    assert_eq!(
        server.calls().len(),
        2,
        "nothing is written over its tags and names"
    );
}

#[tokio::test]
async fn gh_01_a_contact_of_another_address_is_nobody_to_write_to() {
    let other = ok(json!({ "new": false, "contact": contact(7) }));
    let (outcome, server) = one(vec![nobody(), other, nobody()]).await;
    assert_eq!(states(std::slice::from_ref(&outcome)), ["not_sent"]);
    assert!(
        reason(&outcome).contains("of another address"),
        "{outcome:?}"
    );
    assert_eq!(sends(&server), 0);
    // The look-up itself may answer with somebody else.
    let (outcome, server) = one(vec![known(7), ok(json!({ "contact": contact(0) })), sent()]).await;
    assert_eq!(states(&[outcome]), ["accepted"]);
    assert_eq!(server.seen()[2].2["contactId"], "c0");
}

#[tokio::test]
async fn gh_02_a_refused_contact_that_is_there_all_the_same_is_used() {
    let duplicate = json!({
        "statusCode": 400, "message": "This location does not allow duplicated contacts.",
        "meta": { "contactId": "c9", "matchingField": "email" },
    });
    for refusal in [
        Answer::Json(400, duplicate),
        Answer::Json(
            422,
            json!({ "statusCode": 422, "message": ["property x should not exist"] }),
        ),
    ] {
        let (outcome, server) = one(vec![nobody(), refusal.clone(), known(0), sent()]).await;
        assert_eq!(states(&[outcome]), ["accepted"], "{refusal:?}");
        assert_eq!(
            server.seen()[3].2["contactId"],
            "c0",
            "the one that was found"
        );
        let (outcome, server) = one(vec![nobody(), refusal, nobody()]).await;
        assert_eq!(states(&[outcome]), ["not_sent"]);
        assert_eq!(sends(&server), 0);
    }
}

#[tokio::test]
async fn gh_03_a_message_whose_answer_was_lost_is_found_and_never_sent_again() {
    let there = json!([
        { "id": "m9", "direction": "inbound", "dateAdded": "2026-03-02T12:00:00Z" },
        { "id": "m1", "direction": "outbound", "dateAdded": "2026-03-02T12:00:00Z" },
    ]);
    for lost in [Answer::Close, Answer::Silence, Answer::Json(500, json!({}))] {
        let found = vec![
            known(0),
            lost.clone(),
            conversations(),
            messages(&there, false),
        ];
        let (outcome, server) =
            one([found.clone(), vec![email("00000000", "pending")]].concat()).await;
        assert_eq!(reason(&outcome), "m1", "{lost:?}");
        assert_eq!(sends(&server), 1);
        // Another letter, one without a mark, one that the provider does not show, one that failed.
        let nameless = ok(json!({ "status": "sent", "body": "<p>Hello</p>" }));
        let hidden = Answer::Json(401, json!({ "message": "no" }));
        for answer in [
            email("ffffffff", "sent"),
            nameless,
            hidden,
            email("00000000", "failed"),
        ] {
            let (outcome, server) = one([found.clone(), vec![answer.clone()]].concat()).await;
            assert_eq!(states(&[outcome]), ["unknown"], "{lost:?}, {answer:?}");
            assert_eq!(sends(&server), 1, "never blindly again");
        }
    }
}

#[tokio::test]
async fn gh_05_who_does_not_want_to_be_disturbed_is_not_written_to() {
    for kept in [
        json!({ "dnd": true }),
        json!({ "dndSettings": { "Email": { "status": "active" } } }),
        json!({ "tags": ["do-not-contact"] }),
    ] {
        let mut contact = contact(0);
        contact
            .as_object_mut()
            .unwrap()
            .extend(kept.as_object().unwrap().clone());
        let (outcome, server) = one(vec![ok(json!({ "contact": contact }))]).await;
        assert_eq!(states(&[outcome]), ["rejected"], "{kept}");
        assert_eq!(sends(&server), 0);
    }
    // Turned on between the question and the send.
    let said = json!({ "message": "Cannot send message as DND is active for Email." });
    let (outcome, _) = one(vec![known(0), Answer::Json(400, said)]).await;
    assert_eq!(states(&[outcome]), ["rejected"]);
    let (outcome, _) = one(vec![
        known(0),
        Answer::Json(400, json!({ "message": "emailFrom" })),
    ])
    .await;
    assert_eq!(
        states(&[outcome]),
        ["not_sent"],
        "any other refusal may be put right"
    );
}

#[tokio::test]
async fn gh_06_too_many_calls_are_waited_for_unless_the_day_is_used_up() {
    let busy = |headers: &str| {
        Answer::Raw(format!(
            "HTTP/1.1 429 X\r\n{headers}content-length: 0\r\nconnection: close\r\n\r\n"
        ))
    };
    let (outcome, server) = one(vec![known(0), busy("retry-after: 3600\r\n"), sent()]).await;
    assert_eq!(states(&[outcome]), ["accepted"]);
    assert_eq!(sends(&server), 2);
    let (outcome, server) = one(vec![known(0), busy("x-ratelimit-daily-remaining: 0\r\n")]).await;
    assert_eq!(states(&[outcome]), ["not_sent"]);
    assert_eq!(sends(&server), 1);
}

#[tokio::test]
async fn what_cannot_be_hidden_from_merge_tags_is_refused_before_any_call() {
    let server = Server::start(vec![]).await;
    let item = Outgoing {
        subject: "For {{contact.name}}".to_owned(),
        ..outgoing(0)
    };
    let outcomes = server.ghl().deliver(&container(), &[item]).await;
    assert_eq!(states(&outcomes), ["rejected"]);
    assert!(reason(&outcomes[0]).contains("`{{`"), "{outcomes:?}");
    assert!(server.seen().is_empty());
}

async fn proof(answers: Vec<Answer>) -> Proof {
    let server = Server::start(answers).await;
    let mut proofs = server.ghl().reconcile(&[entry(1)]).await;
    assert!(
        server.calls().iter().all(|call| call.starts_with("GET ")),
        "it only asks"
    );
    proofs.remove(0)
}

#[tokio::test]
async fn what_became_of_a_message_is_proven_by_the_delivery_in_it() {
    let asked = |listed: Value| vec![known(1), conversations(), messages(&listed, false)];
    let with = |listed: Value, more: Vec<Answer>| proof([asked(listed), more].concat());
    let is_undecided = |proof: &Proof, says: &str| {
        assert!(
            matches!(proof, Proof::Undecided { reason } if reason.contains(says)),
            "{proof:?}"
        );
    };
    // GH-09: a message that the provider tried again has another id, and the same text.
    let twice = json!([listed("m1"), listed("m2")]);
    let found = with(
        twice,
        vec![email("ffffffff", "sent"), email("00000001", "delivered")],
    )
    .await;
    assert_eq!(
        found,
        Proof::Delivered {
            receipt: "m2".to_owned()
        }
    );
    assert_eq!(with(json!([]), vec![]).await, Proof::NotDelivered);
    assert_eq!(
        proof(vec![nobody()]).await,
        Proof::NotDelivered,
        "no contact, no message"
    );
    let none = ok(json!({ "conversations": [], "total": 0 }));
    assert_eq!(proof(vec![known(1), none]).await, Proof::NotDelivered);
    let before =
        json!([{ "id": "m1", "direction": "outbound", "dateAdded": "2026-03-02T10:00:00Z" }]);
    assert_eq!(
        with(before, vec![]).await,
        Proof::NotDelivered,
        "older than the intent"
    );
    let failed = with(json!([listed("m1")]), vec![email("00000001", "failed")]).await;
    is_undecided(&failed, "says failed");
    let stripped = ok(json!({ "status": "sent", "body": "Body" }));
    is_undecided(
        &with(json!([listed("m1")]), vec![stripped]).await,
        "whose it is",
    );
    let no_text = ok(json!({ "status": "sent" }));
    is_undecided(
        &with(json!([listed("m1")]), vec![no_text]).await,
        "whose it is",
    );
    // GH-07: right after a send the provider does not say.
    let later = Answer::Json(401, json!({ "message": "later" }));
    is_undecided(
        &with(json!([listed("m1")]), vec![later]).await,
        "ghl, get e-mail: refused it with 401",
    );
    is_undecided(
        &proof(vec![Answer::Close, Answer::Close, Answer::Close]).await,
        "find contact",
    );
    is_undecided(&proof(vec![ok(json!({}))]).await, "another shape");
}

#[tokio::test]
async fn every_page_of_a_conversation_is_looked_through() {
    let pages = vec![
        known(1),
        conversations(),
        messages(&json!([{ "id": "m1", "direction": "inbound" }]), true),
        messages(
            &json!([{ "id": "m2", "meta": { "email": { "messageIds": ["e2"] } } }]),
            false,
        ),
        email("00000001", "sent"),
    ];
    let server = Server::start(pages).await;
    let proofs = server.ghl().reconcile(&[entry(1)]).await;
    assert_eq!(
        proofs,
        [Proof::Delivered {
            receipt: "e2".to_owned()
        }]
    );
    let calls = server.calls();
    assert_eq!(
        calls[3],
        "GET /api/conversations/v1/messages?lastMessageId=m1"
    );
    assert_eq!(calls[4], "GET /api/conversations/messages/email/e2");
    // A cursor that goes nowhere is no end: nothing is proven.
    let same = || messages(&json!([{ "id": "m1", "direction": "inbound" }]), true);
    let proof = proof(vec![known(1), conversations(), same(), same()]).await;
    assert!(
        matches!(&proof, Proof::Undecided { reason } if reason.contains("do not end")),
        "{proof:?}"
    );
}

#[tokio::test]
async fn gh_07_the_status_of_a_message_is_asked_by_its_receipt() {
    let server = Server::start(vec![email("00000000", "opened")]).await;
    let ghl = server.ghl();
    assert_eq!(ghl.status("e0").await.unwrap(), "opened");
    assert!(ghl.status("../contacts").await.is_err());
    assert_eq!(server.calls(), ["GET /api/conversations/messages/email/e0"]);
}

#[tokio::test]
async fn nothing_runs_at_ghl_and_its_health_is_a_question() {
    let server = Server::start(vec![
        conversations(),
        Answer::Json(401, json!({ "message": KEY })),
    ])
    .await;
    let ghl = server.ghl();
    assert_eq!(ghl.halt().await, Ok(0));
    assert_eq!(ghl.health().await, Ok(()));
    let refused = ghl.health().await.unwrap_err();
    assert!(
        refused.contains("401") && !refused.contains(KEY),
        "{refused}"
    );
}
