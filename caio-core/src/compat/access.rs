//! Who passed the old dashboard's token check.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::Value;
use subtle::ConstantTimeEq;

use super::CompatError;
use crate::pytext::is_truthy;
use crate::pytext::py_strip;
use crate::pytext::text_of;

/// The environment variables in force; an unset one is absent.
pub type Environment = BTreeMap<String, String>;

/// Paths that never need a token.
const ALWAYS_EXEMPT: [&str; 3] = ["/api/health", "/api/health/live", "/api/health/ready"];

/// A path as the check compares it: stripped, one leading slash added where there is none, all
/// trailing ones removed; `/` for nothing.
///
/// An `AttributeError` for a path that is neither text nor empty. Keeps that it is not the path
/// that the router matches (http D-01, http D-21, white space, `//`). Corrected: access is decided on the
/// matched route.
pub fn normalize_path(path: &Value) -> Result<String, CompatError> {
    if is_truthy(path) {
        text_of(path, "strip").map(normalized)
    } else {
        Ok("/".to_owned())
    }
}

fn normalized(path: &str) -> String {
    let path = py_strip(path);
    let rooted = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    if rooted == "/" {
        rooted
    } else {
        rooted.trim_end_matches('/').to_owned()
    }
}

/// Paths that need no token: the health checks and those of `DASHBOARD_AUTH_ALLOWLIST`, exact.
///
/// Keeps that the variable can open any path. Corrected: the access rules of the server.
pub fn auth_allowlist(env: &Environment) -> BTreeSet<String> {
    let added = variable(env, "DASHBOARD_AUTH_ALLOWLIST").split(',');
    ALWAYS_EXEMPT
        .into_iter()
        .map(str::to_owned)
        .chain(
            added
                .map(py_strip)
                .filter(|path| !path.is_empty())
                .map(normalized),
        )
        .collect()
}

/// Whether a path needs no token; fails as [`normalize_path`] does.
pub fn is_auth_exempt_path(path: &Value, env: &Environment) -> Result<bool, CompatError> {
    Ok(auth_allowlist(env).contains(&normalize_path(path)?))
}

/// Whether the check refuses when no token is configured: `DASHBOARD_AUTH_STRICT` decides, else
/// `ENVIRONMENT` being production or staging.
///
/// Keeps that it is lax by default. Corrected: the server refuses to start without a token.
pub fn is_strict(env: &Environment) -> bool {
    let word = |name| py_strip(variable(env, name)).to_lowercase();
    match word("DASHBOARD_AUTH_STRICT").as_str() {
        "1" | "true" | "yes" | "on" => true,
        "0" | "false" | "no" | "off" => false,
        _ => matches!(word("ENVIRONMENT").as_str(), "production" | "staging"),
    }
}

/// Whether the supplied token opens the API: equal to `DASHBOARD_AUTH_TOKEN` (stripped), or none
/// configured and the check not strict.
///
/// The comparison takes the same time wherever the texts differ. Keeps that a missing token
/// configuration opens everything. Corrected: the access rules of the server.
pub fn token_is_valid(token: Option<&str>, env: &Environment) -> bool {
    let configured = py_strip(variable(env, "DASHBOARD_AUTH_TOKEN"));
    if configured.is_empty() {
        return !is_strict(env);
    }
    token.is_some_and(|token| token.as_bytes().ct_eq(configured.as_bytes()).into())
}

fn variable<'a>(env: &'a Environment, name: &str) -> &'a str {
    env.get(name).map_or("", String::as_str)
}
