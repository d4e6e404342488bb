//! The plain shape that enrichment writes, read without a map in between.
//!
//! Anything else (an unknown member, a number as text, a list as text) is left to the forgiving way.

use std::borrow::Cow;

use serde::Deserialize;

use super::values::{Cell, Remarks, domain};
use super::{Column, Mapped, Refusal, address, split_name};
use crate::lead::{Company, Intent, Lead, LeadSource};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wire<'a> {
    #[serde(borrow, default, rename = "lead_id")]
    _lead_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    title: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    linkedin_url: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    source_type: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    source_name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    company: WireCompany<'a>,
    #[serde(default)]
    intent: WireIntent,
    #[serde(borrow)]
    contact: WireContact<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireCompany<'a> {
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    domain: Option<Cow<'a, str>>,
    #[serde(default)]
    employee_count: Option<u32>,
    #[serde(borrow, default)]
    industry: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    technologies: Option<Vec<Cow<'a, str>>>,
    #[serde(default)]
    revenue_estimate: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireIntent {
    #[serde(default)]
    website_visits: Option<u32>,
    #[serde(default)]
    content_downloads: Option<u32>,
    #[serde(default)]
    pricing_page_visits: Option<u32>,
    #[serde(default)]
    demo_requested: Option<bool>,
    #[serde(default)]
    intent_score: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireContact<'a> {
    #[serde(borrow)]
    work_email: Cow<'a, str>,
}

/// The row, if it has this very shape; an empty address is left to the forgiving way.
pub(super) fn read(text: &str) -> Option<Wire<'_>> {
    let wire: Wire<'_> = serde_json::from_str(text).ok()?;
    let usable = wire
        .company
        .revenue_estimate
        .is_none_or(|amount| amount >= 0.0);
    (usable && !wire.contact.work_email.trim().is_empty()).then_some(wire)
}

impl Wire<'_> {
    pub(super) fn to_lead(&self) -> Result<Mapped, Refusal> {
        let mut remarks = Remarks::default();
        let mut text = |column: Column, value: &Option<Cow<'_, str>>| {
            value
                .as_ref()
                .map_or_else(String::new, |text| remarks.text(column, Cell::Text(text)))
        };
        let email = text(
            Column::Email,
            &Some(Cow::Borrowed(&self.contact.work_email)),
        );
        let (first_name, last_name) = split_name(&text(Column::Name, &self.name));
        let title = text(Column::Title, &self.title);
        let linkedin_url = text(Column::LinkedIn, &self.linkedin_url);
        let name = text(Column::Company, &self.company.name);
        let industry = text(Column::Industry, &self.company.industry);
        let domain = domain(&text(Column::Domain, &self.company.domain));
        let source = LeadSource {
            kind: text(Column::SourceKind, &self.source_type),
            name: text(Column::SourceName, &self.source_name),
        };
        let technologies = self.company.technologies.iter().flatten();
        let technologies = technologies
            .map(|item| remarks.text(Column::Technologies, Cell::Text(item)))
            .filter(|item| !item.is_empty())
            .collect();
        let (key, flags) = address::check(&email)?;
        let lead = Lead {
            key,
            email,
            first_name,
            last_name,
            title,
            linkedin_url,
            phone: String::new(),
            location: String::new(),
            company: Company {
                name,
                domain,
                employees: self.company.employee_count,
                industry,
                technologies,
                revenue_usd: self.company.revenue_estimate,
            },
            source,
            intent: Intent {
                website_visits: self.intent.website_visits.unwrap_or(0),
                content_downloads: self.intent.content_downloads.unwrap_or(0),
                pricing_page_visits: self.intent.pricing_page_visits.unwrap_or(0),
                demo_requested: self.intent.demo_requested.unwrap_or(false),
                score: self.intent.intent_score,
            },
        };
        Ok(Mapped {
            lead,
            remarks: remarks.0,
            flags,
        })
    }
}
