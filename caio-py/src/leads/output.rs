//! A scored lead as a Python dict or a row of CSV; a line of JSON has the same members.

use std::borrow::Cow;

use caio_core::icp::{Breakdown, Model, Points, Scorer};
use caio_core::lead::Lead;
use caio_core::record::{Mapped, Refusal};
use caio_core::route::campaign;
use caio_core::terms::Tier;
use caio_core::texts::Texts;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use super::plain::{Given, Texts as GivenTexts};
use crate::known;
use crate::template::{Template, Templates, set};

/// A lead whose texts may stand in its row.
pub(crate) type Held<'a> = Mapped<Cow<'a, str>>;

/// A lead, and what a model says about it.
#[derive(Debug)]
pub(crate) struct Scored<'a> {
    pub(crate) mapped: &'a Held<'a>,
    pub(crate) score: Option<Score<'a>>,
}

/// What a model says about a lead.
#[derive(Debug)]
pub(crate) struct Score<'a> {
    pub(crate) model: &'static Model,
    pub(crate) points: Points,
    pub(crate) reasons: &'a Texts,
    /// None without a tier.
    pub(crate) campaign: Option<&'static str>,
}

impl<'a> Scored<'a> {
    /// `reasons` gives room for the reasons.
    pub(crate) fn by(
        scorer: Option<&mut Scorer<'static>>,
        mapped: &'a Held<'a>,
        reasons: &'a mut Texts,
    ) -> Self {
        let score = scorer.map(|scorer| {
            reasons.clear();
            let points = scorer.explain(&mapped.lead, reasons);
            Score {
                model: scorer.model(),
                points,
                reasons,
                campaign: points.tier.map(|tier| campaign(&mapped.lead, tier)),
            }
        });
        Self { mapped, score }
    }
}

impl Score<'_> {
    pub(crate) fn tier(&self) -> Option<&'static str> {
        self.points.tier.map(Tier::as_str)
    }

    pub(crate) fn disqualification(&self) -> Option<&'static str> {
        self.points.disqualified.then(|| self.model.too_small())
    }
}

/// The members of the CSV form.
pub(crate) const LEAD_COLUMNS: [&str; 21] = [
    "email",
    "name",
    "first_name",
    "last_name",
    "title",
    "linkedin_url",
    "location",
    "company",
    "company_domain",
    "company_size",
    "industry",
    "technologies",
    "source_type",
    "source_name",
    "intent_score",
    "website_visits",
    "content_downloads",
    "pricing_page_visits",
    "demo_requested",
    "flags",
    "remarks",
];

/// What follows where a model scored.
pub(crate) const SCORE_COLUMNS: [&str; 7] = [
    "icp_score",
    "icp_tier",
    "needs_review",
    "disqualification_reason",
    "scoring_reasons",
    "recommended_campaign",
    "model",
];

/// One row of CSV, in the order of the header; lists are joined by `; `.
pub(crate) fn csv_row(scored: &Scored<'_>) -> Vec<String> {
    let Mapped {
        lead,
        remarks,
        flags,
    } = scored.mapped;
    let Lead {
        company,
        source,
        intent,
        ..
    } = lead;
    let number = |value: Option<u32>| value.map_or_else(String::new, |value| value.to_string());
    let mut row = vec![
        lead.key.as_str().to_owned(),
        lead.name(),
        lead.first_name.clone().into_owned(),
        lead.last_name.clone().into_owned(),
        lead.title.clone().into_owned(),
        lead.linkedin_url.clone().into_owned(),
        lead.location.clone().into_owned(),
        company.name.clone().into_owned(),
        company.domain.clone().into_owned(),
        number(company.employees),
        company.industry.clone().into_owned(),
        company.technologies.join("; "),
        source.kind.clone().into_owned(),
        source.name.clone().into_owned(),
        number(intent.score),
        intent.website_visits.to_string(),
        intent.content_downloads.to_string(),
        intent.pricing_page_visits.to_string(),
        intent.demo_requested.to_string(),
        flags.join("; "),
        remarks.join("; "),
    ];
    if let Some(score) = &scored.score {
        let reasons: Vec<&str> = score.reasons.iter().collect();
        row.extend([
            score.points.points.to_string(),
            score.tier().unwrap_or("").to_owned(),
            score.points.needs_review.to_string(),
            score.disqualification().unwrap_or("").to_owned(),
            reasons.join("; "),
            score.campaign.unwrap_or("").to_owned(),
            score.model.name().to_owned(),
        ]);
    }
    row
}

/// Where the dict form has `score_breakdown`, which a row of CSV lacks.
const BREAKDOWN_AT: usize = 4;

/// What a model says of many leads alike.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Verdict {
    model: &'static str,
    tier: Option<Tier>,
    campaign: Option<&'static str>,
    needs_review: bool,
    disqualification: Option<&'static str>,
}

impl Verdict {
    fn of(score: &Score<'_>) -> Self {
        Self {
            model: score.model.name(),
            tier: score.points.tier,
            campaign: score.campaign,
            needs_review: score.points.needs_review,
            disqualification: score.disqualification(),
        }
    }
}

/// A dict with all members, as a lead has them of whom nothing is known but the verdict.
fn template(py: Python<'_>, verdict: Option<Verdict>) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    let nothing = |name: &str| {
        Ok::<_, PyErr>(match name {
            "company_size" | "intent_score" => py.None().into_bound(py),
            "website_visits" | "content_downloads" | "pricing_page_visits" => {
                0_u32.into_pyobject(py)?.into_any()
            }
            "demo_requested" | "needs_review" => false.into_pyobject(py)?.to_owned().into_any(),
            name if SCORE_COLUMNS.contains(&name) => py.None().into_bound(py),
            _ => intern!(py, "").clone().into_any(),
        })
    };
    for name in LEAD_COLUMNS {
        dict.set_item(PyString::intern(py, name), nothing(name)?)?;
    }
    if let Some(verdict) = verdict {
        for (at, name) in SCORE_COLUMNS.into_iter().enumerate() {
            if at == BREAKDOWN_AT {
                set!(dict; score_breakdown: py.None(););
            }
            dict.set_item(PyString::intern(py, name), nothing(name)?)?;
        }
        set!(dict;
            icp_tier: verdict.tier.map(Tier::as_str);
            needs_review: verdict.needs_review;
            disqualification_reason: verdict.disqualification;
            recommended_campaign: verdict.campaign;
            model: verdict.model;
        );
    }
    Ok(dict)
}

/// The members as a Python dict; a text that `given` holds as it is stays the same object.
pub(crate) fn dict<'py>(
    py: Python<'py>,
    scored: &Scored<'_>,
    given: Option<&GivenTexts<'_, 'py>>,
) -> PyResult<Bound<'py, PyDict>> {
    static LEAD: Template = Template::new();
    static SCORED: Templates<Verdict> = Templates::new();
    let Mapped {
        lead,
        remarks,
        flags,
    } = scored.mapped;
    let Lead {
        company,
        source,
        intent,
        ..
    } = lead;
    let dict = match &scored.score {
        None => LEAD.copy(py, || template(py, None))?,
        Some(score) => SCORED.copy(py, Verdict::of(score), |it| template(py, Some(*it)))?,
    };
    // What is as the template has it is not set again.
    macro_rules! text {
        ($($name:ident: $text:expr, $given:expr;)+) => {
            $( if !$text.is_empty() {
                set!(dict; $name: text(py, &$text, $given););
            } )+
        };
    }
    macro_rules! of {
        ($name:ident) => {
            given.and_then(|given| given.$name)
        };
    }
    let name = of!(name).filter(|it| it.is_whole_of(&lead.first_name, &lead.last_name));
    let name = match name {
        Some(name) => name.object.clone(),
        None => PyString::new(py, &lead.name()),
    };
    let email = match given.map(|given| given.work_email) {
        Some(given) if given.text == lead.key.as_str() => given.object.clone(),
        _ => PyString::new(py, lead.key.as_str()),
    };
    set!(dict; email: email; name: name;);
    text! {
        first_name: lead.first_name, None;
        last_name: lead.last_name, None;
        title: lead.title, of!(title);
        linkedin_url: lead.linkedin_url, of!(linkedin_url);
        location: lead.location, None;
        company: company.name, of!(company);
        company_domain: company.domain, of!(domain);
        industry: company.industry, of!(industry);
        source_type: source.kind, of!(source_type);
        source_name: source.name, of!(source_name);
    }
    let technologies = company.technologies.iter().enumerate().map(|(at, it)| {
        let given = given.and_then(|given| given.technologies.get(at).copied());
        text(py, it, given)
    });
    let texts = |texts: &[String]| known::list(py, texts.iter().map(String::as_str));
    set!(dict;
        technologies: PyList::new(py, technologies)?;
        flags: texts(flags)?;
        remarks: texts(remarks)?;
    );
    if company.employees.is_some() {
        set!(dict; company_size: company.employees;);
    }
    if intent.score.is_some() {
        set!(dict; intent_score: intent.score;);
    }
    for (name, count) in [
        (intern!(py, "website_visits"), intent.website_visits),
        (intern!(py, "content_downloads"), intent.content_downloads),
        (
            intern!(py, "pricing_page_visits"),
            intent.pricing_page_visits,
        ),
    ] {
        if count > 0 {
            dict.set_item(name, count)?;
        }
    }
    if intent.demo_requested {
        set!(dict; demo_requested: true;);
    }
    if let Some(score) = &scored.score {
        add_score(&dict, score)?;
    }
    Ok(dict)
}

fn add_score(dict: &Bound<'_, PyDict>, score: &Score<'_>) -> PyResult<()> {
    let py = dict.py();
    set!(dict;
        icp_score: score.points.points;
        score_breakdown: breakdown(py, score.points.breakdown)?;
        scoring_reasons: known::list(py, score.reasons.iter())?;
    );
    Ok(())
}

/// A text as Python's: the one that was given, where this is all of it.
fn text<'py>(py: Python<'py>, text: &str, given: Option<Given<'_, 'py>>) -> Bound<'py, PyString> {
    match given {
        Some(given) if given.is_whole_of(text, "") => given.object.clone(),
        _ => PyString::new(py, text),
    }
}

impl Given<'_, '_> {
    /// Whether it begins where `first` stands, and ends with it or, behind one separator, with `last`.
    fn is_whole_of(&self, first: &str, last: &str) -> bool {
        let length = match (first.len(), last.len()) {
            (first, 0) => first,
            (first, last) => first + 1 + last,
        };
        !first.is_empty()
            && self.text.len() == length
            && std::ptr::eq(self.text.as_ptr(), first.as_ptr())
    }
}

fn breakdown(py: Python<'_>, found: Breakdown) -> PyResult<Bound<'_, PyDict>> {
    static KEPT: Templates<Breakdown> = Templates::new();
    KEPT.copy(py, found, |found| {
        let Breakdown {
            size,
            title,
            industry,
            technology,
            intent,
            bonus,
            multiplier_percent,
        } = *found;
        let dict = PyDict::new(py);
        set!(dict;
            size: size;
            title: title;
            industry: industry;
            technology: technology;
            intent: intent;
            bonus: bonus;
            multiplier_percent: multiplier_percent;
        );
        Ok(dict)
    })
}

/// A refused lead, in its place in a list.
pub(crate) fn refusal<'py>(py: Python<'py>, refusal: &Refusal) -> PyResult<Bound<'py, PyDict>> {
    let why = PyDict::new(py);
    why.set_item(intern!(py, "field"), &refusal.field)?;
    why.set_item(intern!(py, "reason"), &refusal.reason)?;
    why.set_item(intern!(py, "expected"), &refusal.expected)?;
    let dict = PyDict::new(py);
    dict.set_item(intern!(py, "icp_score"), py.None())?;
    dict.set_item(intern!(py, "icp_tier"), py.None())?;
    dict.set_item(intern!(py, "scoring_reasons"), PyList::empty(py))?;
    dict.set_item(intern!(py, "refused"), why)?;
    Ok(dict)
}
