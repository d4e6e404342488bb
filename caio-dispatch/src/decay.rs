//! Silence as a signal: whom nobody heard of for too long, and records that begin where there are none.

use caio_core::draft::{Draft, DraftStatus};
use caio_core::signals::{self, Decay, Seen};
use caio_core::time::rfc3339;
use caio_core::{Clock, EmailKey, IdSource};
use caio_state::{CommitOutcome, Guard, Key, StateStore, StateStoreExt, Versioned};
use serde_json::{Map, Value, json};

use crate::error::Result;
use crate::leads::LeadRecord;
use crate::ledger::DeliveryState;
use crate::transition::commit;
use crate::{ledger, records};

/// Records read at a time.
const PAGE: usize = 500;

/// Somebody whose status silence has changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Quiet {
    /// Who.
    pub person: EmailKey,
    /// What silence has made of them.
    pub decay: Decay,
}

/// Looks after the statuses of leads.
#[derive(Debug, Clone, Copy)]
pub struct Silence<'a> {
    /// Where they are kept.
    pub store: &'a dyn StateStore,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Ids of transactions.
    pub ids: &'a dyn IdSource,
}

impl Silence<'_> {
    /// Records for everybody what silence has made of them, as [`signals::next_decay`] says; answers
    /// whose status changed. A record that somebody changes meanwhile is left to the next look.
    ///
    /// # Errors
    /// The store fails; what was recorded before stays.
    pub async fn detect(&self) -> Result<Vec<Quiet>> {
        let mut quiet = Vec::new();
        let mut after: Option<Key> = None;
        loop {
            let page = self
                .store
                .scan("caio:status:", after.as_ref(), PAGE)
                .await?;
            for (key, document) in &page.items {
                quiet.extend(self.look(key, document).await?);
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(quiet),
            }
        }
    }

    async fn look(&self, key: &Key, document: &Versioned) -> Result<Option<Quiet>> {
        let Ok(record) = serde_json::from_slice::<Map<String, Value>>(&document.value) else {
            return Ok(None);
        };
        let email = record.get("email").and_then(Value::as_str).unwrap_or("");
        let Ok(person) = EmailKey::parse(email) else {
            return Ok(None);
        };
        let now = self.clock.now();
        let Some(decay) = signals::next_decay(&record, now) else {
            return Ok(None);
        };
        let data = match decay {
            Decay::Ghosted { hours } => json!({ "hours_since_send": hours }),
            Decay::Stalled { days } => json!({ "days_since_open": days }),
            Decay::Engaged { opens } => json!({ "open_count": opens }),
        };
        let next = signals::apply(
            Some(&record),
            &Seen {
                email,
                status: decay.status(),
                source: decay.source(),
                at: &rfc3339(now),
                data: Some(&data),
            },
        );
        let guards = vec![Guard::Unchanged(key.clone(), document.version.clone())];
        let writes = records::put_status(key, &Value::Object(next));
        let outcome = commit(self.store, self.ids, guards, writes.into()).await?;
        let is_ours = outcome == CommitOutcome::Committed;
        Ok(is_ours.then_some(Quiet { person, decay }))
    }

    /// Begins a record of signals for every lead that has a draft and none: pending, approved, or
    /// dispatched since a provider took it. A reviewer's no is about a text and ends no contact, so
    /// it begins none. Answers how many were begun.
    ///
    /// # Errors
    /// The store fails; what was begun before stays.
    pub async fn bootstrap(&self) -> Result<u64> {
        let (mut begun, mut after) = (0, None::<Key>);
        loop {
            let page = self.store.scan("caio:lead:", after.as_ref(), PAGE).await?;
            for (_, document) in &page.items {
                let record = serde_json::from_slice::<LeadRecord>(&document.value);
                if let Ok(record) = record {
                    begun += u64::from(self.begin(&record).await?);
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(begun),
            }
        }
    }

    async fn begin(&self, record: &LeadRecord) -> Result<bool> {
        let person = &record.lead.key;
        let key = records::lead_status(person);
        let draft = record.draft.as_deref().map(records::draft);
        let Some(draft) = draft else {
            return Ok(false);
        };
        let found = self.store.get(&[key.clone(), draft.clone()]).await?;
        if found.first().is_some_and(Option::is_some) {
            return Ok(false);
        }
        let Some((draft, _)) = self.store.get_json::<Draft>(&draft).await? else {
            return Ok(false);
        };
        let (status, at) = match draft.status {
            DraftStatus::Pending => ("pending", draft.created_at.clone()),
            DraftStatus::Approved => ("approved", draft.created_at.clone()),
            DraftStatus::Rejected | DraftStatus::Claimed => return Ok(false),
            DraftStatus::Done => match self.taken(person, &draft.id).await? {
                Some(at) => ("dispatched", at),
                None => return Ok(false),
            },
        };
        let email = person.as_str();
        let seen = Seen {
            email,
            status,
            source: "bootstrap",
            at: &at,
            data: None,
        };
        let next = signals::apply(None, &seen);
        let writes = records::put_status(&key, &Value::Object(next));
        let guards = vec![Guard::Absent(key)];
        let outcome = commit(self.store, self.ids, guards, writes.into()).await?;
        Ok(outcome == CommitOutcome::Committed)
    }

    /// When a provider took this draft.
    async fn taken(&self, person: &EmailKey, draft: &str) -> Result<Option<String>> {
        let entries = ledger::of_person(self.store, person).await?;
        let mut entries = entries.into_iter();
        let taken =
            entries.find(|it| it.item.draft == draft && it.state == DeliveryState::Accepted);
        Ok(taken.and_then(|it| it.sent_at.or(it.settled_at)))
    }
}
