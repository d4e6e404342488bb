//! The sandbox's mail server, spoken to as a client does.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::Sandbox;

struct Talk {
    reader: BufReader<TcpStream>,
    stream: TcpStream,
}

impl Talk {
    fn with(sandbox: &Sandbox) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", sandbox.smtp_port())).unwrap();
        let reader = BufReader::new(stream.try_clone().unwrap());
        let mut talk = Self { reader, stream };
        assert_eq!(talk.answer(), 220);
        talk
    }

    /// The code of a reply; 0 when the connection was closed.
    fn answer(&mut self) -> u16 {
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line).unwrap_or(0) == 0 {
                return 0;
            }
            if line.as_bytes().get(3) == Some(&b' ') {
                return line[..3].parse().unwrap();
            }
        }
    }

    fn say(&mut self, line: &str) -> u16 {
        let _ = self.stream.write_all(format!("{line}\r\n").as_bytes());
        self.answer()
    }

    fn begin(&mut self) {
        for (line, code) in [
            ("EHLO me", 250),
            ("MAIL FROM:<a@example.com>", 250),
            ("RCPT TO:<b@example.com>", 250),
            ("DATA", 354),
        ] {
            assert_eq!(self.say(line), code, "{line}");
        }
    }
}

fn kept(sandbox: &Sandbox) -> Vec<Value> {
    let state = sandbox.control("GET", "state", None).1;
    state["smtp"]["messages"].as_array().unwrap().clone()
}

#[test]
fn a_message_is_kept_as_it_was_written_with_its_dots() {
    let sandbox = Sandbox::start();
    let mut talk = Talk::with(&sandbox);
    talk.begin();
    let text = "Subject: <b>dots</b>\r\n\r\none\r\n..two\r\n...\r\n.";
    assert_eq!(talk.say(text), 250);
    assert_eq!(talk.say("QUIT"), 221);
    let kept = kept(&sandbox);
    assert_eq!(kept[0]["body"], "one\r\n.two\r\n..\r\n");
    assert_eq!(kept[0]["to"], json!(["b@example.com"]));
    let (_, page) = sandbox.send("GET", "/", &[], None).unwrap();
    assert!(
        page.contains("&lt;b&gt;dots") && !page.contains("<b>dots"),
        "shown as text"
    );
}

#[test]
fn commands_come_in_order_and_within_bounds() {
    let sandbox = Sandbox::start();
    let mut talk = Talk::with(&sandbox);
    for (line, code) in [
        ("MAIL FROM:<a@example.com>", 503),
        ("HELO", 501),
        ("EHLO me", 250),
        ("RCPT TO:<b@example.com>", 503),
        ("DATA", 503),
        ("MAIL FROM:a", 501),
        ("MAIL FROM:<>", 250),
        ("RCPT TO:<b@example.com>", 250),
        ("RSET", 250),
        ("DATA", 503),
        ("STARTTLS", 502),
        ("NOOP", 250),
        ("VRFY b", 500),
        ("AUTH CRAM-MD5", 504),
        ("AUTH PLAIN AGsAd3Jvbmc=", 535),
        ("AUTH PLAIN AGsAcGxhbnRlZA==", 235),
    ] {
        assert_eq!(talk.say(line), code, "{line}");
    }
    let log = sandbox.control("GET", "calls", None).1.to_string();
    assert!(!log.contains("AGsAcGxhbnRlZA"), "{log}");
    assert_eq!(talk.say(&"x".repeat(4_000)), 500);
    let mut big = Talk::with(&sandbox);
    big.begin();
    let line = format!("{}\r\n", "y".repeat(998));
    assert_eq!(big.say(&format!("{}.", line.repeat(1_100))), 552);
    assert!(kept(&sandbox).is_empty());
}

#[test]
fn nt_03_it_fails_on_request_at_each_step() {
    let sandbox = Sandbox::start();
    let refuse = |operation: &str, code: u16| {
        let rule = json!({ "operation": operation, "nth": 1, "kind": "status", "code": code, "body": "5.0.0 as asked" });
        sandbox.fault(&rule);
    };
    refuse("smtp.rcpt", 550);
    let mut talk = Talk::with(&sandbox);
    assert_eq!(talk.say("EHLO me"), 250);
    assert_eq!(talk.say("MAIL FROM:<a@example.com>"), 250);
    assert_eq!(talk.say("RCPT TO:<b@example.com>"), 550);
    refuse("smtp.message", 451);
    let mut talk = Talk::with(&sandbox);
    talk.begin();
    assert_eq!(talk.say("x\r\n."), 451);
    sandbox.fault(&json!({ "operation": "smtp.message", "nth": 1, "kind": "reset_after" }));
    let mut talk = Talk::with(&sandbox);
    talk.begin();
    assert_eq!(talk.say("x\r\n."), 0, "closed");
    assert_eq!(kept(&sandbox).len(), 1, "after it was kept");
    for kind in ["cut_json", "html", "content_type"] {
        let rule = json!([{ "provider": "smtp", "nth": 1, "kind": kind }]);
        assert_eq!(
            sandbox.control("POST", "faults", Some(&rule)).0,
            400,
            "{kind}"
        );
    }
}
