//! `/`: one page that shows what was received. Everything on it is escaped by its template.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use minijinja::Environment;
use serde_json::{Value, json};

use super::heyreach::Container;
use super::instantly::Campaign;
use super::letter::{entities, letters, plain};
use super::{Sandbox, World, smtp, text};

/// Campaigns and lists that are shown, the newest first.
const MAX_CONTAINERS: usize = 100;
/// Leads that are shown of one campaign or list.
const MAX_LEADS: usize = 200;
/// Calls that are shown, the newest first.
const MAX_CALLS: usize = 50;
/// Nothing runs here and nothing is loaded.
const POLICY: [(HeaderName, &str); 3] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
];

pub(super) async fn show(State(sandbox): State<Arc<Sandbox>>) -> Response {
    let shown = shown(&sandbox.world());
    match render(&shown) {
        Ok(page) => (POLICY, Html(page)).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn render(shown: &Value) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.add_template("page.html", include_str!("page.html"))?;
    environment
        .get_template("page.html")?
        .render(minijinja::value::Serde(shown))
}

fn shown(world: &World) -> Value {
    let campaigns = world.instantly.campaigns.iter().rev().take(MAX_CONTAINERS);
    let containers = |containers: &[Container]| {
        let newest = containers.iter().rev().take(MAX_CONTAINERS);
        newest.map(container).collect::<Vec<_>>()
    };
    let messages = world
        .ghl
        .messages
        .iter()
        .rev()
        .take(MAX_LEADS)
        .map(|message| {
            let html = text(message.get("html"));
            let body = if html.is_empty() {
                text(message.get("message")).to_owned()
            } else {
                plain(html)
            };
            json!({ "to": message.get("to"), "subject": message.get("subject"), "body": body })
        });
    json!({
        "summary": world.summary(),
        "campaigns": campaigns.map(campaign).collect::<Vec<_>>(),
        "campaign_count": world.instantly.campaigns.len(),
        "lists": containers(&world.heyreach.lists),
        "heyreach_campaigns": containers(&world.heyreach.campaigns),
        "messages": messages.collect::<Vec<_>>(),
        "slack": alerts(&world.notify.slack, slack),
        "texts": alerts(&world.notify.twilio, Value::clone),
        "mail": alerts(&world.notify.mail, smtp::shown),
        "calls": world.calls.latest(MAX_CALLS),
    })
}

/// The newest messages of one channel, newest first.
fn alerts(messages: &[Value], show: impl Fn(&Value) -> Value) -> Vec<Value> {
    let newest = messages.iter().rev().take(MAX_LEADS);
    newest.map(show).collect()
}

/// A Slack message: its line, and the texts of its blocks.
fn slack(kept: &Value) -> Value {
    let blocks = kept["message"]["blocks"].as_array();
    let texts = blocks.into_iter().flatten().filter_map(|block| {
        let text = text(block["text"].get("text"));
        (!text.is_empty()).then(|| entities(text))
    });
    json!({
        "at": kept["at"],
        "line": entities(text(kept["message"].get("text"))),
        "body": texts.collect::<Vec<_>>().join("\n"),
    })
}

fn campaign(campaign: &Campaign) -> Value {
    let leads = campaign
        .leads
        .iter()
        .take(MAX_LEADS)
        .map(|lead| json!({ "email": lead.email, "letters": letters(campaign, lead) }));
    json!({
        "id": campaign.id,
        "name": campaign.name(),
        "status": status(campaign.status()),
        "active": campaign.status() == 1,
        "count": campaign.leads.len(),
        "leads": leads.collect::<Vec<_>>(),
    })
}

fn container(container: &Container) -> Value {
    let leads = container
        .leads
        .iter()
        .take(MAX_LEADS)
        .map(|lead| &lead.record);
    json!({
        "id": container.id,
        "name": container.name(),
        "status": container.status(),
        "count": container.leads.len(),
        "leads": leads.collect::<Vec<_>>(),
    })
}

fn status(code: i64) -> String {
    match code {
        -99 => "account suspended".to_owned(),
        -2 => "bounce protect".to_owned(),
        -1 => "accounts unhealthy".to_owned(),
        0 => "draft".to_owned(),
        1 => "active".to_owned(),
        2 => "paused".to_owned(),
        3 => "completed".to_owned(),
        4 => "running subsequences".to_owned(),
        other => other.to_string(),
    }
}
