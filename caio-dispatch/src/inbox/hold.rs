//! Leads that nobody writes to until a person has looked, and providers whose events are taken
//! unsigned for some hours.

use caio_core::time::rfc3339;
use caio_core::webhook::{HOLD_AT_MOST, Holds, Source};
use caio_core::{Clock, EmailKey, IdSource};
use caio_state::{Guard, Key, StateStore, StateStoreExt, Write};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{DispatchError, Result};
use crate::history::Event;
use crate::records;
use crate::transition::{commit, unchanged};

/// A lead on hold: a record in the way of every claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Who is held.
    pub person: EmailKey,
    /// Why.
    pub reason: String,
    /// Who reported it.
    pub source: String,
    /// Since when, RFC 3339 UTC.
    pub at: String,
    /// Events that a person has to decide on; the hold ends with the last of them.
    pub events: Vec<String>,
}

/// A provider on hold, as a person set it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldSwitch {
    /// Which provider.
    pub source: Source,
    /// When it ends by itself.
    pub until: Timestamp,
    /// Who set it.
    pub by: String,
    /// When, RFC 3339 UTC.
    pub since: String,
}

/// The hold of a person, if there is one.
pub async fn held(store: &dyn StateStore, person: &EmailKey) -> Result<Option<Held>> {
    let found = store.get_json(&records::held(person)).await?;
    Ok(found.map(|(held, _)| held))
}

/// A guard and the writes that add `event` to the hold of `person`.
pub(super) async fn hold(
    store: &dyn StateStore,
    person: &EmailKey,
    event: &str,
    why: (&str, Source),
    now: Timestamp,
) -> Result<(Guard, Vec<Write>)> {
    let key = records::held(person);
    let found = store.get_json::<Held>(&key).await?;
    let guard = unchanged(&key, found.as_ref().map(|(_, version)| version));
    let mut held = found.map_or_else(
        || Held {
            person: person.clone(),
            reason: why.0.to_owned(),
            source: format!("{} webhook", why.1),
            at: rfc3339(now),
            events: Vec::new(),
        },
        |(held, _)| held,
    );
    if held.events.iter().any(|it| it == event) {
        return Ok((guard, Vec::new()));
    }
    held.events.push(event.to_owned());
    Ok((guard, vec![put(key, &held)?]))
}

/// A guard and the writes that take `event` out of the hold of `person`.
pub(super) async fn release(
    store: &dyn StateStore,
    person: &EmailKey,
    event: &str,
) -> Result<(Guard, Vec<Write>)> {
    let key = records::held(person);
    let found = store.get_json::<Held>(&key).await?;
    let guard = unchanged(&key, found.as_ref().map(|(_, version)| version));
    let Some((mut held, _)) = found else {
        return Ok((guard, Vec::new()));
    };
    held.events.retain(|it| it != event);
    let write = if held.events.is_empty() {
        Write::Delete(key)
    } else {
        put(key, &held)?
    };
    Ok((guard, vec![write]))
}

fn put(key: Key, held: &Held) -> Result<Write> {
    Ok(Write::Put {
        key,
        value: serde_json::to_vec(held)?,
        expires_in: None,
    })
}

/// The providers that are on hold in the store.
pub async fn holds(store: &dyn StateStore, now: Timestamp) -> Result<(Holds, Vec<HoldSwitch>)> {
    let keys: Vec<Key> = Source::ALL
        .iter()
        .map(|it| records::webhook_hold(*it))
        .collect();
    let switches: Vec<HoldSwitch> = store.get_all_json(&keys).await?;
    let mut holds = Holds::default();
    for switch in &switches {
        // One that lies too far ahead was not set by us; it does not count.
        let _ = holds.add(switch.source, switch.until, now);
    }
    Ok((holds, switches))
}

/// Puts a provider on hold until `until`.
///
/// # Errors
/// An end that has passed, or lies more than 72 hours ahead.
pub async fn set_hold(
    store: &dyn StateStore,
    clock: &dyn Clock,
    ids: &dyn IdSource,
    source: Source,
    until: Timestamp,
    by: &str,
) -> Result<HoldSwitch> {
    let now = clock.now();
    if until <= now || until.duration_since(now) > HOLD_AT_MOST {
        return Err(DispatchError::Refused {
            code: "webhook.hold_until",
            reason: format!("a hold ends within 72 hours from now; {until} does not"),
        });
    }
    let switch = HoldSwitch {
        source,
        until,
        by: by.to_owned(),
        since: rfc3339(now),
    };
    let event = Event::new(&ids.id(), now, by, "webhook.hold", source.as_str())
        .because(format!("unsigned events may hold leads until {until}"));
    let mut writes = event.writes()?;
    writes.push(Write::Put {
        key: records::webhook_hold(source),
        value: serde_json::to_vec(&switch)?,
        // A switch that is over leaves by itself.
        expires_in: Some(until.duration_since(now)),
    });
    commit(store, ids, Vec::new(), writes).await?;
    Ok(switch)
}

/// Ends the hold of a provider; `false` when there was none.
pub async fn lift(
    store: &dyn StateStore,
    clock: &dyn Clock,
    ids: &dyn IdSource,
    source: Source,
    by: &str,
) -> Result<bool> {
    let key = records::webhook_hold(source);
    if store
        .get(std::slice::from_ref(&key))
        .await?
        .iter()
        .all(Option::is_none)
    {
        return Ok(false);
    }
    let event = Event::new(
        &ids.id(),
        clock.now(),
        by,
        "webhook.hold_ended",
        source.as_str(),
    );
    let mut writes = event.writes()?;
    writes.push(Write::Delete(key));
    commit(store, ids, Vec::new(), writes).await?;
    Ok(true)
}
