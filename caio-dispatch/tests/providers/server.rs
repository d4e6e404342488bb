//! A provider of scripted answers, on a socket of its own.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use caio_core::breaker::BreakerPolicy;
use caio_core::terms::Provider;
use caio_dispatch::providers::{
    Auth, Endpoint, GhlChannel, GhlOptions, HeyReachChannel, HeyReachOptions, Http, HttpOptions,
    InstantlyChannel, InstantlyOptions,
};
use caio_state::conformance::TestClock;
use jiff::SignedDuration;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const KEY: &str = "hunter2";

/// What the server does with one request.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Status and JSON.
    Json(u16, Value),
    /// Status line, headers and body as they are.
    Raw(String),
    /// Takes the request and closes the connection.
    Close,
    /// Takes the request and says nothing.
    Silence,
}

/// A request: `METHOD path`, headers, body.
pub(crate) type Seen = (String, String, Value);

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Answers requests in this order; one more is a fault of the test.
    pub(crate) async fn start(answers: Vec<Answer>) -> Self {
        let mut answers = answers.into_iter();
        Self::serve(move |(call, ..)| match answers.next() {
            Some(answer) => answer,
            None => panic!("one call too many: {call}"),
        })
        .await
    }

    /// Answers each request as `handle` says.
    pub(crate) async fn serve(mut handle: impl FnMut(&Seen) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let log = Arc::clone(&seen);
        tokio::spawn(async move {
            // What is silent stays open for as long as the test runs.
            let mut open = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = read_request(&mut stream).await;
                let answer = handle(&request);
                log.lock().unwrap().push(request);
                let text = match answer {
                    Answer::Json(status, value) => {
                        let body = value.to_string();
                        let length = body.len();
                        format!(
                            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                        )
                    }
                    Answer::Raw(text) => text,
                    Answer::Close => continue,
                    Answer::Silence => {
                        open.push(stream);
                        continue;
                    }
                };
                let _ = stream.write_all(text.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { port, seen }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        self.seen().into_iter().map(|(call, ..)| call).collect()
    }

    pub(crate) fn http(&self, provider: Provider, auth: Auth) -> Http {
        let base = format!("http://127.0.0.1:{}/api", self.port);
        let endpoint = Endpoint::new(provider, &base, auth).unwrap();
        let options = HttpOptions {
            per_second: NonZeroU32::new(1000).unwrap(),
            timeout: Duration::from_millis(400),
            longest_pause: Duration::from_millis(5),
            breaker: BreakerPolicy {
                failures: 4,
                rest: SignedDuration::from_secs(30),
            },
            ..HttpOptions::default()
        };
        Http::new(endpoint, options, TestClock::noon()).unwrap()
    }

    pub(crate) fn instantly(&self) -> InstantlyChannel {
        let http = self.http(Provider::Instantly, Auth::Bearer(KEY.into()));
        let accounts = vec!["ann@example.com".to_owned()];
        let options = InstantlyOptions::new(accounts, "America/Detroit", 5);
        InstantlyChannel::new(http, options)
    }

    pub(crate) fn ghl(&self) -> GhlChannel {
        let http = self.http(Provider::Ghl, Auth::Bearer(KEY.into()));
        GhlChannel::new(http, GhlOptions::new("loc1", "ann@example.com").unwrap())
    }

    pub(crate) fn heyreach(&self) -> HeyReachChannel {
        let http = self.http(Provider::HeyReach, Auth::Header("X-API-KEY", KEY.into()));
        HeyReachChannel::new(http, HeyReachOptions::default())
    }
}

async fn read_request(stream: &mut TcpStream) -> Seen {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_lowercase()
                        .strip_prefix("content-length: ")?
                        .parse()
                        .ok()
                })
                .unwrap_or(0);
            if body.len() >= length {
                let mut words = head.lines().next().unwrap().split(' ');
                let call = format!("{} {}", words.next().unwrap(), words.next().unwrap());
                let body = serde_json::from_str(body).unwrap_or(Value::Null);
                return (call, head.to_lowercase(), body);
            }
        }
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(read > 0, "a request ended early");
        bytes.extend_from_slice(&buffer[..read]);
    }
}
