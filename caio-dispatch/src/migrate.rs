//! From the folder of the Python system into the authority store: what gates a send, once.
//!
//! Every record is created only where there is none; one that differs is a conflict, listed with both
//! values, and stays. Running it again changes nothing. Opt-outs and what ended a lead are united,
//! never replaced.

use std::collections::{BTreeMap, BTreeSet};

use caio_core::batch::BatchItem;
use caio_core::cadence::DEFAULT_21DAY;
use caio_core::identity::hex;
use caio_core::pytext::dumps;
use caio_core::suppression::{Listed, Scope};
use caio_core::terms::{Medium, Provider};
use caio_core::time::rfc3339;
use caio_core::{Clock, EmailKey, IdSource};
use caio_state::copy::{Conflict, Tally, create_absent};
use caio_state::{CommitOutcome, Guard, Key, StateStore, Txn, TxnId, Versioned, Write};
use jiff::SignedDuration;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::channel::Container;
use crate::coexist::followed;
use crate::error::Result;
use crate::hive::{Fault, Held, Hive, Kind, PastTouch, Used};
use crate::ledger::{DeliveryState, LedgerEntry};
use crate::records;
use crate::suppress::Suppress;

/// Batch of everything that was sent before this system.
pub const LEGACY_BATCH: &str = "legacy";

/// Records looked at in one round trip, and created in one transaction.
const TOGETHER: usize = 250;

/// Statuses of a lead that ask for no further message, ever.
const OPTED_OUT: &[&str] = &["unsubscribed", "opted_out", "do_not_contact"];

/// Carries a folder over.
#[derive(Debug, Clone, Copy)]
pub struct Migrate<'a> {
    /// Where to.
    pub store: &'a dyn StateStore,
    /// Time of the entries.
    pub clock: &'a dyn Clock,
    /// Ids of transactions and events.
    pub ids: &'a dyn IdSource,
    /// Who decided it.
    pub by: &'a str,
    /// Look and report; write nothing.
    pub dry_run: bool,
}

/// What was carried over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// By kind of record.
    pub kinds: BTreeMap<&'static str, Tally>,
    /// Records with two values.
    pub conflicts: Vec<Conflict>,
    /// What has to be looked at.
    pub held: Vec<Held>,
    /// What could not be read.
    pub faults: Vec<Fault>,
    /// What stays in the folder.
    pub left: BTreeMap<&'static str, u64>,
    /// Records read back and compared.
    pub verified: u64,
    /// SHA-256 over names and values of the shared records in the folder, in order.
    pub digest: String,
}

impl Report {
    /// Nothing asks for a person.
    pub fn is_clean(&self) -> bool {
        self.conflicts.is_empty() && self.faults.is_empty() && self.held.is_empty()
    }
}

/// A record to be created: guarded by the absence of its key.
struct Wanted {
    key: Key,
    value: Vec<u8>,
    /// How long it lives.
    lives: Option<SignedDuration>,
    file: String,
    /// Written beside it.
    beside: Vec<Write>,
    /// What another value in the store means.
    other: Other,
}

/// What it means when the store holds another value.
#[derive(Clone, Copy)]
enum Other {
    /// Two values: a person has to look.
    Conflict,
    /// It says as much.
    SaysAsMuch,
    /// Both are true: the writes that unite them, none when the store knows it all.
    Unite(fn(&Wanted, &[u8]) -> Vec<Write>),
}

impl Wanted {
    /// What creates it where it is absent.
    fn creation(&self) -> (Guard, Vec<Write>) {
        let put = Write::Put {
            key: self.key.clone(),
            value: self.value.clone(),
            expires_in: self.lives,
        };
        let writes = self.beside.iter().cloned().chain([put]).collect();
        (Guard::Absent(self.key.clone()), writes)
    }

    /// Whether the value in the store leaves nothing to say.
    fn is_told_by(&self, store: &[u8]) -> bool {
        match self.other {
            _ if self.value == store => true,
            Other::Conflict => false,
            Other::SaysAsMuch => true,
            Other::Unite(unite) => unite(self, store).is_empty(),
        }
    }
}

impl Migrate<'_> {
    /// Carries over what only the folder holds, and leaves the records alone that both systems keep
    /// in the store: for as long as both run.
    pub async fn follow(&self, mut hive: Hive) -> Result<Report> {
        hive.documents.clear();
        let report = self.run(hive).await?;
        if !self.dry_run {
            followed::note(self.store, (self.clock, self.ids), &report).await?;
        }
        Ok(report)
    }

    /// Carries everything over that is not there yet.
    pub async fn run(&self, hive: Hive) -> Result<Report> {
        let mut report = Report {
            held: hive.held,
            faults: hive.faults,
            left: hive.left,
            ..Report::default()
        };
        let mut digest = Sha256::new();
        for (kind, name) in [
            (Kind::DailyState, "daily_state"),
            (Kind::Batch, "batches"),
            (Kind::Cadence, "cadence"),
        ] {
            let of_kind = hive.documents.iter().filter(|it| it.kind == kind);
            let wanted: Vec<Wanted> = of_kind
                .map(|document| Wanted {
                    key: document.key.clone(),
                    value: dumps(&document.value).into_bytes(),
                    lives: None,
                    file: document.file.clone(),
                    beside: Vec::new(),
                    other: Other::Conflict,
                })
                .collect();
            for one in &wanted {
                digest.update(one.key.as_str());
                digest.update(&one.value);
            }
            self.create(name, &wanted, &mut report).await?;
        }
        report.digest = hex(&digest.finalize());
        let mut statuses = Vec::new();
        for (person, status) in &hive.statuses {
            let key = records::lead_status(person);
            let [_, place] = records::put_status(&key, status);
            statuses.push(Wanted {
                key,
                value: serde_json::to_vec(status)?,
                lives: None,
                file: format!("lead_status of {person}"),
                beside: vec![place],
                other: Other::Unite(united_status),
            });
        }
        self.create("lead_status", &statuses, &mut report).await?;
        let touches = hive.touches.iter().map(|touch| self.touch(touch));
        let touches = once_each(touches.collect::<Result<Vec<_>>>()?);
        self.create("touches", &touches, &mut report).await?;
        let used: Vec<Wanted> = hive.used.iter().map(used).collect();
        self.create("ceilings", &used, &mut report).await?;
        let now = self.clock.now();
        let kept = hive.kept.iter().filter_map(|kept| {
            let lives = kept.until.map(|until| until.duration_since(now));
            let is_over = lives.is_some_and(|lives| !lives.is_positive());
            (!is_over).then(|| {
                Ok(Wanted {
                    key: kept.key.clone(),
                    value: serde_json::to_vec(&kept.value)?,
                    lives,
                    file: kept.file.clone(),
                    beside: Vec::new(),
                    other: Other::Conflict,
                })
            })
        });
        let kept = kept.collect::<Result<Vec<_>>>()?;
        self.create("kept", &kept, &mut report).await?;
        self.opt_outs(&hive.statuses, &hive.opt_outs, &mut report)
            .await?;
        Ok(report)
    }

    /// Creates what is absent, compares what is there, reads back what was written.
    async fn create(
        &self,
        kind: &'static str,
        wanted: &[Wanted],
        report: &mut Report,
    ) -> Result<()> {
        let mut tally = Tally::default();
        for chunk in wanted.chunks(TOGETHER) {
            let keys: Vec<Key> = chunk.iter().map(|it| it.key.clone()).collect();
            let before = self.store.get(&keys).await?;
            let absent = chunk
                .iter()
                .zip(&before)
                .filter(|(_, found)| found.is_none());
            let absent: Vec<&Wanted> = absent.map(|(it, _)| it).collect();
            let after = if self.dry_run {
                tally.created += absent.len() as u64;
                before
            } else {
                let absent = absent.iter().map(|it| it.creation()).collect();
                tally.created += create_absent(self.store, self.ids, absent, TOGETHER).await?;
                let found = self.store.get(&keys).await?;
                match self.unite(chunk, &found).await? {
                    0 => found,
                    united => {
                        tally.united += united;
                        self.store.get(&keys).await?
                    }
                }
            };
            let mut same = 0;
            for (it, found) in chunk.iter().zip(after) {
                tally.found += 1;
                match found {
                    Some(found) if it.is_told_by(&found.value) => same += 1,
                    Some(_) if self.dry_run && matches!(it.other, Other::Unite(_)) => {
                        tally.united += 1;
                    }
                    None if self.dry_run => {}
                    found => {
                        tally.conflicts += 1;
                        let store = found.map(|found| found.value);
                        let store = store.as_deref();
                        let conflict = Conflict::new(&it.key, &it.file, store, &it.value);
                        report.conflicts.push(conflict);
                    }
                }
            }
            report.verified += same;
        }
        tally.present = tally.found - tally.created - tally.united - tally.conflicts;
        report.kinds.insert(kind, tally);
        Ok(())
    }

    /// Unites what differs and may be united; how many were.
    async fn unite(&self, chunk: &[Wanted], found: &[Option<Versioned>]) -> Result<u64> {
        let mut txns = Vec::new();
        for (wanted, found) in chunk.iter().zip(found) {
            let (Other::Unite(unite), Some(found)) = (wanted.other, found) else {
                continue;
            };
            let writes = unite(wanted, &found.value);
            if !writes.is_empty() {
                txns.push(Txn {
                    id: TxnId(self.ids.id()),
                    guards: vec![Guard::Unchanged(wanted.key.clone(), found.version.clone())],
                    writes,
                });
            }
        }
        let outcomes = self.store.commit_many(&txns).await?;
        let committed = outcomes
            .iter()
            .filter(|it| **it == CommitOutcome::Committed);
        Ok(committed.count() as u64)
    }

    /// A message of the old system as a held touch and an entry of the ledger.
    fn touch(&self, touch: &PastTouch) -> Result<Wanted> {
        let item = BatchItem {
            draft: touch.origin.clone(),
            recipient: touch.person.clone(),
            medium: touch.medium,
            provider: touch.provider,
            pool: String::new(),
            tier: touch.tier,
            step: touch.step,
            content: String::new(),
        };
        let key = records::touch(&touch.person, touch.medium, touch.step);
        let id = hex(&Sha256::digest(format!("{LEGACY_BATCH}|{key}"))[..16]);
        let now = rfc3339(self.clock.now());
        let entry = LedgerEntry {
            id: id.clone(),
            batch: LEGACY_BATCH.to_owned(),
            run: LEGACY_BATCH.to_owned(),
            container: Container {
                name: String::new(),
                provider: touch.provider,
                pool: String::new(),
                tier: touch.tier,
            },
            item,
            state: if touch.certain {
                DeliveryState::Accepted
            } else {
                DeliveryState::Unknown
            },
            receipt: touch.receipt.clone(),
            reason: format!("carried over from {}", touch.origin),
            reservations: Vec::new(),
            intended_at: if touch.at.is_empty() {
                now.clone()
            } else {
                touch.at.clone()
            },
            settled_at: touch.certain.then_some(now),
            sent_at: None,
            followed: false,
            bounced_at: None,
            replied_at: None,
        };
        Ok(Wanted {
            key,
            value: serde_json::to_vec(&id)?,
            lives: None,
            file: touch.origin.clone(),
            beside: entry.writes()?,
            other: Other::SaysAsMuch,
        })
    }

    /// Opt-outs of the list and of statuses, united with what is there.
    async fn opt_outs(
        &self,
        statuses: &[(EmailKey, Value)],
        listed: &[Listed],
        report: &mut Report,
    ) -> Result<()> {
        let suppress = Suppress {
            store: self.store,
            clock: self.clock,
            ids: self.ids,
            by: self.by,
        };
        let mut wanted: BTreeMap<String, (Scope, &'static str, Option<&str>)> = BTreeMap::new();
        for entry in listed {
            match &entry.scope {
                Ok(scope) => {
                    let at = entry.at.as_deref();
                    wanted.insert(
                        scope.value().to_owned(),
                        (scope.clone(), "unsubscribes.jsonl", at),
                    );
                }
                Err(error) => report.faults.push(Fault {
                    file: "unsubscribes.jsonl".to_owned(),
                    line: Some(entry.line),
                    reason: error.to_string(),
                }),
            }
        }
        for (person, record) in statuses {
            let status = record.get("status").and_then(Value::as_str).unwrap_or("");
            if OPTED_OUT.contains(&status) {
                let scope = Scope::Address(person.clone());
                wanted.entry(person.to_string()).or_insert((
                    scope,
                    "lead_status",
                    since(record, status),
                ));
            }
        }
        let mut tally = Tally::default();
        for (scope, source, at) in wanted.values() {
            tally.found += 1;
            let created = if self.dry_run {
                !suppress.covers(scope).await?
            } else {
                suppress.add(scope, "opted out", source, *at).await?
            };
            if created {
                tally.created += 1;
            } else {
                tally.present += 1;
            }
        }
        report.kinds.insert("opt_outs", tally);
        Ok(())
    }
}

/// When a lead's record came to this status, where its history says so.
fn since<'a>(record: &'a Value, status: &str) -> Option<&'a str> {
    let history = record.get("status_history").and_then(Value::as_array)?;
    let text = |it: &'a Value, member: &str| it.get(member).and_then(Value::as_str);
    let last = history.iter().rfind(|it| text(it, "to") == Some(status))?;
    text(last, "at").filter(|at| caio_core::batch::parse_instant(at).is_some())
}

/// How much of a day is used: counted once, whatever runs again.
fn used(used: &Used) -> Wanted {
    let medium = match used.provider {
        Provider::HeyReach => Medium::LinkedIn,
        Provider::Ghl | Provider::Instantly => Medium::Email,
    };
    let key = Key::new(&[
        "caio",
        "migrated",
        "used",
        used.provider.as_str(),
        &used.day,
    ]);
    Wanted {
        value: used.count.to_string().into_bytes(),
        lives: None,
        file: format!("ceiling of {} on {}", used.provider, used.day),
        beside: vec![Write::Add {
            counter: records::limit(&format!("{medium}:day:{}", used.day)),
            amount: used.count.into(),
            expires_in: Some(SignedDuration::from_hours(90 * 24)),
        }],
        other: Other::Unite(united_use),
        key,
    }
}

/// A used limit only grows.
fn united_use(wanted: &Wanted, store: &[u8]) -> Vec<Write> {
    let number = |text: &[u8]| -> i64 {
        let text = std::str::from_utf8(text).ok();
        text.and_then(|text| text.parse().ok()).unwrap_or(0)
    };
    let more = number(&wanted.value) - number(store);
    let add = wanted.beside.iter().filter_map(|write| match write {
        Write::Add {
            counter,
            expires_in,
            ..
        } if more > 0 => Some(Write::Add {
            counter: counter.clone(),
            amount: more,
            expires_in: *expires_in,
        }),
        _ => None,
    });
    let mut writes: Vec<Write> = add.collect();
    if more > 0 {
        writes.push(Write::Put {
            key: wanted.key.clone(),
            value: wanted.value.clone(),
            expires_in: None,
        });
    }
    writes
}

/// The status that forbids more stays; an answer counts for good.
fn united_status(wanted: &Wanted, store: &[u8]) -> Vec<Write> {
    let (Ok(folder), Ok(kept)) = (
        serde_json::from_slice::<Value>(&wanted.value),
        serde_json::from_slice::<Value>(store),
    ) else {
        // A status that cannot be read forbids everything: it stays.
        return Vec::new();
    };
    if !kept.is_object() {
        return Vec::new();
    }
    let status = |record: &Value| -> String {
        let status = record.get("status").and_then(Value::as_str);
        status.unwrap_or("").to_owned()
    };
    let weight = |record: &Value| {
        let status = status(record);
        let among = |list: &[&str]| list.contains(&status.as_str());
        u8::from(among(DEFAULT_21DAY.pause_on)) + 2 * u8::from(among(DEFAULT_21DAY.exit_on))
    };
    let mut united = if weight(&folder) > weight(&kept) {
        folder.clone()
    } else {
        kept.clone()
    };
    for count in ["reply_count", "open_count"] {
        let of = |record: &Value| record.get(count).and_then(Value::as_u64);
        if let Some(most) = of(&folder).max(of(&kept)) {
            united[count] = most.into();
        }
    }
    if united == kept {
        return Vec::new();
    }
    records::put_status(&wanted.key, &united).into()
}

/// The first of each key: several records tell of the same message.
fn once_each(wanted: Vec<Wanted>) -> Vec<Wanted> {
    let mut seen = BTreeSet::new();
    wanted
        .into_iter()
        .filter(|it| seen.insert(it.key.clone()))
        .collect()
}
