//! What has happened meanwhile: signals end, hold and resume follow-ups, the ledger says which steps
//! are done.

use caio_core::EmailKey;
use caio_core::cadence::{Plan, Record, Synced as Change, exited, synced};
use caio_core::signals::Facts;
use caio_state::{Key, Range, Version, Versioned};
use serde::Serialize;
use serde_json::Value;

use super::due::read;
use super::enroll::theirs;
use super::enrolment::Enrolment;
use super::{Cadences, PAGE, known};
use crate::error::{DispatchError, Result};
use crate::{ledger, records};

/// What has changed. The first three are those of the old system.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Synced {
    /// Ended.
    pub exited: Vec<String>,
    /// Held.
    pub paused: Vec<String>,
    /// Accepted our connection.
    pub connected: Vec<String>,
    /// Go on.
    pub resumed: Vec<String>,
    /// Every step is done or passed over.
    pub completed: Vec<String>,
    /// Begun.
    pub enrolled: Vec<String>,
    /// Steps that are done or passed over.
    pub steps: Vec<Step>,
    /// What could not be read, or keeps changing: nothing is sent there until somebody looks.
    pub problems: Vec<String>,
}

/// A step that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Whose.
    pub email: String,
    /// Its number.
    pub step: i64,
    /// It was sent; otherwise it was passed over.
    pub done: bool,
    /// Delivery, or why it was passed over.
    pub why: String,
}

/// A change of one record, and what to say about it.
pub(super) struct Changed {
    pub(super) record: Record,
    pub(super) kind: &'static str,
    pub(super) why: String,
    pub(super) step: Option<Step>,
}

impl Cadences<'_> {
    /// Takes everything in: begins follow-ups, ends and holds them as signals say, marks what was sent.
    ///
    /// # Errors
    /// When the store fails. What was committed stays.
    pub async fn sync(&self) -> Result<Synced> {
        let mut report = Synced::default();
        self.enroll_sent(&mut report).await?;
        for status in ["active", "paused"] {
            let index = records::cadence_index(status);
            let mut after = None;
            loop {
                let page = self
                    .store
                    .range(&index, &Range::default(), after.as_ref(), PAGE)
                    .await?;
                let keys: Vec<Key> = page.items.into_iter().map(|entry| entry.key).collect();
                self.advance(&keys, &mut report).await?;
                match page.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
        }
        Ok(report)
    }

    /// The same for one person, after something was heard of them.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sync_person(&self, person: &EmailKey) -> Result<Synced> {
        let mut report = Synced::default();
        for entry in ledger::of_person(self.store, person).await? {
            let key = entry.key();
            let found = self.store.get(std::slice::from_ref(&key)).await?;
            if let Some(Some(found)) = found.first().filter(|_| entry.begins_follow_up().is_some())
            {
                self.enroll_entry(&key, found, &mut report).await?;
            }
        }
        self.advance(&[records::cadence(person)], &mut report)
            .await?;
        Ok(report)
    }

    async fn advance(&self, keys: &[Key], report: &mut Synced) -> Result<()> {
        let found = read(self.store, keys, &mut report.problems).await?;
        let people: Vec<&EmailKey> = found.iter().map(|(it, _)| &it.person).collect();
        let facts = known(self.store, &people).await?;
        let shared: Vec<Key> = match self.mirror {
            true => people
                .iter()
                .map(|it| records::shared_cadence(it))
                .collect(),
            false => Vec::new(),
        };
        let mut shared = self.store.get(&shared).await?.into_iter();
        for ((enrolment, version), facts) in found.iter().zip(facts) {
            let theirs = shared.next().flatten();
            let advanced = self.advance_one((enrolment, version), &facts, theirs.as_ref(), report);
            match advanced.await {
                Err(DispatchError::Refused { reason, .. }) => report.problems.push(reason),
                other => other?,
            }
        }
        Ok(())
    }

    async fn advance_one(
        &self,
        (enrolment, version): (&Enrolment, &Version),
        facts: &crate::facts::Facts,
        theirs: Option<&Versioned>,
        report: &mut Synced,
    ) -> Result<()> {
        if !matches!(enrolment.status(), "active" | "paused") {
            return Ok(());
        }
        let plan = Self::plan();
        let unreadable = |fault| super::enrolment::unreadable(&fault);
        let mut changes = self.heard(enrolment, facts, theirs, &plan)?;
        let record = |changes: &[Changed]| {
            let last = changes.last().map(|it| it.record.clone());
            last.unwrap_or_else(|| enrolment.record.clone())
        };
        while let Some(change) = self
            .settled(&enrolment.person, &record(&changes), &facts.signals, &plan)
            .await?
        {
            changes.push(change);
        }
        // With its last step behind it, it is complete.
        signalled(
            &record(&changes),
            &plan,
            &facts.signals,
            &self.now(),
            &mut changes,
        )
        .map_err(unreadable)?;
        let next = Enrolment::new(&enrolment.person, record(&changes), &plan, &facts.signals)
            .map_err(unreadable)?;
        if next == *enrolment {
            return Ok(());
        }
        let kind = changes.first().map_or("cadence.due", |it| it.kind);
        let why: Vec<&str> = changes.iter().map(|it| it.why.as_str()).collect();
        let put = self
            .put(
                Some((enrolment, version)),
                &next,
                (kind, &why.join("; ")),
                Default::default(),
            )
            .await?;
        if !put {
            // Whoever was faster has taken it in, or the next look does.
            return Ok(());
        }
        for change in changes {
            report.note(enrolment, change);
        }
        Ok(())
    }

    /// What signals, suppressions and the other system say to one record.
    fn heard(
        &self,
        enrolment: &Enrolment,
        facts: &crate::facts::Facts,
        shared: Option<&Versioned>,
        plan: &Plan,
    ) -> Result<Vec<Changed>> {
        let mut changes = Vec::new();
        signalled(
            &enrolment.record,
            plan,
            &facts.signals,
            &self.now(),
            &mut changes,
        )
        .map_err(|fault| super::enrolment::unreadable(&fault))?;
        let record = changes
            .last()
            .map_or(&enrolment.record, |it: &Changed| &it.record);
        let mut why = facts
            .suppressed
            .as_ref()
            .map(|why| format!("suppressed: {why}"));
        if let Some(shared) = shared.filter(|_| why.is_none()) {
            let theirs = theirs(&enrolment.person, shared)?;
            let text = |name: &str| theirs.get(name).and_then(Value::as_str).unwrap_or("");
            if text("status") == "exited" {
                why = Some(text("exit_reason").to_owned());
            }
        }
        if let Some(why) = why
            && let Some(record) = exited(record, &why)
        {
            changes.push(Changed {
                record,
                kind: "cadence.exited",
                why,
                step: None,
            });
        }
        Ok(changes)
    }
}

/// Everything that the lead's signals change, one after the other.
fn signalled(
    record: &Record,
    plan: &Plan,
    facts: &Facts,
    now: &str,
    changes: &mut Vec<Changed>,
) -> std::result::Result<(), caio_core::cadence::ProgressFault> {
    let mut record = record.clone();
    while let Some((next, change)) = synced(&record, plan, facts, now)? {
        record.clone_from(&next);
        let (kind, why) = match change {
            Change::Completed => ("cadence.completed", "all steps done".to_owned()),
            Change::Connected => ("cadence.connected", "linkedin_connected".to_owned()),
            Change::Exited(why) => ("cadence.exited", why),
            Change::Paused => ("cadence.paused", facts.status().to_owned()),
            Change::Resumed => ("cadence.resumed", facts.status().to_owned()),
        };
        changes.push(Changed {
            record: next,
            kind,
            why,
            step: None,
        });
    }
    Ok(())
}

impl Synced {
    fn note(&mut self, enrolment: &Enrolment, change: Changed) {
        let email = enrolment.text("email").to_owned();
        if let Some(step) = change.step {
            if step.done
                && change
                    .record
                    .get("status")
                    .is_some_and(|it| it == "completed")
            {
                self.completed.push(email);
            }
            self.steps.push(step);
            return;
        }
        let list = match change.kind {
            "cadence.completed" => &mut self.completed,
            "cadence.connected" => &mut self.connected,
            "cadence.exited" => &mut self.exited,
            "cadence.paused" => &mut self.paused,
            _ => &mut self.resumed,
        };
        list.push(email);
    }
}
