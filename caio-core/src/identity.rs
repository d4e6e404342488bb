//! Who somebody is: the canonical e-mail key and everything derived from it.
//!
//! Rules of the Python system, kept bit for bit so that both sides agree on who is who:
//! strip Unicode white space (Python's definition, which includes U+001C–U+001F), then full Unicode
//! lower-case. No plus-tag or dot folding, no IDNA.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::terms::{Medium, Step};

/// Canonical e-mail address: the identity of a person in every record, key and hash.
///
/// Never empty. Made only by [`EmailKey::parse`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
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
    email
        .trim_matches(|c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c))
        .to_lowercase()
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
