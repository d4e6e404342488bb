//! Who sent a webhook: by the means that each provider really has.
//!
//! | provider | what it can do |
//! |---|---|
//! | Instantly, Clay | a header of our choice: `Authorization: Bearer KEY` or `X-Caio-Webhook-Key: KEY` |
//! | HeyReach, RB2B | nothing but its address: `?key=KEY` |
//! | `GoHighLevel` | `X-GHL-Signature`: Ed25519 over the body; a workflow can set a header |
//! | relays of ours | `X-…-Signature`: hex HMAC-SHA256 of the body, or Standard Webhooks |
//!
//! A request proves itself by one of these. A signature that is there and can be checked has to be
//! right, whatever else is there. Without any key for a provider nothing of it is taken.

mod keys;
mod standard;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use sha2::Sha256;

use super::{Source, fields};

pub use keys::{BadKey, KeyDigest, Keys, fresh_key};

/// How old a signed body may be: the provider sends one again for some hours when we are busy, and
/// what was seen before is told by its key.
pub const SIGNED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// How far ahead of ours a signer's clock may be.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// What a request brings to prove itself.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Header fields as they came, each with its name in any case.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The key in its address.
    pub url_key: Option<&'a str>,
    /// The body, byte for byte.
    pub body: &'a [u8],
}

/// How a request proved itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// Ed25519 signature of the provider.
    Ed25519,
    /// Key in a header.
    Header,
    /// HMAC-SHA256 of a relay.
    Hmac,
    /// Standard Webhooks.
    Standard,
    /// Key in the address.
    Url,
}

/// Why a request is not taken. Shows nothing of a key or a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureFault {
    /// It is not of the form that it should have.
    #[error("the signature or key of the webhook is not of the expected form")]
    Form,
    /// There is nothing to prove it.
    #[error("the webhook carries no signature or key")]
    Missing,
    /// It is signed or keyed by somebody else, or was changed.
    #[error("the signature or key of the webhook is wrong")]
    Mismatch,
    /// It was signed too long ago, or in the future.
    #[error("the webhook was signed too long ago, or by a clock that is ahead")]
    Stale,
    /// There is no key to check it with.
    #[error("no webhook key is set up for this provider; `caio webhooks setup` makes one")]
    Unconfigured,
}

impl SignatureFault {
    /// Stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Form => "webhook.signature_form",
            Self::Missing => "webhook.signature_missing",
            Self::Mismatch => "webhook.signature_wrong",
            Self::Stale => "webhook.signature_stale",
            Self::Unconfigured => "webhook.unconfigured",
        }
    }
}

/// Checks who sent `request`, at `now`.
///
/// # Errors
/// Whatever does not prove itself; a provider without any key always.
pub fn verify(
    source: Source,
    keys: &Keys,
    request: &Request<'_>,
    now: Timestamp,
) -> Result<Proof, SignatureFault> {
    if keys.is_empty(source) {
        return Err(SignatureFault::Unconfigured);
    }
    if !keys.standard.is_empty() && request.header("webhook-signature")?.is_some() {
        return standard::verify(&keys.standard, request, now).map(|()| Proof::Standard);
    }
    for name in signature_headers(source) {
        let Some(given) = request.header(name)? else {
            continue;
        };
        if let Some(proof) = signed(source, keys, given, request.body, now)? {
            return Ok(proof);
        }
    }
    if let Some(given) = request.header_key()? {
        return matches(keys, given).map(|()| Proof::Header);
    }
    match request.url_key.filter(|_| takes_url_key(source)) {
        Some(given) => matches(keys, given.as_bytes()).map(|()| Proof::Url),
        None => Err(SignatureFault::Missing),
    }
}

/// Whether the provider can send nothing but an address.
pub const fn takes_url_key(source: Source) -> bool {
    matches!(source, Source::HeyReach | Source::Rb2b)
}

/// Names of the headers that may hold a signature of the body.
pub const fn signature_headers(source: Source) -> &'static [&'static str] {
    match source {
        Source::Instantly => &["x-instantly-signature"],
        Source::HeyReach => &["x-heyreach-signature"],
        Source::Ghl => &["x-ghl-signature"],
        Source::Rb2b => &["x-signature", "x-rb2b-signature"],
        Source::Clay => &["x-clay-signature"],
    }
}

impl<'a> Request<'a> {
    /// The header of that name, trimmed; one that comes twice is refused.
    fn header(&self, name: &str) -> Result<Option<&'a [u8]>, SignatureFault> {
        let mut found = self
            .headers
            .iter()
            .filter(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim_ascii());
        let first = found.next();
        if found.next().is_some() {
            return Err(SignatureFault::Form);
        }
        Ok(first.filter(|value| !value.is_empty()))
    }

    /// The key in a header.
    fn header_key(&self) -> Result<Option<&'a [u8]>, SignatureFault> {
        if let Some(key) = self.header("x-caio-webhook-key")? {
            return Ok(Some(key));
        }
        let Some(value) = self.header("authorization")? else {
            return Ok(None);
        };
        match value.split_at_checked(7) {
            Some((scheme, key)) if scheme.eq_ignore_ascii_case(b"bearer ") => {
                Ok(Some(key.trim_ascii()))
            }
            _ => Err(SignatureFault::Form),
        }
    }
}

/// Checks a signature of the body; `None` when there is no key of its kind.
fn signed(
    source: Source,
    keys: &Keys,
    given: &[u8],
    body: &[u8],
    now: Timestamp,
) -> Result<Option<Proof>, SignatureFault> {
    if let Some(mac) = hex_mac(given) {
        if keys.hmac.is_empty() {
            return Ok(None);
        }
        // Every key is tried, so that time does not tell which one matched.
        let found = keys.hmac.iter().fold(false, |found, key| {
            let hmac = Hmac::<Sha256>::new_from_slice(key.expose_secret());
            let right = hmac.is_ok_and(|hmac| hmac.chain_update(body).verify_slice(&mac).is_ok());
            found | right
        });
        return found
            .then_some(Some(Proof::Hmac))
            .ok_or(SignatureFault::Mismatch);
    }
    if source != Source::Ghl {
        return if keys.hmac.is_empty() {
            Ok(None)
        } else {
            Err(SignatureFault::Form)
        };
    }
    let signature = STANDARD.decode(given).map_err(|_| SignatureFault::Form)?;
    let signature =
        ed25519_dalek::Signature::from_slice(&signature).map_err(|_| SignatureFault::Form)?;
    let right = keys
        .ed25519
        .iter()
        .any(|key| key.verify_strict(body, &signature).is_ok());
    if !right {
        return Err(SignatureFault::Mismatch);
    }
    let at = fields::signed_at(body);
    let stale = at.is_some_and(|at| {
        let age = now.duration_since(at);
        age > SIGNED_FOR || age < -AHEAD
    });
    if stale {
        return Err(SignatureFault::Stale);
    }
    Ok(Some(Proof::Ed25519))
}

/// 32 bytes in hexadecimal digits of either case, with or without `sha256=` before them.
fn hex_mac(given: &[u8]) -> Option<[u8; 32]> {
    let prefix = |prefix: &str| {
        let (head, rest) = given.split_at_checked(prefix.len())?;
        head.eq_ignore_ascii_case(prefix.as_bytes()).then_some(rest)
    };
    let digits = prefix("hmac-sha256=")
        .or_else(|| prefix("sha256="))
        .unwrap_or(given);
    let mut mac = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in mac.iter_mut().zip(digits.chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        let plain = pair.bytes().all(|digit| digit.is_ascii_hexdigit());
        *byte = u8::from_str_radix(pair, 16).ok().filter(|_| plain)?;
    }
    Some(mac)
}

fn matches(keys: &Keys, given: &[u8]) -> Result<(), SignatureFault> {
    let found = keys
        .digests
        .iter()
        .fold(false, |found, key| found | key.is_of(given));
    found.then_some(()).ok_or(SignatureFault::Mismatch)
}

#[cfg(test)]
mod tests;
