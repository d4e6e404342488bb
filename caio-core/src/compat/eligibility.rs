//! Who was written to today or must not be written to, by the old records on disk.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::Value;

use super::CompatError;
use super::FileNameRule;
use super::email_to_filename;
use super::normalize_email;
use crate::identity;
use crate::pytext::dict_get;
use crate::pytext::is_truthy;
use crate::pytext::iterate;
use crate::pytext::loads;
use crate::pytext::py_strip;
use crate::pytext::str_of;
use crate::pytext::type_name;

/// Statuses after which nobody is written to again.
const TERMINAL_STATUSES: [&str; 4] = ["bounced", "unsubscribed", "rejected", "disqualified"];

/// A folder of JSON files, read by the caller.
pub trait Folder {
    /// Content of the file of that name; `None` when it is absent or unreadable.
    fn read(&self, name: &str) -> Option<String>;

    /// Names of all files that end in `.json`.
    fn names(&self) -> Vec<String>;
}

impl Folder for BTreeMap<String, String> {
    fn read(&self, name: &str) -> Option<String> {
        self.get(name).cloned()
    }

    fn names(&self) -> Vec<String> {
        self.keys()
            .filter(|name| {
                name.rsplit_once('.')
                    .is_some_and(|(_, ending)| ending == "json")
            })
            .cloned()
            .collect()
    }
}

/// Whether a person may be written to, by the daily record and the `lead_status` folder.
///
/// Keeps PR-1 (somebody else's record under the same file name counts), PR-2, OPD-1 (the
/// outbound send never asks) and that a record that cannot be read suppresses nobody. Corrected:
/// the claim of the ledger together with the suppression list.
pub fn is_lead_eligible(
    email: &Value,
    leads_dispatched: &Value,
    lead_status: &impl Folder,
) -> Result<bool, CompatError> {
    let key = normalize_email(email)?;
    if key.is_empty() {
        return Ok(false);
    }
    let dispatched = known_entries(leads_dispatched)?;
    if dispatched.contains(&identity::dedup_email_key(&key)) || dispatched.contains(&key) {
        return Ok(false);
    }
    let name = email_to_filename(&Value::String(key), FileNameRule::LeadStatus)?;
    let record = lead_status.read(&name).and_then(|text| loads(&text));
    let Some(record) = record.filter(is_truthy) else {
        return Ok(true);
    };
    match dict_get(&record, "status")? {
        Some(Value::String(status)) => Ok(!TERMINAL_STATUSES.contains(&status.as_str())),
        Some(unhashable @ (Value::Array(_) | Value::Object(_))) => Err(CompatError::type_error(
            format!("unhashable type: '{}'", type_name(unhashable)),
        )),
        _ => Ok(true),
    }
}

/// Adds the canonical key of every legacy entry (a bare address or the id of a queued e-mail) to
/// the daily record; returns whether one was added, and the list.
///
/// `shadow_emails` is `None` when the folder does not exist. An id is looked up under its own file
/// name first; that file's recipient counts even if the file names another id.
///
/// Keeps that whatever `to` holds becomes a key, address or not. Corrected: the daily record is no
/// authority; the ledger decides who was written to.
pub fn migrate_legacy_dedup(
    leads_dispatched: &Value,
    shadow_emails: Option<&impl Folder>,
) -> Result<(bool, Value), CompatError> {
    let unchanged = || Ok((false, leads_dispatched.clone()));
    if !is_truthy(leads_dispatched) {
        return unchanged();
    }
    let known = known_entries(leads_dispatched)?;
    let mut missing = BTreeSet::new();
    for entry in iterate(leads_dispatched)? {
        let text = str_of(&entry);
        let text = py_strip(&text);
        if text.is_empty() || text.to_lowercase().starts_with("email:") {
            continue;
        }
        let key = if text.contains('@') {
            identity::dedup_email_key(text)
        } else {
            recipient_key(text, shadow_emails)?
        };
        if !key.is_empty() && !known.contains(&key) {
            missing.insert(key);
        }
    }
    if missing.is_empty() {
        return unchanged();
    }
    let Value::Array(entries) = leads_dispatched else {
        return Err(CompatError::attribute(leads_dispatched, "append"));
    };
    let added = missing.into_iter().map(Value::String);
    Ok((true, entries.iter().cloned().chain(added).collect()))
}

/// The entries of the daily record as texts, stripped and lower-cased.
fn known_entries(leads_dispatched: &Value) -> Result<BTreeSet<String>, CompatError> {
    let entries = iterate(leads_dispatched)?;
    Ok(entries
        .iter()
        .map(|entry| identity::normalize_email(&str_of(entry)))
        .collect())
}

/// Canonical key of the recipient of a queued e-mail; `""` when it is not found.
fn recipient_key(id: &str, folder: Option<&impl Folder>) -> Result<String, CompatError> {
    let Some(folder) = folder else {
        return Ok(String::new());
    };
    let to = match folder.read(&format!("{id}.json")) {
        Some(text) => loads(&text).and_then(|record| record.get("to").cloned()),
        None => recipient_by_id(id, folder)?,
    };
    super::dedup_email_key(&to.unwrap_or(Value::Null))
}

/// `to` of the first file that names `id`; files that are no JSON are passed over, files that hold
/// no object raise.
fn recipient_by_id(id: &str, folder: &impl Folder) -> Result<Option<Value>, CompatError> {
    for name in folder.names() {
        let Some(record) = folder.read(&name).and_then(|text| loads(&text)) else {
            continue;
        };
        if dict_get(&record, "email_id")?.is_some_and(|value| value == id) {
            return Ok(record.get("to").cloned());
        }
    }
    Ok(None)
}
