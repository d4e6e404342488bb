//! `caio cadence`: the follow-up of 21 days.

use caio_core::EmailKey;
use caio_core::limits::business_day;
use caio_core::record::check_address;
use caio_dispatch::cadence::{self, Enrolment, Synced, Written};
use caio_state::Access;
use serde_json::{Value, json};

use crate::args::CadenceCommand;
use crate::exit::{Exit, Failure, Result};
use crate::wiring::Context;

pub(super) async fn run(context: &Context, command: CadenceCommand) -> Result<Exit> {
    match command {
        CadenceCommand::Due { limit } => due(context, limit).await,
        CadenceCommand::Draft { limit } => {
            let store = context.open(Access::ReadWrite)?;
            let written = context
                .write_follow_ups(&*store, context.by()?, limit)
                .await?;
            told(context, &written);
            if context.printer.is_json() {
                context.printer.json(&json!(written));
            }
            Ok(exit_of(&written))
        }
        CadenceCommand::Enroll { email, sent_at } => {
            let store = context.open(Access::ReadWrite)?;
            let person = address(&email)?;
            let enrolment = context
                .follow_ups(&*store)?
                .enroll(&person, sent_at)
                .await?;
            Ok(answer(context, &enrolment))
        }
        CadenceCommand::Exit { email, reason } => {
            let store = context.open(Access::ReadWrite)?;
            let person = address(&email)?;
            let enrolment = context.follow_ups(&*store)?.exit(&person, &reason).await?;
            Ok(answer(context, &enrolment))
        }
        CadenceCommand::List { status, limit } => list(context, status.as_deref(), limit).await,
        CadenceCommand::Pause { email, reason } => {
            let store = context.open(Access::ReadWrite)?;
            let person = address(&email)?;
            let enrolment = context.follow_ups(&*store)?.pause(&person, &reason).await?;
            Ok(answer(context, &enrolment))
        }
        CadenceCommand::Resume { email } => {
            let store = context.open(Access::ReadWrite)?;
            let person = address(&email)?;
            let enrolment = context.follow_ups(&*store)?.resume(&person).await?;
            Ok(answer(context, &enrolment))
        }
        CadenceCommand::Show { email } => show(context, &email).await,
        CadenceCommand::Summary => summary(context).await,
        CadenceCommand::Sync => {
            let store = context.open(Access::ReadWrite)?;
            let synced = context.follow_ups(&*store)?.sync().await?;
            if context.printer.is_json() {
                context.printer.json(&json!(synced));
            } else {
                say(context, &synced);
            }
            Ok(if synced.problems.is_empty() {
                Exit::Done
            } else {
                Exit::Refusals
            })
        }
    }
}

/// Says what was written.
pub(super) fn told(context: &Context, written: &Written) {
    let printer = &context.printer;
    say(context, &written.synced);
    for unwritten in &written.unwritten {
        let then = if unwritten.passed {
            "passed over"
        } else {
            "it waits"
        };
        printer.warn(&format!(
            "{} step {}: {}; {then}",
            unwritten.email, unwritten.step, unwritten.reason
        ));
    }
    printer.note(&format!(
        "{} follow-ups written, {} due ones were written before",
        written.drafts.len(),
        written.waiting
    ));
    if !written.drafts.is_empty() {
        printer.note("next: caio drafts list, then approve them");
    }
}

fn exit_of(written: &Written) -> Exit {
    if written.unwritten.is_empty() && written.synced.problems.is_empty() {
        Exit::Done
    } else {
        Exit::Refusals
    }
}

/// What was taken in, for people.
pub(super) fn say(context: &Context, synced: &Synced) {
    let printer = &context.printer;
    for (what, who) in [
        ("begun", &synced.enrolled),
        ("ended", &synced.exited),
        ("held", &synced.paused),
        ("goes on", &synced.resumed),
        ("connected", &synced.connected),
        ("complete", &synced.completed),
    ] {
        for email in who {
            printer.note(&format!("{what}: {email}"));
        }
    }
    for step in &synced.steps {
        let what = if step.done { "sent" } else { "passed over" };
        printer.note(&format!(
            "{} step {} {what}: {}",
            step.email, step.step, step.why
        ));
    }
    for problem in &synced.problems {
        printer.warn(problem);
    }
}

fn address(email: &str) -> Result<EmailKey> {
    check_address(email)
        .map_err(|refusal| Failure::new("lead.email", refusal.to_string()).exit(Exit::Usage))
}

async fn due(context: &Context, limit: usize) -> Result<Exit> {
    let store = context.open(Access::ReadOnly)?;
    let today = business_day(context.clock.now(), &context.zone()?);
    let due = cadence::due(&*store, today, limit).await?;
    let printer = &context.printer;
    for problem in &due.problems {
        printer.warn(problem);
    }
    let exit = if due.problems.is_empty() {
        Exit::Done
    } else {
        Exit::Refusals
    };
    if printer.is_json() {
        printer.json(
            &json!({ "today": today.to_string(), "due": due.actions, "problems": due.problems }),
        );
        return Ok(exit);
    }
    let rows = due.actions.into_iter().map(|action| {
        vec![
            action.email,
            action.step.to_string(),
            action.due,
            action.channel,
            action.description,
            action.tier,
            action.state.replace('_', " "),
        ]
    });
    printer.table(
        &["who", "step", "since", "by", "what", "tier", "stands"],
        rows,
    );
    Ok(exit)
}

async fn list(context: &Context, status: Option<&str>, limit: usize) -> Result<Exit> {
    let store = context.open(Access::ReadOnly)?;
    let all = cadence::list(&*store, status, limit).await?;
    let printer = &context.printer;
    if printer.is_json() {
        let records: Vec<&caio_core::cadence::Record> = all.iter().map(|it| &it.record).collect();
        printer.json(&json!({ "leads": records }));
        return Ok(Exit::Done);
    }
    let rows = all.iter().map(|it| {
        vec![
            it.person.to_string(),
            it.status().to_owned(),
            it.step().to_string(),
            it.due.clone().unwrap_or_default(),
            it.text("tier").to_owned(),
            it.text("exit_reason").to_owned(),
        ]
    });
    printer.table(&["who", "status", "step", "due", "tier", "why"], rows);
    Ok(Exit::Done)
}

async fn show(context: &Context, email: &str) -> Result<Exit> {
    let person = address(email)?;
    let store = context.open(Access::ReadOnly)?;
    let Some(enrolment) = cadence::one(&*store, &person).await? else {
        return Err(Failure::new(
            "cadence.not_found",
            format!("{person} is not in the follow-up"),
        )
        .hint("it begins when the provider reports the first e-mail as sent"));
    };
    Ok(answer(context, &enrolment))
}

/// One follow-up, with every step that is behind it.
fn answer(context: &Context, enrolment: &Enrolment) -> Exit {
    let printer = &context.printer;
    if printer.is_json() {
        printer.json(&json!({ "lead": enrolment.record, "due": enrolment.due }));
        return Exit::Done;
    }
    let why = enrolment.text("exit_reason");
    let why = if why.is_empty() {
        String::new()
    } else {
        format!(" ({why})")
    };
    printer.line(&format!(
        "{}  {}{why}, begun {}",
        enrolment.person,
        enrolment.status(),
        enrolment.text("started_at")
    ));
    let steps = enrolment
        .record
        .get("steps_completed")
        .and_then(Value::as_array);
    for step in steps.into_iter().flatten() {
        let text = |member: &str| step.get(member).and_then(Value::as_str).unwrap_or("");
        let number = step.get("step").and_then(Value::as_i64).unwrap_or(0);
        printer.line(&format!(
            "  step {number}  {}  {}  {}",
            text("at"),
            text("action"),
            text("reason")
        ));
    }
    if let Some(due) = &enrolment.due {
        printer.line(&format!(
            "  step {} next, something is due {due}",
            enrolment.step()
        ));
    }
    Exit::Done
}

async fn summary(context: &Context) -> Result<Exit> {
    let store = context.open(Access::ReadOnly)?;
    let today = business_day(context.clock.now(), &context.zone()?);
    let summary = cadence::summary(&*store, today).await?;
    let printer = &context.printer;
    if printer.is_json() {
        printer.json(&json!(summary));
        return Ok(Exit::Done);
    }
    printer.line(&format!(
        "{} people, {} steps due today",
        summary.total_enrolled, summary.actions_due_today
    ));
    for counts in [
        &summary.by_status,
        &summary.by_current_step,
        &summary.exit_reasons,
    ] {
        let counts: Vec<String> = counts
            .iter()
            .map(|(name, n)| format!("{n} {name}"))
            .collect();
        if !counts.is_empty() {
            printer.line(&format!("  {}", counts.join(", ")));
        }
    }
    Ok(Exit::Done)
}
