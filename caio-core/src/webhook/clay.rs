//! Clay: one row of a table, called back by a column of its own. The row has to name what was asked
//! for, since anybody who knows the address can make one.

use jiff::Timestamp;

use super::fields::Fields;
use super::{Event, Kind, Source, word};

/// Longest id of a request.
const MAX_ID: usize = 64;

pub(super) fn event(root: Fields<'_>, received: Timestamp) -> Event {
    let request = root.text(&[
        "request_id",
        "correlation_id",
        "lead_id",
        "visitor_id",
        "id",
    ]);
    let request = request.filter(|id| is_id(id));
    let kind = match &request {
        Some(_) => Kind::Enriched,
        None => Kind::Unknown,
    };
    let mut event = Event::blank(Source::Clay, kind, "row", received);
    event.person = root.address(&["work_email", "email"]);
    event.profile = root.profile(&["linkedin_url", "linkedin"]);
    event.text = word(&request.unwrap_or_default());
    event
}

/// Whether it is an id that we could have given: letters, digits, `-` and `_`.
fn is_id(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (1..=MAX_ID).contains(&text.len()) && text.chars().all(plain)
}
