//! What nobody knows is asked for again, or decided by a person; nothing is sent on the way.

use std::sync::Arc;

use async_trait::async_trait;
use caio_core::batch::BatchStatus;
use caio_core::terms::Provider;
use caio_dispatch::channel::{
    Channel, Container, Fault, Outcome, Outgoing, Prepared, Proof, RecordingChannel,
};
use caio_dispatch::ledger::{self, LedgerEntry};
use caio_dispatch::plan;
use jiff::SignedDuration;

use crate::{World, worlds, worlds_with_our_time};

/// A provider whose lost answers take two minutes to settle, and that may not know afterwards.
#[derive(Debug)]
struct Slow {
    inner: Arc<RecordingChannel>,
    knows: bool,
}

impl std::fmt::Display for Slow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "slow {}", self.inner)
    }
}

#[async_trait]
impl Channel for Slow {
    fn provider(&self) -> Provider {
        self.inner.provider()
    }
    fn chunk(&self) -> usize {
        self.inner.chunk()
    }
    fn settles_within(&self) -> SignedDuration {
        SignedDuration::from_secs(120)
    }
    fn prepare(&self, container: &Container, items: &[Outgoing]) -> Prepared {
        self.inner.prepare(container, items)
    }
    async fn deliver(&self, container: &Container, items: &[Outgoing]) -> Vec<Outcome> {
        self.inner.deliver(container, items).await
    }
    async fn reconcile(&self, entries: &[LedgerEntry]) -> Vec<Proof> {
        if self.knows {
            return self.inner.reconcile(entries).await;
        }
        let reason = "it cannot say".to_owned();
        vec![Proof::Undecided { reason }; entries.len()]
    }
    async fn halt(&self) -> Result<usize, String> {
        self.inner.halt().await
    }
    async fn health(&self) -> Result<(), String> {
        self.inner.health().await
    }
}

fn slow(world: &World, knows: bool) -> Arc<Slow> {
    Arc::new(Slow {
        inner: world.channel.clone(),
        knows,
    })
}

#[tokio::test]
async fn the_provider_is_asked_once_a_lost_answer_has_settled() {
    for world in worlds(1) {
        let batch = world.approved(2).await;
        // One arrived and its answer was lost; the other one is fine.
        world.channel.script([Some(Fault::LostAnswer)]);
        let report = world.run(&batch).await.unwrap();
        assert_eq!(report.status, BatchStatus::Unknown);
        let operator = world.operator_with("two", slow(&world, true));
        let early = operator.reconcile(&batch.id).await.unwrap_err();
        assert_eq!(early.code(), "delivery.settling");
        world.clock.advance(SignedDuration::from_secs(121));
        let report = operator.reconcile(&batch.id).await.unwrap();
        assert_eq!(report.status, BatchStatus::Executed, "{report:?}");
        assert_eq!(world.received().len(), 2, "nothing was sent again");
        let over = operator.reconcile(&batch.id).await.unwrap_err();
        assert_eq!(over.code(), "ledger.nothing_unknown");
    }
}

#[tokio::test]
async fn what_the_provider_cannot_say_a_person_decides() {
    for world in worlds_with_our_time(1) {
        let batch = world.approved(2).await;
        world
            .channel
            .script([Some(Fault::LostAnswer), Some(Fault::LostAnswer)]);
        world.run(&batch).await.unwrap();
        world.clock.advance(SignedDuration::from_secs(121));
        let operator = world.operator_with("two", slow(&world, false));
        let report = operator.reconcile(&batch.id).await.unwrap();
        assert_eq!(report.status, BatchStatus::Unknown);
        // Asking again is no news: nobody has to wait once more.
        let report = operator.reconcile(&batch.id).await.unwrap();
        assert_eq!(report.status, BatchStatus::Unknown);
        let entries = ledger::of_batch(&*world.store, &batch.id).await.unwrap();
        let accepted = Outcome::Accepted {
            receipt: "seen by ann".to_owned(),
        };
        let report = operator.resolve(&entries[0].id, &accepted).await.unwrap();
        assert_eq!(report.status, BatchStatus::Unknown, "one is left");
        let again = operator
            .resolve(&entries[0].id, &accepted)
            .await
            .unwrap_err();
        assert_eq!(again.code(), "ledger.nothing_unknown");
        let not_sent = Outcome::NotSent {
            reason: "not there, says ann".to_owned(),
        };
        let report = operator.resolve(&entries[1].id, &not_sent).await.unwrap();
        assert_eq!(report.status, BatchStatus::Partial);
        // Whoever was not written to may be, with an approval that still stands.
        let plan = plan::plan(&*world.store, &World::request()).await.unwrap();
        assert_eq!(plan.offered.len(), 1);
    }
}
