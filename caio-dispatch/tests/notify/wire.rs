//! The three channels over real sockets: each line of what may come back.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use caio_core::escalation::{AlertChannel, ChannelResult, Level, Told};
use caio_dispatch::notify::{
    AlertState, Notice, Notifier, Notifiers, Security, SlackNotifier, SmtpNotifier, SmtpOptions,
    TwilioNotifier, TwilioOptions,
};
use jiff::{SignedDuration, Timestamp};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::Place;

const SOON: Duration = Duration::from_millis(300);
const SECRET: &str = "planted";

fn notice() -> Notice {
    Notice {
        id: "a1".to_owned(),
        raised_at: Timestamp::UNIX_EPOCH,
        level: Level::Two,
        heading: "Provider Failing".to_owned(),
        title: "instantly is not called".to_owned(),
        text: ".starts with a dot\nand goes on".to_owned(),
        link: None,
    }
}

fn kind(told: &Told) -> &'static str {
    assert!(!told.detail().contains(SECRET), "{told:?}");
    match told {
        Told::Sent { .. } => "sent",
        Told::Later { .. } => "later",
        Told::Refused { .. } => "refused",
        Told::Unknown { .. } => "unknown",
    }
}

/// A server that answers each request with the next text; an empty one closes, `-` says nothing.
async fn http(answers: &[&str]) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let (log, answers) = (Arc::clone(&seen), answers.iter().map(|it| (*it).to_owned()));
    let answers: Vec<String> = answers.collect();
    tokio::spawn(async move {
        let mut open = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 16_384];
            let read = stream.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            log.lock().unwrap().push(request);
            match answer.as_str() {
                "" => {}
                "-" => open.push(stream),
                text => {
                    let (head, body) = text.split_once('|').unwrap();
                    let length = body.len();
                    let text = format!(
                        "HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                    );
                    stream.write_all(text.as_bytes()).await.unwrap();
                    let _ = stream.shutdown().await;
                }
            }
        }
        // What is silent stays open for as long as the test runs.
        std::future::pending::<()>().await;
        drop(open);
    });
    (port, seen)
}

fn slack(port: u16) -> SlackNotifier {
    let hook = format!("http://127.0.0.1:{port}/services/T0/B0/{SECRET}");
    SlackNotifier::within(hook.as_str().into(), SOON).unwrap()
}

fn twilio(port: u16) -> TwilioNotifier {
    let mut options = TwilioOptions::new("AC1", SECRET.into(), "+15550100000", "+15550100001");
    options.base = Some(format!("http://127.0.0.1:{port}"));
    options.timeout = SOON;
    TwilioNotifier::new(options).unwrap()
}

#[tokio::test]
async fn nt_01_slack_says_what_it_did_in_plain_text() {
    let (port, seen) = http(&[
        "200 OK|ok",
        "429 Too Many\r\nretry-after: 7|rate_limited",
        "500 X|rollup_error",
        "-",
        "",
        "404 X|no_active_hooks",
        "410 X|channel_is_archived",
        "200 OK|{\"ok\":false,\"error\":\"channel_not_found\"}",
    ])
    .await;
    let slack = slack(port);
    let mut kinds = Vec::new();
    for _ in 0..8 {
        kinds.push(kind(&slack.notify(&notice()).await));
    }
    assert_eq!(
        kinds,
        [
            "sent", "later", "unknown", "unknown", "unknown", "refused", "refused", "refused"
        ]
    );
    let first = seen.lock().unwrap()[0].clone();
    assert!(
        first.starts_with("POST /services/T0/B0/planted HTTP/1.1"),
        "{first}"
    );
    assert!(first.contains("user-agent: caio/"), "{first}");
    assert!(first.contains("content-type: application/json"), "{first}");
}

#[tokio::test]
async fn slack_that_is_not_there_has_certainly_not_taken_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    assert_eq!(kind(&slack(port).notify(&notice()).await), "later");
    assert_eq!(kind(&twilio(port).notify(&notice()).await), "later");
}

#[tokio::test]
async fn slack_200_429_500_and_a_time_out_through_the_outbox() {
    for (answers, calls, state) in [
        (vec!["200 OK|ok"], 1, AlertState::Delivered),
        (
            vec!["429 X\r\nretry-after: 1|", "200 OK|ok"],
            2,
            AlertState::Delivered,
        ),
        (vec!["500 X|x", "500 X|x", "500 X|x"], 3, AlertState::Dead),
        (vec!["-", "200 OK|ok"], 2, AlertState::Delivered),
        (vec!["404 X|no_active_hooks"], 1, AlertState::Dead),
    ] {
        let (port, seen) = http(&answers).await;
        let notifiers = Notifiers::default().with(Arc::new(slack(port)));
        let place = Place::new();
        place.raise(1).await;
        for _ in 0..5 {
            place.deliver(&notifiers).await;
            place.clock.advance(SignedDuration::from_mins(1));
        }
        assert_eq!(seen.lock().unwrap().len(), calls, "{answers:?}");
        let listed = caio_dispatch::notify::list(&*place.store, None, 5).await;
        let alert = listed.unwrap().remove(0).alert;
        assert_eq!(alert.state, state, "{answers:?}");
        let result = match state {
            AlertState::Delivered => ChannelResult::Sent,
            _ => ChannelResult::Failed,
        };
        assert_eq!(alert.results[&AlertChannel::Slack], result);
        let dump = format!("{alert:?}");
        assert!(!dump.contains(SECRET), "{dump}");
    }
}

#[tokio::test]
async fn nt_02_twilio_says_it_in_codes() {
    let (port, seen) = http(&[
        "201 X|{\"sid\":\"SM1\",\"status\":\"queued\"}",
        "400 X|{\"code\":21610,\"message\":\"unsubscribed planted\",\"status\":400}",
        "429 X|{\"code\":20429,\"status\":429}",
        "401 X|{\"code\":20003,\"status\":401}",
        "-",
        "",
        "500 X|",
    ])
    .await;
    let twilio = twilio(port);
    let mut kinds = Vec::new();
    for _ in 0..7 {
        kinds.push(kind(&twilio.notify(&notice()).await));
    }
    assert_eq!(
        kinds,
        [
            "sent", "refused", "later", "refused", "unknown", "unknown", "unknown"
        ]
    );
    let first = seen.lock().unwrap()[0].clone();
    assert!(
        first.starts_with("POST /2010-04-01/Accounts/AC1/Messages.json HTTP/1.1"),
        "{first}"
    );
    assert!(first.contains("authorization: Basic "), "{first}");
    assert!(
        first.contains("To=%2B15550100001&From=%2B15550100000&Body="),
        "{first}"
    );
    assert!(
        !first.contains(SECRET),
        "it is in the header, packed: {first}"
    );
}

/// What the mail server says at each step; an empty text closes the connection, `-` says nothing.
#[derive(Debug, Clone)]
struct Post {
    ehlo: &'static str,
    auth: &'static str,
    mail: &'static str,
    rcpt: &'static str,
    data: &'static str,
    end: &'static str,
}

const POST: Post = Post {
    ehlo: "250-x\r\n250 AUTH PLAIN LOGIN",
    auth: "235 in",
    mail: "250 ok",
    rcpt: "250 ok",
    data: "354 go",
    end: "250 2.0.0 kept",
};

/// Serves one conversation; every line that was said, and `END` where the message ended.
async fn post(script: Post) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = Arc::clone(&seen);
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (reader, mut writer) = stream.into_split();
        let mut lines = BufReader::new(reader).lines();
        writer.write_all(b"220 x\r\n").await.unwrap();
        let mut in_data = false;
        while let Ok(Some(line)) = lines.next_line().await {
            log.lock().unwrap().push(line.clone());
            let verb = line.split([' ', ':']).next().unwrap_or("").to_uppercase();
            let answer = match (in_data, line.as_str()) {
                (true, ".") => {
                    in_data = false;
                    script.end
                }
                (true, _) => continue,
                (false, _) => match verb.as_str() {
                    "EHLO" => script.ehlo,
                    "AUTH" => script.auth,
                    "MAIL" => script.mail,
                    "RCPT" => script.rcpt,
                    "DATA" => {
                        in_data = script.data.starts_with('3');
                        script.data
                    }
                    "QUIT" => "221 bye",
                    _ => "500 what",
                },
            };
            match answer {
                "" => return,
                "-" => std::future::pending().await,
                text => writer
                    .write_all(format!("{text}\r\n").as_bytes())
                    .await
                    .unwrap(),
            }
        }
    });
    (port, seen)
}

fn smtp(port: u16) -> SmtpOptions {
    let mut options =
        SmtpOptions::new("127.0.0.1", port, "caio@example.com", "ann@example.com").unwrap();
    options.timeouts = (SOON, SOON);
    options
}

#[tokio::test]
async fn a_mail_is_handed_over_whole_and_its_dots_survive() {
    let (port, seen) = post(POST).await;
    let options = smtp(port).login("kim", SECRET.into());
    let told = SmtpNotifier::new(options).unwrap().notify(&notice()).await;
    assert_eq!(kind(&told), "sent", "{told:?}");
    let seen = seen.lock().unwrap().clone();
    let said = |text: &str| seen.iter().any(|line| line == text);
    assert!(said("MAIL FROM:<caio@example.com>"), "{seen:?}");
    assert!(said("RCPT TO:<ann@example.com>"), "{seen:?}");
    assert!(said("Message-ID: <a1@example.com>"), "{seen:?}");
    assert!(
        said("Subject: [caio, level 2] instantly is not called"),
        "{seen:?}"
    );
    assert!(said("..starts with a dot"), "stuffed on the way: {seen:?}");
}

#[tokio::test]
async fn nt_03_each_step_of_a_mail_server_may_fail() {
    let cases: [(&str, Post, &str); 11] = [
        (
            "no such recipient",
            Post {
                rcpt: "550 5.1.1 nobody",
                ..POST
            },
            "refused",
        ),
        (
            "greylisted",
            Post {
                rcpt: "451 4.7.1 later",
                ..POST
            },
            "later",
        ),
        (
            "sender refused",
            Post {
                mail: "550 5.7.1 policy",
                ..POST
            },
            "refused",
        ),
        (
            "wrong password",
            Post {
                auth: "535 5.7.8 wrong",
                ..POST
            },
            "refused",
        ),
        (
            "no data now",
            Post {
                data: "421 closing",
                ..POST
            },
            "later",
        ),
        (
            "dropped before the message",
            Post { data: "", ..POST },
            "later",
        ),
        (
            "silent before the message",
            Post { mail: "-", ..POST },
            "later",
        ),
        (
            "refused after the message",
            Post {
                end: "554 5.7.0 spam",
                ..POST
            },
            "refused",
        ),
        (
            "later after the message",
            Post {
                end: "452 4.3.1 full",
                ..POST
            },
            "later",
        ),
        (
            "dropped after the message",
            Post { end: "", ..POST },
            "unknown",
        ),
        (
            "silent after the message",
            Post { end: "-", ..POST },
            "unknown",
        ),
    ];
    for (what, script, expected) in cases {
        let (port, _) = post(script).await;
        let options = smtp(port).login("kim", SECRET.into());
        let told = SmtpNotifier::new(options).unwrap().notify(&notice()).await;
        assert_eq!(kind(&told), expected, "{what}: {told:?}");
    }
}

#[tokio::test]
async fn nt_03_without_starttls_nothing_is_said_in_plain_text() {
    let (port, seen) = post(POST).await;
    let options = smtp(port).login("kim", SECRET.into());
    let options = options.secured(Security::StartTls).unwrap();
    let told = SmtpNotifier::new(options).unwrap().notify(&notice()).await;
    assert_eq!(kind(&told), "refused", "{told:?}");
    assert!(told.detail().contains("no STARTTLS"), "{told:?}");
    let seen = seen.lock().unwrap().clone();
    let harmless = |line: &String| line.starts_with("EHLO") || line == "QUIT";
    assert!(seen.iter().all(harmless), "{seen:?}");
}

#[tokio::test]
async fn nt_03_a_certificate_that_is_none_sends_nothing() {
    let starttls = Post {
        ehlo: "250-x\r\n250 STARTTLS",
        ..POST
    };
    // The server says 500 to STARTTLS, or would speak no TLS after it.
    let (port, seen) = post(starttls).await;
    let options = smtp(port).secured(Security::StartTls).unwrap();
    let told = SmtpNotifier::new(options).unwrap().notify(&notice()).await;
    assert_ne!(kind(&told), "sent", "{told:?}");
    let (tls_port, _) = post(POST).await;
    let options = smtp(tls_port).secured(Security::Tls).unwrap();
    let told = SmtpNotifier::new(options).unwrap().notify(&notice()).await;
    assert_eq!(kind(&told), "later", "{told:?}");
    let seen = seen.lock().unwrap().clone();
    assert!(
        !seen.iter().any(|line| line.starts_with("MAIL")),
        "{seen:?}"
    );
}
