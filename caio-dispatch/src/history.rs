//! Who decided what, and when: one event beside each change, in the same transaction.

use caio_core::EmailKey;
use caio_core::time::rfc3339;
use caio_state::{Page, Range, RangeEntry, StateStore, StateStoreExt, Write};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::records;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Event {
    /// Ordered by time.
    pub id: String,
    /// When, RFC 3339 UTC.
    pub at: String,
    /// Who decided; `caio` for the program itself.
    pub by: String,
    /// What, such as `draft.approved`.
    pub kind: String,
    /// The draft, batch or rule it is about.
    pub subject: String,
    /// The person it is about, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<EmailKey>,
    /// Why, or with which result.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

impl Event {
    /// An event; `id` comes from the [`IdSource`](caio_core::IdSource).
    pub fn new(id: &str, at: Timestamp, by: &str, kind: &str, subject: &str) -> Self {
        Self {
            id: id.to_owned(),
            at: rfc3339(at),
            by: by.to_owned(),
            kind: kind.to_owned(),
            subject: subject.to_owned(),
            person: None,
            detail: String::new(),
        }
    }

    /// The same, about a person.
    #[must_use]
    pub fn about(mut self, person: &EmailKey) -> Self {
        self.person = Some(person.clone());
        self
    }

    /// The same, with a reason or result.
    #[must_use]
    pub fn because(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Its place in the history: compared as bytes, by time.
    pub fn place(&self) -> String {
        format!("{}|{}", self.at, self.id)
    }

    /// The writes that record it, to be committed with the change itself.
    pub fn writes(&self) -> Result<Vec<Write>> {
        let key = records::event(&self.id);
        let order = self.place();
        let mut writes = vec![
            Write::Put {
                key: key.clone(),
                value: serde_json::to_vec(self)?,
                expires_in: None,
            },
            Write::Index {
                index: records::HISTORY_INDEX.to_owned(),
                order: order.clone(),
                key: key.clone(),
            },
            Write::Index {
                index: records::UNSEALED_INDEX.to_owned(),
                order: order.clone(),
                key: key.clone(),
            },
        ];
        if let Some(person) = &self.person {
            writes.push(Write::Index {
                index: records::events_of_person(person),
                order,
                key,
            });
        }
        Ok(writes)
    }
}

/// The newest events, newest first; about one person when `person` is given.
pub async fn newest(
    store: &dyn StateStore,
    person: Option<&EmailKey>,
    limit: usize,
) -> Result<Vec<Event>> {
    Ok(page(store, person, None, limit).await?.items)
}

/// A page of the events, newest first; about one person when `person` is given.
pub async fn page(
    store: &dyn StateStore,
    person: Option<&EmailKey>,
    after: Option<&RangeEntry>,
    limit: usize,
) -> Result<Page<Event, RangeEntry>> {
    let index = person.map_or_else(
        || records::HISTORY_INDEX.to_owned(),
        records::events_of_person,
    );
    Ok(store.newest_json(&index, after, limit).await?)
}

/// The events behind a place, the oldest first, up to `limit`.
pub async fn since(store: &dyn StateStore, place: &str, limit: usize) -> Result<Vec<Event>> {
    let range = Range {
        from: Some(format!("{place}\0")),
        ..Range::default()
    };
    let page = store
        .range(records::HISTORY_INDEX, &range, None, limit)
        .await?;
    let keys: Vec<_> = page.items.into_iter().map(|entry| entry.key).collect();
    Ok(store.get_all_json(&keys).await?)
}

/// One event.
pub async fn one(store: &dyn StateStore, id: &str) -> Result<Option<Event>> {
    let found = store.get_json(&records::event(id)).await?;
    Ok(found.map(|(event, _)| event))
}
