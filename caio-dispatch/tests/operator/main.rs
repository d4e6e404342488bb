//! The operator over every store, with a channel that records what it is given.
#![allow(clippy::panic, clippy::unwrap_used, missing_docs)]

mod alerts;
mod apart;
mod blocks;
mod cadence;
mod campaigns;
mod coexist;
mod crash;
mod days;
mod flip;
mod pace;
mod races;
mod revival;
mod scenarios;
mod shadow;
mod tidy;
mod unknown;
mod world;
mod wrapped;

use std::sync::Arc;

use async_trait::async_trait;
use caio_core::Clock;
use caio_core::batch::{Batch, BatchStatus};
use caio_core::config::settings::Sender;
use caio_core::draft::DraftStatus;
use caio_core::identity::draft_id;
use caio_core::suppression::Scope;
use caio_core::terms::{Medium, Motion, Provider, Step};
use caio_dispatch::batches::{self};
use caio_dispatch::channel::{
    Channel, Container, Fault, Outcome, Outgoing, Prepared, Proof, RecordingChannel,
};
use caio_dispatch::ledger::{DeliveryState, LedgerEntry};
use caio_dispatch::plan::{self};
use caio_dispatch::suppress::Suppress;
use caio_dispatch::{ledger, records, review};
use caio_state::conformance::TestIds;
use caio_state::stop::{self, Stop};
use caio_state::{StateStore, StateStoreExt, Write};
use jiff::SignedDuration;

pub(crate) use world::{World, keys, person, state_of, worlds, worlds_with_our_time};

#[tokio::test]
async fn a_batch_goes_out_once_each_person_with_their_own_words() {
    for world in worlds(2) {
        let batch = world.approved(3).await;
        let report = world.run(&batch).await.unwrap();
        assert_eq!(report.status, BatchStatus::Executed);
        let expected: Vec<String> = (0..3)
            .map(|it| format!("{}: Subject {it} / Body {it}", person(it)))
            .collect();
        assert_eq!(world.received(), expected);
        assert_eq!(world.channel.calls(), 2);
        let again = world.run(&batch).await.unwrap_err();
        assert_eq!(again.code(), "batch.wrong_status");
        assert_eq!(world.received().len(), 3);
        let entries = ledger::of_batch(&*world.store, &batch.id).await.unwrap();
        assert!(entries.iter().all(|it| it.state == DeliveryState::Accepted));
    }
}

#[tokio::test]
async fn scenario_09_a_text_changed_after_approval_is_refused_and_the_rest_go() {
    for world in worlds(5) {
        let batch = world.approved(2).await;
        let id = draft_id(&person(0), Medium::Email, Step::FIRST);
        // Past the life cycle: straight in the database.
        let mut draft = review::one(&*world.store, &id).await.unwrap();
        draft.body = "Something else".to_owned();
        world
            .commit(records::put_draft(&draft, None).unwrap())
            .await;
        let report = world.run(&batch).await.unwrap();
        assert_eq!(report.status, BatchStatus::Partial);
        assert_eq!(
            state_of(&report, 0),
            ("refused", "the text was changed after approval")
        );
        assert_eq!(world.received().len(), 1);
        // Through the life cycle: an edit takes the approval back.
        let edited = world
            .review()
            .edit(
                &id,
                None,
                Some(
                    "Hi Kim,

Other words",
                ),
                &Sender::default(),
            )
            .await
            .unwrap();
        assert_eq!(edited.status, DraftStatus::Pending);
    }
}

#[tokio::test]
async fn a_record_flipped_in_the_database_is_refused() {
    for world in worlds(5) {
        let batch = world.approved(1).await;
        let mut later = batch.clone();
        later.expires_at = "2030-01-01T00:00:00.000000Z".to_owned();
        world.edit_record(&later).await;
        assert!(world.run(&batch).await.is_err(), "a moved expiry");
        let mut unsealed = batch.clone();
        unsealed.seal = None;
        world.edit_record(&unsealed).await;
        assert!(world.run(&batch).await.is_err(), "approved by hand");
        world.edit_record(&batch).await;
        world.run(&batch).await.unwrap();
        // Executed, and flipped back to what it was: the claim stays.
        world.edit_record(&batch).await;
        let report = world.run(&batch).await.unwrap();
        assert!(report.stopped.unwrap().contains("a batch runs once"));
        assert_eq!(world.received().len(), 1);
    }
}

#[tokio::test]
async fn scenario_10_who_opts_out_or_answers_after_approval_is_skipped() {
    for world in worlds(5) {
        let batch = world.approved(4).await;
        let suppress = Suppress {
            store: &*world.store,
            clock: &*world.clock,
            ids: &*world.ids,
            by: "hook",
        };
        suppress
            .add(&Scope::Address(person(0)), "unsubscribed", "webhook", None)
            .await
            .unwrap();
        let company = Scope::company("acorn1.example.com").unwrap();
        assert!(company.covers(&person(1)));
        suppress
            .add(
                &Scope::domain("acorn1.example.com").unwrap(),
                "customer",
                "list",
                None,
            )
            .await
            .unwrap();
        let status = br#"{"status":"opened","reply_count":1}"#.to_vec();
        let key = records::lead_status(&person(2));
        world
            .commit(vec![Write::Put {
                key,
                value: status,
                expires_in: None,
            }])
            .await;
        let report = world.run(&batch).await.unwrap();
        assert_eq!(
            state_of(&report, 0),
            ("refused", "suppressed: unsubscribed (webhook)")
        );
        assert_eq!(state_of(&report, 1).0, "refused");
        assert_eq!(
            state_of(&report, 2),
            ("refused", "the lead has answered; a person takes over")
        );
        assert_eq!(state_of(&report, 3).0, "accepted");
        assert_eq!(world.received().len(), 1);
    }
}

#[tokio::test]
async fn an_empty_scope_sends_nothing() {
    for world in worlds(5) {
        let plan = plan::plan(&*world.store, &World::request()).await.unwrap();
        let error = plan::batch(&plan, &World::request(), &*world.clock, &*world.ids).unwrap_err();
        assert_eq!(error.code(), "batch.empty");
        // An empty batch made by hand has no seal that fits.
        let mut batch = world.approved(1).await;
        batch.items.clear();
        world.edit_record(&batch).await;
        assert!(world.run(&batch).await.is_err());
        assert_eq!(world.received().len(), 0);
    }
}

#[tokio::test]
async fn scenario_17_the_limit_of_the_day_holds_across_batches() {
    for world in worlds(1) {
        let batch = world.approved(4).await;
        let mut operator = world.operator("one");
        operator.limits.email_per_day = 3;
        let report = operator.execute(&batch.id, Motion::Outbound).await.unwrap();
        assert_eq!(report.status, BatchStatus::Partial);
        assert_eq!(world.received().len(), 3);
        // What did not fit is still approved and goes with the next batch, on the next day.
        let next = plan::plan(&*world.store, &World::request()).await.unwrap();
        assert_eq!(next.offered.len(), 1);
        world.clock.advance(SignedDuration::from_hours(24));
        let batch = plan::batch(&next, &World::request(), &*world.clock, &*world.ids).unwrap();
        world.batches().add(&batch).await.unwrap();
        world
            .batches()
            .approve(&batch.id, &batch.digest, None, &keys())
            .await
            .unwrap();
        operator.execute(&batch.id, Motion::Outbound).await.unwrap();
        assert_eq!(world.received().len(), 4);
    }
}

/// Sets the stop flag while it delivers.
#[derive(Debug)]
struct StoppingChannel(Arc<RecordingChannel>, Arc<dyn StateStore>, Arc<TestIds>);

impl std::fmt::Display for StoppingChannel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "stopping {}", self.0)
    }
}

#[async_trait]
impl Channel for StoppingChannel {
    fn provider(&self) -> Provider {
        self.0.provider()
    }
    fn chunk(&self) -> usize {
        self.0.chunk()
    }
    fn settles_within(&self) -> SignedDuration {
        self.0.settles_within()
    }
    fn prepare(&self, container: &Container, items: &[Outgoing]) -> Prepared {
        self.0.prepare(container, items)
    }
    async fn deliver(&self, container: &Container, items: &[Outgoing]) -> Vec<Outcome> {
        let stop = Stop {
            by: "ann".to_owned(),
            at: String::new(),
            reason: String::new(),
        };
        stop::commit(&*self.1, &*self.2, vec![stop::set(&stop)])
            .await
            .unwrap();
        self.0.deliver(container, items).await
    }
    async fn reconcile(&self, entries: &[LedgerEntry]) -> Vec<Proof> {
        self.0.reconcile(entries).await
    }
    async fn halt(&self) -> Result<usize, String> {
        self.0.halt().await
    }
    async fn health(&self) -> Result<(), String> {
        self.0.health().await
    }
}

#[tokio::test]
async fn scenario_24_a_stop_in_mid_run_ends_it_and_loses_nothing() {
    for world in worlds(1) {
        let batch = world.approved(3).await;
        let channel = Arc::new(StoppingChannel(
            world.channel.clone(),
            world.store.clone(),
            world.ids.clone(),
        ));
        let operator = world.operator_with("one", channel);
        let report = operator.execute(&batch.id, Motion::Outbound).await.unwrap();
        assert!(report.stopped.unwrap().contains("stop flag"));
        assert_eq!(
            (report.status, world.received().len()),
            (BatchStatus::Partial, 1)
        );
        stop::commit(&*world.store, &*world.ids, vec![stop::clear()])
            .await
            .unwrap();
        let plan = plan::plan(&*world.store, &World::request()).await.unwrap();
        assert_eq!(plan.offered.len(), 2, "what was not sent stays approvable");
    }
}

#[tokio::test]
async fn outcomes_settle_as_they_are() {
    for world in worlds(1) {
        let batch = world.approved(4).await;
        world.channel.script([
            Some(Fault::LostAnswer),
            Some(Fault::Refused),
            Some(Fault::Unreached),
        ]);
        let report = world.run(&batch).await.unwrap();
        assert_eq!(report.status, BatchStatus::Unknown);
        let mut states: Vec<_> = report.items.iter().map(|it| it.state).collect();
        states.sort_unstable();
        assert_eq!(states, ["accepted", "not_sent", "rejected", "unknown"]);
        // Only what certainly was not sent may go again; the unknown one holds its touch.
        let plan = plan::plan(&*world.store, &World::request()).await.unwrap();
        assert_eq!((plan.offered.len(), plan.refused.len()), (1, 0));
        let today = world.clock.now().to_zoned(jiff::tz::TimeZone::UTC).date();
        let day = records::limit(&format!("email:day:{today}"));
        assert_eq!(world.store.counters(&[day]).await.unwrap(), [3]);
    }
}

/// Takes the messages and never answers: the process dies here.
#[derive(Debug)]
struct DyingChannel(Arc<RecordingChannel>);

impl std::fmt::Display for DyingChannel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "dying {}", self.0)
    }
}

#[async_trait]
impl Channel for DyingChannel {
    fn provider(&self) -> Provider {
        self.0.provider()
    }
    fn chunk(&self) -> usize {
        self.0.chunk()
    }
    fn settles_within(&self) -> SignedDuration {
        self.0.settles_within()
    }
    fn prepare(&self, container: &Container, items: &[Outgoing]) -> Prepared {
        self.0.prepare(container, items)
    }
    async fn deliver(&self, container: &Container, items: &[Outgoing]) -> Vec<Outcome> {
        self.0.deliver(container, items).await;
        std::future::pending().await
    }
    async fn reconcile(&self, entries: &[LedgerEntry]) -> Vec<Proof> {
        self.0.reconcile(entries).await
    }
    async fn halt(&self) -> Result<usize, String> {
        self.0.halt().await
    }
    async fn health(&self) -> Result<(), String> {
        self.0.health().await
    }
}

#[tokio::test]
async fn scenario_02_a_run_that_dies_after_the_call_is_finished_without_a_second_one() {
    for world in worlds_with_our_time(1) {
        let batch = world.approved(3).await;
        let dying = world.operator_with("dying", Arc::new(DyingChannel(world.channel.clone())));
        let run = dying.execute(&batch.id, Motion::Outbound);
        let died = tokio::time::timeout(std::time::Duration::from_millis(300), run).await;
        assert!(died.is_err());
        assert_eq!(world.received().len(), 1);
        let entries = ledger::of_batch(&*world.store, &batch.id).await.unwrap();
        assert_eq!(entries[0].state, DeliveryState::Intended);

        let held = world.run(&batch).await.unwrap_err();
        assert_eq!(held.code(), "lease.held");
        world.clock.advance(SignedDuration::from_secs(61));
        let report = world.run(&batch).await.unwrap();
        assert_eq!(report.status, BatchStatus::Executed);
        // Also the one that was claimed ahead of the call and proven not to have left.
        assert_eq!(world.received().len(), 3, "each of them once");
        let plan = plan::plan(&*world.store, &World::request()).await.unwrap();
        assert_eq!(plan.offered.len(), 0);
        let stored: (Batch, _) = world
            .store
            .get_json(&records::batch(&batch.id))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(stored.0.status, BatchStatus::Executed);
    }
}

#[tokio::test]
async fn scenario_07_approval_and_rejection_exclude_each_other() {
    for world in worlds(1) {
        let batch = world.approved(1).await;
        let revoked = world
            .batches()
            .revoke(&batch.id, "changed my mind")
            .await
            .unwrap();
        assert_eq!(revoked.status, BatchStatus::Rejected);
        let approve = world
            .batches()
            .approve(&batch.id, &batch.digest, None, &keys())
            .await;
        assert_eq!(approve.unwrap_err().code(), "batch.wrong_status");
        assert!(world.run(&batch).await.is_err());
        let newest = batches::newest(&*world.store, BatchStatus::Approved, Motion::All).await;
        assert!(newest.unwrap().is_none());
    }
}

#[tokio::test]
async fn scenario_08_an_expired_batch_is_refused_and_expired_by_the_job() {
    for world in worlds(1) {
        let batch = world.approved(1).await;
        world.clock.advance(SignedDuration::from_hours(25));
        assert_eq!(world.run(&batch).await.unwrap_err().code(), "batch.expired");
        let expired = world.batches().expire_stale().await.unwrap();
        assert_eq!(expired[0].status, BatchStatus::Expired);
        assert!(
            world.batches().expire_stale().await.unwrap().is_empty(),
            "once"
        );
    }
}
