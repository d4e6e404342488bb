//! What caio would have done in the old system's place: its days replayed over a layer, in shadow.
//!
//! The store that the rehearsal begins from is only read. What became known in those days (approvals,
//! opt-outs, answers) becomes known again at its time, the old system's own messages of those days are
//! forgotten, and on each day the operator runs as it would live, without the calls. Then both are
//! held beside each other, person by person.

mod explain;
mod past;
mod replay;

use std::sync::atomic::{AtomicI64, Ordering};

use caio_core::{Clock, EmailKey};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use crate::hive::Fault;

pub use explain::{Line, Why};
pub use past::{Candidate, OldBatch, OldMessage, Past};
pub use replay::{OurMessage, Rehearse};

/// A rehearsal and what it shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rehearsal {
    /// Each day, and what the operator did.
    pub days: Vec<Day>,
    /// Each person whom one of the two systems wrote to, or might have.
    pub people: Vec<Line>,
    /// What could not be read.
    pub faults: Vec<Fault>,
}

/// One day of the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Day {
    /// The day.
    pub day: Date,
    /// When the operator ran: as the old system did, else at noon.
    pub at: Timestamp,
    /// E-mails that limits and ramp allow.
    pub room: u32,
    /// Messages that the old system has sent.
    pub old: usize,
    /// Messages that would have been handed over.
    pub ours: usize,
    /// Requests that would have been made.
    pub requests: usize,
    /// Why it did nothing, if it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

impl Rehearsal {
    /// People of whom both did the same.
    pub fn same(&self) -> usize {
        self.people.iter().filter(|it| it.why.is_empty()).count()
    }

    /// People of whom no rule and no defect says why the two differ.
    pub fn unexplained(&self) -> usize {
        let unexplained = |it: &&Line| it.why.iter().any(|why| why.id == explain::UNEXPLAINED);
        self.people.iter().filter(unexplained).count()
    }
}

/// A clock that a rehearsal sets.
#[derive(Debug)]
pub struct SetClock(AtomicI64);

impl SetClock {
    /// A clock that stands at `now`.
    pub fn new(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.as_microsecond()))
    }

    /// Sets it.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_microsecond(), Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        let micros = self.0.load(Ordering::SeqCst);
        Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// Why nothing went to a person, in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotSent {
    /// Nobody had approved a letter by then.
    NotApproved,
    /// A person had rejected the letter.
    Rejected(Timestamp),
    /// It was made for a test.
    Synthetic,
    /// The rules of a message refuse it.
    Refused(Vec<caio_core::eligibility::Reason>),
    /// There was no room for it.
    NoRoom,
    /// The run refused it, with these words.
    Run(String),
    /// The store holds no letter to them.
    NoLetter,
}

/// Everything about one person, for the explanation.
#[derive(Debug)]
pub(crate) struct Person<'a> {
    pub(crate) key: &'a EmailKey,
    pub(crate) past: &'a Past,
    pub(crate) ours: Option<&'a OurMessage>,
    pub(crate) not_sent: NotSent,
}
