//! `GoHighLevel`: events of its marketplace applications (`type`), and of workflows and the Python
//! system's tools (`event`).

use jiff::Timestamp;
use serde_json::Value;

use super::fields::Fields;
use super::{Event, Kind, PREVIEW, Source, key_of, preview};
use crate::signals::is_absence_note;

/// Tags that mean "do not write to this person".
const OPT_OUT_TAGS: [&str; 6] = [
    "dnc",
    "do not contact",
    "do-not-contact",
    "opted out",
    "status-unsubscribed",
    "unsubscribed",
];

pub(super) fn event(root: Fields<'_>, received: Timestamp) -> Event {
    let name = root
        .text(&["type", "event", "event_type"])
        .unwrap_or_default();
    let contact = root.object(&["contact"]);
    let stats = root.object(&["webhookPayload", "data"]);
    let (mut kind, detail) = kind(&name, root, stats);
    let subject = root.text(&["subject"]);
    let body = root.message(&["body", "message"]);
    let is_note = [&subject, &body]
        .into_iter()
        .flatten()
        .any(|text| is_absence_note(text));
    if kind == Kind::Replied && is_note {
        kind = Kind::AutoReplied;
    }
    let times = ["dateAdded", "timestamp", "dateUpdated"];
    let at = root
        .instant(&times, received)
        .or_else(|| stats.instant(&times, received));

    let mut event = Event::blank(Source::Ghl, kind, &name, at.unwrap_or(received));
    // Of the two ends of a message one is ours.
    let other = match kind {
        Kind::AutoReplied | Kind::Replied => ["from"],
        _ => ["to"],
    };
    event.person = root
        .address(&["email", "contact_email"])
        .or_else(|| contact.address(&["email"]))
        .or_else(|| stats.address(&["recipient", "email"]))
        .or_else(|| root.address(&other));
    event.campaign = root.text(&["campaign_id", "campaignId"]);
    event.text = match kind {
        Kind::Bounced => detail.to_owned(),
        _ => preview(&body.or(subject).unwrap_or_default(), PREVIEW),
    };
    let id = root.text(&["webhookId", "webhook_id"]);
    let message = root.text(&["messageId", "emailMessageId"]);
    let message = message.map(|id| format!("{id} {}", kind.as_str()));
    if let Some(id) = id.or(message) {
        event.key = key_of(Source::Ghl, &[&event.name.to_lowercase(), &id]);
    }
    event
}

/// What a word stands for, and what kind of bounce it is.
fn kind(name: &str, root: Fields<'_>, stats: Fields<'_>) -> (Kind, &'static str) {
    let compact = |text: &str| text.to_lowercase().replace(['_', '-', ' ', '.'], "");
    let kind = match compact(name).as_str() {
        "inboundmessage" | "emailreply" | "replied" | "reply" | "contactreplied" => Kind::Replied,
        // It fails for our own reasons too (an account that is not set up), so only the statistics
        // of the mail server say that somebody's address does not work.
        "outboundmessage" if has_failed(root) => Kind::Noted,
        "outboundmessage" | "emailsent" | "sent" => Kind::Sent,
        "lcemailstats" | "emailstats" => {
            let word = stats
                .text(&["event"])
                .or_else(|| root.text(&["email_event"]));
            let severity = stats.text(&["severity"]).unwrap_or_default();
            return of_stats(
                &compact(&word.unwrap_or_default()),
                &severity.to_lowercase(),
            );
        }
        "emailopened" | "opened" | "open" => Kind::Opened,
        "emailclicked" | "clicked" => Kind::Clicked,
        "emailbounced" | "bounced" | "bounce" => Kind::Bounced,
        "unsubscribed" | "unsubscribe" | "emailunsubscribed" => Kind::Unsubscribed,
        "appointmentcreate" | "appointmentbooked" | "meetingbooked" => Kind::Meeting,
        "contactdndupdate" | "contacttagupdate" | "contactupdate" | "contactcreate" => {
            if opted_out(root) || opted_out(root.object(&["contact"])) {
                Kind::Unsubscribed
            } else {
                Kind::Noted
            }
        }
        other if other.starts_with("opportunity") || other.starts_with("contact") => Kind::Noted,
        other if other.starts_with("appointment") || other.starts_with("task") => Kind::Noted,
        other if other.starts_with("note") || other.starts_with("conversation") => Kind::Noted,
        "install" | "uninstall" | "locationcreate" | "locationupdate" => Kind::Noted,
        _ => Kind::Unknown,
    };
    (kind, "unknown")
}

fn has_failed(message: Fields<'_>) -> bool {
    let status = message
        .text(&["status", "messageStatus"])
        .unwrap_or_default();
    matches!(
        status.to_lowercase().as_str(),
        "failed" | "undelivered" | "pending" | "scheduled"
    )
}

fn of_stats(word: &str, severity: &str) -> (Kind, &'static str) {
    match word {
        "failed" if severity == "temporary" => (Kind::Noted, ""),
        "opened" | "open" => (Kind::Opened, ""),
        "clicked" | "click" => (Kind::Clicked, ""),
        "complained" | "complaint" | "spam" | "spamreport" => (Kind::Complained, ""),
        "unsubscribed" | "unsubscribe" => (Kind::Unsubscribed, ""),
        "permanentfail" | "failed" | "bounced" | "bounce" => (Kind::Bounced, "permanent"),
        "temporaryfail" | "deferred" => (Kind::Noted, ""),
        "delivered" | "accepted" => (Kind::Sent, ""),
        _ => (Kind::Unknown, ""),
    }
}

/// Whether a contact is marked as one that must not be written to by e-mail.
fn opted_out(contact: Fields<'_>) -> bool {
    let settings = contact.object(&["dndSettings"]);
    let status = |channel: &str| settings.object(&[channel]).text(&["status"]);
    let email = status("Email")
        .or_else(|| status("email"))
        .unwrap_or_default();
    let tagged = |tag: &str| OPT_OUT_TAGS.contains(&tag.trim().to_lowercase().as_str());
    // "active" means that do-not-disturb is on.
    contact.value("dnd").and_then(Value::as_bool) == Some(true)
        || matches!(email.to_lowercase().as_str(), "active" | "permanent")
        || contact.texts("tags").any(tagged)
}
