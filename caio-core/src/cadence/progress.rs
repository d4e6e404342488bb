//! Where a lead stands in a cadence, over the record that both systems read.
//!
//! Questions change nothing (CA-3). What changes a record takes it and answers a new one, so that a
//! store can put it there only if nobody else was faster. The Python system refuses a record with a
//! member that it does not know, so none is added: what it lacks stands in `steps_completed`.

use jiff::Span;
use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::plan::{Plan, PlanStep};
use crate::pytext::fromisoformat;
use crate::signals::Facts;

/// A lead's record.
pub type Record = Map<String, Value>;

/// Fewest days between two touches of one cadence, unless it plans them closer (CA-6).
const LEAST_GAP_DAYS: i64 = 2;

/// What is due for a lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next<'p> {
    /// Every step is done or passed over.
    Complete,
    /// This step, since that day.
    Due(&'p PlanStep, Date),
    /// Nothing today.
    Nothing,
}

/// Why a record cannot be read, or a change is not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProgressFault {
    /// A member is missing or says nothing (CA-13).
    #[error("{email}: `{member}` is {found}; expected {expected}")]
    BadMember {
        /// Whose record.
        email: String,
        /// Member.
        member: &'static str,
        /// What it holds.
        found: String,
        /// What it should hold.
        expected: &'static str,
    },
    /// The step is not the one whose turn it is (CA-4).
    #[error("{email}: step {given} is not next, step {next} is; nothing was recorded")]
    NotNext {
        /// Whose record.
        email: String,
        /// Step that was given.
        given: i64,
        /// Step whose turn it is; 0 when none is left.
        next: i64,
    },
}

impl ProgressFault {
    /// Stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BadMember { .. } => "cadence.bad_record",
            Self::NotNext { .. } => "cadence.not_next",
        }
    }
}

/// What a look at the lead's signals changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Synced {
    /// Every step is done or passed over.
    Completed,
    /// The lead accepted our connection.
    Connected,
    /// The cadence ended, for this reason.
    Exited(String),
    /// It waits.
    Paused,
    /// What it waited for is over (CA-7).
    Resumed,
}

/// A new record, as the old system writes it.
pub fn enrolled(
    email: &str,
    cadence: &str,
    tier: &str,
    linkedin_url: &str,
    lead_data: &Value,
    now: &str,
) -> Record {
    let record = json!({
        "email": email, "cadence_id": cadence, "tier": tier, "started_at": now, "current_step": 1,
        "status": "active", "exit_reason": "", "linkedin_url": linkedin_url,
        "linkedin_connected": false, "lead_data": lead_data, "steps_completed": [],
        "last_step_at": "", "next_step_due": now.get(..10).unwrap_or(now), "paused_at": "",
    });
    match record {
        Value::Object(record) => record,
        _ => Record::new(),
    }
}

/// What is due on `today`.
///
/// # Errors
/// A record whose dates or step cannot be read: it is nobody's turn, and somebody has to know.
pub fn next<'p>(
    record: &Record,
    plan: &'p Plan,
    facts: &Facts,
    today: Date,
) -> Result<Next<'p>, ProgressFault> {
    if text(record, "status") != "active" || plan.exit_reason(facts).is_some() {
        return Ok(Next::Nothing);
    }
    let mut due = date_of(record, "next_step_due")?;
    let mut at = current(record)?;
    if plan.step(at).is_none() {
        // The old system leaves such a record alone, for ever.
        return Ok(Next::Nothing);
    }
    while due <= today {
        let Some(step) = plan.step(at) else {
            return Ok(Next::Complete);
        };
        if holds(step, record, facts) {
            return Ok(Next::Due(step, due));
        }
        let Some(later) = plan.after(at) else {
            return Ok(Next::Complete);
        };
        at = later.step;
        due = due_of(record, plan, later)?;
    }
    Ok(Next::Nothing)
}

/// The day on which something is to be done for a lead; `None` for one that is not active.
///
/// That is the day of the first step whose condition is met now, or where none is, of the step whose
/// turn it is: the cadence is over from then on.
///
/// # Errors
/// A record whose dates or step cannot be read.
pub fn due_day(record: &Record, plan: &Plan, facts: &Facts) -> Result<Option<Date>, ProgressFault> {
    if text(record, "status") != "active" {
        return Ok(None);
    }
    let first = date_of(record, "next_step_due")?;
    let mut turn = plan.step(current(record)?);
    let mut due = first;
    while let Some(step) = turn {
        if holds(step, record, facts) {
            return Ok(Some(due));
        }
        turn = plan.after(step.step);
        if let Some(later) = turn {
            due = due_of(record, plan, later)?.max(due);
        }
    }
    Ok(Some(first))
}

/// Why `step` may not be taken now, whatever the day; `None` where it may.
///
/// Asked again right before a follow-up is sent.
pub fn against(record: &Record, plan: &Plan, facts: &Facts, step: i64) -> Option<String> {
    let status = text(record, "status");
    if status != "active" {
        let why = text(record, "exit_reason");
        return Some(match why {
            "" => format!("the follow-up is {status}"),
            why => format!("the follow-up is {status} ({why})"),
        });
    }
    if let Some(reason) = plan.exit_reason(facts) {
        return Some(format!("the lead is {reason}; the follow-up ends"));
    }
    if is_held(record, plan, facts) {
        return Some(format!(
            "the lead is {}; the follow-up waits",
            facts.status()
        ));
    }
    let turn = match passed_over(record, plan, facts, "") {
        Ok((turn, _)) => turn,
        Err(fault) => return Some(fault.to_string()),
    };
    match turn {
        Some(turn) if turn.step == step => None,
        Some(turn) => Some(format!("step {} is next, not step {step}", turn.step)),
        None => Some("every step is done or passed over".to_owned()),
    }
}

/// Whether a signal holds the cadence that no person has looked at.
fn is_held(record: &Record, plan: &Plan, facts: &Facts) -> bool {
    plan.pause_on.iter().any(|it| it == facts.status())
        && acknowledged(record) != Some(facts.status())
}

/// The record after `step` was done; `None` where it is recorded already or the lead is not active.
///
/// # Errors
/// Another step is next, or the record cannot be read.
pub fn done(
    record: &Record,
    plan: &Plan,
    facts: &Facts,
    step: i64,
    result: &str,
    metadata: Option<&Value>,
    now: &str,
) -> Result<Option<Record>, ProgressFault> {
    let done_before = completed(record)
        .iter()
        .any(|item| item.get("step") == Some(&json!(step)) && is_touch(item));
    if text(record, "status") != "active" || done_before {
        return Ok(None);
    }
    let (turn, mut entries) = passed_over(record, plan, facts, now)?;
    let Some(turn) = turn.filter(|turn| turn.step == step) else {
        return Err(not_next(record, step, turn));
    };
    let mut entry = json!({"step": step, "action": result, "at": now});
    if let (Some(metadata), Some(entry)) = (metadata, entry.as_object_mut()) {
        entry.insert("metadata".to_owned(), metadata.clone());
    }
    entries.push(entry);
    let mut after = appended(record, entries);
    after.insert("last_step_at".to_owned(), now.into());
    go_on(&mut after, plan, turn)?;
    Ok(Some(after))
}

/// The record after `step`, whose turn it is, was passed over for another reason than its condition;
/// `None` where the lead is not active.
///
/// # Errors
/// Another step is next, or the record cannot be read.
pub fn passed(
    record: &Record,
    plan: &Plan,
    facts: &Facts,
    step: i64,
    reason: &str,
    now: &str,
) -> Result<Option<Record>, ProgressFault> {
    if text(record, "status") != "active" {
        return Ok(None);
    }
    let (turn, mut entries) = passed_over(record, plan, facts, now)?;
    let Some(turn) = turn.filter(|turn| turn.step == step) else {
        return Err(not_next(record, step, turn));
    };
    entries.push(json!({"step": step, "action": "skipped", "reason": reason, "at": now}));
    let mut after = appended(record, entries);
    go_on(&mut after, plan, turn)?;
    Ok(Some(after))
}

/// Moves on behind `turn`.
fn go_on(after: &mut Record, plan: &Plan, turn: &PlanStep) -> Result<(), ProgressFault> {
    match plan.after(turn.step) {
        None => complete(after),
        Some(later) => {
            let due = due_of(after, plan, later)?;
            after.insert("current_step".to_owned(), later.step.into());
            after.insert("next_step_due".to_owned(), due.to_string().into());
        }
    }
    Ok(())
}

/// The day of a step: as planned, and some days after the last touch (CA-6).
fn due_of(record: &Record, plan: &Plan, step: &PlanStep) -> Result<Date, ProgressFault> {
    let planned = planned(start(record)?, step);
    let last = completed(record).iter().rev().find(|item| is_touch(item));
    let number = last
        .and_then(|item| item.get("step"))
        .and_then(Value::as_i64);
    let Some(last) = number.and_then(|number| plan.step(number)) else {
        return Ok(planned);
    };
    let gap = (step.day - last.day).clamp(0, LEAST_GAP_DAYS);
    let touched = day_of(text(record, "last_step_at"));
    let earliest = touched.and_then(|day| day.checked_add(Span::new().days(gap)).ok());
    Ok(earliest.map_or(planned, |earliest| planned.max(earliest)))
}

/// Whether an entry says that a step was taken.
fn is_touch(item: &Value) -> bool {
    let action = item.get("action").and_then(Value::as_str);
    !matches!(action, Some("skipped" | "resumed"))
}

fn not_next(record: &Record, given: i64, next: Option<&PlanStep>) -> ProgressFault {
    ProgressFault::NotNext {
        email: text(record, "email").to_owned(),
        given,
        next: next.map_or(0, |next| next.step),
    }
}

/// The record after a look at the lead's signals, and what changed; `None` where nothing did.
///
/// # Errors
/// The record cannot be read.
pub fn synced(
    record: &Record,
    plan: &Plan,
    facts: &Facts,
    now: &str,
) -> Result<Option<(Record, Synced)>, ProgressFault> {
    let status = text(record, "status");
    if status != "active" && status != "paused" {
        return Ok(None);
    }
    let mut after = record.clone();
    if let Some(reason) = plan.exit_reason(facts) {
        after.insert("status".to_owned(), "exited".into());
        after.insert("exit_reason".to_owned(), reason.clone().into());
        return Ok(Some((after, Synced::Exited(reason))));
    }
    let holds_now = plan.pause_on.iter().any(|it| it == facts.status());
    if status == "active" && is_held(record, plan, facts) {
        after.insert("status".to_owned(), "paused".into());
        after.insert("paused_at".to_owned(), now.into());
        return Ok(Some((after, Synced::Paused)));
    }
    if status == "paused" && !holds_now && !text(record, "exit_reason").starts_with("paused:") {
        after.insert("status".to_owned(), "active".into());
        after.insert("paused_at".to_owned(), "".into());
        return Ok(Some((after, Synced::Resumed)));
    }
    if facts.connected && record.get("linkedin_connected") != Some(&json!(true)) {
        after.insert("linkedin_connected".to_owned(), true.into());
        return Ok(Some((after, Synced::Connected)));
    }
    if status == "active" && plan.step(current(record)?).is_some() {
        let today = day_of(now);
        if let Some(today) = today
            && next(record, plan, facts, today)? == Next::Complete
        {
            let (_, entries) = passed_over(record, plan, facts, now)?;
            let mut after = appended(record, entries);
            complete(&mut after);
            return Ok(Some((after, Synced::Completed)));
        }
    }
    Ok(None)
}

/// The record, paused by a person; `None` unless it is active.
pub fn paused(record: &Record, reason: &str, now: &str) -> Option<Record> {
    (text(record, "status") == "active").then(|| {
        let mut after = record.clone();
        after.insert("status".to_owned(), "paused".into());
        after.insert("paused_at".to_owned(), now.into());
        after.insert("exit_reason".to_owned(), format!("paused:{reason}").into());
        after
    })
}

/// The record, resumed by a person; `None` unless it is paused. The status of today is acknowledged:
/// it does not pause the lead again (CA-7).
pub fn resumed(record: &Record, facts: &Facts, now: &str) -> Option<Record> {
    (text(record, "status") == "paused").then(|| {
        let entry = json!({
            "step": record.get("current_step").cloned().unwrap_or(json!(0)), "action": "resumed",
            "acknowledged": facts.status(), "at": now,
        });
        let mut after = appended(record, vec![entry]);
        after.insert("status".to_owned(), "active".into());
        after.insert("paused_at".to_owned(), "".into());
        after.insert("exit_reason".to_owned(), "".into());
        after
    })
}

/// The record, ended by a person; `None` where it has ended already.
pub fn exited(record: &Record, reason: &str) -> Option<Record> {
    matches!(text(record, "status"), "active" | "paused").then(|| {
        let mut after = record.clone();
        after.insert("status".to_owned(), "exited".into());
        after.insert("exit_reason".to_owned(), reason.into());
        after
    })
}

/// The step whose turn it is, whatever the day, and an entry for each step passed over (CA-5).
fn passed_over<'p>(
    record: &Record,
    plan: &'p Plan,
    facts: &Facts,
    now: &str,
) -> Result<(Option<&'p PlanStep>, Vec<Value>), ProgressFault> {
    let mut entries = Vec::new();
    let mut turn = plan.step(current(record)?);
    while let Some(step) = turn {
        if holds(step, record, facts) {
            break;
        }
        entries.push(json!({
            "step": step.step, "action": "skipped",
            "reason": format!("condition_not_met:{}", step.condition), "at": now,
        }));
        turn = plan.after(step.step);
    }
    Ok((turn, entries))
}

/// Whether a step's condition is met; one that nobody knows is, as in the old system.
fn holds(step: &PlanStep, record: &Record, facts: &Facts) -> bool {
    match step.condition.as_str() {
        "has_linkedin_url" => !text(record, "linkedin_url").is_empty(),
        "not_replied" => !facts.has_replied(),
        "linkedin_connected" => {
            facts.connected || record.get("linkedin_connected") == Some(&json!(true))
        }
        _ => true,
    }
}

fn complete(record: &mut Record) {
    record.insert("status".to_owned(), "completed".into());
    record.insert("exit_reason".to_owned(), "all_steps_done".into());
}

fn appended(record: &Record, entries: Vec<Value>) -> Record {
    let mut after = record.clone();
    let mut all = completed(record).to_vec();
    all.extend(entries);
    after.insert("steps_completed".to_owned(), all.into());
    after
}

fn completed(record: &Record) -> &[Value] {
    record
        .get("steps_completed")
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The status that a person looked at when resuming the lead last.
fn acknowledged(record: &Record) -> Option<&str> {
    let last = completed(record)
        .iter()
        .rev()
        .find(|item| item.get("action") == Some(&json!("resumed")))?;
    last.get("acknowledged").and_then(Value::as_str)
}

fn planned(start: Date, step: &PlanStep) -> Date {
    start
        .checked_add(Span::new().days(step.day - 1))
        .unwrap_or(Date::MAX)
}

fn text<'a>(record: &'a Record, member: &str) -> &'a str {
    record.get(member).and_then(Value::as_str).unwrap_or("")
}

fn current(record: &Record) -> Result<i64, ProgressFault> {
    record
        .get("current_step")
        .and_then(Value::as_i64)
        .ok_or_else(|| bad(record, "current_step", "a number"))
}

fn start(record: &Record) -> Result<Date, ProgressFault> {
    text(record, "started_at")
        .get(..10)
        .and_then(|day| day.parse().ok())
        .ok_or_else(|| {
            bad(
                record,
                "started_at",
                "an instant such as 2026-03-02T14:00:00+00:00",
            )
        })
}

fn date_of(record: &Record, member: &'static str) -> Result<Date, ProgressFault> {
    let found = text(record, member);
    let date = (found.len() <= 10).then(|| fromisoformat(found)).flatten();
    date.and_then(|at| {
        let days = at.local_micros.div_euclid(86_400_000_000);
        Date::constant(1970, 1, 1)
            .checked_add(Span::new().try_days(days).ok()?)
            .ok()
    })
    .ok_or_else(|| bad(record, member, "a date such as 2026-03-02"))
}

fn day_of(instant: &str) -> Option<Date> {
    instant.get(..10)?.parse().ok()
}

fn bad(record: &Record, member: &'static str, expected: &'static str) -> ProgressFault {
    ProgressFault::BadMember {
        email: text(record, "email").to_owned(),
        member,
        found: record
            .get(member)
            .map_or_else(|| "missing".to_owned(), ToString::to_string),
        expected,
    }
}

#[cfg(test)]
mod tests;
