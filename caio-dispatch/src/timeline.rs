//! Everything that happened around one person, in order: decisions, deliveries, signals.

use caio_core::EmailKey;
use caio_state::{Range, StateStore, StateStoreExt};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::error::Result;
use crate::history::Event;
use crate::ledger::{self, DeliveryState, LedgerEntry};
use crate::records;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Moment {
    /// When, RFC 3339.
    pub timestamp: String,
    /// What, such as `draft.approved`, `email_dispatched` or `opened`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `pipeline`, a provider, or who reported it.
    pub channel: String,
    /// In words.
    pub summary: String,
    /// What is known of it.
    pub data: Value,
}

/// What is known of one person.
#[derive(Debug, Clone, PartialEq)]
pub struct Timeline {
    /// The record of signals, where there is one.
    pub status: Option<Map<String, Value>>,
    /// What happened, the oldest first.
    pub moments: Vec<Moment>,
}

/// What is known of `person`: by the person alone, never by a part of a name.
///
/// # Errors
/// The store fails, or a record about the person cannot be read.
pub async fn of(store: &dyn StateStore, person: &EmailKey) -> Result<Timeline> {
    let index = records::events_of_person(person);
    let events: Vec<Event> = store.index_json(&index, &Range::default()).await?;
    let mut moments: Vec<Moment> = events.into_iter().map(decided).collect();
    for entry in ledger::of_person(store, person).await? {
        delivered(&entry, &mut moments);
    }
    let status = store.get_json(&records::lead_status(person)).await?;
    let status: Option<Map<String, Value>> = status.map(|(record, _)| record);
    let list = status.as_ref().and_then(|it| it.get("signals"));
    let signals = list.and_then(Value::as_array).into_iter().flatten();
    moments.extend(signals.map(signalled));
    // Equal times stay in the order of their sources.
    moments.sort_by(|a, b| a.timestamp.cmp(&b.timestamp));
    Ok(Timeline { status, moments })
}

fn decided(event: Event) -> Moment {
    let by = format!("{} by {}", event.kind, event.by);
    let summary = match event.detail.as_str() {
        "" => by,
        detail => format!("{by}: {detail}"),
    };
    Moment {
        timestamp: event.at,
        kind: event.kind,
        channel: "pipeline".to_owned(),
        summary,
        data: json!({ "by": event.by, "subject": event.subject, "detail": event.detail }),
    }
}

fn delivered(entry: &LedgerEntry, moments: &mut Vec<Moment>) {
    let (provider, medium) = (entry.item.provider, entry.item.medium);
    let what = match entry.state {
        DeliveryState::Accepted => "dispatched",
        DeliveryState::Intended => "intended",
        DeliveryState::NotSent => "not_sent",
        DeliveryState::Rejected => "refused",
        DeliveryState::Unknown => "unknown",
    };
    let moment = |at: &str, what: &str| Moment {
        timestamp: at.to_owned(),
        kind: format!("{medium}_{what}"),
        channel: provider.to_string(),
        summary: format!("step {} by {provider}: {what}", entry.item.step),
        data: json!({
            "delivery": entry.id, "batch": entry.batch, "draft": entry.item.draft,
            "container": entry.container.name, "reason": entry.reason,
        }),
    };
    let at = entry.settled_at.as_ref().unwrap_or(&entry.intended_at);
    moments.push(moment(at, what));
    for (at, what) in [
        (&entry.sent_at, "sent"),
        (&entry.bounced_at, "bounced"),
        (&entry.replied_at, "replied"),
    ] {
        moments.extend(at.as_deref().map(|at| moment(at, what)));
    }
}

/// A signal, whatever of it is there.
fn signalled(signal: &Value) -> Moment {
    let text = |name: &str| signal.get(name).and_then(Value::as_str).unwrap_or("");
    let (source, status) = (text("type"), text("status"));
    let channel = source
        .split_once(':')
        .map_or("system", |(channel, _)| channel);
    Moment {
        timestamp: text("at").to_owned(),
        kind: if status.is_empty() { source } else { status }.to_owned(),
        channel: channel.to_owned(),
        summary: format!("{status} ({source})"),
        data: signal.get("data").cloned().unwrap_or(Value::Null),
    }
}
