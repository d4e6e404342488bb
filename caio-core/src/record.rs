//! A source's row becomes a lead: which column means what, and what its text means.
//!
//! One odd field never costs the lead: its value is left out and the remark says so. A lead without
//! a usable address is refused, with the field, the reason and what was expected.

mod address;
mod columns;
mod plain;
mod values;

use std::borrow::Cow;
use std::fmt;

use serde_json::{Map, Value};

use crate::identity::EmailKey;
use crate::lead::{Company, Intent, Lead, LeadSource};

pub use address::{is_free_mail, is_role};
pub use columns::{Column, FieldMap, HeaderProblem};
pub use plain::{PlainCompany, PlainContact, PlainIntent, PlainRow, Text};

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
pub struct Mapped<S = String> {
    /// The lead.
    pub lead: Lead<S>,
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

impl<S> Mapped<S> {
    /// The same, with its texts held in another way.
    pub fn map<T>(self, hold: impl Fn(S) -> T) -> Mapped<T> {
        Mapped {
            lead: self.lead.map(hold),
            remarks: self.remarks,
            flags: self.flags,
        }
    }
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
        Ok(self.to_lead_held(map)?.map(Cow::into_owned))
    }

    /// [`Self::to_lead`], with the texts of the row where they are taken as they stand.
    ///
    /// # Errors
    /// As there.
    pub fn to_lead_held(&self, map: &FieldMap) -> Result<Mapped<Cow<'a, str>>, Refusal> {
        let mut remarks = Remarks::default();
        let mut text = |column: Column| match self.value(column, map) {
            Some(value) => remarks.text(column, value),
            None => Cow::Borrowed(""),
        };
        let email = text(Column::Email);
        let (mut first_name, mut last_name) = (text(Column::FirstName), text(Column::LastName));
        let name = text(Column::Name);
        if first_name.is_empty() && last_name.is_empty() {
            (first_name, last_name) = split_name(name);
        }
        let title = text(Column::Title);
        let linkedin_url = text(Column::LinkedIn);
        let phone = text(Column::Phone);
        let location = text(Column::Location);
        let company_name = text(Column::Company);
        let industry = text(Column::Industry);
        let domain = values::domain(text(Column::Domain));
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
    Ok(lead_of_json_held(text, map)?.map(Cow::into_owned))
}

/// [`lead_of_json`], with the texts of the row where they are taken as they stand.
///
/// # Errors
/// As there.
pub fn lead_of_json_held<'a>(
    text: &'a str,
    map: &FieldMap,
) -> Result<Mapped<Cow<'a, str>>, Option<Refusal>> {
    if map.is_plain()
        && let Some(row) = PlainRow::of_json(text)
        && row.is_usable()
    {
        return row.to_lead().map_err(Some);
    }
    let object: Map<String, Value> = serde_json::from_str(text).map_err(|_| None)?;
    let mapped = Record::from_object(&object).to_lead(map).map_err(Some)?;
    Ok(mapped.map(Cow::Owned))
}

/// Given and family name, at the first space.
fn split_name(name: Cow<'_, str>) -> (Cow<'_, str>, Cow<'_, str>) {
    match name {
        Cow::Borrowed(name) => match name.split_once(' ') {
            Some((first, last)) => (first.into(), last.trim().into()),
            None => (name.into(), "".into()),
        },
        Cow::Owned(name) => match name.split_once(' ') {
            Some((first, last)) => (first.to_owned().into(), last.trim().to_owned().into()),
            None => (name.into(), "".into()),
        },
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
