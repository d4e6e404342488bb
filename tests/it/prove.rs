//! What proves a deployment: `caio smoke` on the real service and on services that are wrong in one
//! way each, `caio env check`, `caio preflight`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use serde_json::Value;

use crate::service::{Service, TOKEN};
use crate::support::Place;

/// What a stand-in server answers: status, headers, body.
type Answer = (u16, Vec<(&'static str, String)>, String);

struct Asked {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
}

impl Asked {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(it, _)| it == name)?;
        Some(&found.1)
    }

    fn token(&self) -> Option<&str> {
        let bearer = self
            .header("authorization")
            .and_then(|it| it.strip_prefix("Bearer "));
        self.header("x-dashboard-token").or(bearer)
    }
}

/// Serves until the test ends; one connection at a time is enough.
fn stand_in(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || one(&stream, &*answer));
        }
    });
    format!("http://{address}")
}

fn one(stream: &TcpStream, answer: &dyn Fn(&Asked) -> Answer) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    if reader.read_line(&mut line).is_err() {
        return;
    }
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let (mut headers, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
            break;
        }
        let (name, value) = line.trim().split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or(0);
        }
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let mut body = vec![0; length];
    let _ = reader.read_exact(&mut body);
    let (status, headers, body) = answer(&Asked {
        method,
        path,
        headers,
    });
    let mut text = format!(
        "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    let _ = (&mut &*stream).write_all(format!("{text}\r\n{body}").as_bytes());
}

/// A service that does everything right.
fn right(asked: &Asked) -> Answer {
    let json = |status, body: &str| {
        (
            status,
            vec![("X-Correlation-ID", "id".to_owned())],
            body.to_owned(),
        )
    };
    let path = asked.path.split('?').next().unwrap_or("");
    if asked.method == "OPTIONS" {
        return json(400, "");
    }
    match path {
        "/api/health/ready" => return json(200, r#"{"status":"ready"}"#),
        "/api/health/live" => return json(200, r#"{"status":"alive"}"#),
        _ => {}
    }
    if path.starts_with("/webhooks/") || asked.token() != Some(TOKEN) {
        return json(401, "{}");
    }
    json(200, "{}")
}

fn smoke(base: &str) -> (i32, Value) {
    let place = Place::new().variable("DASHBOARD_AUTH_TOKEN", TOKEN);
    let answer = place.run(&["smoke", "--base-url", base, "--timeout-seconds", "20"]);
    assert!(!answer.out.contains(TOKEN) && !answer.err.contains(TOKEN));
    (answer.code, serde_json::from_str(&answer.out).unwrap())
}

/// Names of the checks that failed.
fn failed(report: &Value) -> Vec<String> {
    let checks = report["checks"].as_array().unwrap();
    let failed = checks.iter().filter(|it| it["passed"] == false);
    failed
        .map(|it| it["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_right_stand_in_passes() {
    let (code, report) = smoke(&stand_in(right));
    assert_eq!((code, failed(&report)), (0, Vec::new()), "{report:#}");
    assert_eq!(report["passed"], true);
}

#[test]
fn a_stand_in_that_is_wrong_in_one_way_fails_by_the_name_of_the_check() {
    type Wrong = fn(&Asked) -> Answer;
    let cases: [(&str, Wrong, &str); 9] = [
        (
            "takes any token",
            |asked| match asked.token() {
                Some(token) if !token.is_empty() && !asked.path.starts_with("/webhooks/") => {
                    right(&Asked {
                        method: asked.method.clone(),
                        path: asked.path.clone(),
                        headers: vec![("x-dashboard-token".to_owned(), TOKEN.to_owned())],
                    })
                }
                _ => right(asked),
            },
            "wrong_token_refused",
        ),
        (
            "404 everywhere",
            |_| (404, Vec::new(), String::new()),
            "protected_status_header_token",
        ),
        (
            "500 everywhere",
            |_| (500, Vec::new(), String::new()),
            "health_ready_unauth",
        ),
        (
            "401 everywhere",
            |_| {
                (
                    401,
                    vec![("X-Correlation-ID", "id".to_owned())],
                    "{}".to_owned(),
                )
            },
            "protected_status_header_token",
        ),
        (
            "200 everywhere",
            |_| {
                (
                    200,
                    vec![("X-Correlation-ID", "id".to_owned())],
                    r#"{"status":"ready"}"#.to_owned(),
                )
            },
            "protected_status_unauth",
        ),
        (
            "an open webhook",
            |asked| match asked.path.as_str() {
                "/webhooks/heyreach" => (200, Vec::new(), "{}".to_owned()),
                _ => right(asked),
            },
            "webhook_heyreach_closed",
        ),
        (
            "any origin",
            |asked| {
                let (status, mut headers, body) = right(asked);
                headers.push(("Access-Control-Allow-Origin", "*".to_owned()));
                (status, headers, body)
            },
            "other_origin_reads_nothing",
        ),
        (
            "no preflight",
            |asked| match asked.method.as_str() {
                "OPTIONS" => (
                    401,
                    vec![("X-Correlation-ID", "id".to_owned())],
                    "{}".to_owned(),
                ),
                _ => right(asked),
            },
            "preflight_answered",
        ),
        (
            "falls to a Host with a path",
            |asked| match asked.header("host") {
                Some(host) if host.contains('/') => (200, Vec::new(), "{}".to_owned()),
                _ => right(asked),
            },
            "host_with_a_path",
        ),
    ];
    for (name, wrong, check) in cases {
        let (code, report) = smoke(&stand_in(wrong));
        assert_eq!(code, 1, "{name}");
        assert!(
            failed(&report).iter().any(|it| it == check),
            "{name}: {:?}",
            failed(&report)
        );
    }
    let changing = std::sync::atomic::AtomicU64::new(0);
    let (code, report) = smoke(&stand_in(move |asked| {
        let (status, headers, body) = right(asked);
        let next = changing.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let body = if asked.path.starts_with("/api/history") {
            format!("{{\"n\":{next}}}")
        } else {
            body
        };
        (status, headers, body)
    }));
    assert_eq!(
        (code, failed(&report)),
        (1, vec!["no_state_changed".to_owned()])
    );
}

#[test]
fn an_address_in_the_clear_or_none_is_usage() {
    let place = Place::new().variable("DASHBOARD_AUTH_TOKEN", TOKEN);
    for base in [
        "http://sales.example.com",
        "sales",
        "https://a.example.com/path",
        "https://u:p@a.example.com",
    ] {
        place.expect(2, &["smoke", "--base-url", base]);
    }
    let gone = place.expect(1, &["smoke", "--base-url", "http://127.0.0.1:1"]);
    assert!(gone.err.contains("protected_status_unauth"), "{}", gone.err);
    // The name of the old script.
    place.expect(1, &["smoke", "auth", "--base-url", "http://127.0.0.1:1"]);
}

#[test]
fn env_check_names_each_mistake_and_shows_no_value() {
    let place = Place::new();
    place.write("bad.env", "ENVIRONMENT=production\nDASHBOARD_AUTH_TOKEN=short-planted\nREDIS_URL=redis://:planted@localhost:6379\nPORT=1\nPORT=2\n");
    let answer = place.expect(
        1,
        &[
            "env",
            "check",
            "--mode",
            "production",
            "--env-file",
            "bad.env",
        ],
    );
    for name in [
        "DASHBOARD_AUTH_TOKEN",
        "REDIS_URL: points to localhost",
        "CAIO_SEAL_KEYS",
        "PORT: stands in the file twice",
        "Result: FAIL",
    ] {
        assert!(answer.out.contains(name), "{name}: {}", answer.out);
    }
    assert!(!answer.out.contains("planted"));
    place.write("good.env", format!("ENVIRONMENT=production\nDASHBOARD_AUTH_TOKEN={TOKEN}\nCORS_ALLOWED_ORIGINS=https://sales.example.com\nREDIS_URL=rediss://:planted@redis.example.com\nSTATE_REDIS_PREFIX=caio-production\nCAIO_ENVIRONMENT=production\nCAIO_SEAL_KEYS=k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\nINSTANTLY_API_KEY=planted\n"));
    let good = place.json(0, &["env", "validate", "--env-file", "good.env"]);
    assert_eq!(
        (good["result"].as_str(), good["mode"].as_str()),
        (Some("PASS"), Some("production"))
    );
    place.expect(2, &["env", "check", "--mode", "prod"]);
    place.expect(2, &["env", "check", "--env-file", "nowhere.env"]);
    let connections = place.json(0, &["env", "check", "--check-connections"]);
    assert_eq!(connections["connections"]["store"], "OK");
}

#[test]
fn every_variable_that_the_program_reads_is_registered() {
    let place = Place::new();
    let known = place.expect(0, &["env", "list", "--json"]).out;
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    let mut folders = vec![std::path::PathBuf::from(source)];
    let mut read = std::collections::BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("sandbox") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|it| it == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                for opening in [
                    "variable(\"",
                    "number(\"",
                    "secret(\"",
                    "environment.get(\"",
                    ".get(\"",
                    "env = \"",
                    "is_on(\"",
                ] {
                    for found in text.split(opening).skip(1) {
                        let name = found.split('"').next().unwrap();
                        if name.len() > 3
                            && name.bytes().all(|it| {
                                it.is_ascii_uppercase() || it.is_ascii_digit() || it == b'_'
                            })
                        {
                            read.insert(name.to_owned());
                        }
                    }
                }
            }
        }
    }
    assert!(read.len() > 15, "{read:?}");
    // Of the system, and one that only builds for tests read.
    let of_the_system = [
        "USER",
        "LOGNAME",
        "LC_ALL",
        "LC_CTYPE",
        "LANG",
        "CAIO_KILL_AT",
    ];
    let missing: Vec<_> = read
        .iter()
        .filter(|it| !known.contains(&format!("\"{it}\"")) && !of_the_system.contains(&it.as_str()))
        .collect();
    assert!(missing.is_empty(), "not in the registry: {missing:?}");
}

#[test]
fn preflight_shows_evidence_for_each_row_and_fails_on_any() {
    let place = Place::new();
    place.expect(0, &["state", "verify"]);
    let answer = place.expect(1, &["preflight", "--mode", "production", "--json"]);
    let report: Value = serde_json::from_str(&answer.out).unwrap();
    let of = |name: &str| {
        let checks = report["checks"].as_array().unwrap();
        checks
            .iter()
            .find(|it| it["check"] == name)
            .cloned()
            .unwrap_or_else(|| panic!("{name}: {report:#}"))
    };
    assert_eq!(of("environment")["passed"], false);
    assert_eq!(of("store verified")["passed"], true);
    assert_eq!(of("audit chain")["passed"], true);
    for layer in 1..=8 {
        let checks = report["checks"].as_array().unwrap();
        let begins = format!("layer {layer} ");
        let found = checks
            .iter()
            .find(|it| it["check"].as_str().unwrap().starts_with(&begins));
        assert!(found.is_some(), "{begins}: {report:#}");
    }
    assert!(
        report["checks"]
            .as_array()
            .unwrap()
            .iter()
            .all(|it| !it["evidence"].as_str().unwrap().is_empty())
    );
    let history = place.expect(0, &["history"]);
    assert!(history.out.contains("preflight.run"));
}

#[test]
fn the_real_service_passes_its_own_smoke_test() {
    let service = Service::start();
    let (code, report) = smoke(&format!("http://{}", service.address));
    assert_eq!((code, failed(&report)), (0, Vec::new()), "{report:#}");
}
