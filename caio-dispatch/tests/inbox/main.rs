//! The inbox of webhooks over every store: nothing that was acknowledged is lost, nothing counts
//! twice, and no order lets anybody be written to who must not be.
#![allow(clippy::unwrap_used)]

mod crash;
mod held;
mod laws;
mod world;

use caio_core::escalation::Subject;
use caio_core::webhook::{Kind, Source};
use caio_dispatch::DispatchError;
use caio_dispatch::cadence;
use caio_dispatch::inbox::{self, Apply, EventState, Wanted};
use caio_dispatch::ledger;
use caio_dispatch::notify::{self, AlertPolicy, Alerts};
use caio_dispatch::reindex::Reindex;
use caio_dispatch::tidy::Tidy;
use jiff::SignedDuration;
use world::{body, key, worlds};

#[tokio::test]
async fn an_event_is_stored_once_and_has_its_effect_once() {
    for world in worlds() {
        world.delivery("caio_t1_20260302_1a2b3c4d").await;
        let sent = body("email_sent", "2026-03-02T09:00:00Z");
        let first = world.take(Source::Instantly, None, &sent).await;
        assert_eq!(
            (first.kind, first.known, first.state),
            (Kind::Sent, false, EventState::Pending)
        );
        let again = world.take(Source::Instantly, None, &sent).await;
        assert_eq!((again.id, again.known), (first.id.clone(), true));
        let drained = world.drain().await;
        assert_eq!((drained.applied, drained.dead, drained.waiting), (1, 0, 0));
        assert_eq!(world.drain().await, inbox::Drained::default());
        let after = world.take(Source::Instantly, None, &sent).await;
        assert_eq!((after.known, after.state), (true, EventState::Applied));

        assert_eq!(world.status().await["status"], "sent");
        let entries = ledger::of_person(&*world.store, &key()).await.unwrap();
        assert_eq!(
            entries[0].sent_at.as_deref(),
            Some("2026-03-02T09:00:00.000000Z")
        );
        let dump = world.dump().await;
        assert_eq!(
            world.decide().replay(&first.id).await.unwrap(),
            EventState::Applied
        );
        assert_eq!(world.dump().await, dump, "a replay changes nothing");
    }
}

#[tokio::test]
async fn a_suppression_stands_before_anybody_is_told_that_its_event_was_taken() {
    for world in worlds() {
        for event in ["lead_unsubscribed", "email_bounced"] {
            world
                .take(
                    Source::Instantly,
                    None,
                    &body(event, "2026-03-02T09:00:00Z"),
                )
                .await;
            // Nothing has been applied yet.
            assert!(world.facts().await.suppressed.is_some(), "{event}");
        }
        let drained = world.drain().await;
        assert_eq!(drained.applied, 2);
        assert_eq!(world.status().await["status"], "unsubscribed");
        let all = caio_dispatch::suppress::list(&*world.store).await.unwrap();
        assert_eq!((all.len(), all[0].reason.as_str()), (1, "unsubscribed"));
    }
}

#[tokio::test]
async fn the_ledger_learns_of_the_delivery_that_an_event_is_about_and_of_no_other() {
    for world in worlds() {
        world.delivery("caio_t1_20260302_1a2b3c4d").await;
        world.delivery("caio_t1_20260302_ffffffff").await;
        world
            .take(
                Source::Instantly,
                None,
                &body("reply_received", "2026-03-02T09:30:00Z"),
            )
            .await;
        world
            .take(
                Source::Instantly,
                None,
                &body("email_sent", "2026-03-02T09:00:00Z"),
            )
            .await;
        let foreign = body("email_sent", "2026-03-02T09:00:00Z").replace("1a2b3c4d", "00000000");
        world.take(Source::Instantly, None, &foreign).await;
        world.drain().await;
        let entries = ledger::of_person(&*world.store, &key()).await.unwrap();
        let of = |name: &str| {
            entries
                .iter()
                .find(|it| it.container.name.ends_with(name))
                .unwrap()
        };
        let (ours, other) = (of("1a2b3c4d"), of("ffffffff"));
        assert!(ours.sent_at.is_some() && ours.replied_at.is_some() && ours.bounced_at.is_none());
        assert_eq!((&other.sent_at, &other.replied_at), (&None, &None));
    }
}

#[tokio::test]
async fn linkedin_events_find_the_lead_by_its_profile() {
    for world in worlds() {
        let reply = include_str!("../../../tests/webhooks/heyreach_reply.json");
        let first = world.take(Source::HeyReach, None, reply).await;
        assert_eq!(world.drain().await.dead, 1, "no lead has that profile yet");
        world.lead("https://linkedin.com/in/Kim-Lee").await;
        assert_eq!(
            world.decide().replay(&first.id).await.unwrap(),
            EventState::Applied
        );
        assert_eq!(world.status().await["status"], "linkedin_replied");
        // The same reply by another subscription is the same event.
        let every = include_str!("../../../tests/webhooks/heyreach_every_reply.json");
        assert!(world.take(Source::HeyReach, None, every).await.known);
        assert_eq!(world.status().await["reply_count"], 1);
    }
}

#[tokio::test]
async fn what_nobody_understands_is_kept_for_a_person() {
    for world in worlds() {
        let label = include_str!("../../../tests/webhooks/instantly_label.json");
        let nobody = r#"{"event_type": "lead_unsubscribed", "lead_email": "../../x"}"#;
        let row = include_str!("../../../tests/webhooks/clay_row.json");
        world.take(Source::Instantly, None, label).await;
        world.take(Source::Instantly, None, nobody).await;
        world.take(Source::Clay, None, row).await;
        // RB2B ends the integration on a refusal, so even what is no event is kept.
        let broken = world
            .receive(Source::Rb2b, None, b"\xff{", true)
            .await
            .unwrap();
        assert_eq!(broken.state, EventState::Dead);
        assert_eq!(world.drain().await.dead, 3);
        let dead = Wanted {
            state: Some(EventState::Dead),
            ..Wanted::default()
        };
        let listed = inbox::list(&*world.store, &dead, 10).await.unwrap();
        assert_eq!(listed.len(), 4);
        assert!(listed.iter().all(|event| !event.reason.is_empty()));
        let kept = listed.iter().find(|event| event.id == broken.id).unwrap();
        assert!(kept.encoded && kept.event().is_err());
        let refused = world
            .receive(Source::Instantly, None, b"[]", true)
            .await
            .unwrap_err();
        assert!(matches!(refused, DispatchError::Webhook(_)));
        assert_eq!(refused.code(), "webhook.not_object");
        assert_eq!(
            inbox::list(&*world.store, &Wanted::default(), 10)
                .await
                .unwrap()
                .len(),
            4
        );
        world.decide().dismiss(&broken.id).await.unwrap();
        assert_eq!(
            inbox::list(&*world.store, &dead, 10).await.unwrap().len(),
            3
        );
        assert!(world.decide().replay(&broken.id).await.is_err());
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_left_to_a_person_and_stops_no_other_event() {
    for world in worlds() {
        world
            .put(caio_dispatch::records::lead_status(&key()), b"no record")
            .await;
        world
            .take(
                Source::Instantly,
                None,
                &body("email_opened", "2026-03-02T09:00:00Z"),
            )
            .await;
        let other = body("email_opened", "2026-03-02T09:00:00Z").replace("Kim@", "lou@");
        world.take(Source::Instantly, None, &other).await;
        let drained = world.drain().await;
        assert_eq!((drained.applied, drained.waiting), (1, 1));
        let mut rounds = 1;
        while world.drain().await.dead == 0 {
            rounds += 1;
        }
        assert_eq!(rounds, 4);
        // Until then, and after, nobody writes to them.
        assert!(world.facts().await.suppressed.is_some());
    }
}

#[tokio::test]
async fn an_event_that_cannot_be_read_stops_none_of_its_page() {
    for world in worlds() {
        let mut taken = Vec::new();
        for person in ["ann@", "lou@", "kim@"] {
            let body = body("email_opened", "2026-03-02T09:00:00Z").replace("Kim@", person);
            taken.push(world.take(Source::Instantly, None, &body).await.id);
        }
        let middle = caio_dispatch::records::webhook(&taken[1]);
        world.put(middle, b"no record").await;
        for applied in [2, 0] {
            let drained = world.drain().await;
            assert_eq!((drained.applied, drained.waiting), (applied, 1));
        }
    }
}

#[tokio::test]
async fn who_waits_together_is_committed_together_and_each_gets_an_answer() {
    for world in worlds() {
        let bodies: Vec<String> = (0..40)
            .map(|number| {
                body(
                    "email_opened",
                    &format!("2026-03-02T09:00:{:02}Z", number % 20),
                )
            })
            .collect();
        let world = std::sync::Arc::new(world);
        let mut all = tokio::task::JoinSet::new();
        for body in bodies {
            let world = std::sync::Arc::clone(&world);
            all.spawn(async move { world.take_together(&body).await });
        }
        let answers = all.join_all().await;
        assert_eq!(
            answers.iter().filter(|received| !received.known).count(),
            20
        );
        assert_eq!(world.drain().await.applied, 20);
        assert_eq!(world.status().await["open_count"], 20);
    }
}

#[tokio::test]
async fn events_that_are_over_leave_after_a_while_and_those_that_wait_for_a_person_stay() {
    for world in world::worlds_with_our_time() {
        world
            .take(
                Source::Instantly,
                None,
                &body("lead_unsubscribed", "2026-03-02T09:00:00Z"),
            )
            .await;
        let label = include_str!("../../../tests/webhooks/instantly_label.json");
        world.take(Source::Instantly, None, label).await;
        world.drain().await;
        let tidy = Tidy {
            store: &*world.store,
            clock: &*world.clock,
            ids: &*world.ids,
            dry_run: false,
        };
        assert_eq!(tidy.run().await.unwrap().webhooks, 0);
        world.clock.advance(SignedDuration::from_hours(91 * 24));
        assert_eq!(tidy.run().await.unwrap().webhooks, 1);
        let left = inbox::list(&*world.store, &Wanted::default(), 10)
            .await
            .unwrap();
        assert_eq!((left.len(), left[0].state), (1, EventState::Dead));
        assert!(world.facts().await.suppressed.is_some());
        let reindex = Reindex {
            store: &*world.store,
            ids: &*world.ids,
            dry_run: true,
        };
        assert!(reindex.run().await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_reply_ends_the_follow_up_at_once() {
    for world in worlds() {
        world.lead("").await;
        let follow_ups = world.follow_ups();
        let sent = "2026-03-01T12:00:00Z".parse().unwrap();
        follow_ups.enroll(&key(), Some(sent)).await.unwrap();
        let apply = Apply {
            follow_ups: Some(&follow_ups),
            ..world.apply()
        };
        let status = async || {
            let enrolment = cadence::one(&*world.store, &key()).await.unwrap().unwrap();
            enrolment.status().to_owned()
        };
        world
            .take(
                Source::Instantly,
                None,
                &body("email_opened", "2026-03-02T09:00:00Z"),
            )
            .await;
        apply.drain().await.unwrap();
        assert_eq!(status().await, "active");
        world
            .take(
                Source::Instantly,
                None,
                &body("reply_received", "2026-03-02T09:30:00Z"),
            )
            .await;
        apply.drain().await.unwrap();
        assert_eq!(status().await, "exited");
    }
}

/// Whoever answers is told of at once and once; a no, a machine's note and an open are nobody's news.
#[tokio::test]
async fn a_person_who_answers_is_told_of_once() {
    for world in worlds() {
        world.lead("").await;
        let policy = AlertPolicy::default();
        let alerts = Alerts {
            store: &*world.store,
            clock: &*world.clock,
            ids: &*world.ids,
            policy: &policy,
        };
        let apply = Apply {
            alerts: Some(alerts),
            ..world.apply()
        };
        let told = async || {
            let listed = notify::list(&*world.store, None, 9).await.unwrap();
            let told = listed.into_iter().map(|it| {
                let alert = it.alert;
                assert!(!format!("{} {}", alert.title, alert.text).contains(key().as_str()));
                (alert.kind, alert.level.number(), alert.subject)
            });
            told.collect::<Vec<_>>()
        };
        let arrives = async |name: &str, at: &str| {
            world.take(Source::Instantly, None, &body(name, at)).await;
            apply.drain().await.unwrap();
        };
        arrives("email_opened", "2026-03-02T09:00:00Z").await;
        arrives("auto_reply_received", "2026-03-02T09:01:00Z").await;
        arrives("lead_not_interested", "2026-03-02T09:02:00Z").await;
        assert_eq!(told().await, []);
        arrives("reply_received", "2026-03-02T09:03:00Z").await;
        let person = caio_dispatch::records::person(&key());
        let warm = ("interest".to_owned(), 2, person.clone());
        assert_eq!(told().await, std::slice::from_ref(&warm));
        // The same again is folded; what is louder is told.
        arrives("reply_received", "2026-03-02T09:04:00Z").await;
        assert_eq!(told().await, std::slice::from_ref(&warm));
        arrives("lead_meeting_booked", "2026-03-02T09:05:00Z").await;
        let hot = ("interest".to_owned(), 3, person);
        assert_eq!(told().await, [hot, warm]);
        assert_eq!(world.status().await["status"], "meeting_booked");
    }
}

/// Who is told of the dead letters hears of whom, how many, why and what to do.
#[tokio::test]
async fn dead_letters_are_told_by_provider_with_their_count() {
    for world in worlds() {
        for number in 0..3 {
            let odd =
                format!(r#"{{"event_type":"brand_new_{number}","email":"kim@acorn.example.com"}}"#);
            world.take(Source::Instantly, None, &odd).await;
        }
        world
            .take(Source::HeyReach, None, r#"{"eventType":"NEVER_SEEN"}"#)
            .await;
        assert_eq!(world.drain().await.dead, 4);
        let told = inbox::dead_letters(&*world.store).await.unwrap();
        let titles: Vec<String> = told.iter().map(Subject::title).collect();
        assert_eq!(titles.len(), 2, "{titles:?}");
        assert!(titles.contains(&"3 events of instantly could not be taken in".to_owned()));
        assert!(titles.contains(&"An event of heyreach could not be taken in".to_owned()));
        for subject in &told {
            let text = subject.text();
            assert!(text.contains("nobody here knows what"), "{text}");
            assert!(text.contains("caio webhooks list --state dead"), "{text}");
        }
    }
}
