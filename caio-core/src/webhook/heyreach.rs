//! HeyReach: nested bodies with lower-case words, as they were captured, and the flat upper-case ones
//! that its documentation shows.
//!
//! A lead's address is mostly null, so the profile says who it is. Every subscription that matches
//! gets a copy, and two kinds of subscription report one reply: all of them have one key.

use jiff::Timestamp;

use super::fields::Fields;
use super::{Event, Kind, PREVIEW, Source, key_of, preview};

pub(super) fn event(root: Fields<'_>, received: Timestamp) -> Event {
    let lead = root.object(&["lead"]).or(root);
    let campaign = root.object(&["campaign"]);
    let name = root.text(&["event_type", "eventType", "event"]);
    let name = name.unwrap_or_default();
    let kind = kind(&name, root);
    let reported = root.instant(&["timestamp", "created_at"], received);
    let answer = newest_answer(root, received);
    let at = match (kind, &answer) {
        (Kind::Replied, Some((at, _))) => Some(*at),
        _ => reported,
    };

    let mut event = Event::blank(Source::HeyReach, kind, &name, at.unwrap_or(received));
    event.person = lead.address(&["email_address", "email", "enriched_email", "custom_email"]);
    let profile = [
        "profile_url",
        "profileUrl",
        "linkedInUrl",
        "linkedin_url",
        "linkedinUrl",
    ];
    event.profile = lead.profile(&profile);
    event.campaign = campaign
        .text(&["id"])
        .or_else(|| root.text(&["campaignId", "campaign_id"]));
    let lists = lead
        .objects("lists")
        .filter_map(|list| list.text(&["name"]));
    event.containers = campaign.text(&["name"]).into_iter().chain(lists).collect();
    let message = root.message(&["message_text", "messageText", "message"]);
    let message = answer.map(|(_, text)| text).or(message);
    event.text = preview(&message.unwrap_or_default(), PREVIEW);
    if at.is_some() {
        let who = event
            .profile
            .clone()
            .or_else(|| lead.text(&["id", "leadId", "lead_id"]));
        let who = who.or_else(|| event.person.as_ref().map(ToString::to_string));
        let campaign = event.campaign.clone().unwrap_or_default();
        let parts = [who.unwrap_or_default(), campaign, event.at.to_string()];
        // Both words for a reply are one, and so is its campaign, which one of the words leaves out.
        event.key = match kind {
            Kind::Replied => key_of(Source::HeyReach, &[kind.as_str(), &parts[0], &parts[2]]),
            _ => {
                let word = event.name.to_lowercase();
                key_of(Source::HeyReach, &[&word, &parts[0], &parts[1], &parts[2]])
            }
        };
    }
    event
}

/// The lead's newest message of a conversation, and when it was written.
fn newest_answer(root: Fields<'_>, received: Timestamp) -> Option<(Timestamp, String)> {
    let answers = root.objects("recent_messages").filter(|message| {
        message
            .value("is_reply")
            .and_then(serde_json::Value::as_bool)
            == Some(true)
    });
    let dated = answers.filter_map(|message| {
        let at = message.instant(&["creation_time", "creationTime"], received)?;
        Some((
            at,
            message.message(&["message", "text"]).unwrap_or_default(),
        ))
    });
    dated.max_by_key(|(at, _)| *at)
}

/// What a word stands for. The provider sometimes leaves it out; a conversation is a reply then.
fn kind(word: &str, root: Fields<'_>) -> Kind {
    match word
        .trim()
        .to_uppercase()
        .replace(['.', '-', ' '], "_")
        .as_str()
    {
        "CONNECTION_REQUEST_SENT" => Kind::ConnectionSent,
        "CONNECTION_REQUEST_ACCEPTED" => Kind::Connected,
        "MESSAGE_SENT" | "INMAIL_SENT" => Kind::Sent,
        "MESSAGE_REPLY_RECEIVED" | "INMAIL_REPLY_RECEIVED" | "EVERY_MESSAGE_REPLY_RECEIVED" => {
            Kind::Replied
        }
        "CAMPAIGN_COMPLETED" | "LEAD_FINISHED_SEQUENCE_WITHOUT_REPLYING" => Kind::Exhausted,
        "FOLLOW_SENT" | "LIKED_POST" | "VIEWED_PROFILE" | "LEAD_TAG_UPDATED" => Kind::Noted,
        other if other.starts_with("LEAD_AUTO_TAGGED") => Kind::Noted,
        "" => {
            let is_answer = |message: Fields<'_>| {
                message
                    .value("is_reply")
                    .and_then(serde_json::Value::as_bool)
                    == Some(true)
            };
            if root.objects("recent_messages").any(is_answer) {
                Kind::Replied
            } else {
                Kind::Unknown
            }
        }
        _ => Kind::Unknown,
    }
}
