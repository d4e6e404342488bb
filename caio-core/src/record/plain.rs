//! The plain shape that enrichment writes, read without a map in between.
//!
//! Anything else (an unknown member, a number as text, a list as text) is left to the forgiving way.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::values::{Cell, Remarks, domain};
use super::{Column, Mapped, Refusal, address, split_name};
use crate::lead::{Company, Intent, Lead, LeadSource};

/// A row of that shape; what it lacks is `None`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the members of the row, by their names")]
pub struct PlainRow<'a> {
    /// Nobody reads it.
    #[serde(borrow, default)]
    pub lead_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub name: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub title: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub linkedin_url: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub source_type: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub source_name: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "object")]
    pub company: PlainCompany<'a>,
    #[serde(default, deserialize_with = "object")]
    pub intent: PlainIntent,
    #[serde(borrow, deserialize_with = "object")]
    pub contact: PlainContact<'a>,
}

/// The company of a row.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the members of the row, by their names")]
pub struct PlainCompany<'a> {
    #[serde(borrow, default)]
    pub name: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub domain: Option<Text<'a>>,
    #[serde(default)]
    pub employee_count: Option<u32>,
    #[serde(borrow, default)]
    pub industry: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub technologies: Option<Vec<Text<'a>>>,
    #[serde(default)]
    pub revenue_estimate: Option<f64>,
}

/// What the person of a row did.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the members of the row, by their names")]
pub struct PlainIntent {
    #[serde(default)]
    pub website_visits: Option<u32>,
    #[serde(default)]
    pub content_downloads: Option<u32>,
    #[serde(default)]
    pub pricing_page_visits: Option<u32>,
    #[serde(default)]
    pub demo_requested: Option<bool>,
    #[serde(default)]
    pub intent_score: Option<u32>,
}

/// How the person of a row is reached.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the members of the row, by their names")]
pub struct PlainContact<'a> {
    #[serde(borrow)]
    pub work_email: Text<'a>,
}

/// A value that is written as an object: what is derived takes an array of the members' values as well.
fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct Members<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(members))
        }
    }
    deserializer.deserialize_map(Members(PhantomData))
}

/// A text, left where it stands unless it holds escapes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Serde's own `Cow` is always a copy behind an `Option`.
        struct Held;

        impl<'de> Visitor<'de> for Held {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Held)
    }
}

impl<'a> PlainRow<'a> {
    /// The row, if the text has this very shape.
    pub(super) fn of_json(text: &'a str) -> Option<Self> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let row = object(&mut reader).ok()?;
        reader.end().is_ok().then_some(row)
    }

    /// Whether the forgiving way would say the same: it looks elsewhere for an address where this one
    /// is empty, and remarks on a negative amount.
    pub fn is_usable(&self) -> bool {
        let revenue = self.company.revenue_estimate;
        revenue.is_none_or(|amount| amount >= 0.0 && amount.is_finite())
            && !self.contact.work_email.0.trim().is_empty()
    }

    /// The lead that a usable row means.
    ///
    /// # Errors
    /// As [`Record::to_lead`](super::Record::to_lead).
    pub fn to_lead(self) -> Result<Mapped<Cow<'a, str>>, Refusal> {
        let mut remarks = Remarks::default();
        let mut text = |column: Column, given: Option<Text<'a>>| match given {
            None => Cow::Borrowed(""),
            Some(Text(Cow::Borrowed(text))) => remarks.text(column, Cell::Text(text)),
            Some(Text(Cow::Owned(text))) => {
                Cow::Owned(remarks.text(column, Cell::Text(&text)).into_owned())
            }
        };
        let email = text(Column::Email, Some(self.contact.work_email));
        let (first_name, last_name) = split_name(text(Column::Name, self.name));
        let title = text(Column::Title, self.title);
        let linkedin_url = text(Column::LinkedIn, self.linkedin_url);
        let name = text(Column::Company, self.company.name);
        let industry = text(Column::Industry, self.company.industry);
        let domain = domain(text(Column::Domain, self.company.domain));
        let source = LeadSource {
            kind: text(Column::SourceKind, self.source_type),
            name: text(Column::SourceName, self.source_name),
        };
        let technologies = self.company.technologies.into_iter().flatten();
        let technologies = technologies
            .map(|item| text(Column::Technologies, Some(item)))
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
            phone: Cow::Borrowed(""),
            location: Cow::Borrowed(""),
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
