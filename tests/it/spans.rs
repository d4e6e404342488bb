//! Spans of OpenTelemetry: what a collector on this machine receives from the real program.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use crate::service::{Service, TOKEN};
use crate::support::Place;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Takes one request and answers it; what it was.
fn collect(mut stream: TcpStream) -> Vec<u8> {
    let (mut whole, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut buffer).unwrap();
        whole.extend_from_slice(&buffer[..read]);
        let head = whole.windows(4).position(|it| it == b"\r\n\r\n");
        let Some(head) = head.map(|at| at + 4) else {
            assert!(read > 0, "the head has no end");
            continue;
        };
        let text = String::from_utf8_lossy(&whole[..head]).to_lowercase();
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.unwrap().trim().parse().unwrap();
        if whole.len() >= head + length {
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            stream.write_all(answer.as_bytes()).unwrap();
            return whole;
        }
        assert!(read > 0, "the body has no end");
    }
}

#[test]
fn a_collector_receives_each_request_below_its_callers_span_and_nobody_in_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, received) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = sender.send(collect(stream));
        }
    });
    let place = Place::new()
        .variable("DASHBOARD_AUTH_TOKEN", TOKEN)
        .variable("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{address}/"))
        .variable("OTEL_SERVICE_NAME", "caio-under-test");
    let mut service = Service::over(place);
    let caller = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let headers = [("X-Dashboard-Token", TOKEN), ("traceparent", &*caller)];
    let path = "/api/leads/kim%40example.com/timeline";
    let reply = service.send("GET", path, &headers, "");
    assert!([200, 404].contains(&reply.status), "{reply:?}");
    assert!(service.end().success());

    // What is left is sent before the process ends.
    let sent = received.recv_timeout(Duration::from_secs(10)).unwrap();
    let holds = |what: &[u8]| sent.windows(what.len()).any(|it| it == what);
    assert!(sent.starts_with(b"POST /v1/traces HTTP/1.1\r\n"));
    for expected in [
        "caio-under-test",
        "GET /api/leads/{",
        "http.response.status_code",
    ] {
        assert!(holds(expected.as_bytes()), "{expected}");
    }
    let trace: Vec<u8> = (0..TRACE.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&TRACE[at..at + 2], 16).unwrap())
        .collect();
    assert!(holds(&trace), "it does not hang below its caller's span");
    for never in ["example.com", "kim", TOKEN] {
        assert!(!holds(never.as_bytes()), "{never}");
    }
}
