//! The steps that are due become drafts, for a person to review.

use caio_core::cadence::passed;
use caio_core::draft::{Draft, DraftStatus};
use caio_core::identity::{draft_id, hex};
use caio_core::terms::Motion;
use caio_core::time::rfc3339;
use caio_state::{CommitOutcome, Guard};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::Cadences;
use super::due::{Turn, turns};
use super::enrolment::{Enrolment, unreadable};
use super::sync::Synced;
use crate::copywriter::{self, Copywriter, TEMPLATE};
use crate::error::Result;
use crate::facts::{Touch, facts};
use crate::history::Event;
use crate::leads::{self, LeadRecord};
use crate::records;
use crate::transition::commit;

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Ids of the new drafts.
    pub drafts: Vec<String>,
    /// Steps that are due and have their draft already.
    pub waiting: u64,
    /// Steps for which nothing could be written.
    pub unwritten: Vec<Unwritten>,
    /// What was taken in before.
    pub synced: Synced,
}

/// A step for which nothing could be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unwritten {
    /// To whom.
    pub email: String,
    /// Number of the step.
    pub step: i64,
    /// Why.
    pub reason: String,
    /// The follow-up goes on behind it; otherwise it waits until somebody mends the cause.
    pub passed: bool,
}

impl Cadences<'_> {
    /// Takes in what has happened, then writes a draft for each step that is due and has none; at most
    /// `limit`. A fact that the text needs and the lead lacks passes the step over; nothing is invented.
    ///
    /// # Errors
    /// When the store fails. What was committed stays.
    pub async fn draft(&self, writer: &dyn Copywriter, limit: usize) -> Result<Written> {
        let mut report = Written {
            synced: self.sync().await?,
            ..Written::default()
        };
        let plan = Self::plan();
        let mut after = None;
        loop {
            let (turns, next) = turns(
                self.store,
                &plan,
                self.today(),
                after.as_ref(),
                &mut report.synced.problems,
            )
            .await?;
            for turn in turns {
                if report.drafts.len() == limit {
                    return Ok(report);
                }
                if turn.draft.is_some() {
                    report.waiting += 1;
                } else {
                    self.write(&turn, writer, &mut report).await?;
                }
            }
            match next {
                Some(next) => after = Some(next),
                None => return Ok(report),
            }
        }
    }

    async fn write(
        &self,
        turn: &Turn<'_>,
        writer: &dyn Copywriter,
        report: &mut Written,
    ) -> Result<()> {
        let person = &turn.enrolment.person;
        let mut unwritten = |reason: String, passed: bool| {
            report.unwritten.push(Unwritten {
                email: person.to_string(),
                step: turn.step.step,
                reason,
                passed,
            });
        };
        let Some(lead) = leads::one(self.store, person).await? else {
            unwritten("nothing is known about this person".to_owned(), false);
            return Ok(());
        };
        let touch = Touch {
            person,
            medium: turn.medium,
            step: turn.position(),
        };
        let facts = facts(self.store, &[touch]).await?;
        let facts = facts.into_iter().next().unwrap_or_default();
        if facts.touched || facts.follow_up.is_some() || facts.suppressed.is_some() {
            // Somebody was faster.
            return Ok(());
        }
        match writer.follow_up(&turn.step.action, &lead.lead) {
            Ok(text) => {
                let draft = self.new_draft(turn, &lead, writer, text);
                let key = records::draft(&draft.id);
                let mut guards = facts.guards;
                guards.push(Guard::Absent(key));
                let mut changes = records::put_draft(&draft, None)?;
                let event = Event::new(
                    &self.ids.id(),
                    self.clock.now(),
                    self.by,
                    "draft.written",
                    &draft.id,
                );
                let why = format!("step {} of the follow-up", turn.step.step);
                changes.extend(event.about(person).because(why).writes()?);
                let outcome = commit(self.store, self.ids, guards, changes).await?;
                if outcome == CommitOutcome::Committed {
                    report.drafts.push(draft.id);
                }
            }
            Err(missing) if missing.field == TEMPLATE => unwritten(missing.reason, false),
            Err(missing) => {
                unwritten(missing.reason.clone(), true);
                self.pass_over(turn, &format!("no_text: {}", missing.reason))
                    .await?;
            }
        }
        Ok(())
    }

    async fn pass_over(&self, turn: &Turn<'_>, why: &str) -> Result<()> {
        let plan = Self::plan();
        let facts = &turn.facts.signals;
        let before = &turn.enrolment;
        let step = turn.step.step;
        let after = passed(&before.record, &plan, facts, step, why, &self.now())
            .map_err(|fault| unreadable(&fault))?;
        let Some(record) = after else { return Ok(()) };
        let next = Enrolment::new(&before.person, record, &plan, facts)
            .map_err(|fault| unreadable(&fault))?;
        self.put(
            Some((before, &turn.version)),
            &next,
            ("cadence.step_skipped", &format!("step {step}: {why}")),
            Default::default(),
        )
        .await
        .map(drop)
    }

    fn new_draft(
        &self,
        turn: &Turn<'_>,
        lead: &LeadRecord,
        writer: &dyn Copywriter,
        text: copywriter::Written,
    ) -> Draft {
        let enrolment = &turn.enrolment;
        Draft {
            id: draft_id(&enrolment.person, turn.medium, turn.position()),
            status: DraftStatus::Pending,
            recipient: enrolment.person.clone(),
            to: lead.lead.email.clone(),
            name: lead.lead.name(),
            company: lead.lead.company.name.clone(),
            medium: turn.medium,
            step: turn.position(),
            motion: Motion::Cadence,
            tier: enrolment.tier(),
            score: lead.score,
            model: lead.model.clone(),
            campaign: text.campaign,
            subject: text.subject,
            body: text.body,
            placeholder_sender: text.placeholder_sender,
            facts_digest: digest(lead, writer),
            source: lead.lead.source.kind.clone(),
            flags: text.flags,
            created_at: rfc3339(self.clock.now()),
            via: None,
            decisions: Vec::new(),
        }
    }
}

/// Digest of everything that the text was written from: the lead, templates and sender.
pub(crate) fn digest(lead: &LeadRecord, writer: &dyn Copywriter) -> String {
    let lead = serde_json::to_vec(&lead.lead).unwrap_or_default();
    let mut hasher = Sha256::new();
    for part in [lead.as_slice(), writer.digest().as_bytes()] {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hex(&hasher.finalize())
}
