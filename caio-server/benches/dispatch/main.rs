//! What the ledger costs: claims and sends beside a bare script, beside the same calls without it, and in
//! memory over a batch of 100,000.
//!
//! `cargo bench -p caio-server --bench dispatch`: a real Redis, and the sandbox as the provider, both on
//! this machine. Every figure is a ratio within one run.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

mod world;

use std::sync::Arc;
use std::time::Duration;

use caio_core::terms::Motion;
use caio_dispatch::channel::{Channel, Outgoing};
use caio_dispatch::operator::check_items;
use caio_dispatch::{ledger, plan};
use futures_util::StreamExt;
use futures_util::stream;
use redis::Script;
use tokio::runtime::Runtime;

use world::{IN_FLIGHT, Null, World};

/// Leads of a round.
const LEADS: usize = 4_000;
const ROUNDS: usize = 5;

/// A claim by hand: stop flag and touch absent, the limit not reached; touch, ledger entry, reservation
/// and two index entries. Applied at most once.
const BARE: &str = "
local known = redis.call('GET', KEYS[7])
if known then return tonumber(known) end
if redis.call('EXISTS', KEYS[1]) == 1 or redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
if (tonumber(redis.call('GET', KEYS[3]) or 0)) >= 1000000 then return 0 end
redis.call('SET', KEYS[2], ARGV[1])
redis.call('SET', KEYS[4], ARGV[2])
redis.call('INCRBY', KEYS[3], 1)
redis.call('ZADD', KEYS[5], 0, ARGV[3])
redis.call('ZADD', KEYS[6], 0, ARGV[3])
redis.call('SET', KEYS[7], 1, 'PX', 86400000)
return 1";

#[expect(clippy::disallowed_methods, reason = "a benchmark looks at the clock")]
fn time<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = std::time::Instant::now();
    let answer = work();
    (start.elapsed(), answer)
}

fn rate(count: usize, took: Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap()) / took.as_secs_f64()
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// Bare claims a second, so many at a time over one connection.
fn bare(runtime: &Runtime, world: &World, round: usize, at_a_time: usize) -> f64 {
    let script = Script::new(BARE);
    let claims = async {
        let connection = world.connection().await;
        let claim = |number: usize| {
            let (mut connection, script) = (connection.clone(), &script);
            async move {
                let own = format!("{at_a_time}-{round:04}-{number:06}");
                let mut call = script.prepare_invoke();
                for kind in ["stop", "touch:", "limit", "ledger:", "all", "batch", "id:"] {
                    let own = if kind.ends_with(':') { &own } else { "" };
                    call.key(format!("bare:{kind}{own}"));
                }
                call.arg(vec![b'x'; 34]).arg(vec![b'x'; 600]).arg(own);
                assert_eq!(call.invoke_async::<u8>(&mut connection).await.unwrap(), 1);
            }
        };
        stream::iter(0..LEADS)
            .map(claim)
            .buffer_unordered(at_a_time)
            .count()
            .await
    };
    let (took, count) = time(|| runtime.block_on(claims));
    rate(count, took)
}

/// Deliveries a second with the whole ledger around them.
fn with_ledger(
    runtime: &Runtime,
    world: &World,
    (round, leads): (&str, usize),
    (channel, per_call): (&Arc<dyn Channel>, usize),
) -> f64 {
    let batch = runtime.block_on(world.approved(round, leads));
    let operator = world.operator(channel.clone(), per_call);
    let run = operator.execute(&batch.id, Motion::Outbound);
    let (took, report) = time(|| runtime.block_on(run).unwrap());
    let other = report.items.iter().find(|it| it.state != "accepted");
    assert!(other.is_none(), "{:?}: {other:?}", report.stopped);
    rate(leads, took)
}

/// The same calls without it.
fn without_ledger(
    runtime: &Runtime,
    world: &World,
    (round, leads): (&str, usize),
    channel: &Arc<dyn Channel>,
) -> f64 {
    let batch = runtime.block_on(world.approved(round, leads));
    let items: Vec<Outgoing> = runtime.block_on(async {
        let mut all = Vec::new();
        for item in &batch.items {
            let delivery = ledger::delivery_id(&batch.id, item);
            let checked = check_items(&*world.store, &[(item, &delivery)])
                .await
                .unwrap();
            all.extend(checked.into_iter().map(world::ready));
        }
        all
    });
    let container = world::container(&batch);
    // The campaign is there before the letters, as in a run.
    let call = |item: Outgoing| {
        let (channel, container) = (channel.clone(), container.clone());
        async move { channel.deliver(&container, &[item]).await.len() }
    };
    let calls = stream::iter(items)
        .map(call)
        .buffer_unordered(IN_FLIGHT)
        .count();
    let (took, count) = time(|| runtime.block_on(calls));
    rate(count, took)
}

fn beside_the_bare_script(runtime: &Runtime, world: &World) {
    let channel = world.instantly();
    for per_call in [1, 100] {
        let (mut rates, mut ratios, mut of_one) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            world.reset(None);
            let name = format!("c{per_call}r{round}");
            let together = bare(runtime, world, 100 * per_call + round, IN_FLIGHT);
            let single = bare(runtime, world, 100 * per_call + round, 1);
            let ours = with_ledger(runtime, world, (&name, LEADS), (&channel, per_call));
            rates.push(ours);
            ratios.push(ours / together);
            of_one.push(ours / single);
        }
        println!(
            "claims and sends, {per_call} a call, {IN_FLIGHT} in flight: {:.0} a second; {:.0} % of the bare \
             script's rate with {IN_FLIGHT} in flight, {:.0} % of its rate one by one (bar: 25 %)",
            median(rates),
            100.0 * median(ratios),
            100.0 * median(of_one),
        );
    }
}

fn beside_the_calls_alone(runtime: &Runtime, world: &World) {
    let channel = world.instantly();
    let mut costs = Vec::new();
    for round in 0..ROUNDS {
        world.reset(Some(50));
        let name = format!("alone{round}");
        let alone = without_ledger(runtime, world, (&name, 2_000), &channel);
        world.reset(Some(50));
        let name = format!("ledger{round}");
        let ours = with_ledger(runtime, world, (&name, 2_000), (&channel, 1));
        costs.push(alone / ours - 1.0);
    }
    println!(
        "answers after 50 ms, one lead a call, {IN_FLIGHT} in flight: the ledger costs {:.1} % (bar: 15 %)",
        100.0 * median(costs)
    );
}

fn memory(runtime: &Runtime, world: &World) {
    const PEOPLE: usize = 100_000;
    runtime.block_on(world.fill("memory", PEOPLE));
    let request = World::request(PEOPLE);
    let before = world::resident_kb();
    let planned = runtime
        .block_on(plan::plan(&*world.store, &request))
        .unwrap();
    assert_eq!(planned.offered.len(), PEOPLE);
    let after_plan = world::resident_kb();
    let batch = runtime.block_on(world.batch(&planned, &request));
    drop(planned);
    let channel = Arc::new(Null::default());
    let operator = world.operator(channel.clone(), 100);
    let (took, report) = time(|| {
        let run = operator.execute(&batch.id, Motion::Outbound);
        runtime.block_on(run).unwrap()
    });
    assert!(report.items.iter().all(|it| it.state == "accepted"));
    let marks = channel.marks();
    println!(
        "100,000 leads of {} bytes of letter each: planning holds {:.0} MB more; the run has {:.0} MB at a \
         tenth, {:.0} MB at the half and {:.0} MB at its end; {:.0} a second",
        world::LETTER,
        mb(after_plan.saturating_sub(before)),
        mb(marks[0]),
        mb(marks[1]),
        mb(marks[2]),
        rate(PEOPLE, took),
    );
}

fn mb(kb: u64) -> f64 {
    f64::from(u32::try_from(kb).unwrap()) / 1024.0
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let world = World::start(&runtime);
    let wanted = std::env::args().nth(1).unwrap_or_default();
    // `cargo bench` adds an argument of its own.
    let asked = |name: &str| wanted.is_empty() || wanted.starts_with('-') || wanted == name;
    if asked("bare") {
        beside_the_bare_script(&runtime, &world);
    }
    if asked("calls") {
        beside_the_calls_alone(&runtime, &world);
    }
    if asked("memory") {
        memory(&runtime, &world);
    }
}
