//! What a person looks at and decides: the events that are there, which have to be applied again,
//! and what becomes of those that nobody knows the sender of.

use std::collections::BTreeMap;

use caio_core::escalation::Subject;
use caio_core::time::rfc3339;
use caio_core::webhook::{Source, Trust};
use caio_core::{Clock, IdSource};
use caio_state::{CommitOutcome, Guard, Range, StateStore, StateStoreExt, Version, Write};
use jiff::Timestamp;

use super::apply::Apply;
use super::hold;
use super::people::people;
use super::record::{EventState, StoredEvent};
use crate::cadence::Cadences;
use crate::error::{DispatchError, Result};
use crate::history::Event;
use crate::records;
use crate::transition::commit;

/// Which events are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// Only those that stand there.
    pub state: Option<EventState>,
    /// Received from then on.
    pub from: Option<Timestamp>,
    /// Received before.
    pub until: Option<Timestamp>,
}

impl Wanted {
    fn index(&self) -> String {
        self.state
            .map_or_else(|| records::WEBHOOK_INDEX.to_owned(), records::webhook_index)
    }

    fn range(&self, descending: bool) -> Range {
        Range {
            from: self.from.map(rfc3339),
            until: self.until.map(rfc3339),
            descending,
        }
    }
}

/// At most `limit` of the events wanted, the newest first.
pub async fn list(
    store: &dyn StateStore,
    wanted: &Wanted,
    limit: usize,
) -> Result<Vec<StoredEvent>> {
    let page = store
        .range(&wanted.index(), &wanted.range(true), None, limit)
        .await?;
    let keys: Vec<_> = page.items.into_iter().map(|entry| entry.key).collect();
    Ok(store.get_all_json(&keys).await?)
}

/// What there is to tell of the dead letters, the newest thousand: for each provider how many there are and
/// why the newest is one.
///
/// # Errors
/// When the store fails.
pub async fn dead_letters(store: &dyn StateStore) -> Result<Vec<Subject>> {
    let wanted = Wanted {
        state: Some(EventState::Dead),
        ..Wanted::default()
    };
    let mut of: BTreeMap<Source, (usize, String)> = BTreeMap::new();
    for event in list(store, &wanted, MOST_DEAD).await? {
        of.entry(event.source).or_insert((0, event.reason)).0 += 1;
    }
    let subject = |(source, (events, reason)): (Source, (usize, String))| Subject::WebhookDead {
        provider: source.to_string(),
        events,
        reason,
    };
    Ok(of.into_iter().map(subject).collect())
}

/// Dead letters that are counted.
const MOST_DEAD: usize = 1_000;

/// The event of that id.
///
/// # Errors
/// [`DispatchError::NotFound`] when there is none.
pub async fn one(store: &dyn StateStore, id: &str) -> Result<(StoredEvent, Version)> {
    let found = store.get_json(&records::webhook(id)).await?;
    found.ok_or_else(|| DispatchError::NotFound {
        what: "webhook event",
        id: id.to_owned(),
    })
}

/// Decides on stored events, for one person.
#[derive(Debug, Clone, Copy)]
pub struct Decide<'a> {
    /// Where they are kept.
    pub store: &'a dyn StateStore,
    /// When it is decided.
    pub clock: &'a dyn Clock,
    /// Ids of transactions.
    pub ids: &'a dyn IdSource,
    /// Who decides.
    pub by: &'a str,
    /// The follow-ups that an event may end or hold.
    pub follow_ups: Option<&'a Cadences<'a>>,
}

impl Decide<'_> {
    /// Applies the event again: what it changed before stays as it is.
    ///
    /// # Errors
    /// One that a person has to accept or has dismissed.
    pub async fn replay(&self, id: &str) -> Result<EventState> {
        let (stored, version) = one(self.store, id).await?;
        match stored.state {
            EventState::Applied | EventState::Dead => {
                let next = stored.moved(EventState::Pending, "", &self.now());
                let next = StoredEvent {
                    attempts: 0,
                    ..next
                };
                self.put(&stored, &next, version, "webhook.replayed", Vec::new())
                    .await?;
            }
            EventState::Pending => {}
            EventState::Dismissed | EventState::Held => {
                return Err(DispatchError::Refused {
                    code: "webhook.not_replayable",
                    reason: format!(
                        "webhook event `{id}` is {}: accept it, if you know who sent it",
                        stored.state
                    ),
                });
            }
        }
        self.apply(&stored).await
    }

    /// Applies every event wanted again, the oldest first; those that a person has to decide on are
    /// passed over. Says how many stand where afterwards.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn replay_all(&self, wanted: &Wanted) -> Result<Vec<(String, EventState)>> {
        let mut ids = Vec::new();
        let mut after = None;
        loop {
            let page = self
                .store
                .range(&wanted.index(), &wanted.range(false), after.as_ref(), 500)
                .await?;
            let keys: Vec<_> = page.items.into_iter().map(|entry| entry.key).collect();
            let events: Vec<StoredEvent> = self.store.get_all_json(&keys).await?;
            let decided =
                |it: &StoredEvent| !matches!(it.state, EventState::Dismissed | EventState::Held);
            ids.extend(events.into_iter().filter(decided).map(|event| event.id));
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        let mut replayed = Vec::with_capacity(ids.len());
        for id in ids {
            let state = self.replay(&id).await?;
            replayed.push((id, state));
        }
        Ok(replayed)
    }

    /// Vouches for an event that nobody knows the sender of, and applies it.
    ///
    /// # Errors
    /// One that is not held.
    pub async fn accept(&self, id: &str) -> Result<EventState> {
        let (stored, version) = one(self.store, id).await?;
        if stored.state != EventState::Held {
            return Err(not_held(&stored));
        }
        let next = StoredEvent {
            trust: Trust::Proven,
            ..stored.moved(EventState::Pending, "", &self.now())
        };
        self.put(&stored, &next, version, "webhook.accepted", Vec::new())
            .await?;
        self.apply(&next).await
    }

    /// Decides that an event has no effect, and takes it out of the lead's hold.
    ///
    /// # Errors
    /// One that has had its effect, or will have it.
    pub async fn dismiss(&self, id: &str) -> Result<EventState> {
        let (stored, version) = one(self.store, id).await?;
        if !matches!(stored.state, EventState::Dead | EventState::Held) {
            return Err(not_held(&stored));
        }
        let next = stored.moved(EventState::Dismissed, "", &self.now());
        let mut more = Vec::new();
        if let Ok(event) = stored.event() {
            for person in people(self.store, &event).await? {
                more.push(hold::release(self.store, &person, &stored.id).await?);
            }
        }
        self.put(&stored, &next, version, "webhook.dismissed", more)
            .await?;
        Ok(next.state)
    }

    fn now(&self) -> String {
        rfc3339(self.clock.now())
    }

    async fn put(
        &self,
        before: &StoredEvent,
        next: &StoredEvent,
        version: Version,
        what: &str,
        more: Vec<(Guard, Vec<Write>)>,
    ) -> Result<()> {
        let event = Event::new(&self.ids.id(), self.clock.now(), self.by, what, &before.id);
        let mut guards = vec![Guard::Unchanged(before.key(), version)];
        let mut writes = next.writes(Some(before.state))?;
        writes.extend(event.writes()?);
        for (guard, more) in more {
            guards.push(guard);
            writes.extend(more);
        }
        match commit(self.store, self.ids, guards, writes).await? {
            CommitOutcome::Committed => Ok(()),
            CommitOutcome::Refused { .. } => Err(DispatchError::Conflict {
                what: "webhook event",
                id: before.id.clone(),
            }),
        }
    }

    async fn apply(&self, stored: &StoredEvent) -> Result<EventState> {
        let apply = Apply {
            store: self.store,
            clock: self.clock,
            ids: self.ids,
            follow_ups: self.follow_ups,
            // Whoever decides has seen it.
            alerts: None,
        };
        apply.one(&stored.key()).await
    }
}

fn not_held(stored: &StoredEvent) -> DispatchError {
    DispatchError::Refused {
        code: "webhook.decided",
        reason: format!(
            "webhook event `{}` is {}: there is nothing to decide",
            stored.id, stored.state
        ),
    }
}
