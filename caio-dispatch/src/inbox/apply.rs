//! Applying stored events: each once, in any order, in one commit that is guarded by the event's own
//! record and by everything that was looked at.

use caio_core::escalation::Subject;
use caio_core::time::rfc3339;
use caio_core::webhook::{Effects, Event, Kind, Later, effects, interest};
use caio_core::{Clock, EmailKey, IdSource, signals};
use caio_state::{
    CommitOutcome, Guard, Key, Range, RangeEntry, StateStore, StateStoreExt, StoreError, Write,
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::hold;
use super::people::people;
use super::receive::suppression;
use super::record::{EventState, StoredEvent};
use crate::cadence::Cadences;
use crate::error::{DispatchError, Result};
use crate::ledger::LedgerEntry;
use crate::notify::Alerts;
use crate::transition::{commit, commit_each, unchanged};
use crate::{history, records};

/// How often an event is looked at again when somebody else changed a record meanwhile.
const ATTEMPTS: usize = 8;

/// Failures after which an event is left to a person.
const TRIES: u32 = 5;

/// Events looked at in one round trip.
const PAGE: usize = 100;

/// Applies stored events.
#[derive(Debug, Clone, Copy)]
pub struct Apply<'a> {
    /// Where they are kept.
    pub store: &'a dyn StateStore,
    /// When they are applied.
    pub clock: &'a dyn Clock,
    /// Ids of transactions.
    pub ids: &'a dyn IdSource,
    /// The follow-ups that an event may end or hold; without them they hear of it when they are next
    /// synchronised.
    pub follow_ups: Option<&'a Cadences<'a>>,
    /// Tells somebody of a person who answers.
    pub alerts: Option<Alerts<'a>>,
}

/// What a look at the pending events has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Drained {
    /// Have had their effect.
    pub applied: u64,
    /// Are left to a person.
    pub dead: u64,
    /// Are tried again later.
    pub waiting: u64,
}

/// What an event comes to.
struct Outcome {
    state: EventState,
    reason: String,
    guards: Vec<Guard>,
    writes: Vec<Write>,
    people: Vec<EmailKey>,
    /// What is worth telling.
    told: Vec<Subject>,
}

/// What a look at an event has shown.
enum Look {
    /// There is nothing to do.
    Stands(EventState),
    Ready(Change),
}

/// The commit that applies an event.
struct Change {
    /// Where it stands then.
    state: EventState,
    people: Vec<EmailKey>,
    told: Vec<Subject>,
    guards: Vec<Guard>,
    writes: Vec<Write>,
}

impl Outcome {
    fn of(state: EventState, reason: impl Into<String>) -> Self {
        Self {
            state,
            reason: reason.into(),
            guards: Vec::new(),
            writes: Vec::new(),
            people: Vec::new(),
            told: Vec::new(),
        }
    }
}

/// Whether others can be applied all the same: a record cannot be read, the store can.
const fn is_of_one(error: &DispatchError) -> bool {
    matches!(error, DispatchError::Store(StoreError::Corrupt { .. }))
}

impl Apply<'_> {
    /// Applies every pending event, the oldest first. One that fails costs no other.
    ///
    /// # Errors
    /// When the store cannot be read at all.
    pub async fn drain(&self) -> Result<Drained> {
        let mut drained = Drained::default();
        let mut after = None;
        loop {
            after = self.page(after.as_ref(), &mut drained).await?;
            if after.is_none() {
                return Ok(drained);
            }
        }
    }

    /// Applies some of the pending events behind `after`, the oldest first, in one round trip; answers
    /// where the next ones begin, if there are any.
    ///
    /// # Errors
    /// When the store cannot be read at all.
    pub async fn page(
        &self,
        after: Option<&RangeEntry>,
        drained: &mut Drained,
    ) -> Result<Option<RangeEntry>> {
        let index = records::webhook_index(EventState::Pending);
        let all = Range::default();
        let page = self.store.range(&index, &all, after, PAGE).await?;
        let keys: Vec<Key> = page.items.into_iter().map(|entry| entry.key).collect();
        for state in self.several(&keys).await? {
            match state {
                EventState::Pending => drained.waiting += 1,
                EventState::Dead => drained.dead += 1,
                _ => drained.applied += 1,
            }
        }
        Ok(page.next)
    }

    /// Applies these events with one commit each, sent together. Where an earlier one of them has
    /// changed what a later one rests on, the later one is looked at again.
    async fn several(&self, keys: &[Key]) -> Result<Vec<EventState>> {
        let (mut states, mut told) = (Vec::new(), Vec::new());
        let (mut ready, mut commits) = (Vec::new(), Vec::new());
        for key in keys {
            match self.look(key).await {
                Ok(Look::Stands(state)) => states.push(state),
                Ok(Look::Ready(change)) => {
                    ready.push((key, change.state, change.people));
                    commits.push((change.guards, change.writes));
                    told.extend(change.told);
                }
                // It stays where it is, for a person; `caio doctor` names it.
                Err(error) if is_of_one(&error) => states.push(EventState::Pending),
                Err(error) => return Err(error),
            }
        }
        if ready.is_empty() {
            return Ok(states);
        }
        self.raise(told).await;
        // A fault of one must not cost the others: then they are committed one by one.
        let sent = commit_each(self.store, self.ids, commits).await;
        let outcomes = sent.unwrap_or_default();
        let mut outcomes = outcomes.into_iter();
        let mut failed = None;
        for (key, state, people) in ready {
            let done = match outcomes.next() {
                Some(CommitOutcome::Committed) => self.follow(&people).await.map(|()| state),
                _ => self.again(key, &people).await,
            };
            match done {
                Ok(state) => states.push(state),
                Err(error) if is_of_one(&error) => states.push(EventState::Pending),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(states), Err)
    }

    /// Applies the event by itself. It may have had its effect with others whose answer was lost:
    /// then what follows from it is still to come.
    async fn again(&self, key: &Key, people: &[EmailKey]) -> Result<EventState> {
        let state = self.one(key).await?;
        if state == EventState::Applied {
            self.follow(people).await?;
        }
        Ok(state)
    }

    /// Applies the event of that key if its effect is still to come; says where it stands then.
    ///
    /// # Errors
    /// When the store fails: the event stays where it is.
    pub async fn one(&self, key: &Key) -> Result<EventState> {
        for _ in 0..ATTEMPTS {
            let change = match self.look(key).await? {
                Look::Stands(state) => return Ok(state),
                Look::Ready(change) => change,
            };
            let Change {
                told,
                guards,
                writes,
                ..
            } = change;
            self.raise(told).await;
            if commit(self.store, self.ids, guards, writes).await? == CommitOutcome::Committed {
                self.follow(&change.people).await?;
                return Ok(change.state);
            }
        }
        Ok(EventState::Pending)
    }

    /// What applying the event of that key would change, as things stand.
    async fn look(&self, key: &Key) -> Result<Look> {
        let Some((stored, version)) = self.store.get_json::<StoredEvent>(key).await? else {
            return Ok(Look::Stands(EventState::Applied));
        };
        if stored.state != EventState::Pending {
            return Ok(Look::Stands(stored.state));
        }
        let outcome = match self.outcome(&stored).await {
            Ok(outcome) => outcome,
            // A record that cannot be read does not mend itself, and must not stop the others.
            Err(error) if is_of_one(&error) => failed(&stored, &error),
            Err(error) => return Err(error),
        };
        let mut next = stored.moved(outcome.state, &outcome.reason, &rfc3339(self.clock.now()));
        next.attempts += u32::from(outcome.state == EventState::Pending);
        let mut guards = vec![Guard::Unchanged(key.clone(), version)];
        guards.extend(outcome.guards);
        let mut writes = outcome.writes;
        writes.extend(next.writes(Some(stored.state))?);
        Ok(Look::Ready(Change {
            state: next.state,
            people: outcome.people,
            told: outcome.told,
            guards,
            writes,
        }))
    }

    /// Before the effect, so that a crash between the two loses neither: the same again is folded.
    /// Whatever comes of it, the effect does not wait for it to be delivered.
    async fn raise(&self, told: Vec<Subject>) {
        if let Some(alerts) = self.alerts.as_ref().filter(|_| !told.is_empty()) {
            alerts.raise_all(told).await;
        }
    }

    /// Ends, holds and moves on the follow-ups of people of whom something was heard. A claim asks
    /// what was heard itself, so a crash before this lets nothing go out.
    async fn follow(&self, people: &[EmailKey]) -> Result<()> {
        let Some(follow_ups) = self.follow_ups else {
            return Ok(());
        };
        for person in people {
            follow_ups.sync_person(person).await?;
        }
        Ok(())
    }

    /// What `stored` comes to, as things stand.
    async fn outcome(&self, stored: &StoredEvent) -> Result<Outcome> {
        let event = match stored.event() {
            Ok(event) => event,
            Err(malformed) => return Ok(Outcome::of(EventState::Dead, malformed.to_string())),
        };
        let effects = effects(&event, stored.trust);
        if effects.unknown {
            let reason = format!("nobody here knows what `{}` means", event.name);
            return Ok(Outcome::of(EventState::Dead, reason));
        }
        if event.kind == Kind::Enriched {
            let reason = "nothing here has asked for this row";
            return Ok(Outcome::of(EventState::Dead, reason));
        }
        let people = people(self.store, &event).await?;
        if people.is_empty() && effects != Effects::default() {
            return Ok(Outcome::of(EventState::Dead, nobody(&event)));
        }
        let mut outcome = Outcome::of(EventState::Applied, "");
        if people.is_empty() {
            self.tell(stored, &event, None, 0, &mut outcome).await?;
        }
        for (number, person) in people.iter().enumerate() {
            self.effect(stored, &event, &effects, person, &mut outcome)
                .await?;
            self.tell(stored, &event, Some(person), number, &mut outcome)
                .await?;
        }
        if let Some(hot) = interest(&event, stored.trust) {
            let told = people.iter().map(|person| Subject::Interest {
                person: records::person(person),
                hot,
            });
            outcome.told = told.collect();
        }
        if effects.signal.is_some() {
            outcome.people = people;
        }
        Ok(outcome)
    }

    /// The effect on one person.
    async fn effect(
        &self,
        stored: &StoredEvent,
        event: &Event,
        effects: &Effects,
        person: &EmailKey,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let store = self.store;
        if let Some((source, status)) = &effects.signal {
            let key = records::lead_status(person);
            let found = store.get_json::<Map<String, Value>>(&key).await?;
            let version = found.as_ref().map(|(_, version)| version);
            outcome.guards.push(unchanged(&key, version));
            let at = python_time(event.at);
            let data = data_of(event);
            let seen = signals::Seen {
                email: person.as_str(),
                status,
                source,
                at: &at,
                data: Some(&data),
            };
            let known = found.as_ref().map(|(record, _)| record);
            let record = signals::apply(known, &seen);
            if known != Some(&record) {
                let writes = records::put_status(&key, &Value::Object(record));
                outcome.writes.extend(writes);
            }
        }
        if let Some(reason) = effects.suppress {
            let (guard, writes) =
                suppression(store, event, person, reason, self.clock.now()).await?;
            outcome.guards.extend(guard);
            outcome.writes.extend(writes);
        }
        if let Some(later) = effects.later {
            self.learn(event, later, person, outcome).await?;
        }
        let (guard, writes) = hold::release(store, person, &stored.id).await?;
        if !writes.is_empty() {
            outcome.guards.push(guard);
            outcome.writes.extend(writes);
        }
        Ok(())
    }

    /// What goes into the history, once for each event and person: what somebody may ask about later.
    /// Opens and the like stand in the lead's record alone.
    async fn tell(
        &self,
        stored: &StoredEvent,
        event: &Event,
        person: Option<&EmailKey>,
        number: usize,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let quiet = matches!(
            event.kind,
            Kind::Clicked | Kind::ConnectionSent | Kind::Noted | Kind::Opened | Kind::Sent
        );
        let id = match number {
            0 => stored.id.clone(),
            number => format!("{}.{number}", stored.id),
        };
        let key = records::event(&id);
        let told = self.store.get(std::slice::from_ref(&key)).await?;
        if quiet || told.iter().any(Option::is_some) {
            return Ok(());
        }
        let (by, kind) = (event.source.as_str(), format!("webhook.{}", event.kind));
        let mut happened = history::Event::new(&id, stored.received_at, by, &kind, &stored.id);
        if let Some(person) = person {
            happened = happened.about(person);
        }
        outcome.guards.push(Guard::Absent(key));
        outcome.writes.extend(happened.writes()?);
        Ok(())
    }

    /// What the ledger learns: the deliveries that the event is about.
    async fn learn(
        &self,
        event: &Event,
        later: Later,
        person: &EmailKey,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let index = records::ledger_of_person(person);
        let entries: Vec<LedgerEntry> = self.store.index_json(&index, &Range::default()).await?;
        for id in concerned(event, &entries) {
            let key = records::ledger(&id);
            let Some((entry, version)) = self.store.get_json::<LedgerEntry>(&key).await? else {
                continue;
            };
            let learned = entry.learned(later, event.at);
            if learned != entry {
                outcome.guards.push(Guard::Unchanged(key, version));
                outcome.writes.extend(learned.rewrites()?);
            }
        }
        Ok(())
    }
}

/// Ids of the deliveries that an event is about: the one that it hands back, or those in a campaign
/// or list that it names, or, where it names none, the last one before it.
fn concerned(event: &Event, entries: &[LedgerEntry]) -> Vec<String> {
    let ours = |entry: &&LedgerEntry| Some(entry.item.provider) == event.source.provider();
    let ids = |entries: Vec<&LedgerEntry>| entries.iter().map(|it| it.id.clone()).collect();
    if let Some(delivery) = event.delivery.as_deref().filter(|it| it.len() >= 8) {
        let named = entries.iter().filter(ours);
        return ids(named
            .filter(|entry| entry.id.starts_with(delivery))
            .collect());
    }
    if !event.containers.is_empty() {
        let named = entries.iter().filter(ours);
        let named = named.filter(|entry| event.containers.contains(&entry.container.name));
        return ids(named.collect());
    }
    let before = rfc3339(event.at);
    let earlier = entries
        .iter()
        .filter(ours)
        .filter(|entry| entry.intended_at <= before);
    ids(earlier
        .max_by(|a, b| a.intended_at.cmp(&b.intended_at))
        .into_iter()
        .collect())
}

/// Whom nobody here knows, in words that show no person.
fn nobody(event: &Event) -> &'static str {
    if event.profile.is_some() {
        "no lead here has the profile that it names"
    } else {
        "it names nobody: there is no usable address in it"
    }
}

/// One failure more; the last one leaves the event to a person.
fn failed(stored: &StoredEvent, error: &DispatchError) -> Outcome {
    let state = if stored.attempts + 1 < TRIES {
        EventState::Pending
    } else {
        EventState::Dead
    };
    Outcome::of(state, error.to_string())
}

/// What a signal keeps, under the Python system's names.
fn data_of(event: &Event) -> Value {
    let mut data = Map::new();
    let mut put = |name: &str, value: &str| {
        if !value.is_empty() {
            data.insert(name.to_owned(), json!(value));
        }
    };
    put("campaign_id", event.campaign.as_deref().unwrap_or(""));
    match (event.kind, event.source.medium()) {
        (Kind::Bounced, _) => put("bounce_type", &event.text),
        (Kind::Replied | Kind::AutoReplied, caio_core::Medium::LinkedIn) => {
            put("message_preview", &event.text);
        }
        (Kind::Replied | Kind::AutoReplied, _) => put("reply_preview", &event.text),
        _ => {}
    }
    Value::Object(data)
}

/// An instant as the Python system's records write it.
fn python_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string()
}
