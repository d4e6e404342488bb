//! Whatever a provider answers: refused with a reason that names provider and call, nothing is said to
//! be sent, nothing is handed over twice, and no key is shown.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use caio_core::terms::Provider;
use caio_dispatch::channel::{Channel, Proof};
use caio_dispatch::providers::{
    Auth, Endpoint, GhlChannel, GhlOptions, HeyReachChannel, HeyReachOptions, Http, HttpOptions,
    InstantlyChannel, InstantlyOptions,
};
use caio_state::conformance::TestClock;
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::server::{Answer, KEY, Server};
use crate::{campaign, container, entry, outgoing, reason, states};

const ALL: [Provider; 3] = [Provider::Ghl, Provider::HeyReach, Provider::Instantly];

fn channel(provider: Provider, http: Http) -> Box<dyn Channel> {
    match provider {
        Provider::Ghl => {
            let options = GhlOptions::new("loc1", "ann@example.com").unwrap();
            Box::new(GhlChannel::new(http, options))
        }
        Provider::HeyReach => Box::new(HeyReachChannel::new(http, HeyReachOptions::default())),
        Provider::Instantly => {
            let accounts = vec!["ann@example.com".to_owned()];
            let options = InstantlyOptions::new(accounts, "America/Detroit", 5);
            Box::new(InstantlyChannel::new(http, options))
        }
    }
}

fn auth(provider: Provider, key: &str) -> Auth {
    match provider {
        Provider::HeyReach => Auth::Header("X-API-KEY", key.into()),
        _ => Auth::Bearer(key.into()),
    }
}

fn ok(body: Value) -> Answer {
    Answer::Json(200, body)
}

/// The answers up to the hand-over, its call and name, and a look afterwards that finds nothing.
fn way(provider: Provider) -> (Vec<Answer>, &'static str, &'static str, Answer) {
    let none = || ok(json!({ "items": [] }));
    match provider {
        Provider::Ghl => {
            let contact = json!({ "contact": { "id": "c0", "email": "lead0@example.com" } });
            let way = vec![ok(contact)];
            let nothing = ok(json!({ "conversations": [] }));
            (
                way,
                "POST /api/conversations/messages",
                "send message",
                nothing,
            )
        }
        Provider::HeyReach => {
            let way = vec![none(), ok(json!({ "id": 7, "name": container().name }))];
            (way, "POST /api/list/AddLeadsToListV2", "add leads", none())
        }
        Provider::Instantly => {
            let way = vec![none(), ok(campaign("c1", 0))];
            (way, "POST /api/leads/add", "add leads", none())
        }
    }
}

fn plain(status: &str, kind: &str, body: &str) -> Answer {
    let length = body.len();
    Answer::Raw(format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    ))
}

/// Answers of which nobody can say what they mean, and what is said of each.
fn senseless() -> Vec<(Answer, &'static str)> {
    let json = |body: Value| plain("200 OK", "application/json", &body.to_string());
    vec![
        (
            plain("200 OK", "text/html", "<!doctype html><p>Hello"),
            "no JSON",
        ),
        (plain("200 OK", "application/json", ""), "another shape"),
        (
            plain("204 No Content", "application/json", ""),
            "another shape",
        ),
        (json(json!([1])), "another shape"),
        (json(json!("ok")), "another shape"),
        (
            json(json!({ "error": format!("not today, {KEY}") })),
            "another shape",
        ),
        (
            json(json!({ "success": false, "errorMessage": "no" })),
            "another shape",
        ),
        (
            json(json!({
                "messageId": 7, "addedLeadsCount": "1", "created_leads": [{ "id": 7, "email": true }],
            })),
            "another shape",
        ),
        (
            json(json!({
                "messageId": "../x", "addedLeadsCount": -1, "created_leads": { "0": {} },
            })),
            "another shape",
        ),
        (
            plain(
                "200 OK",
                "application/json",
                &format!("\"{}\"", "x".repeat(10 << 20)),
            ),
            "longer than",
        ),
        (
            Answer::Raw("HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"id\": [".to_owned()),
            "ended early",
        ),
        (Answer::Raw("SSH-2.0-elsewhere\r\n".to_owned()), ""),
        (Answer::Close, ""),
        (Answer::Silence, ""),
        (plain("500 X", "text/html", "<html>"), "answered 500"),
        (
            plain("503 X", "application/json", "{\"message\": [1]}"),
            "answered 503",
        ),
    ]
}

#[tokio::test]
async fn what_a_hand_over_answers_without_sense_is_unknown_and_never_made_again() {
    for provider in ALL {
        for (answer, says) in senseless() {
            let (way, call, name, nothing) = way(provider);
            let server = Server::start([way, vec![answer.clone(), nothing]].concat()).await;
            let channel = channel(provider, server.http(provider, auth(provider, KEY)));
            let outcomes = channel.deliver(&container(), &[outgoing(0)]).await;
            let shown: String = format!("{provider} {answer:?}").chars().take(200).collect();
            assert_eq!(states(&outcomes), ["unknown"], "{shown}: {outcomes:?}");
            let why = reason(&outcomes[0]);
            assert!(
                why.starts_with(&format!("{provider}, {name}: ")),
                "{shown}: {why}"
            );
            assert!(why.contains(says) && !why.contains(KEY), "{shown}: {why}");
            let handed = server.calls().iter().filter(|it| *it == call).count();
            assert_eq!(handed, 1, "{shown}: never blindly again");
        }
    }
}

#[tokio::test]
async fn what_the_first_question_answers_without_sense_hands_nothing_over() {
    let refusals = [
        (
            Answer::Json(401, json!({ "message": format!("bad key {KEY}") })),
            "refused it with 401",
        ),
        (
            Answer::Json(403, json!({ "errors": { "Leads": [KEY] } })),
            "refused it with 403",
        ),
        (plain("400 X", "text/plain", "no"), "refused it with 400"),
    ];
    for provider in ALL {
        for (answer, says) in senseless().into_iter().chain(refusals.clone()) {
            // Questions are asked three times where nobody knows.
            let server = Server::start(vec![answer.clone(); 3]).await;
            let channel = channel(provider, server.http(provider, auth(provider, KEY)));
            let outcomes = channel.deliver(&container(), &[outgoing(0)]).await;
            let shown: String = format!("{provider} {answer:?}").chars().take(200).collect();
            assert_eq!(states(&outcomes), ["not_sent"], "{shown}: {outcomes:?}");
            let why = reason(&outcomes[0]);
            assert!(why.starts_with(&format!("{provider}, ")), "{shown}: {why}");
            assert!(why.contains(says) && !why.contains(KEY), "{shown}: {why}");
            let first = server.calls()[0].clone();
            assert!(
                server.calls().iter().all(|call| *call == first),
                "{shown}: only asked"
            );
        }
    }
}

#[tokio::test]
async fn what_a_question_afterwards_answers_without_sense_proves_nothing() {
    for provider in ALL {
        for (answer, _) in senseless() {
            let server = Server::start(vec![answer.clone(); 3]).await;
            let channel = channel(provider, server.http(provider, auth(provider, KEY)));
            let proofs = channel.reconcile(&[entry(1)]).await;
            let shown: String = format!("{provider} {answer:?}").chars().take(200).collect();
            let Proof::Undecided { reason } = &proofs[0] else {
                panic!("{shown}: {proofs:?}");
            };
            assert!(
                reason.starts_with(&format!("{provider}, ")),
                "{shown}: {reason}"
            );
            assert!(!reason.contains(KEY), "{shown}: {reason}");
        }
    }
}

/// A server whose certificate nobody has signed, for another name; counts the bytes it could read.
async fn stranger() -> (u16, Arc<AtomicUsize>) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let made =
        rcgen::generate_simple_self_signed(vec!["elsewhere.example.com".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let read = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&read);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let mut bytes = [0; 1024];
                let got = stream.read(&mut bytes).await.unwrap_or(0);
                counter.fetch_add(got, Ordering::SeqCst);
            }
        }
    });
    (port, read)
}

#[tokio::test]
async fn a_certificate_that_does_not_match_gets_no_key_and_no_letter() {
    let (port, read) = stranger().await;
    for provider in ALL {
        let base = format!("https://localhost:{port}/api");
        let endpoint = Endpoint::new(provider, &base, auth(provider, KEY)).unwrap();
        let http = Http::new(endpoint, HttpOptions::default(), TestClock::noon()).unwrap();
        let channel = channel(provider, http);
        let outcomes = channel.deliver(&container(), &[outgoing(0)]).await;
        assert_eq!(states(&outcomes), ["not_sent"], "{provider}: {outcomes:?}");
        let why = reason(&outcomes[0]);
        assert!(why.starts_with(&format!("{provider}, ")), "{why}");
        assert!(why.contains("certificate") && !why.contains(KEY), "{why}");
        assert!(channel.halt().await.is_err() || provider == Provider::Ghl);
        assert!(channel.health().await.is_err());
    }
    assert_eq!(
        read.load(Ordering::SeqCst),
        0,
        "nothing was said to a stranger"
    );
}

#[test]
fn an_address_or_a_key_that_cannot_be_one_is_refused_for_each_provider() {
    for provider in ALL {
        for base in [
            "http://api.example.com",
            "https://kim:pw@api.example.com",
            "api.example.com",
            "",
        ] {
            let refused = Endpoint::new(provider, base, auth(provider, KEY))
                .unwrap_err()
                .to_string();
            assert!(
                refused.starts_with(&format!("{provider}: the base address has to be https")),
                "{refused}"
            );
            assert!(
                !refused.contains(KEY) && !refused.contains("pw"),
                "{refused}"
            );
        }
        for key in ["", " ", "two words", "line\nbreak"] {
            let refused = Endpoint::new(provider, "https://api.example.com", auth(provider, key));
            let refused = refused.unwrap_err().to_string();
            assert_eq!(
                refused,
                format!("{provider}: the API key is empty or holds characters that no key has")
            );
        }
    }
}
