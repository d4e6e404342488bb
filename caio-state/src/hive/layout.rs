//! Which document stands in which file of the folder.
//!
//! The Python system spells an address into the name of a file, and two people may get one name. Its
//! names are still read, and what counts is the address inside; ours are hashes.

use std::path::{Path, PathBuf};

use caio_core::EmailKey;
use caio_core::identity::{cadence_email_hash, file_name, hex};
use caio_core::pytext::{dumps, dumps_indented};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::files::Trouble;
use crate::key::Key;

/// Folder of everything that the Python system has no place for.
pub(super) const OWN: &str = "caio";

/// The one file of its daily record.
const DAILY: &str = "operator_state.json";

/// A status that releases a batch there, and what we write in its place: it knows no such word.
const APPROVED: (&str, &str) = ("approved", "caio_approved");

/// Where the documents of one kind stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// `operator:batch:{id}`, a file each, named by the id.
    Batch,
    /// `cadence:lead:{hash}` or `caio:status:{hash}`, a file each.
    Person {
        /// Beginning of the key.
        prefix: &'static str,
        /// Folder.
        folder: &'static str,
    },
    /// `operator:state:{day}`: one file, which holds one day.
    Daily,
    /// Anything else.
    Own,
}

pub(super) const CADENCES: Family = Family::Person {
    prefix: "cadence:lead:",
    folder: "cadence_state",
};
pub(super) const STATUSES: Family = Family::Person {
    prefix: "caio:status:",
    folder: "lead_status",
};
pub(super) const BATCHES: (&str, &str) = ("operator:batch:", "operator_batches");
const DAYS: &str = "operator:state:";

impl Family {
    /// The family of a document.
    pub(super) fn of(key: &Key) -> Self {
        let name = key.as_str();
        let is_id = |id: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            !id.is_empty() && id.chars().all(plain)
        };
        for family in [CADENCES, STATUSES] {
            if let Self::Person { prefix, .. } = family
                && name.strip_prefix(prefix).is_some_and(is_id)
            {
                return family;
            }
        }
        if name.strip_prefix(BATCHES.0).is_some_and(is_id) {
            return Self::Batch;
        }
        if name.strip_prefix(DAYS).is_some_and(is_id) {
            return Self::Daily;
        }
        Self::Own
    }

    /// The document that a file of this family holds.
    pub(super) fn key_of(self, file: &Path, record: &Value) -> Result<Key, Trouble> {
        let member = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or("");
        match self {
            Self::Batch => {
                let stem = file.file_stem().and_then(|stem| stem.to_str());
                let id = stem.unwrap_or("");
                match member("batch_id") {
                    inner if inner == id => Ok(Key::new(&["operator", "batch", id])),
                    inner => Err(Trouble::new(format!(
                        "it is named after another batch than the one inside, {inner:?}"
                    ))),
                }
            }
            Self::Person { prefix, .. } => match EmailKey::parse(member("email")) {
                Ok(person) => {
                    let person = cadence_email_hash(person.as_str());
                    Ok(Key::new(&[prefix, &person]))
                }
                Err(_) => Err(Trouble::new("`email` inside holds no address")),
            },
            Self::Daily => match member("date") {
                "" => Err(Trouble::new("`date` inside is missing")),
                date => Ok(Key::new(&["operator", "state", date])),
            },
            Self::Own => Err(Trouble::new("it is no record of the Python system")),
        }
    }
}

/// The one file that may hold `key`; `None` for a person, whose file has to be looked for.
pub(super) fn file_of(root: &Path, key: &Key) -> Option<PathBuf> {
    match Family::of(key) {
        Family::Batch => {
            let id = key.as_str().strip_prefix(BATCHES.0)?;
            Some(root.join(BATCHES.1).join(format!("{id}.json")))
        }
        Family::Daily => Some(root.join(DAILY)),
        Family::Own => {
            let name = hex(&Sha256::digest(key.as_str()));
            Some(root.join(OWN).join(format!("{name}.rec")))
        }
        Family::Person { .. } => None,
    }
}

/// The name of a person's new file.
pub(super) fn new_file(root: &Path, folder: &str, record: &Value) -> Option<PathBuf> {
    let email = record.get("email").and_then(Value::as_str)?;
    let person = EmailKey::parse(email).ok()?;
    Some(root.join(folder).join(file_name(&person)))
}

/// Whether a file's name is ours and begins with the hash that `key` ends with.
pub(super) fn is_named_by(file: &Path, key: &Key) -> bool {
    let hash = key.as_str().rsplit(':').next().unwrap_or("");
    let stem = file.file_stem().and_then(|stem| stem.to_str());
    stem.is_some_and(|stem| stem.len() == 64 && stem.starts_with(hash))
}

/// The value of a record as it stands in Redis: one line.
pub(super) fn value_of(record: &Value) -> Vec<u8> {
    dumps(record).into_bytes()
}

/// The text of a file for a value, as the Python system writes it, and the record in it. An approved
/// batch is written with a word that the Python system does not act on.
pub(super) fn text_of(family: Family, value: &[u8]) -> Option<(Vec<u8>, Value)> {
    let mut record: Value = serde_json::from_slice(value).ok()?;
    if !record.is_object() {
        return None;
    }
    if family == Family::Batch && record["status"] == APPROVED.0 {
        record["status"] = APPROVED.1.into();
    }
    Some((dumps_indented(&record).into_bytes(), record))
}
