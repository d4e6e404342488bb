//! Whether the step whose turn it is has been sent, or is passed over, as the ledger and the reviewer
//! have it.

use caio_core::EmailKey;
use caio_core::cadence::{Next, Plan, PlanStep, Record, done, next, passed};
use caio_core::draft::{Draft, DraftStatus};
use caio_core::identity::draft_id;
use caio_core::signals::Facts;
use caio_core::terms::{Medium, Step as Position};
use caio_state::Versioned;
use jiff::Timestamp;
use serde_json::json;

use super::Cadences;
use super::enrolment::unreadable;
use super::sync::{Changed, Step};
use crate::error::Result;
use crate::ledger::{DeliveryState, LedgerEntry};
use crate::{ledger, records};

/// The end of a step.
enum End {
    /// It was sent.
    Sent {
        at: Timestamp,
        delivery: Box<LedgerEntry>,
    },
    /// It is passed over.
    Passed(String),
    /// It is not over.
    Open,
}

impl Cadences<'_> {
    /// The record after the step whose turn it is, where that step is over.
    pub(super) async fn settled(
        &self,
        person: &EmailKey,
        record: &Record,
        facts: &Facts,
        plan: &Plan,
    ) -> Result<Option<Changed>> {
        let turn = next(record, plan, facts, self.today()).map_err(|fault| unreadable(&fault))?;
        let Next::Due(step, _) = turn else {
            return Ok(None);
        };
        let Ok(medium) = step.channel.parse::<Medium>() else {
            return Ok(None);
        };
        let number = step.step;
        let email = record.get("email").and_then(|it| it.as_str()).unwrap_or("");
        let of = |done: bool, why: &str| Step {
            email: email.to_owned(),
            step: number,
            done,
            why: why.to_owned(),
        };
        let (after, kind, step) = match self.end(person, step, medium).await? {
            End::Open => return Ok(None),
            End::Sent { at, delivery } => {
                let metadata =
                    json!({"delivery": delivery.id, "provider": delivery.container.provider});
                let at = self.stamp(at);
                let after = done(
                    record,
                    plan,
                    facts,
                    number,
                    "dispatched",
                    Some(&metadata),
                    &at,
                );
                (after, "cadence.step_done", of(true, &delivery.id))
            }
            End::Passed(why) => {
                let after = passed(record, plan, facts, number, &why, &self.now());
                (after, "cadence.step_skipped", of(false, &why))
            }
        };
        let after = after.map_err(|fault| unreadable(&fault))?;
        Ok(after.map(|record| Changed {
            record,
            kind,
            why: format!("step {number}: {}", step.why),
            step: Some(step),
        }))
    }

    async fn end(&self, person: &EmailKey, step: &PlanStep, medium: Medium) -> Result<End> {
        let position = Position(u32::try_from(step.step).unwrap_or(u32::MAX));
        let keys = [
            records::draft(&draft_id(person, medium, position)),
            records::touch(person, medium, position),
            records::draft(&draft_id(person, Medium::LinkedIn, Position::FIRST)),
            records::touch(person, Medium::LinkedIn, Position::FIRST),
        ];
        let mut found = self.store.get(&keys).await?.into_iter();
        let mut take = || found.next().flatten();
        let (draft, touch) = (draft(take())?, take());
        let (first, first_touch) = (self::draft(take())?, take());
        if step.action == "connect" {
            let waits = first.is_some_and(|draft| draft.status != DraftStatus::Rejected);
            if waits || first_touch.is_some() {
                return Ok(End::Passed("asked_to_connect_at_first_touch".to_owned()));
            }
        }
        match draft {
            Some(draft) if draft.status == DraftStatus::Rejected => {
                let why = draft.decisions.last().map_or("", |it| it.reason.as_str());
                Ok(End::Passed(format!("rejected_by_reviewer: {why}")))
            }
            Some(draft) if draft.status == DraftStatus::Done => {
                self.delivered(person, medium, position).await
            }
            // The Python system has made this touch.
            None if touch.is_some() => self.delivered(person, medium, position).await,
            _ => Ok(End::Open),
        }
    }

    /// What the ledger says of a touch. An e-mail is done once it was sent: one that waits in a draft
    /// campaign is not. LinkedIn tells of no sending, so there what was handed over is done.
    async fn delivered(&self, person: &EmailKey, medium: Medium, step: Position) -> Result<End> {
        let entries = ledger::of_person(self.store, person).await?;
        let of_touch = |it: &LedgerEntry| it.item.medium == medium && it.item.step == step;
        let is_over = |it: &LedgerEntry| it.state != DeliveryState::NotSent;
        let Some(entry) = entries
            .into_iter()
            .rev()
            .find(|it| of_touch(it) && is_over(it))
        else {
            return Ok(End::Open);
        };
        let was_before = entry.batch == crate::migrate::LEGACY_BATCH;
        let handed_over = entry.settled_at.as_deref().unwrap_or(&entry.intended_at);
        let at = match entry.state {
            DeliveryState::Rejected => {
                return Ok(End::Passed(format!("refused: {}", entry.reason)));
            }
            DeliveryState::Accepted if medium == Medium::LinkedIn || was_before => {
                entry.sent().or(Some(handed_over))
            }
            DeliveryState::Accepted => entry.sent(),
            DeliveryState::Intended | DeliveryState::NotSent | DeliveryState::Unknown => None,
        };
        Ok(match at.and_then(|at| at.parse().ok()) {
            Some(at) => End::Sent {
                at,
                delivery: Box::new(entry),
            },
            None => End::Open,
        })
    }
}

fn draft(found: Option<Versioned>) -> Result<Option<Draft>> {
    Ok(found
        .map(|found| serde_json::from_slice(&found.value))
        .transpose()?)
}
