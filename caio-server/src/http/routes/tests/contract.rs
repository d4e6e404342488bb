//! What old callers rely on: every route of the Python dashboard is answered in its shape, or left
//! out on purpose.

use axum::body::Body;
use axum::http::Request;
use caio_core::access::Role;
use caio_core::draft::DraftStatus;
use serde_json::Value;

use super::leads::signal;
use crate::http::testing::{World, nothing};

/// Members of an answer, with a dot for those within; `[]` is a list of such.
type Shape = (&'static str, &'static [&'static str]);

/// Every GET of the old dashboard that is kept, with the members that its callers read (http §1.7 to §1.14).
const KEPT: [Shape; 31] = [
    (
        "/api/health",
        &["status", "timestamp", "runtime_dependencies"],
    ),
    ("/api/health/ready", &["status"]),
    ("/api/health/live", &["status", "timestamp"]),
    ("/api/runtime/dependencies", &["ready", "dependencies"]),
    (
        "/api/metrics",
        &["period_hours", "components", "email_limits", "collected_at"],
    ),
    ("/api/integrations", &["integrations", "timestamp"]),
    (
        "/api/guardrails",
        &["guardrails", "rate_limits", "email_limits", "timestamp"],
    ),
    ("/api/actions", &["actions", "total", "timestamp"]),
    ("/api/alerts", &["alerts"]),
    (
        "/api/debug/correlation-id",
        &["correlation_id", "timestamp"],
    ),
    (
        "/api/scorecard",
        &[
            "scorecard.metrics_by_category.pipeline",
            "scorecard.metrics_by_category.outreach",
            "scorecard.metrics_by_category.conversion",
            "scorecard.metrics_by_category.health",
            "scorecard.status_summary.on_track",
            "scorecard.status_summary.at_risk",
            "scorecard.status_summary.off_track",
            "scorecard.total_metrics",
            "constraint",
            "last_refresh",
            "generated_at",
        ],
    ),
    ("/api/scorecard/constraint", &["constraint"]),
    ("/api/scorecard/markdown", &["markdown"]),
    (
        "/api/pending-emails",
        &[
            "pending_emails[].email_id",
            "pending_emails[].to",
            "pending_emails[].subject",
            "pending_emails[].body",
            "pending_emails[].tier",
            "pending_emails[].angle",
            "pending_emails[].recipient_data",
            "pending_emails[].timestamp",
            "pending_emails[].status",
            "pending_emails[].context.icp_tier",
            "pending_emails[].context.icp_score",
            "pending_emails[].context.triggers",
            "pending_emails[].context.campaign_id",
            "pending_emails[].priority",
            "pending_emails[].source",
            "count",
            "synced_from_gatekeeper",
            "refreshed_at",
        ],
    ),
    (
        "/api/queue-status",
        &[
            "shadow_mode_emails.total",
            "shadow_mode_emails.pending",
            "shadow_mode_emails.approved",
            "shadow_mode_emails.rejected",
            "daily_limits.date",
            "daily_limits.sent_today",
            "daily_limits.limit",
            "daily_limits.remaining",
            "recent_queue_events",
            "pipeline_healthy",
        ],
    ),
    (
        "/api/leads",
        &[
            "[].email",
            "[].name",
            "[].company",
            "[].title",
            "[].status",
            "[].icp_tier",
            "[].icp_score",
            "[].open_count",
            "[].reply_count",
            "[].linkedin_status",
            "[].updated_at",
            "[].created_at",
            "[].signal_count",
        ],
    ),
    (
        "/api/leads/funnel",
        &[
            "pipeline.pending",
            "pipeline.approved",
            "pipeline.rejected",
            "outreach.dispatched",
            "outreach.sent",
            "engagement.opened",
            "engagement.replied",
            "engagement.meeting_booked",
            "decay.ghosted",
            "decay.stalled",
            "decay.engaged_not_replied",
            "terminal.bounced",
            "terminal.unsubscribed",
            "terminal.disqualified",
            "linkedin",
            "revival",
            "total_leads",
        ],
    ),
    ("/api/leads/status-summary", &[]),
    (
        "/api/leads/lee@example.com/timeline",
        &[
            "email",
            "current_status",
            "timeline[].timestamp",
            "timeline[].type",
            "timeline[].channel",
            "timeline[].summary",
            "timeline[].data",
            "event_count",
        ],
    ),
    (
        "/api/operator/status",
        &[
            "enabled",
            "emergency_stop",
            "date",
            "warmup_schedule.email_daily_limit",
            "warmup_schedule.linkedin_daily_limit",
            "warmup_schedule.linkedin_warmup_start",
            "warmup_schedule.linkedin_warmup_week",
            "warmup_schedule.is_linkedin_warmup",
            "warmup_schedule.revival_daily_limit",
            "ramp.enabled",
            "ramp.active",
            "ramp.day",
            "ramp.remaining_days",
            "ramp.email_limit_override",
            "ramp.tier_filter",
            "today.outbound_email",
            "today.outbound_linkedin",
            "today.revival",
            "today.cadence",
            "today.total_leads",
            "today.runs",
            "today.last_run",
            "limits.email_remaining",
            "limits.linkedin_remaining",
            "limits.revival_remaining",
            "cadence",
            "gatekeeper.required",
            "gatekeeper.pending_batch",
            "config.tier_routing",
            "config.revival_enabled",
        ],
    ),
    ("/api/operator/revival-candidates", &["candidates", "count"]),
    ("/api/operator/history", &[]),
    (
        "/api/operator/pending-batch",
        &[
            "batch_id",
            "created_at",
            "motion",
            "status",
            "warmup_schedule",
            "leads_preview",
            "total_email_leads",
            "total_linkedin_leads",
            "total_revival_candidates",
            "total_cadence_due",
            "tier_breakdown",
            "approved_shadow_email_ids",
            "preview_hash",
            "expires_at",
            "approved_at",
            "approved_by",
            "rejected_at",
            "rejected_reason",
            "executed_at",
            "execution_report",
        ],
    ),
    (
        "/api/cadence/summary",
        &[
            "total_enrolled",
            "by_status",
            "by_current_step",
            "exit_reasons",
            "actions_due_today",
        ],
    ),
    ("/api/cadence/due", &[]),
    ("/api/cadence/leads", &[]),
    (
        "/api/instantly/dispatch-status",
        &[
            "date",
            "dispatched_today",
            "daily_limit",
            "remaining",
            "campaigns_created_today",
        ],
    ),
    (
        "/webhooks/instantly/health",
        &["status", "webhook", "secret_configured"],
    ),
    (
        "/webhooks/heyreach/health",
        &["status", "webhook", "events_supported"],
    ),
    (
        "/webhooks/rb2b/health",
        &["status", "webhook", "secret_configured"],
    ),
    ("/webhooks/clay/health", &["status"]),
];

/// Other routes of the old dashboard that are kept: pages, and what decides or takes.
const KEPT_TOO: [(&str, &str); 26] = [
    ("get", "/"),
    ("get", "/sales"),
    ("get", "/leads"),
    ("get", "/scorecard"),
    ("get", "/static/{file}"),
    ("get", "/openapi.json"),
    ("get", "/ws"),
    ("post", "/api/errors/frontend"),
    ("post", "/api/scorecard/refresh"),
    ("post", "/api/emails/{email_id}/approve"),
    ("post", "/api/emails/{email_id}/reject"),
    ("post", "/api/clay-callback"),
    ("post", "/api/leads/detect-decay"),
    ("post", "/api/leads/bootstrap"),
    ("post", "/api/operator/trigger"),
    ("post", "/api/operator/approve-batch/{batch_id}"),
    ("post", "/api/operator/reject-batch/{batch_id}"),
    ("post", "/api/cadence/sync"),
    ("get", "/api/instantly/campaigns"),
    ("post", "/api/instantly/campaigns/{campaign_id}/activate"),
    ("post", "/api/instantly/emergency-stop"),
    ("post", "/webhooks/instantly/reply"),
    ("post", "/webhooks/instantly/unsubscribe"),
    ("post", "/webhooks/heyreach"),
    ("post", "/webhooks/rb2b"),
    ("post", "/webhooks/clay"),
];

/// Routes of the old dashboard that are left out, as docs/api.md says.
const LEFT_OUT: [(&str, &str); 11] = [
    ("GET", "/api/debug/filesystem"),
    ("GET", "/api/agents"),
    ("GET", "/api/agents/HUNTER"),
    ("GET", "/api/mcp-servers"),
    ("POST", "/api/actions/record"),
    ("POST", "/api/email/record"),
    ("POST", "/api/admin/regenerate_queue"),
    ("POST", "/api/call-prep/c1"),
    ("POST", "/api/call-prep/batch"),
    ("GET", "/inngest"),
    ("GET", "/redoc"),
];

/// What is missing at `path` of `value`.
fn lacks(value: &Value, path: &str) -> bool {
    let Some((name, rest)) = path
        .split_once('.')
        .map(|(name, rest)| (name, Some(rest)))
        .or(Some((path, None)))
    else {
        return true;
    };
    let (name, is_list) = match name.strip_suffix("[]") {
        Some(name) => (name, true),
        None => (name, false),
    };
    let found = if name.is_empty() {
        Some(value)
    } else {
        value.get(name)
    };
    let found = if is_list {
        found.and_then(|it| it.get(0))
    } else {
        found
    };
    match (found, rest) {
        (Some(found), Some(rest)) => lacks(found, rest),
        (found, _) => found.is_none(),
    }
}

/// Something of everything that the old routes show.
async fn world() -> (World, String) {
    let world = World::new();
    let root = world.token("root", Role::Admin).await;
    world.draft("lee@example.com", DraftStatus::Approved).await;
    world.draft("max@example.com", DraftStatus::Pending).await;
    world.expect(201, &root, "/api/batches", &nothing()).await;
    signal(
        &world,
        "lee@example.com",
        "opened",
        "2026-03-02T10:00:00+00:00",
    )
    .await;
    (world, root)
}

#[tokio::test]
async fn every_old_route_is_answered_in_its_shape() {
    let (world, root) = world().await;
    for (target, members) in KEPT {
        let answer = world.read(&root, target).await;
        let missing: Vec<&&str> = members.iter().filter(|it| lacks(&answer, it)).collect();
        assert!(missing.is_empty(), "{target} lacks {missing:?}: {answer}");
    }
    let document = serde_json::to_value(crate::http::openapi()).unwrap();
    for (method, path) in KEPT_TOO {
        assert!(
            document["paths"][path].get(method).is_some(),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn what_is_left_out_is_not_found_and_said_to_be() {
    let (world, root) = world().await;
    let page = include_str!("../../../../../docs/api.md");
    let (_, said) = page
        .split_once("## What the old dashboard had and this has not")
        .unwrap();
    for (method, target) in LEFT_OUT {
        let request = Request::builder().method(method).uri(target);
        let request = request
            .header("X-Dashboard-Token", &root)
            .body(Body::empty());
        let reply = world.send(request.unwrap()).await;
        assert_eq!(reply.status.as_u16(), 404, "{method} {target}");
        let path = target
            .replace("/HUNTER", "/{agent_name}")
            .replace("/c1", "/{contact_id}");
        assert!(said.contains(&path), "{path} is not explained");
    }
}
