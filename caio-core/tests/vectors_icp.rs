//! The old scorer against the recorded answers, and the model that stands in for it.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use caio_core::compat::segment_lead;
use caio_core::icp::Model;
use caio_core::record::{FieldMap, Record};
use serde_json::Value;

fn cases() -> Vec<Value> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/vectors/icp_score.json"
    );
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    file["cases"].as_array().unwrap().clone()
}

/// Equal as JSON values, whatever the order of members; 1 and 1.0 differ.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, it)| b.get(key).is_some_and(|other| same(it, other)))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        _ => left == right,
    }
}

#[test]
fn icp_score() {
    let cases = cases();
    let mut equal = 0;
    for case in &cases {
        let expected = &case["expected"];
        let found = match segment_lead(&case["input"]) {
            Ok(answer) => answer,
            Err(error) => serde_json::json!({ "error": error.exception }),
        };
        if same(&found, expected) {
            equal += 1;
        } else {
            println!(
                "{}:\n  expected {expected}\n  found    {found}",
                case["name"]
            );
        }
    }
    println!("icp_score: {equal} / {}", cases.len());
    assert_eq!(equal, cases.len());
}

/// Leads whose fields all have the types that the pipeline writes score alike on typed facts.
#[test]
fn the_built_in_legacy_model_agrees_on_well_formed_leads() {
    let model = Model::builtin("legacy-746").unwrap();
    let (mut compared, mut equal) = (0, 0);
    for case in cases() {
        let (input, expected) = (&case["input"], &case["expected"]);
        if !is_well_formed(input) || expected.get("error").is_some() {
            continue;
        }
        let object = input.as_object().unwrap();
        let Ok(mapped) = Record::from_object(object).to_lead(&FieldMap::default()) else {
            continue;
        };
        compared += 1;
        let points = model.points(&mapped.lead);
        let tier = points.tier.unwrap().as_str();
        if expected["icp_score"] == points.points && expected["icp_tier"] == tier {
            equal += 1;
        } else {
            println!(
                "{}: expected {} found {points:?}",
                case["name"], expected["icp_score"]
            );
        }
    }
    println!("icp_score on typed leads: {equal} / {compared}");
    assert!(compared > 150, "{compared}");
    assert_eq!(equal, compared);
}

fn is_well_formed(lead: &Value) -> bool {
    let text = |value: &Value| value.is_string();
    let count = |value: Option<&Value>| value.is_none_or(Value::is_u64);
    let company = &lead["company"];
    let intent = &lead["intent"];
    text(&lead["title"])
        && lead.get("original_lead").is_none()
        && text(&company["industry"])
        && company["employee_count"].is_u64()
        && company["technologies"]
            .as_array()
            .is_some_and(|all| all.iter().all(text))
        && intent.is_object()
        && ["website_visits", "content_downloads", "pricing_page_visits"]
            .iter()
            .all(|name| count(intent.get(*name)))
        && intent.get("demo_requested").is_none_or(Value::is_boolean)
        // A typed lead's texts are trimmed.
        && lead
            .get("source_type")
            .is_none_or(|kind| kind.as_str().is_some_and(|kind| kind == kind.trim()))
}
