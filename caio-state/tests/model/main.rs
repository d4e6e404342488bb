//! Every backend against a model of the store: hours of commits, repeats, leases and expiry at random.
//!
//! `PROPTEST_CASES=2000 cargo test -p caio-state --all-features --test model` looks longer.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, missing_docs)]

mod real;
mod reference;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use caio_state::StateStoreExt;
use caio_state::conformance::{RedisServer, TestClock};
use caio_state::{Access, MemoryStore, OverlayStore, RedisStore, SqliteStore};
use proptest::test_runner::{Config, TestRunner};
use proptest_state_machine::ReferenceStateMachine;
use real::Real;
use reference::{Model, Transition, Write};
use tokio::runtime::Runtime;

const LONGEST: usize = 40;

/// Runs `1 / share` of the cases that proptest is asked for, each in an empty store.
fn follows_the_model(share: u32, mut make: impl FnMut(&Runtime, usize) -> Real) {
    let config = Config {
        cases: (Config::default().cases / share).max(1),
        failure_persistence: None,
        ..Config::default()
    };
    let mut number = 0;
    let cases = std::cell::RefCell::new(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        number += 1;
        let real = make(&runtime, number);
        (runtime, real)
    });
    let run = TestRunner::new(config).run(
        &Model::sequential_strategy(1..LONGEST),
        |(mut model, transitions, applied)| {
            let (runtime, mut real) = (cases.borrow_mut())();
            for transition in transitions {
                // What was never reached is the first to go when a failure is made smaller.
                if let Some(applied) = &applied {
                    applied.fetch_add(1, Ordering::SeqCst);
                }
                model = Model::apply(model, &transition);
                runtime.block_on(real.apply(&transition, &model));
            }
            Ok(())
        },
    );
    assert!(run.is_ok(), "{}", run.unwrap_err());
}

#[test]
fn memory_follows_the_model() {
    follows_the_model(1, |_, _| {
        let clock = TestClock::noon();
        Real::new(Arc::new(MemoryStore::new(clock.clone())), clock)
    });
}

#[test]
fn a_layer_follows_the_model_and_its_base_stays_as_it_was() {
    let config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    let run = TestRunner::new(config).run(
        &Model::sequential_strategy(2..LONGEST),
        |(mut model, transitions, applied)| {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let runtime = runtime.unwrap();
            let clock = TestClock::noon();
            let base = Arc::new(MemoryStore::new(clock.clone()));
            let mut real = Real::new(base.clone(), clock.clone());
            let (half, mut sent, mut before) = (transitions.len() / 2, 0, None);
            for (position, mut transition) in transitions.into_iter().enumerate() {
                if let Some(applied) = &applied {
                    applied.fetch_add(1, Ordering::SeqCst);
                }
                if position == half {
                    sent = model.sent.len();
                    before = Some(runtime.block_on(base.dump()).unwrap());
                    let layer = Arc::new(OverlayStore::new(base.clone(), clock.clone()));
                    runtime.block_on(real.goes_on(layer, &model));
                }
                match &mut transition {
                    // Outcomes belong to the store that gave them.
                    Transition::Repeat(id) if position >= half && *id < sent => continue,
                    // How long a counter of the base lives, nobody but the base knows.
                    Transition::Commit(commit) => commit.writes.iter_mut().for_each(lasting),
                    _ => {}
                }
                model = Model::apply(model, &transition);
                runtime.block_on(real.apply(&transition, &model));
            }
            // What has expired in the base meanwhile is gone from it.
            let after = runtime.block_on(base.dump()).unwrap();
            let before = before.unwrap_or_default();
            assert!(after.lines().all(|line| before.contains(line)));
            Ok(())
        },
    );
    assert!(run.is_ok(), "{}", run.unwrap_err());
}

fn lasting(write: &mut Write) {
    if let Write::Add { lifetime, .. } = write {
        *lifetime = None;
    }
}

#[test]
fn sqlite_follows_the_model() {
    let folder = tempfile::tempdir().unwrap();
    // Each commit waits for the disk.
    follows_the_model(2, |_, number| {
        let clock = TestClock::noon();
        let file = folder.path().join(format!("{number}.db"));
        let store = SqliteStore::open(&file, clock.clone(), Access::ReadWrite).unwrap();
        Real::new(Arc::new(store), clock)
    });
}

#[test]
fn redis_follows_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start(folder.path(), &["--appendonly", "no"]).unwrap();
    follows_the_model(1, |runtime, number| {
        let prefix = format!("model-{number}");
        let mut options = server.options(&prefix);
        options.timeout = Duration::from_secs(20);
        let _inside = runtime.enter();
        let store = RedisStore::open(options, Access::ReadWrite).unwrap();
        let clock = TestClock::aging(server.aging(&prefix));
        Real::new(Arc::new(store), clock)
    });
}
