//! A claim in Redis beside a bare script that does the same; a page of a long index beside a short one.
//!
//! `cargo bench -p caio-state --all-features --bench redis`
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::time::Duration;

use caio_state::conformance::RedisServer;
use caio_state::{
    Access, CommitOutcome, Guard, Key, Range, RangeEntry, RedisStore, StateStore, Txn, TxnId, Write,
};
use redis::Script;
use redis::aio::MultiplexedConnection;
use tokio::runtime::Runtime;

const CLAIMS: usize = 500;
const ROUNDS: usize = 21;

/// A claim by hand: stop flag and touch absent, the limit not reached; touch, ledger entry, reservation
/// and two index entries. Applied at most once: its outcome is remembered by its id, as any claim
/// whose answer can be lost needs. Not in it: the list of names for scans, where a key stood in an index
/// before, the sequence that shows lost data, and checks of every kind before the first write.
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

/// The same, and nothing is remembered: sent again after a lost answer, it says that somebody else
/// has the claim.
const FORGETFUL: &str = "
if redis.call('EXISTS', KEYS[1]) == 1 or redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
if (tonumber(redis.call('GET', KEYS[3]) or 0)) >= 1000000 then return 0 end
redis.call('SET', KEYS[2], ARGV[1])
redis.call('SET', KEYS[4], ARGV[2])
redis.call('INCRBY', KEYS[3], 1)
redis.call('ZADD', KEYS[5], 0, ARGV[3])
redis.call('ZADD', KEYS[6], 0, ARGV[3])
return 1";

fn claim(round: usize, number: usize) -> Txn {
    let name = format!("{round:04}-{number:06}");
    let key = |kind: &str| Key::new(&["caio", kind, &name]);
    let put = |kind: &str, size: usize| Write::Put {
        key: key(kind),
        value: vec![b'x'; size],
        expires_in: None,
    };
    let index = |index: &str| Write::Index {
        index: index.to_owned(),
        order: name.clone(),
        key: key("ledger"),
    };
    let day = Key::new(&["caio", "limit", "day"]);
    let ceiling = Guard::Ceiling {
        counter: day.clone(),
        add: 1,
        ceiling: 1_000_000,
    };
    let add = Write::Add {
        counter: day,
        amount: 1,
        expires_in: None,
    };
    Txn {
        id: TxnId(name.clone()),
        guards: vec![Guard::StopAbsent, Guard::Absent(key("touch")), ceiling],
        writes: vec![
            put("touch", 34),
            put("ledger", 600),
            add,
            index("all"),
            index("batch"),
        ],
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark looks at the clock")]
fn time(work: impl FnOnce()) -> Duration {
    let start = std::time::Instant::now();
    work();
    start.elapsed()
}

fn median(mut ratios: Vec<f64>) -> f64 {
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start(folder.path(), &["--appendonly", "no"]).unwrap();
    let runtime = Runtime::new().unwrap();
    let store = {
        let _guard = runtime.enter();
        let mut options = server.options("caio-bench");
        options.timeout = Duration::from_secs(30);
        RedisStore::open(options, Access::ReadWrite).unwrap()
    };
    let client = redis::Client::open(format!("redis://127.0.0.1:{}", server.port())).unwrap();
    let mut bare = runtime
        .block_on(client.get_multiplexed_async_connection())
        .unwrap();
    let by_hand = |name: &str, script: &Script, bare: &mut MultiplexedConnection, round: usize| {
        runtime.block_on(async {
            for number in 0..CLAIMS {
                let own = format!("{round:04}-{number:06}");
                let mut call = script.prepare_invoke();
                for kind in ["stop", "touch:", "limit", "ledger:", "all", "batch", "id:"] {
                    let own = if kind.ends_with(':') { &own } else { "" };
                    call.key(format!("{name}:{kind}{own}"));
                }
                call.arg(vec![b'x'; 34]).arg(vec![b'x'; 600]).arg(own);
                assert_eq!(call.invoke_async::<u8>(bare).await.unwrap(), 1);
            }
        });
    };
    let (script, forgetful) = (Script::new(BARE), Script::new(FORGETFUL));
    let (mut rates, mut rates_of_forgetful) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let bare_time = time(|| by_hand("bare", &script, &mut bare, round));
        let forgetful_time = time(|| by_hand("forgetful", &forgetful, &mut bare, round));
        let ours = time(|| {
            runtime.block_on(async {
                for number in 0..CLAIMS {
                    let outcome = store.commit(&claim(round, number)).await.unwrap();
                    assert_eq!(outcome, CommitOutcome::Committed);
                }
            });
        });
        rates.push(bare_time.as_secs_f64() / ours.as_secs_f64());
        rates_of_forgetful.push(forgetful_time.as_secs_f64() / ours.as_secs_f64());
    }
    println!(
        "claims: {:.0} % of the rate of a bare script (bar: 60 %), {:.0} % of one that remembers nothing",
        median(rates) * 100.0,
        median(rates_of_forgetful) * 100.0
    );

    for (name, size) in [("short", 10_000), ("long", 1_000_000)] {
        let places: Vec<usize> = (0..size).collect();
        for (at, chunk) in places.chunks(5_000).enumerate() {
            let index = |number: &usize| Write::Index {
                index: name.to_owned(),
                order: format!("{number:09}"),
                key: Key::new(&["d", &number.to_string()]),
            };
            let id = TxnId(format!("{name}-{at}"));
            let writes = chunk.iter().map(index).collect();
            let txn = Txn {
                id,
                guards: vec![],
                writes,
            };
            runtime.block_on(store.commit(&txn)).unwrap();
        }
    }
    let whole = Range::default();
    let page = |name: &str, size: usize| {
        let after = RangeEntry {
            order: format!("{:09}", size / 2),
            key: Key::new(&["d", &(size / 2).to_string()]),
        };
        time(|| {
            for _ in 0..200 {
                let page = store.range(name, &whole, Some(&after), 50);
                assert_eq!(runtime.block_on(page).unwrap().items.len(), 50);
            }
        })
    };
    let ratios = (0..11).map(|_| {
        let short = page("short", 10_000);
        page("long", 1_000_000).as_secs_f64() / short.as_secs_f64()
    });
    println!(
        "a page of 50, one command: among 1,000,000 entries {:.2} x the time among 10,000 (bar: 2)",
        median(ratios.collect())
    );
}
