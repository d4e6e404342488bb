//! A store, a channel that records what it is given, and drafts that a person has approved.

use std::collections::BTreeMap;
use std::sync::Arc;

use caio_core::batch::{Batch, BatchLimits, SealKeys};
use caio_core::draft::{Draft, DraftStatus, ModelRef};
use caio_core::identity::draft_id;
use caio_core::limits::LimitPolicy;
use caio_core::safety::{ChannelState, Gate as Gatekeeper, Inputs, StopFlag, Switches};
use caio_core::terms::{Medium, Mode, Motion, Provider, Step, Tier};
use caio_core::{Clock, EmailKey, IdSource};
use caio_dispatch::batches::Batches;
use caio_dispatch::channel::{Channel, RecordingChannel};
use caio_dispatch::coexist::authority::{self, System};
use caio_dispatch::coexist::followed::Watch;
use caio_dispatch::hive::Hive;
use caio_dispatch::migrate::Migrate;
use caio_dispatch::operator::{Brake, Gate, Operator, Permits, RunReport};
use caio_dispatch::plan::{self, PlanRequest};
use caio_dispatch::review::Review;
use caio_dispatch::{DispatchError, records};
use caio_state::conformance::{RedisServer, TestClock, TestIds};
use caio_state::{Access, MemoryStore, RedisStore, SqliteStore, StateStore, Txn, TxnId, Write};
use jiff::SignedDuration;

pub(crate) struct World {
    pub(crate) store: Arc<dyn StateStore>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) ids: Arc<TestIds>,
    pub(crate) channel: Arc<RecordingChannel>,
    pub(crate) home: (tempfile::TempDir, Option<RedisServer>),
}

pub(crate) fn keys() -> SealKeys {
    SealKeys::parse("k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=").unwrap()
}

/// A world over each store.
pub(crate) fn worlds(chunk: usize) -> Vec<World> {
    let mut worlds = worlds_with_our_time(chunk);
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start(folder.path(), &[]).unwrap();
    let options = server.options("caio-test");
    let store = Arc::new(RedisStore::open(options, Access::ReadWrite).unwrap());
    let world = World::new(store, TestClock::today(), chunk, (folder, Some(server)));
    worlds.push(world);
    worlds
}

/// Worlds whose store tells the time of our clock, which we may move.
pub(crate) fn worlds_with_our_time(chunk: usize) -> Vec<World> {
    let clock = TestClock::noon();
    let memory = Arc::new(MemoryStore::new(clock.clone()));
    let none = tempfile::tempdir().unwrap();
    let memory = World::new(memory, clock, chunk, (none, None));
    let clock = TestClock::noon();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    let file = Arc::new(SqliteStore::open(&path, clock.clone(), Access::ReadWrite).unwrap());
    vec![memory, World::new(file, clock, chunk, (folder, None))]
}

pub(crate) fn person(number: usize) -> EmailKey {
    EmailKey::parse(&format!("kim{number}@acorn{number}.example.com")).unwrap()
}

impl World {
    pub(crate) fn new(
        store: Arc<dyn StateStore>,
        clock: Arc<TestClock>,
        chunk: usize,
        home: (tempfile::TempDir, Option<RedisServer>),
    ) -> Self {
        Self {
            store,
            clock,
            ids: Arc::default(),
            channel: Arc::new(RecordingChannel::new(Provider::Instantly, chunk)),
            home,
        }
    }

    pub(crate) async fn commit(&self, writes: Vec<Write>) {
        let txn = Txn {
            id: TxnId(self.ids.id()),
            guards: vec![],
            writes,
        };
        self.store.commit(&txn).await.unwrap();
    }

    pub(crate) async fn draft(&self, number: usize) -> String {
        let draft = draft(number);
        self.commit(records::put_draft(&draft, None).unwrap()).await;
        self.review().approve(&draft.id).await.unwrap();
        draft.id
    }

    /// Approved drafts for so many people, a hundred in a commit.
    pub(crate) async fn fill(&self, size: usize) {
        self.we_send().await;
        let now = self.clock.now();
        let numbers: Vec<usize> = (0..size).collect();
        for numbers in numbers.chunks(100) {
            let drafts = numbers
                .iter()
                .map(|it| draft(*it).approve("ann", now).unwrap());
            let writes = drafts.flat_map(|it| records::put_draft(&it, None).unwrap());
            self.commit(writes.collect()).await;
        }
    }

    /// An approved batch of everything that may go, of so many at most.
    pub(crate) async fn batch_of(&self, room: u32) -> Batch {
        let request = PlanRequest {
            room,
            ..Self::request()
        };
        let plan = plan::plan(&*self.store, &request).await.unwrap();
        let batch = plan::batch(&plan, &request, &*self.clock, &*self.ids).unwrap();
        self.batches().add(&batch).await.unwrap();
        self.batches()
            .approve(&batch.id, &batch.digest, None, &keys())
            .await
            .unwrap()
    }

    pub(crate) fn review(&self) -> Review<'_> {
        Review {
            store: &*self.store,
            clock: &*self.clock,
            ids: &*self.ids,
            by: "ann",
        }
    }

    pub(crate) fn batches(&self) -> Batches<'_> {
        Batches {
            store: &*self.store,
            clock: &*self.clock,
            ids: &*self.ids,
            by: "ann",
        }
    }

    pub(crate) fn request() -> PlanRequest {
        PlanRequest {
            via: Provider::Instantly,
            motion: Motion::Outbound,
            tier: None,
            room: 100,
            linkedin_room: 100,
            revival_room: 100,
            limits: BatchLimits {
                email_per_day: 100,
                linkedin_per_day: 5,
            },
            expires_in: SignedDuration::from_hours(24),
        }
    }

    /// It is us who send, and what the old system's folder knows is here.
    pub(crate) async fn we_send(&self) {
        let tools = (&*self.clock as _, &*self.ids as _);
        authority::give(&*self.store, tools, "ann", Motion::Outbound, System::Caio)
            .await
            .unwrap();
        self.migrate().follow(Hive::default()).await.unwrap();
    }

    pub(crate) fn today(&self) -> jiff::civil::Date {
        self.clock.now().to_zoned(jiff::tz::TimeZone::UTC).date()
    }

    pub(crate) fn migrate(&self) -> Migrate<'_> {
        Migrate {
            store: &*self.store,
            clock: &*self.clock,
            ids: &*self.ids,
            by: "ann",
            dry_run: false,
        }
    }

    /// An approved batch of `size` fresh drafts.
    pub(crate) async fn approved(&self, size: usize) -> Batch {
        self.we_send().await;
        for number in 0..size {
            self.draft(number).await;
        }
        let batch = self.batch_of(100).await;
        assert_eq!(batch.items.len(), size);
        batch
    }

    pub(crate) fn operator(&self, holder: &str) -> Operator {
        self.operator_with(holder, self.channel.clone())
    }

    pub(crate) fn operator_with(&self, holder: &str, channel: Arc<dyn Channel>) -> Operator {
        let limits = LimitPolicy {
            email_per_day: 100,
            email_per_hour: None,
            email_per_domain_hour: None,
            ..LimitPolicy::default()
        };
        Operator {
            store: self.store.clone(),
            channels: BTreeMap::from([(Provider::Instantly, channel)]),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            keys: keys(),
            gate: Gate {
                inputs: inputs(),
                brake: Arc::new(NoBrake),
            },
            limits,
            tiers: Vec::new(),
            run_limit: None,
            zone: jiff::tz::TimeZone::UTC,
            holder: holder.to_owned(),
            lease: SignedDuration::from_secs(60),
            permits: Permits::new(1),
            patience: SignedDuration::from_hours(1),
            coexist: Some(Watch::elsewhere(SignedDuration::from_hours(48))),
        }
    }

    pub(crate) async fn run(&self, batch: &Batch) -> Result<RunReport, DispatchError> {
        self.operator("one")
            .execute(&batch.id, Motion::Outbound)
            .await
    }

    /// What the channel received, as `to: subject / body`.
    pub(crate) fn received(&self) -> Vec<String> {
        let mut received: Vec<String> = self
            .channel
            .received()
            .into_iter()
            .map(|(_, it)| format!("{}: {} / {}", it.to, it.subject, it.body))
            .collect();
        received.sort();
        received
    }

    pub(crate) async fn edit_record(&self, batch: &Batch) {
        let key = records::batch(&batch.id);
        self.commit(vec![Write::Put {
            key,
            value: serde_json::to_vec(batch).unwrap(),
            expires_in: None,
        }])
        .await;
    }
}

/// A pending draft for a person.
pub(crate) fn draft(number: usize) -> Draft {
    let recipient = person(number);
    Draft {
        id: draft_id(&recipient, Medium::Email, Step::FIRST),
        status: DraftStatus::Pending,
        to: recipient.to_string(),
        recipient,
        name: "Kim".to_owned(),
        company: "Acorn".to_owned(),
        medium: Medium::Email,
        step: Step::FIRST,
        motion: Motion::Outbound,
        tier: Tier::One,
        score: 90,
        model: ModelRef {
            name: "m".to_owned(),
            digest: "d".to_owned(),
        },
        campaign: "nurture_sequence".to_owned(),
        subject: format!("Subject {number}"),
        body: format!("Body {number}"),
        placeholder_sender: false,
        facts_digest: String::new(),
        via: None,
        source: String::new(),
        flags: vec![],
        created_at: "2026-03-02T12:00:00.000000Z".to_owned(),
        decisions: vec![],
    }
}

/// Neither the environment nor a file stops anything.
#[derive(Debug)]
pub(crate) struct NoBrake;

impl Brake for NoBrake {
    fn environment(&self) -> Option<String> {
        None
    }
    fn file(&self) -> StopFlag {
        StopFlag::Clear
    }
}

/// Nothing stands against sending.
pub(crate) fn inputs() -> Inputs {
    Inputs {
        requested: Mode::Live,
        stop_env: None,
        stop_file: StopFlag::Clear,
        stop_flag: StopFlag::Clear,
        access: None,
        cors: None,
        gate: Gatekeeper::Sealed,
        seal_key: true,
        limits: vec![],
        switches: Switches {
            actually_send: true,
            shadow_mode_off: true,
            max_daily_sends: None,
            phase_sends: true,
            operator_enabled: true,
            provider_enabled: true,
        },
        contradictions: vec![],
        sender_missing: vec![],
        model_adopted: true,
        channel: ChannelState::DraftsFirst,
    }
}

pub(crate) fn state_of(report: &RunReport, number: usize) -> (&'static str, &str) {
    let item = report
        .items
        .iter()
        .find(|it| it.recipient == person(number).as_str())
        .unwrap();
    (item.state, &item.detail)
}
