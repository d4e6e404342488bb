//! What the ledger costs: claims and sends beside the bare claim script, beside the same calls without it, and in
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
use caio_state::CommitOutcome;
use futures_util::StreamExt;
use futures_util::stream;
use redis::Script;
use tokio::runtime::Runtime;

use world::{IN_FLIGHT, Null, World};

/// Leads of a round.
const LEADS: usize = 4_000;
const ROUNDS: usize = 5;

/// The least that a claim could be: stop flag and touch absent, one limit not reached; touch, ledger
/// entry, reservation and two index entries, applied at most once. Not in it: who may send, the fence, the
/// other limits, suppressions, replies, the draft and its seal.
const LEAST: &str = "
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

/// The claim script and nothing else: the claims of a run over as many leads, each a call of its own, so
/// many at a time over one connection, or all of a group in one. Claims a second, and what the server needs
/// for one, in microseconds.
fn bare(
    runtime: &Runtime,
    world: &World,
    (round, leads): (&str, usize),
    in_groups: bool,
) -> (f64, f64) {
    let batch = runtime.block_on(world.approved(round, leads));
    let claims = runtime.block_on(world.claims(&batch));
    let store = &*world.store;
    let before = world.redis_cpu();
    let (took, committed) = time(|| {
        runtime.block_on(async {
            if in_groups {
                let mut count = 0;
                for claims in claims.chunks(IN_FLIGHT) {
                    let outcomes = store.commit_many(claims).await.unwrap();
                    count += outcomes
                        .iter()
                        .filter(|it| **it == CommitOutcome::Committed)
                        .count();
                }
                return count;
            }
            let each = stream::iter(&claims).map(|claim| store.commit(claim));
            let outcomes = each.buffer_unordered(IN_FLIGHT);
            let committed = outcomes.filter(|it| {
                let committed = matches!(it, Ok(CommitOutcome::Committed));
                std::future::ready(committed)
            });
            committed.count().await
        })
    });
    assert_eq!(committed, leads);
    let cpu = (world.redis_cpu() - before) / f64::from(u32::try_from(leads).unwrap());
    (rate(leads, took), cpu)
}

/// The least claims a second, so many at a time over one connection.
fn least(runtime: &Runtime, world: &World, round: usize, at_a_time: usize) -> f64 {
    let script = Script::new(LEAST);
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

/// Deliveries a second with the whole ledger around them, and what the server works for one, in
/// microseconds.
fn with_ledger(
    runtime: &Runtime,
    world: &World,
    (round, leads): (&str, usize),
    (channel, per_call): (&Arc<dyn Channel>, usize),
) -> (f64, f64) {
    let batch = runtime.block_on(world.approved(round, leads));
    let operator = world.operator(channel.clone(), per_call);
    let before = world.redis_cpu();
    let run = operator.execute(&batch.id, Motion::Outbound);
    let (took, report) = time(|| runtime.block_on(run).unwrap());
    let other = report.items.iter().find(|it| it.state != "accepted");
    assert!(other.is_none(), "{:?}: {other:?}", report.stopped);
    let cpu = (world.redis_cpu() - before) / f64::from(u32::try_from(leads).unwrap());
    (rate(leads, took), cpu)
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
        let mut rates = Vec::new();
        let mut ratios: [Vec<f64>; 4] = Default::default();
        let mut cpu: [Vec<f64>; 2] = Default::default();
        for round in 0..ROUNDS {
            world.reset(None);
            let number = 100 * per_call + round;
            let name = |kind: &str| format!("{kind}{per_call}r{round}");
            let (single, claim_cpu) = bare(runtime, world, (&name("b"), LEADS), false);
            let (grouped, _) = bare(runtime, world, (&name("g"), LEADS), true);
            let least = [IN_FLIGHT, 1].map(|at_once| least(runtime, world, number, at_once));
            let ours = with_ledger(runtime, world, (&name("c"), LEADS), (&channel, per_call));
            rates.push(ours.0);
            cpu[0].push(ours.1);
            cpu[1].push(claim_cpu);
            let beside = [single, grouped, least[0], least[1]];
            for (ratios, beside) in ratios.iter_mut().zip(beside) {
                ratios.push(ours.0 / beside);
            }
        }
        let [single, grouped, least, least_single] = ratios.map(|it| 100.0 * median(it));
        let [ours, claim] = cpu.map(median);
        println!(
            "claims and sends, {per_call} a call, {IN_FLIGHT} in flight: {:.0} a second; {single:.0} % of the rate of the \
             bare claim script with {IN_FLIGHT} claims in flight (bar: 25 %), {grouped:.0} % with {IN_FLIGHT} in one call; \
             {least:.0} % of the least claim with {IN_FLIGHT} in flight, {least_single:.0} % one by one; Redis works \
             {ours:.0} us a message, {claim:.0} us for a bare claim",
            median(rates),
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
        let (ours, _) = with_ledger(runtime, world, (&name, 2_000), (&channel, 1));
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
    let batch = runtime.block_on(world.batch(&planned, &request)).id;
    drop(planned);
    let approved = world::resident_kb();
    let channel = Arc::new(Null::default());
    let operator = world.operator(channel.clone(), 100);
    let (took, report) = time(|| {
        let run = operator.execute(&batch, Motion::Outbound);
        runtime.block_on(run).unwrap()
    });
    assert!(report.items.iter().all(|it| it.state == "accepted"));
    let marks = channel.marks();
    println!(
        "100,000 leads of {} bytes of letter each: the process has {:.0} MB before planning, which holds {:.0} MB \
         more; {:.0} MB once the batch is approved; the run has {:.0} MB at a tenth, {:.0} MB at the half and {:.0} MB at its end; {:.0} a second",
        world::LETTER,
        mb(before),
        mb(after_plan.saturating_sub(before)),
        mb(approved),
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
