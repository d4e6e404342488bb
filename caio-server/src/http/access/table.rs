//! What each route needs of its caller, read from the OpenAPI document.

use std::collections::HashMap;

use axum::http::Method;
use caio_core::access::Role;
use serde_json::Value;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{OpenApi, PathItem};

use crate::exit::{Failure, Result};

/// What a route needs of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// `security(("session" = ["ROLE"]))`: a person's page; without a session it leads to the login.
    Page(Role),
    /// `security(())`: nothing.
    Public,
    /// `security(("token" = ["ROLE"]))`: a token or a session of at least this role.
    Role(Role),
    /// `security(("provider" = []))`: the provider's own proof, which the route itself checks.
    Signed,
    /// Not in the document.
    Undeclared,
}

/// Needs by path, then by method.
#[derive(Debug)]
pub(crate) struct Table(HashMap<String, Vec<(Method, Need)>>);

impl Table {
    /// # Errors
    /// A route that declares nothing, or something that is not understood.
    pub(crate) fn of(document: &OpenApi) -> Result<Self> {
        let mut table = HashMap::new();
        for (path, item) in &document.paths.paths {
            let mut needs = Vec::new();
            for (method, operation) in operations(item) {
                let need = declared(operation).ok_or_else(|| {
                    Failure::new(
                        "http.access",
                        format!("{method} {path} does not declare who may use it"),
                    )
                })?;
                needs.push((method, need));
            }
            table.insert(path.clone(), needs);
        }
        Ok(Self(table))
    }

    /// What the route that the router matched needs.
    pub(crate) fn need(&self, method: &Method, path: &str) -> Need {
        let method = if method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        let needs = self.0.get(path).map_or(&[][..], Vec::as_slice);
        let found = needs.iter().find(|(known, _)| known == method);
        found.map_or(Need::Undeclared, |(_, need)| *need)
    }
}

fn operations(item: &PathItem) -> impl Iterator<Item = (Method, &Operation)> {
    let all = [
        (Method::GET, &item.get),
        (Method::PUT, &item.put),
        (Method::POST, &item.post),
        (Method::DELETE, &item.delete),
        (Method::OPTIONS, &item.options),
        (Method::HEAD, &item.head),
        (Method::PATCH, &item.patch),
        (Method::TRACE, &item.trace),
    ];
    let found = all.into_iter();
    found.filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}

fn declared(operation: &Operation) -> Option<Need> {
    need(&serde_json::to_value(operation.security.as_ref()?).ok()?)
}

fn need(security: &Value) -> Option<Need> {
    let requirements = security.as_array()?;
    let (requirement, others) = requirements.split_first()?;
    let requirement = requirement.as_object()?;
    let Some((scheme, scopes)) = requirement.iter().next() else {
        return others.is_empty().then_some(Need::Public);
    };
    // Other ways to show the same role; anything else would be a second way in.
    let is_same = |other: &Value| {
        let other = other.as_object().map(|it| it.iter().collect::<Vec<_>>());
        other.is_some_and(|it| matches!(it.as_slice(), [(_, its)] if *its == scopes))
    };
    if !others.iter().all(is_same) {
        return None;
    }
    let role = || scopes.get(0)?.as_str()?.parse().ok();
    match scheme.as_str() {
        "provider" => Some(Need::Signed),
        "session" => Some(Need::Page(role()?)),
        "token" => Some(Need::Role(role()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_declaration_means_one_thing_or_nothing() {
        let means = |security: Value| need(&security);
        assert_eq!(means(json!([{}])), Some(Need::Public));
        assert_eq!(
            means(json!([{"token": ["approver"]}])),
            Some(Need::Role(Role::Approver))
        );
        assert_eq!(
            means(json!([{"session": ["viewer"]}])),
            Some(Need::Page(Role::Viewer))
        );
        assert_eq!(means(json!([{"provider": []}])), Some(Need::Signed));
        for wrong in [
            json!([]),
            json!([{"token": []}]),
            json!([{"token": ["root"]}]),
            json!([{"other": ["viewer"]}]),
            json!([{}, {"token": ["viewer"]}]),
            json!([{"token": ["admin"]}, {"session": ["viewer"]}]),
            json!([{"token": ["admin"]}, {}]),
        ] {
            assert_eq!(means(wrong.clone()), None, "{wrong}");
        }
        assert_eq!(declared(&Operation::new()), None);
    }

    #[test]
    fn every_route_declares_what_it_needs() {
        let table = Table::of(&crate::http::openapi()).unwrap();
        assert_eq!(table.need(&Method::GET, "/api/health"), Need::Public);
        assert_eq!(table.need(&Method::HEAD, "/api/health"), Need::Public);
        assert_eq!(table.need(&Method::PUT, "/api/health"), Need::Undeclared);
    }
}
