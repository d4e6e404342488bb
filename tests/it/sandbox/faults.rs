//! Faults on request.

use serde_json::{Value, json};

use super::Sandbox;
use super::instantly::campaign;

const CREATE: &str = "instantly.create_campaign";

/// Creates a campaign under this fault: whether there was an answer, and how many campaigns there are.
fn under(kind: &Value) -> (super::Answer, Value) {
    let sandbox = Sandbox::start();
    let mut rule = json!({ "operation": CREATE, "nth": 1 });
    rule.as_object_mut()
        .unwrap()
        .extend(kind.as_object().unwrap().clone());
    sandbox.fault(&rule);
    let headers = [
        ("authorization", "Bearer k"),
        ("content-type", "application/json"),
    ];
    let body = campaign("faulty").to_string();
    let answer = sandbox.send("POST", "/instantly/api/v2/campaigns", &headers, Some(&body));
    let (_, log) = sandbox.control("GET", "calls", None);
    assert_eq!(log["calls"][0]["fault"], kind["kind"]);
    assert_eq!(log["calls"][0]["status"].is_null(), answer.is_err());
    (answer, sandbox.summary("instantly")["containers"].clone())
}

#[test]
fn in_01_a_connection_closes_before_or_after_the_effect() {
    for (kind, held) in [
        (json!({ "kind": "reset_before" }), 0),
        (json!({ "kind": "reset_after" }), 1),
        (json!({ "kind": "timeout_before", "hold_ms": 20 }), 0),
        (json!({ "kind": "timeout_after", "hold_ms": 20 }), 1),
    ] {
        let (answer, containers) = under(&kind);
        assert!(answer.is_err(), "{kind}");
        assert_eq!(containers, held, "{kind}");
    }
}

#[test]
fn in_13_and_in_14_any_status_can_be_answered() {
    let limited = json!({ "statusCode": 429, "error": "Too Many Requests", "message": "Rate limit exceeded" });
    let (answer, held) =
        under(&json!({ "kind": "status", "code": 429, "body": limited, "retry_after": 7 }));
    assert_eq!(
        (answer.unwrap(), held),
        ((429, limited.to_string()), json!(0))
    );
    let sandbox = Sandbox::start();
    sandbox.fault(&json!({ "provider": "heyreach", "nth": 1, "kind": "status", "code": 429, "retry_after": 7 }));
    let url = format!("{}/heyreach/api/public/auth/CheckApiKey", sandbox.base);
    let waits = || {
        sandbox
            .agent
            .get(&url)
            .call()
            .unwrap()
            .headers()
            .get("retry-after")
            .cloned()
    };
    assert_eq!((waits().unwrap().to_str().unwrap(), waits()), ("7", None));
    let (answer, held) = under(&json!({ "kind": "status", "code": 402, "effect": true }));
    assert_eq!((answer.unwrap(), held), ((402, String::new()), json!(1)));
    let (answer, held) =
        under(&json!({ "kind": "status", "code": 502, "body": "<h1>Bad gateway</h1>" }));
    assert_eq!(
        (answer.unwrap(), held),
        ((502, "<h1>Bad gateway</h1>".to_owned()), json!(0))
    );
}

#[test]
fn in_17_an_answer_can_be_anything() {
    let (answer, held) = under(&json!({ "kind": "html" }));
    let (status, body) = answer.unwrap();
    assert_eq!((status, held), (200, json!(1)));
    assert!(body.starts_with("<!doctype html>"), "{body}");
    let (answer, held) = under(&json!({ "kind": "cut_json" }));
    let (status, body) = answer.unwrap();
    assert_eq!((status, held), (200, json!(1)));
    assert!(
        body.starts_with('{') && serde_json::from_str::<Value>(&body).is_err(),
        "{body}"
    );
    for kind in [
        json!({ "kind": "slow", "ms": 20 }),
        json!({ "kind": "content_type" }),
    ] {
        let (answer, held) = under(&kind);
        let (status, body) = answer.unwrap();
        assert_eq!((status, held), (200, json!(1)));
        assert!(serde_json::from_str::<Value>(&body).is_ok());
    }
}

#[test]
fn an_answer_is_held_until_the_rules_are_gone() {
    for (method, path) in [("DELETE", "faults"), ("POST", "reset")] {
        let sandbox = Sandbox::start();
        sandbox.fault(&json!({ "operation": CREATE, "nth": 1, "kind": "hold" }));
        let create = || {
            sandbox
                .instantly("POST", "campaigns", Some(&campaign("held")))
                .0
        };
        let fired = || sandbox.control("GET", "faults", None).1["rules"][0]["fired"] == 1;
        std::thread::scope(|scope| {
            let held = scope.spawn(create);
            while !fired() {
                assert!(!held.is_finished());
            }
            // It is done, others are answered, and it waits.
            assert_eq!(sandbox.summary("instantly")["containers"], 1);
            assert_eq!(create(), 200);
            assert!(!held.is_finished(), "{path}");
            sandbox.control(method, path, None);
            assert_eq!(held.join().unwrap(), 200, "{path}");
        });
    }
}

#[test]
fn a_rule_fires_on_its_call_and_counts_the_others() {
    let sandbox = Sandbox::start();
    sandbox.fault(&json!({ "operation": CREATE, "nth": 2, "kind": "status", "code": 503 }));
    let every = json!({ "provider": "instantly", "nth": "every", "kind": "status", "code": 500 });
    let create = || {
        sandbox
            .instantly("POST", "campaigns", Some(&campaign("x")))
            .0
    };
    assert_eq!([create(), create(), create()], [200, 503, 200]);
    sandbox.fault(&every);
    assert_eq!(
        (create(), sandbox.instantly("GET", "campaigns", None).0),
        (500, 500)
    );
    assert_eq!(sandbox.heyreach("list/GetAll", &json!({})).0, 200);
    let (_, rules) = sandbox.control("GET", "faults", None);
    let counted = |at: usize| {
        (
            rules["rules"][at]["calls"].as_u64(),
            rules["rules"][at]["fired"].as_u64(),
        )
    };
    assert_eq!(
        (counted(0), counted(1)),
        ((Some(4), Some(1)), (Some(2), Some(2)))
    );
    assert_eq!(
        sandbox.control("DELETE", "faults", None).1,
        json!({ "rules": [] })
    );
    assert_eq!(create(), 200);
}

#[test]
fn a_rule_that_could_never_fire_is_refused_and_none_is_kept() {
    let sandbox = Sandbox::start();
    let good = json!({ "operation": CREATE, "nth": 1, "kind": "html" });
    for (wrong, why) in [
        (
            json!({ "operation": "instantly.creat", "nth": 1, "kind": "html" }),
            "create_campaign",
        ),
        (
            json!({ "operation": "nobody.create", "nth": 1, "kind": "html" }),
            "heyreach",
        ),
        (
            json!({ "provider": "nobody", "nth": 1, "kind": "html" }),
            "heyreach",
        ),
        (
            json!({ "provider": "ghl", "operation": CREATE, "nth": 1, "kind": "html" }),
            "not of ghl",
        ),
        (json!({ "nth": 1, "kind": "html" }), "names a provider"),
        (
            json!({ "operation": CREATE, "nth": 0, "kind": "html" }),
            "counts from 1",
        ),
        (
            json!({ "operation": CREATE, "nth": 1, "kind": "status" }),
            "needs `code`",
        ),
        (
            json!({ "operation": CREATE, "nth": 1, "kind": "partial", "leads": 1 }),
            "is for instantly.add_leads",
        ),
        (
            json!({ "operation": CREATE, "nth": 1, "kind": "cut_json", "effect": false }),
            "takes no `effect`",
        ),
        (
            json!({ "operation": CREATE, "nth": 1, "kind": "slow", "hold_ms": 1 }),
            "needs `ms`",
        ),
        (
            json!({ "operation": CREATE, "nth": 1, "kind": "ignore_cursor" }),
            "instantly.list_campaigns",
        ),
        (
            json!({ "operation": "heyreach.add_leads", "nth": 1, "kind": "zero_counts", "counter": "x" }),
            "failedLeadsCount",
        ),
        (
            json!({ "operation": "instantly.add_leads", "nth": 1, "kind": "partial" }),
            "needs `leads`",
        ),
        (
            json!({ "operation": CREATE, "nth": 1, "kind": "slow" }),
            "needs `ms`",
        ),
        (
            json!({ "provider": "smtp", "nth": 1, "kind": "hold" }),
            "is for HTTP",
        ),
        (
            json!({ "operation": CREATE, "nth": 1, "kind": "html", "typo": 1 }),
            "unknown field",
        ),
        (
            json!({ "operation": CREATE, "nth": 1, "kind": "strange" }),
            "unknown variant",
        ),
    ] {
        let (status, answer) = sandbox.control("POST", "faults", Some(&json!([good, wrong])));
        assert_eq!(status, 400, "{wrong}");
        assert!(answer["error"].as_str().unwrap().contains(why), "{answer}");
    }
    assert_eq!(
        sandbox.control("GET", "faults", None).1,
        json!({ "rules": [] })
    );
}
