//! Everything under the prefix, in portions of bounded size.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use redis::Pipeline;

use super::{RedisStore, unavailable};
use crate::error::Result;
use crate::guard::later;
use crate::key::Key;
use crate::record::{PORTION, Record, Sink};
use crate::store::{Range, StateStore};

impl RedisStore {
    pub(super) async fn export_documents(&self, sink: &mut dyn Sink) -> Result<()> {
        let mut after = None;
        loop {
            let page = self.scan("", after.as_ref(), PORTION).await?;
            let names = page
                .items
                .iter()
                .map(|(key, _)| self.names.document(key.as_str()));
            let ends = self.ends(&names.collect::<Vec<_>>()).await?;
            let records = page.items.into_iter().zip(ends);
            let records = records.map(|((key, found), expires)| Record::Document {
                key,
                value: found.value,
                expires,
            });
            sink.take(records.collect()).await?;
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    pub(super) async fn export_counters(&self, sink: &mut dyn Sink) -> Result<()> {
        let mut seen = HashSet::new();
        let mut cursor = 0;
        loop {
            let names;
            (cursor, names) = self.own(cursor, "n:").await?;
            let keys: Vec<Key> = names
                .into_iter()
                .filter(|it| seen.insert(it.clone()))
                .collect();
            let stored: Vec<String> = keys
                .iter()
                .map(|key| self.names.counter(key.as_str()))
                .collect();
            let ends = self.ends(&stored).await?;
            let values = self.counters(&keys).await?;
            let records = keys.into_iter().zip(values).zip(ends);
            let records = records.map(|((key, value), expires)| Record::Counter {
                key,
                value,
                expires,
            });
            sink.take(records.collect()).await?;
            if cursor == 0 {
                return Ok(());
            }
        }
    }

    pub(super) async fn export_places(&self, sink: &mut dyn Sink) -> Result<()> {
        let mut seen = HashSet::new();
        let mut cursor = 0;
        loop {
            let names;
            (cursor, names) = self.own(cursor, "i:").await?;
            for index in names {
                if seen.insert(index.clone()) {
                    self.export_index(index.as_str(), sink).await?;
                }
            }
            if cursor == 0 {
                return Ok(());
            }
        }
    }

    async fn export_index(&self, index: &str, sink: &mut dyn Sink) -> Result<()> {
        let mut after = None;
        loop {
            let page = self
                .range(index, &Range::default(), after.as_ref(), PORTION)
                .await?;
            let places = page.items.into_iter().map(|entry| Record::Place {
                index: index.to_owned(),
                order: entry.order,
                key: entry.key,
            });
            sink.take(places.collect()).await?;
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// Some of our own names of one family, without what the family adds, and where to go on.
    async fn own(&self, cursor: u64, family: &str) -> Result<(u64, Vec<Key>)> {
        let family = format!("caio:_{family}");
        let mut command = redis::cmd("SCAN");
        command
            .arg(cursor)
            .arg("MATCH")
            .arg(self.names.pattern(&family))
            .arg("COUNT")
            .arg(1000);
        let (next, found): (u64, Vec<String>) = self.ask(&command).await?;
        let names = found.iter().filter_map(|name| self.names.key(name));
        let names = names.filter_map(|key| Some(Key::stored(key.as_str().strip_prefix(&family)?)));
        Ok((next, names.collect()))
    }

    /// When each of `names` ends, by the server's clock.
    async fn ends(&self, names: &[String]) -> Result<Vec<Option<Timestamp>>> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.now().await?;
        let mut pipeline = Pipeline::with_capacity(names.len());
        for name in names {
            pipeline.pttl(name);
        }
        let left: Vec<i64> = self
            .within(async |mut connection| pipeline.query_async(&mut connection).await)
            .await?
            .map_err(unavailable)?;
        let end = |left: i64| (left >= 0).then(|| later(now, SignedDuration::from_millis(left)));
        Ok(left.into_iter().map(end).collect())
    }
}
