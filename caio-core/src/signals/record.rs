//! A lead's status record, in the shape that both systems read and write.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::{ENGAGED_OPENS, Facts, Signal, reduce};
use crate::eligibility::{ANSWERED_STATUSES, TERMINAL_STATUSES};
use crate::pytext::{PyDateTime, fromisoformat};

/// Silence after which a message that nobody opened is given up.
const GHOSTED_AFTER: SignedDuration = SignedDuration::from_hours(72);

/// Silence after which an opened message is given up.
const STALLED_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What a new signal says, before it has a place in a record.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Who it is about, as the signal spells it.
    pub email: &'a str,
    /// Status that it stands for; `""` changes none.
    pub status: &'a str,
    /// Who reported it.
    pub source: &'a str,
    /// When, in the old system's form (`2026-03-02T10:00:00.000000+00:00`).
    pub at: &'a str,
    /// What came with it.
    pub data: Option<&'a Value>,
}

/// The record with one more signal; the same signal twice is one. `None` makes a new record.
///
/// Members that nobody here knows are kept. The status only ever moves as [`Facts::status`] says.
pub fn apply(record: Option<&Map<String, Value>>, seen: &Seen<'_>) -> Map<String, Value> {
    let mut record = record.cloned().unwrap_or_else(|| fresh(seen));
    let before = record
        .get("status")
        .and_then(Value::as_str)
        .unwrap_or("unknown")
        .to_owned();
    let mut signal = json!({"type": seen.source, "status": seen.status, "at": seen.at});
    if let (Some(data), Some(members)) = (seen.data, signal.as_object_mut()) {
        members.insert("data".to_owned(), data.clone());
    }
    let known = facts_of(&record);
    let signals = list(&mut record, "signals");
    if signals.contains(&signal) {
        return record;
    }
    signals.push(signal);
    let mut facts = facts_of(&record);
    // Records of the old system hold counts that their signals do not explain.
    let new = reduce([&as_signal(seen)]);
    facts.opens = facts.opens.max(known.opens + new.opens);
    facts.replies = facts.replies.max(known.replies + new.replies);
    let after = facts.status().to_owned();
    if before != after {
        list(&mut record, "status_history").push(json!({
            "from": before, "to": after, "at": seen.at, "source": seen.source,
        }));
    }
    record.insert("status".to_owned(), after.into());
    // A report that comes late is no news: silence is measured from the latest.
    let known = record.get("updated_at").and_then(Value::as_str);
    if known.is_none_or(|known| !is_later(known, seen.at)) {
        record.insert("updated_at".to_owned(), seen.at.into());
    }
    record.insert("open_count".to_owned(), facts.opens.into());
    record.insert("reply_count".to_owned(), facts.replies.into());
    if facts.connected {
        record.insert("linkedin_status".to_owned(), "connected".into());
    }
    record
}

/// Whether `one` is an instant after `other`; false where either cannot be read.
fn is_later(one: &str, other: &str) -> bool {
    let instant = |text: &str| fromisoformat(text).map(micros);
    matches!((instant(one), instant(other)), (Some(one), Some(other)) if one > other)
}

/// Microseconds since 1970; a time without an offset is UTC.
fn micros(at: PyDateTime) -> i64 {
    let offset = at.offset_micros.unwrap_or(0);
    at.local_micros.saturating_sub(offset)
}

fn fresh(seen: &Seen<'_>) -> Map<String, Value> {
    let members = json!({
        "email": seen.email, "status": "unknown", "status_history": [], "signals": [],
        "created_at": seen.at, "open_count": 0, "reply_count": 0, "linkedin_status": null,
    });
    match members {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// The list of that name; what is no list is replaced by an empty one.
fn list<'a>(record: &'a mut Map<String, Value>, name: &str) -> &'a mut Vec<Value> {
    let entry = record.entry(name).or_insert(Value::Null);
    if !entry.is_array() {
        *entry = Value::Array(Vec::new());
    }
    match entry {
        Value::Array(items) => items,
        _ => unreachable!("made a list one line above"),
    }
}

fn as_signal(seen: &Seen<'_>) -> Signal {
    Signal {
        at: seen.at.to_owned(),
        source: seen.source.to_owned(),
        status: seen.status.to_owned(),
        data: String::new(),
    }
}

/// What a record says, whoever wrote it.
///
/// Its signals and its history count, not its status alone: the Python system's status forgot
/// opt-outs and replies that its history still holds (LS-1, CA-8).
pub fn facts_of(record: &Map<String, Value>) -> Facts {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or("").to_owned();
    let items = |name: &str| {
        record
            .get(name)
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice)
    };
    let signals: Vec<Signal> = items("signals")
        .iter()
        .map(|item| Signal {
            at: text(item.get("at")),
            source: text(item.get("type")),
            status: text(item.get("status")),
            data: item
                .get("data")
                .map(ToString::to_string)
                .unwrap_or_default(),
        })
        .collect();
    let mut facts = reduce(&signals);
    for item in items("status_history") {
        facts.note(&text(item.get("from")));
        facts.note(&text(item.get("to")));
    }
    let count = |name: &str| record.get(name).and_then(Value::as_u64).unwrap_or(0);
    facts.opens = facts.opens.max(count("open_count"));
    facts.replies = facts.replies.max(count("reply_count"));
    facts.connected |= text(record.get("linkedin_status")) == "connected";
    let status = text(record.get("status"));
    facts.note(&status);
    let is_stage = !TERMINAL_STATUSES.contains(&status.as_str())
        && !ANSWERED_STATUSES.contains(&status.as_str());
    if is_stage && !status.is_empty() && facts.stage.is_none() {
        facts.stage = Some(status);
    }
    facts
}

/// What silence has made of a lead.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decay {
    /// Nobody opened within 72 hours.
    Ghosted {
        /// Hours since the last signal.
        hours: f64,
    },
    /// Opened, and nothing more within 7 days.
    Stalled {
        /// Whole days since the last signal.
        days: i64,
    },
    /// Opened more than once, without an answer.
    Engaged {
        /// How often.
        opens: u64,
    },
}

impl Decay {
    /// The status that it stands for.
    pub const fn status(&self) -> &'static str {
        match self {
            Self::Ghosted { .. } => "ghosted",
            Self::Stalled { .. } => "stalled",
            Self::Engaged { .. } => "engaged_not_replied",
        }
    }

    /// Who reports it, as the old system calls it.
    pub const fn source(&self) -> &'static str {
        match self {
            Self::Ghosted { .. } => "engagement_monitor:ghost_detection",
            Self::Stalled { .. } => "engagement_monitor:stall_detection",
            Self::Engaged { .. } => "engagement_monitor:engagement_pattern",
        }
    }
}

/// What silence has made of a record by `now`; `None` for one that nothing can be said of.
///
/// A dispatch that the old system's files spell in another word counts as one (LS-4), and who has
/// answered or ended contact does not decay (LS-1).
pub fn next_decay(record: &Map<String, Value>, now: Timestamp) -> Option<Decay> {
    let status = record.get("status").and_then(Value::as_str)?;
    let updated = record.get("updated_at").and_then(Value::as_str)?;
    let micros = micros(fromisoformat(updated)?);
    let silence = SignedDuration::from_micros(now.as_microsecond().saturating_sub(micros));
    let facts = facts_of(record);
    if facts.ended.is_some() || facts.has_replied() {
        return None;
    }
    let out = [
        "dispatched",
        "sent",
        "dispatched_to_instantly",
        "dispatched_to_heyreach",
        "sent_via_ghl",
    ];
    if out.contains(&status) && silence > GHOSTED_AFTER {
        let hours = silence.as_secs_f64() / 3600.0;
        return Some(Decay::Ghosted { hours });
    }
    if status == "opened" && silence > STALLED_AFTER {
        let days = silence.as_hours() / 24;
        return Some(Decay::Stalled { days });
    }
    (status == "opened" && facts.opens >= ENGAGED_OPENS)
        .then_some(Decay::Engaged { opens: facts.opens })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen<'a>(status: &'a str, at: &'a str) -> Seen<'a> {
        let source = if status == "opened" {
            "instantly_webhook:open"
        } else {
            "test"
        };
        Seen {
            email: "kim@example.com",
            status,
            source,
            at,
            data: None,
        }
    }

    const AT: [&str; 3] = [
        "2026-03-02T10:00:00+00:00",
        "2026-03-02T11:00:00+00:00",
        "2026-03-02T12:00:00+00:00",
    ];

    #[test]
    fn a_record_keeps_everything_and_moves_as_its_facts_say() {
        let first = apply(None, &seen("unsubscribed", AT[0]));
        let second = apply(Some(&first), &seen("opened", AT[1]));
        assert_eq!(second["status"], "unsubscribed");
        assert_eq!(
            (
                &second["open_count"],
                second["signals"].as_array().unwrap().len()
            ),
            (&json!(1), 2)
        );
        assert_eq!(second["status_history"].as_array().unwrap().len(), 1);
        assert_eq!(apply(Some(&second), &seen("opened", AT[1])), second);
    }

    #[test]
    fn history_counts_where_the_old_status_forgot() {
        let record = json!({
            "status": "opened", "status_history": [{"from": "unsubscribed", "to": "opened"}], "own": 1,
        });
        let record = record.as_object().unwrap();
        assert_eq!(facts_of(record).status(), "unsubscribed");
        assert_eq!(apply(Some(record), &seen("sent", AT[0]))["own"], 1);
        let replied = json!({"status": "opened", "reply_count": 1});
        assert!(facts_of(replied.as_object().unwrap()).has_replied());
    }

    #[test]
    fn a_late_report_is_kept_and_makes_nothing_look_older() {
        let opened = apply(None, &seen("opened", AT[2]));
        let both = apply(Some(&opened), &seen("sent", AT[0]));
        assert_eq!(
            (&both["updated_at"], &both["status"]),
            (&json!(AT[2]), &json!("opened"))
        );
        assert_eq!(both["signals"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn every_open_counts_and_two_engage() {
        let mut record = apply(None, &seen("opened", AT[0]));
        for at in &AT[1..] {
            record = apply(Some(&record), &seen("opened", at));
        }
        assert_eq!(
            (&record["open_count"], &record["status"]),
            (&json!(3), &json!("engaged_not_replied"))
        );
    }

    #[test]
    fn silence_is_read_at_its_edges() {
        let now: Timestamp = "2026-03-10T10:00:00Z".parse().unwrap();
        let decay = |status: &str, updated: &str, opens: u64| {
            let record = json!({"status": status, "updated_at": updated, "open_count": opens});
            next_decay(record.as_object().unwrap(), now).map(|it| it.status())
        };
        assert_eq!(decay("sent", "2026-03-07T10:00:00+00:00", 0), None);
        assert_eq!(decay("sent", "2026-03-07T09:59:59", 0), Some("ghosted"));
        assert_eq!(
            decay("dispatched_to_instantly", "2026-03-01T00:00:00Z", 0),
            Some("ghosted")
        );
        assert_eq!(
            decay("opened", "2026-03-03T09:59:59+00:00", 5),
            Some("stalled")
        );
        assert_eq!(
            decay("opened", "2026-03-09T10:00:00+00:00", 2),
            Some("engaged_not_replied")
        );
        assert_eq!(decay("opened", "soon", 2), None);
        assert_eq!(decay("replied", "2026-01-01T00:00:00Z", 2), None);
    }
}
