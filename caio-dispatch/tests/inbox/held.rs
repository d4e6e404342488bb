//! Unsigned events while a provider is on hold: they can hold a lead, and a person decides.

use caio_core::webhook::Source;
use caio_dispatch::inbox::{self, EventState};
use jiff::SignedDuration;

use crate::world::{body, key, worlds};

const AT: &str = "2026-03-02T09:00:00Z";

#[tokio::test]
async fn an_unsigned_event_holds_the_lead_and_changes_nothing_else() {
    for world in worlds() {
        let unsigned = |event: &'static str| {
            let body = body(event, AT);
            let world = &world;
            async move {
                let taken = world
                    .receive(Source::Instantly, None, body.as_bytes(), false)
                    .await;
                taken.unwrap()
            }
        };
        unsigned("email_opened").await;
        assert!(world.facts().await.suppressed.is_none());
        let opted_out = unsigned("lead_unsubscribed").await;
        assert_eq!(opted_out.state, EventState::Held);
        let why = world.facts().await.suppressed.unwrap();
        assert!(
            why.contains("unsigned") && why.contains("instantly"),
            "{why}"
        );
        let bounced = unsigned("email_bounced").await;
        world.drain().await;
        assert!(world.status().await.is_null());
        assert!(
            caio_dispatch::suppress::list(&*world.store)
                .await
                .unwrap()
                .is_empty()
        );
        assert!(world.decide().replay(&opted_out.id).await.is_err());

        // The hold ends with the last event that is decided on.
        let decide = world.decide();
        assert_eq!(
            decide.dismiss(&bounced.id).await.unwrap(),
            EventState::Dismissed
        );
        assert!(world.facts().await.suppressed.is_some());
        assert_eq!(
            decide.accept(&opted_out.id).await.unwrap(),
            EventState::Applied
        );
        assert_eq!(inbox::held(&*world.store, &key()).await.unwrap(), None);
        assert_eq!(world.status().await["status"], "unsubscribed");
        assert!(
            world
                .facts()
                .await
                .suppressed
                .unwrap()
                .contains("unsubscribed")
        );
        assert!(decide.accept(&bounced.id).await.is_err());
    }
}

#[tokio::test]
async fn a_proven_copy_takes_the_place_of_an_unsigned_one_but_not_the_other_way_round() {
    for world in worlds() {
        let reply = body("reply_received", AT);
        let taken = world
            .receive(Source::Instantly, None, reply.as_bytes(), false)
            .await;
        assert_eq!(taken.unwrap().state, EventState::Held);
        let proven = world.take(Source::Instantly, None, &reply).await;
        assert_eq!((proven.known, proven.state), (false, EventState::Pending));
        let again = world
            .receive(Source::Instantly, None, reply.as_bytes(), false)
            .await;
        assert_eq!(again.unwrap().state, EventState::Pending);
        world.drain().await;
        assert_eq!(world.status().await["status"], "replied");
        assert_eq!(inbox::held(&*world.store, &key()).await.unwrap(), None);
    }
}

#[tokio::test]
async fn an_unsigned_reply_that_names_a_profile_holds_whoever_has_it() {
    for world in worlds() {
        world.lead("https://www.linkedin.com/in/kim-lee/").await;
        let reply = include_str!("../../../tests/webhooks/heyreach_reply.json");
        let taken = world
            .receive(Source::HeyReach, None, reply.as_bytes(), false)
            .await
            .unwrap();
        assert!(world.facts().await.suppressed.is_some());
        world.decide().dismiss(&taken.id).await.unwrap();
        assert!(world.facts().await.suppressed.is_none());
    }
}

#[tokio::test]
async fn a_switch_is_named_and_ends_by_itself() {
    for world in worlds() {
        let (store, clock, ids) = (&*world.store, &*world.clock, &*world.ids);
        let now = caio_core::Clock::now(clock);
        let until = |hours| now.checked_add(SignedDuration::from_hours(hours)).unwrap();
        for hours in [-1, 0, 73] {
            let set =
                inbox::set_hold(store, clock, ids, Source::HeyReach, until(hours), "kim").await;
            assert_eq!(set.unwrap_err().code(), "webhook.hold_until", "{hours}");
        }
        inbox::set_hold(store, clock, ids, Source::HeyReach, until(4), "kim")
            .await
            .unwrap();
        let (holds, switches) = inbox::holds(store, now).await.unwrap();
        assert_eq!(holds.until(Source::HeyReach, now), Some(until(4)));
        assert_eq!(holds.until(Source::HeyReach, until(4)), None);
        assert_eq!((switches.len(), switches[0].by.as_str()), (1, "kim"));
        assert!(
            inbox::lift(store, clock, ids, Source::HeyReach, "kim")
                .await
                .unwrap()
        );
        assert!(
            !inbox::lift(store, clock, ids, Source::HeyReach, "kim")
                .await
                .unwrap()
        );
        let (holds, _) = inbox::holds(store, now).await.unwrap();
        assert_eq!(holds.until(Source::HeyReach, now), None);
    }
}

#[tokio::test]
async fn two_keys_are_valid_and_only_their_digests_are_kept() {
    for world in worlds() {
        let (store, clock, ids) = (&*world.store, &*world.clock, &*world.ids);
        let mut made = Vec::new();
        for number in 1..=3 {
            let (key, record) = inbox::rotate(store, clock, ids, Source::Clay, "kim")
                .await
                .unwrap();
            assert_eq!(record.keys.len(), number.min(2));
            made.push(key);
        }
        let valid = |record: &inbox::KeyRecord, key: &str| {
            record
                .keys
                .iter()
                .any(|stored| stored.digest.is_of(key.as_bytes()))
        };
        let record = inbox::keys_of(store, Source::Clay).await.unwrap();
        assert_eq!(
            made.iter()
                .map(|key| valid(&record, key))
                .collect::<Vec<_>>(),
            [made[0] == made[1], true, true]
        );
        let dump = caio_state::StateStoreExt::dump(store).await.unwrap();
        assert!(made.iter().all(|key| !dump.contains(key.as_str())));
        let record = inbox::retire(store, clock, ids, Source::Clay, "kim")
            .await
            .unwrap();
        assert!(record.keys.len() == 1 && valid(&record, &made[2]));
        assert!(
            inbox::keys_of(store, Source::Ghl)
                .await
                .unwrap()
                .keys
                .is_empty()
        );
    }
}
