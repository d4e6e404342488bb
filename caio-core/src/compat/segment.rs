//! The old scorer, over any record: score, tier, reasons, tags, campaign and hooks of one lead.

mod parts;
mod rules;
mod words;

use std::borrow::Cow;

use serde_json::{Map, Value, json};
use smallvec::SmallVec;

use super::CompatError;
use crate::pytext::{PyException, dict_get, is_truthy, iterate, str_of, type_name};
use crate::texts::Texts;
use parts::{Company, Contact, Intent, Person};
use rules::{Scored, campaign, hooks, name_and_title, tags};

type Answer<T> = Result<T, CompatError>;

macro_rules! keys {
    ($($key:ident $name:literal)+) => {
        /// The members that the old scorer reads.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the members of the old record, by their names")]
        pub enum Key {
            $($key),+
        }

        impl Key {
            /// Every one, in the order of the declaration.
            pub const ALL: &'static [Self] = &[$(Self::$key),+];

            /// Its name in a record.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$key => $name),+
                }
            }
        }
    };
}

keys! {
    Company "company"
    Contact "contact"
    ContentDownloads "content_downloads"
    DemoRequested "demo_requested"
    Email "email"
    EmployeeCount "employee_count"
    FirstName "first_name"
    Industry "industry"
    Intent "intent"
    IntentScore "intent_score"
    LastName "last_name"
    LeadId "lead_id"
    LinkedinUrl "linkedin_url"
    Name "name"
    OriginalLead "original_lead"
    PricingPageVisits "pricing_page_visits"
    RevenueEstimate "revenue_estimate"
    SourceName "source_name"
    SourceType "source_type"
    Technologies "technologies"
    Title "title"
    VerifiedEmail "verified_email"
    WebsiteVisits "website_visits"
    WorkEmail "work_email"
}

/// What the old scorer reads: JSON's values, or those of a caller who holds them in another form.
pub trait Member: Clone {
    /// `value.get(key)`; an `AttributeError` unless it is a dict.
    fn get(&self, key: Key) -> Result<Option<Self>, CompatError>;

    /// `bool(value)`.
    fn is_truthy(&self) -> bool;

    /// The text, where it is one.
    fn text(&self) -> Option<&str>;

    /// The number, where it is an integer of 64 bits and no boolean.
    fn whole(&self) -> Option<i64>;

    /// The number, as it is compared with others; a `TypeError` for what cannot be.
    fn number(&self) -> Result<f64, CompatError>;

    /// `str(value)`.
    fn shown(&self) -> Result<Cow<'_, str>, CompatError>;

    /// `str(item)` of each item, in order; a `TypeError` for what has none.
    fn each(&self, see: &mut dyn FnMut(&str)) -> Result<(), CompatError>;

    /// The exception of a value that lacks a text's methods, such as `lower`.
    fn no_text(&self, method: &str) -> CompatError;

    /// The `TypeError` of adding it to a text.
    fn no_addend(&self) -> CompatError;
}

impl Member for &Value {
    fn get(&self, key: Key) -> Result<Option<Self>, CompatError> {
        dict_get(self, key.as_str())
    }

    fn is_truthy(&self) -> bool {
        is_truthy(self)
    }

    fn text(&self) -> Option<&str> {
        self.as_str()
    }

    fn whole(&self) -> Option<i64> {
        self.as_i64()
    }

    fn number(&self) -> Result<f64, CompatError> {
        match self {
            Value::Bool(flag) => Ok(f64::from(u8::from(*flag))),
            Value::Number(number) => Ok(number.as_f64().unwrap_or(f64::INFINITY)),
            other => Err(PyException::type_error(format!(
                "'<' not supported between instances of '{}' and 'int'",
                type_name(other)
            ))),
        }
    }

    fn shown(&self) -> Result<Cow<'_, str>, CompatError> {
        Ok(str_of(self))
    }

    fn each(&self, see: &mut dyn FnMut(&str)) -> Result<(), CompatError> {
        let items = iterate(self)?;
        for item in &items {
            see(&str_of(item));
        }
        Ok(())
    }

    fn no_text(&self, method: &str) -> CompatError {
        PyException::attribute(self, method)
    }

    fn no_addend(&self) -> CompatError {
        PyException::type_error(format!(
            "can only concatenate str (not \"{}\") to str",
            type_name(self)
        ))
    }
}

/// Points by component, and the names of what was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the members of the old record, by their names")]
pub struct Breakdown {
    pub company_size: Option<i64>,
    pub title_seniority: i64,
    pub industry_fit: i64,
    pub tech_stack: i64,
    /// Absent where empty.
    pub tech_signals: SmallVec<[&'static str; 3]>,
    pub intent_signals: i64,
    /// Absent where empty.
    pub intent_types: SmallVec<[&'static str; 5]>,
    pub engagement_bonus: Option<i64>,
}

/// A name, made of two members or as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name<N> {
    /// As given.
    Given(N),
    /// The scorer's.
    Made(String),
}

/// What the old scorer says of a lead. A member that the lead lacks is `None` where it was given on:
/// `""` in the record, or 0 for a number.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the members of the old record, by its names")]
pub struct Segmented<N> {
    pub lead_id: Option<N>,
    pub linkedin_url: Option<N>,
    pub name: Name<N>,
    pub title: Option<N>,
    pub company: Option<N>,
    pub icp_score: i64,
    pub icp_tier: &'static str,
    pub intent_score: Option<N>,
    pub source_type: Option<N>,
    pub source_name: Option<N>,
    /// Behind the tier and the source type (`unknown` where the lead lacks it).
    pub more_tags: Texts,
    pub score_breakdown: Breakdown,
    pub scoring_reasons: Texts,
    pub disqualification_reason: Option<&'static str>,
    pub needs_review: bool,
    /// Null where there is none.
    pub email: Option<N>,
    pub company_size: Option<N>,
    pub industry: Option<N>,
    pub recommended_campaign: &'static str,
    pub personalization_hooks: Texts,
}

/// Mirrors `execution/segmentor_classify.py::segment_lead`, without `segmented_at` and
/// `original_lead`; lists that came from a set are sorted (D-37).
///
/// Keeps D-05 (a disqualified lead has a tier and a campaign), D-22 and D-35 (keywords match inside
/// of words), D-36 (a range such as `51-200` is 0 employees). Corrected:
/// [`Model::explain`](crate::icp::Model::explain).
///
/// # Errors
/// The class of the Python exception, where it raised: one odd field cost the lead (D-03).
pub fn segment_lead(lead: &Value) -> Result<Value, CompatError> {
    segment_member(&lead).map(Segmented::into_value)
}

/// [`segment_lead`] of a lead that is held in another form.
///
/// # Errors
/// As there.
pub fn segment_member<N: Member>(lead: &N) -> Result<Segmented<N>, CompatError> {
    let person = Person::of(Some(lead))?;
    let company = Company::of(person.company.as_ref())?;
    let mut scored = Scored::new();
    scored.size(&company)?;
    scored.title(&person)?;
    scored.industry(&company)?;
    scored.technology(&company)?;
    let intent = Intent::of(person.intent.as_ref())?;
    let counts = scored.intent(&person, &intent)?;
    let (score, tier) = scored.sum();
    let mut more_tags = tags(&person, &company, &intent)?;
    let contact = Contact::of(person.contact.as_ref())?;
    if contact.work_email.as_ref().is_some_and(N::is_truthy) {
        more_tags.push(&["has_email"]);
    }
    let recommended_campaign = campaign(&person, &counts, tier)?;
    let personalization_hooks = hooks(&person, &company)?;
    let (name, title) = name_and_title(&person)?;
    let email = [contact.work_email, contact.verified_email]
        .into_iter()
        .flatten()
        .find(Member::is_truthy)
        .or(person.email);
    Ok(Segmented {
        lead_id: person.lead_id,
        linkedin_url: person.linkedin_url,
        name,
        title,
        company: company.name,
        icp_score: score,
        icp_tier: tier,
        intent_score: intent.warmth,
        source_type: person.source_type,
        source_name: person.source_name,
        more_tags,
        score_breakdown: scored.breakdown,
        scoring_reasons: scored.reasons,
        disqualification_reason: scored.disqualified,
        needs_review: (70..=85).contains(&score),
        email,
        company_size: company.employee_count,
        industry: company.industry,
        recommended_campaign,
        personalization_hooks,
    })
}

impl Segmented<&Value> {
    /// The record, with the members of the old one.
    fn into_value(self) -> Value {
        let or = |given: Option<&Value>, default: Value| given.cloned().unwrap_or(default);
        let text = |given: Option<&Value>| or(given, json!(""));
        let name = match self.name {
            Name::Given(given) => given.clone(),
            Name::Made(text) => json!(text),
        };
        let mut tags = vec![json!(self.icp_tier), or(self.source_type, json!("unknown"))];
        tags.extend(self.more_tags.iter().map(Value::from));
        json!({
            "lead_id": text(self.lead_id),
            "linkedin_url": text(self.linkedin_url),
            "name": name,
            "title": text(self.title),
            "company": text(self.company),
            "icp_score": self.icp_score,
            "icp_tier": self.icp_tier,
            "intent_score": or(self.intent_score, json!(0)),
            "source_type": text(self.source_type),
            "source_name": text(self.source_name),
            "segment_tags": tags,
            "score_breakdown": self.score_breakdown.into_value(),
            "scoring_reasons": self.scoring_reasons,
            "disqualification_reason": self.disqualification_reason,
            "needs_review": self.needs_review,
            "email": self.email,
            "company_size": or(self.company_size, json!(0)),
            "industry": text(self.industry),
            "recommended_campaign": self.recommended_campaign,
            "personalization_hooks": self.personalization_hooks,
        })
    }
}

impl Breakdown {
    fn into_value(self) -> Value {
        let signals = |names: &[&str]| (!names.is_empty()).then(|| json!(names));
        let members = [
            ("company_size", self.company_size.map(Value::from)),
            ("title_seniority", Some(self.title_seniority.into())),
            ("industry_fit", Some(self.industry_fit.into())),
            ("tech_stack", Some(self.tech_stack.into())),
            ("tech_signals", signals(&self.tech_signals)),
            ("intent_signals", Some(self.intent_signals.into())),
            ("intent_types", signals(&self.intent_types)),
            ("engagement_bonus", self.engagement_bonus.map(Value::from)),
        ];
        let members = members
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Value::Object(members.collect::<Map<_, _>>())
    }
}
