//! What each layer asks.

use crate::terms::Mode;

use super::{Block, ChannelState, Gate, Inputs, Layer, StopFlag, stop_is_on};

/// Everything that stands against a live run at `layer`, whatever was asked for.
pub(super) fn blocks(layer: Layer, inputs: &Inputs) -> Vec<Block> {
    match layer {
        Layer::EmergencyStop => stop(inputs),
        Layer::Access => sentence("safety.access", inputs.access.as_deref()),
        Layer::Cors => sentence("safety.cors", inputs.cors.as_deref()),
        Layer::Gatekeeper => gatekeeper(inputs),
        Layer::Limits => limits(inputs),
        Layer::DryRunDefault => live_is_meant(inputs),
        Layer::ProviderDrafts => drafts(inputs),
        Layer::ShadowMode => when(
            !inputs.switches.shadow_mode_off,
            "safety.shadow_mode",
            "email_behavior.shadow_mode is on (or absent, which counts as on); set it to false",
        ),
    }
}

fn stop(inputs: &Inputs) -> Vec<Block> {
    let mut found = when(
        stop_is_on(inputs.stop_env.as_deref()),
        "safety.stop_env",
        "EMERGENCY_STOP (or KILL_SWITCH) is set in the environment; unset it and restart",
    );
    found.extend(match inputs.stop_file {
        StopFlag::Clear => None,
        StopFlag::Set => Some(block(
            "safety.stop_file",
            "the file STOP stands in the home folder; a person removes it",
        )),
        StopFlag::Unreadable => Some(block(
            "safety.stop_file_unreadable",
            "nobody can tell whether the file STOP stands in the home folder, which counts as stopped",
        )),
    });
    found.extend(match inputs.stop_flag {
        StopFlag::Clear => None,
        StopFlag::Set => Some(block(
            "safety.stop_flag",
            "the shared stop flag is set; a person clears it with `caio resume`",
        )),
        StopFlag::Unreadable => Some(block(
            "safety.stop_unreadable",
            "the shared stop flag cannot be read, which counts as stopped; check the store",
        )),
    });
    found
}

fn gatekeeper(inputs: &Inputs) -> Vec<Block> {
    let mut found = when(
        !inputs.seal_key,
        "safety.no_seal_key",
        "there is no key to verify seals with; set CAIO_SEAL_KEYS",
    );
    match &inputs.gate {
        Gate::Sealed => {}
        Gate::NoBatch => found.push(block(
            "safety.no_batch",
            "no approved batch is there for this motion; create one and approve it",
        )),
        Gate::Refused(why) => found.push(block("safety.batch_refused", why)),
    }
    found
}

fn limits(inputs: &Inputs) -> Vec<Block> {
    inputs
        .limits
        .iter()
        .map(|reason| block("safety.limits", reason))
        .collect()
}

fn live_is_meant(inputs: &Inputs) -> Vec<Block> {
    let switches = &inputs.switches;
    let mut found = when(
        inputs.requested != Mode::Live,
        "safety.not_asked",
        "live was not asked for; say --live",
    );
    for (off, code, reason) in [
        (
            !switches.actually_send,
            "safety.actually_send",
            "email_behavior.actually_send is not true",
        ),
        (
            switches.max_daily_sends == Some(0),
            "safety.max_daily_sends",
            "email_behavior.max_daily_sends is 0, which means no send; raise it",
        ),
        (
            !switches.phase_sends,
            "safety.rollout_phase",
            "the current phase of rollout_phase does not send e-mail",
        ),
        (
            !switches.operator_enabled,
            "safety.operator_off",
            "operator.enabled is not true",
        ),
        (
            !switches.provider_enabled,
            "safety.provider_off",
            "the provider is not enabled in external_apis",
        ),
        (
            !inputs.model_adopted,
            "safety.model_not_adopted",
            "the ICP model was not adopted, or was changed since; see `caio icp adopt`",
        ),
    ] {
        found.extend(when(off, code, reason));
    }
    found.extend(
        inputs
            .contradictions
            .iter()
            .map(|reason| block("safety.contradiction", reason)),
    );
    if !inputs.sender_missing.is_empty() {
        found.push(block(
            "safety.no_sender",
            &format!(
                "the sender identity lacks {}; set it in caio.toml",
                inputs.sender_missing.join(", ")
            ),
        ));
    }
    found
}

fn drafts(inputs: &Inputs) -> Vec<Block> {
    match inputs.channel {
        ChannelState::DraftsFirst | ChannelState::SendsAtOnceAsked => Vec::new(),
        ChannelState::Missing => vec![block(
            "safety.no_channel",
            "no channel delivers for this provider; set its API key, for ghl its location and sender too",
        )],
        ChannelState::SendsAtOnce => vec![block(
            "safety.sends_at_once",
            "the channel sends at once, without a draft that a person starts; --send-now says that it shall",
        )],
    }
}

fn block(code: &'static str, reason: &str) -> Block {
    Block {
        code,
        reason: reason.to_owned(),
    }
}

fn when(holds: bool, code: &'static str, reason: &str) -> Vec<Block> {
    if holds {
        vec![block(code, reason)]
    } else {
        Vec::new()
    }
}

fn sentence(code: &'static str, reason: Option<&str>) -> Vec<Block> {
    reason
        .map(|reason| block(code, reason))
        .into_iter()
        .collect()
}
