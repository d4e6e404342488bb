//! Who may do what with the service: roles, and the form of tokens.
//!
//! A token's text is `caio_<id>_<secret>`: the id finds its record, the secret is compared by
//! digest, in constant time. No record holds a secret (http D-14).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use thiserror::Error;

/// What somebody may do; each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Role {
    /// Look at everything, change nothing.
    Viewer,
    /// Decide about drafts and batches.
    Approver,
    /// Run and stop sending, work with suppressions, webhooks and campaigns.
    Operator,
    /// Hand out tokens.
    Admin,
}

impl Role {
    /// All of them, the least first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Approver, Self::Operator, Self::Admin];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Approver => "approver",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no role.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is no role; expected viewer, approver, operator or admin")]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| UnknownRole(text.chars().take(40).collect()))
    }
}

/// What every kind of token begins with, so that secret scanners can find one that got out.
const PREFIX: &str = "caio_";

/// Longest token that is looked at, bytes.
pub const MAX_TOKEN: usize = 512;

/// SHA-256 of a secret: the form in which it is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SecretDigest([u8; 32]);

impl SecretDigest {
    /// The digest of `secret`.
    pub fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// From 64 hex digits; `None` for anything else.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).ok()?;
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// 64 hex digits.
    pub fn to_hex(self) -> String {
        crate::identity::hex(&self.0)
    }

    /// Whether both are of one secret; takes the same time whatever they are.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretDigest(…)")
    }
}

/// The text of a token.
pub fn token_text(id: &str, secret: &str) -> String {
    format!("{PREFIX}{id}_{secret}")
}

/// The id that a token's text carries; `None` when it is no token of ours.
///
/// ```
/// use caio_core::access::{token_id, token_text};
///
/// assert_eq!(token_id(&token_text("0190ab", "s3cret")), Some("0190ab"));
/// assert_eq!(token_id("caio_../x_y"), None);
/// ```
pub fn token_id(text: &str) -> Option<&str> {
    let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
    let is_id = (1..=32).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_id && !secret.is_empty()).then_some(id)
}

/// A local address to go to after a login; anything that could lead elsewhere is `/`.
///
/// ```
/// use caio_core::access::local_target;
///
/// assert_eq!(local_target("/sales?tab=queue"), "/sales?tab=queue");
/// assert_eq!(local_target("//evil.example.com"), "/");
/// assert_eq!(local_target("/\\evil.example.com"), "/");
/// ```
pub fn local_target(text: &str) -> &str {
    let is_local = text.starts_with('/')
        && !text.starts_with("//")
        && !text.contains('\\')
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_local { text } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn roles_are_ordered_and_read_back() {
        assert!(Role::ALL.is_sorted());
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        assert!("root".parse::<Role>().is_err());
    }

    #[test]
    fn a_digest_reads_back_and_never_shows() {
        let digest = SecretDigest::of("s3cret");
        assert_eq!(SecretDigest::from_hex(&digest.to_hex()), Some(digest));
        assert!(!digest.matches(&SecretDigest::of("s3creT")));
        assert!(!format!("{digest:?}").contains(&digest.to_hex()[..8]));
        assert_eq!(SecretDigest::from_hex("zz"), None);
    }

    proptest! {
        #[test]
        fn nothing_but_a_local_address_is_gone_to(text in ".{0,40}") {
            let target = local_target(&text);
            prop_assert!(target.starts_with('/') && !target.starts_with("//"));
            prop_assert!(!target.contains(['\\', '\r', '\n']));
        }

        #[test]
        fn a_token_reads_back(id in "[0-9a-f]{1,32}", secret in "[A-Za-z0-9_-]{1,60}") {
            let text = token_text(&id, &secret);
            prop_assert_eq!(token_id(&text), Some(id.as_str()));
        }
    }
}
