//! The preview hash: what the Python system compares before it executes a batch.
//!
//! SHA-256 over a canonical JSON text of motion, ids and cadence actions, bit for bit as Python
//! computes it, so that both sides read the same records. It covers neither content nor recipient
//! nor expiry (PR-3) and needs no key (PR-4): it shows drift, not tampering. What an approval
//! rests on is the seal of the batch.

use std::fmt;
use std::fmt::Write;
use std::str::FromStr;

use sha2::Digest;
use sha2::Sha256;

use crate::identity::hex;
use crate::identity::normalize_email;
use crate::pytext::push_ascii_string;

/// What the hash covers; the order of the lists does not matter, duplicates do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PreviewScope<'a> {
    /// Programme, as the record spells it; `None` for a null.
    pub motion: Option<&'a str>,
    /// Ids of queued e-mails.
    pub shadow_email_ids: &'a [&'a str],
    /// Ids of queued e-mails whose recipients are contacted on LinkedIn.
    pub linkedin_shadow_ids: &'a [&'a str],
    /// Addresses of people to revive, verbatim.
    pub revival_emails: &'a [&'a str],
    /// Steps of running cadences.
    pub cadence_actions: &'a [PreviewAction<'a>],
}

/// One cadence step in the scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PreviewAction<'a> {
    /// See [`crate::identity::cadence_action_id`].
    pub action_id: &'a str,
    /// Recipient; normalised before hashing.
    pub email: &'a str,
    /// Channel, as the record spells it.
    pub channel: &'a str,
    /// Position in the cadence.
    pub step: i64,
    /// Day of the cadence.
    pub day: i64,
}

/// 64 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PreviewHash(String);

/// A text that is not 64 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a preview hash of 64 lower-case hex digits; copy it from the batch")]
pub struct NotAPreviewHash;

impl NotAPreviewHash {
    /// Stable code of this error.
    pub const CODE: &'static str = "preview_hash.malformed";
}

impl PreviewHash {
    /// The hash of a canonical text.
    pub(crate) fn of_canonical(text: &str) -> Self {
        Self(hex(&Sha256::digest(text)))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PreviewHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for PreviewHash {
    type Err = NotAPreviewHash;
    fn from_str(text: &str) -> Result<Self, NotAPreviewHash> {
        let digits = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if digits && text.len() == 64 {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAPreviewHash)
        }
    }
}

/// The hash of a scope.
///
/// ```
/// use caio_core::{PreviewScope, preview_hash};
/// let scope = PreviewScope {
///     motion: Some("outbound"),
///     shadow_email_ids: &["seed_2", "seed_1"],
///     ..PreviewScope::default()
/// };
/// assert_eq!(
///     preview_hash(&scope).as_str(),
///     "01dc9c9208df4b7579f433e0d5ed5a583dd2b737493f40fc3375a5d0d1818cac",
/// );
/// ```
pub fn preview_hash(scope: &PreviewScope<'_>) -> PreviewHash {
    let lists = [
        scope.linkedin_shadow_ids,
        scope.revival_emails,
        scope.shadow_email_ids,
    ];
    let text_bytes: usize = lists
        .iter()
        .flat_map(|ids| ids.iter())
        .map(|id| id.len() + 3)
        .sum();
    let mut out = String::with_capacity(200 + text_bytes + scope.cadence_actions.len() * 160);

    out.push_str("{\"approved_cadence_actions\":[");
    let mut actions: Vec<_> = scope.cadence_actions.iter().collect();
    actions.sort_by_key(|action| action.action_id);
    for (index, action) in actions.into_iter().enumerate() {
        out.push_str(if index == 0 { "" } else { "," });
        push_action(&mut out, action);
    }
    out.push(']');
    let keys = [
        "approved_linkedin_shadow_ids",
        "approved_revival_emails",
        "approved_shadow_email_ids",
    ];
    for (key, ids) in keys.into_iter().zip(lists) {
        // Writing to a `String` cannot fail.
        let _ = write!(out, ",\"{key}\":");
        push_sorted_strings(&mut out, ids.iter().copied());
    }
    out.push_str(",\"motion\":");
    match scope.motion {
        Some(motion) => push_ascii_string(&mut out, motion),
        None => out.push_str("null"),
    }
    out.push('}');
    PreviewHash::of_canonical(&out)
}

fn push_action(out: &mut String, action: &PreviewAction<'_>) {
    push_action_fields(
        out,
        action.action_id,
        action.channel,
        action.day,
        &normalize_email(action.email),
        action.step,
    );
}

/// Writes the five members of an action in the order of their keys.
pub(crate) fn push_action_fields(
    out: &mut String,
    action_id: &str,
    channel: &str,
    day: impl fmt::Display,
    email: &str,
    step: impl fmt::Display,
) {
    out.push_str("{\"action_id\":");
    push_ascii_string(out, action_id);
    out.push_str(",\"channel\":");
    push_ascii_string(out, channel);
    // Writing to a `String` cannot fail.
    let _ = write!(out, ",\"day\":{day},\"email\":");
    push_ascii_string(out, email);
    let _ = write!(out, ",\"step\":{step}}}");
}

/// Writes the list sorted by code point, which is the order of UTF-8 bytes.
///
/// Ids mostly differ behind a common beginning such as `shadow_`; comparing the eight bytes
/// behind it as one number spares most text comparisons.
pub(crate) fn push_sorted_strings<'a>(out: &mut String, ids: impl Iterator<Item = &'a str>) {
    let mut ids: Vec<(u64, &str)> = ids.map(|id| (0, id)).collect();
    let common = common_prefix(&ids);
    for (key, id) in &mut ids {
        *key = eight_bytes(id.as_bytes().get(common..).unwrap_or_default());
    }
    ids.sort_unstable_by_key(|(key, _)| *key);
    for alike in ids.chunk_by_mut(|(a, _), (b, _)| a == b) {
        alike.sort_unstable();
    }
    out.push('[');
    for (index, (_, id)) in ids.into_iter().enumerate() {
        out.push_str(if index == 0 { "" } else { "," });
        push_ascii_string(out, id);
    }
    out.push(']');
}

/// How many bytes all texts begin with in common.
fn common_prefix(ids: &[(u64, &str)]) -> usize {
    let mut common = ids.first().map_or("", |(_, first)| first).as_bytes();
    for (_, id) in ids {
        let id = id.as_bytes();
        if !id.starts_with(common) {
            let alike = common.iter().zip(id).take_while(|(a, b)| a == b).count();
            common = &common[..alike];
        }
    }
    common.len()
}

/// The first eight bytes as a number that sorts as they do; shorter texts come first.
fn eight_bytes(bytes: &[u8]) -> u64 {
    if let Some(head) = bytes.first_chunk::<8>() {
        return u64::from_be_bytes(*head);
    }
    let mut head = [0; 8];
    for (slot, byte) in head.iter_mut().zip(bytes) {
        *slot = *byte;
    }
    u64::from_be_bytes(head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn action<'a>(
        action_id: &'a str,
        email: &'a str,
        channel: &'a str,
        step: i64,
        day: i64,
    ) -> PreviewAction<'a> {
        PreviewAction {
            action_id,
            email,
            channel,
            step,
            day,
        }
    }

    #[test]
    fn golden_values_of_the_reference() {
        let empty = PreviewScope {
            motion: Some("outbound"),
            ..PreviewScope::default()
        };
        let all = PreviewScope {
            motion: Some("all"),
            shadow_email_ids: &["zeta", "alpha_é", "m/1"],
            linkedin_shadow_ids: &["alpha_é"],
            revival_emails: &["b@ex.org", "a@ex.org"],
            cadence_actions: &[
                action("x@ex.org|linkedin|s2|d2", " X@Ex.org ", "linkedin", 2, 2),
                action("a@ex.org|email|s3|d5", "a@ex.org", "email", 3, 5),
            ],
        };
        let astral = PreviewScope {
            motion: Some("outbound"),
            shadow_email_ids: &["\u{1f600}", "\u{fffd}"],
            ..PreviewScope::default()
        };
        for (scope, expected) in [
            (
                empty,
                "93799a61aa238672029efa431bfee6aef33c0ed78e3e08526784f6ac4a29757d",
            ),
            (
                all,
                "f30e9bf5a057df9f1922dcfd5072b5ff7c85fa956b19feee970ca57fab583683",
            ),
            (
                PreviewScope::default(),
                "ef545f541ee8d8bb2a24e511d629b379072123becfeac5a593f125887d537703",
            ),
            (
                astral,
                "a5b6a35586648612be5217b457ceb45f0d4f9c705df038ccbe690d438ac38571",
            ),
        ] {
            assert_eq!(preview_hash(&scope).as_str(), expected);
            assert_eq!(expected.parse(), Ok(preview_hash(&scope)));
        }
        assert_eq!("ABCD".parse::<PreviewHash>(), Err(NotAPreviewHash));
    }

    proptest! {
        #[test]
        fn the_fast_order_is_the_plain_order(
            prefix in "[a-z_é]{0,9}",
            tails in prop::collection::vec("[a-c\0é😀]{0,10}", 0..12),
        ) {
            let ids: Vec<String> = tails.iter().map(|tail| format!("{prefix}{tail}")).collect();
            let mut sorted = ids.clone();
            sorted.sort();
            let mut expected = String::new();
            crate::pytext::push_ascii_json(&mut expected, &sorted.into());
            let mut fast = String::new();
            push_sorted_strings(&mut fast, ids.iter().map(String::as_str));
            prop_assert_eq!(fast, expected);
        }

        #[test]
        fn order_of_ids_does_not_matter_and_each_id_does(
            ids in prop::collection::vec("[a-z0-9_]{1,12}", 1..8),
            extra in "[a-z0-9_]{1,12}",
        ) {
            let texts: Vec<&str> = ids.iter().map(String::as_str).collect();
            let reversed: Vec<&str> = texts.iter().rev().copied().collect();
            let longer: Vec<&str> = texts.iter().copied().chain([extra.as_str()]).collect();
            let hash = |shadow_email_ids: &[&str]| {
                preview_hash(&PreviewScope { motion: Some("all"), shadow_email_ids, ..PreviewScope::default() })
            };
            prop_assert_eq!(hash(&texts), hash(&reversed));
            prop_assert_ne!(hash(&texts), hash(&longer));
        }
    }
}
