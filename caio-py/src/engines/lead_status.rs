//! `LeadStatusManager`: signals into the old system's folder of lead status records.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use caio_core::EmailKey;
use caio_core::signals::{Decay, Seen, apply, facts_of, is_absence_note, next_decay};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use serde_json::{Map, Value, json};

use super::{Now, stamp, status_of};
use crate::convert::{self, to_python, to_value};
use crate::errors::{check_signals, guarded};
use crate::state::{files, old_name};

/// Characters of a reply that are kept.
const PREVIEW: usize = 200;

/// Lead status by signals, in `hive_dir/lead_status`.
///
/// An opt-out, a bounce and a reply are never taken back by what comes later (LS-1), every open
/// counts (LS-5), an absence note is no reply, files appear whole and under a lock (LS-2), two
/// people never share one (PR-1). A record that cannot be read raises `StateCorrupt`; scans pass over
/// it and name it in `problems`. `now` fixes the clock.
#[pyclass(frozen, module = "caio_py")]
pub(crate) struct LeadStatusManager {
    hive_dir: PathBuf,
    now: Now,
    problems: Mutex<Vec<String>>,
}

type Answer<'py> = PyResult<Bound<'py, PyAny>>;

#[pymethods]
impl LeadStatusManager {
    #[new]
    #[pyo3(signature = (hive_dir=None, *, now=None))]
    fn new(hive_dir: Option<&Bound<'_, PyAny>>, now: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let hive_dir = match hive_dir {
            Some(path) if !path.is_none() => convert::path(path)?,
            _ => PathBuf::from(".hive-mind"),
        };
        let folder = hive_dir.join("lead_status");
        fs::create_dir_all(&folder).map_err(|error| files::failed(&folder, &error))?;
        Ok(Self {
            hive_dir,
            now: Now::of(now)?,
            problems: Mutex::new(Vec::new()),
        })
    }

    /// The old system's folder.
    #[getter]
    fn hive_dir(&self) -> PathBuf {
        self.hive_dir.clone()
    }

    /// Where the records stand.
    #[getter]
    fn status_dir(&self) -> PathBuf {
        self.hive_dir.join("lead_status")
    }

    /// Records that the last scan could not read.
    #[getter]
    fn problems(&self) -> Vec<String> {
        self.problems
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// A person's record, with the status that its whole history makes; None without one.
    fn get_lead_status<'py>(
        &self,
        py: Python<'py>,
        email: &str,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Ok(person) = EmailKey::parse(email) else {
            return Ok(None);
        };
        let found = guarded(|| py.detach(|| status_of(&self.status_dir(), &person)))?;
        found
            .map(|(record, _)| to_python(py, &shown(record)))
            .transpose()
    }

    /// Records a signal and answers the record. Raises `InvalidInput` for an empty address (LS-7).
    #[pyo3(signature = (email, new_status, signal_source, metadata=None))]
    fn update_lead_status<'py>(
        &self,
        py: Python<'py>,
        email: &str,
        new_status: &str,
        signal_source: &str,
        metadata: Option<&Bound<'py, PyAny>>,
    ) -> Answer<'py> {
        let data = match metadata {
            Some(metadata) if metadata.is_truthy()? => Some(to_value(metadata)?),
            _ => None,
        };
        self.signal(py, email, new_status, signal_source, data.as_ref())
    }

    /// An e-mail was opened.
    #[pyo3(signature = (email, campaign_id=""))]
    fn handle_email_opened<'py>(
        &self,
        py: Python<'py>,
        email: &str,
        campaign_id: &str,
    ) -> Answer<'py> {
        let data = json!({"campaign_id": campaign_id});
        self.signal(py, email, "opened", "instantly_webhook:open", Some(&data))
    }

    /// An e-mail was answered; an absence note is recorded and changes nothing. None is an empty text.
    #[pyo3(signature = (email, reply_text="", campaign_id=""))]
    fn handle_email_replied<'py>(
        &self,
        py: Python<'py>,
        email: &str,
        reply_text: Option<&str>,
        campaign_id: &str,
    ) -> Answer<'py> {
        let text = reply_text.unwrap_or("");
        let data = json!({"campaign_id": campaign_id, "reply_preview": preview(text)});
        let (status, source) = if is_absence_note(text) {
            ("", "instantly_webhook:auto_reply")
        } else {
            ("replied", "instantly_webhook:reply")
        };
        self.signal(py, email, status, source, Some(&data))
    }

    /// An e-mail came back.
    #[pyo3(signature = (email, bounce_type=""))]
    fn handle_email_bounced<'py>(
        &self,
        py: Python<'py>,
        email: &str,
        bounce_type: &str,
    ) -> Answer<'py> {
        let data = json!({"bounce_type": bounce_type});
        self.signal(
            py,
            email,
            "bounced",
            "instantly_webhook:bounce",
            Some(&data),
        )
    }

    /// The person opted out.
    fn handle_email_unsubscribed<'py>(&self, py: Python<'py>, email: &str) -> Answer<'py> {
        self.signal(
            py,
            email,
            "unsubscribed",
            "instantly_webhook:unsubscribe",
            None,
        )
    }

    /// A connection was asked for; `{}` without an address.
    #[pyo3(signature = (linkedin_url, email=""))]
    fn handle_linkedin_connection_sent<'py>(
        &self,
        py: Python<'py>,
        linkedin_url: &str,
        email: &str,
    ) -> Answer<'py> {
        self.linkedin(
            py,
            email,
            "linkedin_sent",
            "connection_sent",
            &json!({"linkedin_url": linkedin_url}),
        )
    }

    /// The connection was accepted; `{}` without an address.
    #[pyo3(signature = (linkedin_url, email=""))]
    fn handle_linkedin_connection_accepted<'py>(
        &self,
        py: Python<'py>,
        linkedin_url: &str,
        email: &str,
    ) -> Answer<'py> {
        let data = json!({"linkedin_url": linkedin_url});
        self.linkedin(
            py,
            email,
            "linkedin_connected",
            "connection_accepted",
            &data,
        )
    }

    /// A message was answered on LinkedIn; `{}` without an address.
    #[pyo3(signature = (linkedin_url, message_text="", email=""))]
    fn handle_linkedin_reply<'py>(
        &self,
        py: Python<'py>,
        linkedin_url: &str,
        message_text: Option<&str>,
        email: &str,
    ) -> Answer<'py> {
        let data = json!({
            "linkedin_url": linkedin_url, "message_preview": preview(message_text.unwrap_or("")),
        });
        self.linkedin(py, email, "linkedin_replied", "message_reply", &data)
    }

    /// Whether somebody may be written to anew: never who ended contact, answered, is in a programme
    /// (LS-6), or whose record cannot be read (LS-2). Nobody without a record was ever written to.
    fn is_revivable(&self, py: Python<'_>, email: &str) -> bool {
        let Ok(person) = EmailKey::parse(email) else {
            return false;
        };
        match guarded(|| py.detach(|| status_of(&self.status_dir(), &person))) {
            Ok(found) => found.is_none_or(|(_, facts)| facts.is_revivable()),
            Err(_) => false,
        }
    }

    /// Records what silence has made of each lead: `ghosted` and `stalled` with `email` and `since`,
    /// `engaged_not_replied` with `email` and `open_count`.
    fn detect_engagement_decay<'py>(&self, py: Python<'py>) -> Answer<'py> {
        let now = self.now.get();
        let found = guarded(|| {
            py.detach(|| {
                let mut found = json!({"ghosted": [], "stalled": [], "engaged_not_replied": []});
                for record in self.scan()? {
                    let email = record.get("email").and_then(Value::as_str).unwrap_or("");
                    let Some(decay) = next_decay(&record, now) else {
                        continue;
                    };
                    if EmailKey::parse(email).is_err() {
                        // It cannot be written back to anybody (LS-11).
                        self.note(format!("a {} record names no address", decay.status()));
                        continue;
                    }
                    let since = record.get("updated_at").cloned().unwrap_or_default();
                    let (data, entry) = match decay {
                        Decay::Ghosted { hours } => (
                            json!({"hours_since_send": hours}),
                            json!({"email": email, "since": since}),
                        ),
                        Decay::Stalled { days } => (
                            json!({"days_since_open": days}),
                            json!({"email": email, "since": since}),
                        ),
                        Decay::Engaged { opens } => (
                            json!({"open_count": opens}),
                            json!({"email": email, "open_count": opens}),
                        ),
                    };
                    self.record(email, decay.status(), decay.source(), Some(&data))?;
                    if let Some(list) = found.get_mut(decay.status()).and_then(Value::as_array_mut)
                    {
                        list.push(entry);
                    }
                    check_signals()?;
                }
                Ok(found)
            })
        })?;
        to_python(py, &found)
    }

    /// Leads by status; records that cannot be read are counted as `unreadable`.
    fn get_status_summary<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let records = guarded(|| py.detach(|| self.scan()))?;
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for record in records {
            *counts
                .entry(facts_of(&record).status().to_owned())
                .or_default() += 1;
        }
        let unreadable = self.problems().len();
        if unreadable > 0 {
            counts.insert("unreadable".to_owned(), unreadable);
        }
        counts.into_pyobject(py)
    }

    /// Every record, by file name, each with the status that its whole history makes.
    fn get_all_lead_statuses<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for record in guarded(|| py.detach(|| self.scan()))? {
            list.append(to_python(py, &shown(record))?)?;
        }
        Ok(list)
    }

    /// Makes a record for each recipient of a queued e-mail that has none, and answers how many.
    /// Words of the queue become statuses: `dispatched_to_instantly` is `dispatched` (LS-4).
    fn bootstrap_from_shadow_emails(&self, py: Python<'_>) -> PyResult<usize> {
        guarded(|| {
            py.detach(|| {
                let mut made = 0;
                let folder = self.hive_dir.join("shadow_mode_emails");
                self.clear();
                for path in files::paths(&folder)? {
                    let email = match files::read(&path) {
                        Ok(Some(email)) => email,
                        Ok(None) => continue,
                        Err(error) => {
                            self.note(error.to_string());
                            continue;
                        }
                    };
                    made += usize::from(self.bootstrap(&path, &email)?);
                    check_signals()?;
                }
                Ok(made)
            })
        })
    }
}

impl LeadStatusManager {
    fn linkedin<'py>(
        &self,
        py: Python<'py>,
        email: &str,
        status: &str,
        what: &str,
        data: &Value,
    ) -> Answer<'py> {
        if email.is_empty() {
            return Ok(PyDict::new(py).into_any());
        }
        self.signal(
            py,
            email,
            status,
            &format!("heyreach_webhook:{what}"),
            Some(data),
        )
    }

    fn signal<'py>(
        &self,
        py: Python<'py>,
        email: &str,
        status: &str,
        source: &str,
        data: Option<&Value>,
    ) -> Answer<'py> {
        let record = guarded(|| py.detach(|| self.record(email, status, source, data)))?;
        to_python(py, &Value::Object(record))
    }

    /// Reads, applies and writes under the folder's lock.
    fn record(
        &self,
        email: &str,
        status: &str,
        source: &str,
        data: Option<&Value>,
    ) -> PyResult<Map<String, Value>> {
        let person = crate::decisions::key(email)?;
        let _held = self.lock()?;
        let folder = self.status_dir();
        let before = status_of(&folder, &person)?.map(|(record, _)| record);
        let at = stamp(self.now.get());
        let seen = Seen {
            email,
            status,
            source,
            at: &at,
            data,
        };
        let after = apply(before.as_ref(), &seen);
        if before.as_ref() != Some(&after) {
            let path = files::person_file(&folder, &person, old_name(&person)?)?;
            files::write_whole(&path, &Value::Object(after.clone()))?;
        }
        Ok(after)
    }

    /// Held while a record is read and written, against other processes too.
    fn lock(&self) -> PyResult<File> {
        let path = self.status_dir().join(".lock");
        let open = || -> std::io::Result<File> {
            let file = File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)?;
            file.lock()?;
            Ok(file)
        };
        open().map_err(|error| files::failed(&path, &error))
    }

    fn bootstrap(&self, path: &std::path::Path, email: &Value) -> PyResult<bool> {
        let to = email.get("to").and_then(Value::as_str).unwrap_or("");
        let Ok(person) = EmailKey::parse(to) else {
            return Ok(false);
        };
        let _held = self.lock()?;
        let folder = self.status_dir();
        if status_of(&folder, &person)?.is_some() {
            return Ok(false);
        }
        let member = |part: &str, name: &str, default: Value| {
            let part = if part.is_empty() {
                Some(email)
            } else {
                email.get(part)
            };
            part.and_then(|part| part.get(name))
                .cloned()
                .unwrap_or(default)
        };
        let status = match email
            .get("status")
            .and_then(Value::as_str)
            .unwrap_or("pending")
        {
            "dispatched_to_instantly" | "dispatched_to_heyreach" => "dispatched",
            "sent_via_ghl" => "sent",
            "pending_review" => "pending",
            other => other,
        };
        let at = email
            .get("timestamp")
            .and_then(Value::as_str)
            .map_or_else(|| stamp(self.now.get()), str::to_owned);
        let stem = path.file_stem().and_then(|it| it.to_str()).unwrap_or("");
        let record = json!({
            "email": to, "name": member("recipient_data", "name", json!("")),
            "company": member("recipient_data", "company", json!("")),
            "title": member("recipient_data", "title", json!("")),
            "linkedin_url": member("recipient_data", "linkedin_url", json!("")),
            "icp_tier": member("context", "icp_tier", json!("")),
            "icp_score": member("context", "icp_score", json!(0)),
            "campaign_id": member("context", "campaign_id", json!("")),
            "email_id": member("", "email_id", json!(stem)),
            "status": status,
            "status_history": [{"from": "new", "to": status, "at": at, "source": "bootstrap"}],
            "signals": [], "created_at": at, "updated_at": at, "open_count": 0, "reply_count": 0,
            "linkedin_status": null,
        });
        files::write_whole(
            &files::person_file(&folder, &person, old_name(&person)?)?,
            &record,
        )?;
        Ok(true)
    }

    fn scan(&self) -> PyResult<Vec<Map<String, Value>>> {
        self.clear();
        let mut records = Vec::new();
        for path in files::paths(&self.status_dir())? {
            match files::read(&path) {
                Ok(Some(Value::Object(record))) => records.push(record),
                Ok(_) => {}
                Err(error) => self.note(error.to_string()),
            }
        }
        Ok(records)
    }

    fn clear(&self) {
        self.problems
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    fn note(&self, problem: String) {
        self.problems
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(problem);
    }
}

/// A record with the status that its history makes.
fn shown(mut record: Map<String, Value>) -> Value {
    let status = facts_of(&record).status().to_owned();
    if record.get("status").and_then(Value::as_str) != Some(&status) {
        record.insert("status".to_owned(), status.into());
    }
    Value::Object(record)
}

fn preview(text: &str) -> String {
    text.chars().take(PREVIEW).collect()
}
