//! What is wrong with a store, and what to do about it. Looks, and changes nothing.

use caio_core::batch::{Batch, BatchStatus};
use caio_core::draft::{Draft, DraftStatus};
use caio_state::{Range, StateStore, dual, stop};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;

use crate::error::Result;
use crate::notify::{self, AlertState};
use crate::records;

/// Alerts that are looked at.
const ALERTS: usize = 100;

/// Entries of an index asked for at a time.
const PAGE: usize = 500;

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable code.
    pub code: &'static str,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub advice: &'static str,
}

/// Looks at everything that gates a send.
///
/// # Errors
/// When the store cannot be asked at all.
pub async fn examine(store: &dyn StateStore) -> Result<Vec<Finding>> {
    store.ping().await?;
    let mut findings = Vec::new();
    match stop::read(store).await {
        Ok(None) => {}
        Ok(Some(stop)) => findings.push(Finding {
            code: "doctor.stopped",
            what: format!(
                "sending is stopped by {} since {}: {}",
                stop.by, stop.at, stop.reason
            ),
            advice: "`caio resume` once the reason is gone",
        }),
        Err(error) => findings.push(Finding {
            code: "doctor.stop_unreadable",
            what: format!("the stop flag cannot be read, so nothing is sent: {error}"),
            advice: "`caio stop`, then `caio resume`, writes it anew",
        }),
    }
    findings.extend(migration(store).await?);
    if !store.capabilities().listings {
        // The rest of it is about listings.
        return Ok(findings);
    }
    if !store.capabilities().live_authority {
        findings.push(Finding {
            code: "doctor.no_authority",
            what: format!("{store} may not decide for live sends"),
            advice: "use --store sqlite:PATH or redis://HOST",
        });
    }
    for status in BatchStatus::ALL {
        let index = records::batch_index(*status);
        let found = entries(store, &index).await?;
        findings.extend(drift(&index, &found, |record| {
            let batch: Batch = serde_json::from_slice(record).ok()?;
            Some(batch.status == *status)
        }));
        let advice = match status {
            BatchStatus::Executing => {
                "`caio dispatch` of it finishes what an interrupted run left; the provider is asked first"
            }
            BatchStatus::Unknown => {
                "look at its items with `caio batch show`; what cannot be proven waits for a person"
            }
            _ => continue,
        };
        findings.extend(found.iter().map(|(key, _)| Finding {
            code: "doctor.batch_open",
            what: format!("{key} is {status}"),
            advice,
        }));
    }
    for status in DraftStatus::ALL {
        let index = records::draft_index(*status);
        let found = entries(store, &index).await?;
        findings.extend(drift(&index, &found, |record| {
            let draft: Draft = serde_json::from_slice(record).ok()?;
            Some(draft.status == *status)
        }));
    }
    let suppressed = entries(store, records::SUPPRESSION_INDEX).await?;
    findings.extend(drift(records::SUPPRESSION_INDEX, &suppressed, |record| {
        serde_json::from_slice::<Value>(record).ok().map(|_| true)
    }));
    findings.extend(unheard(store).await?);
    Ok(findings)
}

/// Alerts that reached nobody, and that nobody has seen: the way of alarms itself is broken.
async fn unheard(store: &dyn StateStore) -> Result<Option<Finding>> {
    let dead = notify::list(store, Some(AlertState::Dead), ALERTS).await?;
    let unseen = dead.iter().filter(|it| it.alert.acknowledged.is_none());
    let titles: Vec<&str> = unseen.map(|it| it.alert.title.as_str()).collect();
    Ok(titles.first().map(|newest| Finding {
        code: "doctor.alerts_dead",
        what: format!("{} alerts reached nobody; the newest: {newest}", titles.len()),
        advice: "`caio alerts test` says why; then `caio alerts send --dead`, or `caio alerts ack ID`",
    }))
}

/// After so long without an answer of the legacy store it has nothing more to say.
const QUIET: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Where a move from one store to another stands.
async fn migration(store: &dyn StateStore) -> Result<Option<Finding>> {
    if dual::migrated(store).await?.is_some() {
        return Ok(None);
    }
    let Some(used) = dual::legacy_use(store).await? else {
        return Ok(None);
    };
    let last = used.last_answer.as_ref().unwrap_or(&used.since);
    let quiet = match last.parse::<Timestamp>() {
        Ok(last) => store.now().await?.duration_since(last),
        Err(_) => SignedDuration::ZERO,
    };
    let what = match (&used.last_answer, &used.last_key) {
        (Some(at), Some(key)) => format!(
            "two stores are asked since {}; the legacy one answered {} times, last at {at} for {key}",
            used.since, used.answers
        ),
        _ => format!(
            "two stores are asked since {}; the legacy one knew nothing so far",
            used.since
        ),
    };
    Ok(Some(if quiet >= QUIET {
        Finding {
            code: "doctor.cutover_ready",
            what,
            advice: "`caio state migrate`, then `caio state cutover`: the legacy store has been quiet for seven days",
        }
    } else {
        Finding {
            code: "doctor.migration_under_way",
            what,
            advice: "`caio state migrate` carries the rest over; `caio state cutover` once seven days were quiet",
        }
    }))
}

/// What an index points at: names, and the records that are there.
type Entries = Vec<(String, Option<Vec<u8>>)>;

async fn entries(store: &dyn StateStore, index: &str) -> Result<Entries> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let page = store
            .range(index, &Range::default(), after.as_ref(), PAGE)
            .await?;
        let keys: Vec<_> = page.items.into_iter().map(|entry| entry.key).collect();
        let records = store.get(&keys).await?;
        let pairs = keys.iter().zip(records);
        all.extend(pairs.map(|(key, record)| (key.to_string(), record.map(|it| it.value))));
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(all),
        }
    }
}

/// Records that are not what their index says; `belongs` answers `None` for one that cannot be read.
fn drift(index: &str, entries: &Entries, belongs: impl Fn(&[u8]) -> Option<bool>) -> Vec<Finding> {
    let finding = |(key, record): &(String, Option<Vec<u8>>)| {
        let what = match record.as_deref().map(&belongs) {
            None => format!("{index} names {key}, which is not there"),
            Some(None) => format!("{key} cannot be read"),
            Some(Some(false)) => format!("{key} is not what {index} says it is"),
            Some(Some(true)) => return None,
        };
        Some(Finding {
            code: "doctor.drift",
            what,
            advice: "somebody changed the store past caio: compare with `caio history`, decide by hand",
        })
    };
    entries.iter().filter_map(finding).collect()
}
