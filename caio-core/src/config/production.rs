//! `config/production.json` of the old system, typed.
//!
//! Absent keys mean the most careful value. Wrong types are errors that name key, found and
//! expected; unknown keys of the sections below are warnings with the nearest known key; sections
//! that are not ours are listed once.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::limits::LimitPolicy;
use crate::ramp::{RampConfig, RampMode};
use crate::safety::Switches;
use crate::terms::{Provider, Tier};
use crate::warmup::WarmupConfig;

use super::reader::{Findings, Section};
use super::{ConfigError, UnknownKey};

/// What the file says.
#[derive(Debug, Clone, PartialEq)]
pub struct Production {
    /// `operator.enabled`
    pub operator_enabled: Option<bool>,
    /// `operator.gatekeeper_required`; shown, never obeyed: every live run needs an approved batch.
    pub gatekeeper_required: bool,
    /// `operator.batch_expiry_hours`, 1 to 168 (CF-5).
    pub batch_expiry_hours: u32,
    /// `operator.outbound` and `operator.revival.daily_limit`
    pub warmup: WarmupConfig,
    /// `operator.ramp`
    pub ramp: RampConfig,
    /// `operator.outbound.tier_channel_routing`: who may deliver to a tier.
    pub routing: BTreeMap<Tier, Vec<Provider>>,
    /// `operator.revival`
    pub revival: Revival,
    /// `guardrails`, with the daily limits of `warmup`.
    pub limits: LimitPolicy,
    /// `external_apis.<provider>.enabled`
    pub providers: BTreeMap<Provider, bool>,
    /// `external_apis.instantly.sending_accounts.primary_from_emails`
    pub sending_accounts: Vec<String>,
    /// `do_not_use_for_cold` of `external_apis.instantly`, its `sending_accounts`, or
    /// `external_apis.ghl`: domains and addresses that send no cold mail.
    pub not_for_cold: Vec<String>,
    /// `email_behavior.actually_send`
    pub actually_send: Option<bool>,
    /// `email_behavior.shadow_mode`
    pub shadow_mode: Option<bool>,
    /// `email_behavior.max_daily_sends`
    pub max_daily_sends: Option<u32>,
    /// `rollout_phase.current`
    pub rollout_phase: Option<String>,
    /// Whether that phase sends e-mail; `None` where the file does not say.
    pub phase_sends: Option<bool>,
}

/// `operator.revival`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revival {
    /// Off unless the file says on.
    pub enabled: bool,
    /// Days of silence before a revival.
    pub min_inactive_days: u32,
    /// Days of silence after which it is too late.
    pub max_inactive_days: u32,
    /// Pipeline stages that are looked at (CF-3).
    pub stages: Vec<String>,
    /// Tags that exclude.
    pub exclude_tags: Vec<String>,
}

/// A file that was read, with everything that is to be said about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// What it says; careful values where it has errors.
    pub production: Production,
    /// Values that cannot be used; live refuses while there are any.
    pub errors: Vec<ConfigError>,
    /// Keys of our sections that nobody reads.
    pub unknown: Vec<UnknownKey>,
    /// Sections that are not ours.
    pub foreign: Vec<String>,
}

impl Default for Production {
    /// What holds without a file: nothing is switched on.
    fn default() -> Self {
        read(
            &mut Section::root("", &serde_json::Map::new()),
            &mut Findings::default(),
        )
    }
}

impl Production {
    /// Reads the text of `file`; refuses only what is no JSON object.
    pub fn load(file: &str, text: &str) -> Result<Loaded, ConfigError> {
        let syntax = |problem: String| ConfigError::Syntax {
            place: file.to_owned(),
            problem,
        };
        let value: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
            .map_err(|error| syntax(format!("not JSON: {error}")))?;
        let members = value.as_object().ok_or_else(|| {
            syntax("expected a JSON object with sections such as `operator`".into())
        })?;
        let mut findings = Findings::default();
        let mut root = Section::root(file, members);
        let production = read(&mut root, &mut findings);
        let foreign = members
            .keys()
            .filter(|key| !SECTIONS.contains(&key.as_str()) && !key.starts_with('_'))
            .cloned()
            .collect();
        Ok(Loaded {
            production,
            errors: findings.errors,
            unknown: findings.unknown,
            foreign,
        })
    }

    /// Whether cold mail may come from `sender`: neither its address nor its domain, nor a domain
    /// above, is kept for people who know us (IN-16).
    pub fn is_for_cold(&self, sender: &str) -> bool {
        let sender = sender.trim().to_lowercase();
        let domain = sender.rsplit('@').next().unwrap_or_default();
        !self.not_for_cold.iter().any(|kept| {
            let kept = kept.trim().trim_start_matches('@').to_lowercase();
            let is_below = domain
                .strip_suffix(kept.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
            !kept.is_empty() && (sender == kept || is_below)
        })
    }

    /// The send switches for `provider`, for [`crate::safety::verdict`].
    pub fn switches(&self, provider: Provider) -> Switches {
        Switches {
            actually_send: self.actually_send == Some(true),
            shadow_mode_off: self.shadow_mode == Some(false),
            max_daily_sends: self.max_daily_sends,
            // Without any phase there is none that forbids; a phase that is silent forbids.
            phase_sends: self.rollout_phase.is_none() && self.phase_sends != Some(false)
                || self.phase_sends == Some(true),
            operator_enabled: self.operator_enabled == Some(true),
            provider_enabled: self.providers.get(&provider) == Some(&true),
        }
    }
}

/// Key of the senders that are kept for people who know us.
const NOT_FOR_COLD: &str = "do_not_use_for_cold";

const SECTIONS: &[&str] = &[
    "operator",
    "cadence",
    "guardrails",
    "external_apis",
    "email_behavior",
    "rollout_phase",
];

fn read(root: &mut Section<'_>, found: &mut Findings) -> Production {
    let mut operator = root.section("operator", found);
    let (mut warmup, routing) = outbound(operator.section("outbound", found), found);
    let mut section = operator.section("revival", found);
    if let Some(limit) = section.number("daily_limit", 0..=u32::MAX, found) {
        warmup.revival_per_day = limit;
    }
    let revival = revival(section, found);
    let ramp = ramp(operator.section("ramp", found), found);
    let operator_enabled = operator.flag("enabled", found);
    let gatekeeper_required = operator.flag("gatekeeper_required", found).unwrap_or(true);
    let batch_expiry_hours = operator
        .number("batch_expiry_hours", 1..=168, found)
        .unwrap_or(24);
    operator.ignore(&["state_file"]);
    operator.finish(found);

    let limits = limits(root.section("guardrails", found), &warmup, found);
    let (providers, senders) = apis(root.section("external_apis", found), found);
    let mut email = root.section("email_behavior", found);
    let actually_send = email.flag("actually_send", found);
    let shadow_mode = email.flag("shadow_mode", found);
    let max_daily_sends = email.number("max_daily_sends", 0..=u32::MAX, found);
    email.ignore(&["require_approval"]);
    email.finish(found);
    let (rollout_phase, phase_sends) = rollout(root.section("rollout_phase", found), found);
    Production {
        operator_enabled,
        gatekeeper_required,
        batch_expiry_hours,
        warmup,
        ramp,
        routing,
        revival,
        limits,
        providers,
        sending_accounts: senders.accounts,
        not_for_cold: senders.not_for_cold,
        actually_send,
        shadow_mode,
        max_daily_sends,
        rollout_phase,
        phase_sends,
    }
}

fn outbound(
    mut section: Section<'_>,
    found: &mut Findings,
) -> (WarmupConfig, BTreeMap<Tier, Vec<Provider>>) {
    let careful = WarmupConfig::default();
    let mut number = |key, default| section.number(key, 0..=u32::MAX, found).unwrap_or(default);
    let mut warmup = WarmupConfig {
        email_per_day: number("email_daily_limit", careful.email_per_day),
        linkedin_warmup_per_day: number(
            "linkedin_warmup_daily_limit",
            careful.linkedin_warmup_per_day,
        ),
        linkedin_full_per_day: number("linkedin_full_daily_limit", careful.linkedin_full_per_day),
        linkedin_weeks: number("linkedin_warmup_weeks", careful.linkedin_weeks),
        ..careful
    };
    warmup.linkedin_start = section
        .text("linkedin_warmup_start", found)
        .unwrap_or_default();
    let mut routes = section.section("tier_channel_routing", found);
    let mut routing = BTreeMap::new();
    for tier in Tier::ALL {
        let Some(names) = routes.texts(tier.as_str(), found) else {
            continue;
        };
        let providers: Result<Vec<Provider>, _> = names.iter().map(|name| name.parse()).collect();
        match providers {
            Ok(providers) => drop(routing.insert(*tier, providers)),
            Err(_) => routes.wrong(
                tier.as_str(),
                &Value::from(names),
                "a list of instantly, heyreach, ghl",
                found,
            ),
        }
    }
    routes.finish(found);
    section.ignore(&["dispatch_order"]);
    section.finish(found);
    (warmup, routing)
}

fn revival(mut section: Section<'_>, found: &mut Findings) -> Revival {
    let texts = |list: &[&str]| list.iter().map(ToString::to_string).collect();
    let revival = Revival {
        enabled: section.flag("enabled", found).unwrap_or(false),
        min_inactive_days: section
            .number("min_inactive_days", 0..=u32::MAX, found)
            .unwrap_or(30),
        max_inactive_days: section
            .number("max_inactive_days", 0..=u32::MAX, found)
            .unwrap_or(120),
        stages: section
            .texts("scan_pipeline_stages", found)
            .unwrap_or_else(|| texts(&["Cold", "Lost", "Nurture"])),
        exclude_tags: section
            .texts("exclude_tags", found)
            .unwrap_or_else(|| texts(&["do-not-contact", "competitor", "unsubscribed"])),
    };
    section.ignore(&["use_warm_domains"]);
    section.finish(found);
    revival
}

fn ramp(mut section: Section<'_>, found: &mut Findings) -> RampConfig {
    let careful = RampConfig::default();
    let calendar_days = section.number("ramp_days", 1..=365, found);
    let config = RampConfig {
        enabled: section.flag("enabled", found).unwrap_or(careful.enabled),
        email_per_day: section
            .number("email_daily_limit_override", 0..=u32::MAX, found)
            .unwrap_or(careful.email_per_day),
        tier: section
            .term("tier_filter", "tier_1, tier_2, tier_3 or tier_4", found)
            .unwrap_or(careful.tier),
        start_date: section.text("start_date", found).unwrap_or_default(),
        days: section
            .number("clean_days_required", 1..=365, found)
            .or(calendar_days)
            .unwrap_or(careful.days),
        mode: ramp_mode(&mut section, found),
        lookback_days: section
            .number("clean_days_lookback_days", 1..=3650, found)
            .unwrap_or(careful.lookback_days),
    };
    section.finish(found);
    config
}

/// `date_window` is the later Python version's second name of the calendar.
fn ramp_mode(section: &mut Section<'_>, found: &mut Findings) -> RampMode {
    let Some(value) = section.take("mode") else {
        return RampMode::CleanDays;
    };
    match value.as_str() {
        Some("date_window" | "calendar") => RampMode::Calendar,
        Some("clean_days") => RampMode::CleanDays,
        _ => {
            section.wrong("mode", value, "clean_days or calendar", found);
            RampMode::CleanDays
        }
    }
}

/// The lower of `guardrails.email_limits.daily_limit` and the outbound limit holds.
fn limits(mut section: Section<'_>, warmup: &WarmupConfig, found: &mut Findings) -> LimitPolicy {
    let careful = LimitPolicy::default();
    let mut email = section.section("email_limits", found);
    let mut number = |key| email.number(key, 0..=u32::MAX, found);
    let policy = LimitPolicy {
        email_per_day: number("daily_limit")
            .unwrap_or(careful.email_per_day)
            .min(warmup.email_per_day),
        linkedin_per_day: warmup.linkedin_full_per_day,
        revival_per_day: warmup.revival_per_day,
        email_per_hour: number("hourly_limit").or(careful.email_per_hour),
        email_per_domain_hour: number("per_domain_hourly_limit").or(careful.email_per_domain_hour),
        email_per_month: number("monthly_limit").or(careful.email_per_month),
        email_min_delay_seconds: number("min_delay_seconds")
            .unwrap_or(careful.email_min_delay_seconds),
        per_campaign: section
            .number("max_emails_per_campaign", 0..=u32::MAX, found)
            .or(careful.per_campaign),
    };
    email.finish(found);
    section.ignore(&[
        "require_approval_for_bulk",
        "block_production_writes",
        "deliverability",
    ]);
    section.finish(found);
    policy
}

/// Who sends, and who must not.
#[derive(Debug, Default)]
struct Senders {
    accounts: Vec<String>,
    not_for_cold: Vec<String>,
}

fn apis(mut section: Section<'_>, found: &mut Findings) -> (BTreeMap<Provider, bool>, Senders) {
    let mut enabled = BTreeMap::new();
    let mut senders = Senders::default();
    for (provider, key) in [
        (Provider::Ghl, "ghl"),
        (Provider::HeyReach, "heyreach"),
        (Provider::Instantly, "instantly"),
    ] {
        // The rest of each section configures the old clients, so it is not checked for spelling.
        let mut api = section.section(key, found);
        enabled.insert(provider, api.flag("enabled", found).unwrap_or(false));
        let mut forbidden = api.texts(NOT_FOR_COLD, found).unwrap_or_default();
        if provider == Provider::Instantly {
            let mut own = api.section("sending_accounts", found);
            senders.accounts = own.texts("primary_from_emails", found).unwrap_or_default();
            forbidden.extend(own.texts(NOT_FOR_COLD, found).unwrap_or_default());
        }
        senders.not_for_cold.extend(forbidden);
    }
    (enabled, senders)
}

/// `email_send` stands in the section itself or with the current phase.
fn rollout(mut section: Section<'_>, found: &mut Findings) -> (Option<String>, Option<bool>) {
    let current = section.text("current", found);
    let own = section.flag("email_send", found);
    let mut phases = section.section("phases", found);
    let mut sends = own;
    for phase in [
        "assisted",
        "full",
        "live",
        "parallel",
        "production",
        "shadow",
    ] {
        for parent in [&mut section, &mut phases] {
            let in_phase = parent.section(phase, found).flag("email_send", found);
            if current.as_deref() == Some(phase) {
                sends = match (sends, in_phase) {
                    (Some(a), Some(b)) => Some(a && b),
                    (a, b) => a.or(b),
                };
            }
        }
    }
    // A section that names no phase allows nothing.
    let current = current.or_else(|| section.is_present().then(String::new));
    (current, sends)
}

#[cfg(test)]
mod tests;
