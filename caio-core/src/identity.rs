//! Who somebody is: the canonical e-mail key and everything derived from it.
//!
//! Rules of the Python system, kept bit for bit so that both sides agree on who is who:
//! strip Unicode white space (Python's definition, which includes U+001C–U+001F), then full Unicode
//! lower-case (Rust's Unicode version: letters that gained a lower-case form after Unicode 14 keep
//! theirs in Python 3.11). No plus-tag or dot folding, no IDNA.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::pytext::py_strip;
use crate::terms::{Medium, Step};

mod file_name;

pub use file_name::file_name;
pub use file_name::is_record_of;
pub use file_name::old_file_name;

/// Canonical e-mail address: the identity of a person in every record, key and hash.
///
/// Never empty. Made only by [`EmailKey::parse`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(value_type = String))]
pub struct EmailKey(String);

/// An address that is empty after normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the e-mail address is empty; expected something like name@example.com")]
pub struct EmptyEmail;

impl EmailKey {
    /// Normalises `email`; refuses one that is empty then.
    pub fn parse(email: &str) -> Result<Self, EmptyEmail> {
        let key = normalize_email(email);
        if key.is_empty() {
            Err(EmptyEmail)
        } else {
            Ok(Self(key))
        }
    }

    /// The canonical address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part behind the last `@`, or `""`.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl fmt::Display for EmailKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<EmailKey> for String {
    fn from(key: EmailKey) -> Self {
        key.0
    }
}

impl TryFrom<String> for EmailKey {
    type Error = EmptyEmail;
    fn try_from(email: String) -> Result<Self, EmptyEmail> {
        Self::parse(&email)
    }
}

/// Strips and lower-cases; `""` for an empty address.
pub fn normalize_email(email: &str) -> String {
    py_strip(email).to_lowercase()
}

/// Entry of the daily record that says "this person was written to today": `email:` and the
/// canonical address; `""` for an empty one.
pub fn dedup_email_key(email: &str) -> String {
    match normalize_email(email) {
        key if key.is_empty() => key,
        key => format!("email:{key}"),
    }
}

/// Name of a person's cadence record in the shared store: the first 24 hex digits of SHA-256 over
/// the canonical address; `""` for an empty one.
pub fn cadence_email_hash(email: &str) -> String {
    match normalize_email(email) {
        key if key.is_empty() => key,
        key => hex(&Sha256::digest(key)[..12]),
    }
}

/// Id of a cadence action: `<canonical address>|<channel>|s<step>|d<day>`.
///
/// It does not name the cadence; `channel` is the record's own word.
pub fn cadence_action_id(email: &str, channel: &str, step: i64, day: i64) -> String {
    format!("{}|{channel}|s{step}|d{day}", normalize_email(email))
}

/// Id of the one draft that a touch can have: `dr_` and the first 24 hex digits of SHA-256 over
/// `<key>|<medium>|s<step>`.
pub fn draft_id(key: &EmailKey, medium: Medium, step: Step) -> String {
    let digest = Sha256::digest(format!("{key}|{medium}|s{step}"));
    format!("dr_{}", hex(&digest[..12]))
}

/// Lower-case hexadecimal digits of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    bytes
        .iter()
        .flat_map(|byte| {
            [
                DIGITS[usize::from(byte >> 4)],
                DIGITS[usize::from(byte & 15)],
            ]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn golden_values_of_the_reference() {
        for same in ["lead@example.com", "  Lead@Example.COM "] {
            assert_eq!(cadence_email_hash(same), "9fbdefe2837a03c9225be80e");
        }
        assert_eq!(
            cadence_email_hash("ÜNAL@Example.de"),
            "848789347dd244d4a8707d00"
        );
        assert_eq!(cadence_email_hash(" \u{1c}"), "");
        assert_eq!(dedup_email_key("\u{a0}"), "");
        assert_eq!(
            cadence_action_id(" Kim@Acme.test ", "email", 3, 5),
            "kim@acme.test|email|s3|d5"
        );
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(email in "\\PC*") {
            let once = normalize_email(&email);
            prop_assert_eq!(normalize_email(&once), once);
        }

        #[test]
        fn case_and_outer_space_never_matter(
            email in "[a-z0-9.+_-]{1,12}@[a-z0-9-]{1,8}\\.test",
            before in "[ \\t\u{a0}\u{1c}\u{3000}]{0,3}",
            after in "[ \\n\u{85}\u{1f}]{0,3}",
        ) {
            let shouted = format!("{before}{}{after}", email.to_uppercase());
            prop_assert_eq!(normalize_email(&shouted), email.clone());
            prop_assert_eq!(dedup_email_key(&shouted), dedup_email_key(&email));
            prop_assert_eq!(cadence_email_hash(&shouted), cadence_email_hash(&email));
            prop_assert_eq!(EmailKey::parse(&shouted), EmailKey::parse(&email));
        }

        #[test]
        fn keys_are_empty_exactly_for_empty_addresses(email in "\\PC*") {
            let empty = normalize_email(&email).is_empty();
            prop_assert_eq!(dedup_email_key(&email).is_empty(), empty);
            prop_assert_eq!(cadence_email_hash(&email).is_empty(), empty);
            prop_assert_eq!(EmailKey::parse(&email).is_err(), empty);
        }
    }
}
