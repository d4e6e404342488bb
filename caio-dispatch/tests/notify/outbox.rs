//! The outbox: what is raised is told, once or a bounded number of times, or ends where people look.

use caio_core::Clock;
use caio_core::escalation::AlertChannel::{Email, Slack, Sms};
use caio_core::escalation::{AlertChannel, ChannelResult, MOST_ATTEMPTS, Subject};
use caio_dispatch::notify::{self, Alert, AlertState, Listed, Notifiers, Which};
use caio_dispatch::reindex::Reindex;
use caio_dispatch::{DispatchError, doctor, records};
use caio_state::{Access, SqliteStore, StateStoreExt};
use jiff::SignedDuration;

use crate::voice::{later, refused, unknown};
use crate::{Place, breaker, voices};

async fn alert(place: &Place, id: &str) -> Alert {
    let found = place.store.get_json(&records::alert(id)).await.unwrap();
    found.unwrap().0
}

async fn all(place: &Place) -> Vec<Listed> {
    notify::list(&*place.store, None, 100).await.unwrap()
}

#[tokio::test]
async fn every_level_with_every_set_of_channels_through_the_outbox() {
    for level in 1..=3_u8 {
        for bits in 0..8_u8 {
            let has = |at: usize| bits & (1 << at) != 0;
            let channels = AlertChannel::ALL.iter().enumerate();
            let channels: Vec<AlertChannel> = channels
                .filter(|(at, _)| has(*at))
                .map(|(_, channel)| *channel)
                .collect();
            let (notifiers, voices) = voices(&channels);
            let place = Place::new();
            let id = place.raise(level).await;
            place.deliver(&notifiers).await;
            let told = voices.iter().map(|voice| voice.count()).sum::<usize>();
            let expected = usize::from(level).min(channels.len());
            assert_eq!(told, expected, "level {level}, channels {channels:?}");
            let alert = alert(&place, &id).await;
            let state = match bits {
                0 => AlertState::Waiting,
                _ => AlertState::Delivered,
            };
            assert_eq!(alert.state, state, "level {level}, channels {channels:?}");
            let sent = alert.results.values();
            let sent = sent.filter(|it| **it == ChannelResult::Sent).count();
            assert_eq!(sent, expected, "what is called sent was sent");
            // Nothing is told again.
            place.clock.advance(SignedDuration::from_hours(1));
            place.deliver(&notifiers).await;
            assert_eq!(voices.iter().map(|it| it.count()).sum::<usize>(), told);
        }
    }
}

#[tokio::test]
async fn an_alert_that_nobody_can_be_told_waits_a_day_and_is_a_dead_letter_then() {
    let place = Place::new();
    let id = place.raise(1).await;
    let none = Notifiers::default();
    place.deliver(&none).await;
    assert_eq!(alert(&place, &id).await.state, AlertState::Waiting);
    place.clock.advance(SignedDuration::from_hours(25));
    place.deliver(&none).await;
    let dead = notify::list(&*place.store, Some(AlertState::Dead), 10).await;
    let dead = dead.unwrap();
    assert_eq!(dead.len(), 1);
    let results = &dead[0].alert.results;
    assert_eq!(results[&Slack], ChannelResult::NotConfigured);
    let findings = doctor::examine(&*place.store).await.unwrap();
    assert!(
        findings.iter().any(|it| it.code == "doctor.alerts_dead"),
        "{findings:?}"
    );
    // Once a channel is there, a person may have it tried again.
    let (notifiers, voices) = voices(&[Slack]);
    let time = (&*place.clock as _, &*place.ids as _);
    assert_eq!(notify::retry_dead(&*place.store, time).await.unwrap(), 1);
    place.deliver(&notifiers).await;
    assert_eq!(voices[0].count(), 1);
    assert_eq!(alert(&place, &id).await.state, AlertState::Delivered);
}

#[tokio::test]
async fn nt_01_a_dead_hook_falls_back_once_says_so_and_is_no_loop() {
    let (notifiers, voices) = voices(&[Slack, Email]);
    voices[0].script([refused()]);
    let place = Place::new();
    let id = place.raise(1).await;
    place.deliver(&notifiers).await;
    place.clock.advance(SignedDuration::from_hours(1));
    place.deliver(&notifiers).await;
    assert_eq!([voices[0].count(), voices[1].count()], [1, 1]);
    let alert = alert(&place, &id).await;
    assert_eq!(alert.state, AlertState::Delivered);
    assert_eq!(alert.results[&Slack], ChannelResult::FellBack);
    assert_eq!(alert.results[&Email], ChannelResult::Sent);
    let told = &voices[1].heard()[0];
    assert!(
        told.text
            .contains("slack did not take this: no_active_hooks"),
        "the alarm path is alarmed about: {}",
        told.text
    );
}

#[tokio::test]
async fn a_pause_that_is_asked_for_holds_for_every_alert_and_is_bounded() {
    let (notifiers, voices) = voices(&[Slack]);
    voices[0].script([later(Some(3_600))]);
    let place = Place::new();
    let first = place.raise(1).await;
    let second = place.raise(3).await;
    place.deliver(&notifiers).await;
    assert_eq!(voices[0].count(), 1, "the second alert leaves it alone");
    place.clock.advance(SignedDuration::from_secs(20));
    place.deliver(&notifiers).await;
    assert_eq!(voices[0].count(), 1);
    place.clock.advance(SignedDuration::from_secs(11));
    place.deliver(&notifiers).await;
    assert_eq!(voices[0].count(), 3, "not later than thirty seconds");
    for id in [first, second] {
        assert_eq!(alert(&place, &id).await.state, AlertState::Delivered);
    }
}

#[tokio::test]
async fn a_channel_that_never_recovers_is_tried_three_times_and_then_the_next() {
    let (notifiers, voices) = voices(&[Slack, Sms]);
    voices[0].script((0..20).map(|at| if at % 2 == 0 { unknown() } else { later(None) }));
    let place = Place::new();
    let id = place.raise(1).await;
    for _ in 0..20 {
        place.deliver(&notifiers).await;
        place.clock.advance(SignedDuration::from_mins(1));
    }
    assert_eq!(u32::try_from(voices[0].count()), Ok(MOST_ATTEMPTS));
    assert_eq!(voices[1].count(), 1);
    let alert = alert(&place, &id).await;
    assert_eq!(alert.results[&Slack], ChannelResult::FellBack);
    assert_eq!(alert.results[&Sms], ChannelResult::Sent);
}

#[tokio::test]
async fn nt_02_a_text_message_whose_answer_was_lost_is_not_sent_again() {
    let (notifiers, voices) = voices(&[Slack, Sms, Email]);
    voices[1].script([unknown()]);
    let place = Place::new();
    let id = place.raise(2).await;
    for _ in 0..5 {
        place.deliver(&notifiers).await;
        place.clock.advance(SignedDuration::from_mins(1));
    }
    let counts: Vec<usize> = voices.iter().map(|it| it.count()).collect();
    assert_eq!(counts, [1, 1, 1], "e-mail in its place");
    let alert = alert(&place, &id).await;
    assert_eq!(alert.results[&Sms], ChannelResult::FellBack);
}

#[tokio::test]
async fn repeated_alerts_are_folded_and_the_next_says_how_many() {
    let (notifiers, voices) = voices(&[Slack, Sms]);
    let place = Place::new();
    for _ in 0..4 {
        place.alerts().raise(&breaker()).await.unwrap();
        place.clock.advance(SignedDuration::from_mins(4));
    }
    place.deliver(&notifiers).await;
    assert_eq!(
        voices[0].count(),
        1,
        "0, 4, 8 and 12 minutes are one window"
    );
    assert_eq!(all(&place).await[0].folded_since, 3);
    place.alerts().raise(&breaker()).await.unwrap();
    place.deliver(&notifiers).await;
    let heard = voices[0].heard();
    assert_eq!(heard.len(), 2);
    assert!(
        heard[1].text.contains("3 more of the same before"),
        "{}",
        heard[1].text
    );
    // Another provider's breaker is another thing.
    let other = Subject::BreakerOpened {
        provider: caio_core::terms::Provider::HeyReach,
    };
    assert!(place.alerts().raise(&other).await.unwrap().is_some());
}

#[tokio::test]
async fn an_alert_outlives_the_process_at_any_instant_of_its_delivery() {
    // Killed before, and within, each call of a level 2 alert.
    for killed_in in [None, Some(Slack), Some(Sms)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.db");
        let mut place = Place::new();
        let open = |place: &Place| {
            SqliteStore::open(&path, place.clock.clone(), Access::ReadWrite).unwrap()
        };
        place.store = std::sync::Arc::new(open(&place));
        let id = place.raise(2).await;
        let (notifiers, voices) = voices(&[Slack, Sms, Email]);
        if let Some(channel) = killed_in {
            let voice = &voices[usize::from(channel == Sms)];
            voice.hang();
            tokio::select! {
                _ = place.deliver(&notifiers) => panic!("it hangs in {channel}"),
                () = voice.hangs.notified() => {}
            }
        }
        // Another process, once the lease of the one that died has ended.
        drop(std::mem::replace(
            &mut place.store,
            std::sync::Arc::new(open(&Place::new())),
        ));
        place.store = std::sync::Arc::new(open(&place));
        place.clock.advance(SignedDuration::from_mins(2));
        for _ in 0..3 {
            place.deliver(&notifiers).await;
            place.clock.advance(SignedDuration::from_mins(1));
        }
        let alert = alert(&place, &id).await;
        assert_eq!(alert.state, AlertState::Delivered, "{killed_in:?}");
        let counts: Vec<usize> = voices.iter().map(|it| it.count()).collect();
        let expected = match killed_in {
            None => [1, 1, 0],
            // It may have been told: Slack again, a text message never, e-mail in its place.
            Some(Slack) => [2, 1, 0],
            _ => [1, 1, 1],
        };
        assert_eq!(counts, expected, "{killed_in:?}");
    }
}

#[tokio::test]
async fn one_process_delivers_at_a_time() {
    let place = Place::new();
    place.raise(1).await;
    let (slow, voices_of_slow) = voices(&[Slack]);
    voices_of_slow[0].hang();
    let (other, voices_of_other) = voices(&[Slack]);
    let first = place.drain(&slow, "first");
    tokio::select! {
        _ = first.run(Which::Due) => panic!("it hangs"),
        () = voices_of_slow[0].hangs.notified() => {
            let second = place.drain(&other, "second").run(Which::All).await.unwrap();
            assert!(second.busy.unwrap().contains("first"));
            assert_eq!(voices_of_other[0].count(), 0);
        }
    }
}

#[tokio::test]
async fn who_has_seen_an_alert_is_kept_and_no_delivery_undoes_it() {
    let place = Place::new();
    let id = place.raise(1).await;
    let (notifiers, voices) = voices(&[Slack]);
    voices[0].script([later(None)]);
    place.deliver(&notifiers).await;
    let time = (&*place.clock as _, &*place.ids as _);
    let acknowledge = |by| notify::acknowledge(&*place.store, time, by, &id);
    acknowledge("kim").await.unwrap();
    acknowledge("ann").await.unwrap();
    place.clock.advance(SignedDuration::from_mins(1));
    place.deliver(&notifiers).await;
    let alert = alert(&place, &id).await;
    assert_eq!(alert.acknowledged.unwrap().by, "kim");
    assert_eq!(alert.state, AlertState::Delivered);
    let none = notify::acknowledge(&*place.store, time, "kim", "nothing").await;
    assert!(matches!(none, Err(DispatchError::NotFound { .. })));
}

#[tokio::test]
async fn the_list_is_the_newest_first_and_what_is_old_is_removed() {
    let place = Place::new();
    let (notifiers, _) = voices(&[Slack, Sms, Email]);
    let mut raised = Vec::new();
    for level in [1, 2, 3] {
        raised.push(place.raise(level).await);
        place.clock.advance(SignedDuration::from_secs(1));
    }
    place.deliver(&notifiers).await;
    let ids: Vec<String> = all(&place)
        .await
        .into_iter()
        .map(|it| it.alert.id)
        .collect();
    raised.reverse();
    assert_eq!(ids, raised);
    let two = notify::list(&*place.store, None, 2).await.unwrap();
    assert_eq!(two.len(), 2);
    let reindex = Reindex {
        store: &*place.store,
        ids: &*place.ids,
        dry_run: true,
    };
    assert!(
        reindex.run().await.unwrap().is_none(),
        "every place is known"
    );
    place.clock.advance(SignedDuration::from_hours(31 * 24));
    let fresh = place.raise(1).await;
    place.deliver(&notifiers).await;
    let left: Vec<String> = all(&place)
        .await
        .into_iter()
        .map(|it| it.alert.id)
        .collect();
    assert_eq!(left, [fresh]);
    assert!(reindex.run().await.unwrap().is_none());
}

#[tokio::test]
async fn raising_is_one_commit_and_a_store_that_is_away_only_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    let mut place = Place::new();
    drop(SqliteStore::open(&path, place.clock.clone(), Access::ReadWrite).unwrap());
    let closed = SqliteStore::open(&path, place.clock.clone(), Access::ReadOnly).unwrap();
    place.store = std::sync::Arc::new(closed);
    let problems = place.alerts().raise_all([breaker(), breaker()]).await;
    assert_eq!(problems.len(), 1, "it is asked once: {problems:?}");
    assert!(problems[0].contains("could not be raised"), "{problems:?}");
}

#[tokio::test]
async fn a_link_is_in_the_message_and_the_time_is_when_it_was_raised() {
    let mut place = Place::new();
    place.policy.link = Some("https://caio.example.com/sales".to_owned());
    let raised = place.clock.now();
    place.raise(1).await;
    place.clock.advance(SignedDuration::from_mins(3));
    let (notifiers, voices) = voices(&[Slack]);
    place.deliver(&notifiers).await;
    let heard = &voices[0].heard()[0];
    assert_eq!(
        heard.link.as_deref(),
        Some("https://caio.example.com/sales")
    );
    assert_eq!(heard.raised_at, raised);
}
