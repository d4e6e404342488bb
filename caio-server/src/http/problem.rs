//! Errors as problem documents (RFC 9457), with the stable code beside the old system's `detail`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use caio_dispatch::DispatchError;
use caio_state::StoreError;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::exit::{Exit, Failure};

/// Answer of a handler.
pub(crate) type Result<T, E = Problem> = std::result::Result<T, E>;

/// Why a request was not served.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    hint: Option<String>,
    retry_after: Option<u64>,
    more: Option<Box<Map<String, Value>>>,
    cause: Option<Cause>,
}

/// What really happened, for the log line alone.
#[derive(Debug, Clone)]
pub(crate) struct Cause(pub(crate) String);

/// What is sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemDocument {
    /// `urn:caio:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// Stable code.
    code: &'static str,
    /// What happened, and what was expected.
    detail: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// The same as `detail`: the old batch routes put it here.
    error: String,
    /// What else there is to say, such as what has changed.
    #[serde(flatten)]
    #[schema(ignore)]
    more: Map<String, Value>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            hint: None,
            retry_after: None,
            more: None,
            cause: None,
        }
    }

    /// Something that is nobody's business outside: the answer is a fixed text.
    pub(crate) fn internal(code: &'static str, cause: impl Into<String>) -> Self {
        let mut problem = Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            code,
            "the request could not be served; the log has the reason under its request id",
        );
        problem.cause = Some(Cause(cause.into()));
        problem
    }

    /// The request's words are off.
    pub(crate) fn invalid(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "route.not_found", what)
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with a further member, such as what has changed.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        let more = self.more.get_or_insert_default();
        more.insert(name.to_owned(), value.into());
        self
    }

    pub(crate) fn is_unauthorized(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
    }

    /// It cannot be served right now.
    pub(crate) fn is_unavailable(&self) -> bool {
        self.status == StatusCode::SERVICE_UNAVAILABLE
    }

    pub(crate) fn is(&self, code: &str) -> bool {
        self.code == code
    }

    /// What really happened, for the log alone.
    pub(crate) fn caused(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(Cause(cause.into()));
        self
    }

    pub(crate) const fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let document = ProblemDocument {
            kind: format!("urn:caio:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            code: self.code,
            error: self.detail.clone(),
            detail: self.detail,
            hint: self.hint,
            more: self.more.map(|more| *more).unwrap_or_default(),
        };
        let mut response = (self.status, Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"caio\"");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        if let Some(cause) = self.cause {
            response.extensions_mut().insert(cause);
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let code = error.code();
        match error {
            StoreError::Ambiguous { .. }
            | StoreError::LostData { .. }
            | StoreError::Unavailable { .. } => {
                let mut problem = Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    code,
                    "the store cannot be used right now; nothing was decided",
                )
                .retry_after(2);
                problem.cause = Some(Cause(error.to_string()));
                problem
            }
            StoreError::MigrationIncomplete { .. } | StoreError::Unsupported { .. } => {
                Self::new(StatusCode::CONFLICT, code, error.to_string())
            }
            _ => Self::internal(code, error.to_string()),
        }
    }
}

impl From<DispatchError> for Problem {
    fn from(error: DispatchError) -> Self {
        let code = error.code();
        let status = match &error {
            DispatchError::NotFound { .. } => StatusCode::NOT_FOUND,
            DispatchError::Batch(_) | DispatchError::Conflict { .. } | DispatchError::Draft(_) => {
                StatusCode::CONFLICT
            }
            DispatchError::Refused { code, .. } => refused(code),
            DispatchError::Store(_) => {
                return match error {
                    DispatchError::Store(error) => error.into(),
                    other => Self::internal(code, other.to_string()),
                };
            }
            _ => return Self::internal(code, error.to_string()),
        };
        Self::new(status, code, error.to_string())
    }
}

/// Status of a refusal by a rule: safety locks, words that are off, and states that do not allow it.
fn refused(code: &str) -> StatusCode {
    match code.split('.').next() {
        Some("copy" | "token" | "plan" | "request") => StatusCode::UNPROCESSABLE_ENTITY,
        Some("dispatch" | "stop" | "safety") => StatusCode::LOCKED,
        _ => StatusCode::CONFLICT,
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let status = match failure.exit {
            Exit::Usage => StatusCode::UNPROCESSABLE_ENTITY,
            Exit::Blocked => StatusCode::LOCKED,
            _ if failure.code == "batch.empty" || failure.code == "seal.none" => {
                StatusCode::CONFLICT
            }
            _ => return Self::internal(failure.code, failure.message),
        };
        let mut problem = Self::new(status, failure.code, failure.message);
        problem.hint = failure.hint;
        problem
    }
}
