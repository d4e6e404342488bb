//! One verdict before every call: the eight layers, all of them shown, the worst deciding.
//!
//! The mode that was asked for can only be lowered, to *blocked*. A dry-run is never blocked: it
//! shows what would be. A shadow run does everything but the call, so the layers that guard our own
//! records hold for it too: stop, access, gatekeeper, limits. Live needs all eight.

use std::collections::BTreeMap;
use std::fmt;

use crate::terms::Mode;

mod layers;

/// The operator's layers, numbered as he knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// 1: emergency stop, in the environment, as a file or as the shared flag.
    EmergencyStop = 1,
    /// 2: who may act.
    Access = 2,
    /// 3: which web pages may call the server.
    Cors = 3,
    /// 4: an approved batch with its seal.
    Gatekeeper = 4,
    /// 5: ramp, tier and limits.
    Limits = 5,
    /// 6: dry-run unless everything says live.
    DryRunDefault = 6,
    /// 7: campaigns start as drafts at the provider.
    ProviderDrafts = 7,
    /// 8: shadow mode.
    ShadowMode = 8,
}

/// What a layer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Nothing against it.
    Allow,
    /// This stands against it.
    Block(Block),
}

/// What stands against sending, and what would have to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Stable code.
    pub code: &'static str,
    /// One sentence.
    pub reason: String,
}

/// What may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// What was asked for.
    Granted(Mode),
    /// Nothing.
    Blocked,
}

/// The answer of all layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What may be done.
    pub mode: Permission,
    /// What was asked for.
    pub requested: Mode,
    /// At least one finding for each layer, in order of number.
    pub findings: Vec<(Layer, Finding)>,
}

/// A stop flag, as it was read: the shared one from the store, or the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopFlag {
    /// Not set.
    Clear,
    /// Set.
    Set,
    /// It could not be read; counts as set.
    Unreadable,
}

/// What the gatekeeper found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    /// An approved batch whose seal fits.
    Sealed,
    /// No batch is approved for this motion.
    NoBatch,
    /// There is one, and this is why it may not run.
    Refused(String),
}

/// Whether a channel delivers for the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelState {
    /// There is none.
    Missing,
    /// It sends at once, and nobody has said that it shall.
    SendsAtOnce,
    /// It sends at once, and the person who runs it has said that it shall.
    SendsAtOnceAsked,
    /// It uploads to drafts that a person activates.
    DraftsFirst,
}

/// The send switches of the configuration: all must agree, here and nowhere else (CF-1).
///
/// A switch that is not configured says no.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Switches {
    /// `email_behavior.actually_send`
    pub actually_send: bool,
    /// `email_behavior.shadow_mode` is false.
    pub shadow_mode_off: bool,
    /// `email_behavior.max_daily_sends`; `None` where the key is absent, which says nothing.
    pub max_daily_sends: Option<u32>,
    /// The current rollout phase lets e-mail be sent.
    pub phase_sends: bool,
    /// `operator.enabled`
    pub operator_enabled: bool,
    /// `external_apis.<provider>.enabled`
    pub provider_enabled: bool,
}

/// Everything the verdict is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inputs {
    /// What was asked for.
    pub requested: Mode,
    /// `EMERGENCY_STOP` or `KILL_SWITCH` as the environment gives it; `""` or `None` when unset.
    pub stop_env: Option<String>,
    /// The file `STOP` in the home folder, for when the store is out of reach.
    pub stop_file: StopFlag,
    /// The shared flag.
    pub stop_flag: StopFlag,
    /// Why the caller may not act; `None` when it may.
    pub access: Option<String>,
    /// Why the server's CORS set-up is not safe; `None` when it is, or nothing is served.
    pub cors: Option<String>,
    /// The approved batch.
    pub gate: Gate,
    /// A key of `CAIO_SEAL_KEYS` is there.
    pub seal_key: bool,
    /// Why ramp, tier or limits leave no room; one entry a reason.
    pub limits: Vec<String>,
    /// Switches of the configuration.
    pub switches: Switches,
    /// Contradictions of the configuration, one sentence each.
    pub contradictions: Vec<String>,
    /// What the sender identity lacks, such as `sender.postal_address`.
    pub sender_missing: Vec<String>,
    /// The ICP model in use was adopted by a person, unchanged since.
    pub model_adopted: bool,
    /// Who delivers.
    pub channel: ChannelState,
}

/// What may be done, and what each layer says.
pub fn verdict(inputs: &Inputs) -> Verdict {
    let mut findings = Vec::new();
    for layer in Layer::ALL {
        let blocks = layers::blocks(layer, inputs);
        if blocks.is_empty() {
            findings.push((layer, Finding::Allow));
        }
        findings.extend(
            blocks
                .into_iter()
                .map(|block| (layer, Finding::Block(block))),
        );
    }
    let blocked = findings.iter().any(|(layer, finding)| {
        matches!(finding, Finding::Block(_)) && layer.holds_for(inputs.requested)
    });
    Verdict {
        mode: if blocked {
            Permission::Blocked
        } else {
            Permission::Granted(inputs.requested)
        },
        requested: inputs.requested,
        findings,
    }
}

/// Whether a switch of the environment is on: `true`, `1`, `yes`, `on`, whatever the case.
///
/// For a stop, everything but a clear *no* is a yes: see [`stop_is_on`].
pub fn is_on(value: &str) -> bool {
    matches!(
        value.trim().to_lowercase().as_str(),
        "true" | "1" | "yes" | "on"
    )
}

/// Whether a stop variable stops: set, and not one of `false`, `0`, `no`, `off`.
///
/// A value that nobody understands, such as `ture`, stops.
pub fn stop_is_on(value: Option<&str>) -> bool {
    value.is_some_and(|value| {
        !matches!(
            value.trim().to_lowercase().as_str(),
            "" | "false" | "0" | "no" | "off"
        )
    })
}

/// The value of `EMERGENCY_STOP` or `KILL_SWITCH` that stops, for [`Inputs::stop_env`]; the Python
/// system read them in different places, here either is enough.
pub fn stop_value(variables: &BTreeMap<String, String>) -> Option<String> {
    ["EMERGENCY_STOP", "KILL_SWITCH"]
        .into_iter()
        .filter_map(|name| variables.get(name))
        .find(|value| stop_is_on(Some(value)))
        .cloned()
}

impl Layer {
    /// All eight, in order.
    pub const ALL: [Self; 8] = [
        Self::EmergencyStop,
        Self::Access,
        Self::Cors,
        Self::Gatekeeper,
        Self::Limits,
        Self::DryRunDefault,
        Self::ProviderDrafts,
        Self::ShadowMode,
    ];

    /// 1 to 8.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Whether a block of this layer blocks a run of that mode.
    pub const fn holds_for(self, mode: Mode) -> bool {
        match mode {
            Mode::DryRun => false,
            Mode::Shadow => matches!(
                self,
                Self::EmergencyStop | Self::Access | Self::Gatekeeper | Self::Limits
            ),
            Mode::Live => true,
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::EmergencyStop => "emergency stop",
            Self::Access => "access",
            Self::Cors => "CORS",
            Self::Gatekeeper => "gatekeeper",
            Self::Limits => "ramp, tier and limits",
            Self::DryRunDefault => "dry-run default",
            Self::ProviderDrafts => "drafts at the provider",
            Self::ShadowMode => "shadow mode",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow => f.write_str("allows"),
            Self::Block(block) => write!(f, "blocks: {}", block.reason),
        }
    }
}

impl Verdict {
    /// The blocks, with their layers.
    pub fn blocks(&self) -> impl Iterator<Item = (Layer, &Block)> {
        self.findings
            .iter()
            .filter_map(|(layer, finding)| match finding {
                Finding::Allow => None,
                Finding::Block(block) => Some((*layer, block)),
            })
    }

    /// Whether a run may go on: live, or in shadow mode, where no provider is called.
    pub fn may_run(&self) -> bool {
        matches!(self.mode, Permission::Granted(Mode::Live | Mode::Shadow))
    }

    /// Whether a provider may be called.
    pub fn may_send(&self) -> bool {
        self.mode == Permission::Granted(Mode::Live)
    }
}

#[cfg(test)]
mod tests;
