//! What an event changes: decided once, from the event alone.
//!
//! An event can only add facts. None takes back an opt-out, a bounce or an answer, and none touches
//! anybody but the person it names: a whole domain is suppressed by a person alone.

use serde::{Deserialize, Serialize};

use super::{Event, Kind, Source};

/// What a provider reports of a delivery after taking it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Later {
    /// It could not be delivered to the recipient.
    Bounced,
    /// A person answered it.
    Replied,
    /// It left the provider.
    Sent,
}

/// Whether it is certain who sent an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// The provider, as its signature or key shows.
    Proven,
    /// Anybody: it was taken while the provider's events are on hold.
    Unsigned,
}

/// What an event changes about the person it names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effects {
    /// A signal of the lead's record: its source and its status (`""` changes none).
    pub signal: Option<(String, &'static str)>,
    /// The address is suppressed, for this reason.
    pub suppress: Option<&'static str>,
    /// A fact of the delivery that it is about.
    pub later: Option<Later>,
    /// Nothing is sent to the person until somebody has looked, for this reason.
    pub hold: Option<&'static str>,
    /// Nobody knows what it means, so somebody has to look.
    pub unknown: bool,
}

/// What `event` changes, given who is known to have sent it.
pub fn effects(event: &Event, trust: Trust) -> Effects {
    let all = of_kind(event);
    match trust {
        Trust::Proven => all,
        Trust::Unsigned => Effects {
            hold: ends_contact(event, &all)
                .then_some("an unsigned webhook says that contact has ended"),
            ..Effects::default()
        },
    }
}

/// Whether the event, if it is true, forbids to write on.
fn ends_contact(event: &Event, effects: &Effects) -> bool {
    let answered = matches!(event.kind, Kind::Replied | Kind::Meeting | Kind::Unknown);
    effects.suppress.is_some() || answered
}

fn of_kind(event: &Event) -> Effects {
    let source = event.source;
    let linkedin = source == Source::HeyReach;
    let signal = |word: &str, status: &'static str| {
        let source = format!("{source}_webhook:{word}");
        Effects {
            signal: Some((source, status)),
            ..Effects::default()
        }
    };
    match event.kind {
        Kind::Bounced => Effects {
            suppress: Some("bounced"),
            later: Some(Later::Bounced),
            ..signal("bounce", "bounced")
        },
        Kind::Complained => Effects {
            suppress: Some("complained"),
            ..signal("complaint", "unsubscribed")
        },
        Kind::Unsubscribed => Effects {
            suppress: Some("unsubscribed"),
            ..signal("unsubscribe", "unsubscribed")
        },
        Kind::Replied if linkedin => Effects {
            later: Some(Later::Replied),
            ..signal("message_reply", "linkedin_replied")
        },
        Kind::Replied => Effects {
            later: Some(Later::Replied),
            ..signal("reply", "replied")
        },
        Kind::Meeting => signal("meeting", "meeting_booked"),
        Kind::Opened => signal("open", "opened"),
        // A scanner follows links as well as a person does.
        Kind::Clicked => signal("click", ""),
        Kind::AutoReplied => signal("auto_reply", ""),
        Kind::ConnectionSent => Effects {
            later: Some(Later::Sent),
            ..signal("connection_sent", "linkedin_sent")
        },
        Kind::Connected => signal("connection_accepted", "linkedin_connected"),
        Kind::Exhausted => signal("campaign_completed", "linkedin_exhausted"),
        Kind::Sent if linkedin => Effects {
            later: Some(Later::Sent),
            ..signal("message_sent", "")
        },
        Kind::Sent => Effects {
            later: Some(Later::Sent),
            ..signal("sent", "sent")
        },
        Kind::Unknown => Effects {
            unknown: true,
            hold: sounds_final(&event.name)
                .then_some("a webhook of an unknown kind sounds as if contact had ended"),
            ..Effects::default()
        },
        Kind::AccountFault | Kind::CampaignEnded | Kind::Enriched | Kind::Noted | Kind::Visited => {
            Effects::default()
        }
    }
}

/// Whether a person's answer is worth telling somebody: `Some(true)` for a meeting and for what the provider
/// has labelled as interest, `Some(false)` for any other answer. Labels that say no, notes of machines and
/// what anybody could have sent are `None`.
pub fn interest(event: &Event, trust: Trust) -> Option<bool> {
    if trust == Trust::Unsigned {
        return None;
    }
    let name = event.name.to_lowercase().replace(['.', '-', ' '], "_");
    match event.kind {
        Kind::Meeting => Some(name != "lead_no_show"),
        Kind::Replied if SAYS_NO.contains(&name.as_str()) => None,
        Kind::Replied => Some(name == "lead_interested"),
        _ => None,
    }
}

/// Labels of an answer that leaves nothing to do.
const SAYS_NO: [&str; 3] = ["lead_closed", "lead_not_interested", "lead_wrong_person"];

/// Whether a word that nobody knows could mean an answer or an opt-out.
fn sounds_final(word: &str) -> bool {
    let word = word.to_lowercase();
    let words = [
        "abuse",
        "bounc",
        "complain",
        "contact",
        "delete",
        "dnc",
        "forget",
        "not interested",
        "opt",
        "remove",
        "reply",
        "replied",
        "spam",
        "stop",
        "suppress",
        "unsub",
    ];
    words.iter().any(|it| word.contains(it))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::parse;

    #[test]
    fn interest_is_told_and_a_no_is_not() {
        for (source, name, expected) in [
            (Source::Instantly, "reply_received", Some(false)),
            (Source::Instantly, "lead_neutral", Some(false)),
            (Source::Instantly, "lead_interested", Some(true)),
            (Source::Instantly, "lead_meeting_booked", Some(true)),
            (Source::Instantly, "lead_not_interested", None),
            (Source::Instantly, "lead_wrong_person", None),
            (Source::Instantly, "auto_reply_received", None),
            (Source::Instantly, "email_opened", None),
            (Source::Instantly, "lead_unsubscribed", None),
            (Source::Instantly, "email_bounced", None),
        ] {
            let body = format!(r#"{{"event_type":"{name}","email":"kim@example.com"}}"#);
            let event = parse(source, None, body.as_bytes(), jiff::Timestamp::UNIX_EPOCH).unwrap();
            assert_eq!(interest(&event, Trust::Proven), expected, "{name}");
            assert_eq!(interest(&event, Trust::Unsigned), None, "{name}");
        }
    }
}
