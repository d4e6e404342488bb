//! Paths, preflights, sizes and slowness.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::service::{Service, TOKEN};
use crate::support::Place;

#[test]
fn no_spelling_of_a_path_opens_what_its_plain_form_does_not() {
    let service = Service::start();
    let plain = "/openapi.json";
    let spellings = [
        ("/openapi.json/", 401),
        ("/openapi.json//", 401),
        ("//openapi.json", 404),
        ("//api/x", 404),
        ("/OPENAPI.json", 404),
        ("/openapi%2Ejson", 404),
        ("/%6fpenapi.json", 404),
        ("/./openapi.json", 404),
        ("/api/health/../../openapi.json", 401),
        ("/api/health/..%2f..%2fopenapi.json", 400),
        ("/openapi.json;x", 404),
        ("/openapi.json%00", 400),
        ("/openapi.json%09", 400),
        ("/openapi.json%7f", 400),
        ("/api/x", 401),
        ("/API/x", 404),
        ("/api//x", 401),
        ("/api", 404),
    ];
    assert_eq!(service.send("GET", plain, &[], "").status, 401);
    for (target, expected) in spellings {
        let reply = service.send("GET", target, &[], "");
        assert_eq!(reply.status, expected, "{target}: {reply:?}");
        assert!(
            reply.header("location").is_empty(),
            "{target} leads elsewhere"
        );
    }
    let absolute = service.send("GET", "http://evil.example.com/openapi.json", &[], "");
    assert_eq!(absolute.status, 401);
    let backslash =
        service.bytes(b"GET /openapi\\json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(matches!(backslash.status, 400 | 404), "{backslash:?}");
    let known = service.send("GET", "/api/nothing", &[("X-Dashboard-Token", TOKEN)], "");
    assert_eq!(known.status, 404);
}

#[test]
fn preflights_are_answered_first_and_refusals_can_be_read() {
    let service = Service::start();
    let allowed = ("Origin", "http://localhost:3000");
    let asks = ("Access-Control-Request-Method", "POST");
    let preflight = service.send("OPTIONS", "/api/operator/status", &[allowed, asks], "");
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.header("access-control-allow-origin"), allowed.1);
    for (target, token, status) in [
        ("/api/nothing", "", 401),
        ("/api/nothing", TOKEN, 404),
        ("/openapi.json", TOKEN, 200),
    ] {
        let reply = service.send("GET", target, &[allowed, ("X-Dashboard-Token", token)], "");
        assert_eq!(reply.status, status);
        assert_eq!(reply.header("access-control-allow-origin"), allowed.1);
        assert!(!reply.header("x-correlation-id").is_empty());
    }
    let other = ("Origin", "https://evil.example.com");
    let reply = service.send("GET", "/api/health", &[other], "");
    assert!(reply.header("access-control-allow-origin").is_empty());
    assert!(reply.header("access-control-allow-credentials").is_empty());
    assert_eq!(
        service.send("OPTIONS", "/api/x", &[other, asks], "").status,
        400
    );
}

#[test]
fn any_origin_at_all_is_refused_at_the_start() {
    let place = Place::new()
        .variable("DASHBOARD_AUTH_TOKEN", TOKEN)
        .variable("CORS_ALLOWED_ORIGINS", "https://a.example.com, *");
    let refused = place.run(&["serve", "--port", "0"]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("http.origin"), "{}", refused.err);
}

#[test]
fn ids_of_requests_are_plain_words_or_made_anew() {
    let service = Service::start();
    let answered = |given: &str| {
        let reply = service.send(
            "GET",
            "/api/health/live",
            &[("X-Correlation-ID", given)],
            "",
        );
        reply.header("x-correlation-id").to_owned()
    };
    assert_eq!(answered("case-1.A_b"), "case-1.A_b");
    for forged in ["a b", "a\u{e9}", &"x".repeat(129), "{\"level\":\"ERROR\"}"] {
        assert_eq!(answered(forged).len(), 32);
    }
}

#[test]
fn bodies_are_bounded_and_odd_requests_cost_nothing() {
    let service = Service::start();
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let large = "token=".to_owned() + &"x".repeat(2 << 20);
    let reply = service.send("POST", "/login", &[form], &large);
    assert_eq!(reply.status, 413, "{}", reply.head);
    let kind = reply.header("content-type");
    assert_eq!(kind, "application/problem+json", "{}", reply.head);
    let long = format!(
        "GET /login HTTP/1.1\r\nHost: x\r\nX-A: {}\r\n\r\n",
        "a".repeat(200_000)
    );
    assert!(matches!(
        service.bytes(long.as_bytes()).status,
        0 | 400 | 431
    ));
    for odd in [
        &b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
    ] {
        assert!(matches!(service.bytes(odd).status, 0 | 400 | 404 | 505));
    }
    let invalid = service.send(
        "POST",
        "/login",
        &[("Content-Type", "application/json")],
        "{",
    );
    assert_eq!(invalid.status, 422);
    assert_eq!(service.send("GET", "/api/health/live", &[], "").status, 200);
}

#[test]
fn a_thousand_quiet_connections_keep_nobody_out() {
    let service = Service::start();
    let before = memory(&service);
    let mut quiet: Vec<TcpStream> = Vec::new();
    for _ in 0..1_000 {
        let mut stream = TcpStream::connect(&service.address).unwrap();
        stream
            .write_all(b"GET /api/health/live HTTP/1.1\r\nHost:")
            .unwrap();
        quiet.push(stream);
    }
    for _ in 0..20 {
        assert_eq!(service.send("GET", "/api/health/live", &[], "").status, 200);
    }
    let grown = memory(&service) - before;
    assert!(grown < 64 * 1024, "{grown} kB for 1000 connections");
    // The server ends them; the test would hang here if it kept one for ever.
    let mut last = quiet.pop().unwrap();
    let mut answer = Vec::new();
    let _ = last.read_to_end(&mut answer);
}

/// Resident memory of the server, kB.
fn memory(service: &Service) -> i64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.id())).unwrap();
    let line = status.lines().find(|it| it.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
