//! Keys and file names of a person, over any JSON value.

use serde_json::Value;

use super::CompatError;
use crate::identity;
use crate::pytext::is_truthy;
use crate::pytext::text_of;
use crate::terms::terms;

terms! {
    /// Which of the three old rules names a file.
    FileNameRule, "file-name rule", "state_store, cadence_engine, lead_status" {
        /// Cadence records of the state store: stripped and lower-cased.
        StateStore = "state_store",
        /// Cadence records of the cadence engine: lower-cased only.
        CadenceEngine = "cadence_engine",
        /// Lead status records: lower-cased only.
        LeadStatus = "lead_status",
    }
}

/// Canonical address; `""` for every empty or null value, an `AttributeError` for other types.
///
/// The same for texts as [`crate::identity::normalize_email`].
pub fn normalize_email(email: &Value) -> Result<String, CompatError> {
    if is_truthy(email) {
        text_of(email, "strip").map(identity::normalize_email)
    } else {
        Ok(String::new())
    }
}

/// Key of the daily record; see [`crate::identity::dedup_email_key`].
pub fn dedup_email_key(email: &Value) -> Result<String, CompatError> {
    normalize_email(email).map(|key| identity::dedup_email_key(&key))
}

/// Name of a cadence record; see [`crate::identity::cadence_email_hash`].
pub fn cadence_email_hash(email: &Value) -> Result<String, CompatError> {
    normalize_email(email).map(|key| identity::cadence_email_hash(&key))
}

/// File name by one of the old rules.
///
/// Keeps PR-1 (two people can share a name; an address that starts with `/` leaves the folder,
/// shown as `ABSOLUTE:<path>` for the state store) and PR-2 (two of the rules do not strip).
/// Corrected: [`crate::identity::file_name`], with [`crate::identity::old_file_name`] for look-ups.
pub fn email_to_filename(email: &Value, rule: FileNameRule) -> Result<String, CompatError> {
    let address: String = match rule {
        FileNameRule::StateStore => normalize_email(email)?,
        FileNameRule::CadenceEngine | FileNameRule::LeadStatus => {
            text_of(email, "lower")?.to_lowercase()
        }
    };
    let name = format!("{}.json", address.replace('@', "_at_").replace('.', "_"));
    Ok(match rule {
        FileNameRule::StateStore => joined_by_pathlib(&name),
        FileNameRule::CadenceEngine | FileNameRule::LeadStatus => name,
    })
}

/// The path below its folder as `pathlib` joins it: repeated slashes collapse, an absolute path
/// replaces the folder (exactly two leading slashes are kept, as POSIX has them).
fn joined_by_pathlib(name: &str) -> String {
    let below = name
        .split('/')
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("/");
    match name.bytes().take_while(|byte| *byte == b'/').count() {
        0 => below,
        2 => format!("ABSOLUTE://{below}"),
        _ => format!("ABSOLUTE:/{below}"),
    }
}
