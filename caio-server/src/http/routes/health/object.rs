//! How the service is, in the shape that the old dashboard's callers know, from what is known. What
//! has no meaning here is empty or null.

use std::collections::BTreeMap;

use caio_core::batch::BatchStatus;
use caio_core::draft::DraftStatus;
use caio_core::time::rfc3339;
use caio_dispatch::history::{self, Event};
use caio_dispatch::{batches, review};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::health::Component;
use crate::http::problem::Result;
use crate::http::routes::system::{Dependencies, Limit, limits};
use crate::http::service::Service;

/// Events shown as actions.
const ACTIONS: usize = 20;

/// How the service is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HealthObject {
    /// The worst of all components: `healthy` or `unhealthy`.
    status: &'static str,
    /// RFC 3339 UTC.
    timestamp: String,
    /// Share of the components that are healthy, in percent.
    health_score: u32,
    /// There are none here.
    agents: BTreeMap<String, Component>,
    /// The store, and the providers that have a key.
    integrations: BTreeMap<String, Component>,
    /// There are none here.
    mcp_servers: BTreeMap<String, Component>,
    /// What stands in the way of sending; null where it cannot be asked.
    guardrails: Option<Guards>,
    /// All limits by name; null where they cannot be asked.
    rate_limits: Option<BTreeMap<String, Limit>>,
    /// What waits; null where it cannot be asked.
    queue_depths: Option<Queues>,
    /// Not measured here.
    #[schema(value_type = Option<Object>)]
    reasoning_bank: Option<()>,
    /// Not measured here: `/metrics` has the histograms.
    #[schema(value_type = Option<Object>)]
    latency_stats: Option<()>,
    /// There are none here.
    heartbeats: BTreeMap<String, String>,
    /// There are none here.
    stale_agents: Vec<String>,
    /// What happened last, newest first.
    recent_actions: Vec<Event>,
    /// What the service rests on; in the answer to a request alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) runtime_dependencies: Option<Dependencies>,
}

/// What stands in the way of sending.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HealthObjectGuards)]
struct Guards {
    /// Sending is stopped.
    stopped: bool,
}

/// What waits.
#[derive(Debug, Serialize, ToSchema)]
struct Queues {
    /// Drafts that wait for a decision.
    drafts_pending: u64,
    /// Drafts that wait for a batch.
    drafts_approved: u64,
    /// Batches that wait for approval.
    batches_pending: usize,
    /// Batches of which nobody knows what became.
    batches_unknown: usize,
}

/// How the service is.
pub(crate) async fn health_object(service: &Service) -> HealthObject {
    let mut integrations = service.providers().await;
    integrations.retain(|_, it| it.status != "not_configured");
    integrations.insert("store".to_owned(), service.store_health().await);
    let healthy = integrations
        .values()
        .filter(|it| it.status == "healthy")
        .count();
    let share = 100 * healthy / integrations.len();
    let recent = history::newest(&*service.store, None, ACTIONS).await;
    HealthObject {
        status: if share == 100 { "healthy" } else { "unhealthy" },
        timestamp: rfc3339(service.context.clock.now()),
        health_score: u32::try_from(share).unwrap_or(0),
        agents: BTreeMap::new(),
        integrations,
        mcp_servers: BTreeMap::new(),
        guardrails: guards(service).await.ok(),
        rate_limits: limits(service).await.ok(),
        queue_depths: queues(service).await.ok(),
        reasoning_bank: None,
        latency_stats: None,
        heartbeats: BTreeMap::new(),
        stale_agents: Vec::new(),
        recent_actions: recent.unwrap_or_default(),
        runtime_dependencies: None,
    }
}

async fn guards(service: &Service) -> Result<Guards> {
    let flag = caio_state::stop::read(&*service.store).await?;
    let stopped = flag.is_some() || service.context.brake().holds();
    Ok(Guards { stopped })
}

async fn queues(service: &Service) -> Result<Queues> {
    let store = &*service.store;
    Ok(Queues {
        drafts_pending: review::count(store, DraftStatus::Pending).await?,
        drafts_approved: review::count(store, DraftStatus::Approved).await?,
        batches_pending: batches::list(store, BatchStatus::Pending).await?.len(),
        batches_unknown: batches::list(store, BatchStatus::Unknown).await?.len(),
    })
}
