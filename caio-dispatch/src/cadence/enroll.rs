//! Into the follow-up: once, from the moment the first e-mail is known as sent.

use caio_core::EmailKey;
use caio_core::cadence::{DEFAULT_21DAY, Record, done, enrolled, synced};
use caio_core::lead::{Company, Intent, Lead, LeadSource};
use caio_core::pytext::loads;
use caio_core::terms::{Medium, Step, Tier};
use caio_core::time::rfc3339;
use caio_state::{Guard, Key, Range, RangeEntry, Versioned, Write};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::enrolment::{Enrolment, unreadable};
use super::sync::Synced;
use super::{Cadences, PAGE, known};
use crate::error::{DispatchError, Result};
use crate::leads::LeadRecord;
use crate::ledger::LedgerEntry;
use crate::transition::{commit, unchanged};
use crate::{leads, ledger, records};

/// The first e-mail, as far as the follow-up is begun by it.
struct First<'a> {
    /// When it was sent.
    sent: Timestamp,
    tier: Tier,
    /// Its entry in the ledger, where there is one.
    entry: Option<(&'a LedgerEntry, &'a Versioned)>,
}

impl Cadences<'_> {
    /// Begins the follow-up of everybody whose first e-mail was sent. What is read is who waits for it.
    pub(super) async fn enroll_sent(&self, report: &mut Synced) -> Result<()> {
        let mut after: Option<RangeEntry> = None;
        loop {
            let page = self
                .store
                .range(records::SENT_INDEX, &Range::default(), after.as_ref(), PAGE)
                .await?;
            let keys: Vec<Key> = page.items.into_iter().map(|entry| entry.key).collect();
            for (key, found) in keys.iter().zip(self.store.get(&keys).await?) {
                if let Some(found) = found {
                    self.enroll_entry(key, &found, report).await?;
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// Begins the follow-up that a ledger entry begins, unless there is one.
    pub(super) async fn enroll_entry(
        &self,
        key: &Key,
        found: &Versioned,
        report: &mut Synced,
    ) -> Result<()> {
        let entry: LedgerEntry = match serde_json::from_slice(&found.value) {
            Ok(entry) => entry,
            Err(error) => {
                report.problems.push(format!("{key}: {error}"));
                return Ok(());
            }
        };
        let Some(sent) = entry.begins_follow_up().and_then(|at| at.parse().ok()) else {
            return Ok(());
        };
        let person = &entry.item.recipient;
        let first = First {
            sent,
            tier: entry.item.tier,
            entry: Some((&entry, found)),
        };
        if super::one(self.store, person).await?.is_some() {
            let (guards, writes) = followed(&entry, found)?;
            commit(self.store, self.ids, guards, writes).await?;
            return Ok(());
        }
        match self.begin(person, &first).await {
            Ok(Some(_)) => report.enrolled.push(person.to_string()),
            Ok(None) => {}
            Err(DispatchError::Refused { reason, .. }) => report.problems.push(reason),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Begins the follow-up of one person, whom somebody names. `sent` says when the first e-mail was
    /// sent, where the ledger does not know it.
    ///
    /// # Errors
    /// [`DispatchError::Refused`] with `cadence.enrolled` for one who is in it, whatever became of it
    /// (CA-1), with `cadence.not_sent` where nothing says that the first e-mail was sent, with
    /// `cadence.not_eligible` for one who ended contact or answered.
    pub async fn enroll(&self, person: &EmailKey, sent: Option<Timestamp>) -> Result<Enrolment> {
        let refused = |code, reason| Err(DispatchError::Refused { code, reason });
        if let Some(found) = super::one(self.store, person).await? {
            let status = found.status();
            return refused(
                "cadence.enrolled",
                format!("{person} is in the follow-up already: {status}"),
            );
        }
        let facts = known(self.store, &[person]).await?;
        let facts = facts.into_iter().next().unwrap_or_default();
        let ended = facts.signals.ended.is_some() || facts.signals.has_replied();
        if let Some(why) = facts
            .suppressed
            .or_else(|| ended.then(|| facts.signals.status().to_owned()))
        {
            return refused(
                "cadence.not_eligible",
                format!("{person}: {why}; no sequence writes to them"),
            );
        }
        let entries = ledger::of_person(self.store, person).await?;
        let is_first =
            |it: &&LedgerEntry| it.item.step == Step::FIRST && it.item.medium == Medium::Email;
        let entry = entries.iter().filter(is_first).find(|it| it.may_be_out());
        let told = entry
            .and_then(|it| it.sent())
            .and_then(|at| at.parse().ok());
        let Some(sent) = told.or(sent) else {
            return refused(
                "cadence.not_sent",
                format!(
                    "nothing says that {person} was sent a first e-mail; the follow-up begins when the \
                     provider reports it, or with --sent-at TIME"
                ),
            );
        };
        let found = match entry {
            Some(entry) => self.store.get(&[entry.key()]).await?.pop().flatten(),
            None => None,
        };
        let first = First {
            sent,
            tier: entry.map_or(Tier::Four, |it| it.item.tier),
            entry: entry.zip(found.as_ref()),
        };
        match self.begin(person, &first).await? {
            Some(enrolment) => Ok(enrolment),
            None => Err(DispatchError::Conflict {
                what: "follow-up",
                id: person.to_string(),
            }),
        }
    }

    /// Stores the record of somebody who has none; `None` when somebody else was faster.
    async fn begin(&self, person: &EmailKey, first: &First<'_>) -> Result<Option<Enrolment>> {
        let lead = leads::one(self.store, person).await?;
        let shared = self.store.get(&[records::shared_cadence(person)]).await?;
        let shared = shared.into_iter().next().flatten();
        let theirs = shared.map(|found| theirs(person, &found)).transpose()?;
        let facts = known(self.store, &[person]).await?;
        let facts = facts.into_iter().next().unwrap_or_default().signals;
        let sent = self.stamp(first.sent);
        let plan = Self::plan();
        let mut record = match theirs {
            Some(record) => record,
            None => fresh(person, lead.as_ref(), first.tier, &sent),
        };
        let begun = record.get("steps_completed").and_then(Value::as_array);
        if begun.is_none_or(Vec::is_empty) {
            record.insert("started_at".to_owned(), sent.as_str().into());
            record.insert("next_step_due".to_owned(), sent.get(..10).into());
            let metadata = first.entry.map(
                |(entry, _)| json!({"delivery": entry.id, "provider": entry.container.provider}),
            );
            let first = done(
                &record,
                &plan,
                &facts,
                1,
                "dispatched",
                metadata.as_ref(),
                &sent,
            )
            .map_err(|fault| unreadable(&fault))?;
            record = first.unwrap_or(record);
        }
        while let Some((next, _)) =
            synced(&record, &plan, &facts, &self.now()).map_err(|fault| unreadable(&fault))?
        {
            record = next;
        }
        let enrolment =
            Enrolment::new(person, record, &plan, &facts).map_err(|fault| unreadable(&fault))?;
        let (mut guards, mut writes) = match first.entry {
            Some((entry, found)) => followed(entry, found)?,
            None => Default::default(),
        };
        if lead.is_none() {
            let key = records::lead(person);
            guards.push(Guard::Absent(key));
            let lead = lead_of(&enrolment, &rfc3339(self.clock.now()));
            writes.extend(records::put_lead(&lead)?);
        }
        let why = format!("sent {sent}");
        let stored = self
            .put(
                None,
                &enrolment,
                ("cadence.enrolled", &why),
                (guards, writes),
            )
            .await?;
        Ok(stored.then_some(enrolment))
    }
}

/// The Python system's record of a person, as it was found.
///
/// # Errors
/// [`DispatchError::Refused`] with `cadence.bad_record` for one that cannot be read: unknown is never
/// *none*.
pub(super) fn theirs(person: &EmailKey, found: &Versioned) -> Result<Record> {
    let text = std::str::from_utf8(&found.value).ok();
    match text.and_then(loads) {
        Some(Value::Object(record)) => Ok(record),
        _ => Err(DispatchError::Refused {
            code: "cadence.bad_record",
            reason: format!(
                "`{}` cannot be read; expected a JSON object",
                records::shared_cadence(person)
            ),
        }),
    }
}

/// Notes in the ledger that the follow-up of a first e-mail has begun.
fn followed(entry: &LedgerEntry, found: &Versioned) -> Result<(Vec<Guard>, Vec<Write>)> {
    let key = entry.key();
    let next = LedgerEntry {
        followed: true,
        ..entry.clone()
    };
    let mut writes = next.rewrites()?;
    writes.push(Write::Unindex {
        index: records::SENT_INDEX.to_owned(),
        key: key.clone(),
    });
    Ok((vec![unchanged(&key, Some(&found.version))], writes))
}

/// A record as the old system begins it.
fn fresh(person: &EmailKey, lead: Option<&LeadRecord>, tier: Tier, sent: &str) -> Record {
    let email = lead.map_or_else(|| person.to_string(), |it| it.lead.email.clone());
    let (profile, data) = match lead {
        Some(LeadRecord { lead, score, .. }) => (
            lead.linkedin_url.as_str(),
            json!({
                "first_name": lead.first_name, "last_name": lead.last_name,
                "company": lead.company.name, "title": lead.title,
                "source_type": lead.source.kind, "icp_score": score,
            }),
        ),
        None => ("", json!({})),
    };
    enrolled(
        &email,
        DEFAULT_21DAY.id,
        tier.as_str(),
        profile,
        &data,
        sent,
    )
}

/// What is known of somebody of whom only the follow-up tells: the Python system's leads.
fn lead_of(enrolment: &Enrolment, now: &str) -> LeadRecord {
    let data = enrolment.record.get("lead_data");
    let text = |member: &str| {
        let value = data.and_then(|it| it.get(member)).and_then(Value::as_str);
        value.unwrap_or("").to_owned()
    };
    let score = data
        .and_then(|it| it.get("icp_score"))
        .and_then(Value::as_u64);
    let lead = Lead {
        key: enrolment.person.clone(),
        email: enrolment.text("email").to_owned(),
        first_name: text("first_name"),
        last_name: text("last_name"),
        title: text("title"),
        linkedin_url: enrolment.text("linkedin_url").to_owned(),
        phone: String::new(),
        location: String::new(),
        company: Company {
            name: text("company"),
            ..Company::default()
        },
        source: LeadSource {
            kind: text("source_type"),
            ..LeadSource::default()
        },
        intent: Intent::default(),
    };
    let score = score.and_then(|it| u32::try_from(it).ok()).unwrap_or(0);
    let rated = (score, Some(enrolment.tier()));
    LeadRecord {
        updated_at: now.to_owned(),
        ..LeadRecord::taken_over(lead, rated, "taken over with its follow-up")
    }
}
