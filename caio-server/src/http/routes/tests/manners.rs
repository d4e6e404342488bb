//! What is the same on every route: errors, repeated requests, pages.

use axum::body::Body;
use axum::http::{Method, Request};
use caio_core::access::Role;
use caio_core::draft::DraftStatus;
use serde_json::{Value, json};

use crate::http::testing::{World, nothing};

/// A request that is right in form for every POST that asks who calls.
fn posts(draft: &str, batch: &str, digest: &str) -> Vec<(&'static str, String, Value)> {
    let filled = |path: &'static str, body: Value| {
        let target = path
            .replace("{email_id}", draft)
            .replace("{batch_id}", batch)
            .replace("{campaign_id}", "5f0c4a2e-0000-4000-8000-000000000000")
            .replace(
                "{id}",
                if path.contains("/batches/") {
                    batch
                } else if path.contains("/drafts/") {
                    draft
                } else {
                    "none"
                },
            );
        (path, target, body)
    };
    vec![
        filled("/api/alerts/{id}/acknowledge", nothing()),
        filled("/api/batches", nothing()),
        filled("/api/batches/{id}/approve", json!({ "digest": digest })),
        filled("/api/batches/{id}/revoke", json!({ "reason": "no" })),
        filled("/api/batches/{id}/reject", json!({ "reason": "no" })),
        filled("/api/cadence/sync", nothing()),
        filled("/api/clay-callback", json!({ "request_id": "r1" })),
        filled("/api/drafts/{id}/edit", json!({ "subject": "Hello again" })),
        filled("/api/drafts/{id}/reopen", nothing()),
        filled(
            "/api/emails/{email_id}/approve",
            json!({ "seen": "0".repeat(64) }),
        ),
        filled(
            "/api/emails/{email_id}/reject",
            json!({ "reason": "x", "rejection_tag": "other" }),
        ),
        filled("/api/errors/frontend", json!({ "message": "x" })),
        filled("/api/instantly/campaigns/{campaign_id}/activate", nothing()),
        filled("/api/instantly/emergency-stop", nothing()),
        filled("/api/leads/bootstrap", nothing()),
        filled("/api/leads/detect-decay", nothing()),
        filled("/api/ledger/reconcile", nothing()),
        filled(
            "/api/ledger/{id}/resolve",
            json!({ "outcome": "not_sent", "reason": "x" }),
        ),
        filled(
            "/api/operator/approve-batch/{batch_id}",
            json!({ "digest": digest }),
        ),
        filled(
            "/api/operator/reject-batch/{batch_id}",
            json!({ "reason": "x" }),
        ),
        filled(
            "/api/operator/trigger",
            json!({ "dry_run": false, "motion": "outbound" }),
        ),
        filled("/api/resume", nothing()),
        filled("/api/scorecard/refresh", nothing()),
        filled("/api/stop", json!({ "reason": "x" })),
        filled("/api/suppressions", json!({ "who": "out@example.com" })),
        filled(
            "/api/suppressions/remove",
            json!({ "who": "out@example.com", "reason": "asked to" }),
        ),
        filled("/api/tokens", json!({ "name": "lee", "role": "viewer" })),
        filled("/api/tokens/{id}/revoke", nothing()),
        filled("/api/webhooks/replay", json!({ "state": "dead" })),
        filled("/api/webhooks/{id}/accept", nothing()),
        filled("/api/webhooks/{id}/dismiss", nothing()),
        filled("/api/webhooks/{id}/replay", nothing()),
        filled("/api/ws-ticket", nothing()),
    ]
}

/// Where no second time may be shown to happen: the number of events, and the answer.
async fn again(
    world: &World,
    root: &str,
    target: &str,
    key: &str,
    body: &Value,
) -> (u16, bool, String) {
    let request = Request::post(target)
        .header("X-Dashboard-Token", root)
        .header("Idempotency-Key", key)
        .body(Body::from(body.to_string()));
    let reply = world.send(request.unwrap()).await;
    let is_again = reply.headers.contains_key("idempotency-replayed");
    (reply.status.as_u16(), is_again, reply.body)
}

#[tokio::test]
async fn every_post_takes_a_key_and_happens_once_under_it() {
    let world = World::new();
    let root = world.token("root", Role::Admin).await;
    world.draft("lee@example.com", DraftStatus::Approved).await;
    world.expect(201, &root, "/api/batches", &nothing()).await;
    world.draft("new@example.com", DraftStatus::Approved).await;
    let draft = world.draft("ann@example.com", DraftStatus::Pending).await;
    let batches = world.read(&root, "/api/batches").await;
    let batch = &batches["batches"][0];
    let text = |member: &str| batch[member].as_str().unwrap().to_owned();
    let document = serde_json::to_value(crate::http::openapi()).unwrap();
    let mut named = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        if item["post"]["security"][0].get("token").is_some() {
            let parameters = item["post"]["parameters"].as_array().into_iter().flatten();
            let mut keys = parameters.filter(|it| it["name"] == "Idempotency-Key");
            assert!(
                keys.next().is_some(),
                "{path} does not say that it takes a key"
            );
            named.push(path.as_str());
        }
    }
    let posts = posts(&draft, &text("id"), &text("digest"));
    let mut tried: Vec<&str> = posts.iter().map(|(path, _, _)| *path).collect();
    tried.sort_unstable();
    named.sort_unstable();
    assert_eq!(tried, named, "a route is missing in this test");
    let mut done = 0;
    for (number, (path, target, body)) in posts.iter().enumerate() {
        let key = format!("k{number}");
        let first = again(&world, &root, target, &key, body).await;
        assert!(!first.1, "{path}: {first:?}");
        let before = world.dump().await;
        let second = again(&world, &root, target, &key, body).await;
        let holds_a_secret = matches!(*path, "/api/tokens" | "/api/ws-ticket");
        match first.0 {
            200..=299 if holds_a_secret => assert_eq!(second.0, 409, "{path}: {second:?}"),
            200..=299 => {
                assert_eq!(
                    (second.0, second.1, &second.2),
                    (first.0, true, &first.2),
                    "{path}"
                );
                assert_eq!(world.dump().await, before, "{path} happened again");
                done += 1;
            }
            // What was refused leaves the key free, and is refused again.
            _ => assert_eq!(
                (second.0, second.1),
                (first.0, false),
                "{path}: {first:?} {second:?}"
            ),
        }
    }
    assert!(done >= 15, "{done} routes did something");
}

#[tokio::test]
async fn every_error_is_a_problem_document_with_the_old_members_beside_it() {
    let world = World::new();
    let root = world.token("root", Role::Admin).await;
    let viewer = world.token("lee", Role::Viewer).await;
    let large = "x".repeat((1 << 20) + 1);
    let ask = async |method: Method, target: &str, token: &str, body: &str| {
        let request = Request::builder().method(method).uri(target);
        let request = request
            .header("X-Dashboard-Token", token)
            .body(Body::from(body.to_owned()));
        world.send(request.unwrap()).await
    };
    for (status, method, target, token, body) in [
        (400, Method::GET, "/api/drafts/a%2fb", root.as_str(), ""),
        (401, Method::GET, "/api/drafts", "wrong", ""),
        (403, Method::POST, "/api/stop", viewer.as_str(), "{}"),
        (404, Method::GET, "/api/nothing", root.as_str(), ""),
        (404, Method::GET, "/api/drafts/none", root.as_str(), ""),
        (405, Method::PUT, "/api/drafts", root.as_str(), ""),
        (409, Method::POST, "/api/batches", root.as_str(), "{}"),
        (
            413,
            Method::POST,
            "/api/stop",
            root.as_str(),
            large.as_str(),
        ),
        (422, Method::GET, "/api/drafts?limit=0", root.as_str(), ""),
        (422, Method::POST, "/api/stop", root.as_str(), "[]"),
        (503, Method::POST, "/webhooks/clay", root.as_str(), "{}"),
    ] {
        let reply = ask(method.clone(), target, token, body).await;
        assert_eq!(
            reply.status.as_u16(),
            status,
            "{method} {target}: {reply:?}"
        );
        assert_eq!(
            reply.headers["content-type"], "application/problem+json",
            "{method} {target}"
        );
        let problem = reply.json();
        let code = problem["code"].as_str().unwrap();
        assert_eq!(problem["type"], format!("urn:caio:problem:{code}"));
        assert_eq!(problem["status"], status);
        assert!(
            problem["detail"].is_string() && problem["detail"] == problem["error"],
            "{problem}"
        );
        if status == 405 {
            assert_eq!(reply.headers["allow"], "GET,HEAD");
        }
    }
}

#[tokio::test]
async fn a_body_that_says_that_it_is_too_large_is_refused_as_any_other_error() {
    let world = World::new();
    let root = world.token("root", Role::Admin).await;
    let before = world.dump().await;
    for (target, token) in [("/api/stop", root.as_str()), ("/login", "")] {
        let request = Request::post(target)
            .header("X-Dashboard-Token", token)
            .header("Content-Length", (1 << 20) + 1)
            .body(Body::from(json!({ "reason": "x" }).to_string()));
        let reply = world.send(request.unwrap()).await;
        assert_eq!(reply.status.as_u16(), 413, "{target}: {reply:?}");
        assert_eq!(reply.headers["content-type"], "application/problem+json");
        assert_eq!(reply.json()["code"], "request.body", "{target}");
    }
    assert_eq!(world.dump().await, before, "it happened");
}

#[tokio::test]
async fn every_list_with_a_cursor_comes_in_pages_that_leave_nothing_out() {
    let world = World::new();
    let root = world.token("root", Role::Admin).await;
    for number in 0..5 {
        let pending = format!("p{number}@example.com");
        world.draft(&pending, DraftStatus::Pending).await;
        let approved = format!("a{number}@example.com");
        world.draft(&approved, DraftStatus::Approved).await;
        world
            .expect(201, &root, "/api/batches", &json!({ "limit": 1 }))
            .await;
        let out = json!({ "who": format!("out{number}@example.com") });
        world.expect(201, &root, "/api/suppressions", &out).await;
    }
    let document = serde_json::to_value(crate::http::openapi()).unwrap();
    let mut paged = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let parameters = item["get"]["parameters"].as_array().into_iter().flatten();
        if !parameters.clone().any(|it| it["name"] == "cursor") {
            continue;
        }
        let list = |answer: &Value| -> Vec<Value> {
            let mut lists = answer
                .as_object()
                .unwrap()
                .values()
                .filter_map(Value::as_array);
            lists.next().cloned().unwrap_or_default()
        };
        let whole = world.read(&root, &format!("{path}?limit=500")).await;
        assert!(whole.get("next").is_none_or(Value::is_null), "{path}");
        let (mut pieces, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = world
                .read(&root, &format!("{path}?limit=2&cursor={cursor}"))
                .await;
            assert!(list(&page).len() <= 2, "{path}");
            pieces.extend(list(&page));
            match page["next"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break,
            }
        }
        assert_eq!(pieces, list(&whole), "{path}");
        // Nothing is delivered here; the page's own test has entries.
        assert!(
            pieces.len() >= 5 || path == "/api/ledger",
            "{path}: {}",
            pieces.len()
        );
        let wrong = world.get(&root, &format!("{path}?cursor=!")).await;
        assert_eq!(wrong.status.as_u16(), 422, "{path}");
        paged += 1;
    }
    assert!(paged >= 6, "{paged}");
}
