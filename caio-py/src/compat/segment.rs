//! The old scorer over Python's own dicts: what it only hands on is never converted.

use std::borrow::Cow;

use caio_core::compat::{
    Breakdown, CompatError, Key, Member, Name, Segmented, segment_lead, segment_member,
};
use pyo3::exceptions::{PyAttributeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyFloat, PyInt, PyList, PyString};
use smallvec::SmallVec;

use crate::convert::{to_python, to_value};
use crate::errors;
use crate::known;
use crate::template::{Template, Templates, set};

/// The old record of a lead, given as a dict or as a dataclass instance.
pub(super) fn lead<'py>(lead: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = lead.py();
    if lead.cast::<PyDict>().is_ok() {
        let segmented = segment_member(&Held(lead.clone())).map_err(|it| errors::compat(&it))?;
        return dict(py, segmented).map(Bound::into_any);
    }
    let segmented = segment_lead(&to_value(lead)?).map_err(|it| errors::compat(&it))?;
    to_python(py, &segmented)
}

/// A value that Python holds.
#[derive(Debug, Clone)]
struct Held<'py>(Bound<'py, PyAny>);

/// The names of members as Python's texts, in the order of the keys.
static NAMES: PyOnceLock<Vec<Py<PyString>>> = PyOnceLock::new();

fn named<'a>(py: Python<'_>, key: Key) -> Option<&'a Py<PyString>> {
    let names = NAMES.get_or_init(py, || {
        let names = Key::ALL.iter().map(|key| key.as_str());
        names
            .map(|name| PyString::intern(py, name).unbind())
            .collect()
    });
    names.get(key as usize)
}

impl<'py> Member for Held<'py> {
    fn get(&self, key: Key) -> Result<Option<Self>, CompatError> {
        let Ok(dict) = self.0.cast::<PyDict>() else {
            return Err(self.no_attribute("get"));
        };
        let Some(name) = named(self.0.py(), key) else {
            return Ok(None);
        };
        let found = dict.get_item(name).map_err(|error| raised(&error))?;
        Ok(found.map(Self))
    }

    fn is_truthy(&self) -> bool {
        self.0.is_truthy().unwrap_or(true)
    }

    fn text(&self) -> Option<&str> {
        self.0.cast::<PyString>().ok()?.to_str().ok()
    }

    fn whole(&self) -> Option<i64> {
        self.0.cast_exact::<PyInt>().ok()?.extract().ok()
    }

    fn number(&self) -> Result<f64, CompatError> {
        if let Ok(number) = self.0.cast::<PyFloat>() {
            return Ok(number.value());
        }
        let Ok(number) = self.0.cast::<PyInt>() else {
            let class = self.class();
            return Err(type_error(format!(
                "'<' not supported between instances of '{class}' and 'int'"
            )));
        };
        // Fails for one that is larger than any float.
        Ok(number.extract().unwrap_or_else(|_| {
            let below = number.lt(0).unwrap_or(false);
            if below {
                f64::NEG_INFINITY
            } else {
                f64::INFINITY
            }
        }))
    }

    fn shown(&self) -> Result<Cow<'_, str>, CompatError> {
        let shown = self.0.str().map_err(|error| raised(&error))?;
        Ok(Cow::Owned(shown.to_string_lossy().into_owned()))
    }

    fn each(&self, see: &mut dyn FnMut(&str)) -> Result<(), CompatError> {
        let mut see = |item: Bound<'py, PyAny>| {
            let item = Self(item);
            match item.text() {
                Some(text) => see(text),
                None => see(&item.shown()?),
            }
            Ok(())
        };
        if let Ok(list) = self.0.cast_exact::<PyList>() {
            return list.iter().try_for_each(see);
        }
        for item in self.0.try_iter().map_err(|error| raised(&error))? {
            see(item.map_err(|error| raised(&error))?)?;
        }
        Ok(())
    }

    fn no_text(&self, method: &str) -> CompatError {
        // Bytes have it, and raise when they are compared with texts; a text that comes here holds half
        // of a surrogate pair.
        if self.0.hasattr(method).unwrap_or(false) {
            return type_error(format!(
                "expected a text that has an encoding, not {}",
                self.class()
            ));
        }
        self.no_attribute(method)
    }

    fn no_addend(&self) -> CompatError {
        let class = self.class();
        type_error(format!("can only concatenate str (not \"{class}\") to str"))
    }
}

impl Held<'_> {
    fn no_attribute(&self, name: &str) -> CompatError {
        CompatError {
            exception: "AttributeError",
            message: format!("'{}' object has no attribute '{name}'", self.class()),
        }
    }

    fn class(&self) -> String {
        let name = self.0.get_type().name();
        name.map_or_else(|_| "?".to_owned(), |name| name.to_string())
    }
}

fn type_error(message: String) -> CompatError {
    CompatError {
        exception: "TypeError",
        message,
    }
}

/// What Python's own protocols raise.
fn raised(error: &PyErr) -> CompatError {
    Python::attach(|py| {
        let exception = if error.is_instance_of::<PyAttributeError>(py) {
            "AttributeError"
        } else if error.is_instance_of::<PyValueError>(py) {
            "ValueError"
        } else {
            "TypeError"
        };
        CompatError {
            exception,
            message: error.value(py).to_string(),
        }
    })
}

/// The members, in the order of the old record.
const MEMBERS: [&str; 20] = [
    "lead_id",
    "linkedin_url",
    "name",
    "title",
    "company",
    "icp_score",
    "icp_tier",
    "intent_score",
    "source_type",
    "source_name",
    "segment_tags",
    "score_breakdown",
    "scoring_reasons",
    "disqualification_reason",
    "needs_review",
    "email",
    "company_size",
    "industry",
    "recommended_campaign",
    "personalization_hooks",
];

fn dict<'py>(py: Python<'py>, found: Segmented<Held<'py>>) -> PyResult<Bound<'py, PyDict>> {
    static SHAPE: Template = Template::new();
    let text = |given: Option<Held<'py>>| match given {
        Some(given) => given.0,
        None => intern!(py, "").clone().into_any(),
    };
    let number = |given: Option<Held<'py>>| match given {
        Some(given) => Ok::<_, PyErr>(given.0),
        None => Ok(0_i64.into_pyobject(py)?.into_any()),
    };
    let source = match &found.source_type {
        Some(given) => given.0.clone(),
        None => intern!(py, "unknown").clone().into_any(),
    };
    let tier = known::text(py, found.icp_tier);
    let mut tags: SmallVec<[Bound<'py, PyAny>; 8]> = SmallVec::new();
    tags.extend([tier.clone().into_any(), source]);
    tags.extend(
        found
            .more_tags
            .iter()
            .map(|it| known::text(py, it).into_any()),
    );
    let name = match found.name {
        Name::Given(given) => given.0,
        Name::Made(made) => PyString::new(py, &made).into_any(),
    };
    let dict = SHAPE.copy(py, || {
        let dict = PyDict::new(py);
        for member in MEMBERS {
            dict.set_item(PyString::intern(py, member), py.None())?;
        }
        Ok(dict)
    })?;
    set!(dict;
        lead_id: text(found.lead_id);
        linkedin_url: text(found.linkedin_url);
        name: name;
        title: text(found.title);
        company: text(found.company);
        icp_score: found.icp_score;
        icp_tier: tier;
        intent_score: number(found.intent_score)?;
        source_type: text(found.source_type);
        source_name: text(found.source_name);
        segment_tags: PyList::new(py, tags)?;
        score_breakdown: breakdown(py, found.score_breakdown)?;
        scoring_reasons: known::list(py, found.scoring_reasons.iter())?;
        needs_review: found.needs_review;
        company_size: number(found.company_size)?;
        industry: text(found.industry);
        recommended_campaign: known::text(py, found.recommended_campaign);
        personalization_hooks: known::list(py, found.personalization_hooks.iter())?;
    );
    if let Some(reason) = found.disqualification_reason {
        set!(dict; disqualification_reason: known::text(py, reason););
    }
    if let Some(email) = found.email {
        set!(dict; email: email.0;);
    }
    Ok(dict)
}

/// The points; four of its members are there or not.
fn breakdown(py: Python<'_>, found: Breakdown) -> PyResult<Bound<'_, PyDict>> {
    static KEPT: Templates<Breakdown> = Templates::new();
    let names = |names: &[&'static str]| known::list(py, names.iter().copied());
    let (signals, types) = (names(&found.tech_signals)?, names(&found.intent_types)?);
    let dict = KEPT.copy(py, found, |found| {
        let dict = PyDict::new(py);
        let set = |name, points: i64| dict.set_item(PyString::intern(py, name), points);
        if let Some(points) = found.company_size {
            set("company_size", points)?;
        }
        set("title_seniority", found.title_seniority)?;
        set("industry_fit", found.industry_fit)?;
        set("tech_stack", found.tech_stack)?;
        if !found.tech_signals.is_empty() {
            set("tech_signals", 0)?;
        }
        set("intent_signals", found.intent_signals)?;
        if !found.intent_types.is_empty() {
            set("intent_types", 0)?;
        }
        if let Some(points) = found.engagement_bonus {
            set("engagement_bonus", points)?;
        }
        Ok(dict)
    })?;
    // Each copy has lists of its own.
    if !signals.is_empty() {
        set!(dict; tech_signals: signals;);
    }
    if !types.is_empty() {
        set!(dict; intent_types: types;);
    }
    Ok(dict)
}
