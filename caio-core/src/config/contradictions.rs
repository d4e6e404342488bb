//! What a configuration says twice, differently.

use super::Production;
use crate::terms::Provider;

/// Two keys that cannot both be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// Both keys, or the one key that has no effect.
    pub keys: Vec<&'static str>,
    /// What each of them says.
    pub why: &'static str,
    /// What to change.
    pub change: &'static str,
    /// Whether live starts.
    pub weight: Weight,
}

/// What a contradiction does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Live refuses to start.
    RefusesLive,
    /// It is said once.
    Warning,
}

impl std::fmt::Display for Contradiction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}: {}; {}",
            self.keys.join(" and "),
            self.why,
            self.change
        )
    }
}

const ACTUALLY_SEND: &str = "email_behavior.actually_send";

/// Everything in `production` that contradicts itself (CF-1).
pub fn contradictions(production: &Production) -> Vec<Contradiction> {
    let mut found = Vec::new();
    if production.actually_send == Some(true) {
        found.extend(against_sending(production));
    }
    if production.operator_enabled == Some(true) && production.providers.values().all(|on| !on) {
        found.push(Contradiction {
            keys: vec!["operator.enabled", "external_apis"],
            why: "the operator is on, and no provider is",
            change: "enable a provider or set operator.enabled to false",
            weight: Weight::Warning,
        });
    }
    if production
        .routing
        .values()
        .flatten()
        .any(|provider| *provider == Provider::HeyReach)
        && production.providers.get(&Provider::HeyReach) != Some(&true)
    {
        found.push(Contradiction {
            keys: vec![
                "operator.outbound.tier_channel_routing",
                "external_apis.heyreach.enabled",
            ],
            why: "a tier is routed to heyreach, which is not enabled",
            change: "enable heyreach or take it out of the routing",
            weight: Weight::Warning,
        });
    }
    if !production.gatekeeper_required {
        found.push(Contradiction {
            keys: vec!["operator.gatekeeper_required"],
            why: "it is false, and every live run needs an approved batch all the same",
            change: "set it to true, or remove it",
            weight: Weight::Warning,
        });
    }
    found
}

/// Switches that say "do not send" beside one that says "send".
fn against_sending(production: &Production) -> Vec<Contradiction> {
    let switches = production.switches(Provider::Instantly);
    [
        (
            production.shadow_mode == Some(true),
            "email_behavior.shadow_mode",
            "one says send, the other only record",
            "set email_behavior.shadow_mode to false to send, or actually_send to false",
        ),
        (
            production.max_daily_sends == Some(0),
            "email_behavior.max_daily_sends",
            "one says send, the other at most 0 a day",
            "raise email_behavior.max_daily_sends to send, or set actually_send to false",
        ),
        (
            !switches.phase_sends,
            "rollout_phase.current",
            "one says send, the current phase sends no e-mail",
            "move rollout_phase.current to a phase with email_send true, or set actually_send to false",
        ),
        (
            production.operator_enabled == Some(false),
            "operator.enabled",
            "one says send, the operator is off",
            "set operator.enabled to true to send, or actually_send to false",
        ),
    ]
    .into_iter()
    .filter(|(holds, ..)| *holds)
    .map(|(_, key, why, change)| Contradiction {
        keys: vec![ACTUALLY_SEND, key],
        why,
        change,
        weight: Weight::RefusesLive,
    })
    .collect()
}
