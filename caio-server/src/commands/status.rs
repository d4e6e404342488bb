//! `caio status`, `doctor`, `history`, `stop` and `resume`.

use caio_core::batch::BatchStatus;
use caio_core::draft::DraftStatus;
use caio_core::icp::reachable_tiers;
use caio_core::record::check_address;
use caio_dispatch::history::{self, Event};
use caio_dispatch::{batches, doctor, icp, review};
use caio_state::stop::{self, Stop};
use caio_state::{Access, StateStore};
use serde_json::json;

use crate::exit::{Exit, Failure, Result};
use crate::wiring::{Context, Stopped};

/// Looks at everything that gates a send; exit code 3 when something is wrong.
pub(super) async fn doctor(context: &Context) -> Result<Exit> {
    let store = context.open(Access::ReadOnly)?;
    let findings = doctor::examine(&*store).await?;
    let printer = &context.printer;
    if printer.is_json() {
        printer.json(&json!({ "store": store.to_string(), "findings": findings }));
    } else {
        for finding in &findings {
            printer.line(&format!("{} [{}]", finding.what, finding.code));
            printer.line(&format!("  {}", finding.advice));
        }
        if findings.is_empty() {
            printer.line("nothing is wrong");
        }
    }
    Ok(if findings.is_empty() {
        Exit::Done
    } else {
        Exit::Refusals
    })
}

pub(super) async fn status(context: &Context) -> Result<Exit> {
    let store = context.open(Access::ReadOnly)?;
    match seen(context, &*store).await {
        Err(failure) if failure.code.starts_with("store.") => unseen(context, &failure),
        answer => answer,
    }
}

/// What can be said without the store, and what cannot.
fn unseen(context: &Context, failure: &Failure) -> Result<Exit> {
    const UNSEEN: [&str; 4] = ["the stop flag", "drafts", "batches", "today's limits"];
    let model = context.model(None)?;
    let missing = context.settings().sender.missing();
    let printer = &context.printer;
    if printer.is_json() {
        printer.json(&json!({
            "stopped": null, "unseen": UNSEEN,
            "error": { "code": failure.code, "message": failure.message },
            "model": { "name": model.name(), "digest": model.digest() },
            "sender_missing": missing,
        }));
        return Ok(Exit::Failed);
    }
    printer.failure(failure);
    printer.line("nothing can be sent while the store cannot be seen");
    printer.line(&format!("not seen: {}", UNSEEN.join(", ")));
    printer.line(&format!("model: {} ({:.12})", model.name(), model.digest()));
    if !missing.is_empty() {
        printer.line(&format!("sender: not configured: {}", missing.join(", ")));
    }
    Ok(Exit::Failed)
}

async fn seen(context: &Context, store: &dyn StateStore) -> Result<Exit> {
    let policy = context.policy(store).await?;
    let stopped = stop::read(store).await?;
    let mut drafts = Vec::new();
    for status in DraftStatus::ALL {
        drafts.push((*status, review::count(store, *status).await?));
    }
    let mut open = Vec::new();
    for status in BatchStatus::ALL {
        open.push((*status, batches::list(store, *status).await?.len()));
    }
    let model = context.model(None)?;
    let adopted = icp::adopted(store).await?;
    let is_adopted = adopted
        .as_ref()
        .is_some_and(|it| it.model == model.reference());
    let tier = policy.ramp.tier;
    let reachable = tier.is_none_or(|tier| reachable_tiers(&model, false).contains(&tier));
    let ramp = &policy.ramp;
    let printer = &context.printer;
    if printer.is_json() {
        let drafts: serde_json::Map<_, _> = drafts
            .iter()
            .map(|(status, count)| (status.to_string(), json!(count)))
            .collect();
        let open: serde_json::Map<_, _> = open
            .iter()
            .map(|(status, count)| (status.to_string(), json!(count)))
            .collect();
        printer.json(&json!({
            "stopped": stopped, "drafts": drafts, "batches": open,
            "ramp": {
                "enabled": ramp.enabled, "active": ramp.active, "day": ramp.day,
                "remaining_days": ramp.remaining_days, "email_limit": ramp.email_limit,
                "tier": ramp.tier, "problem": ramp.problem.as_ref().map(ToString::to_string),
            },
            "today": { "email_used": policy.email_used, "email_room": policy.email_room,
                       "email_limit": policy.limits.email_per_day },
            "model": { "name": model.name(), "digest": model.digest(), "adopted": is_adopted,
                       "ramp_tier_reachable": reachable },
            "sender_missing": context.settings().sender.missing(),
        }));
        return Ok(Exit::Done);
    }
    match stopped {
        Some(Stop { by, at, reason }) => {
            printer.line(&format!("STOPPED by {by} at {at}: {reason}"));
        }
        None => printer.line("sending is not stopped"),
    }
    let words = |pairs: &[(String, u64)]| {
        let shown: Vec<String> = pairs
            .iter()
            .filter(|(_, n)| *n > 0)
            .map(|(s, n)| format!("{n} {s}"))
            .collect();
        if shown.is_empty() {
            "none".to_owned()
        } else {
            shown.join(", ")
        }
    };
    let drafts: Vec<_> = drafts
        .into_iter()
        .map(|(status, n)| (status.to_string(), n))
        .collect();
    let open: Vec<_> = open
        .into_iter()
        .map(|(status, n)| (status.to_string(), n as u64))
        .collect();
    printer.line(&format!("drafts: {}", words(&drafts)));
    printer.line(&format!("batches: {}", words(&open)));
    let (used, limit) = (policy.email_used, policy.limits.email_per_day);
    printer.line(&format!("today: {used} of {limit} e-mails used"));
    match (ramp.active, tier) {
        (true, Some(tier)) => printer.line(&format!(
            "ramp: day {} of {}, {limit} a day, {tier} only; {} clean days to go",
            ramp.day, ramp.days, ramp.remaining_days
        )),
        _ => printer.line("ramp: not active"),
    }
    if let Some(problem) = &ramp.problem {
        printer.warn(&problem.to_string());
    }
    let word = if is_adopted {
        "adopted"
    } else {
        "not adopted for live: caio icp adopt"
    };
    printer.line(&format!(
        "model: {} ({:.12}), {word}",
        model.name(),
        model.digest()
    ));
    if !reachable {
        printer.warn("without intent data no lead can reach the ramp's tier under this model");
    }
    let missing = context.settings().sender.missing();
    if !missing.is_empty() {
        printer.line(&format!("sender: not configured: {}", missing.join(", ")));
    }
    Ok(Exit::Done)
}

pub(super) async fn history(
    context: &Context,
    email: Option<String>,
    limit: usize,
) -> Result<Exit> {
    let person = email
        .map(|email| check_address(&email))
        .transpose()
        .map_err(|refusal| Failure::new("lead.email", refusal.to_string()).exit(Exit::Usage))?;
    if limit == 0 {
        return Err(Failure::new("history.limit", "--limit 0 shows nothing").exit(Exit::Usage));
    }
    let store = context.open(Access::ReadOnly)?;
    let events = history::newest(&*store, person.as_ref(), limit).await?;
    if context.printer.is_json() {
        context.printer.json(&json!({ "events": events }));
        return Ok(Exit::Done);
    }
    let rows = events.into_iter().map(|event| {
        let Event {
            at,
            by,
            kind,
            subject,
            detail,
            ..
        } = event;
        vec![at, by, kind, subject, detail]
    });
    context
        .printer
        .table(&["when", "who", "what", "about", "detail"], rows);
    Ok(Exit::Done)
}

pub(super) async fn stop(context: &Context, reason: &str) -> Result<Exit> {
    // Stopping never fails for want of a name.
    let by = context.by().unwrap_or("unknown");
    let store = context.open(Access::ReadWrite);
    let stopped = context.stop(store.clone(), by, reason).await;
    let is_complete = stopped.is_complete();
    let Stopped { flag, halted } = stopped;
    let printer = &context.printer;
    if printer.is_json() {
        let halted: serde_json::Map<String, serde_json::Value> = halted
            .iter()
            .map(|(who, said)| match said {
                Ok(paused) => (who.clone(), json!({ "paused": paused })),
                Err(why) => (who.clone(), json!({ "error": why })),
            })
            .collect();
        printer.json(&json!({ "stopped": flag.is_ok(), "halted": halted }));
    } else {
        if flag.is_ok() {
            printer.line("stopped: nothing is sent until `caio resume`");
        }
        for (who, said) in &halted {
            match said {
                Ok(0) => printer.line(&format!("{who}: nothing of ours sends")),
                Ok(paused) => {
                    printer.line(&format!("{who}: {paused} campaigns paused, none sends"));
                }
                Err(why) => printer.warn(&format!("{who}: {why}")),
            }
        }
    }
    if let Ok(store) = &store {
        context.deliver_alerts(&**store).await;
    }
    flag?;
    Ok(if is_complete {
        Exit::Done
    } else {
        Exit::Refusals
    })
}

pub(super) async fn resume(context: &Context) -> Result<Exit> {
    let by = context.by()?;
    let store = context.open(Access::ReadWrite)?;
    context.resume(&*store, by).await?;
    answer(context, "not stopped", false);
    context.deliver_alerts(&*store).await;
    Ok(Exit::Done)
}

fn answer(context: &Context, text: &str, stopped: bool) {
    if context.printer.is_json() {
        context.printer.json(&json!({ "stopped": stopped }));
    } else {
        context.printer.line(text);
    }
}
