//! What is worth telling, found in the records: batches that wait, outcomes that nobody knows, bounces,
//! batches that expired.

use std::collections::{BTreeSet, HashSet};

use caio_core::batch::{Batch, BatchStatus};
use caio_core::draft::Draft;
use caio_core::escalation::{Fold, Subject, bounce_rate, fingerprint};
use caio_core::time::rfc3339;
use caio_state::{Range, StateStore, StateStoreExt, stop};
use jiff::{SignedDuration, Timestamp};

use super::outbox::Alerts;
use crate::batches::Batches;
use crate::error::Result;
use crate::ledger::LedgerEntry;
use crate::operator::RunReport;
use crate::{batches, history, records};

/// How long somebody who stops may take to pause the providers.
const STOPPING: SignedDuration = SignedDuration::from_mins(2);
/// Events among which the one that cleared the flag is looked for.
const RECENT: usize = 50;
/// Batches of one status that are looked at.
const MOST_BATCHES: usize = 100;
/// Companies that are named.
const MOST_COMPANIES: usize = 5;
/// Days, and messages, that a bounce rate is made of.
const BOUNCE_DAYS: SignedDuration = SignedDuration::from_hours(7 * 24);
const BOUNCE_MESSAGES: usize = 2_000;

/// Looks at what waits for a person, and raises what has not been told at its level: batches to
/// approve, batches whose outcome nobody knows, and a stop flag that changed without a word. Its cost
/// follows how many of those there are.
///
/// # Errors
/// When the store fails.
pub async fn watch(alerts: &Alerts<'_>) -> Result<()> {
    stop_flag(alerts).await?;
    for (id, created) in open(alerts.store, BatchStatus::Pending).await? {
        let asked = Subject::BatchReady {
            batch: id.clone(),
            messages: 0,
            companies: Vec::new(),
            more_companies: 0,
            expires_at: String::new(),
            waiting_hours: hours(&created, alerts),
            louder_after_hours: alerts.policy.louder_after_hours,
        };
        let told = known(alerts, &asked).await?;
        // Only one that is news is read whole.
        if told.is_none_or(|fold| asked.level() > fold.level)
            && let Some(batch) = batch(alerts.store, &id).await?
        {
            batch_ready(alerts, &batch).await?;
        }
    }
    for (id, _) in open(alerts.store, BatchStatus::Unknown).await? {
        let asked = Subject::UnknownOutcome {
            batch: id.clone(),
            messages: 0,
        };
        if known(alerts, &asked).await?.is_none()
            && let Some(batch) = batch(alerts.store, &id).await?
        {
            let counts = batch.execution.map(|execution| execution.counts);
            let unknown = counts.map_or(0, |counts| counts.unknown);
            let subject = Subject::UnknownOutcome {
                batch: batch.id,
                messages: usize::try_from(unknown).unwrap_or(usize::MAX),
            };
            alerts.raise(&subject).await?;
        }
    }
    Ok(())
}

/// Raises a change of the stop flag that whoever made it did not tell; a stop that lasts is told again
/// each day.
async fn stop_flag(alerts: &Alerts<'_>) -> Result<()> {
    let flag = stop::read(alerts.store).await?;
    let cleared = Subject::Resumed { by: String::new() };
    let told = known(alerts, &cleared).await?.map(|fold| fold.kind);
    let subject = match (flag, told.as_deref()) {
        (Some(_), Some("stopped")) => return Ok(()),
        (Some(stop), _) => {
            // Whoever stops pauses the providers first, and tells then what still sends.
            let since: Timestamp = stop.at.parse().unwrap_or(Timestamp::MIN);
            if alerts.clock.now().duration_since(since) < STOPPING {
                return Ok(());
            }
            Subject::Stopped {
                by: stop.by,
                reason: stop.reason,
                still_sending: Vec::new(),
            }
        }
        (None, Some("stopped")) => {
            let events = history::newest(alerts.store, None, RECENT).await?;
            let by = events.into_iter().find(|it| it.kind == "stop.cleared");
            Subject::Resumed {
                by: by.map_or_else(|| "somebody".to_owned(), |event| event.by),
            }
        }
        (None, _) => return Ok(()),
    };
    alerts.raise(&subject).await?;
    Ok(())
}

/// Raises that `batch` waits for a person, at the level of its age, unless that was said.
///
/// # Errors
/// When the store fails.
pub async fn batch_ready(alerts: &Alerts<'_>, batch: &Batch) -> Result<()> {
    if batch.status != BatchStatus::Pending || batch.check_expiry(alerts.clock.now()).is_err() {
        return Ok(());
    }
    let mut seen = HashSet::new();
    let firsts = batch
        .items
        .iter()
        .filter(|item| seen.insert(item.recipient.domain()));
    let firsts: Vec<_> = firsts.map(|item| records::draft(&item.draft)).collect();
    let named = firsts
        .get(..MOST_COMPANIES.min(firsts.len()))
        .unwrap_or_default();
    let drafts: Vec<Draft> = alerts.store.get_all_json(named).await?;
    let companies: BTreeSet<String> = drafts
        .into_iter()
        .map(|draft| draft.company)
        .filter(|company| !company.is_empty())
        .collect();
    let subject = Subject::BatchReady {
        batch: batch.id.clone(),
        messages: batch.items.len(),
        more_companies: firsts.len().saturating_sub(companies.len()),
        companies: companies.into_iter().collect(),
        expires_at: batch.expires_at.clone(),
        waiting_hours: hours(&batch.created_at, alerts),
        louder_after_hours: alerts.policy.louder_after_hours,
    };
    alerts.raise(&subject).await?;
    Ok(())
}

/// Expires every batch whose time has passed, and raises what stayed unsent of it. Doing it again
/// changes nothing.
///
/// The second part of the answer is what could not be raised; the batches are expired all the same.
///
/// # Errors
/// When the store fails.
pub async fn expire(
    deciding: &Batches<'_>,
    alerts: &Alerts<'_>,
) -> Result<(Vec<Batch>, Vec<String>)> {
    let expired = deciding.expire_stale().await?;
    let subjects = expired.iter().map(|batch| Subject::BatchExpired {
        batch: batch.id.clone(),
        approved: batch.seal.is_some(),
        unsent: batch.items.len(),
    });
    let problems = alerts.raise_all(subjects.collect::<Vec<_>>()).await;
    Ok((expired, problems))
}

/// What a run's report is worth telling.
pub fn told_by_run(report: &RunReport) -> Vec<Subject> {
    let unknown = report
        .items
        .iter()
        .filter(|it| it.state == "unknown")
        .count();
    let mut subjects = Vec::new();
    if unknown > 0 {
        subjects.push(Subject::UnknownOutcome {
            batch: report.batch.clone(),
            messages: unknown,
        });
    }
    // How many one run may send is no limit that anybody waits for.
    let limits = report.limits.iter();
    let limits = limits.filter(|it| !it.starts_with("run:"));
    subjects.extend(limits.map(|window| Subject::LimitReached {
        window: window.clone(),
    }));
    subjects
}

/// Raises the bounce rate of the last seven days (of the newest two thousand messages at most) where
/// it is over its threshold.
///
/// # Errors
/// When the store fails.
pub async fn bounced(alerts: &Alerts<'_>) -> Result<()> {
    let now = alerts.clock.now();
    let range = Range {
        from: now.checked_sub(BOUNCE_DAYS).ok().map(rfc3339),
        descending: true,
        ..Range::default()
    };
    let page = alerts
        .store
        .range(records::LEDGER_INDEX, &range, None, BOUNCE_MESSAGES)
        .await?;
    let keys: Vec<_> = page.items.into_iter().map(|entry| entry.key).collect();
    let entries: Vec<LedgerEntry> = alerts.store.get_all_json(&keys).await?;
    let bounced = entries.iter().filter(|it| it.bounced_at.is_some()).count();
    // An upload is not a message that could have bounced.
    let sent = entries
        .iter()
        .filter(|it| it.sent_at.is_some() || it.bounced_at.is_some() || it.replied_at.is_some());
    if let Some(subject) = bounce_rate(bounced as u64, sent.count() as u64) {
        alerts.raise(&subject).await?;
    }
    Ok(())
}

/// Ids and times of creation of the newest batches in one status, from the index alone.
async fn open(store: &dyn StateStore, status: BatchStatus) -> Result<Vec<(String, String)>> {
    let range = Range {
        descending: true,
        ..Range::default()
    };
    let index = records::batch_index(status);
    let page = store.range(&index, &range, None, MOST_BATCHES).await?;
    let entries = page.items.into_iter().filter_map(|entry| {
        let (created, id) = entry.order.split_once('|')?;
        Some((id.to_owned(), created.to_owned()))
    });
    Ok(entries.collect())
}

async fn batch(store: &dyn StateStore, id: &str) -> Result<Option<Batch>> {
    match batches::one(store, id).await {
        Ok(batch) => Ok(Some(batch)),
        Err(crate::DispatchError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn known(alerts: &Alerts<'_>, subject: &Subject) -> Result<Option<Fold>> {
    let key = records::alert_fold(&fingerprint(subject));
    Ok(alerts.store.get_json(&key).await?.map(|(fold, _)| fold))
}

/// Whole hours since `created`.
fn hours(created: &str, alerts: &Alerts<'_>) -> u32 {
    let Ok(created) = created.parse::<Timestamp>() else {
        return 0;
    };
    let waited = alerts.clock.now().duration_since(created).as_hours();
    u32::try_from(waited).unwrap_or(0)
}
