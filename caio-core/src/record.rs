//! A source's row becomes a lead: which column means what, and what its text means.
//!
//! One odd field never costs the lead: its value is left out and the remark says so. A lead without
//! a usable address is refused, with the field, the reason and what was expected.

mod address;
mod columns;
mod values;
mod wire;

use std::fmt;

use serde_json::{Map, Value};

use crate::identity::EmailKey;
use crate::lead::{Company, Intent, Lead, LeadSource};

pub use address::{is_free_mail, is_role};
pub use columns::{Column, FieldMap, HeaderProblem};

use values::{Cell, Remarks};

/// A row of texts that its reader still holds.
pub trait Columns: fmt::Debug {
    /// The text at `position`, from 0; `None` behind the last one.
    fn text(&self, position: usize) -> Option<&str>;
}

/// A row, before anybody knows what it means.
#[derive(Debug, Clone, Copy)]
pub enum Record<'a> {
    /// One text a column.
    Fields(&'a [String]),
    /// An object, flat or nested.
    Object(&'a Map<String, Value>),
    /// One text a column, in the reader's memory.
    Columns(&'a dyn Columns),
}

/// A lead, and what was odd about its row.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapped {
    /// The lead.
    pub lead: Lead,
    /// Values that were left out or read in a certain way.
    pub remarks: Vec<String>,
    /// What a reviewer should know: `role_address`, `disposable_address`, `free_mail`.
    pub flags: Vec<String>,
}

/// Why a row is no lead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}; expected {expected}")]
pub struct Refusal {
    /// Field at fault.
    pub field: String,
    /// What is wrong.
    pub reason: String,
    /// What was expected.
    pub expected: String,
}

impl Refusal {
    /// Stable code.
    pub const CODE: &'static str = "record.refused";
}

impl<'a> Record<'a> {
    /// A row of texts, in the order of the header.
    pub const fn from_fields(fields: &'a [String]) -> Self {
        Self::Fields(fields)
    }

    /// A row of texts, in the order of the header.
    pub const fn from_columns(columns: &'a dyn Columns) -> Self {
        Self::Columns(columns)
    }

    /// A JSON object.
    pub const fn from_object(object: &'a Map<String, Value>) -> Self {
        Self::Object(object)
    }

    /// The lead that the row means.
    ///
    /// # Errors
    /// Without an address, or with one that is none.
    pub fn to_lead(&self, map: &FieldMap) -> Result<Mapped, Refusal> {
        let mut remarks = Remarks::default();
        let mut text = |column: Column| match self.value(column, map) {
            Some(value) => remarks.text(column, value),
            None => String::new(),
        };
        let email = text(Column::Email);
        let (mut first_name, mut last_name) = (text(Column::FirstName), text(Column::LastName));
        let name = text(Column::Name);
        if first_name.is_empty() && last_name.is_empty() {
            (first_name, last_name) = split_name(&name);
        }
        let title = text(Column::Title);
        let linkedin_url = text(Column::LinkedIn);
        let phone = text(Column::Phone);
        let location = text(Column::Location);
        let company_name = text(Column::Company);
        let industry = text(Column::Industry);
        let domain = values::domain(&text(Column::Domain));
        let source = LeadSource {
            kind: text(Column::SourceKind),
            name: text(Column::SourceName),
        };
        let mut count = |column: Column| {
            self.value(column, map)
                .and_then(|value| remarks.count(column, value))
        };
        let employees = count(Column::Employees);
        let intent = Intent {
            website_visits: count(Column::WebsiteVisits).unwrap_or(0),
            content_downloads: count(Column::ContentDownloads).unwrap_or(0),
            pricing_page_visits: count(Column::PricingPageVisits).unwrap_or(0),
            score: count(Column::IntentScore),
            demo_requested: self
                .value(Column::DemoRequested, map)
                .is_some_and(|value| remarks.truth(Column::DemoRequested, value)),
        };
        let revenue = self.value(Column::Revenue, map);
        let revenue_usd = revenue.and_then(|value| remarks.amount(Column::Revenue, value));
        let technologies = self.value(Column::Technologies, map);
        let technologies = technologies
            .map(|value| remarks.list(Column::Technologies, value))
            .unwrap_or_default();
        let (key, flags) = address::check(&email)?;
        let company = Company {
            name: company_name,
            domain,
            employees,
            industry,
            technologies,
            revenue_usd,
        };
        let lead = Lead {
            key,
            email,
            first_name,
            last_name,
            title,
            linkedin_url,
            phone,
            location,
            company,
            source,
            intent,
        };
        Ok(Mapped {
            lead,
            remarks: remarks.0,
            flags,
        })
    }

    /// The value of a column; `None` where the row has none.
    fn value(&self, column: Column, map: &FieldMap) -> Option<Cell<'a>> {
        match self {
            Self::Fields(fields) => {
                let text = fields.get(map.position(column)?)?;
                Some(Cell::Text(text))
            }
            Self::Object(object) => columns::member(object, column, map).map(Cell::Json),
            Self::Columns(columns) => columns.text(map.position(column)?).map(Cell::Text),
        }
    }
}

/// The lead that the text of a JSON object means: as [`Record::to_lead`] says it, but without a map
/// in between where the row has the plain shape that enrichment writes.
///
/// # Errors
/// The text is no JSON object (`Err(None)`), or the row is refused.
pub fn lead_of_json(text: &str, map: &FieldMap) -> Result<Mapped, Option<Refusal>> {
    if map.is_plain()
        && let Some(wire) = wire::read(text)
    {
        return wire.to_lead().map_err(Some);
    }
    let object: Map<String, Value> = serde_json::from_str(text).map_err(|_| None)?;
    Record::from_object(&object).to_lead(map).map_err(Some)
}

/// Given and family name, at the first space.
fn split_name(name: &str) -> (String, String) {
    match name.split_once(' ') {
        Some((first, last)) => (first.to_owned(), last.trim().to_owned()),
        None => (name.to_owned(), String::new()),
    }
}

/// The key of an address, for callers that have nothing else.
///
/// # Errors
/// Without an address, or with one that is none.
pub fn check_address(email: &str) -> Result<EmailKey, Refusal> {
    address::check(email.trim()).map(|(key, _)| key)
}

#[cfg(test)]
mod tests;
