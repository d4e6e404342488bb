//! The old scorer, over any record: score, tier, reasons, tags, campaign and hooks of one lead.

mod rules;

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::CompatError;
use crate::pytext::{dict_get, is_truthy};
use rules::{Scored, campaign, hooks, name_and_title, tags};

type Answer<T> = Result<T, CompatError>;

/// What the old scorer reads: JSON's values, or those of a caller who holds them in another form.
pub trait Member: Clone {
    /// `value.get(key)`; an `AttributeError` unless it is a dict.
    fn get(&self, key: &'static str) -> Result<Option<Self>, CompatError>;

    /// `bool(value)`.
    fn is_truthy(&self) -> bool;

    /// The text, where it is one.
    fn text(&self) -> Option<&str>;

    /// The same as JSON.
    fn value(&self) -> Result<Cow<'_, Value>, CompatError>;
}

impl Member for &Value {
    fn get(&self, key: &'static str) -> Result<Option<Self>, CompatError> {
        dict_get(self, key)
    }

    fn is_truthy(&self) -> bool {
        is_truthy(self)
    }

    fn text(&self) -> Option<&str> {
        self.as_str()
    }

    fn value(&self) -> Result<Cow<'_, Value>, CompatError> {
        Ok(Cow::Borrowed(self))
    }
}

/// A record, or the empty one that stands for an absent one.
#[derive(Debug)]
struct Given<N>(Option<N>);

impl<N: Member> Given<N> {
    fn get(&self, key: &'static str) -> Answer<Option<N>> {
        match &self.0 {
            None => Ok(None),
            Some(record) => record.get(key),
        }
    }

    /// `record.get(key, {})`.
    fn member(&self, key: &'static str) -> Answer<Self> {
        self.get(key).map(Self)
    }
}

/// Points of one component, or the names of what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Points.
    Points(i64),
    /// Names.
    Signals(Vec<&'static str>),
}

/// A text of the scorer's, or a member of the lead as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tag<N> {
    /// As given.
    Given(N),
    /// The scorer's.
    Text(Cow<'static, str>),
}

/// What the old scorer says of a lead. A member that the lead lacks is `None` where it was given on:
/// `""` in the record, or 0 for a number.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the members of the old record, by its names")]
pub struct Segmented<N> {
    pub lead_id: Option<N>,
    pub linkedin_url: Option<N>,
    pub name: Tag<N>,
    pub title: Option<N>,
    pub company: Option<N>,
    pub icp_score: i64,
    pub icp_tier: &'static str,
    pub intent_score: Option<N>,
    pub source_type: Option<N>,
    pub source_name: Option<N>,
    pub segment_tags: Vec<Tag<N>>,
    pub score_breakdown: Vec<(&'static str, Part)>,
    pub scoring_reasons: Vec<String>,
    pub disqualification_reason: Option<&'static str>,
    pub needs_review: bool,
    /// Null where there is none.
    pub email: Option<N>,
    pub company_size: Option<N>,
    pub industry: Option<N>,
    pub recommended_campaign: &'static str,
    pub personalization_hooks: Vec<String>,
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
    segment_member(lead).map(Segmented::into_value)
}

/// [`segment_lead`] of a lead that is held in another form.
///
/// # Errors
/// As there.
pub fn segment_member<N: Member>(lead: N) -> Result<Segmented<N>, CompatError> {
    let lead = Given(Some(lead));
    let mut scored = Scored::default();
    let company = lead.member("company")?;
    scored.size(&company)?;
    scored.title(&lead)?;
    scored.industry(&company)?;
    scored.technology(&company)?;
    let intent = lead.member("intent")?;
    scored.intent(&lead, &intent)?;
    let score = scored.score.min(100);
    scored
        .reasons
        .push(format!("= {score}/100 total ICP score"));
    let tier = match score {
        80.. => "tier_1",
        60..80 => "tier_2",
        40..60 => "tier_3",
        _ => "tier_4",
    };
    let intent_score = intent.get("intent_score")?;
    let segment_tags = tags(&lead, &company, intent_score.as_ref(), tier)?;
    let recommended_campaign = campaign(&lead, &intent, tier)?;
    let personalization_hooks = hooks(&lead, &company)?;
    let (name, title) = name_and_title(&lead)?;
    let contact = lead.member("contact")?;
    let email = [contact.get("work_email")?, contact.get("verified_email")?]
        .into_iter()
        .flatten()
        .find(Member::is_truthy)
        .or(lead.get("email")?);
    Ok(Segmented {
        lead_id: lead.get("lead_id")?,
        linkedin_url: lead.get("linkedin_url")?,
        name,
        title,
        company: company.get("name")?,
        icp_score: score,
        icp_tier: tier,
        intent_score,
        source_type: lead.get("source_type")?,
        source_name: lead.get("source_name")?,
        segment_tags,
        score_breakdown: scored.breakdown,
        scoring_reasons: scored.reasons,
        disqualification_reason: scored.disqualified,
        needs_review: (70..=85).contains(&score),
        email,
        company_size: company.get("employee_count")?,
        industry: company.get("industry")?,
        recommended_campaign,
        personalization_hooks,
    })
}

impl Segmented<&Value> {
    /// The record, with the members of the old one.
    fn into_value(self) -> Value {
        let or = |given: Option<&Value>, default: Value| given.cloned().unwrap_or(default);
        let text = |given: Option<&Value>| or(given, json!(""));
        let tag = |tag: Tag<&Value>| match tag {
            Tag::Given(given) => given.clone(),
            Tag::Text(text) => json!(text),
        };
        let breakdown: Map<String, Value> = self
            .score_breakdown
            .into_iter()
            .map(|(name, part)| {
                let part = match part {
                    Part::Points(points) => json!(points),
                    Part::Signals(names) => json!(names),
                };
                (name.to_owned(), part)
            })
            .collect();
        json!({
            "lead_id": text(self.lead_id),
            "linkedin_url": text(self.linkedin_url),
            "name": tag(self.name),
            "title": text(self.title),
            "company": text(self.company),
            "icp_score": self.icp_score,
            "icp_tier": self.icp_tier,
            "intent_score": or(self.intent_score, json!(0)),
            "source_type": text(self.source_type),
            "source_name": text(self.source_name),
            "segment_tags": self.segment_tags.into_iter().map(tag).collect::<Vec<_>>(),
            "score_breakdown": breakdown,
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
