//! A scored lead as a Python dict, a line of JSON or a row of CSV: the same members in each.

use caio_core::icp::{Explanation, Model, Scorer};
use caio_core::lead::Lead;
use caio_core::record::{Mapped, Refusal};
use caio_core::route::campaign;
use caio_core::terms::Tier;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use serde::Serialize;

/// A lead, and what a model says about it.
#[derive(Debug)]
pub(crate) struct Scored {
    pub(crate) mapped: Mapped,
    pub(crate) score: Option<(&'static Model, Explanation)>,
}

impl Scored {
    pub(crate) fn by(scorer: &mut Scorer<'static>, mapped: Mapped) -> Self {
        let explanation = scorer.explain(&mapped.lead);
        Self {
            mapped,
            score: Some((scorer.model(), explanation)),
        }
    }

    /// The campaign; none without a tier.
    fn campaign(&self) -> Option<&'static str> {
        let tier = self.score.as_ref()?.1.tier?;
        Some(campaign(&self.mapped.lead, tier))
    }
}

/// The members of a line; `dict` below has the same.
#[derive(Serialize)]
struct Line<'a> {
    email: &'a str,
    name: String,
    first_name: &'a str,
    last_name: &'a str,
    title: &'a str,
    linkedin_url: &'a str,
    location: &'a str,
    company: &'a str,
    company_domain: &'a str,
    company_size: Option<u32>,
    industry: &'a str,
    technologies: &'a [String],
    source_type: &'a str,
    source_name: &'a str,
    intent_score: Option<u32>,
    website_visits: u32,
    content_downloads: u32,
    pricing_page_visits: u32,
    demo_requested: bool,
    flags: &'a [String],
    remarks: &'a [String],
    #[serde(skip)]
    score: Option<ScoreMembers<'a>>,
}

#[derive(Serialize)]
struct ScoreMembers<'a> {
    icp_score: u32,
    icp_tier: Option<&'static str>,
    needs_review: bool,
    disqualification_reason: Option<&'a str>,
    score_breakdown: &'a caio_core::icp::Breakdown,
    scoring_reasons: &'a [String],
    recommended_campaign: Option<&'static str>,
    model: &'a str,
}

fn line(scored: &Scored) -> Line<'_> {
    let Mapped {
        lead,
        remarks,
        flags,
    } = &scored.mapped;
    let Lead {
        company,
        source,
        intent,
        ..
    } = lead;
    Line {
        email: lead.key.as_str(),
        name: lead.name(),
        first_name: &lead.first_name,
        last_name: &lead.last_name,
        title: &lead.title,
        linkedin_url: &lead.linkedin_url,
        location: &lead.location,
        company: &company.name,
        company_domain: &company.domain,
        company_size: company.employees,
        industry: &company.industry,
        technologies: &company.technologies,
        source_type: &source.kind,
        source_name: &source.name,
        intent_score: intent.score,
        website_visits: intent.website_visits,
        content_downloads: intent.content_downloads,
        pricing_page_visits: intent.pricing_page_visits,
        demo_requested: intent.demo_requested,
        flags,
        remarks,
        score: scored.score.as_ref().map(|(model, found)| ScoreMembers {
            icp_score: found.points,
            icp_tier: found.tier.map(Tier::as_str),
            needs_review: found.needs_review,
            disqualification_reason: found.disqualified.as_deref(),
            score_breakdown: &found.breakdown,
            scoring_reasons: &found.reasons,
            recommended_campaign: scored.campaign(),
            model: model.name(),
        }),
    }
}

/// Appends one line of NDJSON.
pub(crate) fn push_json(out: &mut Vec<u8>, scored: &Scored) -> serde_json::Result<()> {
    let line = line(scored);
    serde_json::to_writer(&mut *out, &line)?;
    if let Some(score) = &line.score {
        // One object out of two: flattening costs as much as all the rest of the line.
        out.pop();
        let joint = out.len();
        serde_json::to_writer(&mut *out, score)?;
        out[joint] = b',';
    }
    out.push(b'\n');
    Ok(())
}

/// The header of the CSV form.
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
pub(crate) fn csv_row(scored: &Scored) -> Vec<String> {
    let line = line(scored);
    let number = |value: Option<u32>| value.map_or_else(String::new, |value| value.to_string());
    let mut row: Vec<String> = [
        line.email,
        &line.name,
        line.first_name,
        line.last_name,
        line.title,
        line.linkedin_url,
        line.location,
        line.company,
        line.company_domain,
    ]
    .map(str::to_owned)
    .into();
    row.extend([
        number(line.company_size),
        line.industry.to_owned(),
        line.technologies.join("; "),
        line.source_type.to_owned(),
        line.source_name.to_owned(),
        number(line.intent_score),
        line.website_visits.to_string(),
        line.content_downloads.to_string(),
        line.pricing_page_visits.to_string(),
        line.demo_requested.to_string(),
        line.flags.join("; "),
        line.remarks.join("; "),
    ]);
    if let Some(score) = line.score {
        row.extend([
            score.icp_score.to_string(),
            score.icp_tier.unwrap_or("").to_owned(),
            score.needs_review.to_string(),
            score.disqualification_reason.unwrap_or("").to_owned(),
            score.scoring_reasons.join("; "),
            score.recommended_campaign.unwrap_or("").to_owned(),
            score.model.to_owned(),
        ]);
    }
    row
}

/// The members as a Python dict.
pub(crate) fn dict<'py>(py: Python<'py>, scored: &Scored) -> PyResult<Bound<'py, PyDict>> {
    let line = line(scored);
    let dict = PyDict::new(py);
    macro_rules! set {
        ($from:ident: $($name:ident)*) => {
            $( dict.set_item(intern!(py, stringify!($name)), $from.$name)?; )*
        };
    }
    set!(line: email name first_name last_name title linkedin_url location company
         company_domain company_size industry technologies source_type source_name intent_score
         website_visits content_downloads pricing_page_visits demo_requested flags remarks);
    if let Some(score) = line.score {
        set!(score: icp_score icp_tier needs_review disqualification_reason);
        let breakdown = PyDict::new(py);
        let caio_core::icp::Breakdown {
            size,
            title,
            industry,
            technology,
            intent,
            bonus,
            multiplier_percent,
        } = *score.score_breakdown;
        for (name, points) in [
            (intern!(py, "size"), size),
            (intern!(py, "title"), title),
            (intern!(py, "industry"), industry),
            (intern!(py, "technology"), technology),
            (intern!(py, "intent"), intent),
            (intern!(py, "bonus"), bonus),
            (intern!(py, "multiplier_percent"), multiplier_percent),
        ] {
            breakdown.set_item(name, points)?;
        }
        dict.set_item(intern!(py, "score_breakdown"), breakdown)?;
        set!(score: scoring_reasons recommended_campaign model);
    }
    Ok(dict)
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
