//! What callers use on top of the trait: JSON records, whole indexes, a canonical dump.

use std::fmt::Write as _;

use async_trait::async_trait;
use serde::de::DeserializeOwned;

use crate::error::{Result, StoreError};
use crate::key::Key;
use crate::store::{Page, Range, RangeEntry, StateStore, Version, Versioned};
use crate::txn::{CommitOutcome, Txn};

/// Entries asked for at a time.
const PAGE: usize = 500;

/// Convenience over every [`StateStore`].
#[async_trait]
pub trait StateStoreExt: StateStore {
    /// A JSON record with its version. One that does not parse is [`StoreError::Corrupt`], never
    /// absent.
    async fn get_json<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<(T, Version)>> {
        let mut found = self.get(std::slice::from_ref(key)).await?;
        match found.pop().flatten() {
            Some(document) => Ok(Some((parse(key, &document)?, document.version))),
            None => Ok(None),
        }
    }

    /// The JSON records that exist among `keys`, in order.
    async fn get_all_json<T: DeserializeOwned + Send>(&self, keys: &[Key]) -> Result<Vec<T>> {
        let found = self.get(keys).await?;
        let pairs = keys.iter().zip(&found);
        pairs
            .filter_map(|(key, document)| document.as_ref().map(|document| parse(key, document)))
            .collect()
    }

    /// Every JSON record that an index points at, in order of the index.
    async fn index_json<T: DeserializeOwned + Send>(
        &self,
        index: &str,
        range: &Range,
    ) -> Result<Vec<T>> {
        let mut records = Vec::new();
        let mut after = None;
        loop {
            let page = self.range(index, range, after.as_ref(), PAGE).await?;
            let keys: Vec<Key> = page.items.into_iter().map(|entry| entry.key).collect();
            records.extend(self.get_all_json::<T>(&keys).await?);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(records),
            }
        }
    }

    /// A page of the JSON records that an index points at, highest place first.
    async fn newest_json<T: DeserializeOwned + Send>(
        &self,
        index: &str,
        after: Option<&RangeEntry>,
        limit: usize,
    ) -> Result<Page<T, RangeEntry>> {
        let range = Range {
            descending: true,
            ..Range::default()
        };
        let page = self.range(index, &range, after, limit).await?;
        let keys: Vec<Key> = page.items.into_iter().map(|entry| entry.key).collect();
        Ok(Page {
            items: self.get_all_json(&keys).await?,
            next: page.next,
        })
    }

    /// Commits, and sends the same transaction again when its answer was lost: up to three times in
    /// all, and applied at most once.
    async fn commit_surely(&self, txn: &Txn) -> Result<CommitOutcome> {
        for _ in 0..2 {
            match self.commit(txn).await {
                Err(StoreError::Ambiguous { .. }) => {}
                answer => return answer,
            }
        }
        self.commit(txn).await
    }

    /// The same for several transactions that are sent together: one outcome each.
    async fn commit_many_surely(&self, txns: &[Txn]) -> Result<Vec<CommitOutcome>> {
        for _ in 0..2 {
            match self.commit_many(txns).await {
                Err(StoreError::Ambiguous { .. }) => {}
                answer => return answer,
            }
        }
        self.commit_many(txns).await
    }

    /// Every document, one a line, by name: equal dumps mean equal documents. Leases are documents;
    /// counters and places in an index are not listed.
    async fn dump(&self) -> Result<String> {
        let mut dump = String::new();
        let mut after: Option<Key> = None;
        loop {
            let page = self.scan("", after.as_ref(), PAGE).await?;
            for (key, document) in &page.items {
                let _ = match std::str::from_utf8(&document.value) {
                    Ok(text) => writeln!(dump, "{key} {} {text:?}", document.version.0),
                    Err(_) => {
                        let bytes = document.value.escape_ascii();
                        writeln!(dump, "{key} {} b\"{bytes}\"", document.version.0)
                    }
                };
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(dump),
            }
        }
    }
}

impl<S: StateStore + ?Sized> StateStoreExt for S {}

fn parse<T: DeserializeOwned>(key: &Key, document: &Versioned) -> Result<T> {
    serde_json::from_slice(&document.value).map_err(|error| StoreError::Corrupt {
        backend: "record",
        key: key.to_string(),
        reason: error.to_string(),
    })
}
