//! The old scorer over Python's own dicts: what it only hands on is never converted.

use std::borrow::Cow;

use caio_core::compat::{CompatError, Member, Part, Segmented, Tag, segment_lead, segment_member};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};
use serde_json::Value;

use crate::convert::{name, to_python, to_value};
use crate::errors;

/// The old record of a lead, given as a dict or as a dataclass instance.
pub(super) fn lead<'py>(lead: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = lead.py();
    if lead.cast::<PyDict>().is_ok() {
        let segmented = segment_member(Held(lead.clone())).map_err(|it| errors::compat(&it))?;
        return dict(py, segmented).map(Bound::into_any);
    }
    let segmented = segment_lead(&to_value(lead)?).map_err(|it| errors::compat(&it))?;
    to_python(py, &segmented)
}

/// A value that Python holds.
#[derive(Debug, Clone)]
struct Held<'py>(Bound<'py, PyAny>);

impl Member for Held<'_> {
    fn get(&self, key: &'static str) -> Result<Option<Self>, CompatError> {
        let Ok(dict) = self.0.cast::<PyDict>() else {
            let class = self.0.get_type();
            let class = class
                .name()
                .map_or_else(|_| "?".to_owned(), |name| name.to_string());
            return Err(CompatError {
                exception: "AttributeError",
                message: format!("'{class}' object has no attribute 'get'"),
            });
        };
        let found = dict
            .get_item(name(self.0.py(), key))
            .map_err(|error| raised(&error))?;
        Ok(found.map(Self))
    }

    fn is_truthy(&self) -> bool {
        self.0.is_truthy().unwrap_or(true)
    }

    fn text(&self) -> Option<&str> {
        self.0.cast::<PyString>().ok()?.to_str().ok()
    }

    fn value(&self) -> Result<Cow<'_, Value>, CompatError> {
        to_value(&self.0)
            .map(Cow::Owned)
            .map_err(|error| raised(&error))
    }
}

/// A value that no record holds is of the wrong type for the old scorer too.
fn raised(error: &PyErr) -> CompatError {
    CompatError {
        exception: "TypeError",
        message: error.to_string(),
    }
}

fn dict<'py>(py: Python<'py>, found: Segmented<Held<'py>>) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    let empty = || PyString::new(py, "").into_any();
    let text = |given: Option<Held<'py>>| given.map_or_else(empty, |given| given.0);
    let number = |given: Option<Held<'py>>| match given {
        Some(given) => Ok::<_, PyErr>(given.0),
        None => Ok(0_i64.into_pyobject(py)?.into_any()),
    };
    let tag = |tag: Tag<Held<'py>>| match tag {
        Tag::Given(given) => given.0,
        Tag::Text(text) => PyString::new(py, &text).into_any(),
    };
    macro_rules! set {
        ($($name:ident: $value:expr;)*) => {
            $( dict.set_item(intern!(py, stringify!($name)), $value)?; )*
        };
    }
    let tags: Vec<_> = found.segment_tags.into_iter().map(tag).collect();
    let breakdown = PyDict::new(py);
    for (component, part) in found.score_breakdown {
        match part {
            Part::Points(points) => breakdown.set_item(name(py, component), points)?,
            Part::Signals(names) => {
                breakdown.set_item(name(py, component), PyList::new(py, names)?)?;
            }
        }
    }
    set! {
        lead_id: text(found.lead_id);
        linkedin_url: text(found.linkedin_url);
        name: tag(found.name);
        title: text(found.title);
        company: text(found.company);
        icp_score: found.icp_score;
        icp_tier: name(py, found.icp_tier);
        intent_score: number(found.intent_score)?;
        source_type: text(found.source_type);
        source_name: text(found.source_name);
        segment_tags: PyList::new(py, tags)?;
        score_breakdown: breakdown;
        scoring_reasons: PyList::new(py, &found.scoring_reasons)?;
        disqualification_reason: found.disqualification_reason;
        needs_review: found.needs_review;
        email: found.email.map(|given| given.0);
        company_size: number(found.company_size)?;
        industry: text(found.industry);
        recommended_campaign: found.recommended_campaign;
        personalization_hooks: PyList::new(py, &found.personalization_hooks)?;
    }
    Ok(dict)
}
