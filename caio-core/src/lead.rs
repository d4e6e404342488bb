//! A lead: one person at one company, as every later stage reads it.

use serde::{Deserialize, Serialize};

use crate::identity::EmailKey;

/// A person we may write to, with all facts that scoring and copy use.
///
/// Text fields hold `""` and lists are empty where the source said nothing; nothing is invented.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lead {
    /// Who it is.
    pub key: EmailKey,
    /// The address as the source gave it, stripped.
    pub email: String,
    /// Given name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub first_name: String,
    /// Family name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub last_name: String,
    /// Job title.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// Profile address.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub linkedin_url: String,
    /// Telephone number as given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub phone: String,
    /// Where the person is, as given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub location: String,
    /// Where the person works.
    #[serde(default)]
    pub company: Company,
    /// How the person was found.
    #[serde(default)]
    pub source: LeadSource,
    /// What the person did.
    #[serde(default)]
    pub intent: Intent,
}

/// The company of a lead.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Company {
    /// Name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Web domain.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub domain: String,
    /// Head count; the lower end where the source gave a range; absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub employees: Option<u32>,
    /// Industry as given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub industry: String,
    /// Technologies in use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub technologies: Vec<String>,
    /// Estimated revenue a year, US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revenue_usd: Option<f64>,
}

/// How a lead was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeadSource {
    /// Kind of source, such as `event_attendee` or `website_visitor`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Name of the event, group, competitor or campaign.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}

/// What a lead did on our side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Visits to the web site.
    #[serde(default)]
    pub website_visits: u32,
    /// Documents taken.
    #[serde(default)]
    pub content_downloads: u32,
    /// Visits to the price page.
    #[serde(default)]
    pub pricing_page_visits: u32,
    /// Asked for a demonstration.
    #[serde(default)]
    pub demo_requested: bool,
    /// Score by the provider of the intent data, 0–100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<u32>,
}

impl Lead {
    /// Given and family name, joined by a space; `""` when both are unknown.
    pub fn name(&self) -> String {
        [self.first_name.as_str(), self.last_name.as_str()]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }
}
