//! A call as it came in, and an answer as it goes out.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

/// The operations of a provider, each with the name that faults and the log give it.
macro_rules! operations {
    ($($variant:ident => $name:literal),+ $(,)?) => {
        /// What can be asked.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(in crate::sandbox) enum Operation {
            $($variant),+
        }

        impl Operation {
            pub(in crate::sandbox) const NAMES: &[&str] = &[$($name),+];

            pub(in crate::sandbox) const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),+
                }
            }
        }
    };
}
pub(super) use operations;

/// What a provider was asked.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    /// The path as it was sent.
    pub(super) path: String,
    /// The decoded path below the provider's base.
    pub(super) rest: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// What it answers.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
    content_type: String,
    retry_after: Option<u64>,
}

/// What a body is, going by its content type.
#[derive(Debug)]
pub(super) enum Parsed {
    Absent,
    Broken,
    EmptyJson,
    Json(Value),
    OtherType(String),
}

impl Call {
    pub(super) fn new(
        method: Method,
        uri: &Uri,
        rest: String,
        headers: HeaderMap,
        body: Bytes,
    ) -> Self {
        let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        Self {
            method,
            path: uri.path().to_owned(),
            rest,
            query: query.into_owned().collect(),
            headers,
            body,
        }
    }

    /// A header's text; empty when it is absent.
    pub(super) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .trim()
    }

    /// A parameter of the query.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let mut found = self.query.iter().filter(|(key, _)| key == name);
        found.next().map(|(_, value)| value.as_str())
    }

    /// Method and path segments, to match on.
    pub(super) fn route(&self) -> (&str, Vec<&str>) {
        (self.method.as_str(), self.rest.split('/').collect())
    }

    pub(super) fn parsed(&self) -> Parsed {
        let kind = self.header(header::CONTENT_TYPE.as_str());
        let essence = kind.split(';').next().unwrap_or_default().trim();
        let is_json = essence.eq_ignore_ascii_case("application/json");
        match (is_json, self.body.is_empty()) {
            (true, true) => Parsed::EmptyJson,
            (true, false) => {
                serde_json::from_slice(&self.body).map_or(Parsed::Broken, Parsed::Json)
            }
            (false, true) => Parsed::Absent,
            (false, false) => Parsed::OtherType(essence.to_owned()),
        }
    }
}

impl Answer {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            body: body.to_string(),
            content_type: "application/json; charset=utf-8".to_owned(),
            retry_after: None,
        }
    }

    pub(super) fn empty(status: u16) -> Self {
        Self {
            body: String::new(),
            ..Self::json(status, &Value::Null)
        }
    }

    pub(super) fn typed(status: u16, content_type: &str, body: String) -> Self {
        Self {
            body,
            ..Self::json(status, &Value::Null)
        }
        .retyped(content_type.to_owned())
    }

    pub(super) fn retyped(self, content_type: String) -> Self {
        Self {
            content_type,
            ..self
        }
    }

    pub(super) fn retry_after(self, seconds: Option<u64>) -> Self {
        Self {
            retry_after: seconds,
            ..self
        }
    }

    /// Half of it, to a whole character.
    pub(super) fn cut(mut self) -> Self {
        let mut half = self.body.len() / 2;
        while !self.body.is_char_boundary(half) {
            half -= 1;
        }
        self.body.truncate(half);
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                response.headers_mut().insert(name, value);
            }
        };
        set(header::CONTENT_TYPE, &self.content_type);
        if let Some(seconds) = self.retry_after {
            set(header::RETRY_AFTER, &seconds.to_string());
        }
        response
    }
}
