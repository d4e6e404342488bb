//! Whom to write to anew after a long silence, and how well it may go.
//!
//! The contacts come from the CRM or from our own ledger. Nobody is revived who opted out, answered,
//! has a programme or was revived before; an unknown stage or time of activity excludes (CF-3, RV-1).

mod contact;

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use crate::config::production::Revival;
use crate::signals::Facts;

pub use contact::{BadContact, Contact};

/// Days of silence from which a score counts less.
const OLD: i64 = 60;

/// Days of silence from which it counts still less.
const OLDER: i64 = 90;

/// What the store knows about a contact.
#[derive(Debug, Clone, Default)]
pub struct Known<'a> {
    /// What the signals say.
    pub facts: Facts,
    /// Why the person is suppressed.
    pub suppressed: Option<&'a str>,
    /// Last message from us.
    pub last_touch: Option<Timestamp>,
    /// The programme that the person is in: a follow-up that goes on, a draft that waits.
    pub programme: Option<&'a str>,
    /// The one revival has been made.
    pub revived: bool,
    /// Was on our web site in the last 30 days.
    pub revisited: bool,
    /// The store has a record of signals.
    pub is_known: bool,
}

/// Why somebody is left out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Excluded {
    /// A tag forbids it.
    Tag(String),
    /// The CRM says: do not disturb.
    DoNotDisturb,
    /// The stage is none of those that are looked at.
    Stage(String),
    /// Nobody knows when the contact was last active.
    UnknownActivity,
    /// It was active not long ago.
    TooEarly,
    /// The silence is too long.
    TooLate,
    /// Opted out, or excluded.
    Suppressed,
    /// What signals say ends or forbids it.
    Status(String),
    /// It has a programme.
    Programme(String),
    /// It was revived before.
    RevivedBefore,
}

/// Why it may go well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Was silent after a message.
    Ghosted,
    /// We know of no engagement.
    NeverEngaged,
    /// Opened, and no more.
    OpenedOnly,
    /// Answered once.
    PreviouslyReplied,
    /// Came back to the web site.
    WebsiteRevisit,
}

/// How well it may go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chance {
    /// 0 to 1, three decimals.
    pub score: f64,
    /// Why.
    pub reason: Reason,
    /// Whole days of silence.
    pub days_inactive: i64,
}

/// Whether `contact` may be written to at `now`, and how well it may go.
///
/// # Errors
/// The first reason against it.
pub fn judge(
    contact: &Contact,
    known: &Known<'_>,
    rules: &Revival,
    now: Timestamp,
) -> Result<Chance, Excluded> {
    if contact.do_not_disturb {
        return Err(Excluded::DoNotDisturb);
    }
    if let Some(tag) = contact.tags.iter().find(|tag| forbids(tag, rules)) {
        return Err(Excluded::Tag(tag.clone()));
    }
    let stage = contact.stage.trim();
    if !rules
        .stages
        .iter()
        .any(|it| it.trim().eq_ignore_ascii_case(stage))
    {
        return Err(Excluded::Stage(stage.to_owned()));
    }
    if known.suppressed.is_some() {
        return Err(Excluded::Suppressed);
    }
    if !known.facts.is_revivable() {
        return Err(Excluded::Status(known.facts.status().to_owned()));
    }
    if known.revived {
        return Err(Excluded::RevivedBefore);
    }
    if let Some(programme) = known.programme {
        return Err(Excluded::Programme(programme.to_owned()));
    }
    let active = contact.last_activity.max(known.last_touch);
    let Some(active) = active else {
        return Err(Excluded::UnknownActivity);
    };
    let days = now.duration_since(active).as_hours().div_euclid(24);
    if days < i64::from(rules.min_inactive_days) {
        return Err(Excluded::TooEarly);
    }
    if days > i64::from(rules.max_inactive_days) {
        return Err(Excluded::TooLate);
    }
    let (score, reason) = score(known, &contact.tier, days);
    Ok(Chance {
        score,
        reason,
        days_inactive: days,
    })
}

/// Whether a tag asks for silence: a configured one, `DNC`, or `status-…` of somebody who ended it
/// (RV-2).
fn forbids(tag: &str, rules: &Revival) -> bool {
    let tag = tag.trim().to_lowercase().replace(['_', ' '], "-");
    let plain = |it: &String| it.trim().to_lowercase().replace(['_', ' '], "-") == tag;
    matches!(
        tag.as_str(),
        "dnc" | "dnd" | "opted-out" | "opt-out" | "customer"
    ) || tag.starts_with("status-")
        || tag.contains("unsubscribe")
        || rules.exclude_tags.iter().any(plain)
}

/// How well it may go; age counts against everybody alike (RV-4).
pub fn score(known: &Known<'_>, tier: &str, days: i64) -> (f64, Reason) {
    let facts = &known.facts;
    let stage = facts.stage.as_deref().unwrap_or("");
    let (mut score, mut reason): (f64, Reason) = if !known.is_known {
        (0.3, Reason::NeverEngaged)
    } else if facts.has_replied() {
        (0.8, Reason::PreviouslyReplied)
    } else if facts.opens > 0 || matches!(stage, "opened" | "engaged_not_replied" | "stalled") {
        (0.6, Reason::OpenedOnly)
    } else if matches!(stage, "ghosted" | "linkedin_exhausted") {
        (0.35, Reason::Ghosted)
    } else {
        (0.3, Reason::NeverEngaged)
    };
    if tier == "tier_1" {
        score = (score + 0.1).min(1.0);
    }
    if facts.connected {
        score = (score + 0.05).min(1.0);
    }
    if days > OLDER {
        score *= 0.8;
    } else if days > OLD {
        score *= 0.9;
    }
    if known.revisited {
        score = score.max(0.92);
        reason = Reason::WebsiteRevisit;
    }
    ((score * 1000.0).round() / 1000.0, reason)
}

impl Excluded {
    /// Stable code, for counts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::DoNotDisturb => "do_not_disturb",
            Self::Programme(_) => "programme",
            Self::RevivedBefore => "revived_before",
            Self::Stage(_) => "stage",
            Self::Status(_) => "status",
            Self::Suppressed => "suppressed",
            Self::Tag(_) => "tag",
            Self::TooEarly => "too_early",
            Self::TooLate => "too_late",
            Self::UnknownActivity => "unknown_activity",
        }
    }
}

impl fmt::Display for Excluded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Programme(which) => write!(f, "{which}"),
            Self::Stage(stage) => write!(f, "the stage `{stage}` is not looked at"),
            Self::Status(status) => write!(f, "the lead is {status}"),
            Self::Tag(tag) => write!(f, "the tag `{tag}`"),
            other => f.write_str(&other.code().replace('_', " ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> Timestamp {
        "2026-06-01T12:00:00Z".parse().unwrap()
    }

    fn rules() -> Revival {
        crate::config::Production::default().revival
    }

    fn contact(days: i64) -> Contact {
        Contact {
            email: "kim@example.com".to_owned(),
            stage: "cold".to_owned(),
            last_activity: Some(now() - jiff::SignedDuration::from_hours(days * 24)),
            ..Contact::default()
        }
    }

    fn staged(stage: &str) -> Known<'static> {
        Known {
            facts: Facts {
                stage: Some(stage.to_owned()),
                ..Facts::default()
            },
            is_known: true,
            ..Known::default()
        }
    }

    fn code(contact: &Contact, known: &Known<'_>) -> &'static str {
        judge(contact, known, &rules(), now()).map_or_else(|why| why.code(), |_| "ok")
    }

    #[test]
    fn the_scores_of_the_reference_with_age_against_everybody() {
        let ghosted = staged("ghosted");
        assert_eq!(score(&ghosted, "", 100), (0.28, Reason::Ghosted));
        let mut replied = staged("replied");
        replied.facts.replies = 1;
        replied.facts.connected = true;
        assert_eq!(
            score(&replied, "tier_1", 65),
            (0.855, Reason::PreviouslyReplied)
        );
        // The old one gave 0.3, more than to somebody whom it knew (RV-4).
        assert_eq!(
            score(&Known::default(), "", 100),
            (0.24, Reason::NeverEngaged)
        );
        let mut back = staged("stalled");
        back.revisited = true;
        assert_eq!(score(&back, "", 100), (0.92, Reason::WebsiteRevisit));
    }

    #[test]
    fn stage_and_time_decide_and_unknown_is_no() {
        assert_eq!(code(&contact(40), &Known::default()), "ok");
        for (days, expected) in [
            (29, "too_early"),
            (30, "ok"),
            (120, "ok"),
            (121, "too_late"),
        ] {
            assert_eq!(code(&contact(days), &Known::default()), expected, "{days}");
        }
        for stage in ["Customer", "hot", ""] {
            let mut other = contact(40);
            other.stage = stage.to_owned();
            assert_eq!(code(&other, &Known::default()), "stage", "{stage}");
        }
        let mut unknown = contact(40);
        unknown.last_activity = None;
        assert_eq!(code(&unknown, &Known::default()), "unknown_activity");
        let known = Known {
            last_touch: Some(now()),
            ..Known::default()
        };
        assert_eq!(code(&contact(40), &known), "too_early", "we wrote today");
    }

    #[test]
    fn whoever_asked_for_silence_is_left_alone() {
        for tag in [
            "DNC",
            "status-unsubscribed",
            " Do-Not-Contact",
            "competitor",
            "Unsubscribed",
        ] {
            let mut tagged = contact(40);
            tagged.tags = vec!["vip".to_owned(), tag.to_owned()];
            assert_eq!(code(&tagged, &Known::default()), "tag", "{tag}");
        }
        let mut quiet = contact(40);
        quiet.do_not_disturb = true;
        assert_eq!(code(&quiet, &Known::default()), "do_not_disturb");
        let suppressed = Known {
            suppressed: Some("unsubscribed"),
            ..Known::default()
        };
        assert_eq!(code(&contact(40), &suppressed), "suppressed");
        for status in ["opened", "dispatched", "revival_sent"] {
            assert_eq!(code(&contact(40), &staged(status)), "status", "{status}");
        }
        let programme = Known {
            programme: Some("a follow-up"),
            ..staged("ghosted")
        };
        assert_eq!(code(&contact(40), &programme), "programme");
        let revived = Known {
            revived: true,
            ..staged("ghosted")
        };
        assert_eq!(code(&contact(40), &revived), "revived_before");
    }

    proptest! {
        #[test]
        fn nobody_who_ended_contact_or_answered_is_ever_named(
            statuses in prop::collection::vec(prop::sample::select(vec![
                "ghosted", "stalled", "opened", "replied", "unsubscribed", "bounced", "rejected",
                "meeting_booked", "linkedin_replied", "disqualified", "linkedin_exhausted",
            ]), 1..6),
            days in 0_i64..200,
        ) {
            let mut known = Known { is_known: true, ..Known::default() };
            for status in &statuses {
                known.facts.note(status);
                known.facts.stage = Some((*status).to_owned());
            }
            let ended = statuses.iter().any(|it| {
                crate::eligibility::TERMINAL_STATUSES.contains(it)
                    || crate::eligibility::ANSWERED_STATUSES.contains(it)
            });
            let answer = judge(&contact(days), &known, &rules(), now());
            prop_assert!(!ended || answer.is_err());
            if let Ok(chance) = answer {
                prop_assert!((0.0..=1.0).contains(&chance.score));
                prop_assert!((30..=120).contains(&chance.days_inactive));
            }
        }
    }
}
