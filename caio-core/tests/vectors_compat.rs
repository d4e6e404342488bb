//! Holds `caio_core::compat` against the answers of the Python system.
//!
//! Each file of `tests/vectors` is one test; it prints `NAME: n / m` and names every case that
//! differs; none is excused. Object key order does not matter; 1, 1.0 and true do.

#![expect(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test reports by panicking and prints how many cases agree"
)]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;

use caio_core::compat;
use caio_core::compat::BatchFault;
use caio_core::compat::CompatError;
use caio_core::compat::Environment;
use caio_core::compat::FileNameRule;
use caio_core::pytext;
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;
use serde_json::json;

/// What a case asks of the checker.
enum Answer {
    Is(Value),
    /// Answered elsewhere: counted and printed, not compared.
    Elsewhere(&'static str),
}

fn check(file: &str, answer: impl Fn(&Value) -> Answer) {
    check_against(file, answer, Value::clone);
}

/// Runs every case of a file; `expected` reduces what the file expects to what is compared.
fn check_against(
    file: &str,
    answer: impl Fn(&Value) -> Answer,
    expected: impl Fn(&Value) -> Value,
) {
    let path = format!(
        concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/{}.json"),
        file
    );
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let document: Value = serde_json::from_str(&text).unwrap();
    let (mut equal, mut total, mut differing) = (0, 0, Vec::new());
    let mut elsewhere: BTreeMap<&str, usize> = BTreeMap::new();
    for case in document["cases"].as_array().unwrap() {
        let got = match answer(&case["input"]) {
            Answer::Is(got) => got,
            Answer::Elsewhere(owner) => {
                *elsewhere.entry(owner).or_default() += 1;
                continue;
            }
        };
        total += 1;
        let (name, wanted) = (case["name"].as_str().unwrap(), expected(&case["expected"]));
        if got == wanted {
            equal += 1;
        } else {
            differing.push(format!(
                "{name}: {}\n    expected {wanted}\n    got      {got}",
                case["input"]
            ));
        }
    }
    println!("{file}: {equal} / {total}");
    for (owner, count) in elsewhere {
        println!("  {count} more {owner}");
    }
    assert!(total > 0, "{file} holds no case");
    assert!(
        differing.is_empty(),
        "{file}: {} differ\n  {}",
        differing.len(),
        differing.join("\n  ")
    );
}

fn raised(error: &CompatError) -> Value {
    json!({"error": error.exception})
}

fn or_raised(result: Result<impl Into<Value>, CompatError>) -> Value {
    result.map_or_else(|error| raised(&error), Into::into)
}

fn day(value: &Value) -> Date {
    value.as_str().unwrap().parse().unwrap()
}

/// Files as the vectors give them: JSON, or the exact text under `$raw`.
fn folder(files: &Value) -> BTreeMap<String, String> {
    let text = |content: &Value| match content.get("$raw") {
        Some(raw) => raw.as_str().unwrap().to_owned(),
        None => content.to_string(),
    };
    files
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, content)| (name.clone(), text(content)))
        .collect()
}

fn environment(env: &Value) -> Environment {
    serde_json::from_value(env.clone()).unwrap()
}

#[test]
fn normalize_email() {
    check("normalize_email", |i| {
        Answer::Is(or_raised(compat::normalize_email(&i["email"])))
    });
}

#[test]
fn dedup_email_key() {
    check("dedup_email_key", |i| {
        Answer::Is(or_raised(compat::dedup_email_key(&i["email"])))
    });
}

#[test]
fn cadence_email_hash() {
    check("cadence_email_hash", |i| {
        Answer::Is(or_raised(compat::cadence_email_hash(&i["email"])))
    });
}

#[test]
fn email_to_filename() {
    check("email_to_filename", |i| {
        let names = FileNameRule::ALL.iter().map(|rule| {
            (
                rule.to_string(),
                or_raised(compat::email_to_filename(&i["email"], *rule)),
            )
        });
        Answer::Is(Value::Object(names.collect()))
    });
}

#[test]
fn preview_hash() {
    check("preview_hash", |i| {
        Answer::Is(or_raised(
            compat::compute_preview_hash(i).map(|hash| hash.to_string()),
        ))
    });
}

#[test]
fn ramp_status() {
    check("ramp_status", |i| {
        Answer::Is(or_raised(compat::ramp_status(
            &i["operator_config"],
            day(&i["today"]),
        )))
    });
}

#[test]
fn warmup_schedule() {
    check("warmup_schedule", |i| {
        Answer::Is(or_raised(compat::warmup_schedule(
            &i["operator_config"],
            day(&i["today"]),
        )))
    });
}

#[test]
fn batch_validate() {
    let answer = |i: &Value| {
        let now: Timestamp = i["now"].as_str().unwrap().parse().unwrap();
        let motion = i["expected_motion"].as_str().unwrap();
        Answer::Is(match compat::validate_batch(&i["batch"], motion, now) {
            Ok(()) => json!({"ok": true}),
            Err(fault) => {
                let (kind, message) = match &fault {
                    BatchFault::Invalid { kind, message } => (kind.as_str(), json!(message)),
                    BatchFault::Raised(_) => ("exception", Value::Null),
                };
                json!({"ok": false, "kind": kind, "exception": fault.exception(), "message": message})
            }
        })
    };
    // What became of the record is the caller's business: the function writes nothing.
    let expected = |e: &Value| {
        if e["ok"] == true {
            return json!({"ok": true});
        }
        let message = if e["kind"] == "exception" {
            &Value::Null
        } else {
            &e["message"]
        };
        json!({"ok": false, "kind": e["kind"], "exception": e["exception"], "message": message})
    };
    check_against("batch_validate", answer, expected);
}

#[test]
fn eligibility() {
    check("eligibility", |i| {
        let files = folder(&i["status_files"]);
        Answer::Is(or_raised(compat::is_lead_eligible(
            &i["email"],
            &i["leads_dispatched"],
            &files,
        )))
    });
}

#[test]
fn legacy_dedup_migration() {
    check("legacy_dedup_migration", |i| {
        let files = i["shadow_files"]
            .is_object()
            .then(|| folder(&i["shadow_files"]));
        let migrated = compat::migrate_legacy_dedup(&i["leads_dispatched"], files.as_ref());
        Answer::Is(or_raised(migrated.map(
            |(changed, leads)| json!({"changed": changed, "leads_dispatched": leads}),
        )))
    });
}

#[test]
fn lead_mapping() {
    check("lead_mapping", |i| {
        Answer::Is(json!({
            "instantly": or_raised(compat::instantly_lead(i)),
            "heyreach": or_raised(compat::heyreach_lead(i)),
        }))
    });
}

#[test]
fn campaign_name() {
    check("campaign_name", |i| {
        let (tier, today, existing) = (&i["tier"], day(&i["today"]), &i["existing"]);
        Answer::Is(json!({
            "instantly": or_raised(compat::instantly_campaign_name(tier, &i["source"], today, existing)),
            "heyreach": or_raised(compat::heyreach_list_name(tier, today, existing)),
        }))
    });
}

#[test]
fn rejection_category() {
    check("rejection_category", |i| {
        Answer::Is(or_raised(compat::categorize_rejection(&i["reason"])))
    });
}

#[test]
fn priority_to_tier() {
    check("priority_to_tier", |i| {
        Answer::Is(or_raised(compat::priority_to_tier(&i["priority"])))
    });
}

#[test]
fn auth_paths() {
    check("auth_paths", |i| {
        let env = environment(&i["env"]);
        Answer::Is(match i["kind"].as_str().unwrap() {
            "path" => {
                let normalized = compat::normalize_path(&i["path"]).unwrap();
                let exempt = compat::is_auth_exempt_path(&i["path"], &env).unwrap();
                let is_api = normalized.starts_with("/api/");
                json!({"normalized": normalized, "exempt": exempt, "is_api": is_api, "needs_token": is_api && !exempt})
            }
            "allowlist" => json!({"allowlist": compat::auth_allowlist(&env)}),
            "token" => json!({
                "valid": compat::token_is_valid(i["token"].as_str(), &env),
                "strict": compat::is_strict(&env),
            }),
            "request" => return Answer::Elsewhere("of kind request are the server's"),
            other => panic!("unknown kind {other}"),
        })
    });
}

#[test]
fn python_text() {
    let number = |value: Option<Value>| value.unwrap_or(json!({"error": "ValueError"}));
    check("python_text", |i| {
        let value = &i["value"];
        let text = || value.as_str().unwrap();
        Answer::Is(match i["kind"].as_str().unwrap() {
            "fromisoformat" => number(
                pytext::fromisoformat(text()).map(|at| json!([at.local_micros, at.offset_micros])),
            ),
            "strptime" => number(pytext::strptime_ymd(text()).map(|date| json!(date.to_string()))),
            "int" => or_raised(pytext::int_of(value).map(|int| int.to_string())),
            "repr" => json!(pytext::repr(value)),
            "dumps" => {
                let mut out = String::new();
                pytext::push_ascii_json(&mut out, value);
                json!(out)
            }
            "sorted" => or_raised(
                pytext::sorted(pytext::iterate(value).unwrap())
                    .map(|items| Value::Array(items.into_iter().map(Cow::into_owned).collect())),
            ),
            other => panic!("unknown kind {other}"),
        })
    });
}
