//! The outbox: alerts in the store, from when they are raised until they are old.

use std::collections::BTreeMap;
use std::time::Duration;

use caio_core::escalation::{
    AlertChannel, ChannelResult, Ended, FOLD_WINDOW, Fold, Folds, Level, Raised, Subject,
    fingerprint, raise,
};
use caio_core::time::rfc3339;
use caio_core::{Clock, IdSource};
use caio_state::{CommitOutcome, Range, StateStore, StateStoreExt, StoreError, Write};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Notice;
use crate::error::{DispatchError, Result};
use crate::history::Event;
use crate::records;
use crate::transition::{commit, transition, unchanged};

/// How often a fold is decided anew after somebody else changed it in between.
const ATTEMPTS: usize = 5;

/// Longest time that raising one alert may take from whoever raises it.
const RAISING: Duration = Duration::from_secs(2);

/// How long what was said about a thing is remembered after its window, or without one.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);
const STATE_REMEMBERED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Where an alert stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// Somebody is still to be told.
    Waiting,
    /// Somebody was told, and no channel is tried any more.
    Delivered,
    /// Nobody could be told; it is kept for whoever looks.
    Dead,
}

/// What became of one channel so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// Calls that were begun.
    pub attempts: u32,
    /// A call was begun and its answer is not recorded: unknown, if nobody is at it.
    #[serde(default)]
    pub calling: bool,
    /// How it ended, once it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
    /// What was said last.
    #[serde(default)]
    pub detail: String,
    /// When it is worth trying again, RFC 3339 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<String>,
}

/// Who has seen it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// Who.
    pub by: String,
    /// When, RFC 3339 UTC.
    pub at: String,
}

/// One alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Its id.
    pub id: String,
    /// When it was raised, RFC 3339 UTC.
    pub raised_at: String,
    /// The part of the house that it comes from.
    pub source: String,
    /// What kind of thing it is.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// How loudly.
    pub level: Level,
    /// A few words.
    pub heading: String,
    /// One line.
    pub title: String,
    /// What is behind it.
    pub text: String,
    /// Where to look, without any token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Names what it is about: the same again is folded.
    pub fingerprint: String,
    /// How many of the same were folded before it.
    #[serde(default)]
    pub folded: u32,
    /// Where it stands.
    pub state: AlertState,
    /// When it is to be tried next, RFC 3339 UTC; the last time once it is over.
    pub next_at: String,
    /// Channels that were tried.
    #[serde(default)]
    pub channels: BTreeMap<AlertChannel, Tried>,
    /// What became of each channel, once it is over.
    #[serde(default)]
    pub results: BTreeMap<AlertChannel, ChannelResult>,
    /// Who has seen it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledged>,
}

/// How alerts are raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertPolicy {
    /// How long the same is folded.
    pub window: SignedDuration,
    /// Hours after which an unanswered batch is one level louder.
    pub louder_after_hours: u32,
    /// Where people look, without any token.
    pub link: Option<String>,
}

impl Default for AlertPolicy {
    fn default() -> Self {
        Self {
            window: FOLD_WINDOW,
            louder_after_hours: 4,
            link: None,
        }
    }
}

impl AlertPolicy {
    /// The page that `address` names, without user, query and fragment, any of which could carry a
    /// token; `None` for what is no page.
    pub fn page(address: &str) -> Option<String> {
        let mut url = reqwest::Url::parse(address.trim()).ok()?;
        url.set_query(None);
        url.set_fragment(None);
        let bare = url.set_username("").is_ok() && url.set_password(None).is_ok();
        (bare && matches!(url.scheme(), "http" | "https")).then(|| url.into())
    }
}

/// Raises alerts.
#[derive(Debug, Clone, Copy)]
pub struct Alerts<'a> {
    /// Where they are kept.
    pub store: &'a dyn StateStore,
    /// Time.
    pub clock: &'a dyn Clock,
    /// Ids of alerts and transactions.
    pub ids: &'a dyn IdSource,
    /// How.
    pub policy: &'a AlertPolicy,
}

impl Alerts<'_> {
    /// Raises an alert: one write, and no call to anybody. Its id; `None` when it was folded.
    ///
    /// # Errors
    /// When the store fails; [`DispatchError::Conflict`] while others keep raising the same.
    pub async fn raise(&self, subject: &Subject) -> Result<Option<String>> {
        let fingerprint = fingerprint(subject);
        let key = records::alert_fold(&fingerprint);
        let id = self.ids.id();
        for _ in 0..ATTEMPTS {
            let found = self.store.get_json::<Fold>(&key).await?;
            let (before, version) = found.map_or((None, None), |(it, at)| (Some(it), Some(at)));
            let now = self.clock.now();
            let raised = raise(before.as_ref(), subject, &id, now, self.policy.window);
            let (fold, told) = match raised {
                Raised::Folded(None) => return Ok(None),
                Raised::Folded(Some(fold)) => (fold, None),
                Raised::Told { fold, folded } => {
                    let alert = self.alert(subject, &id, &fingerprint, folded, now);
                    (fold, Some(alert))
                }
            };
            let remembered = match subject.folds() {
                Folds::Once => STATE_REMEMBERED,
                Folds::Window => self.policy.window + REMEMBERED,
            };
            let mut writes = vec![Write::Put {
                key: key.clone(),
                value: serde_json::to_vec(&fold)?,
                expires_in: Some(remembered),
            }];
            if let Some(alert) = &told {
                writes.extend(alert.writes()?);
            }
            let guards = vec![unchanged(&key, version.as_ref())];
            let outcome = commit(self.store, self.ids, guards, writes).await?;
            if outcome == CommitOutcome::Committed {
                return Ok(told.map(|alert| alert.id));
            }
        }
        Err(DispatchError::Conflict {
            what: "alert",
            id: fingerprint,
        })
    }

    /// Raises each of `subjects`, spending at most two seconds on one; what could not be raised.
    ///
    /// Whoever calls it goes on whatever it answers: an alert never breaks what it is about.
    pub async fn raise_all(&self, subjects: impl IntoIterator<Item = Subject>) -> Vec<String> {
        let mut problems = Vec::new();
        for subject in subjects {
            let what = match tokio::time::timeout(RAISING, self.raise(&subject)).await {
                Ok(Ok(_)) => continue,
                Ok(Err(error)) => error.to_string(),
                Err(_) => "the store did not answer in time".to_owned(),
            };
            let title = subject.title();
            problems.push(format!("an alert could not be raised ({title}): {what}"));
            // A store that is away is away for the next one as well.
            break;
        }
        problems
    }

    fn alert(
        &self,
        subject: &Subject,
        id: &str,
        fingerprint: &str,
        folded: u32,
        now: Timestamp,
    ) -> Alert {
        Alert {
            id: id.to_owned(),
            raised_at: rfc3339(now),
            source: subject.source().to_owned(),
            kind: subject.kind().to_owned(),
            subject: subject.identity(),
            level: subject.level(),
            heading: subject.heading().to_owned(),
            title: subject.title(),
            text: subject.text(),
            link: self.policy.link.clone(),
            fingerprint: fingerprint.to_owned(),
            folded,
            state: AlertState::Waiting,
            next_at: rfc3339(now),
            channels: BTreeMap::new(),
            results: BTreeMap::new(),
            acknowledged: None,
        }
    }
}

impl Alert {
    /// The writes that store it and put it where its state says.
    pub(crate) fn writes(&self) -> Result<Vec<Write>> {
        let key = records::alert(&self.id);
        let place = |index: &str, at: &str| Write::Index {
            index: index.to_owned(),
            order: format!("{at}|{}", self.id),
            key: key.clone(),
        };
        let outbox = match self.state {
            AlertState::Waiting => place(records::OUTBOX_INDEX, &self.next_at),
            AlertState::Delivered | AlertState::Dead => Write::Unindex {
                index: records::OUTBOX_INDEX.to_owned(),
                key: key.clone(),
            },
        };
        Ok(vec![
            Write::Put {
                key: key.clone(),
                value: serde_json::to_vec(self)?,
                expires_in: None,
            },
            place(records::ALERT_INDEX, &self.raised_at),
            outbox,
        ])
    }

    /// Channels that have ended, as the plan asks for them.
    pub(super) fn ended(&self) -> BTreeMap<AlertChannel, Ended> {
        let ended = self.channels.iter();
        ended
            .filter_map(|(channel, tried)| Some((*channel, tried.ended?)))
            .collect()
    }

    /// What its channels are told; one that stands in for another says for which, and why.
    pub(super) fn notice(&self, channel: AlertChannel) -> Notice {
        let mut text = self.text.clone();
        if self.folded > 0 {
            text.push_str(&format!("\n{} more of the same before.", self.folded));
        }
        for (other, tried) in &self.channels {
            if *other != channel && tried.ended == Some(Ended::Failed) {
                text.push_str(&format!("\n{other} did not take this: {}", tried.detail));
            }
        }
        Notice {
            id: self.id.clone(),
            raised_at: self.raised_at.parse().unwrap_or(Timestamp::UNIX_EPOCH),
            level: self.level,
            heading: self.heading.clone(),
            title: self.title.clone(),
            text,
            link: self.link.clone(),
        }
    }
}

/// An alert as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// The alert.
    #[serde(flatten)]
    pub alert: Alert,
    /// How many of the same were folded into it since.
    pub folded_since: u32,
}

/// The newest alerts, newest first: at most `limit`, only those in `state` where one is given.
///
/// # Errors
/// When the store fails.
pub async fn list(
    store: &dyn StateStore,
    state: Option<AlertState>,
    limit: usize,
) -> Result<Vec<Listed>> {
    let range = Range {
        descending: true,
        ..Range::default()
    };
    let mut listed = Vec::new();
    let mut after = None;
    while listed.len() < limit {
        let page = store
            .range(records::ALERT_INDEX, &range, after.as_ref(), limit.min(100))
            .await?;
        let keys: Vec<_> = page.items.into_iter().map(|entry| entry.key).collect();
        let mut alerts: Vec<Alert> = store.get_all_json(&keys).await?;
        alerts.retain(|alert| state.is_none_or(|state| alert.state == state));
        alerts.truncate(limit - listed.len());
        listed.extend(with_folds(store, alerts).await?);
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    Ok(listed)
}

async fn with_folds(store: &dyn StateStore, alerts: Vec<Alert>) -> Result<Vec<Listed>> {
    let keys = alerts
        .iter()
        .map(|alert| records::alert_fold(&alert.fingerprint));
    let folds: Vec<Fold> = store.get_all_json(&keys.collect::<Vec<_>>()).await?;
    let folds: BTreeMap<&str, u32> = folds
        .iter()
        .map(|fold| (fold.alert.as_str(), fold.folded))
        .collect();
    let listed = alerts.into_iter().map(|alert| Listed {
        folded_since: folds.get(alert.id.as_str()).copied().unwrap_or(0),
        alert,
    });
    Ok(listed.collect())
}

/// Records that `by` has seen an alert; who saw it first stays.
///
/// # Errors
/// [`DispatchError::NotFound`] for an id that is none; store failures.
pub async fn acknowledge(
    store: &dyn StateStore,
    (clock, ids): (&dyn Clock, &dyn IdSource),
    by: &str,
    id: &str,
) -> Result<Alert> {
    let key = records::alert(id);
    transition(store, ids, "alert", id, &key, |alert: Alert| {
        if alert.acknowledged.is_some() {
            return Ok((alert, Vec::new()));
        }
        let now = clock.now();
        let seen = Alert {
            acknowledged: Some(Acknowledged {
                by: by.to_owned(),
                at: rfc3339(now),
            }),
            ..alert
        };
        let mut writes = seen.writes()?;
        writes.extend(Event::new(&ids.id(), now, by, "alert.acknowledged", id).writes()?);
        Ok((seen, writes))
    })
    .await
}

/// Puts every dead alert that nobody has acknowledged back into the outbox, to be tried anew; how
/// many.
///
/// # Errors
/// When the store fails.
pub async fn retry_dead(
    store: &dyn StateStore,
    (clock, ids): (&dyn Clock, &dyn IdSource),
) -> Result<usize> {
    let mut again = 0;
    for listed in list(store, Some(AlertState::Dead), usize::MAX).await? {
        let id = &listed.alert.id;
        let key = records::alert(id);
        let revived = transition(store, ids, "alert", id, &key, |alert: Alert| {
            if alert.state != AlertState::Dead || alert.acknowledged.is_some() {
                return Ok((false, Vec::new()));
            }
            let alert = Alert {
                state: AlertState::Waiting,
                next_at: rfc3339(clock.now()),
                channels: BTreeMap::new(),
                results: BTreeMap::new(),
                ..alert
            };
            Ok((true, alert.writes()?))
        });
        match revived.await {
            Ok(true) => again += 1,
            // It was removed or changed meanwhile.
            Ok(false) | Err(DispatchError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(again)
}

/// Reads one alert; `None` when it is gone, or is no alert any more: the outbox goes on without it.
pub(super) async fn read(store: &dyn StateStore, id: &caio_state::Key) -> Result<Option<Alert>> {
    match store.get_json::<Alert>(id).await {
        Ok(found) => Ok(found.map(|(alert, _)| alert)),
        Err(StoreError::Corrupt { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_carries_no_token() {
        for (given, link) in [
            (
                "https://caio.example.com",
                Some("https://caio.example.com/"),
            ),
            (
                "https://kim:planted@caio.example.com/sales?token=planted#planted",
                Some("https://caio.example.com/sales"),
            ),
            (
                "http://127.0.0.1:8080/sales",
                Some("http://127.0.0.1:8080/sales"),
            ),
            ("javascript:alert(1)", None),
            ("caio.example.com", None),
            ("", None),
        ] {
            assert_eq!(AlertPolicy::page(given).as_deref(), link, "{given}");
        }
    }
}
