//! The `.hive-mind` folder of the Python system: read whole, never written.
//!
//! What gates a send is taken out of it as facts: who was written to, who opted out, what signals made
//! of a lead, how much of a day's limit is used. A file that cannot be read is a fault with its name
//! and line, never *absent*.

mod facts;
mod files;
mod fingerprint;
mod letters;

use std::collections::BTreeMap;
use std::path::Path;

use caio_core::EmailKey;
use caio_core::suppression::Listed;
use caio_core::terms::{Medium, Provider, Step, Tier};
use caio_state::Key;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

pub use fingerprint::Fingerprint;
pub use letters::{Letter, letters};

/// What the folder holds.
#[derive(Debug, Default)]
pub struct Hive {
    /// Records that both systems keep under the same key.
    pub documents: Vec<SharedDocument>,
    /// Who was, or may have been, written to.
    pub touches: Vec<PastTouch>,
    /// What signals made of each lead.
    pub statuses: Vec<(EmailKey, Value)>,
    /// Opt-outs.
    pub opt_outs: Vec<Listed>,
    /// How much of a day's limit each sender has used.
    pub used: Vec<Used>,
    /// Records that have a reader of their own later: follow-ups, answers that providers gave.
    pub kept: Vec<Kept>,
    /// What could not be resolved and has to be looked at.
    pub held: Vec<Held>,
    /// What could not be read.
    pub faults: Vec<Fault>,
    /// What is left where it is, by kind.
    pub left: BTreeMap<&'static str, u64>,
}

/// A record that the Python system keeps in Redis as well.
#[derive(Debug, Clone, PartialEq)]
pub struct SharedDocument {
    /// Kind, as the old summary counted it.
    pub kind: Kind,
    /// Where it stands.
    pub key: Key,
    /// The file it comes from.
    pub file: String,
    /// The record.
    pub value: Value,
}

/// Kind of a shared record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `operator_batches/`
    Batch,
    /// `cadence_state/`
    Cadence,
    /// `operator_state.json`
    DailyState,
}

/// A message of the old system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastTouch {
    /// To whom.
    pub person: EmailKey,
    /// On which medium.
    pub medium: Medium,
    /// At which step.
    pub step: Step,
    /// Who delivered.
    pub provider: Provider,
    /// Tier, where it is known.
    pub tier: Tier,
    /// When; empty where the record does not say.
    pub at: String,
    /// The record it comes from.
    pub origin: String,
    /// The provider's name for it.
    pub receipt: Option<String>,
    /// It certainly went out; otherwise nobody can tell.
    pub certain: bool,
}

/// A record that is carried over as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// Where it stands.
    pub key: Key,
    /// The file it comes from.
    pub file: String,
    /// The record.
    pub value: Value,
    /// When it ends.
    pub until: Option<Timestamp>,
}

/// Messages that count against a day's limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// Who delivered.
    pub provider: Provider,
    /// Day, YYYY-MM-DD.
    pub day: String,
    /// How many.
    pub count: u32,
}

/// Something that a person has to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// The record.
    pub what: String,
    /// Why.
    pub why: String,
}

/// A file, or a line of one, that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Path within the folder.
    pub file: String,
    /// Line, from 1; absent for a whole file.
    pub line: Option<u64>,
    /// What is wrong.
    pub reason: String,
}

impl Hive {
    /// Reads the folder.
    ///
    /// # Errors
    /// When it is no folder that can be read; single files become [`Hive::faults`].
    pub fn read(root: &Path) -> std::io::Result<Self> {
        facts::read(root)
    }
}
