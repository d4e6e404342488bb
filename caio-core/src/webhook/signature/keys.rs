//! The keys that a provider's requests are checked with. Two of a kind are valid while one follows
//! the other.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::VerifyingKey;
use secrecy::SecretSlice;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::super::Source;

/// Public key of the provider's marketplace, as its documentation prints it (SPKI).
const GHL_PUBLIC_KEY: &str = "MCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg=";

/// Most keys of one kind.
const MOST: usize = 2;

/// Shortest key that a person may choose, in bytes.
const SHORTEST: usize = 16;

/// SHA-256 of a key: enough to compare with, of no use to anybody else.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyDigest(String);

/// Keys of one provider.
#[derive(Default)]
pub struct Keys {
    pub(super) hmac: Vec<SecretSlice<u8>>,
    pub(super) digests: Vec<KeyDigest>,
    pub(super) standard: Vec<SecretSlice<u8>>,
    pub(super) ed25519: Vec<VerifyingKey>,
}

/// A key that cannot be used. Shows nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadKey {
    /// It is no public key.
    #[error("a public key is 32 bytes in base64, alone or in an SPKI record")]
    Public,
    /// It is no key of Standard Webhooks.
    #[error("a key of Standard Webhooks is `whsec_` and 24 to 64 bytes in base64")]
    Standard,
    /// There are two of that kind already.
    #[error("at most two keys of one kind can be valid at once; take one out first")]
    TooMany,
    /// It is too short.
    #[error("a webhook key needs 16 characters or more")]
    TooShort,
}

impl BadKey {
    /// Stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Public | Self::Standard => "webhook.key_form",
            Self::TooMany => "webhook.key_too_many",
            Self::TooShort => "webhook.key_too_short",
        }
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyDigest(…)")
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("hmac", &self.hmac.len())
            .field("keys", &self.digests.len())
            .field("standard", &self.standard.len())
            .field("ed25519", &self.ed25519.len())
            .finish()
    }
}

impl KeyDigest {
    /// The digest of `key`.
    pub fn of(key: &str) -> Self {
        Self(STANDARD.encode(Sha256::digest(key)))
    }

    /// Whether it is the digest of `key`, in constant time.
    pub fn is_of(&self, key: &[u8]) -> bool {
        let given = STANDARD.encode(Sha256::digest(key));
        bool::from(given.as_bytes().ct_eq(self.0.as_bytes()))
    }
}

/// A fresh key from random bytes, fit for a header and an address.
pub fn fresh_key(random: [u8; 32]) -> String {
    format!("whk_{}", URL_SAFE_NO_PAD.encode(random))
}

/// Variables that hold the secret that bodies are signed with.
const fn hmac_variable(source: Source) -> &'static str {
    match source {
        Source::Instantly => "INSTANTLY_WEBHOOK_SECRET",
        Source::HeyReach => "HEYREACH_WEBHOOK_SECRET",
        Source::Ghl => "GHL_WEBHOOK_SECRET",
        Source::Rb2b => "RB2B_WEBHOOK_SECRET",
        Source::Clay => "CLAY_WEBHOOK_SECRET",
    }
}

/// Variables that hold a key for a header.
const fn header_variable(source: Source) -> Option<&'static str> {
    match source {
        Source::Instantly | Source::Clay => Some("WEBHOOK_BEARER_TOKEN"),
        Source::HeyReach => Some("HEYREACH_BEARER_TOKEN"),
        Source::Ghl | Source::Rb2b => None,
    }
}

impl Keys {
    /// No key at all.
    pub const fn none() -> Self {
        Self {
            hmac: Vec::new(),
            digests: Vec::new(),
            standard: Vec::new(),
            ed25519: Vec::new(),
        }
    }

    /// The keys of the environment, where `variable` says what a variable holds. Two secrets stand
    /// beside each other, with a blank between them.
    ///
    /// # Errors
    /// A key that cannot be used, with the name of its variable.
    pub fn configured<'v>(
        source: Source,
        variable: impl Fn(&str) -> Option<&'v str>,
    ) -> Result<Self, (&'static str, BadKey)> {
        let mut keys = Self::of(source);
        let mut each = |name: &'static str, add: fn(&mut Self, &str) -> Result<(), BadKey>| {
            let texts = variable(name).unwrap_or("").split_whitespace();
            texts
                .into_iter()
                .try_for_each(|text| add(&mut keys, text))
                .map_err(|error| (name, error))
        };
        each(hmac_variable(source), Self::add_hmac)?;
        if let Some(name) = header_variable(source) {
            each(name, Self::add_key)?;
        }
        each("CAIO_WEBHOOK_SECRETS", Self::add_standard)?;
        if source == Source::Ghl {
            each("GHL_WEBHOOK_PUBLIC_KEY", Self::trust_ed25519)?;
        }
        Ok(keys)
    }

    /// No key but those that the provider itself publishes.
    pub fn of(source: Source) -> Self {
        let mut keys = Self::default();
        if source == Source::Ghl {
            keys.ed25519.extend(published(GHL_PUBLIC_KEY));
        }
        keys
    }

    /// Whether nothing can be checked, and so nothing is taken.
    pub fn is_empty(&self, source: Source) -> bool {
        let signs = source == Source::Ghl && !self.ed25519.is_empty();
        !signs && self.hmac.is_empty() && self.digests.is_empty() && self.standard.is_empty()
    }

    /// Adds a secret that bodies are signed with (HMAC-SHA256).
    ///
    /// # Errors
    /// One shorter than 16 bytes, and a third one.
    pub fn add_hmac(&mut self, secret: &str) -> Result<(), BadKey> {
        check(secret, self.hmac.len())?;
        self.hmac
            .push(SecretSlice::from(secret.as_bytes().to_vec()));
        Ok(())
    }

    /// Adds a key that comes in a header or the address.
    ///
    /// # Errors
    /// One shorter than 16 bytes.
    pub fn add_key(&mut self, key: &str) -> Result<(), BadKey> {
        check(key, 0)?;
        self.digests.push(KeyDigest::of(key));
        Ok(())
    }

    /// Adds the digest of such a key.
    pub fn add_digest(&mut self, digest: KeyDigest) {
        self.digests.push(digest);
    }

    /// Adds a key of Standard Webhooks, `whsec_…`.
    ///
    /// # Errors
    /// Another form or length, and a third one.
    pub fn add_standard(&mut self, key: &str) -> Result<(), BadKey> {
        let encoded = key.trim().strip_prefix("whsec_").ok_or(BadKey::Standard)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| BadKey::Standard)?;
        if !(24..=64).contains(&bytes.len()) {
            return Err(BadKey::Standard);
        }
        if self.standard.len() >= MOST {
            return Err(BadKey::TooMany);
        }
        self.standard.push(SecretSlice::from(bytes));
        Ok(())
    }

    /// Trusts this Ed25519 key (base64, raw or SPKI) in place of the published one: for stand-ins
    /// of the provider.
    ///
    /// # Errors
    /// What is no such key.
    pub fn trust_ed25519(&mut self, key: &str) -> Result<(), BadKey> {
        self.ed25519 = vec![published(key).ok_or(BadKey::Public)?];
        Ok(())
    }
}

fn check(key: &str, have: usize) -> Result<(), BadKey> {
    if key.len() < SHORTEST {
        return Err(BadKey::TooShort);
    }
    if have >= MOST {
        return Err(BadKey::TooMany);
    }
    Ok(())
}

/// The key of a base64 text: 32 bytes, alone or at the end of an SPKI record.
fn published(text: &str) -> Option<VerifyingKey> {
    let bytes = STANDARD.decode(text.trim()).ok()?;
    let raw = bytes
        .last_chunk::<32>()
        .filter(|_| matches!(bytes.len(), 32 | 44))?;
    VerifyingKey::from_bytes(raw).ok()
}
