//! Runs on demand: a dry run unless `dry_run` is exactly `false`, and never without an approved batch.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use caio_core::batch::BatchStatus;
use caio_core::terms::{Motion, Provider};
use caio_core::time::rfc3339;
use caio_dispatch::operator::RunReport;
use caio_dispatch::revival::{Candidate, Revivals};
use caio_dispatch::runs::{self, ProviderCounts};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Report, bounded};
use crate::http::access::Principal;
use crate::http::input::Body;
use crate::http::problem::{ProblemDocument, Result};
use crate::http::service::Service;
use crate::wiring::AskedBatch;
use crate::wiring::asked::{Asked, Came, asked};

pub(super) fn routes() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(trigger))
        .routes(routes!(candidates))
}

/// Candidates of a list, and most of them.
const CANDIDATES: (usize, usize) = (20, 50);

/// How many.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct HowMany {
    /// 1 to 50; 20 where it is not given.
    #[param(minimum = 1, maximum = 50)]
    limit: Option<usize>,
}

/// People who went quiet long ago.
#[derive(Debug, Serialize, ToSchema)]
struct Candidates {
    /// Best chance first.
    #[schema(value_type = Vec<Object>)]
    candidates: Vec<Candidate>,
    /// How many.
    count: usize,
}

/// Who may be written to anew, among the people that the store knows. Reading it changes nothing.
#[utoipa::path(
    get, path = "/api/operator/revival-candidates", tag = "operator", params(HowMany),
    security(("token" = ["viewer"])),
    responses((status = 200, body = Candidates), (status = 422, body = ProblemDocument))
)]
async fn candidates(
    State(service): State<Arc<Service>>,
    who: Principal,
    asked: super::Asked<HowMany>,
) -> Result<Json<Candidates>> {
    let limit = bounded(asked.0.limit, CANDIDATES)?;
    let context = &service.context;
    let production = context.production()?.map(|loaded| loaded.production);
    let revivals = Revivals {
        store: &*service.store,
        clock: &*context.clock,
        ids: &*context.ids,
        by: &who.name,
        rules: &production.unwrap_or_default().revival,
    };
    let found = revivals.scan(&[], limit).await?;
    Ok(Json(Candidates {
        candidates: found.candidates,
        count: found.count,
    }))
}

/// What to run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Trigger {
    /// Show what would happen and write nothing; true where it is not given.
    #[serde(default = "yes")]
    dry_run: bool,
    /// Programme; `all` where it is not given.
    #[serde(default = "all")]
    motion: Motion,
}

const fn yes() -> bool {
    true
}

const fn all() -> Motion {
    Motion::All
}

/// Runs an approved batch, or shows what would go. Live and without an approved batch, one is made
/// that waits for approval. A live run that a safety layer forbids is 200 as ever, without a `run_id`
/// and without counts; `errors` says first that nothing was sent, then what stands against it.
#[utoipa::path(
    post, path = "/api/operator/trigger", tag = "operator", security(("token" = ["operator"])),
    request_body = Trigger,
    responses(
        (status = 200, body = Report), (status = 409, body = ProblemDocument),
        (status = 422, body = ProblemDocument), (status = 423, body = ProblemDocument),
    )
)]
async fn trigger(
    State(service): State<Arc<Service>>,
    who: Principal,
    Body(Trigger { dry_run, motion }): Body<Trigger>,
) -> Result<Json<Report>> {
    // A caller who goes away does not end a run.
    let of_run = Arc::clone(&service);
    let work = async move { run(&of_run, &who, dry_run, motion).await };
    Ok(Json(service.work.carry(work).await?))
}

async fn run(service: &Service, who: &Principal, dry_run: bool, motion: Motion) -> Result<Report> {
    let context = &service.context;
    let mut report = blank(rfc3339(context.clock.now()), dry_run, motion);
    let wanted = Asked {
        motion,
        batch: None,
        live: !dry_run,
        send_now: false,
    };
    match asked(context, Arc::clone(&service.store), &wanted).await? {
        Came::Ran(ran) => return of_run(service, report, ran).await,
        Came::Shown {
            batch: None,
            against,
            ..
        } if !dry_run => {
            report.errors = against;
            let new = AskedBatch {
                motion,
                tier: None,
                via: Provider::Instantly,
                limit: None,
                expires_hours: None,
            };
            match context.propose(&*service.store, &who.name, &new).await? {
                Ok(batch) => {
                    report.errors.push(format!(
                        "nothing was sent: batch {} waits for approval",
                        batch.id
                    ));
                    report.pending_approval = true;
                    report.batch_id = Some(batch.id);
                    report.batch_status = Some(batch.status);
                }
                Err(message) => report.errors.push(message),
            }
        }
        Came::Shown {
            batch,
            going,
            against,
        } => {
            let of = |provider: Provider| {
                going.get(&provider).map(|count| ProviderCounts {
                    total_dispatched: *count,
                    ..ProviderCounts::default()
                })
            };
            if dry_run {
                report.instantly_report = of(Provider::Instantly);
                report.heyreach_report = of(Provider::HeyReach);
                report.ghl_report = of(Provider::Ghl);
            } else {
                // Counts are of what went: nothing did.
                let why = "nothing was sent: a safety layer forbids it";
                report.errors.push(why.to_owned());
            }
            report.errors.extend(against);
            report.batch_status = batch.as_ref().map(|it| it.status);
            report.batch_id = batch.map(|it| it.id);
        }
    }
    report.completed_at = Some(rfc3339(context.clock.now()));
    Ok(report)
}

/// What a run did, as the ledger has it.
async fn of_run(service: &Service, report: Report, ran: RunReport) -> Result<Report> {
    let found = runs::of_batch(&*service.store, &ran.batch).await?;
    let mut report = found.map_or(report, Report::from);
    report.errors.extend(ran.stopped);
    let failed = ran.items.iter().filter(|it| it.state != "accepted");
    let failed = failed.map(|it| {
        format!(
            "{} to {}: {} {}",
            it.draft, it.recipient, it.state, it.detail
        )
    });
    report.errors.extend(failed);
    report.pending_approval = ran.status == BatchStatus::Pending;
    Ok(report)
}

fn blank(started_at: String, dry_run: bool, motion: Motion) -> Report {
    Report {
        run_id: None,
        started_at,
        completed_at: None,
        dry_run,
        motion,
        instantly_report: None,
        heyreach_report: None,
        ghl_report: None,
        revival_dispatched: None,
        cadence_dispatched: None,
        errors: Vec::new(),
        pending_approval: false,
        batch_id: None,
        batch_status: None,
    }
}
