//! The routes as a table, for the documentation.

use serde_json::Value;
use utoipa::openapi::OpenApi;

const HEAD: &str = "| method | path | least role | what |\n|---|---|---|---|\n";

/// One line a route, in the order of paths.
pub(crate) fn table(document: &OpenApi) -> String {
    let document = serde_json::to_value(document).unwrap_or_default();
    let paths = document["paths"].as_object().into_iter().flatten();
    let mut lines: Vec<(String, String)> = Vec::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().into_iter().flatten() {
            lines.push((format!("{path} {method}"), line(method, path, operation)));
        }
    }
    lines.sort();
    let lines = lines.into_iter().map(|(_, line)| line);
    std::iter::once(HEAD.to_owned()).chain(lines).collect()
}

fn line(method: &str, path: &str, operation: &Value) -> String {
    let what = operation["summary"].as_str().unwrap_or("");
    let what = what.replace('|', "\\|").replace('\n', " ");
    let who = who(&operation["security"]);
    format!(
        "| {} | `{path}` | {who} | {what} |\n",
        method.to_uppercase()
    )
}

fn who(security: &Value) -> String {
    let requirement = security[0].as_object();
    let Some((scheme, scopes)) = requirement.and_then(|it| it.iter().next()) else {
        return "(everybody)".to_owned();
    };
    match (scheme.as_str(), scopes[0].as_str()) {
        ("provider", _) => "(the provider)".to_owned(),
        ("session", Some(role)) => format!("{role} (page)"),
        (_, Some(role)) => role.to_owned(),
        (scheme, None) => scheme.to_owned(),
    }
}
