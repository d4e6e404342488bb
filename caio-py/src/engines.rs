//! The old engines' classes, over the corrected rules: they load and store, and decide nothing.

mod cadence;
mod lead_status;

use std::path::Path;

use caio_core::EmailKey;
use caio_core::eligibility::{ANSWERED_STATUSES, TERMINAL_STATUSES};
use caio_core::signals::{Facts, facts_of};
use caio_dispatch::facts::{Touch, facts};
use jiff::Timestamp;
use pyo3::prelude::*;
use serde_json::{Map, Value};

pub(crate) use cadence::CadenceEngine;
pub(crate) use lead_status::LeadStatusManager;

use crate::convert;
use crate::errors::{Class, guarded};
use crate::runtime::wait;
use crate::state::{StateStore, files};

/// An instant as the old system writes it.
fn stamp(now: Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string()
}

/// A person's record, and its facts; None only where there is none.
fn status_of(folder: &Path, person: &EmailKey) -> PyResult<Option<(Map<String, Value>, Facts)>> {
    let path = files::person_file(folder, person, crate::state::old_name(person)?)?;
    Ok(match files::read(&path)? {
        Some(Value::Object(record)) => {
            let facts = facts_of(&record);
            Some((record, facts))
        }
        _ => None,
    })
}

/// Whether somebody may be written to now.
///
/// `store` is a `StateStore`. Asked are: today's people, the lead's status with its history (a reply
/// or an opt-out that the status forgot counts, LS-1), the folder's opt-outs (IN-3) and, in Redis,
/// suppressions, status and first touch that caio keeps there (OPD-1). What cannot be read raises:
/// it is never a yes (LS-2).
#[pyfunction]
#[pyo3(signature = (email, store))]
pub(crate) fn is_lead_eligible(py: Python<'_>, email: &str, store: &StateStore) -> PyResult<bool> {
    let Ok(person) = EmailKey::parse(email) else {
        return Ok(false);
    };
    let today = store.dispatched_today(py)?;
    let folder = store.folder.root.join("lead_status");
    let named = guarded(|| {
        let none = std::collections::BTreeMap::<String, String>::new();
        let email = Value::String(person.as_str().to_owned());
        caio_core::compat::is_lead_eligible(&email, &today, &none)
            .map_err(|raised| Class::StateCorrupt.error("store.corrupt", raised.to_string()))
    })?;
    if !named {
        return Ok(false);
    }
    let (status, opted_out) = guarded(|| {
        py.detach(|| {
            Ok((
                status_of(&folder, &person)?,
                is_opted_out(&store.folder.root.join("unsubscribes.jsonl"), &person)?,
            ))
        })
    })?;
    if opted_out || status.is_some_and(|(_, facts)| facts.ended.is_some() || facts.has_replied()) {
        return Ok(false);
    }
    let Some(redis) = &store.redis else {
        return Ok(true);
    };
    let redis = redis.store(py)?;
    wait(py, async move {
        let touch = Touch {
            person: &person,
            medium: caio_core::Medium::Email,
            step: caio_core::Step::FIRST,
        };
        let found = facts(&*redis, &[touch])
            .await
            .map_err(|error| Class::StateUnavailable.error(error.code(), error.to_string()))?;
        Ok(found.iter().all(|it| {
            let status = it.lead_status.as_deref().unwrap_or("");
            it.suppressed.is_none()
                && !it.touched
                && !it.has_replied
                && !TERMINAL_STATUSES.contains(&status)
                && !ANSWERED_STATUSES.contains(&status)
        }))
    })
}

/// Whether the old system's list of opt-outs names a person; a broken line might, and is an error.
fn is_opted_out(path: &Path, person: &EmailKey) -> PyResult<bool> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(files::failed(path, &error)),
    };
    for (line, text) in (1..)
        .zip(text.lines())
        .filter(|(_, text)| !text.trim().is_empty())
    {
        let entry = crate::state::parse(&format!("{} line {line}", path.display()), text)?;
        let email = entry.get("email").and_then(Value::as_str).unwrap_or("");
        if caio_core::identity::is_record_of(person, email) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The clock of an engine: fixed by its caller, or the machine's.
#[derive(Debug, Clone, Copy)]
struct Now(Option<Timestamp>);

impl Now {
    fn of(given: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        match given {
            Some(given) if !given.is_none() => convert::instant(given).map(Some).map(Self),
            _ => Ok(Self(None)),
        }
    }

    fn get(self) -> Timestamp {
        self.0.unwrap_or_else(convert::now)
    }
}
