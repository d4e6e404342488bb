//! `StateStore`: the old store's methods over the same keys and values, in Redis or in its folder.

pub(crate) mod files;
mod merge;
mod redis;

use std::path::PathBuf;

use caio_core::EmailKey;
use caio_core::compat::{self, FileNameRule};
use caio_core::identity;
use caio_core::pytext::loads;
use caio_state::Key;
use jiff::civil::Date;
use pyo3::prelude::*;
use pyo3::types::PyList;
use serde_json::Value;

use crate::convert::{self, to_python, to_value};
use crate::environment::variable;
use crate::errors::{Class, guarded};
use files::Folder;
use redis::Redis;

/// The records that the old system keeps: its daily state, its batches, its cadences, its locks.
///
/// `STATE_BACKEND`, `REDIS_URL`, `STATE_REDIS_PREFIX`, `STATE_DUAL_READ_ENABLED` and
/// `STATE_FILE_FALLBACK_WRITE` hold unless an argument says otherwise. Records are dicts; a dataclass
/// instance is accepted. Different from the old store, on purpose: an error is raised and is never
/// *absent* (ST-2, ST-3); Redis that is configured and away refuses (ST-4); lists come from one
/// authority (ST-1, ST-7); what somebody else changed since it was read here is not overwritten
/// (`StateConflict`), and two runs' daily counts are added up (ST-6); files appear whole (ST-9).
///
/// May be used from threads, and after `fork`: a child connects anew.
#[pyclass(frozen, module = "caio_py")]
pub(crate) struct StateStore {
    pub(crate) folder: Folder,
    pub(crate) redis: Option<Redis>,
    dual_read: bool,
    file_write: bool,
    prefix: String,
}

/// How a record of one family is found in both places.
struct Place {
    key: Key,
    file: PathBuf,
    /// The person that the file has to be about: two could share a name (PR-1).
    person: Option<EmailKey>,
    /// The day that the file has to be of.
    day: Option<String>,
}

#[pymethods]
impl StateStore {
    #[new]
    #[pyo3(signature = (hive_dir=None, *, backend=None, redis_url=None, redis_prefix=None, dual_read=None, file_write=None))]
    pub(crate) fn new(
        py: Python<'_>,
        hive_dir: Option<&Bound<'_, PyAny>>,
        backend: Option<&str>,
        redis_url: Option<&str>,
        redis_prefix: Option<&str>,
        dual_read: Option<bool>,
        file_write: Option<bool>,
    ) -> PyResult<Self> {
        let given = |argument: Option<&str>, name: &str| {
            let value = argument.map(str::to_owned).or_else(|| variable(name));
            value
                .map(|it| it.trim().to_owned())
                .filter(|it| !it.is_empty())
        };
        let wish = given(backend, "STATE_BACKEND").map(|it| it.to_lowercase());
        let url = given(redis_url, "REDIS_URL");
        let prefix = given(redis_prefix, "STATE_REDIS_PREFIX").unwrap_or_else(|| "caio".to_owned());
        let redis = match (wish.as_deref(), url) {
            (Some("redis") | None, Some(url)) => Some(Redis::open(py, &url, &prefix)?),
            (Some("redis"), None) => {
                return Err(Class::StateUnavailable.error(
                    "store.unconfigured",
                    "STATE_BACKEND is redis and REDIS_URL is not set; set it, or STATE_BACKEND=file",
                ));
            }
            _ => None,
        };
        let folder = match hive_dir {
            Some(path) if !path.is_none() => convert::path(path)?,
            _ => PathBuf::from(".hive-mind"),
        };
        let switch = |argument: Option<bool>, name: &str| {
            argument.unwrap_or_else(|| {
                variable(name).is_none_or(|it| {
                    matches!(
                        it.trim().to_lowercase().as_str(),
                        "1" | "true" | "yes" | "on"
                    )
                })
            })
        };
        let store = Self {
            folder: Folder::open(folder)?,
            redis,
            dual_read: switch(dual_read, "STATE_DUAL_READ_ENABLED"),
            file_write: switch(file_write, "STATE_FILE_FALLBACK_WRITE"),
            prefix,
        };
        if let Some(redis) = &store.redis {
            redis.ping(py)?;
        }
        Ok(store)
    }

    /// The old system's folder.
    #[getter]
    fn hive_dir(&self) -> PathBuf {
        self.folder.root.clone()
    }

    /// Its batches.
    #[getter]
    fn batch_dir(&self) -> PathBuf {
        self.folder.root.join("operator_batches")
    }

    /// Its cadence records.
    #[getter]
    fn cadence_state_dir(&self) -> PathBuf {
        self.folder.root.join("cadence_state")
    }

    /// Its daily record.
    #[getter]
    fn operator_state_file(&self) -> PathBuf {
        self.folder.root.join("operator_state.json")
    }

    /// `redis` or `file`: the authority.
    #[getter]
    fn backend(&self) -> &'static str {
        if self.redis.is_some() {
            "redis"
        } else {
            "file"
        }
    }

    /// What every key begins with.
    #[getter]
    fn redis_prefix(&self) -> &str {
        &self.prefix
    }

    /// The daily record of `state_date` (YYYY-MM-DD, default today in UTC, PR-8), or None.
    #[pyo3(signature = (state_date=None))]
    fn get_operator_daily_state<'py>(
        &self,
        py: Python<'py>,
        state_date: Option<&str>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let day = day(state_date)?;
        self.read(py, &self.daily(&day))
    }

    /// Saves a day's record. What another run added since it was read here is kept: counts are added
    /// up and people are united (ST-6).
    fn save_operator_daily_state(
        &self,
        py: Python<'_>,
        state_date: &str,
        payload: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let day = day(Some(state_date))?;
        let record = record(payload)?;
        self.write(py, &self.daily(&day), &record, Some(merge::daily))
    }

    /// A batch, or None.
    fn get_batch<'py>(
        &self,
        py: Python<'py>,
        batch_id: &str,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.read(py, &self.batch(batch_id)?)
    }

    /// Saves a batch; raises `StateConflict` when it has changed since it was read here.
    fn save_batch(
        &self,
        py: Python<'_>,
        batch_id: &str,
        payload: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.write(py, &self.batch(batch_id)?, &record(payload)?, None)
    }

    /// Batches, newest first; of one status where one is named. Only the authority is asked.
    #[pyo3(signature = (status=None))]
    fn list_batches<'py>(
        &self,
        py: Python<'py>,
        status: Option<&str>,
    ) -> PyResult<Bound<'py, PyList>> {
        let mut batches = self.list(py, "operator:batch:", "operator_batches", "batch_")?;
        if let Some(status) = status {
            batches.retain(|it| it.get("status").and_then(Value::as_str) == Some(status));
        }
        let created = |it: &Value| {
            it.get("created_at")
                .and_then(Value::as_str)
                .unwrap_or("")
                .to_owned()
        };
        batches.sort_by_key(|it| std::cmp::Reverse(created(it)));
        list_of(py, &batches)
    }

    /// A person's cadence record, or None.
    fn get_cadence_lead_state<'py>(
        &self,
        py: Python<'py>,
        email: &str,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        match EmailKey::parse(email) {
            Ok(person) => self.read(py, &self.cadence(person)?),
            Err(_) => Ok(None),
        }
    }

    /// Saves a person's cadence record; raises `StateConflict` when it has changed since it was read
    /// here, and `InvalidInput` for an empty address (CA-14).
    fn save_cadence_lead_state(
        &self,
        py: Python<'_>,
        email: &str,
        payload: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let place = self.cadence(crate::decisions::key(email)?)?;
        self.write(py, &place, &record(payload)?, None)
    }

    /// Every cadence record of the authority.
    fn list_cadence_lead_states<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        list_of(py, &self.cadence_records(py)?)
    }

    /// Takes the lock of a motion for at least 10 seconds: its token, or None when it is held.
    #[pyo3(signature = (motion, ttl_seconds=120))]
    fn acquire_operator_lock(
        &self,
        py: Python<'_>,
        motion: &str,
        ttl_seconds: i64,
    ) -> PyResult<Option<String>> {
        lock_name(motion)?;
        let token = uuid::Uuid::new_v4().simple().to_string();
        let granted = match &self.redis {
            Some(redis) => redis.lock(py, motion, &token, ttl_seconds.max(10))?,
            None => self.folder.lock(motion, &token)?,
        };
        Ok(granted.then_some(token))
    }

    /// Gives a lock back; one that is held by another token is left alone.
    fn release_operator_lock(&self, py: Python<'_>, motion: &str, token: &str) -> PyResult<()> {
        lock_name(motion)?;
        match &self.redis {
            Some(redis) => redis.unlock(py, motion, token),
            None => self.folder.unlock(motion, token),
        }
    }

    fn __repr__(&self) -> String {
        match &self.redis {
            Some(redis) => format!("StateStore({}, {redis})", self.folder.root.display()),
            None => format!("StateStore({}, files)", self.folder.root.display()),
        }
    }
}

impl StateStore {
    fn daily(&self, day: &str) -> Place {
        Place {
            key: Key::new(&["operator", "state", day]),
            file: self.operator_state_file(),
            person: None,
            day: Some(day.to_owned()),
        }
    }

    fn batch(&self, id: &str) -> PyResult<Place> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if id.is_empty() || !id.chars().all(plain) {
            return Err(Class::InvalidInput.error(
                "batch.bad_id",
                format!("a batch id is letters, digits, - and _, not {id:?}"),
            ));
        }
        Ok(Place {
            key: Key::new(&["operator", "batch", id]),
            file: self.batch_dir().join(format!("{id}.json")),
            person: None,
            day: None,
        })
    }

    fn cadence(&self, person: EmailKey) -> PyResult<Place> {
        Ok(Place {
            key: Key::new(&[
                "cadence",
                "lead",
                &identity::cadence_email_hash(person.as_str()),
            ]),
            file: files::person_file(&self.cadence_state_dir(), &person, old_name(&person)?)?,
            person: Some(person),
            day: None,
        })
    }

    fn read<'py>(&self, py: Python<'py>, place: &Place) -> PyResult<Option<Bound<'py, PyAny>>> {
        let found = self.read_value(py, place)?;
        found.map(|record| to_python(py, &record)).transpose()
    }

    /// The authority's record; what only the folder holds is created in Redis, never put over it.
    fn read_value(&self, py: Python<'_>, place: &Place) -> PyResult<Option<Value>> {
        let Some(redis) = &self.redis else {
            return guarded(|| py.detach(|| place.file_record()));
        };
        if let Some(record) = redis.read(py, &place.key)? {
            return Ok(Some(record));
        }
        if !self.dual_read {
            return Ok(None);
        }
        match guarded(|| py.detach(|| place.file_record()))? {
            Some(record) => redis
                .create(py, &place.key, &record, place.is_daily())
                .map(Some),
            None => Ok(None),
        }
    }

    fn write(
        &self,
        py: Python<'_>,
        place: &Place,
        record: &Value,
        merge: Option<merge::Merge>,
    ) -> PyResult<()> {
        let record = match &self.redis {
            Some(redis) => redis.save(py, &place.key, record, place.is_daily(), merge)?,
            None => record.clone(),
        };
        if self.redis.is_none() || self.file_write {
            guarded(|| py.detach(|| files::write_whole(&place.file, &record)))?;
        }
        Ok(())
    }

    fn list(
        &self,
        py: Python<'_>,
        prefix: &str,
        folder: &str,
        begins: &str,
    ) -> PyResult<Vec<Value>> {
        match &self.redis {
            Some(redis) => redis.list(py, prefix),
            None => guarded(|| py.detach(|| self.folder.list(folder, begins))),
        }
    }

    /// A person's cadence record.
    pub(crate) fn cadence_record(
        &self,
        py: Python<'_>,
        person: &EmailKey,
    ) -> PyResult<Option<Value>> {
        self.read_value(py, &self.cadence(person.clone())?)
    }

    /// Saves it over the one that was read.
    pub(crate) fn save_cadence_record(
        &self,
        py: Python<'_>,
        person: &EmailKey,
        record: &Value,
    ) -> PyResult<()> {
        self.write(py, &self.cadence(person.clone())?, record, None)
    }

    /// Every cadence record of the authority.
    pub(crate) fn cadence_records(&self, py: Python<'_>) -> PyResult<Vec<Value>> {
        self.list(py, "cadence:lead:", "cadence_state", "")
    }

    /// Today's people, for the question whether somebody may be written to.
    pub(crate) fn dispatched_today(&self, py: Python<'_>) -> PyResult<Value> {
        let record = self.read_value(py, &self.daily(&day(None)?))?;
        Ok(record
            .and_then(|mut record| record.get_mut("leads_dispatched").map(Value::take))
            .unwrap_or(Value::Array(Vec::new())))
    }
}

impl Place {
    const fn is_daily(&self) -> bool {
        self.day.is_some()
    }

    /// The file's record, if it is about this person and of this day.
    fn file_record(&self) -> PyResult<Option<Value>> {
        let Some(record) = files::read(&self.file)? else {
            return Ok(None);
        };
        let text = |name: &str| record.get(name).and_then(Value::as_str);
        if let Some(day) = &self.day
            && text("date") != Some(day)
        {
            return Ok(None);
        }
        if let Some(person) = &self.person
            && let Some(inside) = text("email")
            && !identity::is_record_of(person, inside)
        {
            return Ok(None);
        }
        Ok(Some(record))
    }
}

fn list_of<'py>(py: Python<'py>, records: &[Value]) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for record in records {
        list.append(to_python(py, record)?)?;
    }
    Ok(list)
}

/// A record to save: a dict or a dataclass instance.
pub(crate) fn record(payload: &Bound<'_, PyAny>) -> PyResult<Value> {
    match to_value(payload)? {
        record @ Value::Object(_) => Ok(record),
        _ => Err(convert::wrong_type(
            "a record is a dict or a dataclass instance",
        )),
    }
}

/// A record from text; what is no object is broken, and never absent.
pub(crate) fn parse(name: &str, text: &str) -> PyResult<Value> {
    match loads(text) {
        Some(record @ Value::Object(_)) => Ok(record),
        _ => Err(Class::StateCorrupt.error(
            "store.corrupt",
            format!("{name} cannot be read; expected a JSON object"),
        )),
    }
}

fn day(given: Option<&str>) -> PyResult<String> {
    let date = match given {
        None => convert::now().to_zoned(jiff::tz::TimeZone::UTC).date(),
        Some(text) => text
            .parse::<Date>()
            .map_err(|_| convert::invalid(format!("{text:?} is no date such as 2026-03-02")))?,
    };
    Ok(date.to_string())
}

fn lock_name(motion: &str) -> PyResult<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if motion.is_empty() || !motion.chars().all(plain) {
        return Err(convert::invalid(format!(
            "a motion is one word, not {motion:?}"
        )));
    }
    Ok(())
}

/// The old name of a person's cadence record, kept inside of its folder.
pub(crate) fn old_name(person: &EmailKey) -> PyResult<Option<String>> {
    let name = compat::email_to_filename(
        &Value::String(person.as_str().to_owned()),
        FileNameRule::StateStore,
    )
    .map_err(|raised| crate::errors::compat(&raised))?;
    Ok(identity::old_file_name(person).filter(|old| *old == name))
}
