//! A batch in the shape that the old dashboard's callers know, with the digest beside it.

use std::collections::BTreeMap;

use caio_core::batch::{Batch, BatchStatus};
use caio_core::terms::{Medium, Motion, Step, Tier};
use caio_dispatch::batches::{self, Content};
use caio_state::StateStore;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::problem::Result;

/// A batch as the old dashboard shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DispatchBatch {
    /// Its id.
    batch_id: String,
    /// When it was made, RFC 3339 UTC.
    created_at: String,
    /// Programme.
    motion: Motion,
    /// Where it stands.
    status: BatchStatus,
    /// Limits that were in force when it was made.
    warmup_schedule: Limits,
    /// Every message.
    leads_preview: Vec<Preview>,
    /// First e-mails.
    total_email_leads: usize,
    /// LinkedIn contacts.
    total_linkedin_leads: usize,
    /// People who went quiet.
    total_revival_candidates: usize,
    /// Follow-ups.
    total_cadence_due: usize,
    /// Messages by tier.
    tier_breakdown: BTreeMap<String, usize>,
    /// Drafts of first e-mails.
    approved_shadow_email_ids: Vec<String>,
    /// Drafts for LinkedIn.
    approved_linkedin_shadow_ids: Vec<String>,
    /// Addresses of people who went quiet.
    approved_revival_emails: Vec<String>,
    /// Drafts of follow-ups.
    approved_cadence_actions: Vec<String>,
    /// The old system's hash over ids; `digest` covers everything.
    preview_hash: String,
    /// What has to come back with the approval.
    digest: String,
    /// When it can no longer be executed, RFC 3339 UTC.
    expires_at: String,
    /// When it was approved, RFC 3339 UTC.
    approved_at: Option<String>,
    /// Who approved it.
    approved_by: Option<String>,
    /// When it was rejected or revoked, RFC 3339 UTC.
    rejected_at: Option<String>,
    /// Why.
    rejected_reason: Option<String>,
    /// When a run took it, RFC 3339 UTC.
    executed_at: Option<String>,
    /// Messages by outcome, once it was executed.
    execution_report: Option<Outcomes>,
}

/// Limits shown to the approver.
#[derive(Debug, Serialize, ToSchema)]
struct Limits {
    /// E-mails a day.
    email_daily_limit: u32,
    /// LinkedIn contacts a day.
    linkedin_daily_limit: u32,
}

/// One message.
#[derive(Debug, Serialize, ToSchema)]
struct Preview {
    /// The draft.
    email_id: String,
    /// To whom.
    to: String,
    /// Name.
    name: String,
    /// Company.
    company: String,
    /// Tier.
    tier: Tier,
    /// Who delivers.
    channel: String,
    /// Exact subject.
    subject: String,
    /// Exact text.
    body: String,
    /// The text is not the one that the batch was made of.
    changed: bool,
}

/// Messages by outcome.
#[derive(Debug, Serialize, ToSchema)]
struct Outcomes {
    /// A provider took them.
    accepted: u32,
    /// Refused for good.
    rejected: u32,
    /// Certainly not sent.
    not_sent: u32,
    /// Nobody knows yet.
    unknown: u32,
}

/// The batch in the old shape.
pub(super) async fn shown(store: &dyn StateStore, batch: Batch) -> Result<DispatchBatch> {
    let contents = batches::contents(store, &batch).await?;
    Ok(old(batch, contents))
}

/// What a message is counted under.
#[derive(PartialEq, Eq)]
enum Kind {
    Email,
    LinkedIn,
    Revival,
    Cadence,
}

fn kind(content: &Content, motion: Motion) -> Kind {
    match (content.item.medium, content.item.step) {
        _ if motion == Motion::Revival => Kind::Revival,
        (_, step) if step > Step::FIRST => Kind::Cadence,
        (Medium::Email, _) => Kind::Email,
        (Medium::LinkedIn, _) => Kind::LinkedIn,
    }
}

fn old(batch: Batch, contents: Vec<Content>) -> DispatchBatch {
    let drafts = |wanted: Kind| -> Vec<String> {
        let of_kind = contents
            .iter()
            .filter(|it| kind(it, batch.motion) == wanted);
        of_kind.map(|it| it.item.draft.clone()).collect()
    };
    let (emails, linkedin) = (drafts(Kind::Email), drafts(Kind::LinkedIn));
    let (revivals, follow_ups) = (drafts(Kind::Revival), drafts(Kind::Cadence));
    let revived = contents
        .iter()
        .filter(|it| revivals.contains(&it.item.draft));
    let revived = revived.map(|it| it.item.recipient.to_string()).collect();
    let mut tiers = BTreeMap::new();
    for content in &contents {
        *tiers.entry(content.item.tier.to_string()).or_default() += 1;
    }
    let report = batch
        .execution
        .as_ref()
        .filter(|it| it.settled_at.is_some());
    DispatchBatch {
        batch_id: batch.id,
        created_at: batch.created_at,
        motion: batch.motion,
        status: batch.status,
        warmup_schedule: Limits {
            email_daily_limit: batch.limits.email_per_day,
            linkedin_daily_limit: batch.limits.linkedin_per_day,
        },
        total_email_leads: emails.len(),
        total_linkedin_leads: linkedin.len(),
        total_revival_candidates: revivals.len(),
        total_cadence_due: follow_ups.len(),
        tier_breakdown: tiers,
        approved_shadow_email_ids: emails,
        approved_linkedin_shadow_ids: linkedin,
        approved_revival_emails: revived,
        approved_cadence_actions: follow_ups,
        preview_hash: batch.preview_hash,
        digest: batch.digest,
        expires_at: batch.expires_at,
        approved_at: batch.seal.as_ref().map(|it| it.approved_at.clone()),
        approved_by: batch.seal.map(|it| it.approved_by),
        rejected_at: batch.rejection.as_ref().map(|it| it.at.clone()),
        rejected_reason: batch.rejection.map(|it| it.reason),
        execution_report: report.map(|it| Outcomes {
            accepted: it.counts.accepted,
            rejected: it.counts.rejected,
            not_sent: it.counts.not_sent,
            unknown: it.counts.unknown,
        }),
        executed_at: batch.execution.map(|it| it.started_at),
        leads_preview: contents.into_iter().map(preview).collect(),
    }
}

fn preview(content: Content) -> Preview {
    Preview {
        email_id: content.item.draft,
        to: content.to,
        name: content.name,
        company: content.company,
        tier: content.item.tier,
        channel: content.item.provider.to_string(),
        subject: content.subject,
        body: content.body,
        changed: content.changed,
    }
}
