//! What the old system did, and what was known when, as its folder or a store tells it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use caio_core::batch::parse_instant;
use caio_core::draft::{Draft, DraftStatus, ModelRef};
use caio_core::identity::draft_id;
use caio_core::pytext::strptime_ymd;
use caio_core::suppression::Suppression;
use caio_core::terms::{Medium, Motion, Provider, Step};
use caio_core::time::rfc3339;
use caio_core::{Clock, EmailKey, IdSource};
use caio_state::{StateStore, StateStoreExt};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::Value;

use crate::error::{DispatchError, Result};
use crate::hive::{self, Fault, Hive, Letter};
use crate::ledger::{DeliveryState, LedgerEntry};
use crate::migrate::{LEGACY_BATCH, Migrate};
use crate::{ledger, review, suppress};

/// What was.
#[derive(Debug, Default)]
pub struct Past {
    /// What the old system sent, or says that it did.
    pub messages: Vec<OldMessage>,
    /// Letters that a person has approved, or could have.
    pub candidates: Vec<Candidate>,
    /// The old system's batches.
    pub batches: Vec<OldBatch>,
    /// Whom its daily records name, by day.
    pub named: BTreeMap<EmailKey, BTreeSet<Date>>,
    /// What signals made of each lead.
    pub statuses: Vec<(EmailKey, Value)>,
    /// Who must not be written to.
    pub suppressions: Vec<Suppression>,
    /// What could not be read.
    pub faults: Vec<Fault>,
}

/// A message of the old system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OldMessage {
    /// To whom.
    pub person: EmailKey,
    /// On which medium.
    pub medium: Medium,
    /// At which step.
    pub step: Step,
    /// Who delivered.
    pub provider: Provider,
    /// When, where the record says so.
    pub at: Option<Timestamp>,
    /// On which day, where it is known.
    pub day: Option<Date>,
    /// The record that tells of it.
    pub origin: String,
    /// The campaign or list it went into.
    pub container: Option<String>,
    /// It certainly went out; otherwise the outcome was not recorded.
    pub certain: bool,
    /// The record says that it was done, and nothing that was handed to a provider stands behind it.
    pub only_said: bool,
}

/// A letter, and when a person decided about it.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Where it comes from: a file, or the draft's id.
    pub origin: String,
    /// Its ids in the old system's batches.
    pub ids: Vec<String>,
    /// The draft, as it was before the decision.
    pub draft: Draft,
    /// When it was approved, and by whom.
    pub approved: Option<(Timestamp, String)>,
    /// When it was rejected.
    pub rejected: Option<Timestamp>,
    /// Made for a test.
    pub synthetic: bool,
    /// The Instantly campaign that the old system put it into.
    pub campaign: Option<String>,
}

/// A batch of the old system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldBatch {
    /// Its id.
    pub id: String,
    /// Its status.
    pub status: String,
    /// Letters in its e-mail scope.
    pub letters: BTreeSet<String>,
}

impl Past {
    /// What the folder at `root` tells; what gates a send is carried into `layer`.
    ///
    /// # Errors
    /// When it is no folder that can be read; single files become [`Past::faults`].
    pub async fn of_folder(
        root: &Path,
        layer: &dyn StateStore,
        (clock, ids): (&dyn Clock, &dyn IdSource),
        by: &str,
    ) -> Result<Self> {
        let unreadable = |error: std::io::Error| DispatchError::Refused {
            code: "rehearse.folder",
            reason: format!("{}: {error}", root.display()),
        };
        let hive = Hive::read(root).map_err(unreadable)?;
        let (letters, faults) = hive::letters(root).map_err(unreadable)?;
        let touches: Vec<OldMessage> = hive
            .touches
            .iter()
            .map(|it| OldMessage {
                person: it.person.clone(),
                medium: it.medium,
                step: it.step,
                provider: it.provider,
                at: parse_instant(&it.at),
                day: day_of(&it.at),
                origin: it.origin.clone(),
                container: it.receipt.clone(),
                certain: it.certain,
                only_said: false,
            })
            .collect();
        let migrate = Migrate {
            store: layer,
            clock,
            ids,
            by,
            dry_run: false,
        };
        let report = migrate.run(hive).await?;
        let mut past = Self {
            candidates: letters.into_iter().map(of_letter).collect(),
            faults: report.faults,
            ..Self::default()
        };
        for fault in faults {
            if !past.faults.contains(&fault) {
                past.faults.push(fault);
            }
        }
        past.read(layer).await?;
        past.messages = messages(&touches);
        Ok(past)
    }

    /// What a store tells that the old system's state was carried into, or that both share.
    pub async fn of_store(layer: &dyn StateStore) -> Result<Self> {
        let mut past = Self::default();
        past.read(layer).await?;
        let entries = ledger::of_batch(layer, LEGACY_BATCH).await?;
        let mut touches: Vec<OldMessage> = entries
            .into_iter()
            .map(|entry| (told_at(&entry).to_owned(), entry))
            .map(|(at, entry)| OldMessage {
                person: entry.item.recipient,
                medium: entry.item.medium,
                step: entry.item.step,
                provider: entry.item.provider,
                at: parse_instant(&at),
                day: day_of(&at),
                certain: entry.state == DeliveryState::Accepted,
                origin: entry.item.draft,
                container: entry.receipt,
                only_said: false,
            })
            .collect();
        for (person, days) in &past.named {
            touches.extend(days.iter().map(|day| OldMessage {
                person: person.clone(),
                medium: Medium::Email,
                step: Step::FIRST,
                provider: Provider::Instantly,
                at: None,
                day: Some(*day),
                origin: format!("operator:state:{day}"),
                container: None,
                certain: true,
                only_said: false,
            }));
        }
        past.messages = messages(&touches);
        for status in [DraftStatus::Approved, DraftStatus::Pending] {
            let mut after = None;
            loop {
                let page = review::page(layer, status, after.as_ref(), 200).await?;
                let first = page.items.into_iter().filter(|draft| {
                    draft.motion == Motion::Outbound && draft.medium == Medium::Email
                });
                past.candidates.extend(first.map(of_draft));
                match page.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
        }
        Ok(past)
    }

    /// What every source has in the layer by now.
    async fn read(&mut self, layer: &dyn StateStore) -> Result<()> {
        self.suppressions = suppress::list(layer).await?;
        for (key, value) in documents(layer, "caio:status:").await? {
            let person = value.get("email").and_then(Value::as_str).unwrap_or("");
            match EmailKey::parse(person) {
                Ok(person) => self.statuses.push((person, value)),
                Err(_) => self.fault(&key, "`email` holds no address"),
            }
        }
        for (key, batch) in documents(layer, "operator:batch:").await? {
            let text = |member: &str| batch.get(member).and_then(Value::as_str);
            let letters = batch.get("approved_shadow_email_ids");
            let letters = letters.and_then(Value::as_array).into_iter().flatten();
            self.batches.push(OldBatch {
                id: text("batch_id").unwrap_or(&key).to_owned(),
                status: text("status").unwrap_or("").to_owned(),
                letters: letters
                    .filter_map(|it| it.as_str().map(str::to_owned))
                    .collect(),
            });
        }
        for (key, state) in documents(layer, "operator:state:").await? {
            let date = state.get("date").and_then(Value::as_str).and_then(day_of);
            let Some(date) = date else {
                self.fault(&key, "`date` is no day");
                continue;
            };
            let named = state.get("leads_dispatched").and_then(Value::as_array);
            for entry in named.into_iter().flatten().filter_map(Value::as_str) {
                let address = entry.strip_prefix("email:").unwrap_or(entry);
                if let Ok(person) = EmailKey::parse(address) {
                    self.named.entry(person).or_default().insert(date);
                }
            }
        }
        Ok(())
    }

    fn fault(&mut self, file: &str, reason: &str) {
        self.faults.push(Fault {
            file: file.to_owned(),
            line: None,
            reason: reason.to_owned(),
        });
    }

    /// The last day that anything here tells of.
    pub fn last_day(&self, zone: &TimeZone) -> Option<Date> {
        let local = |at: Timestamp| at.to_zoned(zone.clone()).date();
        let messages = self.messages.iter().filter_map(|it| it.day);
        let approved = self.candidates.iter().filter_map(|it| it.approved.as_ref());
        let approved = approved.map(|(at, _)| local(*at));
        // One that was made of a status is as old as the move where the status has no time.
        let opted_out = self.suppressions.iter();
        let opted_out = opted_out.filter(|it| it.source != "lead_status");
        let opted_out = opted_out.filter_map(|it| parse_instant(&it.at)).map(local);
        let changes = self.statuses.iter().flat_map(|(_, it)| changes(it));
        let changes = changes.map(|(at, _)| local(at));
        messages
            .chain(approved)
            .chain(opted_out)
            .chain(changes)
            .max()
    }
}

/// Every JSON document below a prefix; one that cannot be read ends it, as it would a run.
async fn documents(layer: &dyn StateStore, prefix: &str) -> Result<Vec<(String, Value)>> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let page = layer.scan(prefix, after.as_ref(), 200).await?;
        for (key, _) in &page.items {
            if let Some((value, _)) = layer.get_json::<Value>(key).await? {
                all.push((key.to_string(), value));
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(all),
        }
    }
}

/// When a message went out whose entry was carried over; `""` where its record did not say, so that it
/// has the time of the move.
fn told_at(entry: &LedgerEntry) -> &str {
    let is_of_the_move = entry.settled_at.as_deref() == Some(&entry.intended_at);
    if is_of_the_move {
        ""
    } else {
        &entry.intended_at
    }
}

/// The day of an instant, or a day.
fn day_of(text: &str) -> Option<Date> {
    let day = text.get(..10)?;
    strptime_ymd(day)?;
    day.parse().ok()
}

/// Messages out of the records that tell of them: a mark and a line of a log tell of one message, and
/// more lines than marks of more. What only a daily record or a cadence says was not handed to anybody.
fn messages(touches: &[OldMessage]) -> Vec<OldMessage> {
    let mut told: BTreeMap<(&EmailKey, Provider), Vec<&OldMessage>> = BTreeMap::new();
    let mut messages = Vec::new();
    let is_log = |it: &OldMessage| it.origin.contains("dispatch_log.jsonl");
    let only_says = |it: &OldMessage| {
        ["operator_state.json", "operator:state:", "cadence_state/"]
            .iter()
            .any(|origin| it.origin.starts_with(origin))
    };
    for touch in touches.iter().filter(|it| !only_says(it)) {
        let key = (&touch.person, touch.provider);
        told.entry(key).or_default().push(touch);
    }
    for of_one in told.values() {
        let (logs, marks): (Vec<&OldMessage>, Vec<_>) = of_one.iter().partition(|it| is_log(it));
        let more = logs.len().saturating_sub(marks.len());
        let lines = logs.len() - more;
        messages.extend(marks.into_iter().cloned());
        messages.extend(logs.into_iter().skip(lines).cloned());
    }
    for touch in touches.iter().filter(|it| only_says(it)) {
        let is_told = |it: &OldMessage| {
            let same =
                (&it.person, it.medium, it.step) == (&touch.person, touch.medium, touch.step);
            same && !it.only_said && (it.day == touch.day || it.day.is_none())
        };
        if !messages.iter().any(is_told) {
            messages.push(OldMessage {
                only_said: true,
                ..touch.clone()
            });
        }
    }
    messages.sort_by_key(|it| (it.day, it.at));
    messages
}

fn of_letter(letter: Letter) -> Candidate {
    let Letter { approved, .. } = &letter;
    let created = approved.as_ref().map_or(Timestamp::UNIX_EPOCH, |it| it.0);
    let draft = Draft {
        id: draft_id(&letter.to, Medium::Email, Step::FIRST),
        status: DraftStatus::Pending,
        to: letter.to.to_string(),
        recipient: letter.to.clone(),
        name: letter.name,
        company: letter.company,
        medium: Medium::Email,
        step: Step::FIRST,
        motion: Motion::Outbound,
        via: None,
        tier: letter.tier,
        score: letter.score,
        model: ModelRef {
            name: "legacy".to_owned(),
            digest: String::new(),
        },
        campaign: "legacy".to_owned(),
        subject: letter.subject,
        body: letter.body,
        placeholder_sender: false,
        facts_digest: String::new(),
        source: letter.file.clone(),
        flags: Vec::new(),
        created_at: rfc3339(created),
        decisions: Vec::new(),
    };
    Candidate {
        origin: letter.file,
        ids: letter.ids,
        draft,
        approved: letter.approved,
        rejected: letter.rejected,
        synthetic: letter.synthetic,
        campaign: letter.campaign,
    }
}

fn of_draft(draft: Draft) -> Candidate {
    let approved = draft.decisions.iter().rfind(|it| it.action == "approved");
    let approved = approved.filter(|_| draft.status == DraftStatus::Approved);
    let approved = approved.and_then(|it| Some((parse_instant(&it.at)?, it.by.clone())));
    Candidate {
        origin: draft.id.clone(),
        ids: vec![draft.id.clone()],
        approved,
        rejected: None,
        synthetic: false,
        campaign: None,
        draft,
    }
}

/// Changes of a lead's status, each with its time.
pub(super) fn changes(record: &Value) -> Vec<(Timestamp, String)> {
    let items = |name: &str, member: &str| {
        let items = record.get(name).and_then(Value::as_array);
        let items = items.into_iter().flatten();
        let changes = items.filter_map(|it| {
            let text = |name: &str| it.get(name).and_then(Value::as_str);
            Some((parse_instant(text("at")?)?, text(member)?.to_owned()))
        });
        changes.collect::<Vec<_>>()
    };
    let mut changes = items("status_history", "to");
    changes.extend(items("signals", "status"));
    changes.sort();
    changes.dedup();
    changes
}
