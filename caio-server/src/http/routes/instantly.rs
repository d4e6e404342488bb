//! Campaigns at Instantly: what is there, starting one, and stopping everything, at the addresses of
//! the old control routes (http §2.2).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use caio_core::limits::business_day;
use caio_core::terms::Provider;
use caio_core::time::rfc3339;
use caio_dispatch::campaigns;
use caio_dispatch::ledger::LedgerEntry;
use caio_dispatch::records::LEDGER_INDEX;
use caio_state::{Range, StateStoreExt};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::access::Principal;
use crate::http::input::Id;
use crate::http::problem::{Problem, ProblemDocument, Result};
use crate::http::service::Service;
use crate::wiring::desk::{desk, provider};

pub(super) fn routes() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(activate))
        .routes(routes!(stop))
        .routes(routes!(status))
}

/// Campaigns, over all pages.
#[derive(Debug, Serialize, ToSchema)]
struct Listing {
    /// The campaigns.
    campaigns: Vec<Campaign>,
    /// How many.
    count: usize,
}

/// One campaign.
#[derive(Debug, Serialize, ToSchema)]
struct Campaign {
    /// The provider's id; null where our ledger knows a name that is not there any more.
    campaign_id: Option<String>,
    /// Its name.
    name: String,
    /// The provider's word for where it stands.
    status: Option<String>,
    /// Deliveries of ours in it, by where they stand; uploads are drafted, not sent.
    local_dispatch: BTreeMap<&'static str, u64>,
}

/// A campaign that sends now.
#[derive(Debug, Serialize, ToSchema)]
struct Activated {
    /// `activated`.
    status: &'static str,
    /// The campaign.
    campaign_id: String,
    /// Who started it.
    activated_by: String,
    /// When, RFC 3339 UTC.
    timestamp: String,
    /// How many people it writes to.
    people: usize,
    /// Who was taken out of it first, with the reason.
    taken_out: Vec<Out>,
}

/// Somebody who was taken out.
#[derive(Debug, Serialize, ToSchema)]
struct Out {
    /// The address.
    recipient: String,
    /// Why.
    reason: String,
}

/// What a stop of everything has reached.
#[derive(Debug, Serialize, ToSchema)]
struct Stopping {
    /// `emergency_stopped` when nothing sends, which was looked up; else `incomplete`.
    status: &'static str,
    /// Campaigns that were paused, at all providers.
    paused_count: usize,
    /// What still sends, or may.
    errors: Vec<String>,
    /// Who stopped it.
    triggered_by: String,
    /// When, RFC 3339 UTC.
    timestamp: String,
}

/// What went out today.
#[derive(Debug, Serialize, ToSchema)]
struct Day {
    /// The business day.
    date: String,
    /// E-mails of today that hold a reservation.
    dispatched_today: u32,
    /// The day's limit, the ramp's where that is lower.
    daily_limit: u32,
    /// What is left.
    remaining: u32,
    /// Names of the campaigns that today's deliveries went into.
    campaigns_created_today: BTreeSet<String>,
}

/// Every campaign at Instantly.
#[utoipa::path(
    get, path = "/api/instantly/campaigns", tag = "campaigns", security(("token" = ["viewer"])),
    responses(
        (status = 200, body = Listing),
        (status = 422, description = "There is no key of Instantly", body = ProblemDocument),
        (status = 502, description = "Instantly does not answer as it should", body = ProblemDocument),
    )
)]
async fn list(State(service): State<Arc<Service>>) -> Result<Json<Listing>> {
    let provider = provider(&service.context, Provider::Instantly)?;
    let listed = campaigns::list(&*service.store, &[provider]).await;
    let listed = listed.map_err(of_the_provider)?;
    let campaigns: Vec<Campaign> = listed
        .into_iter()
        .filter(|it| it.provider == Provider::Instantly)
        .map(|it| {
            let (campaign_id, status) = it.campaign.map(|it| (it.id, it.status)).unzip();
            Campaign {
                campaign_id,
                name: it.name,
                status,
                local_dispatch: it.ledger,
            }
        })
        .collect();
    Ok(Json(Listing {
        count: campaigns.len(),
        campaigns,
    }))
}

/// Starts a campaign of ours, after everybody in it was asked about once more.
#[utoipa::path(
    post, path = "/api/instantly/campaigns/{campaign_id}/activate", tag = "campaigns",
    security(("token" = ["operator"])),
    params(("campaign_id" = String, Path, description = "Its id or name")),
    responses(
        (status = 200, body = Activated),
        (status = 409, description = "It is not ours, sends already, or somebody in it is not clear", body = ProblemDocument),
        (status = 423, description = "A safety layer forbids it", body = ProblemDocument),
        (status = 502, description = "Instantly does not answer as it should", body = ProblemDocument),
    )
)]
async fn activate(
    State(service): State<Arc<Service>>,
    who: Principal,
    Id(campaign_id): Id,
) -> Result<Json<Activated>> {
    let provider = provider(&service.context, Provider::Instantly)?;
    let store = Arc::clone(&service.store);
    let desk = desk(&service.context, store, who.name.clone()).await?;
    let started = desk.start(&*provider, &campaign_id).await;
    let started = started.map_err(of_the_provider)?;
    let out = started.taken_out.into_iter().map(|it| Out {
        recipient: it.recipient.to_string(),
        reason: it.reason,
    });
    Ok(Json(Activated {
        status: "activated",
        campaign_id: started.campaign.id,
        activated_by: who.name,
        timestamp: rfc3339(service.context.clock.now()),
        people: started.people,
        taken_out: out.collect(),
    }))
}

/// Stops all sending, at every provider; the same as `POST /api/stop`.
#[utoipa::path(
    post, path = "/api/instantly/emergency-stop", tag = "campaigns", security(("token" = ["approver"])),
    responses(
        (status = 200, description = "Nothing sends", body = Stopping),
        (status = 207, description = "Nothing is claimed any more, and something at a provider may still send", body = Stopping),
        (status = 503, description = "The flag could not be set", body = Stopping),
    )
)]
async fn stop(State(service): State<Arc<Service>>, who: Principal) -> (StatusCode, Json<Stopping>) {
    let store = Ok(Arc::clone(&service.store));
    let stopped = service
        .context
        .stop(store, &who.name, "emergency stop")
        .await;
    let code = match (&stopped.flag, stopped.is_complete()) {
        (Err(_), _) => StatusCode::SERVICE_UNAVAILABLE,
        (Ok(()), true) => StatusCode::OK,
        (Ok(()), false) => StatusCode::MULTI_STATUS,
    };
    let flag = stopped.flag.as_ref().err().map(|it| it.message.clone());
    let halts = stopped.halted.iter();
    let errors = halts.filter_map(|(name, said)| Some(format!("{name}: {}", said.as_ref().err()?)));
    let paused = stopped
        .halted
        .values()
        .filter_map(|said| said.as_ref().ok());
    let answer = Stopping {
        status: if stopped.is_complete() {
            "emergency_stopped"
        } else {
            "incomplete"
        },
        paused_count: paused.sum(),
        errors: flag.into_iter().chain(errors).collect(),
        triggered_by: who.name,
        timestamp: rfc3339(service.context.clock.now()),
    };
    (code, Json(answer))
}

/// What of today's limit is used, and into which campaigns it went.
#[utoipa::path(
    get, path = "/api/instantly/dispatch-status", tag = "campaigns", security(("token" = ["viewer"])),
    responses((status = 200, body = Day))
)]
async fn status(State(service): State<Arc<Service>>) -> Result<Json<Day>> {
    let context = &service.context;
    let store = &*service.store;
    let policy = context.policy(store).await?;
    let zone = context.zone()?;
    let date = business_day(context.clock.now(), &zone);
    let start = date.to_zoned(zone);
    let start = start.map_err(|error| Problem::internal("day.start", error.to_string()))?;
    let range = Range {
        from: Some(rfc3339(start.timestamp())),
        ..Range::default()
    };
    let entries: Vec<LedgerEntry> = store.index_json(LEDGER_INDEX, &range).await?;
    let instantly = entries
        .into_iter()
        .filter(|it| it.container.provider == Provider::Instantly && it.may_be_out());
    let limit = policy.limits.email_per_day;
    Ok(Json(Day {
        date: date.to_string(),
        dispatched_today: limit.saturating_sub(policy.email_room),
        daily_limit: limit,
        remaining: policy.email_room,
        campaigns_created_today: instantly.map(|it| it.container.name).collect(),
    }))
}

/// What the provider did wrong is a bad gateway; what a rule forbids stays what it is.
fn of_the_provider(error: caio_dispatch::DispatchError) -> Problem {
    match error.code() {
        "campaign.provider" | "campaign.unasked" | "campaign.not_started" => {
            Problem::new(StatusCode::BAD_GATEWAY, error.code(), error.to_string())
        }
        _ => error.into(),
    }
}
