//! What answers of providers mean, over real sockets: each line of what may come back.
#![allow(clippy::panic, clippy::unwrap_used, missing_docs)]

mod bad_input;
mod ghl;
mod halt;
mod server;

use std::sync::Arc;

use caio_core::EmailKey;
use caio_core::batch::BatchItem;
use caio_core::terms::{Medium, Provider, Step, Tier};
use caio_dispatch::channel::{Channel, Container, Outcome, Outgoing, Proof};
use caio_dispatch::ledger::{DeliveryState, LedgerEntry};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use server::{Answer, KEY, Server};

fn person(number: usize) -> EmailKey {
    EmailKey::parse(&format!("lead{number}@example.com")).unwrap()
}

fn item(number: usize) -> BatchItem {
    BatchItem {
        draft: format!("d{number}"),
        recipient: person(number),
        medium: Medium::Email,
        provider: Provider::Instantly,
        pool: String::new(),
        tier: Tier::One,
        step: Step::FIRST,
        content: String::new(),
    }
}

fn delivery(number: usize) -> String {
    format!("{number:08x}000000000000000000000000")
}

fn outgoing(number: usize) -> Outgoing {
    Outgoing {
        delivery: delivery(number),
        item: item(number),
        to: format!("Lead{number}@example.com"),
        first_name: "Kim".to_owned(),
        last_name: "Doe".to_owned(),
        company: "Acorn".to_owned(),
        linkedin_url: format!("https://www.linkedin.example/in/kim{number}/"),
        subject: format!("Subject {number}"),
        body: format!("Body {number}"),
    }
}

fn container() -> Container {
    Container {
        name: "caio_t1_20260302_1a2b3c4d".to_owned(),
        provider: Provider::Instantly,
        pool: String::new(),
        tier: Tier::One,
    }
}

fn entry(number: usize) -> LedgerEntry {
    LedgerEntry {
        id: delivery(number),
        batch: "b".to_owned(),
        run: "r".to_owned(),
        container: container(),
        item: item(number),
        state: DeliveryState::Intended,
        receipt: None,
        reason: String::new(),
        reservations: Vec::new(),
        intended_at: "2026-03-02T11:00:00Z".to_owned(),
        settled_at: None,
        sent_at: None,
        followed: false,
        bounced_at: None,
        replied_at: None,
    }
}

fn nothing() -> Answer {
    Answer::Json(200, json!({ "items": [] }))
}

fn campaign(id: &str, status: i64) -> Value {
    json!({
        "id": id, "name": container().name, "status": status, "timestamp_created": id,
        "email_list": ["ann@example.com"],
    })
}

fn lead(id: &str, number: usize, token: &str) -> Value {
    json!({
        "id": id, "email": format!("lead{number}@example.com"), "campaign": "c1",
        "payload": { "caio_delivery": token },
    })
}

fn made() -> Vec<Answer> {
    vec![nothing(), Answer::Json(200, campaign("c1", 0))]
}

fn states(outcomes: &[Outcome]) -> Vec<&'static str> {
    let state = |outcome: &Outcome| match outcome {
        Outcome::Accepted { .. } => "accepted",
        Outcome::NotSent { .. } => "not_sent",
        Outcome::Rejected { .. } => "rejected",
        Outcome::Unknown { .. } => "unknown",
    };
    outcomes.iter().map(state).collect()
}

fn reason(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Accepted { receipt } => receipt,
        Outcome::NotSent { reason }
        | Outcome::Rejected { reason }
        | Outcome::Unknown { reason } => reason,
    }
}

#[tokio::test]
async fn letters_go_into_a_draft_each_with_its_own_words() {
    let mut answers = made();
    // Another order, and a gap.
    answers.push(Answer::Json(
        200,
        json!({ "created_leads": [
        { "index": 2, "id": "l2", "email": "lead2@example.com" },
        { "index": 0, "id": "l0", "email": "lead0@example.com" },
    ], "in_blocklist": 1 }),
    ));
    answers.push(nothing());
    let server = Server::start(answers).await;
    let channel = server.instantly();
    let items: Vec<Outgoing> = (0..3).map(outgoing).collect();
    let outcomes = channel.deliver(&container(), &items).await;
    assert_eq!(states(&outcomes), ["accepted", "rejected", "accepted"]);
    assert_eq!(reason(&outcomes[2]), "l2");
    assert_eq!(
        reason(&outcomes[1]),
        "instantly left it out: 1 on its block list"
    );
    let seen = server.seen();
    let calls: Vec<&str> = seen.iter().map(|(call, ..)| call.as_str()).collect();
    assert_eq!(
        calls[1..],
        [
            "POST /api/campaigns",
            "POST /api/leads/add",
            "POST /api/leads/list"
        ]
    );
    let leads = &seen[2].2["leads"];
    assert_eq!(seen[2].2["campaign_id"], "c1");
    assert_eq!(leads[1]["custom_variables"]["caio_subject"], "Subject 1");
    assert_eq!(leads[1]["custom_variables"]["caio_delivery"], "00000001");
    for (_, head, _) in &seen {
        assert!(
            head.contains("user-agent: caio/") && head.contains("authorization: bearer hunter2")
        );
    }
    assert!(
        !seen[0].1.contains("content-type"),
        "no type without a body"
    );
}

#[tokio::test]
async fn in_01_a_campaign_whose_answer_was_lost_is_found_and_not_made_again() {
    let found = Answer::Json(200, json!({ "items": [campaign("c1", 0)] }));
    let added = json!({ "created_leads": [{ "id": "l0", "email": "lead0@example.com" }] });
    let answers = vec![nothing(), Answer::Close, found, Answer::Json(200, added)];
    let server = Server::start(answers).await;
    let outcomes = server
        .instantly()
        .deliver(&container(), &[outgoing(0)])
        .await;
    assert_eq!(states(&outcomes), ["accepted"]);
    let made = server
        .calls()
        .iter()
        .filter(|call| *call == "POST /api/campaigns")
        .count();
    assert_eq!(made, 1);
}

#[tokio::test]
async fn in_02_of_two_campaigns_of_one_name_the_empty_one_is_removed() {
    let both =
        json!({ "items": [campaign("c2", 0), campaign("c1", 0)], "next_starting_after": "x" });
    let added = json!({ "created_leads": [{ "id": "l0", "email": "lead0@example.com" }] });
    let answers = vec![
        Answer::Json(200, both),
        nothing(),
        nothing(),
        Answer::Json(200, json!({})),
        Answer::Json(200, added),
    ];
    let server = Server::start(answers).await;
    let outcomes = server
        .instantly()
        .deliver(&container(), &[outgoing(0)])
        .await;
    assert_eq!(states(&outcomes), ["accepted"]);
    assert!(
        server
            .calls()
            .contains(&"DELETE /api/campaigns/c2".to_owned())
    );
    assert_eq!(server.seen()[4].2["campaign_id"], "c1");
}

#[tokio::test]
async fn in_22_a_campaign_that_sends_is_paused_and_nothing_is_added_to_it() {
    let answers = vec![
        nothing(),
        Answer::Json(200, campaign("c1", 1)),
        Answer::Json(200, json!({})),
    ];
    let server = Server::start(answers).await;
    let outcomes = server
        .instantly()
        .deliver(&container(), &[outgoing(0)])
        .await;
    assert_eq!(states(&outcomes), ["not_sent"]);
    assert_eq!(server.calls()[2], "POST /api/campaigns/c1/pause");
    assert!(reason(&outcomes[0]).contains("is not a draft"));
}

#[tokio::test]
async fn an_upload_whose_answer_says_nothing_is_looked_up_and_never_counted_as_sent() {
    let plain = |body: &str| {
        let length = body.len();
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
    };
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"created_leads\": [".to_owned();
    let big = plain(&"x".repeat(5 << 20));
    for (answer, says) in [
        (Answer::Close, ""),
        (Answer::Silence, ""),
        (Answer::Raw(plain("<html>")), "no JSON"),
        (Answer::Raw(plain("[1]")), "another shape"),
        (Answer::Raw(half), "ended early"),
        (Answer::Raw(big), "longer than"),
        (Answer::Json(500, json!({ "message": "oops" })), ": oops"),
        (Answer::Json(502, json!({})), "502"),
    ] {
        let found = json!({ "items": [lead("l1", 1, "00000001"), lead("l9", 9, "00000009")] });
        let mut answers = made();
        answers.extend([answer.clone(), Answer::Json(200, found)]);
        let server = Server::start(answers).await;
        let items = [outgoing(0), outgoing(1)];
        let outcomes = server.instantly().deliver(&container(), &items).await;
        assert_eq!(
            states(&outcomes),
            ["unknown", "accepted"],
            "{answer:?}: {outcomes:?}"
        );
        let why = reason(&outcomes[0]);
        assert!(
            why.starts_with("instantly, add leads: ") && why.contains(says),
            "{why}"
        );
        let uploads = server
            .calls()
            .iter()
            .filter(|it| it.ends_with("/leads/add"))
            .count();
        assert_eq!(uploads, 1, "never blindly again");
    }
}

#[tokio::test]
async fn what_the_provider_refuses_was_not_sent_and_its_words_hide_the_key() {
    for status in [400, 401, 402, 403, 422] {
        let mut answers = made();
        let said = json!({ "message": format!("no {KEY} here") });
        answers.push(Answer::Json(status, said));
        let server = Server::start(answers).await;
        let outcomes = server
            .instantly()
            .deliver(&container(), &[outgoing(0)])
            .await;
        assert_eq!(states(&outcomes), ["not_sent"], "{status}");
        let why = reason(&outcomes[0]);
        assert!(
            why.contains("no *** here") && why.contains(&status.to_string()),
            "{why}"
        );
        assert_eq!(server.calls().len(), 3, "not tried again");
    }
}

#[tokio::test]
async fn in_13_too_many_calls_are_waited_for_and_made_again() {
    let busy = |headers: &str| {
        Answer::Raw(format!(
            "HTTP/1.1 429 X\r\n{headers}content-length: 0\r\nconnection: close\r\n\r\n"
        ))
    };
    let added = json!({ "created_leads": [{ "id": "l0", "email": "lead0@example.com" }] });
    let mut answers = made();
    answers.extend([
        busy("retry-after: 3600\r\n"),
        busy(""),
        Answer::Json(200, added),
    ]);
    let server = Server::start(answers).await;
    let outcomes = server
        .instantly()
        .deliver(&container(), &[outgoing(0)])
        .await;
    assert_eq!(states(&outcomes), ["accepted"]);
    let mut answers = made();
    answers.extend([busy(""), busy(""), busy("")]);
    let server = Server::start(answers).await;
    let outcomes = server
        .instantly()
        .deliver(&container(), &[outgoing(0)])
        .await;
    assert_eq!(states(&outcomes), ["not_sent"], "three times and no more");
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_key() {
    let elsewhere = Server::start(vec![]).await;
    let location = format!("location: http://127.0.0.1:{}/\r\n", elsewhere.port);
    let moved =
        format!("HTTP/1.1 307 X\r\n{location}content-length: 0\r\nconnection: close\r\n\r\n");
    let server = Server::start(vec![Answer::Raw(moved)]).await;
    let outcomes = server
        .instantly()
        .deliver(&container(), &[outgoing(0)])
        .await;
    assert_eq!(states(&outcomes), ["not_sent"]);
    assert!(reason(&outcomes[0]).contains("redirects are not followed"));
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn nobody_there_is_not_sent_and_the_breaker_gives_it_a_rest() {
    let server = Server::start(vec![]).await;
    let port = server.port;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let free = closed.local_addr().unwrap().port();
    drop(closed);
    assert_ne!(free, port);
    let gone = Server {
        port: free,
        seen: Arc::default(),
    };
    let channel = gone.instantly();
    let first = channel.deliver(&container(), &[outgoing(0)]).await;
    assert_eq!(states(&first), ["not_sent"]);
    let second = channel.deliver(&container(), &[outgoing(0)]).await;
    assert_eq!(states(&second), ["not_sent"]);
    assert!(
        reason(&second[0]).contains("too many calls failed in a row"),
        "{second:?}"
    );
}

#[tokio::test]
async fn what_is_intended_is_proven_by_the_delivery_that_stands_there() {
    let people = json!({ "items": [lead("l1", 1, "00000001"), lead("l2", 2, "ffffffff")] });
    let found = json!({ "items": [campaign("c1", 0)] });
    let answers = vec![Answer::Json(200, found), Answer::Json(200, people)];
    let server = Server::start(answers).await;
    let entries = [1, 2, 3].map(entry);
    let proofs = server.instantly().reconcile(&entries).await;
    assert_eq!(
        proofs[0],
        Proof::Delivered {
            receipt: "l1".to_owned()
        }
    );
    assert!(matches!(&proofs[1], Proof::Undecided { reason } if reason.contains("another letter")));
    assert_eq!(proofs[2], Proof::NotDelivered);
    let server = Server::start(vec![Answer::Close, Answer::Close, Answer::Close]).await;
    let proofs = server.instantly().reconcile(&entries[..1]).await;
    assert!(matches!(&proofs[0], Proof::Undecided { .. }), "{proofs:?}");
}

#[tokio::test]
async fn in_12_a_cursor_that_goes_nowhere_ends_the_listing() {
    let page = || {
        Answer::Json(
            200,
            json!({ "items": [campaign("c1", 1)], "next_starting_after": "same" }),
        )
    };
    // Twice by status: the page again and again; then the pause, and a listing that says it worked.
    let answers = vec![
        page(),
        page(),
        nothing(),
        Answer::Json(200, json!({})),
        nothing(),
        nothing(),
    ];
    let server = Server::start(answers).await;
    assert_eq!(server.instantly().halt().await, Ok(1));
    assert_eq!(server.calls()[3], "POST /api/campaigns/c1/pause");
}

#[tokio::test]
async fn in_29_a_stop_that_did_not_stop_everything_says_what_still_sends() {
    let mut listings = 0;
    let server = Server::serve(move |(call, ..)| {
        if call.ends_with("/c1/pause") {
            return Answer::Json(400, json!({ "message": "no" }));
        }
        if call.starts_with("POST ") {
            return Answer::Json(200, json!({}));
        }
        listings += 1;
        // Twice by status: before the pauses, and after them.
        match listings {
            1 => Answer::Json(
                200,
                json!({ "items": [campaign("c1", 1), campaign("c2", 4)] }),
            ),
            3 => Answer::Json(200, json!({ "items": [campaign("c1", 1)] })),
            _ => nothing(),
        }
    })
    .await;
    let failed = server.instantly().halt().await.unwrap_err();
    assert!(
        failed.starts_with("instantly: 1 campaigns still send: c1"),
        "{failed}"
    );
    assert!(
        failed.contains("instantly, pause: refused it with 400"),
        "{failed}"
    );
}

#[tokio::test]
async fn hr_01_heyreach_says_what_it_dropped_without_a_word() {
    let lists = || Answer::Json(200, json!({ "items": [] }));
    let made = Answer::Json(200, json!({ "id": 7, "name": container().name }));
    let counts = json!({ "addedLeadsCount": 1, "updatedLeadsCount": 0, "failedLeadsCount": 0 });
    let people = json!({ "items": [{
        "profileUrl": "http://linkedin.example/in/Kim0",
        "customFields": [{ "name": "caio_delivery", "value": "00000000" }],
    }] });
    let answers = vec![
        lists(),
        made,
        Answer::Json(200, counts),
        Answer::Json(200, people),
    ];
    let server = Server::start(answers).await;
    let nameless = Outgoing {
        last_name: String::new(),
        ..outgoing(5)
    };
    let company = Outgoing {
        linkedin_url: "https://linkedin.example/company/acorn".to_owned(),
        ..outgoing(6)
    };
    let items = [outgoing(0), nameless, outgoing(1), company];
    let outcomes = server.heyreach().deliver(&container(), &items).await;
    assert_eq!(
        states(&outcomes),
        ["accepted", "rejected", "rejected", "rejected"]
    );
    assert!(
        reason(&outcomes[3]).contains("is no profile"),
        "{outcomes:?}"
    );
    assert!(reason(&outcomes[1]).contains("without a family name"));
    assert!(
        reason(&outcomes[2]).contains("of 2 it took 1"),
        "{outcomes:?}"
    );
    let seen = server.seen();
    assert_eq!(seen[2].2["leads"].as_array().unwrap().len(), 2);
    assert!(
        seen.iter()
            .all(|(_, head, _)| head.contains("x-api-key: hunter2"))
    );
}

#[tokio::test]
async fn hr_09_a_list_whose_answer_was_lost_is_found_and_not_made_again() {
    let none = Answer::Json(200, json!({ "items": [] }));
    let found = json!({ "items": [{ "id": 7, "name": container().name }] });
    let counts = json!({ "addedLeadsCount": 1, "updatedLeadsCount": 0, "failedLeadsCount": 0 });
    let answers = vec![
        none,
        Answer::Close,
        Answer::Json(200, found),
        Answer::Json(200, counts),
    ];
    let server = Server::start(answers).await;
    let outcomes = server
        .heyreach()
        .deliver(&container(), &[outgoing(0)])
        .await;
    assert_eq!(states(&outcomes), ["accepted"]);
    let made = server
        .calls()
        .iter()
        .filter(|it| it.ends_with("CreateEmptyList"))
        .count();
    assert_eq!(made, 1);
}
