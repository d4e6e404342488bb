//! The emergency stop against providers that hold hundreds of campaigns.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use caio_core::terms::Provider;
use caio_dispatch::channel::Channel;
use caio_dispatch::providers::{Auth, HeyReachChannel, HeyReachOptions};
use serde_json::{Value, json};

use crate::server::{Answer, KEY, Seen, Server};

/// Campaigns by number: their status, and how often each was paused.
type Held = Arc<Mutex<BTreeMap<usize, (i64, usize)>>>;

/// 250 campaigns: one in ten sends its follow-ups, one in five rests or is a draft.
fn held() -> Held {
    let status = |number: usize| match number % 10 {
        0 => 4,
        1 => 2,
        2 => 0,
        _ => 1,
    };
    Arc::new(Mutex::new(
        (0..250)
            .map(|number| (number, (status(number), 0)))
            .collect(),
    ))
}

fn sending(held: &Held) -> Vec<usize> {
    let held = held.lock().unwrap();
    let sends = held
        .iter()
        .filter(|(_, (status, _))| matches!(status, 1 | 4));
    sends.map(|(number, _)| *number).collect()
}

fn parameter<'a>(call: &'a str, name: &str) -> Option<&'a str> {
    let (_, query) = call.split_once('?')?;
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// As the vendor does: pages of a hundred with a cursor, which the last one carries too.
fn page(held: &Held, call: &str) -> Answer {
    let status: Option<i64> = parameter(call, "status").map(|it| it.parse().unwrap());
    let after: Option<usize> = parameter(call, "starting_after").map(|it| it.parse().unwrap());
    let limit: usize = parameter(call, "limit").map_or(10, |it| it.parse().unwrap());
    let held = held.lock().unwrap();
    let wanted = held.iter().filter(|(number, (is, _))| {
        status.is_none_or(|it| it == *is) && after.is_none_or(|after| **number > after)
    });
    let items: Vec<Value> = wanted
        .take(limit)
        .map(|(number, (is, _))| json!({ "id": number.to_string(), "name": "c", "status": is }))
        .collect();
    let next = items.last().map(|it| it["id"].clone());
    Answer::Json(200, json!({ "items": items, "next_starting_after": next }))
}

/// A provider that pauses, but for what `refuses` answers instead.
fn instantly(
    held: Held,
    refuses: fn(usize, usize) -> Option<Answer>,
) -> impl FnMut(&Seen) -> Answer {
    move |(call, ..)| {
        let Some(number) = call
            .strip_prefix("POST /api/campaigns/")
            .and_then(|rest| rest.strip_suffix("/pause"))
        else {
            return page(&held, call);
        };
        let number: usize = number.parse().unwrap();
        let mut held = held.lock().unwrap();
        let (status, times) = held.get_mut(&number).unwrap();
        *times += 1;
        if let Some(answer) = refuses(number, *times) {
            return answer;
        }
        *status = 2;
        Answer::Json(200, json!({ "id": number.to_string(), "status": 2 }))
    }
}

#[tokio::test]
async fn in_29_all_of_250_campaigns_are_paused_over_every_page_and_both_statuses() {
    let all = held();
    assert_eq!(sending(&all).len(), 200);
    // One asks for fewer calls first, one drops the connection once, one says 500 though it worked.
    let server = Server::serve(instantly(Arc::clone(&all), |number, times| {
        match (number, times) {
            (13, 1) => Some(Answer::Json(
                429,
                json!({ "message": "Rate limit exceeded" }),
            )),
            (77, 1) => Some(Answer::Close),
            _ => None,
        }
    }))
    .await;
    assert_eq!(server.instantly().halt().await, Ok(200));
    assert!(sending(&all).is_empty());
    let rests = all.lock().unwrap();
    let paused = |number: usize| rests[&number].1;
    assert_eq!((paused(13), paused(77), paused(200)), (2, 2, 1));
    assert_eq!(
        (paused(11), paused(12)),
        (0, 0),
        "what does not send is left alone"
    );
}

#[tokio::test]
async fn in_29_what_could_not_be_paused_is_named_and_everything_else_is() {
    let all = held();
    let server = Server::serve(instantly(Arc::clone(&all), |number, _| match number {
        // Refused; says that it is paused, and is not; an error each time.
        40 => Some(Answer::Json(
            400,
            json!({ "message": format!("no, {KEY}") }),
        )),
        143 => Some(Answer::Json(200, json!({ "status": 2 }))),
        220 => Some(Answer::Json(500, json!({}))),
        _ => None,
    }))
    .await;
    let failed = server.instantly().halt().await.unwrap_err();
    assert!(
        failed.contains("instantly: 3 campaigns still send:"),
        "{failed}"
    );
    for id in ["40", "143", "220"] {
        assert!(failed.contains(id), "{failed}");
    }
    assert!(
        failed.contains("refused it with 400") && !failed.contains(KEY),
        "{failed}"
    );
    assert_eq!(sending(&all), [40, 143, 220]);
}

#[tokio::test]
async fn in_29_a_listing_that_breaks_is_no_success() {
    let all = held();
    let mut pages = 0;
    let mut whole = instantly(Arc::clone(&all), |_, _| None);
    let server = Server::serve(move |seen| {
        pages += usize::from(seen.0.starts_with("GET "));
        // The third page, and every one after it.
        if seen.0.starts_with("GET ") && pages >= 3 {
            return Answer::Json(500, json!({}));
        }
        whole(seen)
    })
    .await;
    let failed = server.instantly().halt().await.unwrap_err();
    assert!(failed.contains("list campaigns"), "{failed}");
    // What was found before is paused all the same.
    assert!(sending(&all).len() < 200, "{failed}");
}

/// Of five campaigns, three send or are about to.
const STATUSES: [(i64, &str); 5] = [
    (0, "IN_PROGRESS"),
    (1, "PAUSED"),
    (2, "DRAFT"),
    (3, "STARTING"),
    (4, "SCHEDULED"),
];

#[tokio::test]
async fn heyreach_is_stopped_over_every_page_and_asked_again() {
    for stubborn in [false, true] {
        let held: Arc<Mutex<BTreeMap<i64, &str>>> = Arc::new(Mutex::new(
            (0..50)
                .flat_map(|at| STATUSES.map(|(rest, status)| (at * 5 + rest, status)))
                .collect(),
        ));
        let state = Arc::clone(&held);
        let server = Server::serve(move |(call, _, body)| {
            let mut held = state.lock().unwrap();
            if let Some(id) = parameter(call, "campaignId") {
                let id: i64 = id.parse().unwrap();
                if !(stubborn && id == 120) {
                    held.insert(id, "PAUSED");
                }
                return Answer::Json(200, json!({}));
            }
            let offset = usize::try_from(body["offset"].as_u64().unwrap()).unwrap();
            let wanted = body["statuses"].as_array().unwrap();
            let found = held
                .iter()
                .filter(|(_, status)| wanted.contains(&json!(status)));
            let items: Vec<Value> = found
                .skip(offset)
                .take(100)
                .map(|(id, status)| json!({ "id": id, "name": "c", "status": status }))
                .collect();
            Answer::Json(200, json!({ "totalCount": 250, "items": items }))
        })
        .await;
        let http = server.http(Provider::HeyReach, Auth::Header("X-API-KEY", KEY.into()));
        let channel = HeyReachChannel::new(http, HeyReachOptions::default());
        let halted = channel.halt().await;
        if stubborn {
            let failed = halted.unwrap_err();
            assert_eq!(failed, "heyreach: 1 campaigns still send: 120");
        } else {
            assert_eq!(halted, Ok(150));
        }
    }
}
