//! What is not certain about a provider, and can be had either way.

use serde::{Deserialize, Serialize};

/// Where the vendors' own words leave two readings; the default is the stricter or the documented one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Switches {
    /// Instantly: `skip_if_in_campaign` looks at every campaign, or at this one only.
    pub(super) skip_if_in_campaign_means: Scope,
    /// Instantly: the sender list given at create is dropped in silence.
    pub(super) drop_email_list: bool,
    /// Instantly: the status of a new campaign; 0 is a draft.
    pub(super) new_campaign_status: i64,
    /// Instantly: what an activated campaign turns into; 1 is active.
    pub(super) activated_status: i64,
    /// Instantly: uploads that the plan still allows.
    pub(super) remaining_in_plan: usize,
    /// HeyReach: leads added through a list lose their own fields.
    pub(super) lists_lose_fields: bool,
}

/// How far a search for a known lead goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Scope {
    AnyCampaign,
    ThisCampaign,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            skip_if_in_campaign_means: Scope::AnyCampaign,
            drop_email_list: false,
            new_campaign_status: 0,
            activated_status: 1,
            remaining_in_plan: 100_000,
            lists_lose_fields: false,
        }
    }
}
