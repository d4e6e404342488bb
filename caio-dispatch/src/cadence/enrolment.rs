//! One person in the follow-up.

use caio_core::EmailKey;
use caio_core::cadence::{Plan, ProgressFault, Record, due_day};
use caio_core::pytext::dumps;
use caio_core::signals::Facts;
use caio_core::terms::Tier;
use caio_state::{Key, Write};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{DispatchError, Result};
use crate::records;

/// Statuses of a follow-up.
pub const STATUSES: [&str; 4] = ["active", "paused", "completed", "exited"];

/// One person in the follow-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolment {
    /// Who.
    pub person: EmailKey,
    /// Where it stands, in the shape of the old system's record.
    pub record: Record,
    /// The day on which something is to be done, `YYYY-MM-DD`; only while it is active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
}

impl Enrolment {
    /// An enrolment whose record is `record`, due as `facts` have it.
    ///
    /// # Errors
    /// A record that cannot be read.
    pub(super) fn new(
        person: &EmailKey,
        record: Record,
        plan: &Plan,
        facts: &Facts,
    ) -> std::result::Result<Self, ProgressFault> {
        let due = due_day(&record, plan, facts)?.map(|day| day.to_string());
        Ok(Self {
            person: person.clone(),
            record,
            due,
        })
    }

    /// `active`, `paused`, `completed` or `exited`.
    pub fn status(&self) -> &str {
        self.text("status")
    }

    /// A text of the record, `""` where there is none.
    pub fn text(&self, member: &str) -> &str {
        self.record
            .get(member)
            .and_then(Value::as_str)
            .unwrap_or("")
    }

    /// The step whose turn it is.
    pub fn step(&self) -> i64 {
        let step = self.record.get("current_step");
        step.and_then(Value::as_i64).unwrap_or(0)
    }

    /// Tier at the first touch; the lowest where the record names none.
    pub fn tier(&self) -> Tier {
        self.text("tier").parse().unwrap_or(Tier::Four)
    }

    /// Key of its record.
    pub fn key(&self) -> Key {
        records::cadence(&self.person)
    }

    /// Writes that store it and move it from the index of `before` to that of its status.
    pub(crate) fn writes(&self, before: Option<&str>) -> Result<Vec<Write>> {
        let key = self.key();
        let mut writes = Vec::with_capacity(3);
        if let Some(before) = before.filter(|before| *before != self.status()) {
            writes.push(Write::Unindex {
                index: records::cadence_index(before),
                key: key.clone(),
            });
        }
        writes.push(Write::Index {
            index: records::cadence_index(self.status()),
            order: self.place(),
            key: key.clone(),
        });
        writes.push(Write::Put {
            key,
            value: serde_json::to_vec(self)?,
            expires_in: None,
        });
        Ok(writes)
    }

    /// Its place in the index: the day, then what a summary counts.
    fn place(&self) -> String {
        let due = self.due.as_deref().unwrap_or("-");
        let why = self.text("exit_reason").replace('|', "/");
        format!(
            "{due}|{}|{why}|{}",
            self.step(),
            records::person(&self.person)
        )
    }

    /// The record where the Python system looks for it.
    pub(super) fn mirrored(&self) -> Write {
        Write::Put {
            key: records::shared_cadence(&self.person),
            value: dumps(&Value::Object(self.record.clone())).into_bytes(),
            expires_in: None,
        }
    }
}

/// Day, step and reason of a place in the index.
pub(super) fn parts(place: &str) -> (&str, &str, &str) {
    let mut parts = place.split('|');
    let mut next = || parts.next().unwrap_or("");
    (next(), next(), next())
}

/// A record that cannot be read, as an error of this crate.
pub(super) fn unreadable(fault: &ProgressFault) -> DispatchError {
    DispatchError::Refused {
        code: fault.code(),
        reason: fault.to_string(),
    }
}
