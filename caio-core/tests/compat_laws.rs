//! Laws that hold for every JSON value, not only for those of the vectors.

use std::collections::BTreeMap;

use caio_core::compat;
use caio_core::compat::FileNameRule;
use caio_core::pytext;
use jiff::Timestamp;
use jiff::civil::date;
use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;

/// Any JSON value, leaning towards the texts and numbers that the rules treat specially.
fn any_json() -> impl Strategy<Value = Value> {
    let special = prop::sample::select(vec![
        json!("2026-02-17"),
        json!("2026-02-17T10:00:00Z"),
        json!("approved"),
        json!("bounced"),
        json!("tier_1"),
        json!("email:a@x.test"),
        json!(" A@x.test "),
        json!("7"),
        json!(0),
        json!(-1),
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        special,
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{1,8}", inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// An object with some of the named members.
fn any_record(names: &'static [&'static str]) -> impl Strategy<Value = Value> {
    prop::collection::vec(prop::option::weighted(0.8, any_json()), names.len()).prop_map(|values| {
        let members = names.iter().zip(values);
        Value::Object(
            members
                .filter_map(|(name, value)| Some(((*name).to_owned(), value?)))
                .collect(),
        )
    })
}

const BATCH: &[&str] = &[
    "batch_id",
    "created_at",
    "motion",
    "status",
    "preview_hash",
    "expires_at",
    "executed_at",
    "execution_report",
    "approved_shadow_email_ids",
    "approved_cadence_actions",
];
const RAMP: &[&str] = &[
    "enabled",
    "start_date",
    "ramp_days",
    "email_daily_limit_override",
    "tier_filter",
];
const SHADOW: &[&str] = &["to", "email_id", "recipient_data", "context", "contact_id"];

proptest! {
    /// Odd records end in an answer or in one of three exceptions.
    #[test]
    fn no_value_makes_a_function_panic(
        value in any_json(), batch in any_record(BATCH), ramp in any_record(RAMP),
        shadow in any_record(SHADOW), text in "\\PC{0,24}",
    ) {
        let config = json!({"ramp": ramp, "outbound": value});
        let today = date(2026, 2, 18);
        let files = BTreeMap::from([("a_at_x_test.json".to_owned(), value.to_string())]);
        let mut exceptions = vec![
            compat::compute_preview_hash(&batch).err(),
            compat::ramp_status(&config, today).err(),
            compat::warmup_schedule(&config, today).err(),
            compat::is_lead_eligible(&json!("a@x.test"), &value, &files).err(),
            compat::migrate_legacy_dedup(&value, Some(&files)).err(),
            compat::instantly_lead(&shadow).err(),
            compat::heyreach_lead(&shadow).err(),
            compat::instantly_campaign_name(&value, &value, today, &value).err(),
            compat::categorize_rejection(&value).err(),
            compat::priority_to_tier(&value).err(),
            compat::normalize_path(&value).err(),
            pytext::int_of(&value).err(),
        ];
        let now: Timestamp = "2026-02-18T09:30:00Z".parse().unwrap();
        match compat::validate_batch(&batch, "outbound", now) {
            Err(compat::BatchFault::Raised(raised)) => exceptions.push(Some(raised)),
            Ok(()) | Err(compat::BatchFault::Invalid { .. }) => {}
        }
        for raised in exceptions.into_iter().flatten() {
            prop_assert!(["AttributeError", "TypeError", "ValueError"].contains(&raised.exception));
        }
        let _ = (pytext::fromisoformat(&text), pytext::strptime_ymd(&text), pytext::loads(&text));
    }

    /// An approved batch passes with its own hash and with no other scope.
    #[test]
    fn a_batch_passes_only_with_the_scope_that_was_hashed(
        ids in prop::collection::vec("[a-z0-9_]{1,8}", 0..6), added in "[a-z0-9_]{1,8}",
    ) {
        let mut batch = json!({
            "batch_id": "batch_1", "created_at": "2026-02-18T09:00:00+00:00", "motion": "outbound",
            "status": "approved", "expires_at": "2026-02-19T09:00:00+00:00",
            "approved_shadow_email_ids": ids,
        });
        batch["preview_hash"] = json!(compat::compute_preview_hash(&batch).unwrap().as_str());
        let now: Timestamp = "2026-02-18T09:30:00Z".parse().unwrap();
        prop_assert_eq!(compat::validate_batch(&batch, "outbound", now), Ok(()));
        batch["approved_shadow_email_ids"].as_array_mut().unwrap().push(json!(added));
        let refused = compat::validate_batch(&batch, "outbound", now).unwrap_err();
        prop_assert!(refused.to_string().contains("hash mismatch"));
    }

    /// Days of the calendar ramp count up by one, what remains goes down by one.
    #[test]
    fn the_ramp_adds_up_on_every_day(offset in -400_i32..400, length in 1_i64..40) {
        let start = date(2026, 2, 17);
        let today = start.checked_add(jiff::Span::new().days(offset)).unwrap();
        let config = json!({"ramp": {"enabled": true, "start_date": "2026-02-17", "ramp_days": length}});
        let status = compat::ramp_status(&config, today).unwrap();
        let offset = i64::from(offset);
        prop_assert_eq!(&status["active"], &json!(offset < length));
        if (0..length).contains(&offset) {
            prop_assert_eq!(&status["day"], &json!(offset + 1));
            prop_assert_eq!(&status["remaining_days"], &json!(length - offset));
        }
    }

    /// Once added, a key is known: a second migration changes nothing.
    #[test]
    fn migrating_twice_changes_nothing(entries in prop::collection::vec(" ?[a-cA-C_]{1,4}(@x\\.test)?", 0..6)) {
        let files = BTreeMap::from([("a.json".to_owned(), r#"{"to": "Z@x.test"}"#.to_owned())]);
        let (_, once) = compat::migrate_legacy_dedup(&json!(entries), Some(&files)).unwrap();
        let again = compat::migrate_legacy_dedup(&once, Some(&files)).unwrap();
        prop_assert_eq!(again, (false, once));
    }

    /// The fixed paths stay exempt and only listed ones are added, whatever the variable holds.
    #[test]
    fn the_allowlist_only_grows_by_what_it_names(listed in "[ /,a-c]{0,20}") {
        let env = BTreeMap::from([("DASHBOARD_AUTH_ALLOWLIST".to_owned(), listed.clone())]);
        let paths = compat::auth_allowlist(&env);
        prop_assert!(paths.is_superset(&compat::auth_allowlist(&BTreeMap::new())));
        let entries = listed.split(',').filter(|entry| !entry.trim().is_empty()).count();
        prop_assert!(paths.len() <= 3 + entries);
    }
}

#[test]
fn the_two_lax_rules_share_a_name_and_the_third_strips() {
    let name = |rule| compat::email_to_filename(&json!(" Pat.Lee@Example.org "), rule).unwrap();
    assert_eq!(
        name(FileNameRule::StateStore),
        "pat_lee_at_example_org.json"
    );
    assert_eq!(
        name(FileNameRule::LeadStatus),
        " pat_lee_at_example_org .json"
    );
    assert_eq!(
        name(FileNameRule::CadenceEngine),
        name(FileNameRule::LeadStatus)
    );
}
