use super::*;
use crate::config::{Weight, contradictions};

/// The old file's values, where they matter here.
const OLD: &str = r#"{
  "operator": {"enabled": true, "gatekeeper_required": true,
    "outbound": {"email_daily_limit": 25, "linkedin_warmup_start": "2026-02-16", "linkedin_warmup_daily_limit": 5,
      "linkedin_full_daily_limit": 20, "linkedin_warmup_weeks": 4, "dispatch_order": ["instantly", "heyreach"],
      "tier_channel_routing": {"tier_1": ["instantly", "heyreach"], "tier_3": ["instantly"]}},
    "revival": {"enabled": true, "daily_limit": 5, "use_warm_domains": true},
    "ramp": {"enabled": true, "email_daily_limit_override": 5, "tier_filter": "tier_1", "start_date": "2026-02-17", "ramp_days": 3},
    "state_file": ".hive-mind/operator_state.json"},
  "cadence": {"default_21day": {}}, "guardrails": {"email_limits": {"daily_limit": 25, "hourly_limit": 15}},
  "external_apis": {"instantly": {"enabled": true, "sending_accounts": {"primary_from_emails": ["a@example.com"]}}, "heyreach": {"enabled": true}},
  "email_behavior": {"actually_send": true, "shadow_mode": true, "max_daily_sends": 0, "require_approval": true},
  "rollout_phase": {"current": "parallel", "phases": {"parallel": {"email_send": false}}},
  "logging": {}, "agents": {}
}"#;

fn load(text: &str) -> Loaded {
    Production::load("config/production.json", text).unwrap()
}

#[test]
fn the_old_file_is_read_and_refuses_live_naming_both_keys() {
    let loaded = load(OLD);
    assert_eq!(loaded.errors, []);
    assert_eq!(loaded.unknown, []);
    assert_eq!(loaded.foreign, ["logging", "agents"]);
    assert_eq!(loaded.production.ramp.start_date, "2026-02-17");
    assert_eq!(loaded.production.sending_accounts, ["a@example.com"]);
    let found = contradictions(&loaded.production);
    let keys: Vec<_> = found
        .iter()
        .filter(|found| found.weight == Weight::RefusesLive)
        .map(|found| found.keys[1])
        .collect();
    assert_eq!(
        keys,
        [
            "email_behavior.shadow_mode",
            "email_behavior.max_daily_sends",
            "rollout_phase.current"
        ]
    );
    let text = found[0].to_string();
    assert!(
        text.contains("actually_send and email_behavior.shadow_mode"),
        "{text}"
    );
    assert!(
        text.contains("set email_behavior.shadow_mode to false"),
        "{text}"
    );
}

#[test]
fn who_is_kept_for_people_we_know_sends_no_cold_mail() {
    let text = r#"{"external_apis": {
        "instantly": {"do_not_use_for_cold": ["acorn.example.com"]},
        "ghl": {"do_not_use_for_cold": ["Kim@oak.example.com", "", "@elm.example.com"]}}}"#;
    let production = load(text).production;
    for (sender, is_for_cold) in [
        ("ann@acorn.example.com", false),
        ("Ann@Mail.ACORN.example.com", false),
        ("ann@notacorn.example.com", true),
        ("kim@oak.example.com", false),
        ("lee@oak.example.com", true),
        ("lee@elm.example.com", false),
        ("ann@example.com", true),
    ] {
        assert_eq!(production.is_for_cold(sender), is_for_cold, "{sender}");
    }
    let broken = load(r#"{"external_apis": {"instantly": {"do_not_use_for_cold": "acorn"}}}"#);
    assert_eq!(broken.errors.len(), 1, "what cannot be read refuses live");
}

#[test]
fn our_own_file_is_safe_and_says_nothing_twice() {
    let text = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../config/production.json"
    ));
    let loaded = load(text);
    assert_eq!(
        (loaded.errors, loaded.unknown, loaded.foreign),
        (vec![], vec![], vec![])
    );
    assert_eq!(contradictions(&loaded.production), []);
    let switches = loaded.production.switches(Provider::Instantly);
    assert!(!switches.actually_send && !switches.shadow_mode_off && !switches.phase_sends);
}

#[test]
fn without_a_file_nothing_is_switched_on() {
    let production = Production::default();
    assert_eq!(production.ramp, RampConfig::default());
    assert!(production.gatekeeper_required);
    for provider in Provider::ALL {
        let switches = production.switches(*provider);
        assert!(
            !switches.actually_send && !switches.operator_enabled && !switches.provider_enabled
        );
    }
    assert_eq!(load("{}").production, production);
}

#[test]
fn wrong_types_name_key_found_and_expected_and_count_as_careful() {
    let loaded = load(
        r#"{"operator": {"enabled": "yes", "batch_expiry_hours": 0,
            "ramp": {"ramp_days": "3", "tier_filter": "tier_9", "start_date": 20260217, "mode": "soon"},
            "outbound": {"email_daily_limit": -5, "tier_channel_routing": {"tier_1": ["fax"]}}},
           "guardrails": [], "email_behavior": {"actually_send": 1}}"#,
    );
    let keys: Vec<_> = loaded
        .errors
        .iter()
        .map(|error| match error {
            ConfigError::Value { key, .. } => key.as_str(),
            ConfigError::Syntax { place, .. } => place.as_str(),
        })
        .collect();
    for key in [
        "operator.enabled",
        "operator.batch_expiry_hours",
        "operator.ramp.ramp_days",
        "operator.ramp.tier_filter",
        "operator.ramp.start_date",
        "operator.ramp.mode",
        "operator.outbound.email_daily_limit",
        "operator.outbound.tier_channel_routing.tier_1",
        "guardrails",
        "email_behavior.actually_send",
    ] {
        assert!(keys.contains(&key), "{key} is missing in {keys:?}");
    }
    assert_eq!(keys.len(), 10);
    assert_eq!(loaded.production.ramp, RampConfig::default());
    assert_eq!(loaded.production.batch_expiry_hours, 24);
    assert_eq!(loaded.production.actually_send, None);
    let text = loaded
        .errors
        .iter()
        .map(ToString::to_string)
        .collect::<String>();
    assert!(
        text.contains(
            "operator.batch_expiry_hours (config/production.json) is 0; expected a whole number from 1 to 168"
        ),
        "{text}"
    );
}

#[test]
fn unknown_keys_of_our_sections_get_the_nearest_name() {
    let loaded = load(r#"{"operator": {"gatekeeper_requird": false, "_note": "x"}}"#);
    assert_eq!(loaded.unknown.len(), 1);
    assert_eq!(
        loaded.unknown[0].to_string(),
        "config/production.json: unknown key operator.gatekeeper_requird; did you mean operator.gatekeeper_required?"
    );
}

#[test]
fn an_open_gatekeeper_is_a_warning_and_opens_nothing() {
    let loaded = load(r#"{"operator": {"gatekeeper_required": false}}"#);
    let found = contradictions(&loaded.production);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].weight, Weight::Warning);
}

#[test]
fn a_phase_that_is_silent_or_unknown_sends_nothing() {
    let sends = |text| {
        load(text)
            .production
            .switches(Provider::Instantly)
            .phase_sends
    };
    assert!(sends(r"{}"));
    assert!(!sends(r#"{"rollout_phase": {}}"#));
    assert!(!sends(r#"{"rollout_phase": {"current": "later"}}"#));
    assert!(!sends(
        r#"{"rollout_phase": {"current": "parallel", "email_send": false}}"#
    ));
    assert!(!sends(
        r#"{"rollout_phase": {"current": "live", "email_send": true, "live": {"email_send": false}}}"#
    ));
    assert!(sends(
        r#"{"rollout_phase": {"current": "live", "phases": {"live": {"email_send": true}}}}"#
    ));
}

#[test]
fn what_is_no_object_is_refused_with_its_place() {
    for text in ["", "[]", "{", "null", "\"x\""] {
        let error = Production::load("config/production.json", text).unwrap_err();
        assert_eq!(error.code(), "config.syntax");
        assert!(error.to_string().starts_with("config/production.json: "));
    }
    assert!(Production::load("x", "\u{feff}{}").is_ok());
}
