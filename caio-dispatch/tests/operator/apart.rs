//! One commit of a group that cannot be applied costs none of the others: neither their claims nor what
//! became of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use caio_core::batch::{Batch, BatchStatus};
use caio_core::draft::Draft;
use caio_core::identity::draft_id;
use caio_core::terms::{Medium, Motion, Step};
use caio_core::{Clock, EmailKey};
use caio_dispatch::ledger::{self, DeliveryState};
use caio_dispatch::operator::{Operator, Permits};
use caio_dispatch::{plan, records};
use caio_state::{CommitOutcome, StateStore, StoreError, Txn, Write};
use jiff::SignedDuration;

use crate::wrapped::{Between, Wrapped};
use crate::{World, person, worlds};

/// An executor whose claims go in groups of twenty.
fn operator(world: &World) -> Operator {
    Operator {
        coexist: None,
        permits: Permits::new(2),
        ..world.operator("one")
    }
}

/// An approved batch for nineteen people, and for one whose domain is theirs alone.
async fn twenty(world: &World) -> (Batch, EmailKey) {
    world.fill(19).await;
    let odd = EmailKey::parse("kim@odd.example").unwrap();
    let draft = Draft {
        id: draft_id(&odd, Medium::Email, Step::FIRST),
        to: odd.to_string(),
        recipient: odd.clone(),
        ..crate::world::draft(19)
    };
    world
        .commit(records::put_draft(&draft, None).unwrap())
        .await;
    world.review().approve(&draft.id).await.unwrap();
    (world.batch_of(100).await, odd)
}

#[tokio::test]
async fn a_counter_that_holds_no_number_costs_one_claim_and_no_other() {
    let world = worlds(20).pop().unwrap();
    let (batch, odd) = twenty(&world).await;
    let port = world.home.1.as_ref().unwrap().port();
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    for hour in 0..2 {
        let at = world.clock.now() + SignedDuration::from_hours(hour);
        let window = format!("email:domain:odd.example:{}", at.strftime("%Y-%m-%dT%H"));
        let counter = format!("caio-test:caio:_n:{}", records::limit(&window));
        let mut command = redis::cmd("SET");
        command.arg(counter).arg("many");
        command.query_async::<()>(&mut redis).await.unwrap();
    }
    let mut one = operator(&world);
    one.limits.email_per_domain_hour = Some(50);
    let report = one.execute(&batch.id, Motion::Outbound).await.unwrap();
    assert_eq!(report.stopped, None);
    assert_eq!(report.status, BatchStatus::Partial);
    for item in &report.items {
        if item.recipient == odd.as_str() {
            assert_eq!(item.state, "refused", "{item:?}");
            assert!(item.detail.contains("holds no number"), "{item:?}");
        } else {
            assert_eq!(item.state, "accepted", "{item:?}");
        }
    }
    assert_eq!(world.received().len(), 19);
    // Nothing of the one was claimed: it is offered again.
    let plan = plan::plan(&*world.store, &World::request()).await.unwrap();
    assert_eq!(plan.offered.len(), 1);
}

/// Takes no record of what became of one person; with `away`, none of anybody.
#[derive(Debug)]
struct Refusing {
    person: EmailKey,
    away: bool,
    /// Commits that were sent by themselves and failed.
    failed: AtomicUsize,
}

impl Refusing {
    fn new(away: bool) -> Arc<Self> {
        Arc::new(Self {
            person: person(3),
            away,
            failed: AtomicUsize::new(0),
        })
    }

    /// A claim puts a touch beside its ledger entry, the record of an outcome does not.
    fn refuses(&self, txn: &Txn) -> bool {
        let puts = |start: &str, text: &str| {
            txn.writes.iter().any(|write| match write {
                Write::Put { key, value, .. } => {
                    key.as_str().starts_with(start) && String::from_utf8_lossy(value).contains(text)
                }
                _ => false,
            })
        };
        let of = if self.away { "" } else { self.person.as_str() };
        puts("caio:ledger:", of) && !puts("caio:touch:", "")
    }
}

#[async_trait]
impl Between for Refusing {
    async fn commit(
        &self,
        store: &dyn StateStore,
        txns: &[Txn],
    ) -> Result<Vec<CommitOutcome>, StoreError> {
        if !txns.iter().any(|txn| self.refuses(txn)) {
            return store.commit_many(txns).await;
        }
        let reason = "the answer was lost".to_owned();
        let backend = "refusing";
        if txns.len() > 1 {
            // Some are applied, and nobody hears which.
            let half = txns[..txns.len() / 2].iter();
            let taken: Vec<Txn> = half.filter(|txn| !self.refuses(txn)).cloned().collect();
            store.commit_many(&taken).await?;
            return Err(StoreError::Ambiguous { backend, reason });
        }
        self.failed.fetch_add(1, Ordering::SeqCst);
        if self.away {
            let source = None;
            return Err(StoreError::Unavailable {
                backend,
                reason,
                source,
            });
        }
        Err(StoreError::Invalid("not this one".to_owned()))
    }
}

#[tokio::test]
async fn an_outcome_that_cannot_be_recorded_costs_no_other() {
    for world in worlds(20) {
        world.fill(20).await;
        let batch = world.batch_of(100).await;
        let refusing = Refusing::new(false);
        let one = Operator {
            store: Wrapped::new(&world.store, &refusing),
            ..operator(&world)
        };
        let report = one.execute(&batch.id, Motion::Outbound).await.unwrap();
        let stopped = report.stopped.unwrap();
        assert!(stopped.contains("not this one"), "{stopped}");
        let entries = ledger::of_batch(&*world.store, &batch.id).await.unwrap();
        assert_eq!(entries.len(), 20);
        for entry in entries {
            let is_odd = entry.item.recipient == person(3);
            let expected = if is_odd {
                DeliveryState::Intended
            } else {
                DeliveryState::Accepted
            };
            assert_eq!(entry.state, expected, "{}", world.store);
        }
        // The next run asks for the one, and nobody is written to again.
        let report = operator(&world)
            .execute(&batch.id, Motion::Outbound)
            .await
            .unwrap();
        assert_eq!(report.status, BatchStatus::Executed, "{}", world.store);
        assert_eq!(world.channel.received().len(), 20);
    }
}

#[tokio::test]
async fn a_store_that_is_away_is_not_waited_for_once_an_outcome() {
    let world = worlds(20).remove(0);
    world.fill(20).await;
    let batch = world.batch_of(100).await;
    let refusing = Refusing::new(true);
    let one = Operator {
        store: Wrapped::new(&world.store, &refusing),
        ..operator(&world)
    };
    let report = one.execute(&batch.id, Motion::Outbound).await.unwrap();
    assert!(report.stopped.unwrap().contains("not available"));
    assert_eq!(refusing.failed.load(Ordering::SeqCst), 2);
}
