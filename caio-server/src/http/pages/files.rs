//! Scripts and styles: part of the program, the same for everybody.

use std::sync::Arc;

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::problem::{Problem, Result};
use crate::http::service::Service;

/// Name, kind, content.
const FILES: [(&str, &str, &str); 7] = [
    (
        "app.css",
        "text/css; charset=utf-8",
        include_str!("static/app.css"),
    ),
    ("app.js", SCRIPT, include_str!("static/app.js")),
    ("home.js", SCRIPT, include_str!("static/home.js")),
    ("leads.js", SCRIPT, include_str!("static/leads.js")),
    ("reference.js", SCRIPT, include_str!("static/reference.js")),
    ("sales.js", SCRIPT, include_str!("static/sales.js")),
    ("scorecard.js", SCRIPT, include_str!("static/scorecard.js")),
];

const SCRIPT: &str = "text/javascript; charset=utf-8";

pub(super) fn routes() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(file))
}

/// A script or a style of the pages.
#[utoipa::path(
    get, path = "/static/{file}", tag = "pages", security(()),
    params(("file" = String, Path, description = "Such as app.css")),
    responses((status = 200, description = "The file", body = String), (status = 404, description = "There is none"))
)]
async fn file(Path(name): Path<String>) -> Result<Response> {
    let found = FILES.iter().find(|(known, _, _)| *known == name);
    let (_, kind, content) = found.ok_or_else(|| Problem::not_found("Not Found"))?;
    let headers = [
        (header::CONTENT_TYPE, *kind),
        // A new version of the program is seen at the next look.
        (header::CACHE_CONTROL, "no-cache"),
    ];
    Ok((headers, *content).into_response())
}
