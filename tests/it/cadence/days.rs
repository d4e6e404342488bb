//! 21 days in a test's own time: the operator with the real channels, the sandbox at the other end.

use std::collections::BTreeMap;
use std::sync::Arc;

use caio_core::IdSource;
use caio_core::batch::{BatchLimits, SealKeys};
use caio_core::config::settings::Sender;
use caio_core::copy::TemplateSet;
use caio_core::draft::DraftStatus;
use caio_core::icp::Model;
use caio_core::limits::LimitPolicy;
use caio_core::record::FieldMap;
use caio_core::safety::{ChannelState, Gate as Gatekeeper, Inputs, StopFlag, Switches};
use caio_core::terms::{Mode, Motion, Provider, Tier};
use caio_core::{Clock, EmailKey};
use caio_dispatch::batches::Batches;
use caio_dispatch::cadence::{self, Cadences};
use caio_dispatch::channel::Channel;
use caio_dispatch::copywriter::TemplateCopywriter;
use caio_dispatch::ledger::{DeliveryState, Later, LedgerEntry};
use caio_dispatch::operator::{Brake, Gate, Operator, Permits};
use caio_dispatch::pipeline::{Options, Pipeline, Rules, stamp};
use caio_dispatch::plan::{self, PlanRequest};
use caio_dispatch::providers::{
    Auth, Endpoint, HeyReachChannel, HeyReachOptions, Http, HttpOptions, InstantlyChannel,
    InstantlyOptions,
};
use caio_dispatch::records;
use caio_dispatch::refused::NoRefusedFile;
use caio_dispatch::review::{self, Review};
use caio_dispatch::source::{Input, RowReader};
use caio_state::conformance::{TestClock, TestIds};
use caio_state::{MemoryStore, Range, StateStore, StateStoreExt, Txn, TxnId, Write};
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::told;
use crate::sandbox::Sandbox;

struct World {
    store: Arc<dyn StateStore>,
    clock: Arc<TestClock>,
    ids: Arc<TestIds>,
    channels: BTreeMap<Provider, Arc<dyn Channel>>,
    writer: TemplateCopywriter,
    zone: TimeZone,
}

impl World {
    fn new(sandbox: &Sandbox) -> Self {
        let clock = TestClock::noon();
        let http = |provider, path: &str, auth| {
            let base = format!("{}/{path}", sandbox.base);
            let endpoint = Endpoint::new(provider, &base, auth).unwrap();
            let options = HttpOptions {
                per_second: std::num::NonZeroU32::new(1000).unwrap(),
                ..HttpOptions::default()
            };
            Http::new(endpoint, options, clock.clone()).unwrap()
        };
        let key = || "planted-secret".into();
        let instantly = http(Provider::Instantly, "instantly/api/v2", Auth::Bearer(key()));
        let accounts = vec!["ann@acorn.example.com".to_owned()];
        let options = InstantlyOptions::new(accounts, "America/Detroit", 100);
        let instantly: Arc<dyn Channel> = Arc::new(InstantlyChannel::new(instantly, options));
        let auth = Auth::Header("X-API-KEY", key());
        let heyreach = http(Provider::HeyReach, "heyreach/api/public", auth);
        let heyreach: Arc<dyn Channel> =
            Arc::new(HeyReachChannel::new(heyreach, HeyReachOptions::default()));
        let sender = Sender {
            name: "Ann Moss".to_owned(),
            company: "Acorn".to_owned(),
            email: "ann@acorn.example.com".to_owned(),
            postal_address: "1 Oak Street".to_owned(),
            opt_out_text: "Reply no and I stop.".to_owned(),
            ..Sender::default()
        };
        Self {
            store: Arc::new(MemoryStore::new(clock.clone())),
            clock,
            ids: Arc::default(),
            channels: [
                (Provider::Instantly, instantly),
                (Provider::HeyReach, heyreach),
            ]
            .into(),
            writer: TemplateCopywriter::new(TemplateSet::builtin().unwrap(), sender),
            zone: TimeZone::get("America/Detroit").unwrap(),
        }
    }

    async fn leads(&self, rows: &str) {
        let model = Model::builtin("default").unwrap();
        let model_ref = model.reference();
        let now = stamp(&*self.clock);
        let pipeline = Pipeline {
            store: &*self.store,
            clock: &*self.clock,
            ids: &*self.ids,
            rules: Rules {
                model: &model,
                model_ref: &model_ref,
                copywriter: &self.writer,
                min_tier: Tier::Three,
                linkedin: &[],
                update: false,
                now: &now,
            },
            enrichers: &[],
            options: Options::default(),
        };
        let rows = std::io::Cursor::new(rows.to_owned().into_bytes());
        let input = Input::Reader("leads.csv".to_owned(), Box::new(rows));
        let reader = RowReader::open(input).unwrap();
        let fields = FieldMap::of_columns(reader.headers(), &[]).unwrap();
        let fields = Arc::new(fields);
        pipeline
            .run(reader, &fields, &mut NoRefusedFile, &mut |_| true)
            .await
            .unwrap();
    }

    fn cadences(&self) -> Cadences<'_> {
        Cadences {
            store: &*self.store,
            clock: &*self.clock,
            ids: &*self.ids,
            by: "ann",
            zone: self.zone.clone(),
            mirror: false,
        }
    }

    /// A person approves every draft, and a batch of them that is sent.
    async fn send(&self, motion: Motion) {
        let (store, clock, ids) = (&*self.store, &*self.clock, &*self.ids);
        let review = Review {
            store,
            clock,
            ids,
            by: "ann",
        };
        let page = review::page(store, DraftStatus::Pending, None, 100).await;
        for draft in page.unwrap().items {
            review.approve(&draft.id).await.unwrap();
        }
        let request = PlanRequest {
            motion,
            via: Provider::Instantly,
            tier: None,
            room: 100,
            linkedin_room: 100,
            revival_room: 100,
            limits: BatchLimits {
                email_per_day: 100,
                linkedin_per_day: 100,
            },
            expires_in: SignedDuration::from_hours(24),
        };
        let plan = plan::plan(store, &request).await.unwrap();
        if plan.offered.is_empty() {
            return;
        }
        let batch = plan::batch(&plan, &request, clock, ids).unwrap();
        let batches = Batches {
            store,
            clock,
            ids,
            by: "ann",
        };
        batches.add(&batch).await.unwrap();
        let keys = SealKeys::parse("k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=").unwrap();
        let approved = batches.approve(&batch.id, &batch.digest, None, &keys).await;
        let report = self
            .operator(keys)
            .execute(&approved.unwrap().id, motion)
            .await
            .unwrap();
        let states: Vec<&str> = report.items.iter().map(|it| it.state).collect();
        assert!(states.iter().all(|it| *it == "accepted"), "{report:?}");
    }

    fn operator(&self, keys: SealKeys) -> Operator {
        let limits = LimitPolicy {
            email_per_day: 100,
            linkedin_per_day: 100,
            email_per_hour: None,
            email_per_domain_hour: None,
            ..LimitPolicy::default()
        };
        Operator {
            store: self.store.clone(),
            channels: self.channels.clone(),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            keys,
            gate: Gate {
                inputs: inputs(),
                brake: Arc::new(NoBrake),
            },
            limits,
            tiers: Vec::new(),
            run_limit: None,
            zone: self.zone.clone(),
            holder: "one".to_owned(),
            lease: SignedDuration::from_secs(60),
            permits: Permits::new(4),
            coexist: None,
            patience: SignedDuration::ZERO,
        }
    }

    async fn commit(&self, writes: Vec<Write>) {
        let txn = Txn {
            id: TxnId(self.ids.id()),
            guards: Vec::new(),
            writes,
        };
        self.store.commit(&txn).await.unwrap();
    }

    /// The providers report what they took as sent.
    async fn sent(&self) {
        let all = Range::default();
        let entries = self.store.index_json(records::LEDGER_INDEX, &all).await;
        let entries: Vec<LedgerEntry> = entries.unwrap();
        for entry in entries {
            if entry.state == DeliveryState::Accepted && entry.sent_at.is_none() {
                let entry = entry.learned(Later::Sent, self.clock.now());
                self.commit(entry.writes().unwrap()).await;
            }
        }
    }

    async fn signal(&self, person: &EmailKey, status: &Value) {
        let put = Write::Put {
            key: records::lead_status(person),
            value: serde_json::to_vec(status).unwrap(),
            expires_in: None,
        };
        self.commit(vec![put]).await;
    }
}

/// Neither the environment nor a file stops anything.
#[derive(Debug)]
struct NoBrake;

impl Brake for NoBrake {
    fn environment(&self) -> Option<String> {
        None
    }

    fn file(&self) -> StopFlag {
        StopFlag::Clear
    }
}

/// Nothing stands against sending.
fn inputs() -> Inputs {
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

/// What Instantly holds for one address, by campaign: subject and the first line.
fn letters(sandbox: &Sandbox, email: &str) -> Vec<String> {
    let (_, state) = sandbox.control("GET", "state", None);
    let mut letters = Vec::new();
    for campaign in state["instantly"]["campaigns"].as_array().unwrap() {
        for lead in campaign["leads"].as_array().unwrap() {
            if lead["email"].as_str().unwrap().eq_ignore_ascii_case(email) {
                let text = lead["payload"]["caio_subject"].as_str().unwrap();
                letters.push(text.to_owned());
            }
        }
    }
    letters
}

#[test]
fn over_21_days_the_sandbox_receives_each_step_once() {
    let sandbox = Sandbox::start();
    let world = World::new(&sandbox);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let row = |name: &str| {
            format!("{name} Doe,{name}@acme.example.com,CEO,Acme,120,Marketing Agency,HubSpot,yes,9,https://www.linkedin.com/in/caio-test-{name}\n")
        };
        let head = "name,email,title,company,employees,industry,technologies,demo_requested,website_visits,linkedin_url\n";
        world.leads(&format!("{head}{}{}{}", row("kim"), row("lou"), row("pat"))).await;
        world.send(Motion::Outbound).await;
        let person = |name: &str| EmailKey::parse(&format!("{name}@acme.example.com")).unwrap();
        for day in 1..=24 {
            if day == 4 {
                let connected = json!({"status": "linkedin_connected", "linkedin_status": "connected"});
                world.signal(&person("kim"), &connected).await;
            }
            if day == 9 {
                world.signal(&person("pat"), &json!({"status": "unsubscribed"})).await;
            }
            if day > 1 {
                world.cadences().draft(&world.writer, 100).await.unwrap();
                world.send(Motion::Cadence).await;
            }
            world.sent().await;
            world.cadences().sync().await.unwrap();
            world.clock.advance(SignedDuration::from_hours(24));
        }
        for (name, reason) in [("kim", "all_steps_done"), ("lou", "all_steps_done"), ("pat", "unsubscribed")] {
            let found = cadence::one(&*world.store, &person(name)).await.unwrap().unwrap();
            assert_eq!(found.text("exit_reason"), reason, "{name}");
        }
    });
    let follow_ups = [
        "A way to pick the first process",
        "How a first project runs",
        "Should I close this?",
        "Last note from me",
    ];
    for name in ["kim", "lou"] {
        let letters = letters(&sandbox, &format!("{name}@acme.example.com"));
        assert_eq!(letters.len(), 5, "{letters:?}");
        assert_eq!(letters[1..], follow_ups, "{name}");
    }
    assert_eq!(letters(&sandbox, "pat@acme.example.com").len(), 2);
    let told = told(&sandbox);
    let of = |name: &str| told.iter().filter(|it| it.1 == name).count();
    assert_eq!((of("kim"), of("lou"), of("pat")), (3, 1, 1), "{told:?}");
}
