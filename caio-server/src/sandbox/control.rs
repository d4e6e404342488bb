//! `/sandbox/*`: what is held, what was called, what is to go wrong.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::faults::{Asked, Twist};
use super::wire::Answer;
use super::{Desk, Sandbox, Switches, World};

type Held = State<Arc<Sandbox>>;

pub(super) async fn state(State(sandbox): Held) -> Answer {
    Answer::json(200, &sandbox.world().state())
}

pub(super) async fn summary(State(sandbox): Held) -> Answer {
    Answer::json(200, &sandbox.world().summary())
}

pub(super) async fn calls(State(sandbox): Held) -> Answer {
    Answer::json(200, &sandbox.world().calls.shown())
}

pub(super) async fn clear_calls(State(sandbox): Held) -> Answer {
    sandbox.world().calls.clear();
    calls(State(sandbox)).await
}

/// Empties everything: providers, log, faults, switches.
pub(super) async fn reset(State(sandbox): Held) -> Answer {
    *sandbox.world() = World::default();
    summary(State(sandbox)).await
}

pub(super) async fn faults(State(sandbox): Held) -> Answer {
    Answer::json(200, &sandbox.world().faults.shown())
}

pub(super) async fn add_faults(State(sandbox): Held, body: Bytes) -> Answer {
    let added = parse::<Vec<Asked>>(&body).and_then(|asked| sandbox.world().faults.add(asked));
    match added {
        Ok(()) => faults(State(sandbox)).await,
        Err(wrong) => refuse(&wrong),
    }
}

pub(super) async fn clear_faults(State(sandbox): Held) -> Answer {
    sandbox.world().faults.clear();
    faults(State(sandbox)).await
}

pub(super) async fn switches(State(sandbox): Held) -> Answer {
    let switches = serde_json::to_value(&sandbox.world().switches);
    Answer::json(200, &switches.unwrap_or_default())
}

/// What is not named goes back to its default.
pub(super) async fn set_switches(State(sandbox): Held, body: Bytes) -> Answer {
    match parse::<Switches>(&body) {
        Ok(given) => sandbox.world().switches = given,
        Err(wrong) => return refuse(&wrong),
    }
    switches(State(sandbox)).await
}

/// A campaign at HeyReach, which nobody can make through its API.
pub(super) async fn heyreach_campaign(State(sandbox): Held, body: Bytes) -> Answer {
    let mut guard = sandbox.world();
    let world = &mut *guard;
    let desk = Desk {
        now: sandbox.now(),
        ids: &*sandbox.ids,
        twist: &Twist::default(),
        switches: &world.switches,
    };
    let made = parse::<Value>(&body).and_then(|body| world.heyreach.make_campaign(&desk, &body));
    match made {
        Ok(campaign) => Answer::json(200, &campaign),
        Err(wrong) => refuse(&wrong),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

fn refuse(wrong: &str) -> Answer {
    Answer::json(400, &json!({ "error": wrong }))
}
