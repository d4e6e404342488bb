//! The pages that people use: shells without data, filled by scripts from the API. Whatever comes
//! from a lead is put there as text; no page holds a token (http D-11, §5.5).

mod files;
mod login;

use std::sync::Arc;

use axum::response::{Html, IntoResponse, Redirect, Response};
use minijinja::context;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::Principal;
use super::problem::{Problem, Result};
use super::service::Service;

const LAYOUT: &str = include_str!("pages/layout.html");

/// One page.
#[derive(Debug, Clone, Copy, Serialize)]
struct Page {
    path: &'static str,
    title: &'static str,
    script: &'static str,
    #[serde(skip)]
    content: &'static str,
}

/// The pages, at the addresses of the old ones.
const PAGES: [Page; 5] = [
    Page {
        path: "/",
        title: "Overview",
        script: "home",
        content: include_str!("pages/home.html"),
    },
    Page {
        path: "/sales",
        title: "Approvals",
        script: "sales",
        content: include_str!("pages/sales.html"),
    },
    Page {
        path: "/leads",
        title: "Leads",
        script: "leads",
        content: include_str!("pages/leads.html"),
    },
    Page {
        path: "/scorecard",
        title: "Scorecard",
        script: "scorecard",
        content: include_str!("pages/scorecard.html"),
    },
    Page {
        path: "/api/docs",
        title: "API",
        script: "reference",
        content: include_str!("pages/reference.html"),
    },
];

pub(super) fn all() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(home))
        .routes(routes!(sales))
        .routes(routes!(leads))
        .routes(routes!(scorecard))
        .routes(routes!(reference))
        .routes(routes!(moved))
        .merge(files::routes())
        .merge(login::routes())
}

/// Where everything stands.
#[utoipa::path(
    get, path = "/", tag = "pages", security(("session" = ["viewer"])),
    responses((status = 200, description = "The overview", content_type = "text/html", body = String))
)]
async fn home(who: Principal) -> Result<Response> {
    render(&PAGES[0], &who)
}

/// What waits for a decision.
#[utoipa::path(
    get, path = "/sales", tag = "pages", security(("session" = ["viewer"])),
    responses((status = 200, description = "The reviewer's page", content_type = "text/html", body = String))
)]
async fn sales(who: Principal) -> Result<Response> {
    render(&PAGES[1], &who)
}

/// Everybody who is known.
#[utoipa::path(
    get, path = "/leads", tag = "pages", security(("session" = ["viewer"])),
    responses((status = 200, description = "The leads", content_type = "text/html", body = String))
)]
async fn leads(who: Principal) -> Result<Response> {
    render(&PAGES[2], &who)
}

/// The measures.
#[utoipa::path(
    get, path = "/scorecard", tag = "pages", security(("session" = ["viewer"])),
    responses((status = 200, description = "The scorecard", content_type = "text/html", body = String))
)]
async fn scorecard(who: Principal) -> Result<Response> {
    render(&PAGES[3], &who)
}

/// The reference of the API, made from its description.
#[utoipa::path(
    get, path = "/api/docs", tag = "pages", security(("session" = ["viewer"])),
    responses((status = 200, description = "The reference", content_type = "text/html", body = String))
)]
async fn reference(who: Principal) -> Result<Response> {
    render(&PAGES[4], &who)
}

/// An address that people have kept.
#[utoipa::path(
    get, path = "/ChiefAIOfficer", tag = "pages", security(()),
    responses((status = 308, description = "Leads to /sales"))
)]
async fn moved() -> Redirect {
    Redirect::permanent("/sales")
}

fn render(page: &Page, who: &Principal) -> Result<Response> {
    let mut environment = minijinja::Environment::new();
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::Html);
    let values = context! {
        pages => minijinja::value::Serde(PAGES), path => page.path, title => page.title, script => page.script,
        content => page.content, name => &who.name, role => who.role.as_str(),
    };
    let text = environment.render_str(LAYOUT, values);
    let text = text.map_err(|error| Problem::internal("page.template", error.to_string()))?;
    Ok(Html(text).into_response())
}
