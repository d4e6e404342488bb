//! `caio webhooks`: what providers report, and how they prove who they are.

use caio_core::time::rfc3339;
use caio_core::webhook::Source;
use caio_core::webhook::signature::takes_url_key;
use caio_dispatch::cadence::Cadences;
use caio_dispatch::inbox::{self, Decide, EventState, KeyRecord, StoredEvent, Wanted};
use caio_state::{Access, StateStore};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::args::WebhooksCommand;
use crate::exit::{Exit, Result};
use crate::wiring::Context;

pub(super) async fn run(context: &Context, command: WebhooksCommand) -> Result<Exit> {
    match command {
        WebhooksCommand::Accept { id } => {
            let store = context.open(Access::ReadWrite)?;
            let state = decide(context, &*store, &context.follow_ups(&*store)?)?
                .accept(&id)
                .await?;
            Ok(say(context, &[(id, state)]))
        }
        WebhooksCommand::Dismiss { id } => {
            let store = context.open(Access::ReadWrite)?;
            let state = decide(context, &*store, &context.follow_ups(&*store)?)?
                .dismiss(&id)
                .await?;
            Ok(say(context, &[(id, state)]))
        }
        WebhooksCommand::Hold {
            provider,
            until,
            off: _,
        } => hold(context, provider, until).await,
        WebhooksCommand::List { state, limit } => list(context, state, limit).await,
        WebhooksCommand::Replay {
            ids,
            state,
            from,
            until,
        } => {
            let store = context.open(Access::ReadWrite)?;
            let follow_ups = context.follow_ups(&*store)?;
            let decide = decide(context, &*store, &follow_ups)?;
            let mut replayed = Vec::with_capacity(ids.len());
            if ids.is_empty() {
                replayed = decide.replay_all(&Wanted { state, from, until }).await?;
            }
            for id in ids {
                let state = decide.replay(&id).await?;
                replayed.push((id, state));
            }
            Ok(say(context, &replayed))
        }
        WebhooksCommand::Setup {
            provider: Some(provider),
            url,
            rotate,
            retire,
        } => setup(context, provider, &url, rotate, retire).await,
        WebhooksCommand::Setup { provider: None, .. } => overview(context).await,
        WebhooksCommand::Show { id } => show(context, &id).await,
    }
}

fn decide<'a>(
    context: &'a Context,
    store: &'a dyn StateStore,
    follow_ups: &'a Cadences<'a>,
) -> Result<Decide<'a>> {
    Ok(Decide {
        follow_ups: Some(follow_ups),
        store,
        clock: &*context.clock,
        ids: &*context.ids,
        by: context.by()?,
    })
}

/// Where events stand now; refusals are what a person still has to look at.
fn say(context: &Context, events: &[(String, EventState)]) -> Exit {
    let printer = &context.printer;
    if printer.is_json() {
        let events = events
            .iter()
            .map(|(id, state)| json!({ "id": id, "state": state }));
        printer.json(&json!({ "events": events.collect::<Vec<_>>() }));
    } else {
        for (id, state) in events {
            printer.line(&format!("{id} is {state}"));
        }
    }
    let left =
        |(_, state): &(String, EventState)| matches!(state, EventState::Dead | EventState::Pending);
    if events.iter().any(left) {
        Exit::Refusals
    } else {
        Exit::Done
    }
}

async fn hold(context: &Context, provider: Source, until: Option<Timestamp>) -> Result<Exit> {
    let (printer, by) = (&context.printer, context.by()?);
    let store = context.open(Access::ReadWrite)?;
    let (clock, ids) = (&*context.clock, &*context.ids);
    if let Some(until) = until {
        let switch = inbox::set_hold(&*store, clock, ids, provider, until, by).await?;
        if printer.is_json() {
            printer.json(&json!({ "hold": switch }));
        } else {
            printer.line(&format!(
                "unsigned events of {provider} are stored until {until}; they can hold a lead and nothing else"
            ));
        }
        return Ok(Exit::Done);
    }
    let ended = inbox::lift(&*store, clock, ids, provider, by).await?;
    if printer.is_json() {
        printer.json(&json!({ "ended": ended }));
    } else {
        let word = if ended {
            "is not on hold any more"
        } else {
            "was not on hold"
        };
        printer.line(&format!("{provider} {word}"));
    }
    Ok(Exit::Done)
}

async fn list(context: &Context, state: Option<EventState>, limit: usize) -> Result<Exit> {
    let printer = &context.printer;
    let store = context.open(Access::ReadOnly)?;
    let wanted = Wanted {
        state,
        ..Wanted::default()
    };
    let events = inbox::list(&*store, &wanted, limit).await?;
    if printer.is_json() {
        let events: Vec<Value> = events.iter().map(without_body).collect();
        printer.json(&json!({ "events": events }));
        return Ok(Exit::Done);
    }
    let rows = events.into_iter().map(|event| {
        vec![
            event.id,
            event.source.to_string(),
            event.kind.to_string(),
            event.state.to_string(),
            rfc3339(event.received_at),
            event.reason,
        ]
    });
    printer.table(&["id", "from", "what", "state", "received", "why"], rows);
    Ok(Exit::Done)
}

fn without_body(event: &StoredEvent) -> Value {
    json!({
        "id": event.id, "source": event.source, "kind": event.kind, "name": event.name,
        "state": event.state, "reason": event.reason, "trust": event.trust, "proof": event.proof,
        "received_at": rfc3339(event.received_at), "attempts": event.attempts,
    })
}

async fn show(context: &Context, id: &str) -> Result<Exit> {
    let printer = &context.printer;
    let store = context.open(Access::ReadOnly)?;
    let (event, _) = inbox::one(&*store, id).await?;
    let mut shown = without_body(&event);
    shown["body"] = json!(event.body);
    shown["encoded"] = json!(event.encoded);
    if printer.is_json() {
        printer.json(&shown);
        return Ok(Exit::Done);
    }
    for name in [
        "id",
        "source",
        "kind",
        "name",
        "state",
        "reason",
        "trust",
        "proof",
        "received_at",
    ] {
        let text = shown[name].as_str().unwrap_or("-");
        if !text.is_empty() {
            printer.line(&format!("{name:<12} {text}"));
        }
    }
    printer.line("");
    printer.line(&event.body);
    Ok(Exit::Done)
}

/// What to enter at the provider. A key is shown when it is made and never again.
async fn setup(
    context: &Context,
    provider: Source,
    url: &str,
    rotate: bool,
    retire: bool,
) -> Result<Exit> {
    let printer = &context.printer;
    let (clock, ids, by) = (&*context.clock, &*context.ids, context.by()?);
    let store = context.open(Access::ReadWrite)?;
    let known = inbox::keys_of(&*store, provider).await?;
    let signs_itself = provider == Source::Ghl && !rotate && !retire;
    let (key, record) = if retire {
        (
            None,
            inbox::retire(&*store, clock, ids, provider, by).await?,
        )
    } else if rotate || (known.keys.is_empty() && !signs_itself) {
        let (key, record) = inbox::rotate(&*store, clock, ids, provider, by).await?;
        (Some(key), record)
    } else {
        (None, known)
    };
    let shown = key.as_deref().unwrap_or("KEY");
    let address = format!("{}/webhooks/{provider}", url.trim_end_matches('/'));
    let address = if takes_url_key(provider) {
        format!("{address}?key={shown}")
    } else {
        address
    };
    let header = (!takes_url_key(provider)).then(|| format!("Authorization: Bearer {shown}"));
    if printer.is_json() {
        printer.json(&json!({
            "provider": provider, "url": address, "header": header, "key": key,
            "keys": keys(&record),
        }));
        return Ok(Exit::Done);
    }
    printer.line(&format!("address  {address}"));
    if let Some(header) = header {
        let note = if provider == Source::Ghl {
            "   (workflows; what an application signs needs none)"
        } else {
            ""
        };
        printer.line(&format!("header   {header}{note}"));
    }
    printer.note(what_to_do(provider));
    match (&key, record.keys.len()) {
        (Some(_), 1) => printer.note("the key is not shown again"),
        (Some(_), _) => printer.note(
            "the key is not shown again; the one before stays valid until: caio webhooks setup PROVIDER --retire",
        ),
        (None, 0) => {}
        (None, _) => printer.note("the key was shown when it was made; --rotate makes another"),
    }
    Ok(Exit::Done)
}

const fn what_to_do(provider: Source) -> &'static str {
    match provider {
        Source::Instantly => {
            "one subscription with event_type all_events, target_hook_url and headers as above"
        }
        Source::HeyReach => "one webhook for each event type, all with this address",
        Source::Ghl => "the same address in the application's settings",
        Source::Rb2b => {
            "Integrations, Webhook: this address; it sends nothing but the address and the body"
        }
        Source::Clay => {
            "a column of type HTTP API, POST, with this header, and the row's request_id in the body"
        }
    }
}

fn keys(record: &KeyRecord) -> Vec<Value> {
    let keys = record.keys.iter();
    keys.map(|key| json!({ "ends_with": key.ends_with, "by": key.by, "at": key.at }))
        .collect()
}

async fn overview(context: &Context) -> Result<Exit> {
    let printer = &context.printer;
    let store = context.open(Access::ReadOnly)?;
    let now = context.clock.now();
    let (holds, switches) = inbox::holds(&*store, now).await?;
    let mut rows = Vec::new();
    let mut all = Vec::new();
    for source in Source::ALL {
        let record = inbox::keys_of(&*store, *source).await?;
        let until = holds.until(*source, now);
        let by = switches
            .iter()
            .find(|it| it.source == *source)
            .map(|it| it.by.clone());
        all.push(json!({
            "provider": source, "keys": keys(&record), "hold_until": until, "hold_by": by,
        }));
        let ends: Vec<String> = record
            .keys
            .iter()
            .map(|key| format!("…{} ({}, {})", key.ends_with, key.by, key.at))
            .collect();
        let hold = until.map(|until| format!("{until} by {}", by.unwrap_or_default()));
        rows.push(vec![
            source.to_string(),
            ends.join("\n"),
            hold.unwrap_or_default(),
        ]);
    }
    if printer.is_json() {
        printer.json(&json!({ "providers": all }));
    } else {
        printer.table(&["provider", "keys", "on hold until"], rows);
    }
    Ok(Exit::Done)
}
