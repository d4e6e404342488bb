//! Leads in the store: the facts, the score and what the last run decided.

use caio_core::draft::ModelRef;
use caio_core::terms::Tier;
use caio_core::{EmailKey, Lead};
use caio_state::{StateStore, StateStoreExt};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::records;

/// A lead as the last run that took it left it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeadRecord {
    /// The facts.
    pub lead: Lead,
    /// What was odd about the source's row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// 0–100.
    pub score: u32,
    /// Absent for a disqualified lead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// Why, one line a component.
    pub reasons: Vec<String>,
    /// Which model scored.
    pub model: ModelRef,
    /// What became of it, such as `queued`, `suppressed`, `disqualified`, `below_tier`, `refused`.
    pub outcome: String,
    /// Why, for every outcome but `queued`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The draft, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft: Option<String>,
    /// When it was taken or last updated, RFC 3339 UTC.
    pub updated_at: String,
}

impl LeadRecord {
    /// Somebody whom no file has brought and no model has scored: a contact of the CRM, or a lead of
    /// the Python system.
    pub(crate) fn taken_over(lead: Lead, (score, tier): (u32, Option<Tier>), why: &str) -> Self {
        Self {
            lead,
            remarks: Vec::new(),
            score,
            tier,
            reasons: vec![why.to_owned()],
            model: ModelRef {
                name: "none".to_owned(),
                digest: String::new(),
            },
            outcome: "queued".to_owned(),
            detail: why.to_owned(),
            draft: None,
            updated_at: String::new(),
        }
    }
}

/// One lead, if it is known.
pub async fn one(store: &dyn StateStore, key: &EmailKey) -> Result<Option<LeadRecord>> {
    Ok(store
        .get_json(&records::lead(key))
        .await?
        .map(|(record, _)| record))
}

/// Those of `keys` that are known, in order.
pub async fn several(store: &dyn StateStore, keys: &[EmailKey]) -> Result<Vec<LeadRecord>> {
    let keys: Vec<_> = keys.iter().map(records::lead).collect();
    Ok(store.get_all_json(&keys).await?)
}
