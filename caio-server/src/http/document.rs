//! What the OpenAPI document says about every route, added in one place: the other ways to prove
//! who one is, and the answers that any request can get.

use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{
    ContentBuilder, ObjectBuilder, OpenApi, PathItem, Ref, RefOr, Required, Response, Schema, Type,
};

use caio_dispatch::idempotency::MAX_KEY;

/// Answers of the layers around the routes: of all, of those that ask who calls, of those with
/// a query, of those with a body.
const ANY: [(&str, &str); 5] = [
    ("400", "The path or the head of the request cannot be read"),
    ("429", "Too many wrong tokens from this address"),
    (
        "500",
        "A fault of the service; the log has the reason under the request id",
    ),
    ("503", "The store cannot be used right now"),
    ("504", "It took too long"),
];
const ASKED: [(&str, &str); 2] = [
    ("401", "The token or session is missing or not valid"),
    (
        "403",
        "The role does not allow it, or a page of another site has sent it",
    ),
];
const WITH_QUERY: [(&str, &str); 1] = [("422", "The words of the request are off")];
const WITH_BODY: [(&str, &str); 5] = [
    ("403", "A page of another site has sent it"),
    (
        "409",
        "Another request with this Idempotency-Key is under way, or the state does not allow it",
    ),
    ("413", "The body is too large"),
    ("415", "The body is of another content type"),
    ("422", "The words of the request are off"),
];

/// Where problem documents are described.
const PROBLEM: &str = "#/components/schemas/Problem";

/// The document with all of that.
pub(super) fn complete(mut document: OpenApi) -> OpenApi {
    let components = document.components.clone().unwrap_or_default();
    // An object without a member that has to be there may be left out.
    let may_be_empty = |reference: &str| {
        let schema = reference
            .rsplit('/')
            .next()
            .and_then(|name| components.schemas.get(name));
        matches!(schema, Some(RefOr::T(Schema::Object(object))) if object.required.is_empty())
    };
    for item in document.paths.paths.values_mut() {
        let PathItem {
            get,
            put,
            post,
            delete,
            patch,
            ..
        } = item;
        if let Some(operation) = get {
            complete_one(operation, false);
        }
        for (operation, is_post) in [(post, true), (put, false), (delete, false), (patch, false)] {
            let Some(operation) = operation else { continue };
            if complete_one(operation, true) && is_post {
                let parameters = operation.parameters.get_or_insert_default();
                parameters.push(idempotency_key());
            }
            if let Some(RefOr::T(body)) = &mut operation.request_body {
                leave_out(body, &may_be_empty);
            }
        }
    }
    document
}

/// No body is an empty object, so one that may be empty need not be sent.
fn leave_out(body: &mut RequestBody, may_be_empty: &impl Fn(&str) -> bool) {
    let is_free = body.content.values().any(|it| match it {
        RefOr::T(content) => {
            matches!(&content.schema, Some(RefOr::Ref(it)) if may_be_empty(&it.ref_location))
        }
        RefOr::Ref(_) => false,
    });
    if is_free {
        body.required = Some(Required::False);
    }
}

fn idempotency_key() -> RefOr<Parameter> {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(MAX_KEY));
    let parameter = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .description(Some(
            "Sent again under its key within 24 hours, the request is answered as the first time and not done again",
        ))
        .schema(Some(schema));
    RefOr::T(parameter.build())
}

/// Answers whether the operation asks who calls.
fn complete_one(operation: &mut Operation, has_body: bool) -> bool {
    let asks = operation.security.as_mut().is_some_and(other_proofs);
    let responses = &mut operation.responses.responses;
    let asked: &[_] = if asks { &ASKED } else { &[] };
    let in_query =
        |it: &RefOr<Parameter>| matches!(it, RefOr::T(it) if it.parameter_in == ParameterIn::Query);
    let has_query = operation.parameters.iter().flatten().any(in_query);
    let with_query: &[_] = if has_query { &WITH_QUERY } else { &[] };
    let with_body: &[_] = if has_body { &WITH_BODY } else { &[] };
    let all = ANY.iter().chain(asked).chain(with_query).chain(with_body);
    for (status, why) in all {
        let known = responses.entry((*status).to_owned());
        known.or_insert_with(|| RefOr::T(Response::new(*why)));
    }
    for (status, response) in responses.iter_mut() {
        if status.starts_with(['4', '5'])
            && let RefOr::T(response) = response
        {
            as_problem(response);
        }
    }
    asks
}

/// Adds the other ways to show the same role; answers whether one is asked for.
fn other_proofs(security: &mut Vec<SecurityRequirement>) -> bool {
    let first = security.first().map(serde_json::to_value);
    let Some(Ok(first)) = first else {
        return false;
    };
    let first = first.as_object().and_then(|it| it.iter().next());
    let Some((scheme, scopes)) = first.filter(|(scheme, _)| *scheme != "provider") else {
        return false;
    };
    let scopes = scopes.as_array().into_iter().flatten();
    let scopes: Vec<&str> = scopes.filter_map(|it| it.as_str()).collect();
    for other in ["token", "bearer", "session"] {
        if other != scheme {
            security.push(SecurityRequirement::new(other, scopes.iter().copied()));
        }
    }
    true
}

/// A problem document has a content type of its own; what describes no body, or this one as plain
/// JSON, is one.
fn as_problem(response: &mut Response) {
    let is_problem = |schema: &RefOr<Schema>| matches!(schema, RefOr::Ref(reference) if reference.ref_location == PROBLEM);
    let is_plain = response.content.get("application/json").is_some_and(
        |it| matches!(it, RefOr::T(content) if content.schema.as_ref().is_some_and(is_problem)),
    );
    if response.content.is_empty() || is_plain {
        response.content.shift_remove("application/json");
        let schema = RefOr::Ref(Ref::new(PROBLEM));
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let made = ResponseBuilder::new()
            .content("application/problem+json", content)
            .build();
        response.content.extend(made.content);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_says_what_any_request_can_get() {
        let document = serde_json::to_value(crate::http::openapi()).unwrap();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                for (status, _) in ANY {
                    // Some answer with a body of their own, such as what a stop has reached.
                    let content = operation["responses"][status]["content"].as_object();
                    let is_described = content.is_some_and(|it| !it.is_empty());
                    assert!(is_described, "{method} {path} {status}");
                }
            }
        }
    }
}
