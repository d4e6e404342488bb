//! Batches over HTTP: approved by digest, with the exact bytes at hand.

use caio_core::access::Role;
use caio_core::draft::DraftStatus;
use serde_json::json;

use crate::http::testing::{World, nothing};

#[tokio::test]
async fn d_23_a_batch_is_approved_by_the_digest_that_was_seen_and_says_what_changed() {
    let world = World::new();
    let kim = world.token("kim", Role::Operator).await;
    world.expect(409, &kim, "/api/batches", &nothing()).await;
    world.draft("lee@example.com", DraftStatus::Approved).await;
    let second = world.draft("max@example.com", DraftStatus::Approved).await;
    let made = world
        .expect(201, &kim, "/api/batches", &json!({"limit": 2}))
        .await;
    let id = made["batch"]["id"].as_str().unwrap().to_owned();
    let shown = world.read(&kim, &format!("/api/batches/{id}")).await;
    assert_eq!(shown["messages"].as_array().unwrap().len(), 2);
    assert_eq!(shown["messages"][0]["subject"], "Hello");
    assert_eq!(shown["messages"][0]["changed"], false);

    let approve = format!("/api/batches/{id}/approve");
    let refused = world.expect(409, &kim, &approve, &nothing()).await;
    assert_eq!(refused["code"], "approval.unseen");
    assert_eq!(refused["current"]["digest"], shown["batch"]["digest"]);
    let mut other = shown["batch"].clone();
    other["items"].as_array_mut().unwrap().pop();
    let wrong = json!({"digest": "0".repeat(64), "batch": other});
    let refused = world.expect(409, &kim, &approve, &wrong).await;
    assert_eq!(refused["code"], "batch.digest_differs");
    assert!(
        refused["changes"][0]
            .as_str()
            .unwrap()
            .ends_with("was added"),
        "{refused}"
    );

    // A draft that is rejected meanwhile makes the batch something else than what was seen.
    let reject = format!("/api/emails/{second}/reject?reason=x&rejection_tag=other");
    world.expect(200, &kim, &reject, &nothing()).await;
    let right = json!({"digest": shown["batch"]["digest"], "approved_by": "somebody else"});
    let refused = world.expect(409, &kim, &approve, &right).await;
    assert_eq!(refused["code"], "batch.drafts_changed");
    assert!(refused["detail"].as_str().unwrap().contains(&second));

    world
        .expect(
            200,
            &kim,
            &format!("/api/batches/{id}/reject"),
            &json!({"reason": "old"}),
        )
        .await;
    let made = world.expect(201, &kim, "/api/batches", &nothing()).await;
    let id = made["batch"]["id"].as_str().unwrap().to_owned();
    let approve = format!("/api/batches/{id}/approve");
    let right = json!({"digest": made["batch"]["digest"]});
    let approved = world.expect(200, &kim, &approve, &right).await;
    assert_eq!(approved["status"], "approved");
    assert_eq!(approved["batch"]["seal"]["approved_by"], "kim");
    world.expect(409, &kim, &approve, &right).await;
    let revoke = format!("/api/batches/{id}/revoke");
    let revoked = world
        .expect(200, &kim, &revoke, &json!({"reason": "no"}))
        .await;
    assert_eq!(revoked["status"], "rejected");
    world
        .expect(409, &kim, &revoke, &json!({"reason": "no"}))
        .await;
}

#[tokio::test]
async fn a_bad_request_for_a_batch_is_422_and_makes_none() {
    let world = World::new();
    let kim = world.token("kim", Role::Operator).await;
    world.draft("lee@example.com", DraftStatus::Approved).await;
    let before = world.dump().await;
    for wrong in [
        json!({"motion": "everything"}),
        json!({"tier": 1}),
        json!({"limit": -1}),
        json!({"expires_hours": 0}),
        json!({"expires_hours": u32::MAX}),
        json!({"motoin": "outbound"}),
    ] {
        world.expect(422, &kim, "/api/batches", &wrong).await;
    }
    assert_eq!(world.dump().await, before);
}
