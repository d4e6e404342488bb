//! Taking an event: stored, with what must hold from now on, before anybody is told so.

use caio_core::time::rfc3339;
use caio_core::webhook::signature::Proof;
use caio_core::webhook::{
    Effects, Event, Kind, MAX_BODY, Malformed, Source, Trust, effects, key_of_bytes, parse,
};
use caio_core::{Clock, EmailKey, IdSource};
use caio_state::{CommitOutcome, Guard, StateStore, StateStoreExt, Txn, TxnId, Write};
use jiff::Timestamp;

use super::commits::Commits;
use super::hold;
use super::people::people;
use super::record::{EventState, StoredEvent};
use crate::error::{DispatchError, Result};
use crate::records;
use crate::suppress;

/// How often storing is tried again after somebody else changed what it looked at.
const ATTEMPTS: usize = 8;

/// Takes events.
#[derive(Debug, Clone, Copy)]
pub struct Inbox<'a> {
    /// Where they are kept.
    pub store: &'a dyn StateStore,
    /// When they are received.
    pub clock: &'a dyn Clock,
    /// Ids of transactions.
    pub ids: &'a dyn IdSource,
    /// Where several requests commit together; `None` commits each alone.
    pub commits: Option<&'a Commits>,
}

/// A body that arrived.
#[derive(Debug, Clone, Copy)]
pub struct Arrived<'a> {
    /// From whom.
    pub source: Source,
    /// What the address named, such as `reply`.
    pub hint: Option<&'a str>,
    /// The body, byte for byte.
    pub body: &'a [u8],
    /// How it is certain who sent it; `None` where it is not.
    pub proof: Option<Proof>,
}

/// What became of it. The event is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Its id.
    pub id: String,
    /// What happened.
    pub kind: Kind,
    /// It was there before.
    pub known: bool,
    /// Where it stands.
    pub state: EventState,
}

/// An event on its way in.
struct Incoming<'a> {
    stored: StoredEvent,
    event: Option<&'a Event>,
    effects: Effects,
    now: Timestamp,
}

impl Inbox<'_> {
    /// Stores `arrived`, and with it the suppression or hold that it asks for. One report is stored
    /// once; a copy that is proven takes the place of one that was not.
    ///
    /// # Errors
    /// [`DispatchError::Webhook`] for a body that is no event, unless it came from RB2B, which ends
    /// the integration on a refusal: that is kept as a dead one. Any failure of the store: then
    /// nothing was taken.
    pub async fn receive(&self, arrived: &Arrived<'_>) -> Result<Received> {
        let now = self.clock.now();
        let parsed = parse(arrived.source, arrived.hint, arrived.body, now);
        let keep = arrived.source == Source::Rb2b && arrived.body.len() <= MAX_BODY;
        if let Err(malformed) = &parsed
            && !keep
        {
            return Err(DispatchError::Webhook(malformed.clone()));
        }
        let trust = match arrived.proof {
            Some(_) => Trust::Proven,
            None => Trust::Unsigned,
        };
        let incoming = Incoming {
            stored: stored(arrived, &parsed, trust, now),
            effects: match &parsed {
                Ok(event) => effects(event, trust),
                Err(_) => Effects::default(),
            },
            event: parsed.as_ref().ok(),
            now,
        };
        for _ in 0..ATTEMPTS {
            if let Some(received) = self.attempt(&incoming).await? {
                return Ok(received);
            }
        }
        Err(DispatchError::Conflict {
            what: "webhook",
            id: incoming.stored.id,
        })
    }

    /// One attempt; `None` when something changed meanwhile.
    async fn attempt(&self, incoming: &Incoming<'_>) -> Result<Option<Received>> {
        let new = &incoming.stored;
        // Most events only have to be new: that costs no look at the store.
        let (mut guards, mut writes) = (vec![Guard::Absent(new.key())], new.writes(None)?);
        self.at_once(incoming, &mut guards, &mut writes).await?;
        if self.commit(guards, writes).await? == CommitOutcome::Committed {
            return Ok(Some(received(new, false)));
        }
        let Some((before, version)) = self.store.get_json::<StoredEvent>(&new.key()).await? else {
            return Ok(None);
        };
        let proves = before.trust == Trust::Unsigned && new.trust == Trust::Proven;
        if !proves || before.state == EventState::Dismissed {
            return Ok(Some(received(&before, true)));
        }
        let mut guards = vec![Guard::Unchanged(new.key(), version)];
        let mut writes = new.writes(Some(before.state))?;
        self.at_once(incoming, &mut guards, &mut writes).await?;
        let outcome = self.commit(guards, writes).await?;
        Ok((outcome == CommitOutcome::Committed).then(|| received(new, false)))
    }

    /// What must hold before the event is acknowledged.
    async fn at_once(
        &self,
        incoming: &Incoming<'_>,
        guards: &mut Vec<Guard>,
        writes: &mut Vec<Write>,
    ) -> Result<()> {
        let (Some(event), effects) = (incoming.event, &incoming.effects) else {
            return Ok(());
        };
        if effects.suppress.is_none() && effects.hold.is_none() {
            return Ok(());
        }
        for person in people(self.store, event).await? {
            if let Some(reason) = effects.suppress {
                let (guard, more) =
                    suppression(self.store, event, &person, reason, incoming.now).await?;
                guards.extend(guard);
                writes.extend(more);
            }
            if let Some(reason) = effects.hold {
                let id = &incoming.stored.id;
                let why = (reason, event.source);
                let (guard, more) = hold::hold(self.store, &person, id, why, incoming.now).await?;
                guards.push(guard);
                writes.extend(more);
            }
        }
        Ok(())
    }

    async fn commit(&self, guards: Vec<Guard>, writes: Vec<Write>) -> Result<CommitOutcome> {
        let txn = Txn {
            id: TxnId(self.ids.id()),
            guards,
            writes,
        };
        Ok(match self.commits {
            Some(commits) => commits.commit(txn).await?,
            None => self.store.commit_surely(&txn).await?,
        })
    }
}

/// A guard and the writes that suppress `person`, unless that is so already.
pub(super) async fn suppression(
    store: &dyn StateStore,
    event: &Event,
    person: &EmailKey,
    reason: &str,
    now: Timestamp,
) -> Result<(Option<Guard>, Vec<Write>)> {
    let key = records::suppressed_address(person);
    if store
        .get(std::slice::from_ref(&key))
        .await?
        .iter()
        .any(Option::is_some)
    {
        return Ok((None, Vec::new()));
    }
    let source = format!("{} webhook", event.source);
    let at = rfc3339(event.at.min(now));
    let writes = suppress::by_webhook(person, reason, &source, &at)?;
    Ok((Some(Guard::Absent(key)), writes))
}

fn stored(
    arrived: &Arrived<'_>,
    parsed: &std::result::Result<Event, Malformed>,
    trust: Trust,
    now: Timestamp,
) -> StoredEvent {
    let bytes = || key_of_bytes(arrived.source, arrived.body);
    let key = parsed
        .as_ref()
        .map_or_else(|_| bytes(), |event| event.key.clone());
    let (body, encoded) = StoredEvent::pack(arrived.body);
    let (state, reason) = match (parsed, trust) {
        (Err(malformed), _) => (EventState::Dead, malformed.to_string()),
        (Ok(_), Trust::Unsigned) => (
            EventState::Held,
            "nobody knows who sent it; `caio webhooks accept` or `dismiss`".to_owned(),
        ),
        (Ok(_), Trust::Proven) => (EventState::Pending, String::new()),
    };
    StoredEvent {
        id: StoredEvent::id_of(&key),
        source: arrived.source,
        hint: arrived.hint.map(str::to_owned),
        kind: parsed.as_ref().map_or(Kind::Unknown, |event| event.kind),
        name: parsed
            .as_ref()
            .map_or_else(|_| String::new(), |event| event.name.clone()),
        received_at: now,
        trust,
        proof: arrived.proof,
        state,
        reason,
        attempts: 0,
        settled_at: None,
        body,
        encoded,
    }
}

fn received(stored: &StoredEvent, known: bool) -> Received {
    Received {
        id: stored.id.clone(),
        kind: stored.kind,
        known,
        state: stored.state,
    }
}
