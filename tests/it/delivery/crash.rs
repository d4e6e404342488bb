//! The sending process is killed, again and again: nobody is written to twice, and nobody is lost.
//!
//! `CAIO_CRASH_RUNS` runs over `CAIO_CRASH_STORE` (sqlite, redis; both by default): each point in turn, with
//! numbers that `CAIO_CRASH_SEED` (1) decides, so that a run that failed is run again with its seed. The
//! labelled points need a build with the feature `kill-points`; without it there are two others.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
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

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.roll(from.len() as u64)).unwrap()]
    }
}

/// Where the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Point {
    /// At a point of the run that has this name.
    Labelled(&'static str),
    /// When the provider has the letters and holds its answer back.
    Unanswered,
    /// At any instant, with something going wrong at the provider besides.
    Any,
}

impl Point {
    /// In order of a run.
    const ALL: [Self; 9] = [
        Self::Labelled("before-claim"),
        Self::Labelled("after-claim"),
        Self::Labelled("before-call"),
        Self::Unanswered,
        Self::Labelled("after-answer"),
        Self::Labelled("after-record"),
        Self::Labelled("before-settle"),
        Self::Labelled("after-settle"),
        Self::Any,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Labelled(name) => name,
            Self::Unanswered => "effect, no answer",
            Self::Any => "any instant",
        }
    }

    /// Those that this build has.
    fn all() -> Vec<Self> {
        let mut all = Self::ALL.to_vec();
        all.retain(|it| cfg!(feature = "kill-points") || !matches!(it, Self::Labelled(_)));
        all
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

/// What became of runs.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Ended {
    runs: u64,
    kills: u64,
    duplicates: u64,
    lost: u64,
    unknown: u64,
}

impl Ended {
    fn add(&mut self, other: Self) {
        self.runs += other.runs;
        self.kills += other.kills;
        self.duplicates += other.duplicates;
        self.lost += other.lost;
        self.unknown += other.unknown;
    }
}

#[expect(clippy::disallowed_methods, reason = "a test has its own settings")]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn number(name: &str, default: u64) -> u64 {
    setting(name).map_or(default, |text| text.parse().unwrap())
}

/// A live run that is under way; nothing of it is read.
fn live(place: &Place, kill_at: Option<String>) -> Child {
    let mut command = place.command(LIVE);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.envs(kill_at.map(|at| ("CAIO_KILL_AT", at)));
    command.spawn().unwrap()
}

/// SIGKILL, unless it has ended before; whether it was killed.
fn kill(mut child: Child) -> bool {
    let has_ended = child.try_wait().unwrap().is_some();
    // Nothing is tidied up.
    child.kill().unwrap();
    child.wait().unwrap();
    !has_ended
}

/// Whether it was killed by the time it is over.
fn was_killed(mut child: Child) -> bool {
    child.wait().unwrap().signal() == Some(9)
}

/// The process ends at that point; whether it did, and had not ended before.
fn ends_at(point: Point, sandbox: &Sandbox, place: &Place, dice: &mut Dice) -> bool {
    match point {
        Point::Labelled(name) => {
            let once = name.ends_with("settle");
            let nth = if once { 1 } else { 1 + dice.roll(2) };
            was_killed(live(place, Some(format!("{name}:{nth}"))))
        }
        Point::Unanswered => {
            let nth = 1 + dice.roll(2);
            sandbox.fault(&json!({
                "operation": "instantly.add_leads", "nth": nth, "kind": "timeout_after",
                "hold_ms": 3000,
            }));
            let mut child = live(place, None);
            let fired = || sandbox.control("GET", "faults", None).1["rules"][0]["fired"] == 1;
            while child.try_wait().unwrap().is_none() && !fired() {
                std::thread::sleep(Duration::from_millis(5));
            }
            let killed = kill(child);
            sandbox.control("DELETE", "faults", None);
            killed
        }
        Point::Any => {
            let fault = dice.pick(&FAULTS);
            let operation = dice.pick(&["create_campaign", "add_leads"]);
            if fault != "none" {
                sandbox.fault(&json!({
                    "operation": format!("instantly.{operation}"), "nth": 1, "kind": fault,
                    "hold_ms": 100, "ms": 150,
                }));
            }
            let child = live(place, None);
            std::thread::sleep(Duration::from_millis(dice.roll(350)));
            kill(child)
        }
    }
}

/// The lease of whoever was killed ends by itself.
fn lease_ends() {
    std::thread::sleep(Duration::from_millis(310));
}

/// Runs until nothing is open any more.
fn drain(place: &Place) {
    let mut last = String::new();
    for tries in 0..20 {
        lease_ends();
        let open = place.json(0, &["status"])["batches"].clone();
        let open = |status: &str| open[status].as_u64().unwrap_or(0) > 0;
        if open("executing") || open("approved") {
            let mut command = place.command(LIVE);
            if tries >= 5 {
                // Where others use the machine, a short lease may end before its holder has a turn.
                command.env("CAIO_LEASE_MS", "20000");
            }
            let ended = command.output().unwrap();
            last = String::from_utf8_lossy(&ended.stderr).into_owned();
        } else if drafts(place, "approved") == 0 {
            return;
        } else {
            batch(place);
        }
    }
    let status = place.json(0, &["status"]);
    panic!("something stays open: {status}; the last run said: {last}");
}

fn drafts(place: &Place, status: &str) -> u64 {
    let list = place.json(0, &["drafts", "list", "--status", status]);
    list["drafts"].as_array().unwrap().len() as u64
}

/// One run: killed at the point, perhaps once more while it is picked up again, and drained.
fn one(point: Point, sandbox: &Sandbox, place: &Place, dice: &mut Dice) -> Ended {
    sandbox.control("POST", "reset", None);
    let mut kills = u64::from(ends_at(point, sandbox, place, dice));
    if dice.roll(2) == 0 {
        if dice.roll(2) == 0 {
            lease_ends();
        }
        kills += u64::from(ends_at(dice.pick(&Point::all()), sandbox, place, dice));
    }
    drain(place);
    let summary = sandbox.summary("instantly");
    let landed = summary["recipients"].as_u64().unwrap();
    // Nobody knows what became of these: a person decides. They may be there or not.
    let unknown = drafts(place, "claimed");
    let lost = (PEOPLE as u64).saturating_sub(landed + unknown);
    if lost == 0 && unknown == 0 {
        assert_eq!(
            drafts(place, "done"),
            PEOPLE as u64,
            "sent, and known as sent"
        );
    }
    Ended {
        runs: 1,
        kills,
        duplicates: summary["duplicates"].as_array().unwrap().len() as u64,
        lost,
        unknown,
    }
}

/// A place like `template`, which has an approved batch, over that store.
fn like(template: &Place, sandbox: &Sandbox, url: Option<&str>, dice: &mut Dice) -> Place {
    let place = place(sandbox)
        // Whoever takes over waits for the end of the lease that the killed one held.
        .variable("CAIO_LEASE_MS", "300")
        .variable("CAIO_IN_FLIGHT", &(1 + dice.roll(4)).to_string())
        .variable(
            "CAIO_LEADS_PER_CALL",
            &dice.pick(&[1, 2, 3, 100]).to_string(),
        );
    let file = template.path(".caio/caio.db");
    let Some(url) = url else {
        fs::copy(file, place.path(".caio/caio.db")).unwrap();
        return place;
    };
    let place = place.variable("CAIO_STORE", url);
    let from = format!("sqlite:{}", file.display());
    place.expect(0, &["state", "migrate", "--from", &from]);
    place
}

#[test]
fn killed_at_any_point_it_sends_nothing_twice_and_loses_nobody() {
    let points = Point::all();
    let runs = number("CAIO_CRASH_RUNS", 2 * points.len() as u64);
    let seed = number("CAIO_CRASH_SEED", 1);
    let mut stores = vec!["sqlite", "redis"];
    if let Some(wanted) = setting("CAIO_CRASH_STORE").filter(|it| !it.is_empty()) {
        stores.retain(|it| *it == wanted);
        assert!(
            !stores.is_empty(),
            "CAIO_CRASH_STORE: `{wanted}` is none of sqlite, redis"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start(folder.path(), &[]).unwrap();
    let sandbox = Sandbox::start();
    let template = place(&sandbox);
    approved(&template);
    let mut table: BTreeMap<(usize, &str), Ended> = BTreeMap::new();
    for run in 0..runs {
        let mut dice = Dice(seed.wrapping_mul(1_000_003).wrapping_add(run));
        let run_of = usize::try_from(run).unwrap();
        let store = stores[run_of % stores.len()];
        let place_of = run_of / stores.len() % points.len();
        let point = points[place_of];
        let url = format!("redis://127.0.0.1:{}?prefix=crash-{run}", server.port());
        let url = (store == "redis").then_some(url.as_str());
        let place = like(&template, &sandbox, url, &mut dice);
        let ended = one(point, &sandbox, &place, &mut dice);
        table.entry((place_of, store)).or_default().add(ended);
        assert_eq!(
            (ended.duplicates, ended.lost),
            (0, 0),
            "{}, {store}, run {run} of seed {seed}: {ended:?}",
            point.name()
        );
    }
    println!("{}", table_of(&points, &table));
    let kills: u64 = table.values().map(|it| it.kills).sum();
    assert!(kills * 2 > runs, "{kills} kills in {runs} runs");
}

/// The table, in order of a run.
fn table_of(points: &[Point], table: &BTreeMap<(usize, &str), Ended>) -> String {
    let mut text =
        "| kill point | store | runs | kills | duplicates | lost | unknown |\n".to_owned();
    text.push_str("|---|---|---|---|---|---|---|\n");
    let mut row = |name: &str, store: &str, it: &Ended| {
        text.push_str(&format!(
            "| {name} | {store} | {} | {} | {} | {} | {} |\n",
            it.runs, it.kills, it.duplicates, it.lost, it.unknown
        ));
    };
    let mut sum = Ended::default();
    for ((point, store), ended) in table {
        row(points[*point].name(), store, ended);
        sum.add(*ended);
    }
    row("all", "", &sum);
    text
}
