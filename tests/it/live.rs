//! News as they happen: the socket with its tickets, limits and ends, and the stream.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{HandshakeError, Message, WebSocket};

use crate::service::{Service, TOKEN};

type Socket = WebSocket<TcpStream>;

/// Longest wait for something that has to come.
const PATIENCE: Duration = Duration::from_secs(30);

fn ticket(service: &Service, token: &str) -> String {
    ticket_by(service, ("X-Dashboard-Token", token))
}

fn ticket_by(service: &Service, credential: (&str, &str)) -> String {
    let given = service.send("POST", "/api/ws-ticket", &[credential], "");
    assert_eq!(given.status, 201, "{given:?}");
    given.json()["ticket"].as_str().unwrap().to_owned()
}

/// Opens a socket; the status of whatever is no socket.
fn open(service: &Service, ticket: &str, origin: Option<&str>) -> Result<Socket, u16> {
    let mut request = format!("ws://{}/ws?ticket={ticket}", service.address)
        .into_client_request()
        .unwrap();
    if let Some(origin) = origin {
        request
            .headers_mut()
            .insert("origin", origin.parse().unwrap());
    }
    let stream = TcpStream::connect(&service.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    match tungstenite::client(request, stream) {
        Ok((socket, _)) => Ok(socket),
        Err(HandshakeError::Failure(tungstenite::Error::Http(answer))) => {
            Err(answer.status().as_u16())
        }
        Err(error) => panic!("{error}"),
    }
}

/// The next message.
fn hear(socket: &mut Socket) -> Value {
    loop {
        match socket.read().unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Close(frame) => panic!("closed: {frame:?}"),
            _ => {}
        }
    }
}

/// Hears until a message of this kind.
fn hear_of(socket: &mut Socket, kind: &str) -> Value {
    loop {
        let heard = hear(socket);
        if heard["type"] == kind {
            return heard;
        }
    }
}

/// The code with which it is closed, whatever is told before.
fn closed(socket: &mut Socket) -> u16 {
    loop {
        match socket.read().unwrap() {
            Message::Close(Some(frame)) => return frame.code.into(),
            Message::Close(None) => panic!("closed without a code"),
            _ => {}
        }
    }
}

#[test]
fn a_socket_answers_what_it_is_asked_and_closes_with_the_right_code() {
    let service = Service::start();
    let socket = || open(&service, &ticket(&service, TOKEN), None).unwrap();
    let mut good = socket();
    let first = hear(&mut good);
    assert_eq!(first["type"], "health_update", "at once: {first}");
    assert!(
        first["data"]["status"].is_string() && first["data"].get("runtime_dependencies").is_none()
    );
    let say = |socket: &mut Socket, said: &str| socket.send(Message::text(said)).unwrap();
    say(&mut good, r#"{"type": "ping"}"#);
    assert_eq!(hear_of(&mut good, "pong"), json!({ "type": "pong" }));
    say(&mut good, r#"{"type": "pong"}"#);
    say(&mut good, r#"{"type": "refresh"}"#);
    hear_of(&mut good, "health_update");
    let large = format!(r#"{{"type": "{}"}}"#, "x".repeat(4000));
    say(&mut good, &large);
    say(&mut good, r#"{"type": "ping"}"#);
    hear_of(&mut good, "pong");
    for (said, code) in [
        (Message::text("[]"), 1003),
        (Message::text("no json"), 1003),
        (Message::text("\"text\""), 1003),
        (Message::binary(vec![1, 2, 3]), 1003),
        (
            Message::text(format!(r#"{{"type": "{}"}}"#, "x".repeat(4096))),
            1009,
        ),
    ] {
        let mut bad = socket();
        bad.send(said.clone()).unwrap();
        assert_eq!(closed(&mut bad), code, "{said:?}");
    }
}

#[test]
fn d_12_a_socket_needs_a_ticket_that_was_not_used_and_a_page_of_ours() {
    let service = Service::start();
    let used = ticket(&service, TOKEN);
    let mut first = open(&service, &used, None).unwrap();
    hear(&mut first);
    for wrong in [used.as_str(), "", "guess", TOKEN] {
        let mut socket = open(&service, wrong, None).unwrap();
        assert_eq!(closed(&mut socket), 4401, "{wrong}");
    }
    let own = format!("http://{}", service.address);
    for (origin, expected) in [
        ("https://evil.example.com", Some(403)),
        ("null", Some(403)),
        (own.as_str(), None),
        ("http://localhost:3000", None),
    ] {
        let opened = open(&service, &ticket(&service, TOKEN), Some(origin));
        assert_eq!(opened.err(), expected, "{origin}");
    }
    // A plain request is told so in the form of every error.
    let plain = service.send("GET", "/ws", &[], "");
    assert_eq!(
        (plain.status, plain.json()["code"].as_str()),
        (400, Some("live.handshake"))
    );
}

#[test]
fn a_token_that_is_revoked_ends_its_socket_and_its_stream_and_no_others() {
    let service = Service::start();
    let made = service
        .place
        .json(0, &["token", "create", "kim", "--role", "viewer"]);
    let secret = made["secret"].as_str().unwrap();
    let mut of_kim = open(&service, &ticket(&service, secret), None).unwrap();
    let mut other = open(&service, &ticket(&service, TOKEN), None).unwrap();
    hear(&mut of_kim);
    hear(&mut other);
    let mut stream = Stream::open(&service, secret, None);
    stream.hear("stop");
    let id = made["token"]["id"].as_str().unwrap();
    service.place.expect(0, &["token", "revoke", id]);
    assert_eq!(closed(&mut of_kim), 4401);
    assert!(stream.ends(), "the stream goes on");
    other.send(Message::text(r#"{"type": "ping"}"#)).unwrap();
    hear_of(&mut other, "pong");
}

#[test]
fn who_logs_out_hears_no_more_and_who_came_in_otherwise_does() {
    let service = Service::start();
    let (cookie, another) = (service.log_in(TOKEN), service.log_in(TOKEN));
    let by_session = ("Cookie", cookie.as_str());
    let mut socket = open(&service, &ticket_by(&service, by_session), None).unwrap();
    let mut stream = Stream::open_by(&service, by_session, None);
    hear(&mut socket);
    stream.hear("stop");
    let mut other = Stream::open_by(&service, ("Cookie", &another), None);
    let out = service.send("POST", "/logout", &[by_session], "");
    assert_eq!(out.status, 303);
    assert_eq!(closed(&mut socket), 4401);
    assert!(stream.ends(), "the stream goes on");
    service.place.expect(0, &["stop", "--reason", "lunch"]);
    while other.hear("stop").data != json!({ "stopped": true }) {}
}

#[test]
fn as_many_as_there_are_places_may_listen_and_a_place_that_is_left_is_free() {
    let service = Service::start();
    let mut sockets: Vec<Socket> = (0..32)
        .map(|_| open(&service, &ticket(&service, TOKEN), None).unwrap())
        .collect();
    let streams: Vec<Stream> = (0..32)
        .map(|_| Stream::open(&service, TOKEN, None))
        .collect();
    assert_eq!(
        open(&service, &ticket(&service, TOKEN), None).err(),
        Some(503)
    );
    let full = service.send("GET", "/api/events", &[("X-Dashboard-Token", TOKEN)], "");
    assert_eq!((full.status, full.header("retry-after")), (503, "30"));
    assert_eq!(service.send("GET", "/api/health/live", &[], "").status, 200);
    let mut left = sockets.pop().unwrap();
    left.close(None).unwrap();
    while left.read().is_ok() {}
    let again = std::iter::repeat_with(|| open(&service, &ticket(&service, TOKEN), None));
    assert!(
        again.take(1000).any(|it| it.is_ok()),
        "the place stays taken"
    );
    drop(streams);
}

#[test]
fn when_the_service_ends_everybody_is_told() {
    let mut service = Service::start();
    let mut socket = open(&service, &ticket(&service, TOKEN), None).unwrap();
    hear(&mut socket);
    let mut stream = Stream::open(&service, TOKEN, None);
    stream.hear("stop");
    assert!(service.end().success());
    assert_eq!(closed(&mut socket), u16::from(CloseCode::Away));
    assert!(stream.ends());
}

#[test]
fn a_stream_tells_what_another_process_does_and_afterwards_what_was_missed() {
    let service = Service::start();
    let mut stream = Stream::open(&service, TOKEN, None);
    assert_eq!(stream.hear("stop").data, json!({ "stopped": false }));
    assert_eq!(
        stream.hear("pending").data,
        json!({ "drafts": 0, "batches": 0 })
    );
    let add = |who: &str| {
        let args = ["suppress", "add", who, "--reason", "asked by phone"];
        service.place.expect(0, &args);
    };
    add("a@example.com");
    let first = stream.hear("event");
    assert_eq!(first.data["kind"], "suppression.added");
    service.place.expect(0, &["stop", "--reason", "lunch"]);
    // How things stand may be told more than once.
    while stream.hear("stop").data != json!({ "stopped": true }) {}
    drop(stream);
    add("b@example.com");
    let mut again = Stream::open(&service, TOKEN, first.id.as_deref());
    assert_eq!(
        again.hear("stop").data,
        json!({ "stopped": true }),
        "how it stands comes first"
    );
    let mut missed = Vec::new();
    while missed
        .last()
        .is_none_or(|it: &Value| it["kind"] != "suppression.added")
    {
        missed.push(again.hear("event").data);
    }
    assert!(missed.len() >= 2, "the stop was missed as well: {missed:?}");
    assert!(
        missed
            .iter()
            .all(|it| Some(&it["id"]) != first.data.get("id")),
        "{missed:?}"
    );
}

/// A stream of server-sent events.
struct Stream(BufReader<TcpStream>);

#[derive(Debug)]
struct Heard {
    id: Option<String>,
    data: Value,
}

impl Stream {
    fn open(service: &Service, token: &str, last: Option<&str>) -> Self {
        Self::open_by(service, ("X-Dashboard-Token", token), last)
    }

    fn open_by(service: &Service, credential: (&str, &str), last: Option<&str>) -> Self {
        let mut stream = TcpStream::connect(&service.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let last = last.map(|it| format!("Last-Event-ID: {it}\r\n"));
        let request = format!(
            "GET /api/events HTTP/1.1\r\nHost: {}\r\n{}: {}\r\n{}\r\n",
            service.address,
            credential.0,
            credential.1,
            last.unwrap_or_default()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut reader = BufReader::new(stream);
        let mut status = String::new();
        reader.read_line(&mut status).unwrap();
        assert!(status.contains(" 200 "), "{status}");
        Self(reader)
    }

    /// The next event of this name.
    fn hear(&mut self, name: &str) -> Heard {
        let (mut is_it, mut id, mut data) = (false, None, None);
        loop {
            let mut line = String::new();
            assert!(
                self.0.read_line(&mut line).unwrap() > 0,
                "it ended before `{name}`"
            );
            match line.trim_end().split_once(": ") {
                Some(("event", event)) => is_it = event == name,
                Some(("id", text)) => id = Some(text.to_owned()),
                Some(("data", text)) => data = Some(serde_json::from_str(text).unwrap()),
                _ if line.trim_end().is_empty() && is_it && data.is_some() => {
                    return Heard {
                        id,
                        data: data.unwrap(),
                    };
                }
                _ if line.trim_end().is_empty() => (id, data) = (None, None),
                _ => {}
            }
        }
    }

    /// Whether nothing comes any more.
    fn ends(&mut self) -> bool {
        let mut line = String::new();
        loop {
            line.clear();
            match self.0.read_line(&mut line) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
            }
        }
    }
}
