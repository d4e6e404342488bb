//! Carrying 10,000 cadence files into Redis, beside one plain SET after the other.
//!
//! `cargo bench -p caio-dispatch --bench migrate` prints ratios of one run. *Copy* creates the records,
//! pipelined; *with verification* also asks what is there before, and reads everything back. The plain
//! SETs use the values as they stand in memory, so that reading the files counts on neither side; the
//! last line has it on both.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs
)]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use caio_core::Clock;
use caio_core::identity::cadence_email_hash;
use caio_core::pytext::dumps;
use caio_dispatch::hive::Hive;
use caio_dispatch::migrate::Migrate;
use caio_state::conformance::{RedisServer, TestClock, TestIds};
use caio_state::copy::create_absent;
use caio_state::{Access, Guard, Key, RedisStore, Write};
use serde_json::json;

const FILES: usize = 10_000;

fn record(number: usize) -> serde_json::Value {
    json!({
        "email": format!("lead{number}@company{}.test", number % 997), "cadence_id": "default_21day",
        "tier": "tier_1", "started_at": "2026-03-02T14:05:11.000000+00:00", "current_step": 3,
        "status": "active", "exit_reason": "", "linkedin_url": "", "linkedin_connected": false,
        "lead_data": {"first_name": "Kim", "last_name": "Doe", "company": "Acme", "title": "COO",
                      "source_type": "", "icp_score": 0},
        "steps_completed": [], "last_step_at": "", "next_step_due": "2026-03-06", "paused_at": "",
    })
}

fn write(folder: &Path) -> Vec<(Key, Vec<u8>)> {
    let cadences = folder.join("cadence_state");
    fs::create_dir_all(&cadences).unwrap();
    (0..FILES)
        .map(|number| {
            let record = record(number);
            let email = record["email"].as_str().unwrap();
            let name = email.replace('@', "_at_").replace('.', "_");
            fs::write(cadences.join(format!("{name}.json")), dumps(&record)).unwrap();
            let key = Key::new(&["cadence", "lead", &cadence_email_hash(email)]);
            (key, dumps(&record).into_bytes())
        })
        .collect()
}

async fn timed<T>(work: impl Future<Output = T>) -> Duration {
    let start = Instant::now();
    work.await;
    start.elapsed()
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start(folder.path(), &[]).unwrap();
    let hive = folder.path().join("hive");
    let values = write(&hive);
    let url = format!("redis://127.0.0.1:{}", server.port());
    let client = redis::Client::open(url).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let ids = TestIds::from(1);
    let clock = TestClock::today();
    for round in 0..3 {
        let plain = timed(async {
            for (key, value) in &values {
                let name = format!("plain-{round}:{key}");
                let mut set = redis::cmd("SET");
                set.arg(name).arg(value);
                set.query_async::<()>(&mut connection).await.unwrap();
            }
        })
        .await;
        let open =
            |prefix: &str| RedisStore::open(server.options(prefix), Access::ReadWrite).unwrap();
        let store = open(&format!("copy-{round}"));
        let copy = timed(async {
            let wanted = values.iter().map(|(key, value)| {
                let put = Write::Put {
                    key: key.clone(),
                    value: value.clone(),
                    expires_in: None,
                };
                (Guard::Absent(key.clone()), vec![put])
            });
            let created = create_absent(&store, &*ids, wanted.collect(), 250).await;
            assert_eq!(created.unwrap(), FILES as u64);
        })
        .await;
        let migrate = |store: RedisStore, hive: Hive| {
            let (ids, clock) = (ids.clone(), clock.clone());
            async move {
                let migrate = Migrate {
                    store: &store,
                    clock: &*clock as &dyn Clock,
                    ids: &*ids,
                    by: "bench",
                    dry_run: false,
                };
                let report = migrate.run(hive).await.unwrap();
                assert_eq!(report.verified, FILES as u64);
            }
        };
        let read = Hive::read(&hive).unwrap();
        let verified = timed(migrate(open(&format!("verified-{round}")), read)).await;
        let whole = timed(async {
            let read = Hive::read(&hive).unwrap();
            migrate(open(&format!("whole-{round}")), read).await;
        })
        .await;
        let plain_whole = timed(async {
            for (at, entry) in fs::read_dir(hive.join("cadence_state"))
                .unwrap()
                .enumerate()
            {
                let text = fs::read(entry.unwrap().path()).unwrap();
                let record: serde_json::Value = serde_json::from_slice(&text).unwrap();
                let mut set = redis::cmd("SET");
                set.arg(format!("files-{round}:{at}")).arg(dumps(&record));
                set.query_async::<()>(&mut connection).await.unwrap();
            }
        })
        .await;
        let ratio = |slow: Duration, fast: Duration| slow.as_secs_f64() / fast.as_secs_f64();
        println!(
            "{FILES} records: {:.0} ms one SET after the other; copy {:.1} x; with verification {:.1} x; \
             from the files {:.1} x",
            plain.as_secs_f64() * 1e3,
            ratio(plain, copy),
            ratio(plain, verified),
            ratio(plain_whole, whole),
        );
    }
}
