//! The process ends while an event is taken or applied: nothing that was acknowledged is lost, and
//! nothing counts twice.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use caio_core::webhook::Source;
use caio_dispatch::inbox::{self, EventState, Wanted};
use caio_dispatch::ledger;

use crate::world::{World, body, file, key};

/// A future that is given up after some looks at it: each call of the store costs one at least, and
/// has its effect though nobody hears of it.
struct Until<'a, F>(Pin<&'a mut F>, usize);

impl<F: Future> Future for Until<'_, F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.1 == 0 {
            return Poll::Ready(None);
        }
        self.1 -= 1;
        self.0.as_mut().poll(context).map(Some)
    }
}

/// Runs `work` until it has been looked at `looks` times.
async fn until<T>(looks: usize, work: impl Future<Output = T>) -> Option<T> {
    Until(pin!(work), looks).await
}

async fn settled(world: &World) -> (Vec<String>, EventState) {
    let events = inbox::list(&*world.store, &Wanted::default(), 10)
        .await
        .unwrap();
    assert_eq!(events.len(), 1);
    (world.dump().await, events[0].state)
}

async fn undisturbed(event: &str) -> Vec<String> {
    let world = file();
    world.delivery("caio_t1_20260302_1a2b3c4d").await;
    world
        .take(
            Source::Instantly,
            None,
            &body(event, "2026-03-02T09:00:00Z"),
        )
        .await;
    world.drain().await;
    settled(&world).await.0
}

#[tokio::test]
async fn the_process_may_end_at_any_call_of_the_store() {
    for event in [
        "lead_unsubscribed",
        "email_bounced",
        "reply_received",
        "email_opened",
    ] {
        let expected = undisturbed(event).await;
        let body = body(event, "2026-03-02T09:00:00Z");
        let (mut acknowledged, mut unheard) = (0, 0);
        for looks in 0..24 {
            let world = file();
            world.delivery("caio_t1_20260302_1a2b3c4d").await;
            let taking = world.receive(Source::Instantly, None, body.as_bytes(), true);
            if until(looks, taking).await.is_some() {
                acknowledged += 1;
                // What was acknowledged needs no second delivery, and stops us already.
                let stored = inbox::list(&*world.store, &Wanted::default(), 10)
                    .await
                    .unwrap();
                assert_eq!(stored.len(), 1, "{event} after {looks}");
                let ends = matches!(event, "lead_unsubscribed" | "email_bounced");
                assert_eq!(world.facts().await.suppressed.is_some(), ends, "{event}");
            } else {
                unheard += 1;
                world.take(Source::Instantly, None, &body).await;
            }
            let _ = until(looks, world.apply().drain()).await;
            // The next process finds what is left.
            world.drain().await;
            let (dump, state) = settled(&world).await;
            assert_eq!(state, EventState::Applied, "{event} after {looks}");
            assert_eq!(dump, expected, "{event} after {looks}");
            let entries = ledger::of_person(&*world.store, &key()).await.unwrap();
            assert_eq!(entries.len(), 1);
        }
        assert!(
            acknowledged > 0 && unheard > 0,
            "{event}: {acknowledged} {unheard}"
        );
    }
}
