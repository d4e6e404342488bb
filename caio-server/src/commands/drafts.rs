//! `caio drafts`: what a person reviews.

use caio_core::draft::{Draft, DraftStatus};
use caio_core::terms::Tier;
use caio_dispatch::history;
use caio_dispatch::review::{self, Review, Wanted};
use caio_state::{Access, StateStore};
use serde_json::json;

use crate::args::{Choice, DraftsCommand};
use crate::exit::{Exit, Failure, Result};
use crate::wiring::{Context, read};

pub(super) async fn run(context: &Context, command: DraftsCommand) -> Result<Exit> {
    match command {
        DraftsCommand::List {
            status,
            tier,
            limit,
        } => list(context, status, tier, limit).await,
        DraftsCommand::Show { id } => show(context, &id).await,
        DraftsCommand::Export { status } => export(context, status).await,
        DraftsCommand::Approve(choice) => {
            decide(context, choice, "approve", async |review, id| {
                review.approve(id).await
            })
            .await
        }
        DraftsCommand::Reject { choice, reason } => {
            decide(context, choice, "reject", async |review, id| {
                review.reject(id, &reason).await
            })
            .await
        }
        DraftsCommand::Reopen { ids, reason } => {
            let choice = Choice {
                ids,
                all: false,
                tier: None,
                yes: true,
            };
            decide(context, choice, "reopen", async |review, id| {
                review.reopen(id, &reason).await
            })
            .await
        }
        DraftsCommand::Edit {
            id,
            subject,
            body,
            body_file,
        } => {
            let body = match body_file {
                Some(path) => Some(read(&path)?),
                None => body,
            };
            if subject.is_none() && body.is_none() {
                return Err(Failure::new("draft.nothing", "nothing to change")
                    .hint("give --subject, --body or --body-file")
                    .exit(Exit::Usage));
            }
            let store = context.open(Access::ReadWrite)?;
            let draft = review(context, &*store)?
                .edit(
                    &id,
                    subject.as_deref(),
                    body.as_deref(),
                    &context.settings().sender,
                )
                .await?;
            answer(context, &[draft], "edited");
            Ok(Exit::Done)
        }
    }
}

fn review<'a>(context: &'a Context, store: &'a dyn StateStore) -> Result<Review<'a>> {
    Ok(Review {
        store,
        clock: &*context.clock,
        ids: &*context.ids,
        by: context.by()?,
    })
}

async fn list(
    context: &Context,
    status: DraftStatus,
    tier: Option<Tier>,
    limit: usize,
) -> Result<Exit> {
    let store = context.open(Access::ReadOnly)?;
    let drafts = collect(&*store, status, tier, limit).await?;
    if context.printer.is_json() {
        context.printer.json(&json!({ "drafts": drafts }));
        return Ok(Exit::Done);
    }
    let rows = drafts.iter().map(|draft| {
        vec![
            draft.id.clone(),
            draft.tier.to_string(),
            draft.score.to_string(),
            draft.to.clone(),
            draft.name.clone(),
            draft.company.clone(),
            draft.subject.clone(),
            draft.flags.join(" "),
        ]
    });
    let headers = [
        "draft", "tier", "score", "to", "name", "company", "subject", "flags",
    ];
    context.printer.table(&headers, rows);
    context.printer.note(&format!("{} {status}", drafts.len()));
    Ok(Exit::Done)
}

/// Up to `limit` drafts of one status and tier, best score first.
async fn collect(
    store: &dyn StateStore,
    status: DraftStatus,
    tier: Option<Tier>,
    limit: usize,
) -> Result<Vec<Draft>> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let wanted = Wanted { tier, text: None };
    let most = (limit, usize::MAX);
    Ok(review::find(store, status, &wanted, None, most)
        .await?
        .items)
}

async fn show(context: &Context, id: &str) -> Result<Exit> {
    let store = context.open(Access::ReadOnly)?;
    let draft = review::one(&*store, id).await?;
    let lead = caio_dispatch::leads::one(&*store, &draft.recipient).await?;
    let events = history::newest(&*store, Some(&draft.recipient), 20).await?;
    if context.printer.is_json() {
        let lead = lead.as_ref();
        context
            .printer
            .json(&json!({ "draft": draft, "lead": lead, "history": events }));
        return Ok(Exit::Done);
    }
    let printer = &context.printer;
    let Draft {
        status,
        tier,
        score,
        campaign,
        model,
        ..
    } = &draft;
    printer.line(&format!(
        "{id}  {status}  {tier}  score {score}  {campaign}  model {}",
        model.name
    ));
    printer.line(&format!(
        "To: {} <{}>, {}",
        draft.name, draft.to, draft.company
    ));
    printer.line(&format!("Subject: {}", draft.subject));
    printer.line("");
    printer.text(&draft.body);
    if let Some(lead) = lead {
        printer.line("");
        for reason in &lead.reasons {
            printer.line(reason);
        }
        for remark in &lead.remarks {
            printer.line(&format!("remark: {remark}"));
        }
    }
    for flag in &draft.flags {
        printer.line(&format!("flag: {flag}"));
    }
    if draft.placeholder_sender {
        printer.note("the sender is not configured: this draft never goes live (caio init)");
    }
    for event in events {
        printer.line(&format!(
            "{}  {}  {} {}",
            event.at, event.by, event.kind, event.detail
        ));
    }
    Ok(Exit::Done)
}

async fn export(context: &Context, status: Option<DraftStatus>) -> Result<Exit> {
    let store = context.open(Access::ReadOnly)?;
    let statuses = status.map_or_else(|| DraftStatus::ALL.to_vec(), |status| vec![status]);
    for status in statuses {
        let mut after = None;
        loop {
            let page = review::page(&*store, status, after.as_ref(), 500).await?;
            for draft in &page.items {
                let line = serde_json::to_string(draft);
                let line =
                    line.map_err(|error| Failure::new("record.encode", error.to_string()))?;
                context.printer.line(&line);
            }
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }
    Ok(Exit::Done)
}

/// One decision over several drafts: shows exactly who, asks, and goes on behind a refusal.
async fn decide(
    context: &Context,
    choice: Choice,
    action: &str,
    act: impl AsyncFn(&Review<'_>, &str) -> caio_dispatch::Result<Draft>,
) -> Result<Exit> {
    let store = context.open(Access::ReadWrite)?;
    let review = review(context, &*store)?;
    let ids = if choice.all {
        let drafts = collect(&*store, DraftStatus::Pending, choice.tier, usize::MAX).await?;
        confirm(context, &drafts, action, choice.yes)?;
        drafts.into_iter().map(|draft| draft.id).collect()
    } else {
        choice.ids
    };
    let (mut done, mut refused) = (Vec::new(), 0);
    for id in &ids {
        match act(&review, id).await {
            Ok(draft) => done.push(draft),
            Err(error @ caio_dispatch::DispatchError::Store(_)) => return Err(error.into()),
            Err(error) => {
                refused += 1;
                context
                    .printer
                    .warn(&format!("{id}: {error} [{}]", error.code()));
            }
        }
    }
    answer(
        context,
        &done,
        &format!("{action}d")
            .replace("rejectd", "rejected")
            .replace("reopend", "reopened"),
    );
    Ok(if refused == 0 {
        Exit::Done
    } else {
        Exit::Refusals
    })
}

fn confirm(context: &Context, drafts: &[Draft], action: &str, yes: bool) -> Result<()> {
    if yes || drafts.is_empty() {
        return Ok(());
    }
    for draft in drafts {
        let Draft {
            id,
            tier,
            to,
            subject,
            ..
        } = draft;
        context
            .printer
            .note(&format!("{id}  {tier}  {to}  {subject}"));
    }
    match context
        .printer
        .confirm(&format!("{action} these {} drafts?", drafts.len()))
    {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::new("confirm.no", "nothing was changed")),
        None => Err(
            Failure::new("confirm.nobody", "nobody can be asked: this is no terminal")
                .hint("look at the list above, then pass --yes")
                .exit(Exit::Usage),
        ),
    }
}

fn answer(context: &Context, drafts: &[Draft], done: &str) {
    if context.printer.is_json() {
        context
            .printer
            .json(&json!({ done: drafts.iter().map(|it| &it.id).collect::<Vec<_>>() }));
    } else {
        for draft in drafts {
            context
                .printer
                .line(&format!("{}  {}  {}", draft.id, draft.status, draft.to));
        }
        context.printer.note(&format!("{} {done}", drafts.len()));
    }
}
