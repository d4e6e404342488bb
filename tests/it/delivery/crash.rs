//! The process is killed in the midst of sending, again and again: nobody is written to twice, and
//! nobody is lost.
//!
//! `CAIO_CRASH_RUNS` runs (6) over `CAIO_CRASH_STORE` (sqlite, redis; both by default), at instants that
//! `CAIO_CRASH_SEED` (1) decides: a run that failed is run again with its seed.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use caio_state::conformance::RedisServer;
use serde_json::json;

use super::{LIVE, PEOPLE, approved, batch, place};
use crate::sandbox::Sandbox;
use crate::support::Place;

/// Numbers that look random and are the same for one seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

/// What goes wrong at the provider besides.
const FAULTS: [&str; 6] = [
    "none",
    "none",
    "reset_after",
    "timeout_after",
    "cut_json",
    "slow",
];

/// What became of one run.
#[derive(Debug, Default, Clone, Copy)]
struct Ended {
    kills: u64,
    duplicates: u64,
    lost: u64,
    unknown: u64,
}

#[expect(clippy::disallowed_methods, reason = "a test has its own settings")]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn number(name: &str, default: u64) -> u64 {
    setting(name).map_or(default, |text| text.parse().unwrap())
}

/// Starts a live run and kills it after `after`, unless it has ended before; whether it was killed.
fn killed(place: &Place, after: Duration) -> bool {
    let mut child = place
        .command(LIVE)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(after);
    let has_ended = child.try_wait().unwrap().is_some();
    // SIGKILL: nothing is tidied up.
    child.kill().unwrap();
    child.wait().unwrap();
    !has_ended
}

/// Runs until nothing is open any more.
fn drain(place: &Place) {
    for _ in 0..20 {
        // The lease of whoever was killed ends by itself.
        std::thread::sleep(Duration::from_millis(310));
        let open = place.json(0, &["status"])["batches"].clone();
        let open = |status: &str| open[status].as_u64().unwrap_or(0) > 0;
        if open("executing") || open("approved") {
            place.run(LIVE);
        } else if place.json(0, &["drafts", "list", "--status", "approved"])["drafts"]
            .as_array()
            .unwrap()
            .is_empty()
        {
            return;
        } else {
            batch(place);
        }
    }
    panic!("something stays open: {}", place.json(0, &["status"]));
}

fn one(sandbox: &Sandbox, place: &Place, dice: &mut Dice) -> Ended {
    sandbox.control("POST", "reset", None);
    approved(place);
    let fault = FAULTS[usize::try_from(dice.roll(6)).unwrap()];
    let operation = ["create_campaign", "add_leads"][usize::try_from(dice.roll(2)).unwrap()];
    if fault != "none" {
        sandbox.fault(&json!({
            "operation": format!("instantly.{operation}"), "nth": 1, "kind": fault,
            "hold_ms": 100, "ms": 150,
        }));
    }
    let mut ended = Ended::default();
    for _ in 0..=dice.roll(3) {
        let after = Duration::from_millis(dice.roll(350));
        ended.kills += u64::from(killed(place, after));
        if dice.roll(2) == 0 {
            std::thread::sleep(Duration::from_millis(310));
        }
    }
    drain(place);
    let summary = sandbox.summary("instantly");
    let landed = summary["recipients"].as_u64().unwrap();
    ended.duplicates = summary["duplicates"].as_array().unwrap().len() as u64;
    let unknown = place.json(0, &["drafts", "list", "--status", "claimed"]);
    ended.unknown = unknown["drafts"].as_array().unwrap().len() as u64;
    // Whoever is unknown may be there or not; a person looks.
    ended.lost = (PEOPLE as u64).saturating_sub(landed + ended.unknown);
    ended
}

#[test]
fn killed_at_any_instant_it_sends_nothing_twice_and_loses_nobody() {
    let runs = number("CAIO_CRASH_RUNS", 6);
    let seed = number("CAIO_CRASH_SEED", 1);
    let wanted = setting("CAIO_CRASH_STORE").unwrap_or_default();
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start(folder.path(), &[]).unwrap();
    let sandbox = Sandbox::start();
    let mut table: BTreeMap<&str, (u64, Ended)> = BTreeMap::new();
    for store in ["sqlite", "redis"] {
        if !wanted.is_empty() && wanted != store {
            continue;
        }
        for run in 0..runs {
            let mut dice = Dice(seed.wrapping_mul(1_000_003).wrapping_add(run));
            let mut place = place(&sandbox);
            if store == "redis" {
                let url = format!("redis://127.0.0.1:{}?prefix=crash-{run}", server.port());
                place = place.variable("CAIO_STORE", &url);
            }
            let ended = one(&sandbox, &place, &mut dice);
            let (count, sum) = table.entry(store).or_default();
            *count += 1;
            sum.kills += ended.kills;
            sum.duplicates += ended.duplicates;
            sum.lost += ended.lost;
            sum.unknown += ended.unknown;
            assert_eq!(
                (ended.duplicates, ended.lost),
                (0, 0),
                "{store}, run {run} of seed {seed}: {ended:?}"
            );
        }
    }
    println!("store   runs  kills  duplicates  lost  unknown");
    for (store, (runs, sum)) in table {
        let Ended {
            kills,
            duplicates,
            lost,
            unknown,
        } = sum;
        println!("{store:7} {runs:4}  {kills:5}  {duplicates:10}  {lost:4}  {unknown:7}");
    }
}
