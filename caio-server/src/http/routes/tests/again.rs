//! `Idempotency-Key`: what is sent again happens once.

use axum::body::Body;
use axum::http::Request;
use caio_core::access::Role;
use caio_core::draft::DraftStatus;
use serde_json::json;

use crate::http::testing::{Reply, World};

async fn post(world: &World, token: &str, target: &str, key: &str, body: &str) -> Reply {
    let request = Request::post(target)
        .header("X-Dashboard-Token", token)
        .header("Idempotency-Key", key)
        .body(Body::from(body.to_owned()));
    world.send(request.unwrap()).await
}

#[tokio::test]
async fn d_04_a_request_under_a_key_happens_once_and_is_answered_as_the_first_time() {
    let world = World::new();
    let kim = world.token("kim", Role::Operator).await;
    let lee = world.token("lee", Role::Operator).await;
    world.draft("a@example.com", DraftStatus::Approved).await;
    world.draft("b@example.com", DraftStatus::Approved).await;
    let body = r#"{"limit": 1}"#;
    let first = post(&world, &kim, "/api/batches", "k1", body).await;
    assert_eq!(first.status, 201, "{first:?}");
    let again = post(&world, &kim, "/api/batches", "k1", body).await;
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.headers["content-type"], "application/json");
    let batches = world.read(&kim, "/api/batches").await;
    assert_eq!(batches["batches"].as_array().unwrap().len(), 1);

    let other = post(&world, &kim, "/api/batches", "k1", r#"{"limit": 2}"#).await;
    assert_eq!(other.status, 422);
    assert_eq!(other.json()["code"], "idempotency.other_request");
    let elsewhere = post(&world, &kim, "/api/leads/bootstrap", "k1", "").await;
    assert_eq!(elsewhere.status, 422);
    // Somebody else's key is another key.
    let lees = post(&world, &lee, "/api/batches", "k1", body).await;
    assert_eq!(lees.status, 201, "{lees:?}");
}

#[tokio::test]
async fn what_was_refused_leaves_the_key_free() {
    let world = World::new();
    let kim = world.token("kim", Role::Operator).await;
    let wrong = post(
        &world,
        &kim,
        "/api/suppressions",
        "k",
        r#"{"who": "gmail.com"}"#,
    )
    .await;
    assert_eq!(wrong.status, 422);
    let right = post(
        &world,
        &kim,
        "/api/suppressions",
        "k",
        r#"{"who": "example.org"}"#,
    )
    .await;
    assert_eq!(right.status, 201, "{right:?}");
    let long = "k".repeat(256);
    for key in ["", long.as_str()] {
        let refused = post(&world, &kim, "/api/suppressions", key, "{}").await;
        assert_eq!(refused.json()["code"], "idempotency.key");
    }
}

#[tokio::test]
async fn an_answer_that_holds_a_secret_is_not_kept() {
    let world = World::new();
    let root = world.token("root", Role::Admin).await;
    let body = json!({"name": "lee", "role": "viewer"}).to_string();
    let made = post(&world, &root, "/api/tokens", "k", &body).await;
    assert_eq!(made.status, 201);
    let again = post(&world, &root, "/api/tokens", "k", &body).await;
    assert_eq!(again.json()["code"], "idempotency.not_kept");
    let secret = made.json()["secret"].as_str().unwrap().to_owned();
    assert!(!world.dump().await.contains(&secret));
    let tokens = world.read(&root, "/api/tokens").await;
    assert_eq!(tokens["tokens"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn requests_at_the_same_time_under_one_key_happen_once() {
    let world = World::new();
    let kim = world.token("kim", Role::Operator).await;
    for number in 0..4 {
        world
            .draft(&format!("p{number}@example.com"), DraftStatus::Approved)
            .await;
    }
    let one = || post(&world, &kim, "/api/batches", "same", r#"{"limit": 1}"#);
    let (a, b, c, d) = tokio::join!(one(), one(), one(), one());
    let replies = [a, b, c, d];
    for reply in &replies {
        assert!(matches!(reply.status.as_u16(), 201 | 409), "{reply:?}");
    }
    let made: Vec<&str> = replies
        .iter()
        .filter(|it| it.status == 201)
        .map(|it| it.body.as_str())
        .collect();
    assert!(!made.is_empty() && made.iter().all(|it| *it == made[0]));
    let batches = world.read(&kim, "/api/batches").await;
    assert_eq!(batches["batches"].as_array().unwrap().len(), 1);
}
