//! One sender while the Python system runs beside us: its locks are held, its daily record is asked
//! before a message and told afterwards.
//!
//! It takes a lock with `SET key token NX EX ttl` and reads its own keys alone, so what keeps it out
//! stands under those keys, in its form. A person says which of the two sends for a motion
//! ([`authority`]), and what only its disk knows has to be here before each claim ([`followed`]).

pub mod authority;
pub mod followed;

use caio_core::identity::dedup_email_key;
use caio_core::pytext::{dumps, loads};
use caio_core::terms::{Medium, Motion, Step};
use caio_core::{EmailKey, IdSource};
use caio_state::{CommitOutcome, Guard, Key, StateStore, Version, Write};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use crate::error::{DispatchError, Result};
use crate::transition::{commit, unchanged};

/// Its locks for one motion, held by us.
#[derive(Debug, Clone)]
pub struct PythonLocks {
    keys: [Key; 2],
    token: String,
    ttl: SignedDuration,
}

impl PythonLocks {
    /// Takes `locks:operator:{motion}` and `locks:operator:all` together.
    ///
    /// # Errors
    /// [`DispatchError::Refused`] with `lock.held` and the lock's own word for its holder.
    pub async fn take(
        store: &dyn StateStore,
        ids: &dyn IdSource,
        motion: Motion,
        holder: &str,
        ttl: SignedDuration,
    ) -> Result<Self> {
        let lock = |name: &str| Key::new(&["locks", "operator", name]);
        let locks = Self {
            keys: [lock(motion.as_str()), lock(Motion::All.as_str())],
            token: format!("caio {holder} {}", ids.id()),
            ttl,
        };
        let guards = locks.keys.iter().cloned().map(Guard::Absent).collect();
        match commit(store, ids, guards, locks.writes()).await? {
            CommitOutcome::Committed => Ok(locks),
            CommitOutcome::Refused { guard } => {
                let key = &locks.keys[guard.min(1)];
                let found = store.get(std::slice::from_ref(key)).await?.pop().flatten();
                let token = found.map_or_else(String::new, |it| {
                    String::from_utf8_lossy(&it.value).into_owned()
                });
                let who = match token.strip_prefix("caio ") {
                    Some(ours) => ours.to_owned(),
                    None => format!("the Python system (token {token})"),
                };
                Err(DispatchError::Refused {
                    code: "lock.held",
                    reason: format!("`{key}` is held by {who}"),
                })
            }
        }
    }

    /// Guards that hold while the locks are ours, and writes that prolong them in the same commit;
    /// `None` when they were lost.
    pub async fn hold(&self, store: &dyn StateStore) -> Result<Option<(Vec<Guard>, Vec<Write>)>> {
        let found = store.get(&self.keys).await?;
        let mut guards = Vec::new();
        for (key, found) in self.keys.iter().zip(found) {
            match found {
                Some(found) if found.value == self.token.as_bytes() => {
                    guards.push(Guard::Unchanged(key.clone(), found.version));
                }
                _ => return Ok(None),
            }
        }
        Ok(Some((guards, self.writes())))
    }

    /// Prolongs them; `false` when they were lost.
    pub async fn prolong(&self, store: &dyn StateStore, ids: &dyn IdSource) -> Result<bool> {
        let Some((guards, writes)) = self.hold(store).await? else {
            return Ok(false);
        };
        Ok(commit(store, ids, guards, writes).await? == CommitOutcome::Committed)
    }

    /// Gives them back; those that were lost meanwhile are left alone.
    pub async fn release(&self, store: &dyn StateStore, ids: &dyn IdSource) -> Result<()> {
        if let Some((guards, _)) = self.hold(store).await? {
            let deletes = self.keys.iter().cloned().map(Write::Delete).collect();
            commit(store, ids, guards, deletes).await?;
        }
        Ok(())
    }

    fn writes(&self) -> Vec<Write> {
        let put = |key: &Key| Write::Put {
            key: key.clone(),
            value: self.token.as_bytes().to_vec(),
            expires_in: Some(self.ttl),
        };
        self.keys.iter().map(put).collect()
    }
}

/// Its record of one day.
#[derive(Debug, Clone)]
pub struct DailyRecord {
    key: Key,
    date: Date,
    version: Option<Version>,
    record: Map<String, Value>,
}

impl DailyRecord {
    /// Reads it; an absent one is empty.
    ///
    /// # Errors
    /// [`DispatchError::Refused`] with `daily.unreadable`: unknown is never a yes.
    pub async fn read(store: &dyn StateStore, date: Date) -> Result<Self> {
        let key = Key::new(&["operator", "state", &date.to_string()]);
        let found = store.get(std::slice::from_ref(&key)).await?.pop().flatten();
        let (version, record) = match found {
            None => (None, Map::new()),
            Some(found) => {
                let text = std::str::from_utf8(&found.value).ok();
                match text.and_then(loads) {
                    Some(Value::Object(record)) => (Some(found.version), record),
                    _ => {
                        return Err(DispatchError::Refused {
                            code: "daily.unreadable",
                            reason: format!("`{key}` cannot be read; expected a JSON object"),
                        });
                    }
                }
            }
        };
        Ok(Self {
            key,
            date,
            version,
            record,
        })
    }

    /// The Python system wrote to this person on this day.
    pub fn names(&self, person: &EmailKey) -> bool {
        let ours = dedup_email_key(person.as_str());
        let entries = self
            .record
            .get("leads_dispatched")
            .and_then(Value::as_array);
        entries.into_iter().flatten().any(|entry| {
            let entry = entry.as_str().unwrap_or("");
            entry == ours || (entry.contains('@') && dedup_email_key(entry) == ours)
        })
    }

    /// Holds while the record is what was read.
    pub fn guard(&self) -> Guard {
        unchanged(&self.key, self.version.as_ref())
    }

    /// The write that adds these messages, in the form and order of the Python system.
    pub fn with(&self, messages: &[(&EmailKey, Medium, Step)], now: Timestamp) -> Write {
        let empty = json!({
            "date": self.date.to_string(), "outbound_email_dispatched": 0,
            "outbound_linkedin_dispatched": 0, "revival_dispatched": 0, "cadence_dispatched": 0,
            "leads_dispatched": [], "last_run_at": null, "runs_today": 0,
        });
        let mut record = match empty {
            Value::Object(empty) => empty,
            _ => Map::new(),
        };
        record.extend(self.record.clone());
        for (person, medium, step) in messages {
            let count = match medium {
                Medium::Email => "outbound_email_dispatched",
                Medium::LinkedIn => "outbound_linkedin_dispatched",
            };
            let programme = match *step {
                Step::REVIVAL => Some("revival_dispatched"),
                step if step.is_follow_up() => Some("cadence_dispatched"),
                _ => None,
            };
            for count in [Some(count), programme].into_iter().flatten() {
                let before = record.get(count).and_then(Value::as_u64).unwrap_or(0);
                record.insert(count.to_owned(), (before + 1).into());
            }
            let entry = Value::from(dedup_email_key(person.as_str()));
            if let Some(Value::Array(people)) = record.get_mut("leads_dispatched")
                && !self.names(person)
                && !people.contains(&entry)
            {
                people.push(entry);
            }
        }
        let at = now.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string();
        record.insert("last_run_at".to_owned(), at.into());
        Write::Put {
            key: self.key.clone(),
            value: dumps(&Value::Object(record)).into_bytes(),
            expires_in: Some(SignedDuration::from_hours(90 * 24)),
        }
    }
}
