//! Two senders on one Redis: ours, and a stand-in for the old one.

use std::collections::BTreeMap;
use std::sync::Arc;

use caio_core::Clock;
use caio_core::draft::Draft;
use caio_core::identity::draft_id;
use caio_core::terms::{Medium, Motion, Provider, Step};
use caio_dispatch::channel::{Channel, Fault, RecordingChannel};
use caio_dispatch::coexist::PythonLocks;
use caio_dispatch::coexist::authority::{self, System};
use caio_dispatch::coexist::followed::Watch;
use caio_dispatch::operator::{Operator, RunReport};
use caio_dispatch::records;
use jiff::SignedDuration;

use crate::{World, state_of, worlds};

/// What the old operator does: its lock with a plain SET, its record with a plain GET and SET.
struct OldOperator<'a>(&'a World, u16);

impl OldOperator<'_> {
    async fn ask<T: redis::FromRedisValue>(&self, parts: &[&str]) -> T {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.1)).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut command = redis::cmd(parts[0]);
        for part in &parts[1..] {
            command.arg(*part);
        }
        command.query_async(&mut connection).await.unwrap()
    }

    async fn lock(&self) -> bool {
        let key = "caio-test:locks:operator:outbound";
        let taken: Option<String> = self.ask(&["SET", key, "token", "NX", "EX", "240"]).await;
        taken.is_some()
    }

    async fn unlock(&self) {
        self.ask::<()>(&["DEL", "caio-test:locks:operator:outbound"])
            .await;
    }

    fn record(&self) -> String {
        let today = self.0.clock.now().to_zoned(jiff::tz::TimeZone::UTC).date();
        format!("caio-test:operator:state:{today}")
    }
}

#[tokio::test]
async fn two_senders_one_person_one_message_in_both_orders() {
    let world = worlds(1).pop().unwrap();
    let port = world.home.1.as_ref().unwrap().port();
    let old = OldOperator(&world, port);

    // The old one is first: we are refused, and told by whom.
    let batch = world.approved(2).await;
    assert!(old.lock().await);
    let refused = world.run(&batch).await.unwrap_err();
    assert_eq!(refused.code(), "lock.held");
    assert!(
        refused.to_string().contains("the Python system"),
        "{refused}"
    );
    assert!(world.received().is_empty());
    let person = batch.items[0].recipient.to_string();
    let sent = format!(
        r#"{{"date": "x", "outbound_email_dispatched": 1, "leads_dispatched": ["email:{person}"], "runs_today": 7}}"#
    );
    old.ask::<()>(&["SET", &old.record(), &sent]).await;
    old.unlock().await;

    // Now it is our turn: whom it wrote to is left out, the other one goes, and it is told.
    let report = world.run(&batch).await.unwrap();
    let states: BTreeMap<&str, &str> = report
        .items
        .iter()
        .map(|it| (it.recipient.as_str(), it.state))
        .collect();
    assert_eq!(states[person.as_str()], "refused", "{report:?}");
    assert_eq!(world.received().len(), 1);
    let told: String = old.ask(&["GET", &old.record()]).await;
    let other = batch.items[1].recipient.to_string();
    assert!(
        told.contains(&format!("[\"email:{person}\", \"email:{other}\"]")),
        "{told}"
    );
    assert!(
        told.contains("\"outbound_email_dispatched\": 2") && told.contains("\"runs_today\": 7")
    );

    // While we are at it, it is refused; and nothing of ours looks approved to it.
    let locks = PythonLocks::take(
        &*world.store,
        &*world.ids,
        Motion::Outbound,
        "one",
        SignedDuration::from_secs(60),
    )
    .await
    .unwrap();
    assert!(!old.lock().await);
    locks.release(&*world.store, &*world.ids).await.unwrap();
    assert!(old.lock().await);
    let batches: Vec<String> = old.ask(&["KEYS", "caio-test:operator:batch:*"]).await;
    assert!(batches.is_empty(), "{batches:?}");
}

#[tokio::test]
async fn nobody_sends_for_a_motion_that_is_not_theirs() {
    for world in worlds(5) {
        let batch = world.approved(1).await;
        let tools = || (&*world.clock as _, &*world.ids as _);
        authority::give(
            &*world.store,
            tools(),
            "ann",
            Motion::Outbound,
            System::Python,
        )
        .await
        .unwrap();
        let refused = world.run(&batch).await.unwrap_err();
        assert_eq!(refused.code(), "authority.python");
        assert!(refused.to_string().contains("ann"), "{refused}");
        // Another motion's word does not count for this one; nobody's word is nobody's.
        let silent = worlds(5).pop().unwrap();
        let other = silent.approved(1).await;
        let key = caio_state::Key::new(&["caio", "authority", "outbound"]);
        silent.commit(vec![caio_state::Write::Delete(key)]).await;
        let refused = silent.run(&other).await.unwrap_err();
        assert_eq!(refused.code(), "authority.python");
        // With one system there is nobody to ask about.
        let alone = Operator {
            coexist: None,
            ..silent.operator("one")
        };
        alone.execute(&other.id, Motion::Outbound).await.unwrap();
        assert_eq!((world.received().len(), silent.received().len()), (0, 1));
    }
}

#[tokio::test]
async fn an_opt_out_that_only_the_old_folder_knows_stops_the_message() {
    for world in worlds(5) {
        let folder = tempfile::tempdir().unwrap();
        let operator = Operator {
            coexist: Some(Watch::folder(folder.path().to_owned())),
            ..world.operator("one")
        };
        let batch = world.approved(3).await;
        let torn = folder.path().join("lead_status/x.json");
        std::fs::create_dir_all(torn.parent().unwrap()).unwrap();
        std::fs::write(&torn, "{\"email\"").unwrap();
        let refused = operator
            .execute(&batch.id, Motion::Outbound)
            .await
            .unwrap_err();
        assert_eq!(refused.code(), "follow.unreadable");
        assert!(refused.to_string().contains("x.json"), "{refused}");
        assert!(world.received().is_empty());
        let person = crate::person(1);
        let status = format!("{{\"email\": \"{person}\", \"status\": \"unsubscribed\"}}");
        std::fs::write(&torn, status).unwrap();
        let report = operator.execute(&batch.id, Motion::Outbound).await.unwrap();
        assert_eq!(state_of(&report, 1).0, "refused", "{report:?}");
        assert_eq!(world.received().len(), 2);
    }
}

#[tokio::test]
async fn a_folder_that_nobody_looks_into_any_more_stops_everything() {
    let world = worlds(5).remove(0);
    let batch = world.approved(1).await;
    let operator = || Operator {
        coexist: Some(Watch::elsewhere(SignedDuration::from_mins(5))),
        ..world.operator("one")
    };
    world.clock.advance(SignedDuration::from_mins(6));
    let refused = operator()
        .execute(&batch.id, Motion::Outbound)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "follow.stale");
    world.we_send().await;
    operator()
        .execute(&batch.id, Motion::Outbound)
        .await
        .unwrap();
    assert_eq!(world.received().len(), 1);
}

/// An approved invitation for a person.
async fn invitation(world: &World, number: usize) {
    let invitation = Draft {
        medium: Medium::LinkedIn,
        id: draft_id(&crate::person(number), Medium::LinkedIn, Step::FIRST),
        ..crate::world::draft(number)
    };
    world
        .commit(records::put_draft(&invitation, None).unwrap())
        .await;
    world.review().approve(&invitation.id).await.unwrap();
}

/// A run over letters and invitations of so many people in one batch; who got what.
async fn both_media(
    world: &World,
    people: usize,
    (chunk, faults): (usize, Vec<Option<Fault>>),
) -> (Vec<String>, Vec<String>, RunReport) {
    world.fill(people).await;
    for number in 0..people {
        invitation(world, number).await;
    }
    let batch = world.batch_of(100).await;
    assert_eq!(batch.items.len(), 2 * people);
    // Invitations go first.
    let invites = Arc::new(RecordingChannel::new(Provider::HeyReach, chunk));
    invites.script(faults);
    let mut operator = world.operator("one");
    let channel: Arc<dyn Channel> = invites.clone();
    operator.channels.insert(Provider::HeyReach, channel);
    let report = operator.execute(&batch.id, Motion::Outbound).await.unwrap();
    let sent = |channel: &RecordingChannel| -> Vec<String> {
        let received = channel.received().into_iter();
        received.map(|(_, it)| it.to).collect()
    };
    (sent(&world.channel), sent(&invites), report)
}

#[tokio::test]
async fn a_person_hears_once_a_day_also_from_one_batch() {
    // Claimed in one group; and the second while the first is under way.
    for (people, chunk) in [(3, 10), (1, 1)] {
        for world in worlds(chunk) {
            let (letters, invites, report) = both_media(&world, people, (chunk, vec![])).await;
            let mut all = [letters, invites].concat();
            all.sort();
            let everybody: Vec<String> = (0..people)
                .map(|it| crate::person(it).to_string())
                .collect();
            assert_eq!(all, everybody, "{}", world.store);
            let refused = report.items.iter().filter(|it| it.state == "refused");
            let refused: Vec<_> = refused.collect();
            assert_eq!(refused.len(), people);
            for item in refused {
                assert!(
                    item.detail.starts_with("we wrote to this person today"),
                    "{item:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn who_certainly_was_not_written_to_may_hear_by_the_other_medium() {
    for world in worlds(1) {
        let faults = vec![Some(Fault::Unreached)];
        let (letters, invites, report) = both_media(&world, 4, (1, faults)).await;
        assert_eq!((letters.len(), invites.len()), (1, 3), "{report:?}");
        assert!(!invites.contains(&letters[0]), "{letters:?}");
    }
}

/// The record of the day names whom we wrote to as well: what is left for tomorrow says whose message of
/// today it was.
#[tokio::test]
async fn a_second_medium_on_one_day_is_told_that_it_was_us_who_wrote() {
    for world in worlds(1) {
        let batch = world.approved(1).await;
        world.run(&batch).await.unwrap();
        invitation(&world, 0).await;
        let second = world.batch_of(100).await;
        let report = world.run(&second).await.unwrap();
        let (state, why) = state_of(&report, 0);
        assert_eq!(state, "refused", "{report:?}");
        assert!(
            why.starts_with("we wrote to this person today by email"),
            "{why}"
        );
        assert!(!why.contains("limit"), "{why}");
    }
}
