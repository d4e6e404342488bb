//! The seal: a keyed signature over everything that was approved.

use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::Sha256;

use crate::identity::hex;

use super::digest::Canonical;
use super::{Batch, BatchRefusal, Seal};

/// Shortest key that is accepted, in bytes: as long as the signature.
pub const MIN_KEY_BYTES: usize = 32;

/// The keys of `CAIO_SEAL_KEYS`: the first signs, all verify.
pub struct SealKeys {
    keys: Vec<SealKey>,
}

struct SealKey {
    id: String,
    secret: SecretSlice<u8>,
}

/// A value of `CAIO_SEAL_KEYS` that cannot be used. Never shows any part of the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealKeyError {
    /// Two entries have one id.
    #[error("seal keys {first} and {second} have the same id; give each key its own")]
    DuplicateId {
        /// Position of the first, from 1.
        first: usize,
        /// Position of the second, from 1.
        second: usize,
    },
    /// There is no entry.
    #[error(
        "no seal key is configured; expected CAIO_SEAL_KEYS=id:base64 with 32 random bytes or more"
    )]
    Missing,
    /// An entry has no `:`, or an id that is not 1 to 32 letters, digits, `-`, `_` or `.`.
    #[error(
        "seal key {position} is not of the form id:base64 (the id: 1 to 32 letters, digits, `-`, `_`, `.`)"
    )]
    Form {
        /// Position, from 1.
        position: usize,
    },
    /// The key is not base64.
    #[error("seal key {position} is not valid base64; make one with `openssl rand -base64 32`")]
    NotBase64 {
        /// Position, from 1.
        position: usize,
    },
    /// The key is too short.
    #[error(
        "seal key {position} has {bytes} bytes; expected 32 or more, such as from `openssl rand -base64 32`"
    )]
    TooShort {
        /// Position, from 1.
        position: usize,
        /// Its length.
        bytes: usize,
    },
}

impl SealKeyError {
    /// Stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::DuplicateId { .. } => "seal.duplicate_id",
            Self::Form { .. } => "seal.form",
            Self::Missing => "seal.missing",
            Self::NotBase64 { .. } => "seal.not_base64",
            Self::TooShort { .. } => "seal.too_short",
        }
    }
}

impl SealKeys {
    /// Reads `id:base64,id2:base64`; refuses no key, malformed, repeated and short ones.
    pub fn parse(text: &str) -> Result<Self, SealKeyError> {
        let mut keys: Vec<SealKey> = Vec::new();
        for (index, entry) in text.split(',').map(str::trim).enumerate() {
            if entry.is_empty() && text.trim().is_empty() {
                return Err(SealKeyError::Missing);
            }
            let position = index + 1;
            let (id, encoded) = entry
                .split_once(':')
                .filter(|(id, _)| is_key_id(id))
                .ok_or(SealKeyError::Form { position })?;
            let secret = BASE64
                .decode(encoded.trim())
                .map(SecretSlice::from)
                .map_err(|_| SealKeyError::NotBase64 { position })?;
            let bytes = secret.expose_secret().len();
            if bytes < MIN_KEY_BYTES {
                return Err(SealKeyError::TooShort { position, bytes });
            }
            if let Some(first) = keys.iter().position(|key| key.id == id) {
                return Err(SealKeyError::DuplicateId {
                    first: first + 1,
                    second: position,
                });
            }
            keys.push(SealKey {
                id: id.to_owned(),
                secret,
            });
        }
        Ok(Self { keys })
    }

    /// Ids of the keys, the signing one first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.id.as_str())
    }

    /// Signs with the first key.
    pub(super) fn sign(&self, batch: &Batch, approved_by: &str, approved_at: &str) -> Option<Seal> {
        let key = self.keys.first()?;
        let mac = key.mac(batch, approved_by, approved_at)?;
        Some(Seal {
            key_id: key.id.clone(),
            mac: hex(&mac.finalize().into_bytes()),
            approved_by: approved_by.to_owned(),
            approved_at: approved_at.to_owned(),
        })
    }

    /// Verifies in constant time.
    pub(super) fn verify(&self, batch: &Batch) -> Result<(), BatchRefusal> {
        let seal = batch.seal.as_ref().ok_or(BatchRefusal::SealMissing)?;
        let key = self
            .keys
            .iter()
            .find(|key| key.id == seal.key_id)
            .ok_or_else(|| BatchRefusal::SealKeyUnknown {
                key_id: seal.key_id.clone(),
            })?;
        let given = unhex(&seal.mac).ok_or(BatchRefusal::SealMismatch)?;
        key.mac(batch, &seal.approved_by, &seal.approved_at)
            .and_then(|mac| mac.verify_slice(&given).ok())
            .ok_or(BatchRefusal::SealMismatch)
    }
}

impl fmt::Debug for SealKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealKeys")
            .field("ids", &self.ids().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl SealKey {
    /// `None` never happens: HMAC takes keys of any length; the type says otherwise.
    fn mac(&self, batch: &Batch, approved_by: &str, approved_at: &str) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.expose_secret()).ok()?;
        let mut out = Canonical::new(&mut mac);
        out.text("caio-seal-v1");
        out.text(&self.id);
        batch.write_frame(&mut out);
        out.text(approved_by);
        out.text(approved_at);
        batch.write_items(&mut out);
        out.finish();
        Some(mac)
    }
}

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

fn is_key_id(id: &str) -> bool {
    (1..=32).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// 32 bytes from 64 hex digits.
fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            let value = char::from(*digit).to_digit(16)?;
            *byte = (*byte << 4) | u8::try_from(value).ok()?;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::digest::tests::{Edit, edits};
    use crate::batch::lifecycle::fixture;

    #[test]
    fn keys_are_parsed_strictly_and_never_shown() {
        let secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA==";
        let keys = SealKeys::parse(&format!("new:{secret}, old:{secret}")).unwrap();
        assert_eq!(keys.ids().collect::<Vec<_>>(), ["new", "old"]);
        let cases = [
            (String::new(), "seal.missing"),
            (secret.to_owned(), "seal.form"),
            (format!("{secret}:k1"), "seal.form"),
            (format!("k:{secret},"), "seal.form"),
            ("k:***".to_owned(), "seal.not_base64"),
            ("k:c2hvcnQ=".to_owned(), "seal.too_short"),
            (format!("k:{secret},k:{secret}"), "seal.duplicate_id"),
        ];
        for (text, code) in cases {
            let error = SealKeys::parse(&text).unwrap_err();
            assert_eq!(error.code(), code, "{text}");
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("c2V") && !shown.contains("c2hv"), "{shown}");
        }
        let shown = format!("{keys:?}");
        assert!(shown.contains("old") && !shown.contains("c2V") && !shown.contains("secret"));
    }

    #[test]
    fn every_single_edit_breaks_the_seal() {
        let keys = fixture::keys();
        let batch = fixture::approved();
        keys.verify(&batch).unwrap();
        let mut edits = edits();
        edits.extend::<[(&str, Edit); 4]>([
            ("approver", |b| {
                b.seal.as_mut().unwrap().approved_by.push('x');
            }),
            ("approved at", |b| {
                b.seal.as_mut().unwrap().approved_at.push('x');
            }),
            ("mac", |b| b.seal.as_mut().unwrap().mac = "00".repeat(32)),
            ("mac form", |b| b.seal.as_mut().unwrap().mac.truncate(62)),
        ]);
        for (what, edit) in edits {
            let mut edited = batch.clone();
            edit(&mut edited);
            // Whoever can write the record can recompute an unkeyed digest, not the seal.
            edited.digest = edited.compute_digest();
            assert_eq!(
                keys.verify(&edited),
                Err(BatchRefusal::SealMismatch),
                "{what}"
            );
        }
    }

    #[test]
    fn an_old_key_verifies_until_it_is_removed() {
        let batch = fixture::approved();
        let extra = "bmV3LW5ldy1uZXctbmV3LW5ldy1uZXctbmV3LW5ldy0=";
        let rotated = SealKeys::parse(&format!("k2:{extra},{}", fixture::KEYS)).unwrap();
        rotated.verify(&batch).unwrap();
        let retired = SealKeys::parse(&format!("k2:{extra}")).unwrap();
        assert_eq!(
            retired.verify(&batch).unwrap_err().code(),
            "batch.seal_key_unknown"
        );
        let swapped = SealKeys::parse(&format!("k1:{extra}")).unwrap();
        assert_eq!(swapped.verify(&batch), Err(BatchRefusal::SealMismatch));
    }
}
