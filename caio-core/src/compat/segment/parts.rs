//! The members of a lead that the old scorer reads, each read once, and numbers as it took them.

use super::{Answer, Key, Member};
use crate::texts::push_number;

macro_rules! part {
    ($(#[$doc:meta])* $part:ident { $($field:ident $key:ident)+ }) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(super) struct $part<N> {
            $(pub(super) $field: Option<N>),+
        }

        impl<N: Member> $part<N> {
            /// Of a record, or of the empty one that stands for an absent one; an `AttributeError`
            /// where it is no dict.
            pub(super) fn of(record: Option<&N>) -> Answer<Self> {
                Ok(match record {
                    Some(record) => Self { $($field: record.get(Key::$key)?),+ },
                    None => Self { $($field: None),+ },
                })
            }
        }
    };
}

part! {
    /// The lead itself.
    Person {
        company Company
        contact Contact
        email Email
        intent Intent
        lead_id LeadId
        linkedin_url LinkedinUrl
        name Name
        original_lead OriginalLead
        source_name SourceName
        source_type SourceType
        title Title
    }
}

part! {
    /// `lead.get("company", {})`.
    Company {
        employee_count EmployeeCount
        industry Industry
        name Name
        revenue_estimate RevenueEstimate
        technologies Technologies
    }
}

part! {
    /// `lead.get("intent", {})`.
    Intent {
        content_downloads ContentDownloads
        demo_requested DemoRequested
        warmth IntentScore
        pricing_page_visits PricingPageVisits
        website_visits WebsiteVisits
    }
}

part! {
    /// `lead.get("contact", {})`.
    Contact {
        verified_email VerifiedEmail
        work_email WorkEmail
    }
}

part! {
    /// `lead.get("original_lead", {})`, where it is not empty.
    Original {
        first_name FirstName
        last_name LastName
        title Title
    }
}

impl<N: Member> Person<N> {
    /// The source type, as it is compared.
    pub(super) fn kind(&self) -> &str {
        let kind = self.source_type.as_ref();
        kind.and_then(Member::text).unwrap_or("")
    }
}

/// A number, as it is compared and as it is printed.
#[derive(Debug)]
pub(super) enum Counted {
    Whole(i64),
    /// A float, a boolean, or an integer beyond 64 bits.
    Other(f64, String),
}

impl Counted {
    /// `record.get(key, 0)`, once it is compared with a number: not everything can be.
    pub(super) fn of<N: Member>(given: Option<&N>) -> Answer<Self> {
        let whole = given.map_or(Some(0), Member::whole);
        Ok(match (whole, given) {
            (Some(whole), _) => Self::Whole(whole),
            (None, None) => Self::Whole(0),
            (None, Some(given)) => Self::Other(given.number()?, given.shown()?.into_owned()),
        })
    }

    pub(super) const fn number(&self) -> f64 {
        match self {
            Self::Whole(whole) => float(*whole),
            Self::Other(number, _) => *number,
        }
    }

    pub(super) fn push(&self, out: &mut String) {
        match self {
            Self::Whole(whole) => push_number(out, *whole),
            Self::Other(_, shown) => out.push_str(shown),
        }
    }
}

/// `record.get(key, 0)` as it is compared with a number, where it is not printed.
pub(super) fn number<N: Member>(given: Option<&N>) -> Answer<f64> {
    match given {
        None => Ok(0.0),
        Some(given) => match given.whole() {
            Some(whole) => Ok(float(whole)),
            None => given.number(),
        },
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "no bound that is compared with is beyond 2^53"
)]
const fn float(whole: i64) -> f64 {
    whole as f64
}
