//! What the provider answers, as far as it is looked at.

use serde::Deserialize;
use serde_json::Value;

/// A campaign, as far as it is looked at.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct CampaignRecord {
    pub(super) id: String,
    #[serde(default)]
    pub(super) name: String,
    pub(super) status: i64,
    #[serde(default)]
    pub(super) timestamp_created: String,
    #[serde(default)]
    pub(super) email_list: Option<Vec<String>>,
}

/// A lead, as far as it is looked at.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct LeadRecord {
    pub(super) id: String,
    #[serde(default)]
    pub(super) email: Option<String>,
    #[serde(default)]
    pub(super) campaign: Option<String>,
    #[serde(default)]
    pub(super) status: Option<i64>,
    #[serde(default)]
    pub(super) payload: Option<Value>,
}

impl LeadRecord {
    /// The delivery that its letter belongs to; `None` where the provider does not say.
    pub(super) fn token(&self) -> Option<&str> {
        self.payload.as_ref()?.get("caio_delivery")?.as_str()
    }
}

/// A page of a listing.
#[derive(Debug, Deserialize)]
pub(super) struct Listed<T> {
    pub(super) items: Vec<T>,
    #[serde(default)]
    pub(super) next_starting_after: Option<String>,
}

/// Answer to an upload.
#[derive(Debug, Deserialize)]
pub(super) struct Added {
    #[serde(default)]
    created_leads: Option<Vec<CreatedLead>>,
    #[serde(default)]
    leads_uploaded: Option<u64>,
    #[serde(default)]
    total_sent: Option<u64>,
    #[serde(default)]
    pub(super) in_blocklist: u64,
    #[serde(default)]
    pub(super) duplicated_leads: u64,
    #[serde(default)]
    pub(super) skipped_count: u64,
    #[serde(default)]
    pub(super) invalid_email_count: u64,
    #[serde(default)]
    pub(super) incomplete_count: u64,
    #[serde(default)]
    pub(super) duplicate_email_count: u64,
    #[serde(default)]
    pub(super) remaining_in_plan: Option<i64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CreatedLead {
    pub(super) id: String,
    pub(super) email: String,
}

impl Added {
    /// The leads that it names.
    pub(super) fn created(&self) -> &[CreatedLead] {
        self.created_leads.as_deref().unwrap_or_default()
    }

    /// Whether it counts anything: a 200 may hold an error instead.
    pub(super) const fn is_answer(&self) -> bool {
        self.created_leads.is_some() || self.leads_uploaded.is_some() || self.total_sent.is_some()
    }

    /// Why leads were left out, in the provider's words.
    pub(super) fn why(&self) -> String {
        let counts = [
            (self.in_blocklist, "on its block list"),
            (self.duplicated_leads, "in the campaign before"),
            (self.skipped_count, "in another campaign"),
            (self.invalid_email_count, "with an invalid address"),
            (self.incomplete_count, "incomplete"),
            (self.duplicate_email_count, "twice in the upload"),
        ];
        let said: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        match (said.is_empty(), self.remaining_in_plan) {
            (true, Some(0)) => "the plan's uploads are used up".to_owned(),
            (true, _) => "it does not say why".to_owned(),
            (false, _) => said.join(", "),
        }
    }

    /// Nobody is on a list that keeps them out for good: what was left out may be tried again.
    pub(super) fn is_plan_used_up(&self) -> bool {
        self.remaining_in_plan == Some(0)
    }
}
