//! Delivering what the outbox holds: one process at a time, each call written down before it is made.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use caio_core::escalation::{AlertChannel, Ended, Next, Plan, Told, next, plan};
use caio_core::time::rfc3339;
use caio_core::{Clock, IdSource};
use caio_state::{CommitOutcome, Guard, Held, Key, Lease, Range, StateStore, StateStoreExt, Write};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::outbox::{Alert, AlertState, Tried, read};
use super::{Notifier, Notifiers};
use crate::error::{DispatchError, Result};
use crate::records;
use crate::transition::commit;

/// Alerts that are delivered in one go.
const MOST: usize = 50;

/// How long an alert waits for a channel to be configured, and how often that is looked at.
const UNCONFIGURED: SignedDuration = SignedDuration::from_hours(24);
const LOOK_AGAIN: Duration = Duration::from_mins(10);

/// How often a change is made anew after somebody else changed the alert in between.
const CHANGES: usize = 5;

/// Longest time for one call, whatever a notifier does.
const CALL: Duration = Duration::from_secs(45);

/// How long the lease of whoever delivers lives; it is prolonged before each call.
const LEASE: SignedDuration = SignedDuration::from_secs(90);

/// How long an alert that is over is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Which alerts are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All that wait, also those that are not due yet.
    All,
    /// Those whose time has come.
    Due,
}

/// Delivers alerts.
#[derive(Debug, Clone, Copy)]
pub struct Drain<'a> {
    /// Where they are kept.
    pub store: &'a dyn StateStore,
    /// Who can be told.
    pub notifiers: &'a Notifiers,
    /// Time.
    pub clock: &'a dyn Clock,
    /// Ids of transactions.
    pub ids: &'a dyn IdSource,
    /// Name of this process, shown to whom it keeps out.
    pub holder: &'a str,
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Drained {
    /// Alerts that were tried, as they stand now.
    pub alerts: Vec<Alert>,
    /// Who delivers at the moment, where it was not us.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub busy: Option<String>,
}

/// What one pass knows.
#[derive(Debug)]
struct Pass {
    held: Held,
    /// Channels that asked for a pause, and until when.
    paused: BTreeMap<AlertChannel, Timestamp>,
}

impl Drain<'_> {
    /// Tries `which` alerts once on every channel that is due, at most fifty of them.
    ///
    /// Each alert is tried a bounded number of times on each channel, whatever crashes in between: the
    /// attempt is written down before the call.
    ///
    /// # Errors
    /// When the store fails; what was told stays told.
    pub async fn run(&self, which: Which) -> Result<Drained> {
        // Looking costs one question, however often it is done.
        if self.due(which, 1).await?.is_empty() {
            return Ok(Drained::default());
        }
        let lease = Lease::new(records::outbox_lease());
        let taken = lease.acquire(self.store, self.ids, self.holder, "alerts", LEASE);
        let held = match taken.await? {
            Ok(held) => held,
            Err(holder) => {
                return Ok(Drained {
                    busy: Some(holder),
                    ..Drained::default()
                });
            }
        };
        let mut pass = Pass {
            held,
            paused: BTreeMap::new(),
        };
        let drained = self.pass(&mut pass, which).await;
        lease.release(self.store, self.ids, &pass.held).await?;
        drained
    }

    /// The first alerts of the outbox that are to be tried.
    async fn due(&self, which: Which, most: usize) -> Result<Vec<Key>> {
        let now = self.clock.now();
        let range = Range {
            // `}` comes after `|`: what is due at this very instant is due.
            until: (which == Which::Due).then(|| format!("{}}}", rfc3339(now))),
            ..Range::default()
        };
        let page = self
            .store
            .range(records::OUTBOX_INDEX, &range, None, most)
            .await?;
        Ok(page.items.into_iter().map(|entry| entry.key).collect())
    }

    async fn pass(&self, pass: &mut Pass, which: Which) -> Result<Drained> {
        let mut drained = Drained::default();
        for key in self.due(which, MOST).await? {
            match read(self.store, &key).await? {
                Some(alert) if alert.state == AlertState::Waiting => {
                    drained.alerts.push(self.deliver(pass, alert).await?);
                }
                _ => self.leave(&key).await?,
            }
        }
        self.prune(self.clock.now()).await?;
        Ok(drained)
    }

    /// Tries one alert on every channel that is due, and says where it stands.
    async fn deliver(&self, pass: &mut Pass, alert: Alert) -> Result<Alert> {
        let plan = plan(alert.level, self.notifiers.configured());
        let mut alert = self.interrupted(pass, alert).await?;
        let mut tried = BTreeSet::new();
        loop {
            let due = plan.due(&alert.ended());
            let next = due
                .into_iter()
                .find(|channel| !tried.contains(channel) && !pass.paused.contains_key(channel));
            let Some((channel, notifier)) =
                next.and_then(|channel| Some((channel, self.notifiers.of(channel)?)))
            else {
                break;
            };
            tried.insert(channel);
            alert = self.attempt(pass, alert, channel, notifier).await?;
        }
        let now = self.clock.now();
        let paused = pass.paused.clone();
        self.change(pass, &alert.id, move |alert| {
            settled(alert, &plan, &paused, now)
        })
        .await
    }

    /// One call: written down, made, written down.
    async fn attempt(
        &self,
        pass: &mut Pass,
        alert: Alert,
        channel: AlertChannel,
        notifier: &dyn Notifier,
    ) -> Result<Alert> {
        let lease = Lease::new(records::outbox_lease());
        if !lease.renew(self.store, self.ids, &pass.held, LEASE).await? {
            return Err(lost());
        }
        let begun = self
            .change(pass, &alert.id, |mut alert| {
                let tried = tried(&mut alert, channel);
                tried.attempts += 1;
                tried.calling = true;
                tried.next_at = None;
                alert
            })
            .await?;
        let notice = begun.notice(channel);
        let told = match tokio::time::timeout(CALL, notifier.notify(&notice)).await {
            Ok(told) => told,
            Err(_) => Told::Unknown {
                reason: "no answer in time".to_owned(),
            },
        };
        let now = self.clock.now();
        // Who asks for a pause is not asked for the other alerts either.
        if matches!(told, Told::Later { .. })
            && let Next::Again(pause) = next(channel, &told, 1, 0)
        {
            pass.paused.insert(channel, later(now, pause));
        }
        self.change(pass, &alert.id, |alert| {
            answered(alert, channel, &told, now)
        })
        .await
    }

    /// Calls that were begun by somebody who is no more: their answers are lost.
    async fn interrupted(&self, pass: &Pass, alert: Alert) -> Result<Alert> {
        if !alert.channels.values().any(|tried| tried.calling) {
            return Ok(alert);
        }
        let now = self.clock.now();
        self.change(pass, &alert.id, |mut alert| {
            let calling = alert.channels.iter().filter(|(_, tried)| tried.calling);
            let channels: Vec<AlertChannel> = calling.map(|(channel, _)| *channel).collect();
            for channel in channels {
                let told = Told::Unknown {
                    reason: "interrupted; it may have been sent".to_owned(),
                };
                alert = answered(alert, channel, &told, now);
            }
            alert
        })
        .await
    }

    /// Changes an alert while it is us who deliver; what somebody else changed meanwhile (who has seen
    /// it) stays.
    async fn change(
        &self,
        pass: &Pass,
        id: &str,
        change: impl Fn(Alert) -> Alert,
    ) -> Result<Alert> {
        let key = records::alert(id);
        let fence = Guard::Fence {
            lease: records::outbox_lease(),
            fence: pass.held.fence,
        };
        for _ in 0..CHANGES {
            let Some((alert, version)) = self.store.get_json::<Alert>(&key).await? else {
                break;
            };
            let alert = change(alert);
            let guards = vec![fence.clone(), Guard::Unchanged(key.clone(), version)];
            match commit(self.store, self.ids, guards, alert.writes()?).await? {
                CommitOutcome::Committed => return Ok(alert),
                CommitOutcome::Refused { guard: 0 } => return Err(lost()),
                CommitOutcome::Refused { .. } => {}
            }
        }
        Err(DispatchError::Conflict {
            what: "alert",
            id: id.to_owned(),
        })
    }

    /// Takes what waits no more, or is no alert, out of the outbox.
    async fn leave(&self, key: &Key) -> Result<()> {
        let unindex = Write::Unindex {
            index: records::OUTBOX_INDEX.to_owned(),
            key: key.clone(),
        };
        commit(self.store, self.ids, Vec::new(), vec![unindex]).await?;
        Ok(())
    }

    /// Removes alerts that were over long ago.
    async fn prune(&self, now: Timestamp) -> Result<()> {
        let before = now.checked_sub(KEPT).unwrap_or(Timestamp::MIN);
        let range = Range {
            until: Some(rfc3339(before)),
            ..Range::default()
        };
        let page = self
            .store
            .range(records::ALERT_INDEX, &range, None, MOST)
            .await?;
        for entry in page.items {
            let indexes = [records::ALERT_INDEX, records::OUTBOX_INDEX];
            let mut writes: Vec<Write> = indexes
                .into_iter()
                .map(|index| Write::Unindex {
                    index: index.to_owned(),
                    key: entry.key.clone(),
                })
                .collect();
            writes.push(Write::Delete(entry.key));
            commit(self.store, self.ids, Vec::new(), writes).await?;
        }
        Ok(())
    }
}

fn lost() -> DispatchError {
    DispatchError::Refused {
        code: "lease.lost",
        reason: "another process delivers alerts now".to_owned(),
    }
}

fn tried(alert: &mut Alert, channel: AlertChannel) -> &mut Tried {
    alert.channels.entry(channel).or_insert_with(|| Tried {
        attempts: 0,
        calling: false,
        ended: None,
        detail: String::new(),
        next_at: None,
    })
}

/// The alert after a channel's answer.
fn answered(mut alert: Alert, channel: AlertChannel, told: &Told, now: Timestamp) -> Alert {
    let seed = alert.id.bytes().fold(0_u64, |seed, byte| {
        seed.wrapping_mul(31).wrapping_add(byte.into())
    });
    let tried = tried(&mut alert, channel);
    tried.calling = false;
    told.detail().clone_into(&mut tried.detail);
    match next(channel, told, tried.attempts, seed) {
        Next::End(ended) => tried.ended = Some(ended),
        Next::Again(pause) => tried.next_at = Some(rfc3339(later(now, pause))),
    }
    alert
}

/// The alert once nothing more is tried in this pass: over, or due again.
fn settled(
    mut alert: Alert,
    plan: &Plan,
    paused: &BTreeMap<AlertChannel, Timestamp>,
    now: Timestamp,
) -> Alert {
    let ended = alert.ended();
    let due = plan.due(&ended);
    let raised: Timestamp = alert.raised_at.parse().unwrap_or(now);
    if plan.reaches_nobody() && now.duration_since(raised) < UNCONFIGURED {
        alert.next_at = rfc3339(later(now, LOOK_AGAIN));
        return alert;
    }
    if due.is_empty() {
        alert.results = plan.results(&ended);
        let is_told = ended.values().any(|ended| *ended == Ended::Sent);
        alert.state = if is_told {
            AlertState::Delivered
        } else {
            AlertState::Dead
        };
        alert.next_at = rfc3339(now);
        return alert;
    }
    let times = due.iter().map(|channel| {
        let own = alert.channels.get(channel);
        let own = own.and_then(|tried| tried.next_at.clone());
        let pause = paused.get(channel).map(|until| rfc3339(*until));
        own.max(pause).unwrap_or_else(|| rfc3339(now))
    });
    alert.next_at = times.min().unwrap_or_else(|| rfc3339(now));
    alert
}

fn later(now: Timestamp, pause: Duration) -> Timestamp {
    now.checked_add(pause).unwrap_or(Timestamp::MAX)
}
