//! `CadenceEngine`: who is due, over the store's cadence records.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use caio_core::EmailKey;
use caio_core::cadence::{
    Next, Plan, ProgressFault, Record, Synced, done, enrolled, exited, next, paused, resumed,
    synced,
};
use caio_core::identity::cadence_action_id;
use caio_core::signals::Facts;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use serde_json::{Value, json};

use super::{Now, stamp, status_of};
use crate::convert::{self, to_python, to_value};
use crate::errors::{Class, check_signals, guarded};
use crate::state::StateStore;

/// Cadences over the records of a `StateStore` in `hive_dir`.
///
/// `cadence_config` maps a cadence's id to `steps`, `exit_on` and `pause_on`, as the old configuration
/// does. Questions write nothing (CA-3), only the step whose turn it is can be marked (CA-4), a lead is
/// enrolled once (CA-1), replies count even where the status forgot them (CA-8), and two touches keep
/// their distance (CA-6). Records that cannot be read stand in `problems` (CA-13). `now` fixes the
/// clock; days are UTC (PR-8).
#[pyclass(frozen, module = "caio_py")]
pub(crate) struct CadenceEngine {
    store: StateStore,
    plans: BTreeMap<String, Plan>,
    now: Now,
    problems: Mutex<Vec<String>>,
}

type Answer<'py> = PyResult<Bound<'py, PyAny>>;

#[pymethods]
impl CadenceEngine {
    #[new]
    #[pyo3(signature = (hive_dir, cadence_config, *, now=None))]
    fn new(
        py: Python<'_>,
        hive_dir: &Bound<'_, PyAny>,
        cadence_config: &Bound<'_, PyAny>,
        now: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let Value::Object(config) = to_value(cadence_config)? else {
            return Err(convert::wrong_type(
                "cadence_config is a dict of cadences by id",
            ));
        };
        let mut plans = BTreeMap::new();
        for (id, definition) in &config {
            // Other members of the old section are switches.
            if definition.is_object() {
                plans.insert(
                    id.clone(),
                    Plan::parse(definition).map_err(convert::invalid)?,
                );
            }
        }
        Ok(Self {
            store: StateStore::new(py, Some(hive_dir), None, None, None, None, None)?,
            plans,
            now: Now::of(now)?,
            problems: Mutex::new(Vec::new()),
        })
    }

    /// Records that the last scan could not read.
    #[getter]
    fn problems(&self) -> Vec<String> {
        self.problems
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What is due: dicts with `email`, `step`, `day`, `channel`, `action`, `description`, `condition`,
    /// `due`, `cadence_id`, `tier`, `linkedin_url`, `lead_data`, `action_id`; longest due first.
    ///
    /// Raises `InvalidInput` for an unknown cadence.
    #[pyo3(signature = (cadence_id="default_21day"))]
    fn get_due_actions<'py>(
        &self,
        py: Python<'py>,
        cadence_id: &str,
    ) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for action in self.due(py, cadence_id)? {
            list.append(to_python(py, &action)?)?;
        }
        Ok(list)
    }

    /// Looks at every lead's signals, and ends, holds, resumes or completes cadences: addresses by
    /// `exited`, `paused`, `connected`, and where there are any `resumed` and `completed`.
    #[pyo3(signature = (cadence_id="default_21day"))]
    fn sync_signals<'py>(&self, py: Python<'py>, cadence_id: &str) -> PyResult<Bound<'py, PyDict>> {
        let plan = self.plan(cadence_id)?;
        let now = stamp(self.now.get());
        let mut found: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for name in ["exited", "paused", "connected"] {
            found.insert(name, Vec::new());
        }
        for (person, record, facts) in self.leads(py, cadence_id)? {
            let change = match synced(&record, plan, &facts, &now) {
                Ok(Some(change)) => change,
                Ok(None) => continue,
                Err(fault) => {
                    self.note(fault.to_string());
                    continue;
                }
            };
            let name = match &change.1 {
                Synced::Completed => "completed",
                Synced::Connected => "connected",
                Synced::Exited(_) => "exited",
                Synced::Paused => "paused",
                Synced::Resumed => "resumed",
            };
            self.save(py, &person, change.0)?;
            found.entry(name).or_default().push(email_of(&record));
        }
        found.into_pyobject(py)
    }

    /// Records that a step was done and moves on; True where that was new, False where it is recorded
    /// already or the lead is not active. Raises `StateConflict` when another step is next.
    #[pyo3(signature = (email, step_num, result="dispatched", metadata=None))]
    fn mark_step_done(
        &self,
        py: Python<'_>,
        email: &str,
        step_num: i64,
        result: &str,
        metadata: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        let metadata = match metadata {
            Some(metadata) if metadata.is_truthy()? => Some(to_value(metadata)?),
            _ => None,
        };
        let now = stamp(self.now.get());
        self.change(py, email, |engine, record, facts| {
            let plan = engine.plan(
                record
                    .get("cadence_id")
                    .and_then(Value::as_str)
                    .unwrap_or(""),
            )?;
            done(
                record,
                plan,
                facts,
                step_num,
                result,
                metadata.as_ref(),
                &now,
            )
            .map_err(fault)
        })
    }

    /// Enrols a lead and answers its record; one that is there already is answered as it is, whatever
    /// its status (CA-1). `first_touch_at` marks step 1 as done by the send that has happened (CA-9).
    ///
    /// Raises `InvalidInput` for an empty address (CA-14) and an unknown cadence, `StateConflict` for
    /// a lead that ended contact or answered.
    #[pyo3(signature = (email, tier="tier_2", cadence_id="default_21day", linkedin_url="", lead_data=None, *, first_touch_at=None))]
    #[expect(clippy::too_many_arguments, reason = "the old signature and one more")]
    fn enroll<'py>(
        &self,
        py: Python<'py>,
        email: &str,
        tier: &str,
        cadence_id: &str,
        linkedin_url: &str,
        lead_data: Option<&Bound<'py, PyAny>>,
        first_touch_at: Option<&Bound<'py, PyAny>>,
    ) -> Answer<'py> {
        let person = crate::decisions::key(email)?;
        let plan = self.plan(cadence_id)?;
        if let Some(record) = self.store.cadence_record(py, &person)? {
            return to_python(py, &record);
        }
        let facts = self.facts(py, &person)?;
        if facts.ended.is_some() || facts.has_replied() {
            return Err(Class::StateConflict.error(
                "cadence.not_eligible",
                format!("{email} is {}; no sequence writes to them", facts.status()),
            ));
        }
        let data = match lead_data {
            Some(data) if !data.is_none() => to_value(data)?,
            _ => json!({}),
        };
        let now = stamp(self.now.get());
        let mut record = enrolled(email, cadence_id, tier, linkedin_url, &data, &now);
        if let Some(sent) = first_touch_at.filter(|it| !it.is_none()) {
            let sent = stamp(convert::instant(sent)?);
            let step = plan.steps.first().map_or(1, |step| step.step);
            let after =
                done(&record, plan, &facts, step, "dispatched", None, &sent).map_err(fault)?;
            record = after.unwrap_or(record);
        }
        let record = Value::Object(record);
        self.store.save_cadence_record(py, &person, &record)?;
        to_python(py, &record)
    }

    /// Holds a lead's cadence; True where it was active.
    #[pyo3(signature = (email, reason="manual"))]
    fn pause_lead(&self, py: Python<'_>, email: &str, reason: &str) -> PyResult<bool> {
        let now = stamp(self.now.get());
        self.change(py, email, |_, record, _| Ok(paused(record, reason, &now)))
    }

    /// Goes on with a held cadence; the signal that held it does not hold it again (CA-7).
    fn resume_lead(&self, py: Python<'_>, email: &str) -> PyResult<bool> {
        let now = stamp(self.now.get());
        self.change(py, email, |_, record, facts| {
            Ok(resumed(record, facts, &now))
        })
    }

    /// Ends a lead's cadence; True where it was active or held.
    #[pyo3(signature = (email, reason="manual"))]
    fn exit_lead(&self, py: Python<'_>, email: &str, reason: &str) -> PyResult<bool> {
        self.change(py, email, |_, record, _| Ok(exited(record, reason)))
    }

    /// Counts: `total_enrolled`, `by_status`, `by_current_step`, `exit_reasons`, `actions_due_today`.
    /// Writes nothing (OPD-20).
    fn get_cadence_summary<'py>(&self, py: Python<'py>) -> Answer<'py> {
        let records = self.store.cadence_records(py)?;
        let mut by_status: BTreeMap<String, u64> = ["active", "completed", "paused", "exited"]
            .map(|it| (it.to_owned(), 0))
            .into();
        let (mut by_step, mut reasons) = (
            BTreeMap::<String, u64>::new(),
            BTreeMap::<String, u64>::new(),
        );
        for record in &records {
            let text = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or("");
            *by_status.entry(text("status").to_owned()).or_default() += 1;
            if text("status") == "active" {
                let step = record
                    .get("current_step")
                    .map_or_else(String::new, ToString::to_string);
                *by_step.entry(format!("step_{step}")).or_default() += 1;
            }
            if !text("exit_reason").is_empty() {
                *reasons.entry(text("exit_reason").to_owned()).or_default() += 1;
            }
        }
        let mut due = 0;
        for id in self.plans.keys() {
            due += self.due(py, id)?.len();
        }
        let summary = json!({
            "total_enrolled": records.len(), "by_status": by_status, "by_current_step": by_step,
            "exit_reasons": reasons, "actions_due_today": due,
        });
        to_python(py, &summary)
    }
}

impl CadenceEngine {
    fn plan(&self, id: &str) -> PyResult<&Plan> {
        self.plans.get(id).ok_or_else(|| {
            let known: Vec<&str> = self.plans.keys().map(String::as_str).collect();
            let text = format!("there is no cadence {id:?}; known: {}", known.join(", "));
            Class::InvalidInput.error("cadence.unknown", text)
        })
    }

    fn today(&self) -> Date {
        self.now.get().to_zoned(TimeZone::UTC).date()
    }

    fn due(&self, py: Python<'_>, cadence_id: &str) -> PyResult<Vec<Value>> {
        let plan = self.plan(cadence_id)?;
        let today = self.today();
        let mut actions = Vec::new();
        for (_, record, facts) in self.leads(py, cadence_id)? {
            match next(&record, plan, &facts, today) {
                Ok(Next::Due(step, due)) => {
                    let email = email_of(&record);
                    let member =
                        |name: &str, default: Value| record.get(name).cloned().unwrap_or(default);
                    actions.push(json!({
                        "email": email, "step": step.step, "day": step.day, "channel": step.channel,
                        "action": step.action, "description": step.description,
                        "condition": step.condition, "due": due.to_string(), "cadence_id": cadence_id,
                        "tier": member("tier", json!("")), "linkedin_url": member("linkedin_url", json!("")),
                        "lead_data": member("lead_data", json!({})),
                        "action_id": cadence_action_id(&email, &step.channel, step.step, step.day),
                    }));
                }
                Ok(Next::Complete | Next::Nothing) => {}
                Err(fault) => self.note(fault.to_string()),
            }
        }
        let order = |it: &Value| {
            (
                it["due"].as_str().map(str::to_owned),
                it["email"].as_str().map(str::to_owned),
            )
        };
        actions.sort_by_key(order);
        Ok(actions)
    }

    /// Every record of a cadence, with what is known of its lead.
    fn leads(&self, py: Python<'_>, cadence_id: &str) -> PyResult<Vec<(EmailKey, Record, Facts)>> {
        self.problems
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        let mut leads = Vec::new();
        for (position, record) in self.store.cadence_records(py)?.into_iter().enumerate() {
            if position % 256 == 0 {
                check_signals()?;
            }
            let Value::Object(record) = record else {
                continue;
            };
            if record.get("cadence_id").and_then(Value::as_str) != Some(cadence_id) {
                continue;
            }
            let Ok(person) =
                EmailKey::parse(record.get("email").and_then(Value::as_str).unwrap_or(""))
            else {
                self.note("a cadence record names no address".to_owned());
                continue;
            };
            match self.facts(py, &person) {
                Ok(facts) => leads.push((person, record, facts)),
                // Unknown is never a yes: nothing is due for them.
                Err(error) => self.note(error.to_string()),
            }
        }
        Ok(leads)
    }

    fn facts(&self, py: Python<'_>, person: &EmailKey) -> PyResult<Facts> {
        let folder: PathBuf = self.store.folder.root.join("lead_status");
        let found = guarded(|| py.detach(|| status_of(&folder, person)))?;
        Ok(found.map(|(_, facts)| facts).unwrap_or_default())
    }

    /// Changes a person's record, if the change says so.
    fn change(
        &self,
        py: Python<'_>,
        email: &str,
        change: impl FnOnce(&Self, &Record, &Facts) -> PyResult<Option<Record>>,
    ) -> PyResult<bool> {
        let Ok(person) = EmailKey::parse(email) else {
            return Ok(false);
        };
        let Some(Value::Object(record)) = self.store.cadence_record(py, &person)? else {
            return Ok(false);
        };
        let facts = self.facts(py, &person)?;
        match change(self, &record, &facts)? {
            Some(after) => self.save(py, &person, after).map(|()| true),
            None => Ok(false),
        }
    }

    fn save(&self, py: Python<'_>, person: &EmailKey, record: Record) -> PyResult<()> {
        self.store
            .save_cadence_record(py, person, &Value::Object(record))
    }

    fn note(&self, problem: String) {
        self.problems
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(problem);
    }
}

fn email_of(record: &Record) -> String {
    record
        .get("email")
        .and_then(Value::as_str)
        .unwrap_or("")
        .to_owned()
}

#[expect(clippy::needless_pass_by_value, reason = "it stands behind map_err")]
fn fault(fault: ProgressFault) -> PyErr {
    let class = match fault {
        ProgressFault::NotNext { .. } => Class::StateConflict,
        ProgressFault::BadMember { .. } => Class::StateCorrupt,
    };
    class.error(fault.code(), fault.to_string())
}
