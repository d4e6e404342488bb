//! A store and what an inbox needs of it.

use std::sync::Arc;

use caio_core::batch::BatchItem;
use caio_core::draft::ModelRef;
use caio_core::lead::Lead;
use caio_core::terms::{Medium, Provider, Step, Tier};
use caio_core::webhook::Source;
use caio_core::webhook::signature::Proof;
use caio_core::{EmailKey, IdSource};
use caio_dispatch::cadence::Cadences;
use caio_dispatch::channel::Container;
use caio_dispatch::facts::{Facts, Touch, facts};
use caio_dispatch::inbox::{Apply, Arrived, Commits, Decide, Drained, Inbox, Received, committer};
use caio_dispatch::leads::LeadRecord;
use caio_dispatch::ledger::{DeliveryState, LedgerEntry};
use caio_dispatch::{DispatchError, records};
use caio_state::conformance::{RedisServer, TestClock, TestIds};
use caio_state::{
    Access, Key, MemoryStore, RedisStore, SqliteStore, StateStore, StateStoreExt, Txn, TxnId, Write,
};
use serde_json::Value;

pub(crate) struct World {
    pub(crate) store: Arc<dyn StateStore>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) ids: Arc<TestIds>,
    commits: Commits,
    _home: (tempfile::TempDir, Option<RedisServer>),
}

pub(crate) fn key() -> EmailKey {
    EmailKey::parse("kim@example.com").unwrap()
}

/// An event of Instantly about our lead.
pub(crate) fn body(event: &str, at: &str) -> String {
    format!(
        r#"{{"event_type": "{event}", "timestamp": "{at}", "lead_email": "Kim@Example.com",
            "campaign_id": "c-1", "campaign_name": "caio_t1_20260302_1a2b3c4d", "email_id": "e-1"}}"#
    )
}

pub(crate) fn worlds() -> Vec<World> {
    let mut worlds = worlds_with_our_time();
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start(folder.path(), &[]).unwrap();
    let options = server.options("caio-test");
    let store = Arc::new(RedisStore::open(options, Access::ReadWrite).unwrap());
    worlds.push(World::new(store, TestClock::noon(), (folder, Some(server))));
    worlds
}

/// Worlds whose store tells the time of our clock, which we may move.
pub(crate) fn worlds_with_our_time() -> Vec<World> {
    vec![memory(), file()]
}

pub(crate) fn memory() -> World {
    let clock = TestClock::noon();
    let store = Arc::new(MemoryStore::new(clock.clone()));
    World::new(store, clock, (tempfile::tempdir().unwrap(), None))
}

pub(crate) fn file() -> World {
    let (clock, folder) = (TestClock::noon(), tempfile::tempdir().unwrap());
    let path = folder.path().join("x.db");
    let store = SqliteStore::open(&path, clock.clone(), Access::ReadWrite).unwrap();
    World::new(Arc::new(store), clock, (folder, None))
}

impl World {
    fn new(
        store: Arc<dyn StateStore>,
        clock: Arc<TestClock>,
        home: (tempfile::TempDir, Option<RedisServer>),
    ) -> Self {
        let (commits, work) = committer(Arc::clone(&store));
        tokio::spawn(work);
        Self {
            store,
            clock,
            ids: Arc::default(),
            commits,
            _home: home,
        }
    }

    pub(crate) async fn receive(
        &self,
        source: Source,
        hint: Option<&str>,
        body: &[u8],
        proven: bool,
    ) -> Result<Received, DispatchError> {
        let inbox = Inbox {
            store: &*self.store,
            clock: &*self.clock,
            ids: &*self.ids,
            commits: None,
        };
        let arrived = Arrived {
            source,
            hint,
            body,
            proof: proven.then_some(Proof::Header),
        };
        inbox.receive(&arrived).await
    }

    /// Takes a proven event.
    pub(crate) async fn take(&self, source: Source, hint: Option<&str>, body: &str) -> Received {
        self.receive(source, hint, body.as_bytes(), true)
            .await
            .unwrap()
    }

    /// Takes a proven event of Instantly, sharing commits with whoever does the same.
    pub(crate) async fn take_together(&self, body: &str) -> Received {
        let inbox = Inbox {
            store: &*self.store,
            clock: &*self.clock,
            ids: &*self.ids,
            commits: Some(&self.commits),
        };
        let arrived = Arrived {
            source: Source::Instantly,
            hint: None,
            body: body.as_bytes(),
            proof: Some(Proof::Header),
        };
        inbox.receive(&arrived).await.unwrap()
    }

    pub(crate) fn apply(&self) -> Apply<'_> {
        Apply {
            store: &*self.store,
            clock: &*self.clock,
            ids: &*self.ids,
            follow_ups: None,
            alerts: None,
        }
    }

    /// The follow-ups of this store.
    pub(crate) fn follow_ups(&self) -> Cadences<'_> {
        Cadences {
            store: &*self.store,
            clock: &*self.clock,
            ids: &*self.ids,
            by: "caio",
            zone: jiff::tz::TimeZone::UTC,
            mirror: false,
        }
    }

    pub(crate) async fn drain(&self) -> Drained {
        self.apply().drain().await.unwrap()
    }

    pub(crate) fn decide(&self) -> Decide<'_> {
        Decide {
            store: &*self.store,
            clock: &*self.clock,
            ids: &*self.ids,
            by: "kim",
            follow_ups: None,
        }
    }

    /// What stands for and against writing to our lead.
    pub(crate) async fn facts(&self) -> Facts {
        let touch = Touch {
            person: &key(),
            medium: Medium::Email,
            step: Step(1),
        };
        facts(&*self.store, &[touch]).await.unwrap().remove(0)
    }

    pub(crate) async fn status(&self) -> Value {
        let found = self
            .store
            .get_json(&records::lead_status(&key()))
            .await
            .unwrap();
        found.map_or(Value::Null, |(record, _)| record)
    }

    /// Everything but what says when something was last decided, and who replayed what.
    pub(crate) async fn dump(&self) -> Vec<String> {
        let dump = self.store.dump().await.unwrap();
        let lines = dump.lines().filter(|line| {
            !line.starts_with("caio:event:") && !line.starts_with("caio:webhook:wh_")
        });
        lines.map(str::to_owned).collect()
    }

    pub(crate) async fn put(&self, key: Key, value: &[u8]) {
        self.commit(vec![Write::Put {
            key,
            value: value.to_vec(),
            expires_in: None,
        }])
        .await;
    }

    async fn commit(&self, writes: Vec<Write>) {
        let txn = Txn {
            id: TxnId(self.ids.id()),
            guards: vec![],
            writes,
        };
        self.store.commit(&txn).await.unwrap();
    }

    /// An upload of our lead into the campaign of that name.
    pub(crate) async fn delivery(&self, name: &str) {
        let entry = LedgerEntry {
            id: format!("{name:0>32}"),
            batch: "b".to_owned(),
            run: "r".to_owned(),
            container: Container {
                name: name.to_owned(),
                provider: Provider::Instantly,
                pool: String::new(),
                tier: Tier::One,
            },
            item: BatchItem {
                draft: "dr".to_owned(),
                recipient: key(),
                medium: Medium::Email,
                provider: Provider::Instantly,
                pool: String::new(),
                tier: Tier::One,
                step: Step(1),
                content: String::new(),
            },
            state: DeliveryState::Accepted,
            receipt: None,
            reason: String::new(),
            reservations: Vec::new(),
            intended_at: "2026-03-01T11:00:00.000000Z".to_owned(),
            settled_at: None,
            sent_at: None,
            bounced_at: None,
            replied_at: None,
            followed: false,
        };
        self.commit(entry.writes().unwrap()).await;
    }

    /// Our lead with that profile, as the pipeline leaves it.
    pub(crate) async fn lead(&self, profile: &str) {
        let lead: Lead = serde_json::from_value(serde_json::json!({
            "key": "kim@example.com", "email": "kim@example.com", "linkedin_url": profile,
        }))
        .unwrap();
        let record = LeadRecord {
            lead,
            remarks: Vec::new(),
            score: 80,
            tier: None,
            reasons: Vec::new(),
            model: ModelRef {
                name: "m".to_owned(),
                digest: "f".to_owned(),
            },
            outcome: "queued".to_owned(),
            detail: String::new(),
            draft: None,
            updated_at: String::new(),
        };
        self.commit(records::put_lead(&record).unwrap()).await;
    }
}
