//! `caio serve`: the real server on a free port, asked over a plain socket, so that a test can send
//! what no client library would.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::Place;

/// A token of the environment, long enough for production.
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef-planted";

pub(crate) struct Service {
    child: Child,
    pub(crate) address: String,
    pub(crate) place: Place,
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    /// A header's value, or `""`.
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        let found = lines.find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value.trim())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Service {
    /// A server over a fresh embedded store, with [`TOKEN`] as the environment's.
    pub(crate) fn start() -> Self {
        Self::over(Place::new().variable("DASHBOARD_AUTH_TOKEN", TOKEN))
    }

    /// A server in this place.
    pub(crate) fn over(place: Place) -> Self {
        let (child, address) = spawn(&place);
        Self {
            child,
            address,
            place,
        }
    }

    /// Ends the process as the platform does, and starts another one over the same place.
    pub(crate) fn restart(&mut self) {
        self.end();
        (self.child, self.address) = spawn(&self.place);
    }

    /// SIGTERM; answers what the process said when it had ended.
    pub(crate) fn end(&mut self) -> std::process::ExitStatus {
        let id = self.child.id().to_string();
        let status = std::process::Command::new("kill")
            .args(["-TERM", &id])
            .status();
        assert!(status.unwrap().success());
        self.child.wait().unwrap()
    }

    /// Ends the process at once, in the middle of whatever it does, and starts another one.
    pub(crate) fn crash(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        (self.child, self.address) = spawn(&self.place);
    }

    /// A POST with [`TOKEN`].
    pub(crate) fn post(&self, target: &str, body: &Value) -> Reply {
        let headers = [("X-Dashboard-Token", TOKEN)];
        self.send("POST", target, &headers, &body.to_string())
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends these bytes and reads until the server closes.
    pub(crate) fn bytes(&self, request: &[u8]) -> Reply {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_mins(1)))
            .unwrap();
        // A server that has seen enough may close before it has read everything.
        let _ = stream.write_all(request);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|it| it.parse().ok());
        let body = if head.to_lowercase().contains("transfer-encoding: chunked") {
            unchunked(body)
        } else {
            body.to_owned()
        };
        Reply {
            status: status.unwrap_or(0),
            head: head.to_owned(),
            body,
        }
    }

    /// A request with these headers, and a body if it is not empty.
    pub(crate) fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        let mut request = format!("{method} {target} HTTP/1.1\r\nConnection: close\r\n");
        if !headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("host"))
        {
            request.push_str(&format!("Host: {}\r\n", self.address));
        }
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() || matches!(method, "POST" | "PUT" | "DELETE") {
            request.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        request.push_str("\r\n");
        request.push_str(body);
        self.bytes(request.as_bytes())
    }

    /// A GET with [`TOKEN`], expecting 200.
    pub(crate) fn get(&self, target: &str) -> Value {
        let reply = self.send("GET", target, &[("X-Dashboard-Token", TOKEN)], "");
        assert_eq!(reply.status, 200, "GET {target}: {reply:?}");
        reply.json()
    }

    /// A token of this role.
    pub(crate) fn token(&self, name: &str, role: &str) -> String {
        let made = self
            .place
            .json(0, &["token", "create", name, "--role", role]);
        made["secret"].as_str().unwrap().to_owned()
    }

    /// A session of a token's bearer, as the text of a cookie.
    pub(crate) fn log_in(&self, token: &str) -> String {
        let form = format!("token={token}");
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        let reply = self.send("POST", "/login", &headers, &form);
        assert_eq!(reply.status, 303, "{reply:?}");
        let cookie = reply.header("set-cookie");
        for word in ["HttpOnly", "Secure", "SameSite=Strict", "Path=/"] {
            assert!(cookie.contains(word), "{cookie}");
        }
        cookie.split(';').next().unwrap().to_owned()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(place: &Place) -> (Child, String) {
    let mut command = place.command(&["serve", "--port", "0"]);
    let log = std::fs::File::create(place.path("serve.log")).unwrap();
    let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
    let mut line = String::new();
    let stdout = child.stdout.as_mut().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    let Some(address) = line.trim().strip_prefix("http://") else {
        let _ = child.wait();
        panic!("it did not start: {}", place.read("serve.log"));
    };
    (child, address.to_owned())
}

fn unchunked(mut text: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = text.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 || rest.len() < size {
            break;
        }
        whole.push_str(&rest[..size]);
        text = rest[size..].trim_start_matches("\r\n");
    }
    whole
}
