//! Logging in with a token, or with the link that the server printed; and out.

use std::sync::Arc;

use axum::Form;
use axum::extract::{FromRequest, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use caio_core::access::{Role, local_target};
use caio_dispatch::access::{self, Holder, Sessions};
use minijinja::context;
use secrecy::ExposeSecret;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::access::{COOKIE, Principal, session_text};
use crate::http::problem::{Problem, Result};
use crate::http::service::Service;

pub(super) fn routes() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(page, log_in))
        .routes(routes!(log_out))
}

const PAGE: &str = include_str!("login.html");

/// Where to go afterwards, and the secret of the printed link.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
struct Arrival {
    /// A local address.
    #[serde(default)]
    next: String,
    /// From the link that the server printed.
    #[serde(default)]
    code: String,
}

/// What the form sends.
#[derive(Deserialize, ToSchema)]
#[schema(as = LoginEntry)]
struct Entry {
    /// A token.
    #[serde(default)]
    token: String,
    /// The secret of the printed link.
    #[serde(default)]
    code: String,
    /// Where to go afterwards: a local address.
    #[serde(default)]
    next: String,
}

/// The form.
#[utoipa::path(
    get, path = "/login", tag = "pages", params(Arrival), security(()),
    responses((status = 200, description = "A form that takes a token", content_type = "text/html", body = String))
)]
async fn page(Query(arrival): Query<Arrival>) -> Result<Response> {
    render(StatusCode::OK, &arrival, "")
}

/// Opens a session.
#[utoipa::path(
    post, path = "/login", tag = "pages", security(()),
    request_body(content = Entry, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 303, description = "Logged in; leads on"),
        (status = 401, description = "The token is not valid", content_type = "text/html", body = String),
        (status = 429, description = "Too many wrong ones"),
    )
)]
async fn log_in(State(service): State<Arc<Service>>, request: Request) -> Result<Response> {
    let (parts, body) = request.into_parts();
    let peer = service.gate.peer(&parts);
    let request = Request::from_parts(parts, body);
    let Form(entry): Form<Entry> = Form::from_request(request, &())
        .await
        .map_err(|_| Problem::invalid("login.form", "expected a form with `token`"))?;
    let Entry { token, code, next } = entry;
    let link = || Principal {
        name: service.context.by().unwrap_or("operator").to_owned(),
        role: Role::Admin,
        entry: access::Entry::by(Holder::Link),
    };
    let found = if !code.is_empty() && service.gate.take_link(&code) {
        Some(Arc::new(link()))
    } else if token.trim().is_empty() {
        None
    } else {
        service.gate.token(&service, token.trim()).await?
    };
    let Some(principal) = found else {
        let problem = service.gate.refuse(peer);
        if !problem.is_unauthorized() {
            return Err(problem);
        }
        let arrival = Arrival {
            next,
            ..Arrival::default()
        };
        return render(
            StatusCode::UNAUTHORIZED,
            &arrival,
            "That did not open anything. Look for a space or a missing character.",
        );
    };
    let Some(holder) = principal.entry.holder.clone() else {
        return Err(Problem::internal(
            "login.holder",
            "a session rests on nothing",
        ));
    };
    let text = sessions(&service)
        .open(&principal.name, principal.role, holder)
        .await?;
    let mut response = Redirect::to(local_target(&next)).into_response();
    let text = text.expose_secret();
    let cookie = format!("{COOKIE}={text}; Path=/; HttpOnly; Secure; SameSite=Strict");
    set_cookie(&mut response, &cookie)?;
    Ok(response)
}

/// Ends the session.
#[utoipa::path(
    post, path = "/logout", tag = "pages", security(()),
    responses((status = 303, description = "Logged out"))
)]
async fn log_out(State(service): State<Arc<Service>>, headers: HeaderMap) -> Result<Response> {
    if let Some(text) = session_text(&headers) {
        sessions(&service).close(text).await?;
    }
    let mut response = Redirect::to("/login").into_response();
    let cookie = format!("{COOKIE}=; Path=/; HttpOnly; Secure; SameSite=Strict; Max-Age=0");
    set_cookie(&mut response, &cookie)?;
    Ok(response)
}

fn sessions(service: &Service) -> Sessions<'_> {
    Sessions {
        store: &*service.store,
        clock: &*service.context.clock,
        ids: &*service.context.ids,
    }
}

fn set_cookie(response: &mut Response, cookie: &str) -> Result<()> {
    let mut value = HeaderValue::from_str(cookie)
        .map_err(|error| Problem::internal("login.cookie", error.to_string()))?;
    value.set_sensitive(true);
    response.headers_mut().insert(header::SET_COOKIE, value);
    Ok(())
}

fn render(status: StatusCode, arrival: &Arrival, message: &str) -> Result<Response> {
    let mut environment = minijinja::Environment::new();
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::Html);
    let page = environment.render_str(
        PAGE,
        context! { next => local_target(&arrival.next), code => &arrival.code, message },
    );
    let page = page.map_err(|error| Problem::internal("page.template", error.to_string()))?;
    Ok((status, Html(page)).into_response())
}
