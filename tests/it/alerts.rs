//! `caio alerts` and what raises them: the real binary, told to the sandbox's Slack, Twilio and mail server.

use serde_json::{Value, json};

use crate::delivery;
use crate::sandbox::Sandbox;
use crate::service::{Service, TOKEN};
use crate::support::Place;

/// A place whose alerts go to the sandbox: `s`lack, `t`ext messages, `m`ail.
fn told(place: Place, sandbox: &Sandbox, channels: &str) -> Place {
    let base = &sandbox.base;
    let mut place = place.variable(
        "DASHBOARD_URL",
        "https://caio.example.com/sales?token=planted",
    );
    if channels.contains('s') {
        let hook = format!("{base}/slack/services/T0/B0/planted");
        place = place.variable("SLACK_WEBHOOK_URL", &hook);
    }
    if channels.contains('t') {
        place = place
            .variable("TWILIO_BASE_URL", &format!("{base}/twilio"))
            .variable("TWILIO_ACCOUNT_SID", "AC1")
            .variable("TWILIO_AUTH_TOKEN", "planted")
            .variable("TWILIO_FROM_NUMBER", "+15550100000")
            .variable("ESCALATION_PHONE", "+15550100001");
    }
    if channels.contains('m') {
        place = place
            .variable("SMTP_HOST", "127.0.0.1")
            .variable("SMTP_PORT", &sandbox.smtp_port().to_string())
            .variable("NOTIFICATION_EMAIL_FROM", "caio@acorn.example.com")
            .variable("ESCALATION_EMAIL", "ann@acorn.example.com");
    }
    place
}

/// What the sandbox was told: by Slack, SMS and mail.
fn heard(sandbox: &Sandbox) -> [Vec<Value>; 3] {
    let state = sandbox.control("GET", "state", None).1;
    ["slack", "twilio", "smtp"]
        .map(|channel| state[channel]["messages"].as_array().unwrap().clone())
}

fn counts(sandbox: &Sandbox) -> [usize; 3] {
    heard(sandbox).map(|messages| messages.len())
}

fn listed(place: &Place) -> Vec<Value> {
    let listed = place.json(0, &["alerts", "list"]);
    listed["alerts"].as_array().unwrap().clone()
}

#[test]
fn a_test_tells_each_configured_channel_and_says_the_truth() {
    let sandbox = Sandbox::start();
    let place = told(Place::new(), &sandbox, "stm");
    let answer = place.json(0, &["alerts", "test"]);
    let results: Vec<&Value> = answer["channels"].as_array().unwrap().iter().collect();
    assert!(results.iter().all(|it| it["result"] == "sent"), "{answer}");
    assert_eq!(counts(&sandbox), [1, 1, 1]);
    sandbox.fault(&json!({ "operation": "smtp.rcpt", "nth": 1, "kind": "status", "code": 550, "body": "5.1.1 nobody" }));
    let answer = place.json(3, &["alerts", "test"]);
    assert_eq!(answer["channels"][2]["result"], "failed", "{answer}");
    assert_eq!(answer["channels"][0]["result"], "sent", "{answer}");

    let only_slack = told(Place::new(), &sandbox, "s").json(0, &["alerts", "test"]);
    assert_eq!(only_slack["channels"][1]["result"], "not_configured");
    let none = Place::new().expect(1, &["alerts", "test"]);
    assert!(
        none.err.contains("no channel is configured"),
        "{}",
        none.err
    );
    let half = Place::new().variable("TWILIO_ACCOUNT_SID", "AC1");
    let half = half.expect(1, &["alerts", "test"]);
    assert!(half.err.contains("set TWILIO_AUTH_TOKEN"), "{}", half.err);
}

#[test]
fn a_stop_is_told_to_all_three_and_resuming_to_slack_with_no_key_anywhere() {
    let sandbox = Sandbox::start();
    let place = told(Place::new(), &sandbox, "stm");
    let stop = place.expect(0, &["stop", "--reason", "<!channel> a pause"]);
    assert_eq!(counts(&sandbox), [1, 1, 1]);
    let resume = place.expect(0, &["resume"]);
    assert_eq!(counts(&sandbox), [2, 1, 1]);
    let [slack, texts, mail] = heard(&sandbox);
    let first = slack[0].to_string();
    assert!(
        first.contains("stopped by kim") && !first.contains("<!channel>"),
        "{first}"
    );
    assert!(first.contains("https://caio.example.com/sales>"), "{first}");
    assert_eq!(texts[0]["to"], "+15550100001");
    assert_eq!(mail[0]["to"], json!(["ann@acorn.example.com"]));
    assert_eq!(
        mail[0]["subject"],
        "[caio, level 3] All sending was stopped by kim"
    );
    let everything = format!(
        "{}{}{}{}{:?}",
        stop.out,
        stop.err,
        resume.err,
        place.dump(),
        heard(&sandbox)
    );
    assert!(!everything.contains("planted"), "{everything}");
    let (_, calls) = sandbox.control("GET", "calls", None);
    assert!(
        !calls.to_string().contains("planted"),
        "the sandbox shows no key"
    );
    let listed = listed(&place);
    assert_eq!(listed.len(), 2);
    assert_eq!(
        listed[1]["results"],
        json!({ "slack": "sent", "sms": "sent", "email": "sent" })
    );
    let (_, page) = sandbox.send("GET", "/", &[], None).unwrap();
    assert!(
        page.contains("All sending was stopped by kim"),
        "it is on the page"
    );
    assert!(!page.contains("<!channel>"), "as text");
}

#[test]
fn nt_01_a_dead_hook_never_breaks_a_stop_and_is_told_by_mail() {
    let sandbox = Sandbox::start();
    let place = told(Place::new(), &sandbox, "sm");
    sandbox.fault(&json!({ "provider": "slack", "nth": "every", "kind": "status", "code": 404, "body": "no_active_hooks" }));
    place.expect(0, &["stop", "--reason", "x"]);
    place.expect(0, &["resume"]);
    let [slack, _, mail] = heard(&sandbox);
    assert_eq!((slack.len(), mail.len()), (0, 2));
    let resumed = mail[1]["body"].as_str().unwrap();
    assert!(resumed.contains("the webhook is dead"), "{resumed}");
    let listed = listed(&place);
    assert_eq!(
        listed[0]["results"]["slack"], "fell_back",
        "D-44: not `sent`"
    );
    assert_eq!(listed[0]["results"]["email"], "sent");
    assert_eq!(listed[1]["results"]["sms"], "not_configured");
}

#[test]
fn nt_02_a_lost_answer_of_twilio_is_one_text_message() {
    let sandbox = Sandbox::start();
    let place = told(Place::new(), &sandbox, "tm");
    sandbox.fault(&json!({ "provider": "twilio", "nth": 1, "kind": "reset_after" }));
    place.expect(0, &["stop", "--reason", "x"]);
    place.expect(0, &["alerts", "send"]);
    assert_eq!(counts(&sandbox), [0, 1, 1]);
    let listed = listed(&place);
    assert_eq!(listed[0]["state"], "delivered", "{listed:?}");
    assert_eq!(
        listed[0]["results"]["sms"], "failed",
        "nothing is claimed that nobody knows"
    );
}

#[test]
fn nt_03_a_mail_server_that_fails_for_now_is_tried_again() {
    let sandbox = Sandbox::start();
    let place = told(Place::new(), &sandbox, "m");
    for operation in ["connect", "ehlo", "mail", "rcpt", "data", "message"] {
        let operation = format!("smtp.{operation}");
        let rule = match operation.as_str() {
            "smtp.ehlo" => json!({ "operation": operation, "nth": 1, "kind": "reset_before" }),
            _ => {
                json!({ "operation": operation, "nth": 1, "kind": "status", "code": 451, "body": "4.3.0 later" })
            }
        };
        sandbox.control("DELETE", "faults", None);
        sandbox.fault(&rule);
        let before = counts(&sandbox)[2];
        place.expect(0, &["stop", "--reason", "x"]);
        assert_eq!(counts(&sandbox)[2], before, "{operation}");
        place.expect(0, &["alerts", "send"]);
        assert_eq!(counts(&sandbox)[2], before + 1, "{operation}");
        place.expect(0, &["resume"]);
        place.expect(0, &["alerts", "send"]);
    }
    // Taken, and the answer lost: it may come twice, under one Message-ID, and not for ever.
    sandbox.control("DELETE", "faults", None);
    sandbox.fault(&json!({ "operation": "smtp.message", "nth": "every", "kind": "reset_after" }));
    let before = heard(&sandbox)[2].len();
    place.expect(0, &["stop", "--reason", "x"]);
    for code in [3, 3, 0, 0] {
        place.expect(code, &["alerts", "send"]);
    }
    let mail = heard(&sandbox)[2].split_off(before);
    assert_eq!(mail.len(), 3);
    assert!(
        mail.iter()
            .all(|it| it["message_id"] == mail[0]["message_id"])
    );
    assert_eq!(listed(&place)[0]["state"], "dead");
}

#[test]
fn a_batch_is_told_when_it_waits_and_a_run_when_nobody_knows_its_outcome() {
    let sandbox = Sandbox::start();
    let place = told(delivery::place(&sandbox), &sandbox, "s");
    delivery::approved(&place);
    let waits = heard(&sandbox)[0].clone();
    assert_eq!(waits.len(), 1);
    let line = waits[0]["message"]["text"].as_str().unwrap();
    assert!(line.starts_with("Approval required: batch_"), "{line}");
    assert!(line.contains("8 messages"), "{line}");
    let header = &waits[0]["message"]["blocks"][0]["text"]["text"];
    assert_eq!(header, "Approval Required");
    let all = waits[0].to_string();
    assert!(all.contains("Companies: Acme 0"), "{all}");
    assert!(
        !all.contains("@acme"),
        "no address leaves with an alert: {all}"
    );

    sandbox.fault(
        &json!({ "operation": "instantly.add_leads", "nth": "every", "kind": "reset_after" }),
    );
    sandbox.fault(&json!({ "operation": "instantly.list_leads", "nth": "every", "kind": "status", "code": 500 }));
    place.json(3, &["dispatch", "--live"]);
    let kinds: Vec<String> = listed(&place)
        .iter()
        .map(|it| it["kind"].as_str().unwrap().to_owned())
        .collect();
    assert!(kinds.contains(&"unknown_outcome".to_owned()), "{kinds:?}");
}

#[test]
fn what_is_told_never_changes_how_a_run_ends() {
    let sandbox = Sandbox::start();
    let place = told(delivery::place(&sandbox), &sandbox, "stm");
    for provider in ["slack", "twilio", "smtp"] {
        sandbox.fault(&json!({ "provider": provider, "nth": "every", "kind": "reset_before" }));
    }
    delivery::approved(&place);
    let report = place.json(0, &["dispatch", "--live"]);
    assert_eq!(report["run"]["status"], "executed", "{report}");
    assert_eq!(counts(&sandbox), [0, 0, 0]);
    let listed = listed(&place);
    assert_eq!(listed[0]["state"], "waiting", "it is kept: {listed:?}");
}

#[test]
fn the_service_delivers_what_another_process_raised() {
    let sandbox = Sandbox::start();
    let place = Place::new().variable("DASHBOARD_AUTH_TOKEN", TOKEN);
    // This process has no channel, so the alert waits.
    place.expect(0, &["stop", "--reason", "x"]);
    assert_eq!(listed(&place)[0]["state"], "waiting");
    let service = Service::over(told(place, &sandbox, "stm"));
    let all = (0..50_000).any(|_| counts(&sandbox) == [1, 1, 1]);
    assert!(all, "{:?}", counts(&sandbox));
    let token = [("X-Dashboard-Token", TOKEN)];
    let shown = service
        .send("GET", "/api/alerts?limit=1", &token, "")
        .json();
    let alert = &shown["alerts"][0];
    assert_eq!(
        (&alert["kind"], &alert["level"]),
        (&json!("stopped"), &json!(3))
    );
    let id = alert["id"].as_str().unwrap();
    let seen = format!("/api/alerts/{id}/acknowledge");
    assert_eq!(service.send("POST", &seen, &token, "{}").status, 200);
    let listed = listed(&service.place);
    assert_eq!(listed[0]["acknowledged"]["by"], "env");
    let nothing = service.send("POST", "/api/alerts/nothing/acknowledge", &token, "{}");
    assert_eq!(nothing.status, 404);
    let wrong = service.send("GET", "/api/alerts?state=lost", &token, "");
    assert_eq!(wrong.status, 422);
}

#[test]
fn nothing_is_over_its_time_and_expiring_says_so() {
    let place = Place::new();
    place.example();
    place.json(3, &["run", "leads.csv"]);
    let answer = place.json(0, &["batch", "expire"]);
    assert_eq!(answer, json!({ "expired": [] }));
}

#[test]
fn who_has_seen_an_alert_is_shown() {
    let place = Place::new();
    place.expect(0, &["stop", "--reason", "x"]);
    let id = listed(&place)[0]["id"].as_str().unwrap().to_owned();
    place.expect(0, &["alerts", "ack", &id, "--by", "ann"]);
    assert_eq!(listed(&place)[0]["acknowledged"]["by"], "ann");
    let table = place
        .expect(0, &["alerts", "list", "--state", "waiting"])
        .out;
    assert!(table.contains("seen by ann"), "{table}");
    place.expect(1, &["alerts", "ack", "nothing"]);
    place.expect(2, &["alerts", "list", "--limit", "0"]);
}
