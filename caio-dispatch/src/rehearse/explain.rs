//! Why the two systems differ about a person: the rule or the defect, by its id in `docs/parity.md`.

use caio_core::EmailKey;
use caio_core::batch::parse_instant;
use caio_core::eligibility::{ANSWERED_STATUSES, Reason, TERMINAL_STATUSES};
use caio_core::terms::{Medium, Provider, Step};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::past::changes;
use super::{NotSent, OldMessage, OurMessage, Person};

/// Id of a difference that nothing here explains.
pub(super) const UNEXPLAINED: &str = "unexplained";

/// A person, and what the two systems did about them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Who.
    pub person: EmailKey,
    /// What the old system sent, or says that it did.
    pub old: Vec<OldMessage>,
    /// What would have been handed over.
    pub ours: Option<OurMessage>,
    /// Why they differ; empty where they do not.
    pub why: Vec<Why>,
}

/// The reason of a difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Why {
    /// A defect's id, or `rule: …`.
    pub id: &'static str,
    /// One sentence.
    pub text: String,
}

fn why(id: &'static str, text: impl Into<String>) -> Why {
    Why {
        id,
        text: text.into(),
    }
}

/// Both systems about one person, within a window of days.
pub(super) fn line(person: &Person<'_>, window: (Date, Date)) -> Line {
    let within = |day: Option<Date>| day.is_none_or(|it| it >= window.0 && it <= window.1);
    let messages = person.past.messages.iter();
    let old: Vec<OldMessage> = messages
        .filter(|it| it.person == *person.key && within(it.day))
        .cloned()
        .collect();
    let (said, sent): (Vec<&OldMessage>, Vec<_>) = old.iter().partition(|it| it.only_said);
    let (mail, linked): (Vec<&OldMessage>, Vec<_>) =
        sent.into_iter().partition(|it| it.medium == Medium::Email);
    let mut found = Vec::new();
    match (&mail[..], person.ours) {
        ([], None) => {}
        ([], Some(_)) => found.push(missed(person, &said)),
        ([first, ..], None) => found.push(withheld(person, first)),
        ([first, more @ ..], Some(ours)) => {
            if let Some(last) = more.last() {
                found.push(twice(first, last));
            }
            found.extend(another_text(person, first));
            if more.is_empty() && first.day.is_some_and(|day| day != ours.day) {
                found.push(why(
                    "rule: limits and ramp",
                    format!("caio's turn for them is on {}", ours.day),
                ));
            }
        }
    }
    for message in linked {
        found.push(why(
            "BT-10",
            format!(
                "written to on LinkedIn ({}), which no preview had shown and nobody had approved as a message",
                message.origin
            ),
        ));
    }
    for message in said {
        found.extend(only_said(person, message));
    }
    found.dedup();
    Line {
        person: person.key.clone(),
        ours: person.ours.cloned(),
        old,
        why: found,
    }
}

/// When the person ended contact, or answered, before `at`: what it was, and whether the old status
/// forgot it later.
fn ended(person: &Person<'_>, at: Option<Timestamp>) -> Option<(Timestamp, String, bool)> {
    let before = |when: &Timestamp| at.is_none_or(|at| *when <= at);
    let suppressed = person.past.suppressions.iter();
    let suppressed = suppressed.filter(|it| it.scope.covers(person.key));
    let suppressed = suppressed.filter_map(|it| Some((parse_instant(&it.at)?, it.reason.clone())));
    let statuses = person.past.statuses.iter().filter(|it| it.0 == *person.key);
    let all: Vec<(Timestamp, String)> = statuses.flat_map(|(_, it)| changes(it)).collect();
    let is_end =
        |status: &str| TERMINAL_STATUSES.contains(&status) || ANSWERED_STATUSES.contains(&status);
    let by_status = all.iter().filter(|(_, status)| is_end(status)).cloned();
    let first = suppressed
        .chain(by_status)
        .filter(|it| before(&it.0))
        .min()?;
    let forgotten = all
        .iter()
        .any(|(when, status)| *when > first.0 && before(when) && !is_end(status));
    Some((first.0, first.1, forgotten))
}

/// The old system wrote, caio would not.
fn withheld(person: &Person<'_>, message: &OldMessage) -> Why {
    let end_of_day = |day: Date| day.at(23, 59, 59, 0).to_zoned(TimeZone::UTC).ok();
    let latest = message
        .at
        .or_else(|| Some(end_of_day(message.day?)?.timestamp()));
    let before = latest.and_then(|latest| ended(person, Some(latest)));
    if let Some((when, what, forgotten)) = before {
        return if forgotten {
            why(
                "LS-1",
                format!("{what} since {when}, which a later signal wrote over"),
            )
        } else {
            why(
                "OPD-1",
                format!("{what} since {when}, which the send did not ask for"),
            )
        };
    }
    match &person.not_sent {
        NotSent::Synthetic => why("CF-6", "the letter was made for a test"),
        NotSent::Rejected(at) => why(
            "OPD-16",
            format!("a person had rejected the letter at {at}"),
        ),
        NotSent::NotApproved if message.provider == Provider::Ghl => {
            why("GH-0", "sent through GHL, and no approval is on record")
        }
        NotSent::NotApproved => why("BT-4", "no approval is on record"),
        NotSent::NoRoom => why(
            "rule: limits and ramp",
            "there was no room within the window",
        ),
        NotSent::Run(said) => why("rule: limits and ramp", said.clone()),
        NotSent::NoLetter => why(
            "rule: approval",
            "the store holds no text that was approved for them; a rehearsal from the folder has it",
        ),
        NotSent::Refused(reasons) => refused(reasons, person, message),
    }
}

fn refused(reasons: &[Reason], person: &Person<'_>, message: &OldMessage) -> Why {
    let text: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    let text = text.join("; ");
    let id = match reasons.first() {
        Some(Reason::Touched { .. }) => {
            let mut earlier = person.past.messages.iter().filter(|it| {
                let same = it.person == *person.key && it.medium == message.medium;
                same && !it.only_said && *it != message
            });
            return match earlier.next() {
                Some(earlier) => twice(earlier, message),
                None => why("IN-2", text),
            };
        }
        Some(Reason::TierNotAllowed { .. }) => "rule: limits and ramp",
        Some(Reason::Synthetic | Reason::Canary) => "CF-6",
        Some(Reason::DraftNotApproved(_)) => "BT-4",
        Some(Reason::StatusUnknown(_)) => "rule: unknown status",
        // It ended after the old message and before caio's turn.
        Some(Reason::Suppressed(_) | Reason::HasReplied | Reason::StatusEndsContact(_))
            if ended(person, None).is_some() =>
        {
            return why(
                "rule: end of contact",
                format!("{text}, before caio's turn and after {}", message.origin),
            );
        }
        _ => UNEXPLAINED,
    };
    why(id, text)
}

/// Caio would have written, the old system did not.
fn missed(person: &Person<'_>, said: &[&OldMessage]) -> Why {
    if let Some(message) = said.iter().find(|it| it.step == Step::FIRST) {
        return why(
            "OPD-10",
            format!(
                "{} names them, and no message of that day is recorded: a campaign that failed, or a dry run \
                 (OPD-2), used up their turn",
                message.origin
            ),
        );
    }
    let of_one = person.past.candidates.iter();
    let of_one = of_one.filter(|it| it.draft.recipient == *person.key);
    let ids: Vec<&String> = of_one.flat_map(|it| &it.ids).collect();
    let held = |batch: &&super::OldBatch| ids.iter().any(|id| batch.letters.contains(*id));
    let batches: Vec<&super::OldBatch> = person.past.batches.iter().filter(held).collect();
    if let Some(batch) = batches.iter().find(|it| it.status == "executed") {
        return why(
            "OPD-17",
            format!(
                "approved in {}, which was marked executed without them",
                batch.id
            ),
        );
    }
    if let Some(batch) = batches.first() {
        return why(
            "BT-5",
            format!(
                "in {}, which is {} and was never executed",
                batch.id, batch.status
            ),
        );
    }
    why("BT-11", "approved, and in none of its batches")
}

/// The old system wrote more than once.
fn twice(first: &OldMessage, last: &OldMessage) -> Why {
    let text = format!("written to by {} and by {}", first.origin, last.origin);
    if first.provider != last.provider {
        return match [first, last].iter().find(|it| it.provider == Provider::Ghl) {
            Some(ghl) if !ghl.certain => why("GH-4", text),
            _ => why("GH-1", text),
        };
    }
    let is_log = |it: &OldMessage| it.origin.contains("dispatch_log.jsonl");
    if is_log(first) || is_log(last) {
        return why("BT-3", text);
    }
    why("BT-12", text)
}

/// Whether the old system's campaign printed another person's letter.
fn another_text(person: &Person<'_>, message: &OldMessage) -> Option<Why> {
    let campaign = message.container.as_ref()?;
    if message.provider != Provider::Instantly {
        return None;
    }
    let in_it = person.past.candidates.iter();
    let mut in_it = in_it.filter(|it| it.campaign.as_ref() == Some(campaign));
    // Letters were loaded by file name; the campaign had the text of the first.
    let printed = in_it.next()?;
    let own = person.past.candidates.iter();
    let mut own = own.filter(|it| it.draft.recipient == *person.key);
    let own = own.find(|it| it.campaign.as_ref() == Some(campaign))?;
    let same =
        (&own.draft.subject, &own.draft.body) == (&printed.draft.subject, &printed.draft.body);
    (!same).then(|| {
        why(
            "IN-1",
            format!(
                "campaign {campaign} printed the letter of {}",
                printed.origin
            ),
        )
    })
}

/// A record that speaks of a message which nobody was handed.
fn only_said(person: &Person<'_>, message: &OldMessage) -> Option<Why> {
    if message.origin.starts_with("cadence_state/") || message.step > Step::FIRST {
        let step = message.step;
        return Some(why(
            "OPD-7",
            format!(
                "{} says that step {step} went out; nothing was sent",
                message.origin
            ),
        ));
    }
    let statuses = person.past.statuses.iter().filter(|it| it.0 == *person.key);
    let mut all = statuses.flat_map(|(_, it)| changes(it));
    if all.any(|(_, status)| status == "revival_queued") {
        return Some(why("OPD-8", "queued as a revival; nothing was sent"));
    }
    person.ours.is_none().then(|| {
        why(
            "OPD-10",
            format!(
                "{} names them, and no message is recorded: a campaign that failed, or a dry run (OPD-2)",
                message.origin
            ),
        )
    })
}
