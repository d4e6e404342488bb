//! What may be sent today: the ramp as the ledger proves it, the warm-up, and what is left.

use caio_core::batch::{Batch, BatchStatus, parse_instant};
use caio_core::config::{Production, Settings};
use caio_core::limits::{LimitPolicy, business_day};
use caio_core::ramp::{CleanDays, LiveRun, RampStatus, ramp};
use caio_core::warmup::{Schedule, WarmupConfig, schedule};
use caio_state::StateStore;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::error::Result;
use crate::{batches, records};

/// What holds today.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Where the ramp stands.
    pub ramp: RampStatus,
    /// Limits of the day.
    pub schedule: Schedule,
    /// All limits, lowered to those of the day.
    pub limits: LimitPolicy,
    /// E-mails sent or reserved today.
    pub email_used: u64,
    /// E-mails that may still go today.
    pub email_room: u32,
    /// LinkedIn contacts that may still be made today.
    pub linkedin_room: u32,
    /// Revivals that may still go today, within the e-mails.
    pub revival_room: u32,
}

/// What holds at `now`: settings and the old system's file together, the tighter of the two.
pub async fn policy(
    store: &dyn StateStore,
    settings: &Settings,
    production: Option<&Production>,
    now: Timestamp,
    zone: &TimeZone,
) -> Result<Policy> {
    let today = business_day(now, zone);
    let clean = clean_days(store, zone).await?;
    let mut status = ramp(&settings.ramp, today, Some(&clean));
    let mut limits = settings.limits.clone();
    let mut warmup = WarmupConfig {
        email_per_day: limits.email_per_day,
        revival_per_day: limits.revival_per_day,
        ..WarmupConfig::default()
    };
    if let Some(production) = production {
        limits = limits.tightest(&production.limits);
        warmup = WarmupConfig {
            email_per_day: limits.email_per_day,
            revival_per_day: limits.revival_per_day,
            ..production.warmup.clone()
        };
        let other = ramp(&production.ramp, today, Some(&clean));
        let tighter = |it: &RampStatus| it.email_limit.unwrap_or(u32::MAX);
        if tighter(&other) < tighter(&status) {
            status = other;
        }
    }
    let schedule = schedule(&warmup, &status, today);
    let limits = limits.lowered_by(&schedule);
    let days =
        ["email", "linkedin", "revival"].map(|what| records::limit(&format!("{what}:day:{today}")));
    let used = store.counters(&days).await?;
    let used = |at: usize| used.get(at).copied().unwrap_or(0);
    let room =
        |at: usize, limit: u32| limit.saturating_sub(u32::try_from(used(at)).unwrap_or(u32::MAX));
    let (email_used, email_room) = (used(0), room(0, limits.email_per_day));
    let linkedin_room = room(1, limits.linkedin_per_day);
    let revival_room = room(2, limits.revival_per_day);
    Ok(Policy {
        ramp: status,
        schedule,
        limits,
        email_used,
        email_room,
        linkedin_room,
        revival_room,
    })
}

/// The days of live runs, as the executed batches prove them.
async fn clean_days(store: &dyn StateStore, zone: &TimeZone) -> Result<CleanDays> {
    let ended = [
        BatchStatus::Executed,
        BatchStatus::Partial,
        BatchStatus::Failed,
        BatchStatus::Unknown,
    ];
    let mut runs = Vec::new();
    for status in ended {
        runs.extend(
            batches::list(store, status)
                .await?
                .iter()
                .filter_map(|batch| run(batch, zone)),
        );
    }
    Ok(CleanDays::from_runs(runs))
}

fn run(batch: &Batch, zone: &TimeZone) -> Option<LiveRun> {
    let execution = batch.execution.as_ref()?;
    let ended = execution
        .settled_at
        .as_ref()
        .unwrap_or(&execution.started_at);
    let counts = &execution.counts;
    Some(LiveRun {
        day: business_day(parse_instant(ended)?, zone),
        sent: counts.accepted,
        errors: counts.rejected.saturating_add(counts.unknown),
    })
}
