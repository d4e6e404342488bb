//! Which other origins may read answers. Preflights are answered before access is asked, and every
//! answer carries the headers, refusals as well (http §1.2).

use std::collections::BTreeMap;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::exit::{Exit, Failure, Result};

/// Where a browser of this machine finds the service when nothing else is said.
const LOCAL: [&str; 4] = [
    "http://localhost:8080",
    "http://127.0.0.1:8080",
    "http://localhost:3000",
    "http://127.0.0.1:3000",
];

const METHODS: &str = "GET, HEAD, POST, PUT, DELETE, OPTIONS";
const HEADERS: &str =
    "authorization, content-type, idempotency-key, x-correlation-id, x-dashboard-token";
const EXPOSED: &str = "idempotency-replayed, retry-after, x-correlation-id";

/// The allowed origins.
#[derive(Debug)]
pub(crate) struct Origins(Vec<String>);

impl Origins {
    /// `CORS_ALLOWED_ORIGINS`, a list with commas.
    ///
    /// # Errors
    /// `*`, which with credentials would let any page read everything.
    pub(crate) fn from_environment(environment: &BTreeMap<String, String>) -> Result<Self> {
        let Some(text) = environment.get("CORS_ALLOWED_ORIGINS") else {
            return Ok(Self(LOCAL.map(str::to_owned).to_vec()));
        };
        let origins: Vec<String> = text
            .split(',')
            .map(|origin| origin.trim().trim_end_matches('/').to_owned())
            .filter(|origin| !origin.is_empty())
            .collect();
        match origins.iter().find(|origin| origin.contains('*')) {
            Some(wrong) => Err(Failure::new(
                "http.origin",
                format!("CORS_ALLOWED_ORIGINS: `{wrong}` would let any page read everything"),
            )
            .hint("name each origin, such as https://sales.example.com")
            .exit(Exit::Usage)),
            None => Ok(Self(origins)),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    pub(crate) fn allows(&self, origin: &HeaderValue) -> bool {
        self.0.iter().any(|it| it.as_bytes() == origin.as_bytes())
    }
}

/// How a request stands to the origin that it comes from.
#[derive(Debug)]
pub(crate) struct Crossing {
    /// Where it comes from, if that may read the answer.
    allowed: Option<HeaderValue>,
    is_preflight: bool,
}

impl Crossing {
    pub(crate) fn of(origins: &Origins, request: &Request) -> Self {
        let headers = request.headers();
        let origin = headers.get(header::ORIGIN);
        Self {
            allowed: origin.filter(|it| origins.allows(it)).cloned(),
            is_preflight: request.method() == Method::OPTIONS
                && origin.is_some()
                && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD),
        }
    }

    /// The answer to a preflight; `None` for any other request.
    pub(crate) fn preflight(&self) -> Option<Response> {
        let status = match self.allowed {
            Some(_) => StatusCode::NO_CONTENT,
            None => StatusCode::BAD_REQUEST,
        };
        self.is_preflight.then(|| status.into_response())
    }

    /// Says who may read the answer.
    pub(crate) fn decorate(self, headers: &mut HeaderMap) {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = self.allowed {
            allow(headers, origin, self.is_preflight);
        }
    }
}

fn allow(headers: &mut HeaderMap, origin: HeaderValue, is_preflight: bool) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
        HeaderValue::from_static("true"),
    );
    if is_preflight {
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS),
            (header::ACCESS_CONTROL_MAX_AGE, "600"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
    } else {
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static(EXPOSED),
        );
    }
}
