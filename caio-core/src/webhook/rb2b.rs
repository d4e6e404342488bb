//! RB2B: visitors of the web site, with words in title case and blanks, or as the Python system's
//! tools normalised them.

use jiff::Timestamp;

use super::fields::Fields;
use super::{Event, Kind, PREVIEW, Source, key_of, preview};

pub(super) fn event(root: Fields<'_>, received: Timestamp) -> Event {
    let who = root.object(&["leading_profile", "person"]).or(root);
    let mut event = Event::blank(Source::Rb2b, Kind::Visited, "visit", received);
    event.person = who.address(&["Business Email", "email", "work_email"]);
    event.profile = who.profile(&["LinkedIn URL", "linkedin_url", "linkedin", "linkedinUrl"]);
    let seen = ["Seen At", "seen_at", "timestamp"];
    // The provider's own example is no instant, so the text itself tells visits apart.
    let seen_text = root.text(&seen).unwrap_or_default();
    event.at = root.instant(&seen, received).unwrap_or(received);
    let company = || who.object(&["company"]).text(&["name"]);
    let company = who
        .text(&["Company Name", "company_name", "companyName"])
        .or_else(company)
        .unwrap_or_default();
    let page = root.text(&["Captured URL", "page_url", "url", "page"]);
    let page = page.or_else(|| root.texts("pages").next().map(str::to_owned));
    let page = page.unwrap_or_default();
    event.text = preview(&format!("{company} {page}"), PREVIEW);
    let visitor = root.text(&["visitor_id", "id"]).unwrap_or_default();
    let known = [
        &event.profile,
        &event.person.as_ref().map(ToString::to_string),
    ]
    .into_iter()
    .flatten()
    .next()
    .cloned()
    .unwrap_or(visitor);
    let nobody = known.is_empty() && company.is_empty();
    if nobody {
        event.kind = Kind::Unknown;
    } else if !seen_text.is_empty() {
        event.key = key_of(Source::Rb2b, &[&known, &company, &seen_text, &page]);
    }
    event
}
