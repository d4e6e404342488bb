//! A lead: one person at one company, as every later stage reads it.

use serde::{Deserialize, Serialize};

use crate::identity::EmailKey;

/// A person we may write to, with all facts that scoring and copy use.
///
/// Text fields hold `""` and lists are empty where the source said nothing; nothing is invented.
/// `S` is what holds a text: bulk work leaves it where the row stands (`Cow<str>`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound(serialize = "S: Serialize + AsRef<str>"))]
pub struct Lead<S = String> {
    /// Who it is.
    pub key: EmailKey,
    /// The address as the source gave it, stripped.
    pub email: S,
    /// Given name.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub first_name: S,
    /// Family name.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub last_name: S,
    /// Job title.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub title: S,
    /// Profile address.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub linkedin_url: S,
    /// Telephone number as given.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub phone: S,
    /// Where the person is, as given.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub location: S,
    /// Where the person works.
    #[serde(default)]
    pub company: Company<S>,
    /// How the person was found.
    #[serde(default)]
    pub source: LeadSource<S>,
    /// What the person did.
    #[serde(default)]
    pub intent: Intent,
}

/// The company of a lead.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(bound(serialize = "S: Serialize + AsRef<str>"))]
pub struct Company<S = String> {
    /// Name.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub name: S,
    /// Web domain.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub domain: S,
    /// Head count; the lower end where the source gave a range; absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub employees: Option<u32>,
    /// Industry as given.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub industry: S,
    /// Technologies in use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub technologies: Vec<S>,
    /// Estimated revenue a year, US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revenue_usd: Option<f64>,
}

/// How a lead was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(serialize = "S: Serialize + AsRef<str>"))]
pub struct LeadSource<S = String> {
    /// Kind of source, such as `event_attendee` or `website_visitor`.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub kind: S,
    /// Name of the event, group, competitor or campaign.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub name: S,
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

impl<S: AsRef<str>> Lead<S> {
    /// Given and family name, joined by a space; `""` when both are unknown.
    pub fn name(&self) -> String {
        match (self.first_name.as_ref(), self.last_name.as_ref()) {
            (name, "") | ("", name) => name.to_owned(),
            (first, last) => [first, " ", last].concat(),
        }
    }
}

impl<S> Lead<S> {
    /// The same lead, with its texts held in another way.
    pub fn map<T>(self, hold: impl Fn(S) -> T) -> Lead<T> {
        let company = self.company;
        Lead {
            key: self.key,
            email: hold(self.email),
            first_name: hold(self.first_name),
            last_name: hold(self.last_name),
            title: hold(self.title),
            linkedin_url: hold(self.linkedin_url),
            phone: hold(self.phone),
            location: hold(self.location),
            company: Company {
                name: hold(company.name),
                domain: hold(company.domain),
                employees: company.employees,
                industry: hold(company.industry),
                technologies: company.technologies.into_iter().map(&hold).collect(),
                revenue_usd: company.revenue_usd,
            },
            source: LeadSource {
                kind: hold(self.source.kind),
                name: hold(self.source.name),
            },
            intent: self.intent,
        }
    }
}

fn is_empty(text: &impl AsRef<str>) -> bool {
    text.as_ref().is_empty()
}
