//! `caio dispatch`: what an approved batch would send, what every safety layer says to it, and sending.

pub(crate) mod live;
mod shadow;

use caio_core::batch::Batch;
use caio_core::escalation::Subject;
use caio_core::safety::{Finding, Layer, Verdict, verdict};
use caio_core::terms::{Mode, Provider};
use caio_dispatch::policy::Policy;
use caio_state::Access;
use serde_json::json;

use super::batch::expire_stale;
use crate::args::DispatchArgs;
use crate::exit::{Exit, Failure, Result};
use crate::wiring::preview::{Preview, chosen, preview};
use crate::wiring::verdict::{channel_state, inputs};
use crate::wiring::{AskedBatch, Context};

pub(super) async fn run(context: &Context, args: DispatchArgs) -> Result<Exit> {
    if args.live {
        let store = context.open(Access::ReadWrite)?;
        for batch in expire_stale(context, &*store).await? {
            context.printer.warn(&format!(
                "batch {} expired: {} messages stayed unsent",
                batch.id,
                batch.items.len()
            ));
        }
    }
    // Read-only: a live or shadow run opens the store anew, and so does proposing a batch.
    let store = context.open(Access::ReadOnly)?;
    let batch = chosen(&*store, args.batch.as_deref(), args.motion).await?;
    let policy = context.policy(&*store).await?;
    let mode = match (args.live, args.shadow) {
        (true, _) => Mode::Live,
        (false, true) => Mode::Shadow,
        (false, false) => Mode::DryRun,
    };
    let motion = batch
        .as_ref()
        .filter(|_| args.batch.is_some())
        .map_or(args.motion, |it| it.motion);
    let channels = context.channels(Some(policy.limits.email_per_day))?;
    let mut inputs = inputs(context, &*store, batch.as_ref(), motion, &policy, mode).await?;
    if let Some(batch) = &batch {
        inputs.channel = channel_state(batch, &channels, args.send_now);
    }
    let verdict = verdict(&inputs);
    if let Some(batch) = batch.as_ref().filter(|_| args.live && verdict.may_send()) {
        drop(store);
        return live::run(context, &args, &policy, inputs, channels, &batch.id).await;
    }
    if let Some(batch) = batch.as_ref().filter(|_| args.shadow && verdict.may_run()) {
        return shadow::run(context, &args, &policy, inputs, channels, batch, store).await;
    }
    let preview = match &batch {
        Some(batch) => preview(context, &*store, batch, &args, &policy).await?,
        None => Preview::default(),
    };
    render(context, batch.as_ref(), &verdict, &preview);
    if args.live {
        drop(store);
        let is_stopped = verdict
            .blocks()
            .any(|(layer, _)| layer == Layer::EmergencyStop);
        if batch.is_none() && !is_stopped {
            propose(context, &args).await?;
        }
        blocked(context, &policy).await?;
    }
    if mode != Mode::DryRun {
        let message = if args.live {
            "nothing was sent: a safety layer forbids it"
        } else {
            "nothing was run in shadow: a safety layer forbids it"
        };
        return Err(Failure::new("dispatch.blocked", message)
            .hint("each layer above says what would have to change")
            .exit(Exit::Blocked));
    }
    Ok(if preview.left.is_empty() {
        Exit::Done
    } else {
        Exit::Refusals
    })
}

/// Makes the batch that a person has to approve before anything is sent, and says why there is none.
async fn propose(context: &Context, args: &DispatchArgs) -> Result<()> {
    let asked = AskedBatch {
        motion: args.motion,
        tier: args.tier,
        via: Provider::Instantly,
        limit: args.limit.map(|limit| limit.0),
        expires_hours: None,
    };
    let store = context.open(Access::ReadWrite)?;
    let proposed = context.propose(&*store, context.by()?, &asked).await?;
    context.printer.note(&match proposed {
        Ok(Batch { id, digest, .. }) => format!(
            "batch {id} waits for approval: caio batch show {id}, then caio batch approve {id} --digest {digest}"
        ),
        Err(why) => why,
    });
    Ok(())
}

/// Tells people why a live run did not begin, where that is news to them.
async fn blocked(context: &Context, policy: &Policy) -> Result<()> {
    let mut subjects = context.notes.take();
    if policy.email_room == 0 {
        let today = caio_core::limits::business_day(context.clock.now(), &context.zone()?);
        subjects.push(Subject::LimitReached {
            window: format!("email:day:{today}"),
        });
    }
    let store = context.open(Access::ReadWrite)?;
    context.tell(&*store, subjects).await;
    Ok(())
}

fn render(context: &Context, batch: Option<&Batch>, verdict: &Verdict, preview: &Preview) {
    let printer = &context.printer;
    let layers: Vec<_> = verdict
        .findings
        .iter()
        .map(|(layer, finding)| {
            let (code, reason) = match finding {
                Finding::Allow => (None, None),
                Finding::Block(block) => (Some(block.code), Some(block.reason.as_str())),
            };
            json!({
                "layer": layer.number(), "name": layer.to_string(), "allows": code.is_none(),
                "code": code, "reason": reason,
            })
        })
        .collect();
    if printer.is_json() {
        printer.json(&json!({
            "mode": verdict.requested, "may_send": verdict.may_send(),
            "batch": batch.map(|batch| &batch.id), "layers": layers,
            "requests": preview.requests, "left_out": preview.left, "written": false,
        }));
        return;
    }
    let rows = verdict.findings.iter().map(|(layer, finding)| {
        vec![
            layer.number().to_string(),
            layer.to_string(),
            finding.to_string(),
        ]
    });
    printer.table(&["layer", "", "says"], rows);
    match batch {
        None => printer.line("no batch is approved: caio batch create, then caio batch approve"),
        Some(batch) => printer.line(&format!(
            "batch {}  {}  {} messages",
            batch.id,
            batch.status,
            batch.items.len()
        )),
    }
    for request in &preview.requests {
        printer.line(&format!(
            "\n{} {} {}",
            request.provider, request.method, request.path
        ));
        let body = serde_json::to_string_pretty(&request.body);
        printer.text(&body.unwrap_or_else(|error| error.to_string()));
    }
    for left in &preview.left {
        printer.line(&format!(
            "left out: {} to {}: {}",
            left.draft, left.recipient, left.reason
        ));
    }
    if verdict.requested == Mode::DryRun {
        printer.note("dry run: nothing was sent, nothing was written");
    }
}
