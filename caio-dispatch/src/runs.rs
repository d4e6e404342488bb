//! Live runs, as batches and ledger tell of them, and what today has seen.

use std::collections::BTreeMap;

use caio_core::batch::{Batch, BatchStatus, parse_instant};
use caio_core::limits::business_day;
use caio_core::terms::{Motion, Provider, Step};
use caio_core::time::rfc3339;
use caio_state::{Range, StateStore, StateStoreExt};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::error::Result;
use crate::ledger::{DeliveryState, LedgerEntry};
use crate::{batches, ledger, records};

/// Statuses of batches that a run has taken.
const TAKEN: [BatchStatus; 5] = [
    BatchStatus::Executing,
    BatchStatus::Executed,
    BatchStatus::Partial,
    BatchStatus::Failed,
    BatchStatus::Unknown,
];

/// What one provider made of a run's deliveries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ProviderCounts {
    /// It took them.
    pub total_dispatched: u32,
    /// It refused them for good.
    pub rejected: u32,
    /// Certainly not sent.
    pub not_sent: u32,
    /// Nobody knows yet.
    pub unknown: u32,
}

/// One live run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LiveRun {
    /// The run.
    pub run: String,
    /// Its batch.
    pub batch: String,
    /// Programme.
    pub motion: Motion,
    /// Where the batch stands.
    pub status: BatchStatus,
    /// When it began, RFC 3339 UTC.
    pub started_at: String,
    /// When its outcomes were written, RFC 3339 UTC.
    pub settled_at: Option<String>,
    /// Deliveries by provider.
    pub providers: BTreeMap<Provider, ProviderCounts>,
    /// Follow-ups that a provider took.
    pub follow_ups: u32,
}

/// What today has seen, in the business time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Today {
    /// The day.
    pub date: Date,
    /// E-mails sent or reserved.
    pub email: u64,
    /// LinkedIn contacts made or reserved.
    pub linkedin: u64,
    /// Revivals sent or reserved.
    pub revival: u64,
    /// Follow-ups that a provider took, or may have.
    pub follow_ups: u64,
    /// Live runs that began.
    pub runs: u64,
    /// When the last of all live runs began, RFC 3339 UTC.
    pub last_run: Option<String>,
}

/// The newest live runs, newest first.
pub async fn recent(store: &dyn StateStore, limit: usize) -> Result<Vec<LiveRun>> {
    let mut taken = taken(store).await?;
    taken.truncate(limit);
    let mut runs = Vec::with_capacity(taken.len());
    for (started_at, batch) in taken {
        let entries = ledger::of_batch(store, &batch.id).await?;
        runs.push(run(started_at, batch, &entries));
    }
    Ok(runs)
}

/// The live run of a batch, if one has taken it.
pub async fn of_batch(store: &dyn StateStore, id: &str) -> Result<Option<LiveRun>> {
    let batch = batches::one(store, id).await?;
    let begun = batch.execution.as_ref().map(|it| it.started_at.clone());
    let Some(started_at) = begun.filter(|_| TAKEN.contains(&batch.status)) else {
        return Ok(None);
    };
    let entries = ledger::of_batch(store, id).await?;
    Ok(Some(run(started_at, batch, &entries)))
}

/// What today has seen.
pub async fn today(store: &dyn StateStore, now: Timestamp, zone: &TimeZone) -> Result<Today> {
    let date = business_day(now, zone);
    let windows = ["email", "linkedin", "revival"];
    let windows = windows.map(|what| records::limit(&format!("{what}:day:{date}")));
    let used = store.counters(&windows).await?;
    let used = |at: usize| used.get(at).copied().unwrap_or(0);
    let begun = taken(store).await?;
    let is_today = |at: &str| parse_instant(at).is_some_and(|at| business_day(at, zone) == date);
    let range = Range {
        from: date
            .to_zoned(zone.clone())
            .ok()
            .map(|it| rfc3339(it.timestamp())),
        ..Range::default()
    };
    let entries: Vec<LedgerEntry> = store.index_json(records::LEDGER_INDEX, &range).await?;
    let is_follow_up = |it: &&LedgerEntry| it.item.step > Step::FIRST && it.may_be_out();
    Ok(Today {
        date,
        email: used(0),
        linkedin: used(1),
        revival: used(2),
        follow_ups: entries.iter().filter(is_follow_up).count() as u64,
        runs: begun.iter().filter(|(at, _)| is_today(at)).count() as u64,
        last_run: begun.first().map(|(at, _)| at.clone()),
    })
}

/// Batches that a run has taken, with when that was; the newest run first.
async fn taken(store: &dyn StateStore) -> Result<Vec<(String, Batch)>> {
    let mut taken = Vec::new();
    for status in TAKEN {
        let batches = batches::list(store, status).await?;
        taken.extend(batches.into_iter().filter_map(|batch| {
            let started = batch.execution.as_ref()?.started_at.clone();
            Some((started, batch))
        }));
    }
    taken.sort_by(|a, b| b.0.cmp(&a.0));
    Ok(taken)
}

fn run(started_at: String, batch: Batch, entries: &[LedgerEntry]) -> LiveRun {
    let mut providers: BTreeMap<Provider, ProviderCounts> = BTreeMap::new();
    let mut follow_ups = 0;
    for entry in entries {
        let counts = providers.entry(entry.item.provider).or_default();
        match entry.state {
            DeliveryState::Accepted => {
                counts.total_dispatched += 1;
                follow_ups += u32::from(entry.item.step > Step::FIRST);
            }
            DeliveryState::Rejected => counts.rejected += 1,
            DeliveryState::NotSent => counts.not_sent += 1,
            DeliveryState::Intended | DeliveryState::Unknown => counts.unknown += 1,
        }
    }
    let execution = batch.execution;
    LiveRun {
        run: execution
            .as_ref()
            .map(|it| it.run.clone())
            .unwrap_or_default(),
        batch: batch.id,
        motion: batch.motion,
        status: batch.status,
        started_at,
        settled_at: execution.and_then(|it| it.settled_at),
        providers,
        follow_ups,
    }
}
