//! What a shadow run would have sent against what was sent: request by request, field by field.

use std::collections::{BTreeMap, BTreeSet};

use caio_core::terms::Provider;
use caio_state::{StateStore, StateStoreExt};
use serde::Serialize;
use serde_json::Value;

use super::{ShadowRun, one, sent};
use crate::channel::Handover;
use crate::error::Result;
use crate::ledger::{DeliveryState, LedgerEntry};
use crate::records;

/// The comparison of one batch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diff {
    /// The batch.
    pub batch: String,
    /// The shadow run.
    pub run: String,
    /// Messages that the shadow run would have handed over.
    pub in_shadow: usize,
    /// Messages that were handed over.
    pub sent: usize,
    /// Requests and messages that are the same on both sides.
    pub same: usize,
    /// Every difference.
    pub differences: Vec<Difference>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The request, or the message in one.
    pub what: String,
    /// The message's delivery, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<String>,
    /// Where in it, as a JSON pointer; `""` is the whole of it.
    pub field: String,
    /// As the shadow run had it; `null` where it had none.
    pub shadow: Value,
    /// As it was sent; `null` where nothing was.
    pub sent: Value,
    /// Why one side has none, where the records say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Something that stands on both sides: its name, and what it says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    /// A message, by its delivery: who delivers, the path, and the number among those of the path.
    Message(String, String, usize),
    /// What a container's requests have in common, by provider, tier, pool, method and path, and the
    /// number among different ones.
    Container(String, usize),
}

/// Compares the newest shadow run of `batch` with what was handed over since.
///
/// # Errors
/// [`DispatchError::NotFound`](crate::DispatchError::NotFound) where it was not run in shadow.
pub async fn diff(store: &dyn StateStore, batch: &str) -> Result<Diff> {
    let (run, shadow) = one(store, batch).await?;
    let sent = sent(store, batch).await?;
    let (left, right) = (sides(&shadow), sides(&sent));
    let names: BTreeSet<&Side> = left.keys().chain(right.keys()).collect();
    let mut diff = Diff {
        batch: batch.to_owned(),
        run: run.run.clone(),
        in_shadow: messages(&shadow),
        sent: messages(&sent),
        same: 0,
        differences: Vec::new(),
    };
    for name in names {
        let before = diff.differences.len();
        let mut found = Vec::new();
        match (left.get(name), right.get(name)) {
            (Some(left), Some(right)) => compare(left, right, &mut String::new(), &mut found),
            (left, right) => {
                let side = |it: Option<&Value>| it.cloned().unwrap_or(Value::Null);
                found.push((String::new(), side(left), side(right)));
            }
        }
        let delivery = match name {
            Side::Message(delivery, ..) => Some(delivery.clone()),
            Side::Container(..) => None,
        };
        let why = match (&delivery, right.get(name)) {
            (Some(delivery), None) => why(store, &run, delivery).await?,
            _ => None,
        };
        let found = found.into_iter().map(|(field, shadow, sent)| Difference {
            what: name.to_string(),
            delivery: delivery.clone(),
            field,
            shadow,
            sent,
            why: why.clone(),
        });
        diff.differences.extend(found);
        diff.same += usize::from(diff.differences.len() == before);
    }
    Ok(diff)
}

/// Why a message of the shadow run was not handed over, as far as the ledger says so.
async fn why(store: &dyn StateStore, run: &ShadowRun, delivery: &str) -> Result<Option<String>> {
    let found = store
        .get_json::<LedgerEntry>(&records::ledger(delivery))
        .await?;
    let Some((entry, _)) = found else {
        return Ok(Some(format!(
            "no run has claimed it since {}, or a run refused it",
            run.at
        )));
    };
    let state = match entry.state {
        DeliveryState::Accepted => "accepted",
        DeliveryState::Intended => "claimed",
        DeliveryState::NotSent => "not sent",
        DeliveryState::Rejected => "rejected",
        DeliveryState::Unknown => "unknown",
    };
    Ok(Some(format!("{state}: {}", entry.reason)))
}

fn messages(handed: &[Handover]) -> usize {
    handed.iter().map(|it| it.deliveries.len()).sum()
}

/// Everything that was handed over, by name. Messages of one request are told apart, so that one that
/// is missing moves no other.
fn sides(handed: &[Handover]) -> BTreeMap<Side, Value> {
    let mut sides = BTreeMap::new();
    let mut common: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for handover in handed {
        let container = &handover.container;
        let mut deliveries = handover.deliveries.iter();
        for request in &handover.requests {
            let call = format!("{} {} {}", request.provider, request.method, request.path);
            // GHL takes one person at a time, in requests of their own.
            if request.provider == Provider::Ghl {
                let delivery = handover.deliveries.first().cloned().unwrap_or_default();
                let mut number = 0;
                while sides.contains_key(&Side::Message(delivery.clone(), call.clone(), number)) {
                    number += 1;
                }
                sides.insert(Side::Message(delivery, call, number), request.body.clone());
                continue;
            }
            let mut head = request.body.clone();
            let leads = head.as_object_mut().and_then(|it| it.remove("leads"));
            if let Some(Value::Array(leads)) = leads {
                for (lead, delivery) in leads.into_iter().zip(&mut deliveries) {
                    let name = Side::Message(delivery.clone(), call.clone(), 0);
                    sides.insert(name, lead);
                }
            }
            let of = format!("{call}, {} of pool {}", container.tier, container.pool);
            let heads = common.entry(of).or_default();
            if !heads.contains(&head) {
                heads.push(head);
            }
        }
    }
    for (of, heads) in common {
        for (number, head) in heads.into_iter().enumerate() {
            sides.insert(Side::Container(of.clone(), number), head);
        }
    }
    sides
}

/// Differences of two values, each with its place.
fn compare(
    left: &Value,
    right: &Value,
    place: &mut String,
    found: &mut Vec<(String, Value, Value)>,
) {
    let length = place.len();
    match (left, right) {
        (Value::Object(one), Value::Object(other)) => {
            let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            for name in names {
                place.push('/');
                place.push_str(&name.replace('~', "~0").replace('/', "~1"));
                let side = |it: &serde_json::Map<String, Value>| {
                    it.get(name).cloned().unwrap_or(Value::Null)
                };
                compare(&side(one), &side(other), place, found);
                place.truncate(length);
            }
        }
        (Value::Array(one), Value::Array(other)) => {
            for at in 0..one.len().max(other.len()) {
                place.push_str(&format!("/{at}"));
                let side = |it: &[Value]| it.get(at).cloned().unwrap_or(Value::Null);
                compare(&side(one), &side(other), place, found);
                place.truncate(length);
            }
        }
        _ if left == right => {}
        _ => found.push((place.clone(), left.clone(), right.clone())),
    }
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Message(_, call, _) => write!(f, "{call}, a message"),
            Self::Container(of, _) => f.write_str(of),
        }
    }
}
