//! `caio batch`: what goes out together, and who said so.

use caio_core::batch::{Batch, BatchStatus};
use caio_dispatch::batches::{self, Batches};
use caio_dispatch::notify;
use caio_dispatch::plan::Plan;
use caio_dispatch::review;
use caio_state::{Access, StateStore};
use serde_json::json;

use crate::args::BatchCommand;
use crate::exit::{Exit, Failure, Result};
use crate::wiring::{AskedBatch, Context};

pub(super) async fn run(context: &Context, command: BatchCommand) -> Result<Exit> {
    match command {
        BatchCommand::Create {
            motion,
            tier,
            limit,
            expires,
            via,
        } => {
            let store = context.open(Access::ReadWrite)?;
            if let Some(written) = context.write_due(&*store, context.by()?, motion).await? {
                super::cadence::told(context, &written);
            }
            let asked = AskedBatch {
                motion,
                tier,
                via,
                limit: limit.map(|limit| limit.0),
                expires_hours: expires,
            };
            create(context, &asked).await
        }
        BatchCommand::Expire => expire(context).await,
        BatchCommand::List => list(context).await,
        BatchCommand::Show { id } => {
            let store = context.open(Access::ReadOnly)?;
            let batch = batches::one(&*store, &id).await?;
            show(context, &*store, &batch).await
        }
        BatchCommand::Approve { id, digest } => approve(context, &id, digest).await,
        BatchCommand::Reject { id, reason } => {
            let store = context.open(Access::ReadWrite)?;
            let batch = deciding(context, &*store)?.reject(&id, &reason).await?;
            answer(context, &batch);
            Ok(Exit::Done)
        }
        BatchCommand::Revoke { id, reason } => {
            let store = context.open(Access::ReadWrite)?;
            let batch = deciding(context, &*store)?.revoke(&id, &reason).await?;
            answer(context, &batch);
            Ok(Exit::Done)
        }
    }
}

async fn create(context: &Context, asked: &AskedBatch) -> Result<Exit> {
    let store = context.open(Access::ReadWrite)?;
    let (batch, plan) = context.create_batch(&*store, context.by()?, asked).await?;
    refused(context, &plan);
    if plan.more {
        context
            .printer
            .note("more drafts are approved than fit; they wait for the next batch");
    }
    show(context, &*store, &batch).await?;
    context.deliver_alerts(&*store).await;
    Ok(if plan.refused.is_empty() {
        Exit::Done
    } else {
        Exit::Refusals
    })
}

/// Expires what is over, and says what stayed unsent.
async fn expire(context: &Context) -> Result<Exit> {
    let store = context.open(Access::ReadWrite)?;
    let expired = expire_stale(context, &*store).await?;
    let printer = &context.printer;
    if printer.is_json() {
        let expired: Vec<_> = expired
            .iter()
            .map(|batch| {
                json!({ "batch": batch.id, "approved": batch.seal.is_some(), "unsent": batch.items })
            })
            .collect();
        printer.json(&json!({ "expired": expired }));
    } else {
        for batch in &expired {
            let before = match batch.seal {
                Some(_) => "approved",
                None => "pending",
            };
            let unsent = batch.items.len();
            printer.line(&format!(
                "{}  was {before}, expired at {}: {unsent} unsent",
                batch.id, batch.expires_at
            ));
            for item in &batch.items {
                printer.line(&format!("  {}  {}", item.draft, item.recipient));
            }
        }
        if expired.is_empty() {
            printer.note("no batch is over its time");
        }
    }
    context.deliver_alerts(&*store).await;
    Ok(Exit::Done)
}

/// Expires what is over; people are told of it when alerts are delivered next.
pub(super) async fn expire_stale(context: &Context, store: &dyn StateStore) -> Result<Vec<Batch>> {
    let policy = context.alert_policy();
    let by = context.by().unwrap_or("caio");
    let deciding = Batches {
        store,
        clock: &*context.clock,
        ids: &*context.ids,
        by,
    };
    let (expired, problems) = notify::expire(&deciding, &context.alerts(store, &policy)).await?;
    for problem in problems {
        context.printer.warn(&problem);
    }
    Ok(expired)
}

fn refused(context: &Context, plan: &Plan) {
    for refused in &plan.refused {
        let reasons = refused.reasons.join("; ");
        context.printer.note(&format!(
            "left out: {} to {}: {reasons}",
            refused.draft, refused.recipient
        ));
    }
}

fn deciding<'a>(context: &'a Context, store: &'a dyn StateStore) -> Result<Batches<'a>> {
    Ok(Batches {
        store,
        clock: &*context.clock,
        ids: &*context.ids,
        by: context.by()?,
    })
}

async fn approve(context: &Context, id: &str, digest: Option<String>) -> Result<Exit> {
    let store = context.open(Access::ReadWrite)?;
    let shown = batches::one(&*store, id).await?;
    let digest = match digest {
        Some(digest) => digest,
        None => {
            show(context, &*store, &shown).await?;
            match context.printer.confirm("approve exactly this?") {
                Some(true) => shown.digest.clone(),
                Some(false) => return Err(Failure::new("confirm.no", "nothing was approved")),
                None => {
                    return Err(Failure::new(
                        "batch.digest",
                        "an approval needs the digest of what was seen",
                    )
                    .hint(format!(
                        "caio batch show {id}, then caio batch approve {id} --digest …"
                    ))
                    .exit(Exit::Usage));
                }
            }
        }
    };
    let keys = context.seal_keys(true)?;
    let keys = keys.ok_or_else(|| Failure::new("seal.none", "there is no key to seal with"))?;
    let batch = deciding(context, &*store)?
        .approve(id, &digest, Some(&shown), &keys)
        .await?;
    answer(context, &batch);
    Ok(Exit::Done)
}

async fn list(context: &Context) -> Result<Exit> {
    let store = context.open(Access::ReadOnly)?;
    let mut all = Vec::new();
    for status in BatchStatus::ALL {
        all.extend(batches::list(&*store, *status).await?);
    }
    if context.printer.is_json() {
        context.printer.json(&json!({ "batches": all }));
        return Ok(Exit::Done);
    }
    let rows = all.into_iter().map(|batch| {
        let items = batch.items.len().to_string();
        let motion = batch.motion.to_string();
        vec![
            batch.id,
            batch.status.to_string(),
            motion,
            items,
            batch.created_at,
            batch.expires_at,
        ]
    });
    context.printer.table(
        &[
            "batch", "status", "motion", "messages", "created", "expires",
        ],
        rows,
    );
    Ok(Exit::Done)
}

/// The whole batch: every message with its exact text's digest, and the digest to approve with.
async fn show(context: &Context, store: &dyn StateStore, batch: &Batch) -> Result<Exit> {
    let printer = &context.printer;
    let mut drafts = Vec::with_capacity(batch.items.len());
    for item in &batch.items {
        drafts.push(review::one(store, &item.draft).await?);
    }
    if printer.is_json() {
        printer.json(&json!({ "batch": batch, "drafts": drafts }));
        return Ok(Exit::Done);
    }
    let Batch {
        id,
        motion,
        status,
        created_at,
        expires_at,
        ..
    } = batch;
    printer.line(&format!(
        "{id}  {status}  {motion}  made {created_at}, expires {expires_at}"
    ));
    let rows = batch.items.iter().zip(&drafts).map(|(item, draft)| {
        let changed = if draft.content() == item.content {
            ""
        } else {
            "CHANGED since"
        };
        vec![
            item.draft.clone(),
            item.tier.to_string(),
            item.provider.to_string(),
            draft.to.clone(),
            draft.subject.clone(),
            item.content.chars().take(12).collect(),
            changed.to_owned(),
        ]
    });
    printer.table(
        &["draft", "tier", "by", "to", "subject", "text sha256", ""],
        rows,
    );
    if let Some(draft) = drafts.first() {
        printer.line(&format!(
            "scored by model {} ({:.12})",
            draft.model.name, draft.model.digest
        ));
    }
    let limits = batch.limits;
    printer.line(&format!(
        "limits: {} e-mails, {} LinkedIn contacts a day",
        limits.email_per_day, limits.linkedin_per_day
    ));
    if let Some(seal) = &batch.seal {
        printer.line(&format!(
            "approved by {} at {}, key {}",
            seal.approved_by, seal.approved_at, seal.key_id
        ));
    }
    if let Some(rejection) = &batch.rejection {
        printer.line(&format!(
            "rejected by {}: {}",
            rejection.by, rejection.reason
        ));
    }
    printer.line(&format!("digest {}", batch.digest));
    if *status == BatchStatus::Pending {
        printer.note(&format!(
            "next: caio batch approve {id} --digest {}",
            batch.digest
        ));
    }
    Ok(Exit::Done)
}

fn answer(context: &Context, batch: &Batch) {
    if context.printer.is_json() {
        context.printer.json(&json!({ "batch": batch }));
    } else {
        context
            .printer
            .line(&format!("{}  {}", batch.id, batch.status));
    }
}
