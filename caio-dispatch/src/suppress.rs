//! The suppression set in the store: who must not be written to.

use caio_core::suppression::{Scope, Suppression};
use caio_core::time::rfc3339;
use caio_core::{Clock, EmailKey, IdSource};
use caio_state::{
    CommitOutcome, Guard, Key, Page, Range, RangeEntry, StateStore, StateStoreExt, Write,
};

use crate::error::{DispatchError, Result};
use crate::history::Event;
use crate::records;
use crate::transition::{commit, transition};

/// Adds to the suppression set, for one person who decides.
#[derive(Debug, Clone, Copy)]
pub struct Suppress<'a> {
    /// Where the set is kept.
    pub store: &'a dyn StateStore,
    /// Time of the entry.
    pub clock: &'a dyn Clock,
    /// Ids of events and transactions.
    pub ids: &'a dyn IdSource,
    /// Who enters it.
    pub by: &'a str,
}

impl Suppress<'_> {
    /// Adds an entry; `false` when the set covers exactly this already. `at` is the time that the
    /// list gives, else now.
    pub async fn add(
        &self,
        scope: &Scope,
        reason: &str,
        source: &str,
        at: Option<&str>,
    ) -> Result<bool> {
        let now = self.clock.now();
        let entry = Suppression {
            scope: scope.clone(),
            reason: reason.to_owned(),
            source: source.to_owned(),
            at: at.map_or_else(|| rfc3339(now), str::to_owned),
            by: self.by.to_owned(),
        };
        let key = key(scope);
        let mut writes = vec![
            Write::Put {
                key: key.clone(),
                value: serde_json::to_vec(&entry)?,
                expires_in: None,
            },
            place(&entry),
        ];
        let event = Event::new(
            &self.ids.id(),
            now,
            self.by,
            "suppression.added",
            scope.value(),
        );
        let event = match scope {
            Scope::Address(person) => event.about(person),
            Scope::Domain(_) => event,
        };
        writes.extend(event.because(format!("{reason} ({source})")).writes()?);
        let outcome = commit(self.store, self.ids, vec![Guard::Absent(key)], writes).await?;
        Ok(outcome == CommitOutcome::Committed)
    }

    /// Takes exactly this entry back, which a person alone may do and has to say why; answers it. What
    /// else ends contact stays: another entry that covers the person, and a lead's status.
    ///
    /// # Errors
    /// [`DispatchError::Refused`] (`suppression.reason`) without a reason,
    /// [`DispatchError::NotFound`] when there is no such entry.
    pub async fn remove(&self, scope: &Scope, reason: &str) -> Result<Suppression> {
        let reason = reason.trim();
        if reason.is_empty() {
            return Err(DispatchError::Refused {
                code: "suppression.reason",
                reason: "an entry is taken back for a reason, such as what the person has said"
                    .to_owned(),
            });
        }
        let key = key(scope);
        let decide = |entry: Suppression| {
            let (id, now) = (self.ids.id(), self.clock.now());
            let event = Event::new(&id, now, self.by, "suppression.removed", scope.value());
            let event = match scope {
                Scope::Address(person) => event.about(person),
                Scope::Domain(_) => event,
            };
            let Suppression {
                reason: was,
                by,
                at,
                ..
            } = &entry;
            let why = format!("{reason} (it was: {was}, by {by}, since {at})");
            let mut writes = vec![
                Write::Delete(key.clone()),
                Write::Unindex {
                    index: records::SUPPRESSION_INDEX.to_owned(),
                    key: key.clone(),
                },
            ];
            writes.extend(event.because(why).writes()?);
            Ok((entry, writes))
        };
        transition(
            self.store,
            self.ids,
            "suppression of",
            scope.value(),
            &key,
            decide,
        )
        .await
    }

    /// Whether the set covers exactly this already.
    pub async fn covers(&self, scope: &Scope) -> Result<bool> {
        let found = self.store.get(&[key(scope)]).await?;
        Ok(found.iter().any(Option::is_some))
    }
}

/// Writes that suppress the address of `person` because a webhook says so. A whole domain is
/// suppressed by a person alone.
pub(crate) fn by_webhook(
    person: &EmailKey,
    reason: &str,
    source: &str,
    at: &str,
) -> Result<Vec<Write>> {
    let entry = Suppression {
        scope: Scope::Address(person.clone()),
        reason: reason.to_owned(),
        source: source.to_owned(),
        at: at.to_owned(),
        by: source.to_owned(),
    };
    let put = Write::Put {
        key: key(&entry.scope),
        value: serde_json::to_vec(&entry)?,
        expires_in: None,
    };
    Ok(vec![put, place(&entry)])
}

/// Every entry, newest first.
pub async fn list(store: &dyn StateStore) -> Result<Vec<Suppression>> {
    let range = Range {
        descending: true,
        ..Range::default()
    };
    Ok(store.index_json(records::SUPPRESSION_INDEX, &range).await?)
}

/// A page of the entries, newest first.
pub async fn page(
    store: &dyn StateStore,
    after: Option<&RangeEntry>,
    limit: usize,
) -> Result<Page<Suppression, RangeEntry>> {
    Ok(store
        .newest_json(records::SUPPRESSION_INDEX, after, limit)
        .await?)
}

/// The entries that cover a person: the address, its domain and each domain above.
pub async fn covering(store: &dyn StateStore, person: &EmailKey) -> Result<Vec<Suppression>> {
    let keys = records::suppressions_of(person);
    Ok(store.get_all_json(&keys).await?)
}

/// Where an entry stands in the index.
pub(crate) fn place(entry: &Suppression) -> Write {
    Write::Index {
        index: records::SUPPRESSION_INDEX.to_owned(),
        order: format!("{}|{}", entry.at, entry.scope.value()),
        key: key(&entry.scope),
    }
}

pub(crate) fn key(scope: &Scope) -> Key {
    match scope {
        Scope::Address(person) => records::suppressed_address(person),
        Scope::Domain(domain) => records::suppressed_domain(domain),
    }
}
