//! `caio_py.compat`: the old decisions, bit for bit. Each docstring names the defects it keeps.

mod segment;

use std::fs;
use std::path::{Path, PathBuf};

use caio_core::compat::{self, BatchFault, Environment, FileNameRule, Folder};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use serde_json::Value;

use crate::convert::{self, picked, to_python, to_value};
use crate::errors::{self, batch_invalid, guarded};

type Answer<'py> = PyResult<Bound<'py, PyAny>>;

/// File name of a person's record by one of the three old rules.
///
/// `rule` is `state_store`, `cadence_engine` or `lead_status`. Keeps PR-1 (two addresses can share a
/// name, and an address can leave its folder) and PR-2 (two of the rules do not strip). Corrected:
/// `caio_py.record_file_name`.
///
/// Raises `AttributeError` where the old rule did, `InvalidInput` for an unknown rule.
#[pyfunction]
#[pyo3(signature = (email, rule))]
pub(crate) fn compat_email_to_filename(email: &Bound<'_, PyAny>, rule: &str) -> PyResult<String> {
    let rule: FileNameRule = rule.parse().map_err(convert::invalid)?;
    guarded(|| compat::email_to_filename(&to_value(email)?, rule).map_err(|it| errors::compat(&it)))
}

/// The ramp by the calendar: `enabled`, `active`, `day`, `remaining_days`, `email_limit_override`,
/// `tier_filter`.
///
/// Keeps PR-6 (a bad start date switches the ramp off), PR-7 (it ends by the calendar) and PR-9.
/// Corrected: `caio_py.ramp_status`.
#[pyfunction]
#[pyo3(signature = (operator_config, today))]
pub(crate) fn compat_ramp_status<'py>(
    operator_config: &Bound<'py, PyAny>,
    today: &Bound<'py, PyAny>,
) -> Answer<'py> {
    let today = convert::date(today)?;
    answer(operator_config, |config| compat::ramp_status(config, today))
}

/// The limits of a day: `email_daily_limit`, `linkedin_daily_limit`, `linkedin_warmup_start`,
/// `linkedin_warmup_week`, `is_linkedin_warmup`, `revival_daily_limit`.
///
/// Keeps PR-6 and PR-7; the ramp's override may raise the limit. Corrected:
/// `caio_py.warmup_schedule`.
#[pyfunction]
#[pyo3(signature = (operator_config, today))]
pub(crate) fn compat_warmup_schedule<'py>(
    operator_config: &Bound<'py, PyAny>,
    today: &Bound<'py, PyAny>,
) -> Answer<'py> {
    let today = convert::date(today)?;
    answer(operator_config, |config| {
        compat::warmup_schedule(config, today)
    })
}

/// None, or raises `BatchInvalid` whose `.kind` is the first of status, missing_hash,
/// missing_expiry, already_executed, expired, motion, hash_mismatch that does not hold.
///
/// `batch` is a dict or a dataclass instance, `now` an instant (naive is UTC). Keeps PR-3 and PR-4
/// (no seal), PR-5 (an unreadable expiry never comes) and BT-6 (a naive one raises `TypeError`).
/// Nothing is saved: the old check also stored the status `expired`. Corrected:
/// `caio_py.validate_batch`.
#[pyfunction]
#[pyo3(signature = (batch, expected_motion, now))]
pub(crate) fn compat_validate_batch(
    batch: &Bound<'_, PyAny>,
    expected_motion: &str,
    now: &Bound<'_, PyAny>,
) -> PyResult<()> {
    guarded(|| {
        let now = convert::instant(now)?;
        let batch = to_value(batch)?;
        compat::validate_batch(&batch, expected_motion, now).map_err(batch_fault)
    })
}

/// The exception of an old check.
pub(crate) fn batch_fault(fault: BatchFault) -> PyErr {
    let code = fault.code();
    match fault {
        BatchFault::Invalid { kind, message } => batch_invalid(kind.as_str(), code, message),
        BatchFault::Raised(raised) => errors::compat(&raised),
    }
}

/// Whether somebody may be written to, by today's list and the old status file in `hive_dir`.
///
/// Keeps PR-1 (the file may be somebody else's) and LS-2 (an unreadable file counts as none);
/// nobody asks it before an outbound send (OPD-1). Corrected: `caio_py.is_lead_eligible`.
#[pyfunction]
#[pyo3(signature = (email, leads_dispatched, hive_dir))]
pub(crate) fn compat_is_lead_eligible(
    py: Python<'_>,
    email: &Bound<'_, PyAny>,
    leads_dispatched: &Bound<'_, PyAny>,
    hive_dir: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    let folder = Disk(convert::path(hive_dir)?.join("lead_status"));
    let (email, dispatched) = (to_value(email)?, to_value(leads_dispatched)?);
    guarded(|| {
        py.detach(|| compat::is_lead_eligible(&email, &dispatched, &folder))
            .map_err(|it| errors::compat(&it))
    })
}

/// `(changed, leads_dispatched)`: the list with the canonical key of every entry that names a person
/// otherwise; shadow ids are looked up in `hive_dir`.
///
/// Raises what the old one raised for a list of odd types.
#[pyfunction]
#[pyo3(signature = (leads_dispatched, hive_dir))]
pub(crate) fn compat_migrate_legacy_dedup<'py>(
    py: Python<'py>,
    leads_dispatched: &Bound<'py, PyAny>,
    hive_dir: &Bound<'py, PyAny>,
) -> PyResult<(bool, Bound<'py, PyAny>)> {
    let folder = convert::path(hive_dir)?.join("shadow_mode_emails");
    let dispatched = to_value(leads_dispatched)?;
    let (changed, dispatched) = guarded(|| {
        py.detach(|| {
            let folder = folder.is_dir().then_some(Disk(folder));
            compat::migrate_legacy_dedup(&dispatched, folder.as_ref())
        })
        .map_err(|it| errors::compat(&it))
    })?;
    Ok((changed, to_python(py, &dispatched)?))
}

/// Score, tier, reasons, tags, campaign and hooks of one lead, without `segmented_at` and
/// `original_lead`; lists that came from a set are sorted (D-37).
///
/// Keeps D-05 (a disqualified lead has a tier and a campaign), D-22 and D-35 (keywords match inside
/// of words), D-36 (a range of employees is 0) and D-03 (one odd field raises). Where the old one read a
/// text with half of a surrogate pair, this one raises `TypeError`. Corrected: `caio_py.segment_lead`.
#[pyfunction]
#[pyo3(signature = (lead))]
pub(crate) fn compat_segment_lead<'py>(lead: &Bound<'py, PyAny>) -> Answer<'py> {
    guarded(|| segment::lead(lead))
}

/// Members of a queued e-mail that the channels' mappings read.
const SHADOW_EMAIL: [&str; 5] = ["to", "email_id", "contact_id", "recipient_data", "context"];

/// One lead as the old system uploaded it to Instantly.
///
/// Keeps IN-1 (the text is not part of it), IN-3 (an empty recipient passes) and IN-7 (null parts
/// raise).
#[pyfunction]
#[pyo3(signature = (shadow_email))]
pub(crate) fn compat_instantly_lead<'py>(shadow_email: &Bound<'py, PyAny>) -> Answer<'py> {
    mapped(shadow_email, compat::instantly_lead)
}

/// One lead as the old system uploaded it to HeyReach.
///
/// Keeps HR-6 (any text passes as a profile address).
#[pyfunction]
#[pyo3(signature = (shadow_email))]
pub(crate) fn compat_heyreach_lead<'py>(shadow_email: &Bound<'py, PyAny>) -> Answer<'py> {
    mapped(shadow_email, compat::heyreach_lead)
}

fn mapped<'py>(
    shadow_email: &Bound<'py, PyAny>,
    map: impl FnOnce(&Value) -> Result<Value, compat::CompatError>,
) -> Answer<'py> {
    guarded(|| {
        let record = picked(shadow_email, &SHADOW_EMAIL)?;
        let lead = map(&record).map_err(|it| errors::compat(&it))?;
        to_python(shadow_email.py(), &lead)
    })
}

/// Name of today's next campaign; `existing` are today's recorded campaigns, each a dict with `name`.
///
/// Keeps IN-6 (a retry can meet the number of a deleted campaign).
#[pyfunction]
#[pyo3(signature = (tier, source, today, existing))]
pub(crate) fn compat_instantly_campaign_name(
    tier: &Bound<'_, PyAny>,
    source: &Bound<'_, PyAny>,
    today: &Bound<'_, PyAny>,
    existing: &Bound<'_, PyAny>,
) -> PyResult<String> {
    let today = convert::date(today)?;
    let (tier, source, existing) = (to_value(tier)?, to_value(source)?, to_value(existing)?);
    guarded(|| {
        compat::instantly_campaign_name(&tier, &source, today, &existing)
            .map_err(|it| errors::compat(&it))
    })
}

/// Name of today's next list; `existing` are today's recorded lists, each a dict with `name`.
///
/// Keeps HR-3 (a crash leads to the same name again).
#[pyfunction]
#[pyo3(signature = (tier, today, existing))]
pub(crate) fn compat_heyreach_list_name(
    tier: &Bound<'_, PyAny>,
    today: &Bound<'_, PyAny>,
    existing: &Bound<'_, PyAny>,
) -> PyResult<String> {
    let today = convert::date(today)?;
    let (tier, existing) = (to_value(tier)?, to_value(existing)?);
    guarded(|| {
        compat::heyreach_list_name(&tier, today, &existing).map_err(|it| errors::compat(&it))
    })
}

/// Category of a rejection, guessed from fragments of its text (parity: `rejection`).
///
/// Corrected: `caio_py.rejection`, where the reviewer chooses a tag.
#[pyfunction]
#[pyo3(signature = (reason))]
pub(crate) fn compat_categorize_rejection(reason: &Bound<'_, PyAny>) -> PyResult<&'static str> {
    let reason = to_value(reason)?;
    guarded(|| compat::categorize_rejection(&reason).map_err(|it| errors::compat(&it)))
}

/// Tier of an e-mail from its priority: high, medium, anything else.
#[pyfunction]
#[pyo3(signature = (priority))]
pub(crate) fn compat_priority_to_tier(priority: &Bound<'_, PyAny>) -> PyResult<&'static str> {
    let priority = to_value(priority)?;
    guarded(|| compat::priority_to_tier(&priority).map_err(|it| errors::compat(&it)))
}

/// A request's path, stripped, rooted and without trailing slashes (http D-01 is the caller's).
#[pyfunction]
#[pyo3(signature = (path))]
pub(crate) fn compat_normalize_path(path: &Bound<'_, PyAny>) -> PyResult<String> {
    let path = to_value(path)?;
    guarded(|| compat::normalize_path(&path).map_err(|it| errors::compat(&it)))
}

/// Whether a path needs no token, by the environment given.
#[pyfunction]
#[pyo3(signature = (path, env))]
pub(crate) fn compat_is_auth_exempt_path(
    path: &Bound<'_, PyAny>,
    env: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    let (path, env) = (to_value(path)?, environment(env)?);
    guarded(|| compat::is_auth_exempt_path(&path, &env).map_err(|it| errors::compat(&it)))
}

/// Paths that need no token, sorted.
#[pyfunction]
#[pyo3(signature = (env))]
pub(crate) fn compat_auth_allowlist<'py>(env: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
    PyList::new(env.py(), compat::auth_allowlist(&environment(env)?))
}

/// Whether a token is the configured one; compared in constant time.
#[pyfunction]
#[pyo3(signature = (token, env))]
pub(crate) fn compat_token_is_valid(token: Option<&str>, env: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(compat::token_is_valid(token, &environment(env)?))
}

/// Whether a missing token refuses.
#[pyfunction]
#[pyo3(signature = (env))]
pub(crate) fn compat_is_strict(env: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(compat::is_strict(&environment(env)?))
}

/// A mapping of variables, such as `os.environ`.
fn environment(env: &Bound<'_, PyAny>) -> PyResult<Environment> {
    if let Ok(dict) = env.cast::<PyDict>() {
        return dict.extract();
    }
    let pairs = env.call_method0("items")?;
    pairs.try_iter()?.map(|pair| pair?.extract()).collect()
}

fn answer<'py>(
    config: &Bound<'py, PyAny>,
    decide: impl FnOnce(&Value) -> Result<Value, compat::CompatError>,
) -> Answer<'py> {
    guarded(|| {
        let decided = decide(&to_value(config)?).map_err(|it| errors::compat(&it))?;
        to_python(config.py(), &decided)
    })
}

/// A folder of the old system; what cannot be read there is absent, as it was.
struct Disk(PathBuf);

impl Folder for Disk {
    fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.0.join(name)).ok()
    }

    fn names(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.0) else {
            return Vec::new();
        };
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| Path::new(name).extension().is_some_and(|it| it == "json"))
            .collect();
        names.sort_unstable();
        names
    }
}
