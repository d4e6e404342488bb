//! Webhooks against the real server: who may send them, what is answered, what they change, and that
//! nothing that was answered is lost, however the process ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};

use crate::service::{Reply, Service, TOKEN};
use crate::support::Place;

const PROVIDERS: [&str; 5] = ["instantly", "heyreach", "ghl", "rb2b", "clay"];
const REPLY: &str = include_str!("../webhooks/instantly_reply.json");
const UNSUBSCRIBE: &str = include_str!("../webhooks/instantly_unsubscribe.json");

/// A place with a key for each provider, and the keys.
fn keyed() -> (Place, Vec<String>) {
    let place = Place::new().variable("DASHBOARD_AUTH_TOKEN", TOKEN);
    let keys = PROVIDERS.map(|provider| {
        let made = place.json(0, &["webhooks", "setup", provider, "--rotate"]);
        made["key"].as_str().unwrap().to_owned()
    });
    (place, keys.to_vec())
}

/// Sends an event with its provider's key, as that provider can.
fn post(service: &Service, path: &str, key: &str, body: &str) -> Reply {
    if path.starts_with("/webhooks/heyreach") || path.starts_with("/webhooks/rb2b") {
        return service.send("POST", &format!("{path}?key={key}"), &[], body);
    }
    let bearer = format!("Bearer {key}");
    service.send("POST", path, &[("Authorization", &bearer)], body)
}

/// The event's id, once it was taken.
fn taken(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["id"].as_str().unwrap().to_owned()
}

/// Where events stand once everything pending was looked at.
fn states(place: &Place) -> Vec<Value> {
    // The same work that the server does by itself, so that nobody has to wait for it.
    place.run(&["webhooks", "replay", "--state", "pending"]);
    let listed = place.json(0, &["webhooks", "list", "--limit", "400"]);
    listed["events"].as_array().unwrap().clone()
}

#[test]
fn without_a_key_every_provider_is_closed_and_with_one_only_its_holder_comes_in() {
    let closed = Service::start();
    for provider in PROVIDERS {
        let path = format!("/webhooks/{provider}");
        let reply = closed.send("POST", &path, &[], REPLY);
        let expected = if provider == "ghl" { 401 } else { 503 };
        assert_eq!(reply.status, expected, "{provider} {reply:?}");
        let health = closed.send("GET", &format!("{path}/health"), &[], "");
        assert_eq!(health.status, 200);
        assert_eq!(
            health.json()["secret_configured"],
            provider == "ghl",
            "{provider}"
        );
    }
    let (place, keys) = keyed();
    let open = Service::over(place);
    for (provider, key) in PROVIDERS.iter().zip(&keys) {
        let path = format!("/webhooks/{provider}");
        for wrong in ["", "x", "whk_", &keys[0][..46]] {
            assert_eq!(
                post(&open, &path, wrong, REPLY).status,
                401,
                "{provider} {wrong}"
            );
        }
        for header in ["X-Instantly-Signature", "X-GHL-Signature", "Authorization"] {
            let reply = open.send("POST", &path, &[(header, "sha256=\u{e9}\u{2603}")], REPLY);
            assert_eq!(reply.status, 401, "{provider} {header}");
            assert!(!reply.body.contains("sha256"), "{}", reply.body);
        }
        // The key of another provider is no key, and a token of the dashboard is none either.
        let other = keys.iter().find(|other| *other != key).unwrap();
        assert_eq!(post(&open, &path, other, REPLY).status, 401, "{provider}");
        assert_eq!(post(&open, &path, TOKEN, REPLY).status, 401, "{provider}");
        assert_eq!(post(&open, &path, key, REPLY).status, 200, "{provider}");
    }
    let by_path = open.send(
        "POST",
        &format!("/webhooks/heyreach/{}", keys[1]),
        &[],
        "{}",
    );
    assert_eq!(by_path.status, 200);
    let log = open.place.read("serve.log");
    assert!(
        keys.iter().all(|key| !log.contains(key)),
        "a key in the log"
    );
    assert!(
        !log.contains("kim@") && !log.contains("Kim@"),
        "an address in the log"
    );
}

#[test]
fn an_opt_out_is_suppressed_when_it_is_answered_and_a_reply_ends_the_sequence() {
    let (place, keys) = keyed();
    let service = Service::over(place);
    let reply = post(&service, "/webhooks/instantly/reply", &keys[0], REPLY);
    let id = taken(&reply);
    assert_eq!(
        reply.json(),
        json!({"status": "received", "event": "reply", "id": id})
    );
    taken(&post(
        &service,
        "/webhooks/instantly/unsubscribe",
        &keys[0],
        UNSUBSCRIBE,
    ));
    let suppressed = service.place.json(0, &["suppress", "list"]);
    assert_eq!(suppressed["suppressed"][0]["value"], "kim@example.com");
    let opened = include_str!("../webhooks/instantly_open.json");
    taken(&post(
        &service,
        "/webhooks/instantly/open",
        &keys[0],
        opened,
    ));
    let events = states(&service.place);
    assert!(
        events.iter().all(|event| event["state"] == "applied"),
        "{events:?}"
    );
    // The same event again is one event.
    assert_eq!(
        taken(&post(&service, "/webhooks/instantly", &keys[0], REPLY)),
        id
    );
    assert_eq!(states(&service.place).len(), 3);
    let shown = service.get(&format!("/api/webhooks/{id}"));
    assert_eq!(
        (&shown["event"]["kind"], &shown["body"]),
        (&json!("replied"), &json!(REPLY))
    );
    assert_eq!(
        service.get("/api/webhooks?state=applied&limit=2")["count"],
        2
    );
    let viewer = service.token("v", "viewer");
    let denied = service.send(
        "GET",
        &format!("/api/webhooks/{id}"),
        &[("X-Dashboard-Token", &viewer)],
        "",
    );
    assert_eq!(denied.status, 403);
}

#[test]
fn what_is_no_event_is_refused_but_rb2b_is_always_content() {
    let (place, keys) = keyed();
    let service = Service::over(place);
    for body in ["", "[]", "null", "\"x\"", "{", "{\"a\":}"] {
        for (provider, key) in PROVIDERS.iter().zip(&keys) {
            let path = format!("/webhooks/{provider}");
            let reply = post(&service, &path, key, body);
            let expected = if *provider == "rb2b" { 200 } else { 400 };
            assert_eq!(reply.status, expected, "{provider} {body} {reply:?}");
        }
    }
    let long = format!("{{\"a\": \"{}\"}}", "x".repeat(256 * 1024));
    assert_eq!(
        post(&service, "/webhooks/clay", &keys[4], &long).status,
        413
    );
    let dead = service
        .place
        .json(0, &["webhooks", "list", "--state", "dead"]);
    assert_eq!(dead["events"].as_array().unwrap().len(), 6);
    let again = [("X-Dashboard-Token", TOKEN)];
    for (body, status) in [
        ("{}", 422),
        ("{\"state\": \"dead\"}", 200),
        ("{\"all\": 1}", 422),
    ] {
        let reply = service.send("POST", "/api/webhooks/replay", &again, body);
        assert_eq!(reply.status, status, "{body} {reply:?}");
    }
}

#[test]
fn ghl_is_known_by_its_signature_over_the_very_bytes() {
    let signer = SigningKey::from_bytes(&[7; 32]);
    let public = STANDARD.encode(signer.verifying_key().as_bytes());
    let place = Place::new()
        .variable("DASHBOARD_AUTH_TOKEN", TOKEN)
        .variable("GHL_WEBHOOK_PUBLIC_KEY", &public);
    let service = Service::over(place);
    let body = r#"{"type": "ContactDndUpdate", "webhookId": "w1", "email": "kim@example.com", "dnd": true}"#;
    let signature = STANDARD.encode(signer.sign(body.as_bytes()).to_bytes());
    let headers = [("X-GHL-Signature", signature.as_str())];
    let changed = body.replace("kim", "lou");
    assert_eq!(
        service
            .send("POST", "/webhooks/ghl", &headers, &changed)
            .status,
        401
    );
    let reply = service.send("POST", "/webhooks/ghl", &headers, body);
    assert_eq!(
        (reply.status, &reply.json()["event"]),
        (200, &json!("unsubscribed"))
    );
    let suppressed = service.place.json(0, &["suppress", "list"]);
    assert_eq!(suppressed["suppressed"].as_array().unwrap().len(), 1);
}

#[test]
fn on_hold_an_unsigned_opt_out_stops_us_and_waits_for_a_person() {
    let (place, keys) = keyed();
    place.expect(2, &["webhooks", "hold", "instantly"]);
    place.expect(
        1,
        &[
            "webhooks",
            "hold",
            "instantly",
            "--until",
            "2020-01-01T00:00:00Z",
        ],
    );
    let clock = Service::start();
    let now = clock.send("GET", "/api/health/live", &[], "").json()["timestamp"].clone();
    let now: jiff::Timestamp = now.as_str().unwrap().parse().unwrap();
    let soon = now
        .checked_add(jiff::SignedDuration::from_hours(2))
        .unwrap();
    place.expect(
        0,
        &[
            "webhooks",
            "hold",
            "instantly",
            "--until",
            &soon.to_string(),
            "--by",
            "kim",
        ],
    );
    let service = Service::over(place);
    let id = taken(&service.send("POST", "/webhooks/instantly", &[], UNSUBSCRIBE));
    assert_eq!(
        service.send("POST", "/webhooks/clay", &[], "{}").status,
        401
    );
    let place = &service.place;
    assert_eq!(states(place)[0]["state"], "held");
    assert!(
        place.json(0, &["suppress", "list"])["suppressed"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    let accepted = place.json(0, &["webhooks", "accept", &id, "--by", "kim"]);
    assert_eq!(accepted["events"][0]["state"], "applied");
    assert_eq!(
        place.json(0, &["suppress", "list"])["suppressed"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    place.expect(0, &["webhooks", "hold", "instantly", "--off"]);
    let overview = place.json(0, &["webhooks", "setup"]);
    assert_eq!(overview["providers"][0]["hold_until"], Value::Null);
    assert!(!overview.to_string().contains(&keys[0]));
}

#[test]
fn a_key_follows_another_without_a_gap_and_is_shown_once() {
    let (place, keys) = keyed();
    let second = place.json(0, &["webhooks", "setup", "clay", "--rotate"]);
    let second = second["key"].as_str().unwrap().to_owned();
    let shown = place.expect(
        0,
        &[
            "webhooks",
            "setup",
            "clay",
            "--url",
            "https://caio.example.com/",
        ],
    );
    assert!(
        shown.out.contains("https://caio.example.com/webhooks/clay"),
        "{}",
        shown.out
    );
    assert!(!shown.out.contains(&second) && shown.out.contains("Bearer KEY"));
    let row = include_str!("../webhooks/clay_row.json");
    let mut service = Service::over(place);
    for key in [&keys[4], &second] {
        assert_eq!(post(&service, "/webhooks/clay", key, row).status, 200);
    }
    service
        .place
        .expect(0, &["webhooks", "setup", "clay", "--retire"]);
    service.restart();
    assert_eq!(post(&service, "/webhooks/clay", &keys[4], row).status, 401);
    assert_eq!(post(&service, "/webhooks/clay", &second, row).status, 200);
}

/// Sends events until the server is gone; answers the ids that were taken.
fn load(
    service: &Arc<Service>,
    key: &str,
    over: &Arc<AtomicBool>,
) -> Vec<std::thread::JoinHandle<Vec<String>>> {
    (0..4)
        .map(|worker| {
            let (service, over, key) = (Arc::clone(service), Arc::clone(over), key.to_owned());
            std::thread::spawn(move || {
                let mut ids = Vec::new();
                for number in 0.. {
                    if over.load(Ordering::SeqCst) {
                        break;
                    }
                    let body = UNSUBSCRIBE.replace("Kim@", &format!("kim{worker}x{number}@"));
                    let bearer = format!("Bearer {key}");
                    let length = body.len();
                    let request = format!(
                        "POST /webhooks/instantly HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                         Authorization: {bearer}\r\nContent-Length: {length}\r\n\r\n{body}"
                    );
                    let Ok(mut stream) = std::net::TcpStream::connect(&service.address) else {
                        break;
                    };
                    let _ = std::io::Write::write_all(&mut stream, request.as_bytes());
                    let mut answer = String::new();
                    let _ = std::io::Read::read_to_string(&mut stream, &mut answer);
                    if answer.starts_with("HTTP/1.1 200") {
                        let body = answer.split_once("\r\n\r\n").unwrap().1;
                        let Ok(body) = serde_json::from_str::<Value>(body) else {
                            continue;
                        };
                        ids.push(body["id"].as_str().unwrap().to_owned());
                    }
                }
                ids
            })
        })
        .collect()
}

#[test]
fn no_event_that_was_answered_is_lost_when_the_process_ends() {
    for signal in ["-TERM", "-KILL"] {
        let (place, keys) = keyed();
        let service = Arc::new(Service::over(place));
        let over = Arc::new(AtomicBool::new(false));
        let workers = load(&service, &keys[0], &over);
        // Some load first; how much does not matter.
        while service.place.json(0, &["webhooks", "list"])["events"]
            .as_array()
            .unwrap()
            .len()
            < 5
        {
            std::thread::sleep(Duration::from_millis(20));
        }
        let id = service.id().to_string();
        let killed = std::process::Command::new("kill")
            .args([signal, &id])
            .status();
        assert!(killed.unwrap().success());
        let answered: Vec<String> = workers
            .into_iter()
            .flat_map(|worker| {
                let ids = worker.join().unwrap();
                over.store(true, Ordering::SeqCst);
                ids
            })
            .collect();
        assert!(answered.len() >= 5, "{signal}");
        let events = states(&service.place);
        for id in &answered {
            let found = events.iter().find(|event| event["id"] == id.as_str());
            assert_eq!(
                found.unwrap_or_else(|| panic!("{signal}: {id}"))["state"],
                "applied"
            );
        }
        let suppressed = service.place.json(0, &["suppress", "list"]);
        assert!(
            suppressed["suppressed"].as_array().unwrap().len() >= answered.len(),
            "{signal}"
        );
    }
}
