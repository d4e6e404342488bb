//! When a batch ends: parsed strictly, and unreadable means expired.

use jiff::Timestamp;
use jiff::fmt::temporal::{Pieces, PiecesOffset};
use jiff::tz::TimeZone;

use super::{Batch, BatchRefusal};

/// An instant from `2026-03-02T14:00:00+00:00`, `…Z`, or the same without offset, read as UTC (CP9).
///
/// `None` for everything else: no time of day, a zone name, garbage.
///
/// ```
/// use caio_core::batch::parse_instant;
/// assert_eq!(parse_instant("2026-03-02T14:00:00"), parse_instant("2026-03-02T14:00:00Z"));
/// assert_eq!(parse_instant("soon"), None);
/// ```
pub fn parse_instant(text: &str) -> Option<Timestamp> {
    let pieces = Pieces::parse(text).ok()?;
    if pieces.time_zone_annotation().is_some() {
        return None;
    }
    let offset = match pieces.offset() {
        None | Some(PiecesOffset::Zulu) => jiff::tz::Offset::UTC,
        Some(PiecesOffset::Numeric(numeric)) => numeric.offset(),
        Some(_) => return None,
    };
    let local = pieces.date().to_datetime(pieces.time()?);
    let zoned = local.to_zoned(TimeZone::fixed(offset)).ok()?;
    Some(zoned.timestamp())
}

impl Batch {
    /// Refuses when `now` is later than the expiry, and when the expiry is missing or unreadable
    /// (PR-5: in the Python system such a batch never expired).
    pub fn check_expiry(&self, now: Timestamp) -> Result<(), BatchRefusal> {
        if self.expires_at.trim().is_empty() {
            return Err(BatchRefusal::ExpiryMissing);
        }
        let Some(expires) = parse_instant(&self.expires_at) else {
            return Err(BatchRefusal::ExpiryUnreadable {
                given: self.expires_at.clone(),
            });
        };
        if now > expires {
            return Err(BatchRefusal::Expired {
                at: self.expires_at.clone(),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::lifecycle::fixture;

    #[test]
    fn naive_offset_and_zulu_are_one_instant_and_anything_else_is_none() {
        let expected: Timestamp = "2026-03-02T14:00:00Z".parse().unwrap();
        for text in [
            "2026-03-02T14:00:00Z",
            "2026-03-02T14:00:00",
            "2026-03-02 14:00:00",
            "2026-03-02T14:00:00.000000+00:00",
            "2026-03-02T16:00:00+02:00",
        ] {
            assert_eq!(parse_instant(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "null",
            "2026-03-02",
            "14:00",
            "2026-13-02T14:00:00",
            "2026-03-02T14:00:00[Europe/Paris]",
            "2026-03-02T14:00:00+02:00[Europe/Paris]",
            "tomorrow",
        ] {
            assert_eq!(parse_instant(text), None, "{text}");
        }
    }

    #[test]
    fn scenario_8_expiry_fails_closed_in_every_form() {
        let now: Timestamp = "2026-03-02T14:00:00Z".parse().unwrap();
        let at = |text: &str| {
            let mut batch = fixture::pending();
            text.clone_into(&mut batch.expires_at);
            batch.check_expiry(now).err().map(|refusal| refusal.code())
        };
        for past in [
            "2026-03-02T13:59:59+00:00",
            "2026-03-02T13:59:59Z",
            "2026-03-02T13:59:59",
        ] {
            assert_eq!(at(past), Some("batch.expired"), "{past}");
        }
        for future in [
            "2026-03-02T14:00:01+00:00",
            "2026-03-02T14:00:01Z",
            "2026-03-02T14:00:01",
        ] {
            assert_eq!(at(future), None, "{future}");
        }
        assert_eq!(at("garbage"), Some("batch.expiry_unreadable"));
        assert_eq!(at(" "), Some("batch.expiry_missing"));
    }
}
