//! State in Redis, Valkey or Upstash: shared by several instances and with the Python system.
//!
//! A document is a plain string under `{prefix}:{key}`, as the Python system reads and writes it; its
//! version is the SHA-1 of its bytes, so that a plain writer's change is seen. A commit is one Lua
//! script and carries its id; when its answer is lost it is sent again and applied once.

mod export;
mod fault;
mod link;
mod names;
mod options;
mod script;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use jiff::Timestamp;
use redis::aio::ConnectionManager;
use redis::{Cmd, ErrorKind, Pipeline, RedisError, Script, ServerErrorKind};
use sha1::{Digest, Sha1};
use tokio::sync::OnceCell;

use crate::Access;
use crate::error::{Result, StoreError};
use crate::guard::TXN_HOURS;
use crate::key::Key;
use crate::memory::{check_limit, more};
use crate::record::Sink;
use crate::store::{Capabilities, Page, Range, RangeEntry, StateStore, Version, Versioned};
use crate::txn::{CommitOutcome, Txn, Write};

use fault::{Sent, ambiguous, unavailable};
use link::Link;
use names::{FOREIGN, Names};
pub use options::RedisOptions;
use script::Frame;

const BACKEND: &str = "redis";

/// Transactions sent in one round trip.
const TOGETHER: usize = 256;

/// Transactions in one call of the script, and their guards and writes: nobody else is served meanwhile.
const IN_ONE_CALL: usize = 64;
const OPERATIONS: usize = 4_000;

/// Values from which on one command for all is cheaper than one for each.
const MANY: usize = 4;

/// State in Redis.
pub struct RedisStore {
    access: Access,
    link: Link,
    names: Names,
    options: RedisOptions,
    script: Script,
    /// Highest sequence that was acknowledged to this process.
    seen: AtomicU64,
    /// An older copy of the data came back: this process writes nothing any more.
    lost: AtomicBool,
    /// The environment was proven.
    checked: OnceCell<()>,
}

impl RedisStore {
    /// A store; the connection is made when it is first needed.
    ///
    /// # Errors
    /// When the address is none.
    pub fn open(options: RedisOptions, access: Access) -> Result<Self> {
        // Fails only when a provider was installed before, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let invalid = |error: RedisError| StoreError::Invalid(format!("redis: {error}"));
        let client = redis::Client::open(options.url()).map_err(invalid)?;
        let link = Link::new(client, options.timeout).map_err(invalid)?;
        Ok(Self {
            access,
            link,
            names: Names::new(options.prefix.clone()),
            options,
            script: script::script(),
            seen: AtomicU64::new(0),
            lost: AtomicBool::new(false),
            checked: OnceCell::new(),
        })
    }

    /// Refuses data of another environment, once; claims data that belongs to none, when writing.
    async fn check_environment(&self) -> Result<()> {
        let Some(expected) = &self.options.environment else {
            return Ok(());
        };
        let check = async || {
            let name = self.names.environment();
            if self.access == Access::ReadWrite {
                let mut claim = redis::cmd("SET");
                claim.arg(&name).arg(expected).arg("NX");
                self.ask_unchecked::<()>(&claim).await?;
            }
            let found: Option<String> = self.ask_unchecked(redis::cmd("GET").arg(&name)).await?;
            match found {
                Some(found) if found != *expected => Err(StoreError::WrongEnvironment {
                    backend: BACKEND,
                    expected: expected.clone(),
                    found,
                }),
                _ => Ok(()),
            }
        };
        self.checked.get_or_try_init(check).await.copied()
    }

    async fn ask<T: redis::FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        self.check_environment().await?;
        self.ask_unchecked(command).await
    }

    async fn ask_unchecked<T: redis::FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        self.within(async |mut connection| command.query_async(&mut connection).await)
            .await?
            .map_err(unavailable)
    }

    /// Acts on the connection, and ends what takes longer than a caller may wait; the connection is
    /// given up then, since a half-open one never answers again.
    async fn within<T>(&self, act: impl AsyncFnOnce(ConnectionManager) -> T) -> Result<T> {
        let limit = self.options.timeout;
        let (number, connection) = self.link.get();
        let answer = tokio::time::timeout(limit, act(connection)).await;
        answer.map_err(|_| {
            self.link.give_up(number);
            StoreError::Unavailable {
                backend: BACKEND,
                reason: format!("no answer within {} ms", limit.as_millis()),
                source: None,
            }
        })
    }

    /// Values by their names in Redis; a value of another kind is an error, not *absent*.
    async fn values(&self, names: &[String]) -> Result<Vec<Option<Vec<u8>>>> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        self.check_environment().await?;
        if names.len() >= MANY {
            let mut pipeline = Pipeline::with_capacity(2);
            pipeline.atomic().mget(names).exists(names);
            let (values, there): (Vec<Option<Vec<u8>>>, usize) = self
                .within(async |mut connection| pipeline.query_async(&mut connection).await)
                .await?
                .map_err(unavailable)?;
            if values.iter().flatten().count() == there {
                return Ok(values);
            }
            // One of another kind, which looks absent here; asked for by itself it says so.
        }
        let mut pipeline = Pipeline::with_capacity(names.len());
        for name in names {
            pipeline.get(name);
        }
        self.within(async |mut connection| pipeline.query_async(&mut connection).await)
            .await?
            .map_err(|error: RedisError| match error.kind() {
                ErrorKind::Server(_) | ErrorKind::Extension => StoreError::Corrupt {
                    backend: BACKEND,
                    key: names.join(", "),
                    reason: error.to_string(),
                },
                _ => unavailable(error),
            })
    }

    /// Our names from `prefix` on and behind `after`, in order, and whether there may be more.
    async fn own_names(
        &self,
        prefix: &str,
        after: Option<&str>,
        count: usize,
    ) -> Result<(Vec<String>, bool)> {
        let from = match after.filter(|after| *after >= prefix) {
            Some(after) => format!("({after}"),
            None => format!("[{prefix}"),
        };
        let mut command = redis::cmd("ZRANGE");
        command
            .arg(self.names.documents())
            .arg(if from == "[" { "-" } else { &from })
            .arg("+")
            .arg("BYLEX")
            .arg("LIMIT")
            .arg(0)
            .arg(count);
        let mut found: Vec<String> = self.ask(&command).await?;
        let full = found.len() == count;
        let inside = found
            .iter()
            .take_while(|name| name.starts_with(prefix))
            .count();
        let more = full && inside == found.len();
        found.truncate(inside);
        Ok((found, more))
    }

    /// Names in the families that the Python system writes as well, past our list of names.
    async fn foreign_names(&self, prefix: &str, after: Option<&str>) -> Result<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        for family in FOREIGN {
            if !family.starts_with(prefix) && !prefix.starts_with(family) {
                continue;
            }
            let mut cursor = 0_u64;
            loop {
                let mut command = redis::cmd("SCAN");
                command
                    .arg(cursor)
                    .arg("MATCH")
                    .arg(self.names.pattern(family))
                    .arg("COUNT")
                    .arg(1000);
                let (next, found): (u64, Vec<String>) = self.ask(&command).await?;
                let keys = found.iter().filter_map(|name| self.names.key(name));
                names.extend(
                    keys.map(|key| key.as_str().to_owned())
                        .filter(|name| name.starts_with(prefix))
                        .filter(|name| after.is_none_or(|after| name.as_str() > after)),
                );
                cursor = next;
                if cursor == 0 {
                    break;
                }
            }
        }
        Ok(names)
    }

    /// Sends transactions in one round trip, so many in one call of the script at most; the script is
    /// loaded where it is missing.
    async fn send(
        &self,
        connection: &mut ConnectionManager,
        txns: &[Txn],
        most: usize,
    ) -> Result<Vec<String>, Sent> {
        let seen = self.seen.load(Ordering::SeqCst);
        let calls = groups(txns, most);
        let mut pipeline = Pipeline::with_capacity(calls.len() + 1);
        let frame = Frame {
            outcome_ms: TXN_HOURS.unsigned_abs() * 3_600_000,
            seen,
        };
        for txns in &calls {
            pipeline.add_command(script::command(&self.script, &self.names, txns, frame));
        }
        if self.options.replicas > 0 {
            // Short enough that loading the script and asking again fits.
            let wait = self.options.timeout.as_millis() / 3;
            pipeline
                .cmd("WAIT")
                .arg(self.options.replicas)
                .arg(u64::try_from(wait).unwrap_or(u64::MAX));
        }
        let mut answer: Result<Vec<redis::Value>, RedisError> =
            pipeline.query_async(connection).await;
        if let Err(error) = &answer
            && error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
        {
            let mut load = redis::cmd("SCRIPT");
            load.arg("LOAD").arg(script::source());
            load.query_async::<()>(connection)
                .await
                .map_err(Sent::Not)?;
            answer = pipeline.query_async(connection).await;
        }
        let mut values = answer.map_err(|error| Sent::of(error, calls.len()))?;
        if self.options.replicas > 0 {
            let acknowledged: u32 = values
                .pop()
                .and_then(|value| redis::from_redis_value(value).ok())
                .unwrap_or(0);
            if acknowledged < self.options.replicas {
                return Err(Sent::Unreplicated(format!(
                    "{acknowledged} of {} replicas have it",
                    self.options.replicas
                )));
            }
        }
        let mut answers = Vec::with_capacity(txns.len());
        for value in values {
            let (sequence, of_call) = script::answers(value)?;
            if of_call.first().is_some_and(|answer| answer == "lost") {
                self.lost.store(true, Ordering::SeqCst);
                return Err(Sent::Lost {
                    seen,
                    found: sequence,
                });
            }
            self.seen.fetch_max(sequence, Ordering::SeqCst);
            answers.extend(of_call);
        }
        if answers.len() == txns.len() {
            Ok(answers)
        } else {
            let (asked, got) = (txns.len(), answers.len());
            Err(Sent::Maybe(format!("{got} answers to {asked} commits")))
        }
    }

    /// Sends transactions, and sends them again when the answer was lost and there is time. What the
    /// script refuses as a whole is sent one by one, so that one that cannot be applied costs no other.
    async fn send_surely(&self, txns: &[Txn]) -> Result<Vec<String>> {
        self.check_environment().await?;
        let act = async |mut connection: ConnectionManager| match self
            .send(&mut connection, txns, IN_ONE_CALL)
            .await
        {
            Err(Sent::Maybe(first)) => match self.send(&mut connection, txns, 1).await {
                Err(Sent::Not(_)) => Err(Sent::Maybe(first)),
                second => second,
            },
            Err(Sent::Refused(_)) if txns.len() > 1 => self.send(&mut connection, txns, 1).await,
            Err(Sent::Not(_)) => self.send(&mut connection, txns, IN_ONE_CALL).await,
            answer => answer,
        };
        match self.within(act).await {
            Ok(answer) => answer.map_err(StoreError::from),
            // The time was over while it was under way.
            Err(error) => Err(ambiguous(error.to_string())),
        }
    }
}

/// The parts of `txns` that go into one call of the script each: `most` at most, and no more than keeps
/// the server for a few milliseconds.
fn groups(txns: &[Txn], most: usize) -> Vec<&[Txn]> {
    let mut groups = Vec::new();
    let mut rest = txns;
    while !rest.is_empty() {
        let mut operations = 0;
        let fits = rest.iter().take(most).take_while(|txn| {
            operations += txn.guards.len() + txn.writes.len();
            operations <= OPERATIONS
        });
        let (group, left) = rest.split_at(fits.count().max(1));
        groups.push(group);
        rest = left;
    }
    groups
}

fn version(value: &[u8]) -> Version {
    Version(caio_core::identity::hex(&Sha1::digest(value)))
}

fn versioned(value: Vec<u8>) -> Versioned {
    Versioned {
        version: version(&value),
        value,
    }
}

fn outcome(answer: &str) -> Result<CommitOutcome> {
    match answer {
        "committed" => Ok(CommitOutcome::Committed),
        guard => guard
            .parse()
            .map(|guard| CommitOutcome::Refused { guard })
            .map_err(|_| ambiguous(format!("the script answered {guard:?}"))),
    }
}

/// Places and names in an index are joined with NUL, so neither may hold one.
fn check_writes(txn: &Txn) -> Result<()> {
    let joined = |write: &Write| match write {
        Write::Index { order, key, .. } => order.contains('\0') || key.as_str().contains('\0'),
        _ => false,
    };
    if txn.writes.iter().any(joined) {
        return Err(StoreError::Invalid(
            "the place and the name in an index cannot hold a NUL character".to_owned(),
        ));
    }
    Ok(())
}

fn member(entry: &RangeEntry) -> String {
    format!("{}\0{}", entry.order, entry.key)
}

#[async_trait]
impl StateStore for RedisStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            multi_document: true,
            indexes: true,
            counters: true,
            listings: true,
            live_authority: true,
        }
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>> {
        let names: Vec<String> = keys
            .iter()
            .map(|key| self.names.document(key.as_str()))
            .collect();
        let values = self.values(&names).await?;
        Ok(values
            .into_iter()
            .map(|value| value.map(versioned))
            .collect())
    }

    async fn counters(&self, keys: &[Key]) -> Result<Vec<u64>> {
        let names: Vec<String> = keys
            .iter()
            .map(|key| self.names.counter(key.as_str()))
            .collect();
        let values = self.values(&names).await?;
        let read = |(value, key): (Option<Vec<u8>>, &Key)| match value {
            None => Ok(0),
            Some(value) => std::str::from_utf8(&value)
                .ok()
                .and_then(|text| text.parse().ok())
                .ok_or_else(|| StoreError::Corrupt {
                    backend: BACKEND,
                    key: key.to_string(),
                    reason: "it is a counter and holds no number".to_owned(),
                }),
        };
        values.into_iter().zip(keys).map(read).collect()
    }

    async fn scan(
        &self,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Page<(Key, Versioned), Key>> {
        check_limit(limit)?;
        let mut after = after.map(|key| key.as_str().to_owned());
        let mut foreign = self.foreign_names(prefix, after.as_deref()).await?;
        let mut items = Vec::new();
        loop {
            let count = limit.saturating_add(1);
            let (own, more_own) = self.own_names(prefix, after.as_deref(), count).await?;
            after = own.last().cloned().or(after);
            let mut names: BTreeSet<String> = own.into_iter().collect();
            // What lies behind the last of ours waits for the names between.
            let later = match (&after, more_own) {
                (Some(last), true) => {
                    let mut later = foreign.split_off(last);
                    later.remove(last);
                    later
                }
                _ => BTreeSet::new(),
            };
            names.append(&mut foreign);
            foreign = later;
            let keys: Vec<Key> = names.iter().map(|name| Key::stored(name)).collect();
            for chunk in keys.chunks(count) {
                let found = self.get(chunk).await?;
                // A name without a document has expired, or a plain writer has deleted it.
                let live = chunk.iter().zip(found);
                items.extend(live.filter_map(|(key, it)| it.map(|it| (key.clone(), it))));
                if items.len() > limit {
                    break;
                }
            }
            if items.len() > limit || !more_own {
                let next = more(&mut items, limit).map(|(key, _)| key.clone());
                return Ok(Page { items, next });
            }
        }
    }

    async fn range(
        &self,
        index: &str,
        range: &Range,
        after: Option<&RangeEntry>,
        limit: usize,
    ) -> Result<Page<RangeEntry, RangeEntry>> {
        check_limit(limit)?;
        let beyond = after.map(|after| (member(after), '('));
        let (above, below) = if range.descending {
            (None, beyond)
        } else {
            (beyond, None)
        };
        let from = range.from.clone().map(|from| (from, '['));
        let until = range.until.clone().map(|until| (until, '('));
        let bound = |(text, kind): (String, char)| format!("{kind}{text}");
        let low = from
            .into_iter()
            .chain(above)
            .max()
            .map_or("-".to_owned(), bound);
        let high = until
            .into_iter()
            .chain(below)
            .min()
            .map_or("+".to_owned(), bound);
        let mut command = redis::cmd("ZRANGE");
        command.arg(self.names.index(index));
        if range.descending {
            command.arg(high).arg(low).arg("BYLEX").arg("REV");
        } else {
            command.arg(low).arg(high).arg("BYLEX");
        }
        command.arg("LIMIT").arg(0).arg(limit.saturating_add(1));
        let members: Vec<String> = self.ask(&command).await?;
        let entry = |member: String| {
            let (order, key) = member.split_once('\0').unwrap_or((&member, ""));
            RangeEntry {
                order: order.to_owned(),
                key: Key::stored(key),
            }
        };
        let mut items: Vec<RangeEntry> = members.into_iter().map(entry).collect();
        let next = more(&mut items, limit).cloned();
        Ok(Page { items, next })
    }

    async fn commit(&self, txn: &Txn) -> Result<CommitOutcome> {
        let mut outcomes = self.commit_many(std::slice::from_ref(txn)).await?;
        outcomes
            .pop()
            .ok_or_else(|| ambiguous("no answer".to_owned()))
    }

    async fn commit_many(&self, txns: &[Txn]) -> Result<Vec<CommitOutcome>> {
        if self.access == Access::ReadOnly {
            return Err(StoreError::ReadOnly { backend: BACKEND });
        }
        if self.lost.load(Ordering::SeqCst) {
            let seen = self.seen.load(Ordering::SeqCst);
            let found: Option<u64> = self
                .ask(redis::cmd("GET").arg(self.names.sequence()))
                .await?;
            return Err(StoreError::LostData {
                backend: BACKEND,
                seen,
                found: found.unwrap_or(0),
            });
        }
        let mut outcomes = Vec::with_capacity(txns.len());
        for chunk in txns.chunks(TOGETHER) {
            chunk.iter().try_for_each(check_writes)?;
            let answers = self.send_surely(chunk).await?;
            for answer in answers {
                outcomes.push(outcome(&answer)?);
            }
        }
        Ok(outcomes)
    }

    async fn export(&self, sink: &mut dyn Sink) -> Result<()> {
        self.export_documents(sink).await?;
        self.export_counters(sink).await?;
        self.export_places(sink).await
    }

    async fn now(&self) -> Result<Timestamp> {
        let (seconds, micros): (i64, i64) = self.ask(&redis::cmd("TIME")).await?;
        Timestamp::from_microsecond(seconds * 1_000_000 + micros)
            .map_err(|error| StoreError::Invalid(format!("redis: its clock is odd: {error}")))
    }

    async fn ping(&self) -> Result<()> {
        self.ask::<()>(&redis::cmd("PING")).await
    }
}

impl fmt::Display for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.options.fmt(f)
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisStore")
            .field(&self.to_string())
            .finish()
    }
}
