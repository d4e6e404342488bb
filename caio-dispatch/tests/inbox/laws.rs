//! In whatever order events arrive, and however often: what is known in the end is the same.

use caio_core::Medium;
use caio_core::eligibility::{Candidate, ContentCheck, Eligibility, eligible};
use caio_core::webhook::Source;
use caio_dispatch::reindex::Reindex;
use proptest::prelude::*;

use crate::world::{World, body, memory};

const EVENTS: [&str; 8] = [
    "email_sent",
    "email_opened",
    "link_clicked",
    "reply_received",
    "auto_reply_received",
    "email_bounced",
    "lead_unsubscribed",
    "lead_meeting_booked",
];

fn event(number: usize, minute: u8) -> String {
    body(EVENTS[number], &format!("2026-03-02T09:{minute:02}:00Z"))
}

/// What is known of the lead, without the order in which it came to be known.
async fn known(world: &World) -> String {
    let record = world.status().await;
    let mut signals: Vec<String> = record["signals"]
        .as_array()
        .into_iter()
        .flatten()
        .map(ToString::to_string)
        .collect();
    signals.sort();
    let facts = world.facts().await;
    let entries = caio_dispatch::ledger::of_person(&*world.store, &crate::world::key()).await;
    format!(
        "{} {} {} {} {signals:?} {:?} {:?}",
        record["status"],
        record["open_count"],
        record["reply_count"],
        record["updated_at"],
        facts.suppressed.is_some(),
        entries.unwrap(),
    )
}

async fn told(events: &[(usize, u8)], drains: &[bool]) -> World {
    let world = memory();
    world.delivery("caio_t1_20260302_1a2b3c4d").await;
    for ((number, minute), drain) in events.iter().zip(drains.iter().cycle()) {
        world
            .take(Source::Instantly, None, &event(*number, *minute))
            .await;
        if *drain {
            world.drain().await;
        }
    }
    world.drain().await;
    let reindex = Reindex {
        store: &*world.store,
        ids: &*world.ids,
        dry_run: true,
    };
    let drift = reindex.run().await.unwrap();
    assert!(drift.is_none(), "{drift:?}");
    world
}

async fn is_sendable(world: &World) -> bool {
    let facts = world.facts().await;
    let candidate = Candidate {
        recipient: "kim@example.com",
        suppressed: facts.suppressed.as_deref(),
        lead_status: facts.lead_status.as_deref(),
        has_replied: facts.has_replied,
        held: facts.follow_up.as_deref(),
        touched: facts.touched,
        medium: Medium::Email,
        step: caio_core::Step(1),
        draft: caio_core::DraftStatus::Approved,
        tier: caio_core::Tier::One,
        tier_filter: None,
        synthetic: false,
        canary: false,
        content: ContentCheck::Sealed,
    };
    eligible(&candidate) == Eligibility::Ok
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn scenario_06_no_order_of_events_leaves_anybody_sendable_who_must_not_be(
        events in prop::collection::vec((0..EVENTS.len(), 0..60_u8), 1..9),
        shuffled in any::<prop::sample::Index>(),
        twice in any::<prop::sample::Index>(),
        drains in prop::collection::vec(any::<bool>(), 1..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let expected = told(&events, &[true]).await;
            let mut other = events.clone();
            other.rotate_left(shuffled.index(events.len()));
            other.push(events[twice.index(events.len())]);
            other.reverse();
            let world = told(&other, &drains).await;
            prop_assert_eq!(known(&world).await, known(&expected).await);
            let ends = events.iter().any(|(number, _)| {
                ["reply_received", "email_bounced", "lead_unsubscribed", "lead_meeting_booked"]
                    .contains(&EVENTS[*number])
            });
            prop_assert_eq!(is_sendable(&world).await, !ends);
            Ok(())
        })?;
    }
}
