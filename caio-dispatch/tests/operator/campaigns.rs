//! Starting a campaign: what was handed over is asked for again, and who must not be written to is out
//! before anything goes.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use caio_core::terms::Provider;
use caio_core::{Clock, EmailKey};
use caio_dispatch::campaigns::{self, Campaign, Campaigns, Desk, Member, Stage};
use caio_dispatch::coexist::followed::Watch;
use caio_dispatch::ledger::{Later, LedgerEntry};
use caio_dispatch::operator::Gate;
use caio_dispatch::records;
use caio_state::{StateStore, Txn, TxnId, Write};
use jiff::SignedDuration;
use serde_json::json;

use crate::world::{NoBrake, World, inputs, keys, person, worlds};

/// A provider that holds one campaign, and fails as it is told.
#[derive(Debug, Default)]
struct Fake {
    name: String,
    stage: Mutex<Option<Stage>>,
    members: Mutex<Vec<Member>>,
    /// Taking somebody out says that it worked, and does not.
    keeps_everybody: bool,
    /// What becomes of it when it is started.
    starts_as: Option<Stage>,
    /// Written to the store when it is started: what happens in between.
    meanwhile: Mutex<Option<(Arc<dyn StateStore>, Write)>>,
    calls: Mutex<Vec<String>>,
}

impl Fake {
    /// The campaign of a run, holding everybody's letter.
    async fn after_a_run(world: &World, size: usize) -> Self {
        let batch = world.approved(size).await;
        world.run(&batch).await.unwrap();
        let received = world.channel.received();
        let members = received.iter().map(|(_, it)| Member {
            id: format!("l-{}", it.delivery),
            address: Some(it.item.recipient.clone()),
            token: Some(it.delivery[..8].to_owned()),
            text: Some(format!("{}\n{}", it.subject, it.body)),
            is_out: false,
        });
        Self {
            name: received[0].0.name.clone(),
            members: Mutex::new(members.collect()),
            ..Self::default()
        }
    }

    fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }

    fn has(&self, number: usize) -> bool {
        let members = self.members.lock().unwrap();
        members
            .iter()
            .any(|it| it.address.as_ref() == Some(&person(number)))
    }

    fn member(&self, number: usize, change: impl Fn(&mut Member)) {
        let mut members = self.members.lock().unwrap();
        let found = members
            .iter_mut()
            .find(|it| it.address.as_ref() == Some(&person(number)));
        change(found.unwrap());
    }
}

#[async_trait]
impl Campaigns for Fake {
    fn provider(&self) -> Provider {
        Provider::Instantly
    }

    async fn list(&self) -> Result<Vec<Campaign>, String> {
        let stage = self.stage.lock().unwrap().unwrap_or(Stage::Draft);
        let status = format!("{stage:?}");
        let (id, name) = ("c1".to_owned(), self.name.clone());
        Ok(vec![Campaign {
            id,
            name,
            stage,
            status,
            problem: None,
        }])
    }

    async fn members(&self, _campaign: &str) -> Result<Vec<Member>, String> {
        Ok(self.members.lock().unwrap().clone())
    }

    async fn take_out(&self, _campaign: &str, member: &Member) -> Result<(), String> {
        self.calls
            .lock()
            .unwrap()
            .push(format!("out {}", member.address.as_ref().unwrap()));
        if !self.keeps_everybody {
            self.members.lock().unwrap().retain(|it| it.id != member.id);
        }
        Ok(())
    }

    async fn start(&self, _campaign: &str) -> Result<(), String> {
        self.calls.lock().unwrap().push("start".to_owned());
        *self.stage.lock().unwrap() = Some(self.starts_as.unwrap_or(Stage::Sending));
        let meanwhile = self.meanwhile.lock().unwrap().take();
        if let Some((store, write)) = meanwhile {
            let txn = Txn {
                id: TxnId(format!("meanwhile-{}", self.calls().len())),
                guards: vec![],
                writes: vec![write],
            };
            store.commit(&txn).await.unwrap();
        }
        Ok(())
    }

    async fn pause(&self, _campaign: &str) -> Result<(), String> {
        self.calls.lock().unwrap().push("pause".to_owned());
        *self.stage.lock().unwrap() = Some(Stage::Paused);
        Ok(())
    }

    fn text(&self, subject: &str, body: &str) -> String {
        format!("{subject}\n{body}")
    }
}

fn desk(world: &World) -> Desk {
    Desk {
        store: world.store.clone(),
        clock: world.clock.clone(),
        ids: world.ids.clone(),
        keys: keys(),
        gate: Gate {
            inputs: inputs(),
            brake: Arc::new(NoBrake),
        },
        coexist: Some(Watch::elsewhere(SignedDuration::from_hours(48))),
        by: "kim".to_owned(),
    }
}

async fn code(world: &World, fake: &Fake) -> (String, String) {
    let refused = desk(world).start(fake, "c1").await.unwrap_err();
    (refused.code().to_owned(), refused.to_string())
}

async fn entry(world: &World, who: &EmailKey) -> LedgerEntry {
    caio_dispatch::ledger::of_person(&*world.store, who)
        .await
        .unwrap()
        .remove(0)
}

fn put(key: caio_state::Key, value: &serde_json::Value) -> Write {
    Write::Put {
        key,
        value: value.to_string().into_bytes(),
        expires_in: None,
    }
}

fn suppressed(number: usize) -> Write {
    let why = json!({ "reason": "opted out", "source": "test" });
    put(records::suppressed_address(&person(number)), &why)
}

#[tokio::test]
async fn who_opted_out_answered_bounced_or_ended_is_out_before_the_campaign_starts() {
    for world in worlds(10) {
        let fake = Fake::after_a_run(&world, 7).await;
        world.commit(vec![suppressed(0)]).await;
        let answered = json!({ "status": "opened", "reply_count": 1 });
        let ended = json!({ "status": "unsubscribed" });
        world
            .commit(vec![
                put(records::lead_status(&person(1)), &answered),
                put(records::lead_status(&person(2)), &ended),
            ])
            .await;
        for (number, fact) in [(3, Later::Bounced), (4, Later::Replied)] {
            let learned = entry(&world, &person(number))
                .await
                .learned(fact, world.clock.now());
            world.commit(learned.writes().unwrap()).await;
        }
        fake.member(5, |it| it.text = Some("Subject 0\nBody 0".to_owned()));
        let started = desk(&world).start(&fake, &fake.name.clone()).await.unwrap();
        assert_eq!(started.people, 1);
        let why: Vec<String> = started
            .taken_out
            .iter()
            .map(|it| format!("{}: {}", it.recipient, it.reason))
            .collect();
        assert_eq!(why.len(), 6, "{why:?}");
        for (number, says) in [
            (0, "opted out"),
            (3, "bounced"),
            (4, "answered"),
            (5, "not the one that was approved"),
        ] {
            let line = why
                .iter()
                .find(|it| it.starts_with(person(number).as_str()))
                .unwrap();
            assert!(line.contains(says), "{line}");
        }
        let calls = fake.calls();
        assert_eq!(calls.len(), 7);
        assert_eq!(calls[6], "start", "nothing starts before everybody is out");
        assert!(fake.has(6) && !fake.has(0));
        assert_eq!(entry(&world, &person(0)).await.word(), "rejected");
        assert_eq!(entry(&world, &person(6)).await.word(), "drafted");
        let events = caio_dispatch::history::newest(&*world.store, None, 20)
            .await
            .unwrap();
        let kinds: Vec<(&str, &str)> = events
            .iter()
            .map(|it| (it.kind.as_str(), it.by.as_str()))
            .collect();
        assert_eq!(kinds[0], ("campaign.started", "kim"));
        assert_eq!(kinds[1], ("campaign.starting", "kim"));
        assert_eq!(
            kinds
                .iter()
                .filter(|it| **it == ("campaign.taken_out", "kim"))
                .count(),
            6
        );
    }
}

#[tokio::test]
async fn nothing_starts_unless_everybody_who_has_to_be_out_is_out() {
    for world in worlds(10) {
        let mut fake = Fake::after_a_run(&world, 2).await;
        fake.keeps_everybody = true;
        world.commit(vec![suppressed(0)]).await;
        let (code, why) = code(&world, &fake).await;
        assert_eq!(code, "campaign.not_removed");
        assert!(
            why.contains(person(0).as_str()) && why.contains("opted out"),
            "{why}"
        );
        assert!(!fake.calls().contains(&"start".to_owned()));
        assert_eq!(
            entry(&world, &person(0)).await.word(),
            "drafted",
            "it is still there"
        );
    }
}

#[tokio::test]
async fn in_26_who_opts_out_while_it_starts_is_taken_out_at_once_or_it_is_paused() {
    for world in worlds(10) {
        let mut fake = Fake::after_a_run(&world, 3).await;
        *fake.meanwhile.lock().unwrap() = Some((world.store.clone(), suppressed(1)));
        let started = desk(&world).start(&fake, "c1").await.unwrap();
        assert_eq!((started.people, started.taken_out.len()), (2, 1));
        assert!(!fake.has(1));
        // The same where nobody can be taken out: it does not send on.
        desk(&world).pause(&fake, "c1").await.unwrap();
        fake.keeps_everybody = true;
        *fake.meanwhile.lock().unwrap() = Some((world.store.clone(), suppressed(2)));
        let (code, why) = code(&world, &fake).await;
        assert_eq!(code, "campaign.not_removed");
        assert!(why.ends_with("it is paused again"), "{why}");
        assert_eq!(fake.calls().last().unwrap(), "pause");
    }
}

#[tokio::test]
async fn a_stop_refuses_a_start_and_one_that_comes_meanwhile_pauses_it() {
    for world in worlds(10) {
        let fake = Fake::after_a_run(&world, 2).await;
        let stop = caio_state::stop::Stop {
            by: "ann".to_owned(),
            at: String::new(),
            reason: String::new(),
        };
        *fake.meanwhile.lock().unwrap() = Some((world.store.clone(), caio_state::stop::set(&stop)));
        let (code_meanwhile, why) = code(&world, &fake).await;
        assert_eq!(code_meanwhile, "dispatch.blocked");
        assert!(why.contains("paused again"), "{why}");
        let (code, _) = code(&world, &fake).await;
        assert_eq!(code, "dispatch.blocked");
        assert_eq!(
            fake.calls(),
            ["start", "pause"],
            "not started a second time"
        );
        // Pausing is always possible.
        desk(&world).pause(&fake, "c1").await.unwrap();
    }
}

#[tokio::test]
async fn nobody_is_written_to_of_whom_the_ledger_does_not_know() {
    for world in worlds(10) {
        let fake = Fake::after_a_run(&world, 2).await;
        let stranger = Member {
            id: "l-x".to_owned(),
            address: Some(person(9)),
            token: None,
            text: None,
            is_out: false,
        };
        fake.members.lock().unwrap().push(stranger);
        let (unclear, why) = code(&world, &fake).await;
        assert_eq!(unclear, "campaign.unclear");
        assert!(why.contains("no delivery of ours"), "{why}");
        fake.members.lock().unwrap().pop();
        // A token of somebody else's letter, and an address that is none.
        let token = entry(&world, &person(1)).await.id[..8].to_owned();
        fake.member(0, |it| it.token = Some(token.clone()));
        assert_eq!(code(&world, &fake).await.0, "campaign.unclear");
        fake.member(0, |it| it.address = None);
        assert_eq!(code(&world, &fake).await.0, "campaign.unclear");
        assert!(
            fake.calls().is_empty(),
            "nothing was taken out and nothing started"
        );
    }
}

#[tokio::test]
async fn what_does_not_send_or_was_not_approved_is_not_said_to_be_started() {
    for world in worlds(10) {
        let mut fake = Fake::after_a_run(&world, 2).await;
        fake.starts_as = Some(Stage::Ended);
        assert_eq!(code(&world, &fake).await.0, "campaign.not_started");
        assert_eq!(code(&world, &fake).await.0, "campaign.stage", "it is over");
        *fake.stage.lock().unwrap() = Some(Stage::Draft);
        assert_eq!(
            desk(&world)
                .start(&fake, "elsewhere")
                .await
                .unwrap_err()
                .code(),
            "campaign.unknown"
        );
        // The batch was changed in the store after it had been approved and executed.
        let id = entry(&world, &person(0)).await.batch;
        let mut batch = caio_dispatch::batches::one(&*world.store, &id)
            .await
            .unwrap();
        batch.expires_at = "2030-01-01T00:00:00Z".to_owned();
        world.edit_record(&batch).await;
        assert_eq!(code(&world, &fake).await.0, "batch.record_edited");
        let starts = fake.calls().iter().filter(|it| *it == "start").count();
        assert_eq!(starts, 1);
    }
}

#[tokio::test]
async fn a_list_shows_what_the_ledger_holds_in_each() {
    for world in worlds(10) {
        let fake = Fake::after_a_run(&world, 3).await;
        let sent = entry(&world, &person(0))
            .await
            .learned(Later::Sent, world.clock.now());
        world.commit(sent.writes().unwrap()).await;
        let fake: Arc<dyn Campaigns> = Arc::new(fake);
        let listed = campaigns::list(&*world.store, &[fake]).await.unwrap();
        assert_eq!(listed.len(), 1);
        let held: Vec<(&str, u64)> = listed[0]
            .ledger
            .iter()
            .map(|(word, n)| (*word, *n))
            .collect();
        assert_eq!(held, [("drafted", 2), ("sent", 1)]);
        assert_eq!(listed[0].campaign.as_ref().unwrap().stage, Stage::Draft);
        // Of a provider that is asked for nothing, nothing is said.
        assert!(
            campaigns::list(&*world.store, &[])
                .await
                .unwrap()
                .is_empty()
        );
    }
}
