//! A Redis, a sandbox, and as many approved drafts as are asked for.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::num::NonZeroU32;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use caio_core::batch::{Batch, BatchLimits, SealKeys};
use caio_core::breaker::BreakerPolicy;
use caio_core::draft::{Draft, DraftStatus, ModelRef};
use caio_core::identity::draft_id;
use caio_core::limits::{LimitPolicy, SendRequest};
use caio_core::safety::{ChannelState, Gate as Gatekeeper, Inputs, StopFlag, Switches};
use caio_core::terms::{Medium, Mode, Motion, Provider, Step, Tier};
use caio_core::{Clock, EmailKey, IdSource};
use caio_dispatch::batches::Batches;
use caio_dispatch::channel::{Channel, Container, Outcome, Outgoing, Prepared, Proof};
use caio_dispatch::ledger::{self, LedgerEntry};
use caio_dispatch::operator::{Brake, Checked, Gate, Operator, Permits, check_items};
use caio_dispatch::plan::{self, Plan, PlanRequest};
use caio_dispatch::providers::{
    Auth, Endpoint, Http, HttpOptions, InstantlyChannel, InstantlyOptions,
};
use caio_dispatch::records;
use caio_state::conformance::{RedisServer, TestClock, TestIds};
use caio_state::{Access, Guard, Key, Lease, RedisStore, StateStore, Txn, TxnId, Write};
use jiff::SignedDuration;
use redis::aio::MultiplexedConnection;
use serde_json::json;
use tokio::runtime::Runtime;

/// Provider calls at one time.
pub(crate) const IN_FLIGHT: usize = 64;

/// Bytes of a letter.
pub(crate) const LETTER: usize = 1_200;

pub(crate) struct World {
    pub(crate) store: Arc<dyn StateStore>,
    clock: Arc<TestClock>,
    ids: Arc<TestIds>,
    server: RedisServer,
    sandbox: Sandbox,
    _folder: tempfile::TempDir,
}

/// The binary's stand-in of the provider.
struct Sandbox {
    child: Child,
    base: String,
    agent: ureq::Agent,
}

impl Sandbox {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_caio"))
            .args(["sandbox", "--port", "0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.as_mut().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let base = line.split_once("INSTANTLY_BASE_URL=").unwrap().1;
        let base = base.split_once("/instantly/").unwrap().0.to_owned();
        let agent = ureq::Agent::new_with_defaults();
        Self { child, base, agent }
    }

    fn post(&self, path: &str, body: &serde_json::Value) {
        let answer = self.agent.post(format!("{}/sandbox/{path}", self.base));
        answer.send_json(body).unwrap();
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn keys() -> SealKeys {
    SealKeys::parse("k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=").unwrap()
}

fn draft(round: &str, number: usize) -> Draft {
    let address = format!("kim{number}@acorn{number}.{round}.example.com");
    let recipient = EmailKey::parse(&address).unwrap();
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
        body: "letter ".repeat(LETTER / 7),
        placeholder_sender: false,
        facts_digest: String::new(),
        via: None,
        source: String::new(),
        flags: vec![],
        created_at: "2026-03-02T12:00:00.000000Z".to_owned(),
        decisions: vec![],
    }
}

impl World {
    pub(crate) fn start(runtime: &Runtime) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server =
            RedisServer::start(folder.path(), &["--appendonly", "no", "--save", ""]).unwrap();
        let _inside = runtime.enter();
        let mut options = server.options("caio-bench");
        options.timeout = Duration::from_secs(30);
        let store = RedisStore::open(options, Access::ReadWrite).unwrap();
        Self {
            store: Arc::new(store),
            clock: TestClock::today(),
            ids: Arc::default(),
            server,
            sandbox: Sandbox::start(),
            _folder: folder,
        }
    }

    /// A connection of its own to the same Redis.
    pub(crate) async fn connection(&self) -> MultiplexedConnection {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.server.port()));
        client
            .unwrap()
            .get_multiplexed_async_connection()
            .await
            .unwrap()
    }

    /// An empty provider, which answers after so many milliseconds.
    pub(crate) fn reset(&self, answers_after: Option<u64>) {
        self.sandbox.post("reset", &json!({}));
        if let Some(ms) = answers_after {
            let slow = json!([{
                "operation": "instantly.add_leads", "nth": "every", "kind": "slow", "ms": ms,
            }]);
            self.sandbox.post("faults", &slow);
        }
    }

    /// The real channel, over loopback, as fast as it can.
    pub(crate) fn instantly(&self) -> Arc<dyn Channel> {
        let base = format!("{}/instantly/api/v2", self.sandbox.base);
        let auth = Auth::Bearer("key".into());
        let endpoint = Endpoint::new(Provider::Instantly, &base, auth).unwrap();
        let options = HttpOptions {
            per_second: NonZeroU32::new(1_000_000).unwrap(),
            breaker: BreakerPolicy::default(),
            ..HttpOptions::default()
        };
        let http = Http::new(endpoint, options, self.clock.clone()).unwrap();
        let accounts = vec!["ann@acorn.example.com".to_owned()];
        let options = InstantlyOptions::new(accounts, "America/Detroit", 1_000_000);
        Arc::new(InstantlyChannel::new(http, options))
    }

    pub(crate) async fn fill(&self, round: &str, size: usize) {
        let now = self.clock.now();
        let numbers: Vec<usize> = (0..size).collect();
        for numbers in numbers.chunks(200) {
            let drafts = numbers
                .iter()
                .map(|number| draft(round, *number).approve("ann", now).unwrap());
            let writes = drafts.flat_map(|it| records::put_draft(&it, None).unwrap());
            let txn = Txn {
                id: TxnId(format!("{round}-{}", numbers[0])),
                guards: vec![],
                writes: writes.collect(),
            };
            self.store.commit(&txn).await.unwrap();
        }
    }

    pub(crate) fn request(room: usize) -> PlanRequest {
        PlanRequest {
            motion: Motion::Outbound,
            tier: None,
            via: Provider::Instantly,
            room: u32::try_from(room).unwrap(),
            linkedin_room: 0,
            revival_room: 0,
            limits: BatchLimits {
                email_per_day: 1_000_000,
                linkedin_per_day: 5,
            },
            expires_in: SignedDuration::from_hours(24),
        }
    }

    /// An approved batch of what was planned.
    pub(crate) async fn batch(&self, planned: &Plan, request: &PlanRequest) -> Batch {
        let batch = plan::batch(planned, request, &*self.clock, &*self.ids).unwrap();
        let batches = Batches {
            store: &*self.store,
            clock: &*self.clock,
            ids: &*self.ids,
            by: "ann",
        };
        batches.add(&batch).await.unwrap();
        let approved = batches
            .approve(&batch.id, &batch.digest, None, &keys())
            .await;
        approved.unwrap()
    }

    /// An approved batch of fresh drafts.
    pub(crate) async fn approved(&self, round: &str, size: usize) -> Batch {
        self.fill(round, size).await;
        let request = Self::request(size);
        let planned = plan::plan(&*self.store, &request).await.unwrap();
        assert_eq!(planned.offered.len(), size);
        self.batch(&planned, &request).await
    }

    pub(crate) fn operator(&self, channel: Arc<dyn Channel>, per_call: usize) -> Operator {
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
            limits: limits(),
            tiers: Vec::new(),
            run_limit: None,
            zone: jiff::tz::TimeZone::UTC,
            holder: "bench".to_owned(),
            lease: SignedDuration::from_secs(600),
            permits: Permits::new(IN_FLIGHT).for_leads(per_call),
            patience: SignedDuration::ZERO,
            coexist: None,
        }
    }
}

impl World {
    /// The claims of a run over `batch`, with the guards, writes and bytes with which it commits them.
    pub(crate) async fn claims(&self, batch: &Batch) -> Vec<Txn> {
        let (store, now) = (&*self.store, self.clock.now());
        let lease = records::executor_lease(&batch.id);
        let taken = Lease::new(lease.clone());
        let ttl = SignedDuration::from_secs(600);
        let held = taken.acquire(store, &*self.ids, "bench", "execute", ttl);
        let fence = held.await.unwrap().unwrap().fence;
        let container = container(batch);
        let limits = limits();
        let mut claims = Vec::with_capacity(batch.items.len());
        for item in &batch.items {
            let id = ledger::delivery_id(&batch.id, item);
            let checked = check_items(store, &[(item, &id)]).await.unwrap();
            let Some(Checked::Ready(ready)) = checked.into_iter().next() else {
                unreachable!("it may go");
            };
            let request = SendRequest {
                medium: item.medium,
                motion: ready.draft.motion,
                recipient: &item.recipient,
                campaign: &ready.draft.campaign,
                run: None,
            };
            let windows = limits.windows(&request, now, &jiff::tz::TimeZone::UTC);
            let entry = LedgerEntry::intended(
                (id, batch.id.clone(), "run".to_owned()),
                (container.clone(), item.clone()),
                windows.iter().map(|window| window.key.clone()).collect(),
                now,
            );
            let authority = Key::new(&["caio", "authority", "outbound"]);
            let mut guards = vec![
                Guard::StopAbsent,
                Guard::Fence {
                    lease: lease.clone(),
                    fence,
                },
                Guard::Absent(authority),
            ];
            let mut writes = entry.writes().unwrap();
            let claimed = ready.draft.claim(item.provider).unwrap();
            writes.extend(records::put_draft(&claimed, Some(ready.draft.status)).unwrap());
            writes.push(Write::Put {
                key: records::touch(&item.recipient, item.medium, item.step),
                value: serde_json::to_vec(&entry.id).unwrap(),
                expires_in: None,
            });
            for window in windows {
                let counter = records::limit(&window.key);
                guards.push(Guard::Ceiling {
                    counter: counter.clone(),
                    add: 1,
                    ceiling: window.ceiling.into(),
                });
                writes.push(Write::Add {
                    counter,
                    amount: 1,
                    expires_in: Some(SignedDuration::from_hours(48)),
                });
            }
            guards.extend(ready.guards);
            claims.push(Txn {
                id: TxnId(self.ids.id()),
                guards,
                writes,
            });
        }
        claims
    }

    /// CPU time that the server has used, in microseconds.
    pub(crate) fn redis_cpu(&self) -> f64 {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.server.port()));
        let mut connection = client.unwrap().get_connection().unwrap();
        let info: String = redis::cmd("INFO")
            .arg("cpu")
            .query(&mut connection)
            .unwrap();
        let used = |name: &str| -> f64 {
            let line = info.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap().parse().unwrap()
        };
        1e6 * (used("used_cpu_user:") + used("used_cpu_sys:"))
    }
}

/// What would be handed over for an item that may go.
pub(crate) fn ready(checked: Checked) -> Outgoing {
    match checked {
        Checked::Ready(ready) => ready.outgoing,
        Checked::Refused(reason) => unreachable!("{reason}"),
    }
}

/// Where the letters of a batch go.
pub(crate) fn container(batch: &Batch) -> Container {
    let item = &batch.items[0];
    Container {
        name: format!("caio_t1_20260302_{}", &batch.digest[..8]),
        provider: item.provider,
        pool: item.pool.clone(),
        tier: item.tier,
    }
}

/// Memory of this process that is in use, in KiB.
pub(crate) fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Takes everything, keeps nothing, and notes the memory at a tenth, the half and the end.
#[derive(Debug, Default)]
pub(crate) struct Null(Mutex<(usize, Vec<u64>)>);

impl Null {
    pub(crate) fn marks(&self) -> Vec<u64> {
        self.0.lock().unwrap().1.clone()
    }
}

impl fmt::Display for Null {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nowhere")
    }
}

#[async_trait]
impl Channel for Null {
    fn provider(&self) -> Provider {
        Provider::Instantly
    }
    fn chunk(&self) -> usize {
        100
    }
    fn settles_within(&self) -> SignedDuration {
        SignedDuration::ZERO
    }
    fn prepare(&self, _: &Container, items: &[Outgoing]) -> Prepared {
        Prepared {
            requests: Vec::new(),
            refused: vec![None; items.len()],
        }
    }
    async fn deliver(&self, _: &Container, items: &[Outgoing]) -> Vec<Outcome> {
        tokio::task::yield_now().await;
        let mut state = self.0.lock().unwrap();
        let before = state.0;
        state.0 += items.len();
        let after = state.0;
        if [10_000, 50_000, 100_000]
            .iter()
            .any(|mark| before < *mark && after >= *mark)
        {
            state.1.push(resident_kb());
        }
        let accepted = |item: &Outgoing| Outcome::Accepted {
            receipt: item.delivery.clone(),
        };
        items.iter().map(accepted).collect()
    }
    async fn reconcile(&self, _: &[LedgerEntry]) -> Vec<Proof> {
        Vec::new()
    }
    async fn halt(&self) -> Result<usize, String> {
        Ok(0)
    }
    async fn health(&self) -> Result<(), String> {
        Ok(())
    }
}

fn limits() -> LimitPolicy {
    LimitPolicy {
        email_per_day: 1_000_000,
        email_per_hour: Some(1_000_000),
        email_per_domain_hour: Some(1_000_000),
        email_per_month: Some(1_000_000),
        per_campaign: Some(1_000_000),
        // As for a provider that spaces out what it was handed.
        email_min_delay_seconds: 0,
        ..LimitPolicy::default()
    }
}

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
