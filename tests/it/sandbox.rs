//! `caio sandbox`: the real server on a free port, asked over HTTP.

mod faults;
mod ghl;
mod heyreach;
mod instantly;
mod leads;
mod smtp;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::Request;

use crate::support::Place;

pub(crate) struct Sandbox {
    child: Child,
    line: String,
    pub(crate) base: String,
    agent: Agent,
    _place: Place,
}

/// Status and body of an answer; the error of a connection that gave none.
pub(crate) type Answer = Result<(u16, String), ureq::Error>;

impl Sandbox {
    pub(crate) fn start() -> Self {
        let place = Place::new();
        let mut command = place.command(&["sandbox", "--port", "0"]);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.as_mut().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let base = line.split_once("INSTANTLY_BASE_URL=").unwrap().1;
        let base = base.split_once("/instantly/").unwrap().0.to_owned();
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            // A connection that is kept may be closed by the other side just when it is used.
            .max_idle_connections(0)
            .build()
            .new_agent();
        Self {
            child,
            line,
            base,
            agent,
            _place: place,
        }
    }

    /// Any request; `None` sends neither a body nor a content type of its own.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = match body {
            None => self.agent.run(request.body(()).unwrap()),
            Some(body) => self.agent.run(request.body(body.to_owned()).unwrap()),
        }?;
        let body = response.body_mut().read_to_string()?;
        Ok((response.status().as_u16(), body))
    }

    fn json(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> (u16, Value) {
        let mut headers = headers.to_vec();
        if body.is_some() {
            headers.push(("content-type", "application/json"));
        }
        let body = body.map(Value::to_string);
        let (status, body) = self.send(method, path, &headers, body.as_deref()).unwrap();
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    pub(crate) fn instantly(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let key = [("authorization", "Bearer planted-secret")];
        self.json(method, &format!("/instantly/api/v2/{path}"), &key, body)
    }

    pub(crate) fn heyreach(&self, path: &str, body: &Value) -> (u16, Value) {
        let key = [("x-api-key", "planted-secret")];
        self.json(
            "POST",
            &format!("/heyreach/api/public/{path}"),
            &key,
            Some(body),
        )
    }

    /// At GoHighLevel; the path says which version it asks for.
    pub(crate) fn ghl(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let version = if path.starts_with("contacts") {
            "2021-07-28"
        } else {
            "2021-04-15"
        };
        let headers = [("authorization", "Bearer pit-x"), ("version", version)];
        self.json(method, &format!("/ghl/{path}"), &headers, body)
    }

    pub(crate) fn control(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        self.json(method, &format!("/sandbox/{path}"), &[], body)
    }

    /// Sets one fault.
    pub(crate) fn fault(&self, rule: &Value) {
        let (status, answer) = self.control("POST", "faults", Some(&json!([rule])));
        assert_eq!(status, 200, "{answer}");
    }

    pub(crate) fn switch(&self, switches: &Value) {
        let (status, answer) = self.control("PUT", "switches", Some(switches));
        assert_eq!(status, 200, "{answer}");
    }

    pub(crate) fn smtp_port(&self) -> u16 {
        let port = self.line.trim_end().split_once("SMTP_PORT=").unwrap().1;
        port.parse().unwrap()
    }

    pub(crate) fn summary(&self, provider: &str) -> Value {
        self.control("GET", "summary", None).1[provider].clone()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_listens_on_this_machine_only() {
    for host in ["0.0.0.0", "192.0.2.1", "::", "example.com"] {
        let answer = Place::new().expect(2, &["sandbox", "--port", "0", "--host", host]);
        assert!(answer.err.contains("this machine only"), "{}", answer.err);
        assert!(answer.out.is_empty());
    }
}

#[test]
fn it_prints_one_line_of_variables_and_ends_when_told() {
    let mut sandbox = Sandbox::start();
    let base = &sandbox.base;
    assert_eq!(
        sandbox.line,
        format!(
            "INSTANTLY_BASE_URL={base}/instantly/api/v2 \
             HEYREACH_BASE_URL={base}/heyreach/api/public GHL_BASE_URL={base}/ghl \
             SLACK_WEBHOOK_URL={base}/slack/services/sandbox TWILIO_BASE_URL={base}/twilio \
             SMTP_HOST=127.0.0.1 SMTP_PORT={}\n",
            sandbox.smtp_port()
        )
    );
    let process = sandbox.child.id().to_string();
    assert!(
        Command::new("kill")
            .arg(process)
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(sandbox.child.wait().unwrap().code(), Some(0));
    let mut rest = String::new();
    let stdout = sandbox.child.stdout.as_mut().unwrap();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
}

#[test]
fn a_port_that_is_taken_is_said() {
    let sandbox = Sandbox::start();
    let port = sandbox.base.rsplit(':').next().unwrap();
    let answer = Place::new().expect(1, &["sandbox", "--port", port]);
    assert!(answer.err.contains("[sandbox.listen]"), "{}", answer.err);
}

#[test]
fn the_page_shows_each_letter_as_text_and_runs_nothing() {
    let sandbox = Sandbox::start();
    let mut campaign = instantly::campaign("Spring <b>");
    campaign["sequences"][0]["steps"][0]["variants"][0] = json!({
        "subject": "For {{companyName}}",
        "body": "<p>Hi {{firstName}},</p><p>{{token}} {{nothing}}</p>",
    });
    let id = sandbox.instantly("POST", "campaigns", Some(&campaign)).1["id"].clone();
    let lead = json!({
        "email": "ada@example.com",
        "first_name": "&lt;script>alert(1)&lt;/script>",
        "company_name": "Ada & Co",
        "custom_variables": { "token": "<i>t-1</i>" },
    });
    let body = json!({ "campaign_id": id, "leads": [lead] });
    assert_eq!(
        sandbox.instantly("POST", "leads/add", Some(&body)).1["leads_uploaded"],
        1
    );
    let (status, page) = sandbox.send("GET", "/", &[], None).unwrap();
    assert_eq!(status, 200);
    assert!(page.contains("Spring &lt;b&gt;"), "{page}");
    assert!(page.contains("For Ada &amp; Co"), "{page}");
    assert!(
        page.contains("Hi &lt;script&gt;alert(1)&lt;&#x2f;script&gt;,\n\nt-1"),
        "{page}"
    );
    assert!(page.contains("no value for nothing"), "{page}");
    assert!(!page.contains("<script") && !page.contains("<i>"));
    assert!(!page.contains("src=") && !page.contains("href="));
}

#[test]
fn the_log_holds_every_call_and_no_key() {
    let sandbox = Sandbox::start();
    sandbox.instantly("GET", "workspaces/current", None);
    sandbox.instantly("GET", "nothing/here", None);
    sandbox.heyreach("list/GetAll", &json!({}));
    let (_, log) = sandbox.control("GET", "calls", None);
    assert!(!log.to_string().contains("planted-secret"));
    let calls = log["calls"].as_array().unwrap();
    let seen: Vec<_> = calls
        .iter()
        .map(|call| {
            (
                call["operation"].as_str().unwrap(),
                call["status"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("instantly.get_workspace", 200),
            ("instantly.unknown", 404),
            ("heyreach.list_lists", 200)
        ]
    );
    assert_eq!(calls[0]["headers"]["authorization"], "***");
    assert_eq!(calls[2]["request"], json!({}));
    assert_eq!(
        calls[2]["response"],
        json!({ "totalCount": 0, "items": [] })
    );
}

#[test]
fn calls_at_once_are_taken_one_by_one() {
    let sandbox = Sandbox::start();
    let id = instantly::created(&sandbox, "race");
    let body = json!({ "campaign_id": id, "leads": [{ "email": "ada@example.com" }] });
    let add = || {
        let (_, answer) = sandbox.instantly("POST", "leads/add", Some(&body));
        let count = |name: &str| answer[name].as_u64().unwrap();
        (count("leads_uploaded"), count("duplicated_leads"))
    };
    let counts: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(add)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let uploaded: u64 = counts.iter().map(|(uploaded, _)| uploaded).sum();
    let known: u64 = counts.iter().map(|(_, known)| known).sum();
    assert_eq!((uploaded, known), (1, 7));
    assert_eq!(sandbox.summary("instantly")["deliveries"], 1);
}

#[test]
fn a_foreign_host_name_reaches_nothing() {
    let sandbox = Sandbox::start();
    let (status, _) = sandbox
        .send(
            "GET",
            "/sandbox/state",
            &[("host", "evil.example.com")],
            None,
        )
        .unwrap();
    assert_eq!(status, 403);
}

#[test]
fn reset_empties_everything() {
    let sandbox = Sandbox::start();
    let body = instantly::campaign("one");
    sandbox.instantly("POST", "campaigns", Some(&body));
    sandbox.switch(&json!({ "new_campaign_status": 1 }));
    sandbox.fault(&json!({ "provider": "instantly", "nth": "every", "kind": "reset_before" }));
    sandbox.control("POST", "reset", None);
    assert_eq!(
        sandbox.control("GET", "faults", None).1,
        json!({ "rules": [] })
    );
    assert_eq!(sandbox.control("GET", "calls", None).1["seen"], 0);
    assert_eq!(sandbox.summary("instantly")["containers"], 0);
    let (_, made) = sandbox.instantly("POST", "campaigns", Some(&body));
    assert_eq!(made["status"], 0);
}

#[test]
fn nt_01_slack_answers_in_plain_text_and_its_address_is_not_logged() {
    let sandbox = Sandbox::start();
    let json_type = [("content-type", "application/json")];
    let post = |body: &str| {
        sandbox
            .send(
                "POST",
                "/slack/services/T0/B0/planted",
                &json_type,
                Some(body),
            )
            .unwrap()
    };
    assert_eq!(post(r#"{"text":"alarm"}"#), (200, "ok".to_owned()));
    assert_eq!(post("{"), (400, "invalid_payload".to_owned()));
    assert_eq!(post("{}"), (400, "no_text".to_owned()));
    sandbox.fault(&json!({
        "operation": "slack.post_message", "nth": 1, "kind": "status", "code": 404, "body": "no_active_hooks",
    }));
    assert_eq!(
        post(r#"{"text":"lost"}"#),
        (404, "no_active_hooks".to_owned())
    );
    let (_, state) = sandbox.control("GET", "state", None);
    let messages = state["slack"]["messages"].as_array().unwrap();
    assert_eq!(
        (messages.len(), &messages[0]["message"]["text"]),
        (1, &json!("alarm"))
    );
    let (_, log) = sandbox.control("GET", "calls", None);
    assert_eq!(log["calls"][0]["path"], "/slack/services");
    assert!(!log.to_string().contains("planted"));
}

#[test]
fn nt_02_twilio_takes_a_form_and_knows_no_message_again() {
    let sandbox = Sandbox::start();
    let path = "/twilio/2010-04-01/Accounts/AC0/Messages.json";
    let form = ("content-type", "application/x-www-form-urlencoded");
    let key = ("authorization", "Basic cGxhbnRlZA==");
    let post = |headers: &[(&str, &str)], body: &str| {
        let (status, body) = sandbox.send("POST", path, headers, Some(body)).unwrap();
        (status, serde_json::from_str::<Value>(&body).unwrap())
    };
    let good = "To=%2B12025550100&From=%2B12025550101&Body=alarm+%26+more";
    for _ in 0..2 {
        let (status, answer) = post(&[form, key], good);
        assert_eq!((status, &answer["status"]), (201, &json!("queued")));
    }
    for (headers, body, status, code) in [
        (vec![form], good, 401, 20003),
        (
            vec![form, key],
            "To=12&From=%2B12025550101&Body=x",
            400,
            21211,
        ),
        (vec![form, key], "To=%2B12025550100&Body=x", 400, 21603),
        (
            vec![form, key],
            "To=%2B12025550100&From=%2B12025550101",
            400,
            21602,
        ),
    ] {
        let (answered, answer) = post(&headers, body);
        assert_eq!(
            (answered, &answer["code"]),
            (status, &json!(code)),
            "{body}"
        );
    }
    let (_, state) = sandbox.control("GET", "state", None);
    let messages = state["twilio"]["messages"].as_array().unwrap();
    assert_eq!(
        (messages.len(), &messages[1]["body"]),
        (2, &json!("alarm & more"))
    );
}

#[test]
fn gohighlevel_knows_a_contact_again_but_not_a_message() {
    let sandbox = Sandbox::start();
    let send = |version: &str, path: &str, body: &Value| {
        let headers = [("authorization", "Bearer pit-x"), ("version", version)];
        sandbox.json("POST", path, &headers, Some(body))
    };
    let (old, new) = ("2021-04-15", "2021-07-28");
    let contact = json!({ "locationId": "here", "email": "Ada@Example.com", "tags": ["a"] });
    let (status, first) = send(new, "/ghl/contacts/upsert", &contact);
    assert_eq!((status, &first["new"]), (200, &json!(true)));
    let (_, again) = send(new, "/ghl/contacts/upsert", &contact);
    assert_eq!(again["new"], false);
    assert_eq!(first["contact"]["id"], again["contact"]["id"]);
    assert_eq!(send(old, "/ghl/contacts/upsert", &contact).0, 400);
    let mail = json!({
        "type": "Email", "contactId": first["contact"]["id"], "subject": "s", "html": "<p>x</p>",
    });
    assert_eq!(send(new, "/ghl/conversations/messages", &mail).0, 400);
    for _ in 0..2 {
        assert!(send(old, "/ghl/conversations/messages", &mail).1["messageId"].is_string());
    }
    let summary = sandbox.summary("ghl");
    assert_eq!(
        (&summary["recipients"], &summary["deliveries"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(summary["duplicates"][0]["recipient"], "ada@example.com");
}
