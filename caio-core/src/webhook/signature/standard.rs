//! Standard Webhooks 1.0: `webhook-id`, `webhook-timestamp` and `webhook-signature` over
//! `id.timestamp.body`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::Sha256;

use super::{Request, SignatureFault};

/// How far a timestamp may lie before and after now.
const WINDOW: SignedDuration = SignedDuration::from_mins(5);

pub(super) fn verify(
    keys: &[SecretSlice<u8>],
    request: &Request<'_>,
    now: Timestamp,
) -> Result<(), SignatureFault> {
    let part = |name| request.header(name)?.ok_or(SignatureFault::Missing);
    let (id, time, given) = (
        part("webhook-id")?,
        part("webhook-timestamp")?,
        part("webhook-signature")?,
    );
    let seconds = std::str::from_utf8(time)
        .ok()
        .and_then(|time| time.parse().ok());
    let at = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    let at = at.ok_or(SignatureFault::Form)?;
    let mut found = false;
    for signature in given.split(|byte| *byte == b' ') {
        let Some(signature) = signature.strip_prefix(b"v1,") else {
            continue;
        };
        let Ok(signature) = STANDARD.decode(signature) else {
            continue;
        };
        for key in keys {
            let hmac = Hmac::<Sha256>::new_from_slice(key.expose_secret());
            found |= hmac.is_ok_and(|hmac| {
                let signed = [id, b".", time, b".", request.body];
                let hmac = signed.iter().fold(hmac, Mac::chain_update);
                hmac.verify_slice(&signature).is_ok()
            });
        }
    }
    if !found {
        return Err(SignatureFault::Mismatch);
    }
    if now.duration_since(at).abs() > WINDOW {
        return Err(SignatureFault::Stale);
    }
    Ok(())
}
