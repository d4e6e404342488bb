//! The corrected decisions beside `compat`'s.

use caio_core::EmailKey;
use caio_core::batch::{Batch, SealKeys, parse_instant};
use caio_core::compat;
use caio_core::config::Production;
use caio_core::identity;
use caio_core::ramp::{CleanDays, LiveRun, RampStatus, ramp};
use caio_core::rejection::RejectionReason;
use caio_core::terms::{Motion, Tier};
use caio_core::warmup::schedule;
use pyo3::prelude::*;
use serde_json::{Value, json};

use crate::compat::batch_fault;
use crate::convert::{self, to_python, to_value};
use crate::environment::variable;
use crate::errors::{Class, batch_invalid, guarded};

type Answer<'py> = PyResult<Bound<'py, PyAny>>;

/// Where the ramp stands on `today`.
///
/// `ledger` are finished live runs, dicts with `day` (date), `sent` and `errors`; without one no day
/// counts as clean. A dict comes back: `enabled`, `active`, `mode`, `day`, `days`, `done`,
/// `remaining_days`, `email_limit_override`, `tier_filter`, `problem`.
///
/// An enabled ramp with a bad or missing date is the most restrictive one (PR-6), it ends on clean
/// days and not by the calendar (PR-7), and its length is what is configured (PR-9).
#[pyfunction]
#[pyo3(signature = (operator_config, today, *, ledger=None))]
pub(crate) fn ramp_status<'py>(
    operator_config: &Bound<'py, PyAny>,
    today: &Bound<'py, PyAny>,
    ledger: Option<&Bound<'py, PyAny>>,
) -> Answer<'py> {
    guarded(|| {
        let (_, status) = ramp_of(operator_config, today, ledger)?;
        let answer = json!({
            "enabled": status.enabled, "active": status.active, "mode": status.mode.as_str(),
            "day": status.day, "days": status.days, "done": status.done,
            "remaining_days": status.remaining_days, "email_limit_override": status.email_limit,
            "tier_filter": status.tier.map(Tier::as_str),
            "problem": status.problem.map(|problem| problem.to_string()),
        });
        to_python(operator_config.py(), &answer)
    })
}

/// The limits of `today`, with the keys of the old schedule.
///
/// The ramp can only lower the e-mail limit; a missing or bad date means: still warming up (PR-6).
/// `ledger` as in `ramp_status`.
#[pyfunction]
#[pyo3(signature = (operator_config, today, *, ledger=None))]
pub(crate) fn warmup_schedule<'py>(
    operator_config: &Bound<'py, PyAny>,
    today: &Bound<'py, PyAny>,
    ledger: Option<&Bound<'py, PyAny>>,
) -> Answer<'py> {
    guarded(|| {
        let (production, ramp) = ramp_of(operator_config, today, ledger)?;
        let limits = schedule(&production.warmup, &ramp, convert::date(today)?);
        let answer = json!({
            "email_daily_limit": limits.email_per_day,
            "linkedin_daily_limit": limits.linkedin_per_day,
            "linkedin_warmup_start": limits.linkedin_start,
            "linkedin_warmup_week": limits.linkedin_week,
            "is_linkedin_warmup": limits.linkedin_warming_up,
            "revival_daily_limit": limits.revival_per_day,
        });
        to_python(operator_config.py(), &answer)
    })
}

fn ramp_of(
    operator_config: &Bound<'_, PyAny>,
    today: &Bound<'_, PyAny>,
    ledger: Option<&Bound<'_, PyAny>>,
) -> PyResult<(Production, RampStatus)> {
    let today = convert::date(today)?;
    let config = json!({"operator": to_value(operator_config)?}).to_string();
    let loaded = Production::load("operator_config", &config)
        .map_err(|error| convert::invalid(error.to_string()))?;
    let clean = match ledger {
        Some(runs) if !runs.is_none() => {
            let runs = runs.try_iter()?.map(|run| live_run(&run?));
            Some(CleanDays::from_runs(runs.collect::<PyResult<Vec<_>>>()?))
        }
        _ => None,
    };
    let status = ramp(&loaded.production.ramp, today, clean.as_ref());
    Ok((loaded.production, status))
}

fn live_run(run: &Bound<'_, PyAny>) -> PyResult<LiveRun> {
    Ok(LiveRun {
        day: convert::date(&run.get_item("day")?)?,
        sent: run.get_item("sent")?.extract()?,
        errors: run.get_item("errors")?.extract()?,
    })
}

/// None, or raises `BatchInvalid` with `.kind`.
///
/// A batch of caio (it has `digest` and `items`) is held against its digest and its seal. A batch
/// of the Python system is asked what the old check asked, with an expiry that fails closed (PR-5)
/// and a naive one read as UTC (BT-6), and is then refused as `seal_missing`: nothing binds its
/// text (PR-3, PR-4); a person approves it again after `caio batch adopt`. `now` defaults to the
/// clock, `seal_keys` (`id:base64,…`) to CAIO_SEAL_KEYS.
#[pyfunction]
#[pyo3(signature = (batch, expected_motion, now=None, *, seal_keys=None))]
pub(crate) fn validate_batch(
    batch: &Bound<'_, PyAny>,
    expected_motion: &str,
    now: Option<&Bound<'_, PyAny>>,
    seal_keys: Option<&str>,
) -> PyResult<()> {
    guarded(|| {
        let motion: Motion = expected_motion.parse().map_err(convert::invalid)?;
        let now = convert::instant_or_now(now)?;
        let mut record = to_value(batch)?;
        if record.get("digest").is_some() && record.get("items").is_some() {
            let batch: Batch = serde_json::from_value(record).map_err(|error| {
                batch_invalid("unreadable", "batch.unreadable", error.to_string())
            })?;
            let keys = seal_keys
                .map(str::to_owned)
                .or_else(|| variable("CAIO_SEAL_KEYS"));
            let keys = SealKeys::parse(&keys.unwrap_or_default()).map_err(convert::invalid)?;
            return batch.validate(motion, &keys, now).map_err(|refusal| {
                let kind = refusal.code().trim_start_matches("batch.");
                batch_invalid(kind, refusal.code(), refusal.to_string())
            });
        }
        if let Some(expiry) = record.get_mut("expires_at")
            && compat_truthy(expiry)
        {
            let read = expiry.as_str().and_then(parse_instant);
            let strict = read.map_or("1970-01-01T00:00:00+00:00".to_owned(), |instant| {
                instant.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string()
            });
            *expiry = Value::String(strict);
        }
        compat::validate_batch(&record, expected_motion, now).map_err(batch_fault)?;
        Err(batch_invalid(
            "seal_missing",
            "batch.seal_missing",
            "the batch has no seal, so nothing binds what was approved; `caio batch adopt` and \
             approve it again"
                .to_owned(),
        ))
    })
}

fn compat_truthy(value: &Value) -> bool {
    caio_core::pytext::is_truthy(value)
}

/// File name of a person's record: a hash, the same whatever case or space the address came with
/// (PR-1, PR-2). Raises `InvalidInput` for an empty address.
#[pyfunction]
#[pyo3(signature = (email))]
pub(crate) fn record_file_name(email: &str) -> PyResult<String> {
    Ok(identity::file_name(&key(email)?))
}

/// `{"tag", "reason"}` of a rejection, checked: one of twelve tags, and a reason in words.
///
/// Raises `InvalidInput` with what was expected.
#[pyfunction]
#[pyo3(signature = (tag, reason))]
pub(crate) fn rejection<'py>(py: Python<'py>, tag: &str, reason: &str) -> Answer<'py> {
    let checked = RejectionReason::parse(tag, reason)
        .map_err(|error| Class::InvalidInput.error(error.code(), error.to_string()))?;
    to_python(
        py,
        &json!({"tag": checked.tag().as_str(), "reason": checked.reason()}),
    )
}

/// The canonical address.
pub(crate) fn key(email: &str) -> PyResult<EmailKey> {
    EmailKey::parse(email)
        .map_err(|error| Class::InvalidInput.error("email.empty", error.to_string()))
}
