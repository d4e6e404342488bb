//! The approval queue as the old dashboard's callers know it: e-mails are drafts.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use caio_core::draft::{Draft, DraftStatus};
use caio_core::limits::business_day;
use caio_core::rejection::{RejectionReason, RejectionTag};
use caio_core::terms::{Medium, Tier};
use caio_core::time::rfc3339;
use caio_dispatch::history::{self, Event};
use caio_dispatch::leads::{self, LeadRecord};
use caio_dispatch::review::{self, Wanted, Yes};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::access::Principal;
use crate::http::input::{Asked, Body, Id};
use crate::http::paging;
use crate::http::problem::{Problem, ProblemDocument, Result};
use crate::http::service::Service;

/// E-mails of a page, as ever.
const USUAL: usize = 20;

pub(super) fn routes() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(pending))
        .routes(routes!(approve))
        .routes(routes!(reject))
        .routes(routes!(tags))
        .routes(routes!(queue))
}

/// Which part of the queue.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Entries a page, 1 to 500; 20 where it is not given.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// What waits for a decision, best score first.
#[derive(Debug, Serialize, ToSchema)]
struct Queue {
    /// The e-mails.
    pending_emails: Vec<Email>,
    /// How many this page holds.
    count: usize,
    /// Files taken over from a queue of the Python system: none here, `caio state follow` does that.
    synced_from_gatekeeper: u32,
    /// When this was read, RFC 3339 UTC.
    refreshed_at: String,
    /// Pass as `cursor` to go on; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// An e-mail that waits for a decision.
#[derive(Debug, Serialize, ToSchema)]
struct Email {
    /// The draft.
    email_id: String,
    /// `pending`.
    status: DraftStatus,
    /// To whom.
    to: String,
    /// Exact subject.
    subject: String,
    /// Exact text.
    body: String,
    /// SHA-256 of subject and body: send it back as `seen` with the approval.
    content: String,
    /// Tier.
    tier: Tier,
    /// What the text is about: the campaign.
    angle: String,
    /// `high` for tier 1, `medium` for tier 2, else `low`.
    priority: &'static str,
    /// Who it is for.
    recipient_data: Recipient,
    /// Why this person.
    context: Why,
    /// Where the lead came from.
    source: String,
    /// When it was written, RFC 3339 UTC.
    timestamp: String,
    /// The same.
    created_at: String,
    /// Which template wrote it.
    template_id: String,
    /// Remarks for the reviewer.
    flags: Vec<String>,
}

/// Who an e-mail is for; what is not known is null.
#[derive(Debug, Serialize, ToSchema)]
struct Recipient {
    /// Name.
    name: String,
    /// Company.
    company: String,
    /// Job title.
    title: Option<String>,
    /// LinkedIn profile.
    linkedin_url: Option<String>,
    /// Where the person is.
    location: Option<String>,
    /// Head count of the company.
    employees: Option<u32>,
    /// Its industry.
    industry: Option<String>,
}

/// Why an e-mail was written.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EmailWhy)]
struct Why {
    /// Tier.
    icp_tier: Tier,
    /// 0 to 100.
    icp_score: u32,
    /// What the score was given for.
    triggers: Vec<String>,
    /// Campaign.
    campaign_id: String,
    /// Programme.
    campaign_type: String,
}

/// Who approves is known by the token; what old callers name here is not looked at.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Approver {
    /// Not looked at.
    #[serde(rename = "approver")]
    _approver: Option<String>,
}

/// A yes, with changes where there are any.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = EmailApproval)]
struct Approval {
    /// `content` of the e-mail that was seen.
    seen: Option<String>,
    /// Another text.
    edited_body: Option<String>,
    /// Another subject.
    subject: Option<String>,
    /// What the reviewer has to say.
    feedback: Option<String>,
}

/// What became of it.
#[derive(Debug, Serialize, ToSchema)]
struct Approved {
    /// Where the e-mail stands now: `approved`, `sent_via_ghl` or `unknown`.
    status: &'static str,
    /// The draft.
    email_id: String,
    /// The reviewer changed it.
    edited: bool,
    /// What was done, and what comes next.
    message: String,
    /// Who approved.
    approved_by: String,
    /// SHA-256 of the text that is approved.
    content: String,
    /// The sealed batch of one that it was sent with; null where nothing was sent by this.
    batch_id: Option<String>,
}

/// A no.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Rejecting {
    /// In words; also in the body.
    reason: Option<String>,
    /// One of the tags; also in the body.
    rejection_tag: Option<String>,
    /// Not looked at: who rejects is known by the token.
    #[serde(rename = "approver")]
    _approver: Option<String>,
}

/// A no, in the body.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = EmailRejection)]
struct Rejection {
    /// In words; also in the query.
    #[schema(example = "they are not what we look for")]
    reason: Option<String>,
    /// One of the tags; also in the query.
    #[schema(example = "icp_mismatch")]
    rejection_tag: Option<String>,
}

/// What was recorded.
#[derive(Debug, Serialize, ToSchema)]
struct Rejected {
    /// `rejected`.
    status: DraftStatus,
    /// The draft.
    email_id: String,
    /// In words.
    reason: String,
    /// What was wrong.
    rejection_tag: RejectionTag,
    /// Who rejected.
    approver: String,
    /// When, RFC 3339 UTC.
    timestamp: String,
}

/// How full the queue is, and what is left of today.
#[derive(Debug, Serialize, ToSchema)]
struct QueueStatus {
    /// Drafts by where they stand.
    shadow_mode_emails: Drafts,
    /// What is left of today.
    daily_limits: Daily,
    /// What happened last, newest first.
    recent_queue_events: Vec<Event>,
    /// The store answers.
    pipeline_healthy: bool,
}

/// Drafts by where they stand.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = QueueDrafts)]
struct Drafts {
    /// All of them.
    total: u64,
    /// Wait for a decision.
    pending: u64,
    /// Wait for a batch.
    approved: u64,
    /// Are not sent.
    rejected: u64,
    /// Were handed over, or are being.
    out: u64,
}

/// What is left of today.
#[derive(Debug, Serialize, ToSchema)]
struct Daily {
    /// Today, in the business time zone.
    date: String,
    /// E-mails sent or reserved today.
    sent_today: u64,
    /// Most, as ramp and warm-up have it today.
    limit: u32,
    /// What is left.
    remaining: u32,
}

/// What a rejection may be tagged with.
#[derive(Debug, Serialize, ToSchema)]
struct Tags {
    /// The tags.
    tags: &'static [RejectionTag],
}

/// The e-mails that wait for a decision. Reading them changes nothing.
#[utoipa::path(
    get, path = "/api/pending-emails", tag = "emails", params(Which), security(("token" = ["viewer"])),
    responses((status = 200, body = Queue), (status = 422, body = ProblemDocument))
)]
async fn pending(
    State(service): State<Arc<Service>>,
    Asked(which): Asked<Which>,
) -> Result<Json<Queue>> {
    let store = &*service.store;
    let after = paging::place(which.cursor.as_deref())?;
    let size = paging::size(Some(which.limit.unwrap_or(USUAL)))?;
    let (status, all) = (DraftStatus::Pending, Wanted::default());
    let page = review::find(store, status, &all, after.as_ref(), (size, size)).await?;
    let people: Vec<_> = page.items.iter().map(|it| it.recipient.clone()).collect();
    let known = leads::several(store, &people).await?;
    let known: HashMap<_, _> = known.iter().map(|it| (&it.lead.key, it)).collect();
    let emails = page.items.iter();
    let emails = emails.map(|draft| email(draft, known.get(&draft.recipient).copied()));
    let pending_emails: Vec<Email> = emails.collect();
    Ok(Json(Queue {
        count: pending_emails.len(),
        pending_emails,
        synced_from_gatekeeper: 0,
        refreshed_at: rfc3339(service.context.clock.now()),
        next: page.next.as_ref().map(paging::cursor),
    }))
}

fn email(draft: &Draft, lead: Option<&LeadRecord>) -> Email {
    let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let fact = |of: fn(&LeadRecord) -> &str| lead.and_then(|it| said(of(it)));
    Email {
        email_id: draft.id.clone(),
        status: draft.status,
        to: draft.to.clone(),
        subject: draft.subject.clone(),
        body: draft.body.clone(),
        content: draft.content(),
        tier: draft.tier,
        angle: draft.campaign.clone(),
        priority: match draft.tier {
            Tier::One => "high",
            Tier::Two => "medium",
            Tier::Three | Tier::Four => "low",
        },
        recipient_data: Recipient {
            name: draft.name.clone(),
            company: draft.company.clone(),
            title: fact(|it| &it.lead.title),
            linkedin_url: fact(|it| &it.lead.linkedin_url),
            location: fact(|it| &it.lead.location),
            employees: lead.and_then(|it| it.lead.company.employees),
            industry: fact(|it| &it.lead.company.industry),
        },
        context: Why {
            icp_tier: draft.tier,
            icp_score: draft.score,
            triggers: lead.map(|it| it.reasons.clone()).unwrap_or_default(),
            campaign_id: draft.campaign.clone(),
            campaign_type: draft.motion.to_string(),
        },
        source: draft.source.clone(),
        timestamp: draft.created_at.clone(),
        created_at: draft.created_at.clone(),
        template_id: draft.campaign.clone(),
        flags: draft.flags.clone(),
    }
}

/// Approves an e-mail: exactly the text whose `content` was seen, with the changes that come along.
/// It can go out with the next batch; only where the old file switches GHL on does it go at once, as a
/// sealed batch of one. `status` and `message` say which.
#[utoipa::path(
    post, path = "/api/emails/{email_id}/approve", tag = "emails", security(("token" = ["approver"])),
    params(("email_id" = String, Path, description = "The draft"), Approver),
    request_body = Approval,
    responses(
        (status = 200, body = Approved), (status = 404, body = ProblemDocument),
        (status = 409, description = "It stands elsewhere, or its text is not the one that was seen", body = ProblemDocument),
        (status = 422, body = ProblemDocument),
    )
)]
async fn approve(
    State(service): State<Arc<Service>>,
    who: Principal,
    Id(id): Id,
    _asked: Asked<Approver>,
    Body(approval): Body<Approval>,
) -> Result<Json<Approved>> {
    let given = |text: &Option<String>| text.clone().filter(|it| !it.trim().is_empty());
    let (subject, body) = (given(&approval.subject), given(&approval.edited_body));
    let seen = given(&approval.seen);
    let mut note = approval.feedback.unwrap_or_default();
    if seen.is_none() {
        let draft = review::one(&*service.store, &id).await?;
        if !service.approves_unseen() {
            return Err(unseen(&draft));
        }
        note = format!("without the hash of what was seen; {note}");
    }
    let yes = Yes {
        seen: seen.as_deref(),
        subject: subject.as_deref(),
        body: body.as_deref(),
        note: note.trim_end_matches("; "),
        sender: &service.context.settings().sender,
    };
    let draft = match service.review(&who).approve_seen(&id, &yes).await {
        Ok(draft) => draft,
        Err(error) if error.code() == "draft.changed" => {
            let draft = review::one(&*service.store, &id).await?;
            return Err(as_it_is(error.into(), &draft));
        }
        Err(error) => return Err(error.into()),
    };
    let mut approved = Approved {
        status: draft.status.into(),
        email_id: id,
        edited: subject.is_some() || body.is_some(),
        message: "approved; nothing was sent: it can go out with the next batch".to_owned(),
        approved_by: who.name.clone(),
        content: draft.content(),
        batch_id: None,
    };
    if draft.medium == Medium::Email && service.context.ghl_is_live()? {
        // A caller who goes away does not end it half-way.
        let of_one = Arc::clone(&service);
        let work = async move {
            let store = Arc::clone(&of_one.store);
            let sent = of_one.context.send_one(store, &who.name, &draft).await;
            sent.map_err(Problem::from)
        };
        let sent = service.work.carry(work).await?;
        approved.status = sent.status;
        approved.message = sent.message;
        approved.batch_id = Some(sent.batch);
    }
    Ok(Json(approved))
}

/// An approval that does not say what was seen.
fn unseen(draft: &Draft) -> Problem {
    let problem = Problem::new(
        StatusCode::CONFLICT,
        "approval.unseen",
        "an approval needs the hash of the text that was seen",
    );
    let problem = problem.hint("send back `content` of the e-mail as `seen`");
    as_it_is(problem, draft)
}

/// The same, with the text as it is now.
fn as_it_is(problem: Problem, draft: &Draft) -> Problem {
    let Draft {
        status,
        subject,
        body,
        ..
    } = draft;
    let content = draft.content();
    problem.with(
        "current",
        json!({ "status": status, "subject": subject, "body": body, "content": content }),
    )
}

/// Rejects an e-mail, with what was wrong by its tag and in words.
#[utoipa::path(
    post, path = "/api/emails/{email_id}/reject", tag = "emails", security(("token" = ["approver"])),
    params(("email_id" = String, Path, description = "The draft"), Rejecting),
    request_body = Rejection,
    responses(
        (status = 200, body = Rejected), (status = 404, body = ProblemDocument),
        (status = 409, body = ProblemDocument), (status = 422, body = ProblemDocument),
    )
)]
async fn reject(
    State(service): State<Arc<Service>>,
    who: Principal,
    Id(id): Id,
    Asked(asked): Asked<Rejecting>,
    Body(rejection): Body<Rejection>,
) -> Result<Json<Rejected>> {
    let tag = rejection.rejection_tag.or(asked.rejection_tag);
    let reason = rejection.reason.or(asked.reason);
    let (tag, reason) = (tag.unwrap_or_default(), reason.unwrap_or_default());
    let why = RejectionReason::parse(&tag, &reason)
        .map_err(|error| Problem::invalid(error.code(), error.to_string()))?;
    let draft = service.review(&who).reject_for(&id, &why).await?;
    let decided = draft.decisions.last().map(|it| it.at.clone());
    Ok(Json(Rejected {
        status: draft.status,
        email_id: id,
        reason: why.reason().to_owned(),
        rejection_tag: why.tag(),
        approver: who.name,
        timestamp: decided.unwrap_or_default(),
    }))
}

/// How full the queue is, and what is left of today.
#[utoipa::path(
    get, path = "/api/queue-status", tag = "emails", security(("token" = ["viewer"])),
    responses((status = 200, body = QueueStatus))
)]
async fn queue(State(service): State<Arc<Service>>) -> Result<Json<QueueStatus>> {
    let (store, context) = (&*service.store, &service.context);
    let count = async |status| review::count(store, status).await;
    let (pending, approved) = (
        count(DraftStatus::Pending).await?,
        count(DraftStatus::Approved).await?,
    );
    let rejected = count(DraftStatus::Rejected).await?;
    let out = count(DraftStatus::Claimed).await? + count(DraftStatus::Done).await?;
    let policy = context.policy(store).await?;
    let today = business_day(context.clock.now(), &context.zone()?);
    Ok(Json(QueueStatus {
        shadow_mode_emails: Drafts {
            total: pending + approved + rejected + out,
            pending,
            approved,
            rejected,
            out,
        },
        daily_limits: Daily {
            date: today.to_string(),
            sent_today: policy.email_used,
            limit: policy.limits.email_per_day,
            remaining: policy.email_room,
        },
        recent_queue_events: history::newest(store, None, 5).await?,
        pipeline_healthy: service.store_health().await.status == "healthy",
    }))
}

/// What a rejection may be tagged with.
#[utoipa::path(
    get, path = "/api/rejection-tags", tag = "emails", security(("token" = ["viewer"])),
    responses((status = 200, body = Tags))
)]
async fn tags() -> Json<Tags> {
    Json(Tags {
        tags: RejectionTag::ALL,
    })
}
