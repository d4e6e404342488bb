//! Shadow runs over every store: the same decisions and requests, and nothing claimed.

use std::collections::BTreeSet;
use std::sync::Arc;

use caio_core::batch::BatchStatus;
use caio_core::terms::{Mode, Motion};
use caio_dispatch::channel::Handover;
use caio_dispatch::coexist::authority::{self, System};
use caio_dispatch::shadow;
use caio_state::{OverlayStore, Range, StateStoreExt};
use jiff::SignedDuration;

use crate::{World, state_of, worlds, worlds_with_our_time};

fn layer(world: &World) -> Arc<OverlayStore> {
    let clock = world.clock.clone();
    Arc::new(OverlayStore::new(world.store.clone(), clock))
}

/// Every request with what it is for, in no order: calls overlap.
fn requests(handed: &[Handover]) -> BTreeSet<String> {
    let all = handed.iter().flat_map(|it| {
        let of = it.container.name.as_str();
        it.requests.iter().map(move |it| format!("{of} {it:?}"))
    });
    all.collect()
}

#[tokio::test]
async fn a_shadow_run_leaves_every_store_as_it_is_and_the_live_run_makes_the_same_requests() {
    for world in worlds(2) {
        let batch = world.approved(5).await;
        // While the Python system sends there is all the more to compare.
        let tools = (&*world.clock as _, &*world.ids as _);
        authority::give(
            &*world.store,
            tools,
            "ann",
            Motion::Outbound,
            System::Python,
        )
        .await
        .unwrap();
        let before = world.store.dump().await.unwrap();
        let counters = [caio_dispatch::records::limit(&format!(
            "email:day:{}",
            world.today()
        ))];

        let operator = world.operator("one");
        let (report, handed) = operator
            .shadow(layer(&world), &batch.id, Motion::Outbound)
            .await
            .unwrap();
        assert_eq!(report.status, BatchStatus::Executed);
        assert!(report.items.iter().all(|it| it.state == "accepted"));
        assert_eq!(handed.len(), 3, "chunks of two");
        let uploads = handed.iter().map(|it| it.deliveries.len());
        assert_eq!(uploads.sum::<usize>(), 5);
        let created = handed.iter().flat_map(|it| &it.requests);
        let created = created.filter(|it| it.path == "/campaigns");
        assert_eq!(created.count(), 1, "a container is made once");
        assert_eq!(world.channel.calls(), 0);
        assert_eq!(world.store.dump().await.unwrap(), before);
        assert_eq!(world.store.counters(&counters).await.unwrap(), [0]);

        let tools = (&*world.clock as _, &*world.ids as _);
        shadow::keep(&*world.store, tools, "ann", &report, &handed)
            .await
            .unwrap();
        world.we_send().await;
        let mut operator = world.operator("one");
        operator.channels = shadow::kept(
            &world.store,
            &(world.ids.clone() as _),
            &batch.id,
            operator.channels,
        )
        .await
        .unwrap();
        operator.execute(&batch.id, Motion::Outbound).await.unwrap();
        let diff = shadow::diff(&*world.store, &batch.id).await.unwrap();
        assert_eq!((diff.in_shadow, diff.sent), (5, 5));
        assert!(diff.differences.is_empty(), "{diff:?}");
        let sent = shadow::sent(&*world.store, &batch.id).await.unwrap();
        assert_eq!(requests(&sent), requests(&handed));
    }
}

#[tokio::test]
async fn a_shadow_run_refuses_whom_a_live_run_refuses() {
    for world in worlds(1) {
        let batch = world.approved(3).await;
        let mut changed = batch.clone();
        changed.items[0].content = "0".repeat(64);
        world.edit_record(&changed).await;
        let operator = world.operator("one");
        let run = operator.shadow(layer(&world), &batch.id, Motion::Outbound);
        assert!(run.await.is_err(), "a broken seal");
        world.edit_record(&batch).await;

        let scope = caio_core::suppression::Scope::parse("kim1@acorn1.example.com").unwrap();
        let suppress = caio_dispatch::suppress::Suppress {
            store: &*world.store,
            clock: &*world.clock,
            ids: &*world.ids,
            by: "ann",
        };
        suppress.add(&scope, "asked", "test", None).await.unwrap();
        let operator = world.operator("one");
        let (report, handed) = operator
            .shadow(layer(&world), &batch.id, Motion::Outbound)
            .await
            .unwrap();
        assert_eq!(state_of(&report, 1).0, "refused");
        assert_eq!(handed.len(), 2);
    }
}

#[tokio::test]
async fn an_operator_in_shadow_mode_cannot_be_made_to_send() {
    for world in worlds_with_our_time(1) {
        let batch = world.approved(1).await;
        for mode in [Mode::Shadow, Mode::DryRun] {
            let mut operator = world.operator("one");
            operator.gate.inputs.requested = mode;
            let refused = operator.execute(&batch.id, Motion::Outbound).await;
            assert_eq!(refused.unwrap_err().code(), "dispatch.blocked");
        }
        assert!(world.received().is_empty());
    }
}

#[tokio::test]
async fn what_a_shadow_run_keeps_ends_by_itself() {
    for world in worlds_with_our_time(1) {
        let batch = world.approved(1).await;
        let operator = world.operator("one");
        let (report, handed) = operator
            .shadow(layer(&world), &batch.id, Motion::Outbound)
            .await
            .unwrap();
        let before = world.store.dump().await.unwrap();
        let tools = || (&*world.clock as _, &*world.ids as _);
        shadow::keep(&*world.store, tools(), "ann", &report, &handed)
            .await
            .unwrap();
        assert_eq!(shadow::list(&*world.store).await.unwrap().len(), 1);
        let longer = shadow::KEPT + SignedDuration::from_secs(1);
        world.clock.advance(longer);
        assert!(shadow::list(&*world.store).await.unwrap().is_empty());
        assert!(shadow::one(&*world.store, &batch.id).await.is_err());
        let left = |dump: String| dump.lines().filter(|it| it.contains("shadow:")).count();
        assert_eq!(left(world.store.dump().await.unwrap()), left(before));
        // The next one takes the places of those that have ended out of the index.
        let mut other = report.clone();
        other.batch = "batch_other".to_owned();
        shadow::keep(&*world.store, tools(), "ann", &other, &[])
            .await
            .unwrap();
        let index = caio_dispatch::records::SHADOW_INDEX;
        let all = Range::default();
        let page = world.store.range(index, &all, None, 9).await.unwrap();
        assert_eq!(page.items.len(), 1);
    }
}
