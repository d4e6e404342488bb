//! Live news: tickets work once, and a stream tells what was missed and what happens.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use caio_core::access::Role;
use caio_core::draft::DraftStatus;
use caio_dispatch::access::Tickets;
use caio_dispatch::history::Event;
use caio_state::{StateStoreExt, Txn, TxnId};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::http::live;
use crate::http::testing::{World, nothing};

#[tokio::test]
async fn a_ticket_opens_one_socket() {
    let world = World::new();
    let kim = world.token("kim", Role::Viewer).await;
    let given = world.expect(201, &kim, "/api/ws-ticket", &nothing()).await;
    let text = given["ticket"].as_str().unwrap();
    assert_eq!(given["expires_in"], 30);
    assert!(!world.dump().await.contains(text), "a digest is kept");
    let context = &world.service.context;
    let tickets = Tickets {
        store: &*world.service.store,
        clock: &*context.clock,
        ids: &*context.ids,
    };
    assert_eq!(tickets.take(text).await.unwrap().unwrap().name, "kim");
    assert!(tickets.take(text).await.unwrap().is_none());
    assert!(tickets.take("other").await.unwrap().is_none());
    let plain = world.get(&kim, "/ws").await;
    assert!(plain.status.is_client_error(), "{plain:?}");
}

#[tokio::test]
async fn whoever_comes_back_is_told_all_that_was_missed_however_much() {
    let world = World::new();
    let kim = world.token("kim", Role::Viewer).await;
    let now = world.service.context.clock.now();
    let writes = (0..1203).flat_map(|number| {
        let id = format!("missed{number:04}");
        Event::new(&id, now, "test", "planted", "x")
            .writes()
            .unwrap()
    });
    let txn = Txn {
        id: TxnId("missed".to_owned()),
        guards: Vec::new(),
        writes: writes.collect(),
    };
    world.service.store.commit_surely(&txn).await.unwrap();
    let request = Request::get("/api/events")
        .header("X-Dashboard-Token", &kim)
        .header("Last-Event-ID", "missed0000")
        .body(Body::empty());
    let response = world.app.clone().oneshot(request.unwrap()).await.unwrap();
    let mut body = response.into_body();
    let mut next = async || {
        let frame = body.frame().await.unwrap().unwrap();
        String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()
    };
    let stands = (next().await, next().await);
    assert!(stands.1.contains("event: pending"), "{stands:?}");
    world.service.live.end();
    for number in 1..1203 {
        let told = next().await;
        let id = format!("id: missed{number:04}\n");
        assert!(told.contains(&id), "{id}: {told}");
    }
}

#[tokio::test]
async fn a_stream_begins_with_how_things_stand_and_what_was_missed() {
    let world = World::new();
    let kim = world.token("kim", Role::Approver).await;
    let reject = |id: String| format!("/api/emails/{id}/reject?reason=x&rejection_tag=other");
    let first = world.draft("a@example.com", DraftStatus::Pending).await;
    world.expect(200, &kim, &reject(first), &nothing()).await;
    let seen = world.read(&kim, "/api/history?limit=1").await["events"][0]["id"].clone();
    let missed = world.draft("b@example.com", DraftStatus::Pending).await;
    world
        .expect(200, &kim, &reject(missed.clone()), &nothing())
        .await;
    let request = Request::get("/api/events")
        .header("X-Dashboard-Token", &kim)
        .header("Last-Event-ID", seen.as_str().unwrap())
        .body(Body::empty());
    let response = world.app.clone().oneshot(request.unwrap()).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body();
    let mut next = async || {
        let frame = body.frame().await.unwrap().unwrap();
        String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()
    };
    let stands = (next().await, next().await);
    assert!(
        stands.0.contains("event: stop") && stands.0.contains(r#"{"stopped":false}"#),
        "{stands:?}"
    );
    assert!(
        stands.1.contains("event: pending") && stands.1.contains(r#"{"drafts":0,"batches":0}"#),
        "{stands:?}"
    );
    assert!(
        next().await.contains(&missed),
        "what was missed comes before what happens"
    );
    let fresh = world.draft("c@example.com", DraftStatus::Pending).await;
    world
        .expect(200, &kim, &reject(fresh.clone()), &nothing())
        .await;
    live::look(Arc::clone(&world.service)).await.unwrap();
    let told = next().await;
    assert!(
        told.contains(&fresh) && told.contains("event: event"),
        "{told}"
    );
    world.service.live.end();
}
