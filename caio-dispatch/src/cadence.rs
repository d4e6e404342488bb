//! The follow-up of 21 days: who is in it, what is due, and what becomes of each step.
//!
//! A lead is in it from the moment its first e-mail is known as sent. Each person has one record
//! under `caio:cadence:`, which holds the record that the old system's pages read, in their shape; a
//! follow-up is claimed only while that record says that it is this step's turn. Questions read an
//! index by day and change nothing; [`Cadences::sync`] takes in what has happened meanwhile.
//!
//! ```text
//! sent -> enroll -> due -> draft --person--> approved -> batch -> operator -> sent -> next step
//!            signals: replied, bounced, opted out … end it; two opens without an answer hold it
//! ```

mod due;
mod enroll;
mod enrolment;
mod person;
mod settle;
mod sync;
mod write;

use caio_core::cadence::{DEFAULT_21DAY, Plan};
use caio_core::{Clock, EmailKey, IdSource};
use caio_state::{CommitOutcome, Guard, StateStore, Version, Write};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::error::Result;
use crate::history::Event;
use crate::records;
use crate::transition::{commit, unchanged};

pub use due::{Due, DueAction, Summary, due, list, one, summary};
pub use enrolment::{Enrolment, STATUSES};
pub use sync::{Step, Synced};
pub(crate) use write::digest;
pub use write::{Unwritten, Written};

/// Records read in one round trip.
const PAGE: usize = 250;

/// Follow-ups in a store.
#[derive(Debug, Clone)]
pub struct Cadences<'a> {
    /// Where they are kept.
    pub store: &'a dyn StateStore,
    /// Time.
    pub clock: &'a dyn Clock,
    /// Ids of events and transactions.
    pub ids: &'a dyn IdSource,
    /// Who decides, for the record.
    pub by: &'a str,
    /// Business time zone: what a day is.
    pub zone: TimeZone,
    /// The Python system reads this store: its records are asked, and told.
    pub mirror: bool,
}

impl Cadences<'_> {
    pub(super) fn plan() -> Plan {
        Plan::from(&DEFAULT_21DAY)
    }

    /// An instant in records: the wall clock of the business time zone with its offset, so that the
    /// date in front is the business day.
    pub(super) fn stamp(&self, at: Timestamp) -> String {
        let local = at.to_zoned(self.zone.clone());
        local.strftime("%Y-%m-%dT%H:%M:%S%.6f%:z").to_string()
    }

    pub(super) fn now(&self) -> String {
        self.stamp(self.clock.now())
    }

    pub(super) fn today(&self) -> Date {
        self.clock.now().to_zoned(self.zone.clone()).date()
    }

    /// Puts `next` in the place of what was read, with the event that says why; `false` when somebody
    /// else was faster.
    pub(super) async fn put(
        &self,
        before: Option<(&Enrolment, &Version)>,
        next: &Enrolment,
        (kind, why): (&str, &str),
        beside: (Vec<Guard>, Vec<Write>),
    ) -> Result<bool> {
        let key = records::cadence(&next.person);
        let (mut guards, mut writes) = beside;
        guards.push(unchanged(&key, before.map(|(_, version)| version)));
        writes.extend(next.writes(before.map(|(enrolment, _)| enrolment.status()))?);
        if self.mirror {
            writes.push(next.mirrored());
        }
        let event = Event::new(
            &self.ids.id(),
            self.clock.now(),
            self.by,
            kind,
            next.person.as_str(),
        );
        writes.extend(event.about(&next.person).because(why).writes()?);
        let outcome = commit(self.store, self.ids, guards, writes).await?;
        Ok(outcome == CommitOutcome::Committed)
    }
}

/// What is read of each of `people` besides their follow-up: their signals, and why they are
/// suppressed.
async fn known(store: &dyn StateStore, people: &[&EmailKey]) -> Result<Vec<crate::facts::Facts>> {
    let touches: Vec<crate::facts::Touch<'_>> = people
        .iter()
        .map(|person| crate::facts::Touch {
            person,
            medium: caio_core::terms::Medium::Email,
            step: caio_core::terms::Step::FIRST,
        })
        .collect();
    crate::facts::facts(store, &touches).await
}
