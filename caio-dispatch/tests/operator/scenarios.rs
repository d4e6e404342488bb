//! Acceptance scenarios about what the store holds, each over every store.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use caio_core::Clock;
use caio_core::batch::BatchStatus;
use caio_core::draft::DraftStatus;
use caio_core::terms::Motion;
use caio_dispatch::hive::Hive;
use caio_dispatch::migrate::Migrate;
use caio_dispatch::operator::check_item;
use caio_dispatch::plan::PlanRequest;
use caio_dispatch::{batches, doctor, history, ledger, plan, records, review};
use caio_state::{Key, Range, StateStoreExt, StoreError, Write, stop};
use jiff::SignedDuration;

use crate::wrapped::{Between, Wrapped};
use crate::{World, keys, worlds};

const EXECUTED: &str = r#"{"batch_id": "batch_0a1b2c3d", "created_at": "2026-03-02T14:00:00.000123+00:00", "motion": "outbound", "status": "executed", "leads_preview": [], "approved_shadow_email_ids": []}"#;

#[tokio::test]
async fn scenario_03_a_stale_approved_file_never_replaces_what_was_executed() {
    for world in worlds(1) {
        let key = Key::new(&["operator", "batch", "batch_0a1b2c3d"]);
        world
            .commit(vec![Write::Put {
                key: key.clone(),
                value: EXECUTED.as_bytes().to_vec(),
                expires_in: None,
            }])
            .await;
        let folder = tempfile::tempdir().unwrap();
        let files = folder.path().join("operator_batches");
        fs::create_dir(&files).unwrap();
        let stale = EXECUTED.replace("executed", "approved");
        fs::write(files.join("batch_0a1b2c3d.json"), stale).unwrap();
        let before = world.store.dump().await.unwrap();

        let migrate = Migrate {
            store: &*world.store,
            clock: &*world.clock,
            ids: &*world.ids,
            by: "ann",
            dry_run: false,
        };
        for _ in 0..2 {
            let report = migrate
                .run(Hive::read(folder.path()).unwrap())
                .await
                .unwrap();
            assert_eq!(report.conflicts.len(), 1);
            assert_eq!(report.conflicts[0].store, EXECUTED, "both values are shown");
        }
        let report = migrate
            .follow(Hive::read(folder.path()).unwrap())
            .await
            .unwrap();
        assert!(report.is_clean(), "what both systems keep is not followed");

        let found = world.store.get(&[key]).await.unwrap().remove(0).unwrap();
        assert_eq!(found.value, EXECUTED.as_bytes());
        let after = world.store.dump().await.unwrap();
        let of_batches = |dump: &str| -> Vec<String> {
            let lines = dump.lines().filter(|line| line.contains("batch"));
            lines.map(str::to_owned).collect()
        };
        assert_eq!(of_batches(&after), of_batches(&before));
        let approved = batches::list(&*world.store, BatchStatus::Approved).await;
        assert!(approved.unwrap().is_empty(), "never returned as approved");
        let operator = world.operator("one");
        let refused = operator.execute("batch_0a1b2c3d", Motion::Outbound).await;
        assert!(refused.is_err());
        assert!(world.received().is_empty());
    }
}

/// One read fails: the n-th, from 1.
#[derive(Debug)]
struct FailingOnce(AtomicUsize);

impl FailingOnce {
    fn has_failed(&self) -> bool {
        self.0.load(Ordering::SeqCst) == 0
    }
}

#[async_trait]
impl Between for FailingOnce {
    async fn read(&self) -> Result<(), StoreError> {
        let left = self.0.load(Ordering::SeqCst);
        self.0.store(left.saturating_sub(1), Ordering::SeqCst);
        if left == 1 {
            return Err(StoreError::Unavailable {
                backend: "failing",
                reason: "the connection was reset".to_owned(),
                source: None,
            });
        }
        Ok(())
    }
}

/// Every document but the lease, which a failed run may still hold.
async fn documents(world: &World) -> Vec<String> {
    let dump = world.store.dump().await.unwrap();
    let lines = dump.lines().filter(|line| !line.starts_with("caio:lease:"));
    lines.map(str::to_owned).collect()
}

/// Runs a batch of one while the n-th read fails; `false` when the run needs fewer reads.
async fn run_with_a_failing_read(world: &World, n: usize) -> bool {
    let batch = world.approved(1).await;
    let failing = Arc::new(FailingOnce(AtomicUsize::new(n)));
    let mut operator = world.operator("one");
    operator.store = Wrapped::new(&world.store, &failing);
    let before = documents(world).await;
    let first = operator.execute(&batch.id, Motion::Outbound).await;
    if !failing.has_failed() {
        assert_eq!(first.unwrap().status, BatchStatus::Executed);
        return false;
    }
    let reason = match first {
        Err(error) => error.to_string(),
        Ok(report) => report.stopped.unwrap(),
    };
    let told = ["the connection was reset", "cannot be read"];
    assert!(
        told.iter().any(|it| reason.contains(it)),
        "read {n}: {reason}"
    );
    let status = batches::one(&*world.store, &batch.id).await.unwrap().status;
    if status == BatchStatus::Approved {
        assert_eq!(
            documents(world).await,
            before,
            "read {n}: refused, unchanged"
        );
        assert!(world.received().is_empty());
    }

    // Later the store can be read, and the time of the failed run's lease is over.
    let lease = records::executor_lease(&batch.id);
    world.commit(vec![Write::Delete(lease)]).await;
    if [BatchStatus::Approved, BatchStatus::Executing].contains(&status) {
        // What was claimed and is proven not to have left is free again: the batch ends without it.
        let report = world.run(&batch).await.unwrap();
        let sent = [BatchStatus::Failed, BatchStatus::Executed][world.received().len()];
        assert_eq!(report.status, sent, "read {n}");
    }
    let plan = plan::plan(&*world.store, &World::request()).await.unwrap();
    assert_eq!(
        world.received().len() + plan.offered.len(),
        1,
        "read {n}: sent once, or approved still"
    );
    true
}

#[tokio::test]
async fn scenario_04_a_read_that_fails_refuses_and_loses_nothing() {
    for backend in 0..3 {
        let mut n = 1;
        while run_with_a_failing_read(&worlds(1)[backend], n).await {
            n += 1;
        }
        assert!(n > 10, "a run reads many times");
    }
}

/// Everything that a dry run and a page that only shows something ask.
async fn look_at_everything(world: &World, batch: &str) {
    let store = &*world.store;
    for motion in Motion::ALL {
        let request = PlanRequest {
            motion: *motion,
            ..World::request()
        };
        let plan = plan::plan(store, &request).await.unwrap();
        if !plan.offered.is_empty() {
            plan::batch(&plan, &request, &*world.clock, &*world.ids).unwrap();
        }
        batches::newest(store, BatchStatus::Approved, *motion)
            .await
            .unwrap();
    }
    for status in BatchStatus::ALL {
        batches::list(store, *status).await.unwrap();
    }
    for status in DraftStatus::ALL {
        review::page(store, *status, None, 1).await.unwrap();
    }
    let batch = batches::one(store, batch).await.unwrap();
    for item in &batch.items {
        let delivery = ledger::delivery_id(&batch.id, item);
        check_item(store, item, &delivery).await.unwrap();
        ledger::of_person(store, &item.recipient).await.unwrap();
        history::newest(store, Some(&item.recipient), 9)
            .await
            .unwrap();
    }
    ledger::of_batch(store, &batch.id).await.unwrap();
    history::newest(store, None, 9).await.unwrap();
    doctor::examine(store).await.unwrap();
    stop::read(store).await.unwrap();
    world.operator("dry").gate.verdict(store).await;
}

#[tokio::test]
async fn scenario_16_dry_runs_and_pages_leave_the_store_as_it_is() {
    for world in worlds(1) {
        let sent = world.approved(2).await;
        world.run(&sent).await.unwrap();
        world.draft(7).await;
        let before = bytes(&world).await;
        assert!(before.len() > 10);
        look_at_everything(&world, &sent.id).await;
        assert!(bytes(&world).await == before, "{}", world.store);
    }
}

/// What the store holds: for Redis every key with its bytes, for SQLite the file and its log, for memory
/// every document and what the run has counted and indexed.
async fn bytes(world: &World) -> Vec<(String, Vec<u8>)> {
    let mut all = vec![(
        "dump".to_owned(),
        world.store.dump().await.unwrap().into_bytes(),
    )];
    let whole = Range::default();
    for index in [records::LEDGER_INDEX, records::HISTORY_INDEX] {
        let page = world.store.range(index, &whole, None, 999).await.unwrap();
        let entries = page.items.into_iter();
        all.extend(entries.map(|it| (format!("{index} {}", it.order), it.key.to_string().into())));
    }
    let today = world.clock.now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let day = records::limit(&format!("email:day:{today}"));
    let used = world.store.counters(&[day]).await.unwrap();
    all.push(("used".to_owned(), used[0].to_string().into_bytes()));
    let (folder, server) = &world.home;
    if let Some(server) = server {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", server.port())).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let ask = redis::cmd("KEYS").arg("*").clone();
        let mut names: Vec<String> = ask.query_async(&mut connection).await.unwrap();
        names.sort();
        for name in names {
            let dump = redis::cmd("DUMP").arg(&name).clone();
            let value: Vec<u8> = dump.query_async(&mut connection).await.unwrap();
            all.push((name, value));
        }
        return all;
    }
    for file in ["x.db", "x.db-wal"] {
        if let Ok(value) = fs::read(folder.path().join(file)) {
            all.push((file.to_owned(), value));
        }
    }
    all
}

#[tokio::test]
async fn scenario_23_a_process_that_lives_on_has_a_new_allowance_at_midnight() {
    for world in worlds(1) {
        let mut operator = world.operator("one");
        operator.limits.email_per_day = 2;
        let batch = world.approved(4).await;
        let report = operator.execute(&batch.id, Motion::Outbound).await.unwrap();
        assert_eq!(
            (report.status, world.received().len()),
            (BatchStatus::Partial, 2)
        );

        let now = world.clock.now().to_zoned(jiff::tz::TimeZone::UTC);
        let midnight = now.tomorrow().unwrap().start_of_day().unwrap();
        let left = midnight.timestamp().duration_since(now.timestamp());
        world.clock.advance(left - SignedDuration::from_secs(1));
        let late = next_batch(&world).await;
        let report = operator.execute(&late, Motion::Outbound).await.unwrap();
        assert_eq!(
            (report.status, world.received().len()),
            (BatchStatus::Failed, 2)
        );
        assert!(report.items[0].detail.contains("2 of 2"), "{report:?}");

        world.clock.advance(SignedDuration::from_secs(1));
        let fresh = next_batch(&world).await;
        let report = operator.execute(&fresh, Motion::Outbound).await.unwrap();
        assert_eq!(
            (report.status, world.received().len()),
            (BatchStatus::Executed, 4)
        );
    }
}

/// An approved batch of what may go.
async fn next_batch(world: &World) -> String {
    let request = World::request();
    let plan = plan::plan(&*world.store, &request).await.unwrap();
    assert_eq!(plan.offered.len(), 2);
    let batch = plan::batch(&plan, &request, &*world.clock, &*world.ids).unwrap();
    let (batches, keys) = (world.batches(), keys());
    batches.add(&batch).await.unwrap();
    let approved = batches.approve(&batch.id, &batch.digest, None, &keys);
    approved.await.unwrap().id
}
