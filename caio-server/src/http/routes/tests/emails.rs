//! The approval queue: what was seen is what is approved, and every answer is true.

use caio_core::access::Role;
use caio_core::draft::DraftStatus;
use serde_json::json;

use crate::http::testing::{World, nothing};

#[tokio::test]
async fn d_04_an_approval_is_for_the_text_that_was_seen_and_only_once() {
    let world = World::new();
    let kim = world.token("kim", Role::Approver).await;
    let id = world.draft("lee@example.com", DraftStatus::Pending).await;
    let queue = world.read(&kim, "/api/pending-emails?_ts=1").await;
    let email = &queue["pending_emails"][0];
    assert_eq!(
        (&email["email_id"], &queue["count"]),
        (&json!(id), &json!(1))
    );
    assert_eq!(
        email["recipient_data"]["title"],
        json!(null),
        "nothing is invented"
    );
    let approve = format!("/api/emails/{id}/approve");

    let refused = world.expect(409, &kim, &approve, &nothing()).await;
    assert_eq!(refused["code"], "approval.unseen");
    assert_eq!(refused["current"]["content"], email["content"]);
    let other = json!({"seen": "0".repeat(64)});
    let refused = world.expect(409, &kim, &approve, &other).await;
    assert_eq!(refused["code"], "draft.changed");
    assert_eq!(refused["current"]["subject"], "Hello");

    let seen = json!({"seen": email["content"], "feedback": "good"});
    let target = format!("{approve}?approver=somebody%20else");
    let approved = world.expect(200, &kim, &target, &seen).await;
    assert_eq!(approved["status"], "approved");
    assert_eq!(approved["approved_by"], "kim");
    assert_eq!(approved["edited"], false);
    let again = world.expect(409, &kim, &approve, &seen).await;
    assert_eq!(again["code"], "draft.wrong_status");
    let shown = world.read(&kim, &format!("/api/drafts/{id}")).await;
    let event = &shown["history"][0];
    assert_eq!(
        (&event["by"], &event["detail"]),
        (&json!("kim"), &json!("good"))
    );
}

#[tokio::test]
async fn an_edit_on_the_way_to_a_yes_is_checked_and_recorded() {
    let world = World::new();
    let kim = world.token("kim", Role::Approver).await;
    let id = world.draft("lee@example.com", DraftStatus::Pending).await;
    let shown = world.read(&kim, &format!("/api/drafts/{id}")).await;
    let approve = format!("/api/emails/{id}/approve");
    let seen = &shown["content"];
    let unfit = json!({"seen": seen, "edited_body": "Hi {{first_name}}"});
    let refused = world.expect(422, &kim, &approve, &unfit).await;
    assert_eq!(refused["code"], "copy.unfit");
    let body = "Hi Lee, shall we talk?\n\nReply STOP to opt out.";
    let edited = json!({"seen": seen, "edited_body": body, "subject": "Hello Lee"});
    let approved = world.expect(200, &kim, &approve, &edited).await;
    assert_eq!(approved["edited"], true);
    let shown = world.read(&kim, &format!("/api/drafts/{id}")).await;
    assert_eq!(shown["draft"]["subject"], "Hello Lee");
    assert_eq!(shown["content"], approved["content"]);
    let kinds: Vec<_> = shown["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["kind"].clone())
        .collect();
    assert!(kinds.contains(&json!("draft.edited")) && kinds.contains(&json!("draft.approved")));
}

#[tokio::test]
async fn a_named_switch_lets_old_callers_approve_and_says_so_in_the_history() {
    let world = World::with(&[("CAIO_APPROVE_WITHOUT_DIGEST", "on")]);
    let kim = world.token("kim", Role::Approver).await;
    let id = world.draft("lee@example.com", DraftStatus::Pending).await;
    world
        .expect(200, &kim, &format!("/api/emails/{id}/approve"), &nothing())
        .await;
    let shown = world.read(&kim, &format!("/api/drafts/{id}")).await;
    assert_eq!(
        shown["history"][0]["detail"],
        "without the hash of what was seen"
    );
}

#[tokio::test]
async fn d_23_only_what_was_not_sent_can_be_rejected_and_a_rejection_says_why() {
    let world = World::new();
    let kim = world.token("kim", Role::Approver).await;
    let viewer = world.token("lou", Role::Viewer).await;
    let id = world.draft("lee@example.com", DraftStatus::Pending).await;
    let reject = format!("/api/emails/{id}/reject");
    world.expect(403, &viewer, &reject, &nothing()).await;
    let refused = world
        .expect(422, &kim, &reject, &json!({"reason": "too long"}))
        .await;
    assert_eq!(refused["code"], "rejection.tag_missing");
    let query = format!("{reject}?reason=too%20long&rejection_tag=length_issue&approver=x");
    let rejected = world.expect(200, &kim, &query, &nothing()).await;
    assert_eq!(rejected["status"], "rejected");
    assert_eq!(rejected["approver"], "kim");
    world.expect(409, &kim, &query, &nothing()).await;
    for (number, status) in [DraftStatus::Claimed, DraftStatus::Done]
        .into_iter()
        .enumerate()
    {
        let id = world.draft(&format!("p{number}@example.com"), status).await;
        for action in ["approve", "reject?reason=x&rejection_tag=other"] {
            let body = json!({"seen": "0".repeat(64)});
            let target = format!("/api/emails/{id}/{action}");
            let body = if action == "approve" { body } else { nothing() };
            world.expect(409, &kim, &target, &body).await;
        }
    }
    world
        .expect(
            404,
            &kim,
            "/api/emails/none/reject?reason=x&rejection_tag=other",
            &nothing(),
        )
        .await;
}
