//! `caio alerts`: what people are told, and whether they were.

use caio_core::escalation::{AlertChannel, Configured, Level, Told};
use caio_dispatch::notify::{self, Alert, AlertState, Listed, Notice, Which};
use caio_state::Access;
use serde_json::{Value, json};

use crate::args::{AlertsCommand, StateArg};
use crate::exit::{Exit, Failure, Result};
use crate::wiring::Context;

pub(super) async fn run(context: &Context, command: AlertsCommand) -> Result<Exit> {
    match command {
        AlertsCommand::Ack { id } => acknowledge(context, &id).await,
        AlertsCommand::List { state, limit } => list(context, state, limit).await,
        AlertsCommand::Send { dead } => send(context, dead).await,
        AlertsCommand::Test => test(context).await,
    }
}

async fn acknowledge(context: &Context, id: &str) -> Result<Exit> {
    let by = context.by()?;
    let store = context.open(Access::ReadWrite)?;
    let time = (&*context.clock, &*context.ids);
    let alert = notify::acknowledge(&*store, time, by, id).await?;
    if context.printer.is_json() {
        context.printer.json(&json!({ "alert": alert }));
    } else if let Some(seen) = &alert.acknowledged {
        let line = format!("{id}  seen by {} at {}", seen.by, seen.at);
        context.printer.line(&line);
    }
    Ok(Exit::Done)
}

async fn list(context: &Context, state: Option<StateArg>, limit: usize) -> Result<Exit> {
    if limit == 0 {
        return Err(Failure::new("alerts.limit", "--limit 0 shows nothing").exit(Exit::Usage));
    }
    let store = context.open(Access::ReadOnly)?;
    let state = state.map(|state| match state {
        StateArg::Dead => AlertState::Dead,
        StateArg::Delivered => AlertState::Delivered,
        StateArg::Waiting => AlertState::Waiting,
    });
    let listed = notify::list(&*store, state, limit).await?;
    if context.printer.is_json() {
        context.printer.json(&json!({ "alerts": listed }));
        return Ok(Exit::Done);
    }
    let rows = listed.into_iter().map(|listed| {
        let Listed {
            alert,
            folded_since,
        } = listed;
        let folded = match folded_since {
            0 => String::new(),
            more => format!("{more} more since"),
        };
        let seen = alert.acknowledged.as_ref();
        let seen = seen.map_or_else(String::new, |seen| format!("seen by {}", seen.by));
        vec![
            alert.id.clone(),
            alert.raised_at.clone(),
            alert.level.number().to_string(),
            word(alert.state),
            became(&alert),
            alert.title,
            folded,
            seen,
        ]
    });
    let headers = [
        "alert", "when", "level", "state", "channels", "what", "", "",
    ];
    context.printer.table(&headers, rows);
    Ok(Exit::Done)
}

/// Each channel with what became of it, and why where it is not `sent`.
fn became(alert: &Alert) -> String {
    let over = alert.results.iter().map(|(channel, result)| {
        let tried = alert.channels.get(channel);
        match tried.filter(|tried| tried.ended != Some(caio_core::escalation::Ended::Sent)) {
            Some(tried) => format!("{channel} {result} ({})", tried.detail),
            None => format!("{channel} {result}"),
        }
    });
    let open = alert.channels.iter().map(|(channel, tried)| {
        let ended = match tried.ended {
            Some(caio_core::escalation::Ended::Sent) => "sent".to_owned(),
            _ => format!("{} tried ({})", tried.attempts, tried.detail),
        };
        format!("{channel} {ended}")
    });
    let all: Vec<String> = match alert.state {
        AlertState::Waiting => open.collect(),
        AlertState::Dead | AlertState::Delivered => over.collect(),
    };
    all.join("; ")
}

fn word(state: AlertState) -> String {
    let word = serde_json::to_value(state).unwrap_or_default();
    word.as_str().unwrap_or_default().to_owned()
}

/// Delivers what waits; exit code 3 while something reached nobody.
async fn send(context: &Context, dead: bool) -> Result<Exit> {
    let store = context.open(Access::ReadWrite)?;
    let (notifiers, problems) = context.notifiers();
    for problem in &problems {
        context.printer.warn(problem);
    }
    let policy = context.alert_policy();
    let alerts = context.alerts(&*store, &policy);
    notify::watch(&alerts).await?;
    notify::bounced(&alerts).await?;
    if dead {
        let again = notify::retry_dead(&*store, (&*context.clock, &*context.ids)).await?;
        let note = format!("{again} that reached nobody are tried again");
        context.printer.note(&note);
    }
    let drained = context.drain(&*store, &notifiers, Which::All).await?;
    if let Some(holder) = &drained.busy {
        context
            .printer
            .note(&format!("{holder} delivers at the moment"));
    }
    if context.printer.is_json() {
        context.printer.json(&json!({ "delivery": drained }));
    } else {
        for alert in &drained.alerts {
            let (state, became) = (word(alert.state), became(alert));
            context
                .printer
                .line(&format!("{state:9} {}  {became}", alert.title));
        }
        if drained.alerts.is_empty() && drained.busy.is_none() {
            context.printer.note("nothing waits");
        }
    }
    let reached = |alert: &Alert| alert.state == AlertState::Delivered;
    Ok(if drained.alerts.iter().all(reached) {
        Exit::Done
    } else {
        Exit::Refusals
    })
}

/// Tells every channel at once, without the outbox, and says what each answered.
async fn test(context: &Context) -> Result<Exit> {
    let (notifiers, problems) = context.notifiers();
    for problem in &problems {
        context.printer.warn(problem);
    }
    let notice = Notice {
        id: context.ids.id(),
        raised_at: context.clock.now(),
        level: Level::One,
        heading: "Test".to_owned(),
        title: "This is a test of caio's alerts".to_owned(),
        text: "Nothing has happened. Whoever reads this is told when something does.".to_owned(),
        link: context.alert_policy().link,
    };
    let mut rows = Vec::new();
    let mut all_sent = problems.is_empty();
    for channel in AlertChannel::ALL {
        let Some(notifier) = notifiers.of(*channel) else {
            rows.push((*channel, String::new(), "not_configured", String::new()));
            continue;
        };
        let told = notifier.notify(&notice).await;
        let is_sent = matches!(told, Told::Sent { .. });
        all_sent &= is_sent;
        let word = if is_sent { "sent" } else { "failed" };
        rows.push((
            *channel,
            notifier.to_string(),
            word,
            told.detail().to_owned(),
        ));
    }
    if context.printer.is_json() {
        let rows: Vec<Value> = rows
            .iter()
            .map(|(channel, place, result, detail)| {
                json!({ "channel": channel, "where": place, "result": result, "detail": detail })
            })
            .collect();
        context.printer.json(&json!({ "channels": rows }));
    } else {
        let rows = rows.into_iter().map(|(channel, place, result, detail)| {
            vec![channel.to_string(), result.to_owned(), place, detail]
        });
        context
            .printer
            .table(&["channel", "result", "where", "detail"], rows);
    }
    if notifiers.configured() == Configured::default() {
        context
            .printer
            .note("no channel is configured: docs/alerts.md says how");
        return Ok(Exit::Failed);
    }
    Ok(if all_sent { Exit::Done } else { Exit::Refusals })
}
