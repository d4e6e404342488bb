//! Instantly: flat bodies, as the provider sends them, and the nested ones that the Python system's
//! tools send.
//!
//! The provider's subscription and its deliveries use different words for one event, and a label
//! that somebody made arrives as its own text.

use jiff::Timestamp;

use super::fields::Fields;
use super::{Event, Kind, PREVIEW, Source, key_of, preview};
use crate::signals::is_absence_note;

pub(super) fn event(root: Fields<'_>, hint: Option<&str>, received: Timestamp) -> Event {
    let inner = root.object(&["data"]);
    let inner = inner.or(root);
    let text = |names: &[&str]| inner.text(names).or_else(|| root.text(names));
    let name = text(&["event_type", "event", "type"]);
    let said = name
        .as_deref()
        .map(kind)
        .filter(|kind| *kind != Kind::Unknown);
    let hinted = hint.map(kind).filter(|kind| *kind != Kind::Unknown);
    let kind = said.or(hinted).unwrap_or(Kind::Unknown);
    let name = name.or(hint.map(str::to_owned)).unwrap_or_default();
    let timestamp =
        |fields: Fields<'_>| fields.instant(&["timestamp", "timestamp_created"], received);
    let at = timestamp(inner).or_else(|| timestamp(root));

    let mut event = Event::blank(Source::Instantly, kind, &name, at.unwrap_or(received));
    let names = ["lead_email", "email"];
    event.person = inner.address(&names).or_else(|| root.address(&names));
    event.campaign = text(&["campaign_id", "campaign"]);
    event.containers.extend(text(&["campaign_name"]));
    event.delivery = text(&["caio_delivery"]);
    let reply = inner.message(&["reply_text", "reply_text_snippet", "reply_html"]);
    let subject = text(&["reply_subject"]);
    let is_note = [&reply, &subject]
        .into_iter()
        .flatten()
        .any(|text| is_absence_note(text));
    if event.kind == Kind::Replied && is_note {
        event.kind = Kind::AutoReplied;
    }
    event.text = match event.kind {
        Kind::Bounced => text(&["bounce_type"]).unwrap_or_else(|| "unknown".to_owned()),
        _ => preview(&reply.or(subject).unwrap_or_default(), PREVIEW),
    };
    if at.is_some() {
        let person = event.person.as_ref().map_or("", |person| person.as_str());
        let message = text(&["email_id"]).unwrap_or_else(|| {
            let part = |name| text(&[name]).unwrap_or_default();
            format!("{}/{}", part("step"), part("variant"))
        });
        let campaign = event.campaign.clone().unwrap_or_default();
        let word = event.name.to_lowercase();
        event.key = key_of(
            Source::Instantly,
            &[&word, &campaign, person, &message, &event.at.to_string()],
        );
    }
    event
}

/// What a word of the provider, or of an address of ours, stands for.
fn kind(word: &str) -> Kind {
    match word
        .trim()
        .to_lowercase()
        .replace(['.', '-', ' '], "_")
        .as_str()
    {
        "account_error" => Kind::AccountFault,
        "auto_reply_received" | "auto_reply" | "lead_out_of_office" => Kind::AutoReplied,
        "email_bounced" | "bounce" | "bounced" => Kind::Bounced,
        "campaign_completed" => Kind::CampaignEnded,
        "email_link_clicked" | "link_clicked" | "click" => Kind::Clicked,
        "lead_meeting_booked" | "lead_meeting_completed" | "lead_no_show" => Kind::Meeting,
        "supersearch_enrichment_completed" => Kind::Noted,
        "email_opened" | "open" | "opened" => Kind::Opened,
        // The provider puts these labels on people who have answered.
        "reply_received"
        | "email_replied"
        | "reply"
        | "replied"
        | "lead_interested"
        | "lead_not_interested"
        | "lead_neutral"
        | "lead_closed"
        | "lead_wrong_person" => Kind::Replied,
        "email_sent" | "sent" => Kind::Sent,
        "lead_unsubscribed" | "unsubscribe" | "unsubscribed" => Kind::Unsubscribed,
        _ => Kind::Unknown,
    }
}
