//! What a request says, in its query, path and body. What is off is refused as 422 with `detail`;
//! nothing is guessed from it.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::Uri;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// Longest id in a path, bytes.
const MAX_ID: usize = 200;

/// Names in a query that are not the route's: the old token, and what old pages add against caches.
const NOT_OURS: [&str; 2] = ["token", "_ts"];

/// The query.
#[derive(Debug)]
pub(crate) struct Asked<T>(pub(crate) T);

/// One part of the path: an id or an address.
#[derive(Debug)]
pub(crate) struct Id(pub(crate) String);

/// A JSON object; no body at all is an empty one.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        query(parts.uri.query().unwrap_or("")).map(Self)
    }
}

fn query<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    let invalid = |detail: String| Problem::invalid("request.query", detail);
    let pairs = form_urlencoded::parse(text.as_bytes());
    let ours = pairs.filter(|(name, _)| !NOT_OURS.contains(&name.as_ref()));
    let text = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(ours)
        .finish();
    let uri: Uri = format!("/?{text}")
        .parse()
        .map_err(|_| invalid("the query cannot be read".to_owned()))?;
    let Query(asked) = Query::try_from_uri(&uri).map_err(|error| invalid(error.body_text()))?;
    Ok(asked)
}

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path: Result<Path<String>, _> = Path::from_request_parts(parts, state).await;
        match path {
            Ok(Path(id)) if id.len() <= MAX_ID => Ok(Self(id)),
            _ => Err(Problem::not_found("there is nothing of that name")),
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request, state).await;
        body(&bytes.map_err(unread)?).map(Self)
    }
}

/// A body that did not arrive.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature that map_err calls"
)]
pub(super) fn unread(rejection: BytesRejection) -> Problem {
    Problem::new(rejection.status(), "request.body", rejection.body_text())
}

fn body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let invalid = |detail: String| Problem::invalid("request.body", detail);
    let text = std::str::from_utf8(bytes)
        .map_err(|error| invalid(format!("the body is not UTF-8: {error}")))?;
    let text = match text.trim_ascii() {
        "" => "{}",
        text => text,
    };
    // A list would be read as the members in order.
    if !text.starts_with('{') {
        return Err(invalid("expected a JSON object".to_owned()));
    }
    serde_json::from_str(text).map_err(|error| invalid(error.to_string()))
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use axum::response::IntoResponse;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wanted {
        #[serde(default)]
        dry_run: bool,
        #[serde(default)]
        limit: Option<u32>,
    }

    fn wanted(dry_run: bool, limit: Option<u32>) -> Wanted {
        Wanted { dry_run, limit }
    }

    #[test]
    fn only_an_object_with_known_members_of_the_right_kind_is_a_body() {
        assert_eq!(body::<Wanted>(b" ").unwrap(), wanted(false, None));
        let both = br#" {"dry_run": true, "limit": 3} "#;
        assert_eq!(body::<Wanted>(both).unwrap(), wanted(true, Some(3)));
        for wrong in [
            &b"[true, 3]"[..],
            b"null",
            b"\"x\"",
            b"{\"dry_run\": \"false\"}",
            b"{\"dry_run\": null}",
            b"{\"dry_run\": 0}",
            b"{\"limit\": -1}",
            b"{\"lmit\": 1}",
            b"{",
            b"\xff",
        ] {
            let problem = body::<Wanted>(wrong).unwrap_err();
            let status = problem.into_response().status();
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong:?}");
        }
        let deep = format!("{{\"limit\": {}1{}}}", "[".repeat(9_999), "]".repeat(9_999));
        assert!(body::<Wanted>(deep.as_bytes()).is_err());
    }

    #[test]
    fn the_query_is_as_strict_but_for_what_is_not_the_routes() {
        let read = |text| query::<Wanted>(text);
        assert_eq!(
            read("limit=3&_ts=9&token=t").unwrap(),
            wanted(false, Some(3))
        );
        assert_eq!(read("").unwrap(), wanted(false, None));
        for wrong in [
            "limit=-1",
            "limit=x",
            "limt=3",
            "limit=1&limit=2",
            "dry_run=maybe",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
