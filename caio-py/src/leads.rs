//! Leads, scored: one, a list, or a file that stays in Rust.

mod batch;
mod gc_pause;
mod json;
mod output;
mod plain;
mod rows;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use caio_core::icp::{Model, Scorer};
use caio_core::record::{FieldMap, Mapped, Refusal, lead_of_json};
use caio_core::texts::Texts;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

pub(crate) use batch::LeadBatch;

use crate::convert;
use crate::errors::{Class, guarded};
use gc_pause::GcPause;
use output::Scored;
use plain::Members;

/// Rows between two looks for Ctrl-C.
const STRIDE: usize = 2048;

/// Leads between two moments in which another thread may run: about a millisecond.
const TURN: usize = 256;

/// One lead, scored by a model: `default`, `realigned`, `legacy-746` or the path of a TOML file.
///
/// Score, tier (None for a disqualified lead), reasons, campaign and what was odd about the record
/// come back as a dict with the keys of the old scorer. No odd field costs the lead (D-03); keywords
/// are words (D-22, D-35), a range of employees is its lower end (D-36), a disqualified lead has no
/// tier (D-05).
///
/// Raises `InvalidInput` for a lead without a usable address, and for an unknown model.
#[pyfunction]
#[pyo3(signature = (lead, model="default"))]
pub(crate) fn segment_lead<'py>(
    lead: &Bound<'py, PyAny>,
    model: &str,
) -> PyResult<Bound<'py, PyDict>> {
    guarded(|| {
        let mut scoring = Scoring::by(model_named(model)?);
        let dict = scoring.dict(lead)?;
        scoring.keep();
        dict.map_err(|refusal| refused(&refusal))
    })
}

/// `segment_lead` for each of `leads`, in order; a refused one comes back as a dict whose `refused`
/// says field, reason and what was expected, and costs itself alone.
#[pyfunction]
#[pyo3(signature = (leads, model="default"))]
pub(crate) fn segment_leads<'py>(
    py: Python<'py>,
    leads: &Bound<'py, PyAny>,
    model: &str,
) -> PyResult<Bound<'py, PyList>> {
    guarded(|| {
        let mut scoring = Scoring::by(model_named(model)?);
        let list = PyList::empty(py);
        let mut pause = GcPause::begin(py)?;
        for (position, lead) in leads.try_iter()?.enumerate() {
            if position % TURN == TURN - 1 {
                // Nearly all of the work is Python's own objects; others have their turn in between.
                drop(pause);
                py.check_signals()?;
                py.detach(|| ());
                pause = GcPause::begin(py)?;
            }
            list.append(match scoring.dict(&lead?)? {
                Ok(dict) => dict,
                Err(refusal) => output::refusal(py, &refusal)?,
            })?;
        }
        drop(pause);
        scoring.keep();
        Ok(list)
    })
}

/// Scores what Python holds.
struct Scoring {
    scorer: Scorer<'static>,
    reasons: Texts,
}

/// Where scorers wait for the next call: they know what many words mean.
static SCORERS: Mutex<Vec<Scorer<'static>>> = Mutex::new(Vec::new());

/// Most scorers that wait.
const WAITING: usize = 4;

impl Scoring {
    fn by(model: &'static Model) -> Self {
        let mut waiting = SCORERS.lock().unwrap_or_else(PoisonError::into_inner);
        let known = waiting
            .iter()
            .position(|scorer| std::ptr::eq(scorer.model(), model));
        Self {
            scorer: known.map_or_else(|| Scorer::new(model), |at| waiting.swap_remove(at)),
            reasons: Texts::default(),
        }
    }

    /// Leaves the scorer to the next call.
    fn keep(self) {
        let mut waiting = SCORERS.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= WAITING {
            waiting.remove(0);
        }
        waiting.push(self.scorer);
    }

    /// The scored lead as a dict, or why it is refused.
    fn dict<'py>(
        &mut self,
        lead: &Bound<'py, PyAny>,
    ) -> PyResult<Result<Bound<'py, PyDict>, Refusal>> {
        let members = Members::of(lead);
        let texts = members.as_ref().and_then(Members::texts);
        let row = members.as_ref().zip(texts.as_ref());
        let mapped = match row.and_then(|(members, texts)| members.row(texts)) {
            Some(row) => row.to_lead(),
            None => mapped(lead, &FieldMap::default())?.map(|mapped| mapped.map(Cow::Owned)),
        };
        let mapped = match mapped {
            Ok(mapped) => mapped,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let scored = Scored::by(Some(&mut self.scorer), &mapped, &mut self.reasons);
        output::dict(lead.py(), &scored, texts.as_ref()).map(Ok)
    }
}

/// The lead that a dict or a dataclass instance means.
///
/// By way of its JSON text: there is one reader of leads of any shape, and it reads text.
fn mapped(lead: &Bound<'_, PyAny>, fields: &FieldMap) -> PyResult<Result<Mapped, Refusal>> {
    let mut text = String::with_capacity(1024);
    convert::push_json(&mut text, lead)?;
    lead_of_json(&text, fields).map_or_else(
        |refusal| match refusal {
            Some(refusal) => Ok(Err(refusal)),
            None => Err(convert::wrong_type(
                "a lead is a dict or a dataclass instance",
            )),
        },
        |mapped| Ok(Ok(mapped)),
    )
}

fn refused(refusal: &Refusal) -> PyErr {
    Class::InvalidInput.error(Refusal::CODE, refusal.to_string())
}

/// Models that were asked for; there are few, and each lives as long as the process.
static MODELS: Mutex<BTreeMap<String, &'static Model>> = Mutex::new(BTreeMap::new());

/// The model of that name, or in that file.
///
/// A file is read each time, and is the same model as long as it says the same.
fn model_named(name: &str) -> PyResult<&'static Model> {
    let known = |key: &str| {
        MODELS
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(key)
            .copied()
    };
    if let Some(model) = known(name) {
        return Ok(model);
    }
    let from_file = std::path::Path::new(name)
        .extension()
        .is_some_and(|it| it.eq_ignore_ascii_case("toml"));
    let read = if from_file {
        let text = std::fs::read_to_string(name).map_err(|error| {
            Class::LeadSource.error("model.unreadable", format!("{name}: {error}"))
        })?;
        Model::from_toml(&text)
    } else {
        Model::builtin(name)
    };
    let model = read.map_err(convert::invalid)?;
    let key = if from_file {
        format!("{}\n{}", model.name(), model.digest())
    } else {
        name.to_owned()
    };
    if let Some(model) = known(&key) {
        return Ok(model);
    }
    let model: &'static Model = Box::leak(Box::new(model));
    MODELS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(key, model);
    Ok(model)
}

/// What the caller named: a path, or the bytes themselves.
fn origin_of(object: &Bound<'_, PyAny>) -> PyResult<rows::Origin> {
    if let Ok(bytes) = object.extract::<Vec<u8>>()
        && !object.hasattr(intern!(object.py(), "encode"))?
    {
        return Ok(rows::Origin::bytes(bytes));
    }
    rows::Origin::file(convert::path(object)?)
}
