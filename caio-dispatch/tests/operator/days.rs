//! A world whose days pass: first e-mails, follow-ups over two channels, what a person does on a morning.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use caio_core::batch::Batch;
use caio_core::cadence::Record;
use caio_core::config::settings::Sender;
use caio_core::copy::TemplateSet;
use caio_core::draft::{DraftStatus, ModelRef};
use caio_core::lead::{Company, Intent, Lead, LeadSource};
use caio_core::terms::{Medium, Motion, Provider, Tier};
use caio_core::{Clock, EmailKey};
use caio_dispatch::cadence::{self, Cadences};
use caio_dispatch::channel::RecordingChannel;
use caio_dispatch::coexist::authority::{self, System};
use caio_dispatch::copywriter::TemplateCopywriter;
use caio_dispatch::leads::LeadRecord;
use caio_dispatch::ledger::{DeliveryState, Later, LedgerEntry};
use caio_dispatch::operator::RunReport;
use caio_dispatch::plan::{self, PlanRequest};
use caio_dispatch::{DispatchError, records, review};
use caio_state::{Range, StateStoreExt, Write};
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::{World, keys, person, worlds_with_our_time};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A world whose follow-ups go out over two channels.
pub(crate) struct Days {
    pub(crate) world: World,
    pub(crate) linkedin: Arc<RecordingChannel>,
    pub(crate) zone: TimeZone,
    pub(crate) mirror: bool,
    pub(crate) day: usize,
    /// Day on which each touch went out, by person, medium and step.
    pub(crate) touches: BTreeMap<(String, Medium, u32), usize>,
}

pub(crate) fn writer() -> TemplateCopywriter {
    let sender = Sender {
        name: "Ann Moss".to_owned(),
        company: "Acorn".to_owned(),
        email: "ann@acorn.example.com".to_owned(),
        postal_address: "1 Oak Street".to_owned(),
        opt_out_text: "Reply no and I stop.".to_owned(),
        ..Sender::default()
    };
    TemplateCopywriter::new(TemplateSet::builtin().unwrap(), sender)
}

impl Days {
    pub(crate) fn new(world: World) -> Self {
        Self {
            world,
            linkedin: Arc::new(RecordingChannel::new(Provider::HeyReach, 10)),
            zone: TimeZone::UTC,
            mirror: false,
            day: 1,
            touches: BTreeMap::new(),
        }
    }

    pub(crate) fn cadences(&self) -> Cadences<'_> {
        Cadences {
            store: &*self.world.store,
            clock: &*self.world.clock,
            ids: &*self.world.ids,
            by: "ann",
            zone: self.zone.clone(),
            mirror: self.mirror,
        }
    }

    /// First e-mails to so many people, on their way and sent at once.
    pub(crate) async fn begin(&mut self, people: usize) {
        for number in 0..people {
            self.world.commit(lead(&person(number), true)).await;
        }
        let batch = self.world.approved(people).await;
        self.we_send().await;
        self.execute(&batch, Motion::Outbound).await.unwrap();
        self.sent().await;
        self.cadences().sync().await.unwrap();
    }

    pub(crate) async fn execute(
        &mut self,
        batch: &Batch,
        motion: Motion,
    ) -> Result<RunReport, DispatchError> {
        let mut operator = self.world.operator("one");
        operator
            .channels
            .insert(Provider::HeyReach, self.linkedin.clone());
        operator.limits.linkedin_per_day = 100;
        operator.coexist = None;
        let before = self.received();
        let report = operator.execute(&batch.id, motion).await;
        for (who, medium, step) in self.received() {
            let is_new = !before.contains(&(who.clone(), medium, step));
            if is_new {
                self.touches.insert((who, medium, step), self.day);
            }
        }
        report
    }

    /// It is us who send follow-ups and revivals.
    pub(crate) async fn we_send(&self) {
        for motion in [Motion::Cadence, Motion::Revival] {
            let tools = (&*self.world.clock as _, &*self.world.ids as _);
            authority::give(&*self.world.store, tools, "ann", motion, System::Caio)
                .await
                .unwrap();
        }
    }

    /// Everything that both channels received; a touch that came twice fails the test.
    pub(crate) fn received(&self) -> BTreeSet<(String, Medium, u32)> {
        let mut touches = BTreeSet::new();
        let channels = [&self.world.channel, &self.linkedin];
        for (_, it) in channels.iter().flat_map(|channel| channel.received()) {
            let item = it.item;
            let touch = (item.recipient.to_string(), item.medium, item.step.0);
            assert!(touches.insert(touch.clone()), "twice: {touch:?}");
        }
        touches
    }

    /// The providers report what they took as sent.
    pub(crate) async fn sent(&self) {
        let range = Range::default();
        let entries: Vec<LedgerEntry> = self
            .world
            .store
            .index_json(records::LEDGER_INDEX, &range)
            .await
            .unwrap();
        for entry in entries {
            if entry.state == DeliveryState::Accepted && entry.sent_at.is_none() {
                let entry = entry.learned(Later::Sent, self.world.clock.now());
                self.world.commit(entry.writes().unwrap()).await;
            }
        }
    }

    pub(crate) async fn signal(&self, person: &EmailKey, mut record: Value) {
        record["email"] = person.as_str().into();
        let writes = records::put_status(&records::lead_status(person), &record);
        self.world.commit(writes.into()).await;
    }

    /// A person approves every draft that waits, and a batch of what may go.
    pub(crate) async fn approve(&self, motion: Motion) -> Option<Batch> {
        let store = &*self.world.store;
        let page = review::page(store, DraftStatus::Pending, None, 100)
            .await
            .unwrap();
        for draft in page.items {
            self.world.review().approve(&draft.id).await.unwrap();
        }
        let request = PlanRequest {
            motion,
            ..World::request()
        };
        let plan = plan::plan(store, &request).await.unwrap();
        if plan.offered.is_empty() {
            return None;
        }
        let batch = plan::batch(&plan, &request, &*self.world.clock, &*self.world.ids).unwrap();
        self.world.batches().add(&batch).await.unwrap();
        let approved = self
            .world
            .batches()
            .approve(&batch.id, &batch.digest, None, &keys())
            .await;
        Some(approved.unwrap())
    }

    /// What an operator does on one morning.
    pub(crate) async fn morning(&mut self) {
        self.cadences().draft(&writer(), 100).await.unwrap();
        if let Some(batch) = self.approve(Motion::Cadence).await {
            self.execute(&batch, Motion::Cadence).await.unwrap();
        }
        self.sent().await;
        self.cadences().sync().await.unwrap();
    }

    pub(crate) fn next_day(&mut self) {
        self.world.clock.advance(DAY);
        self.day += 1;
    }

    /// `medium step day` of everything that one person got, in order of day.
    pub(crate) fn of(&self, number: usize) -> Vec<String> {
        let who = person(number).to_string();
        let mut all: Vec<_> = self
            .touches
            .iter()
            .filter(|((name, _, _), _)| *name == who)
            .map(|((_, medium, step), day)| (*day, format!("{medium} {step} {day}")))
            .collect();
        all.sort();
        all.into_iter().map(|(_, text)| text).collect()
    }

    pub(crate) async fn record(&self, number: usize) -> Record {
        let found = cadence::one(&*self.world.store, &person(number)).await;
        found.unwrap().unwrap().record
    }
}

pub(crate) fn lead(person: &EmailKey, has_profile: bool) -> Vec<Write> {
    let record = LeadRecord {
        lead: Lead {
            key: person.clone(),
            email: person.to_string(),
            first_name: "Kim".to_owned(),
            last_name: "Doe".to_owned(),
            title: "COO".to_owned(),
            linkedin_url: if has_profile {
                format!("https://linkedin.example/in/{}", records::person(person))
            } else {
                String::new()
            },
            phone: String::new(),
            location: String::new(),
            company: Company {
                name: "Acme".to_owned(),
                ..Company::default()
            },
            source: LeadSource::default(),
            intent: Intent::default(),
        },
        remarks: vec![],
        score: 90,
        tier: Some(Tier::One),
        reasons: vec![],
        model: ModelRef {
            name: "m".to_owned(),
            digest: "d".to_owned(),
        },
        outcome: "queued".to_owned(),
        detail: String::new(),
        draft: None,
        updated_at: String::new(),
    };
    records::put_lead(&record).unwrap()
}

pub(crate) fn one_world() -> World {
    worlds_with_our_time(5).into_iter().next().unwrap()
}

pub(crate) fn steps(record: &Record) -> Vec<String> {
    let items = record["steps_completed"].as_array().unwrap();
    let text = |it: &Value| {
        let why = it["reason"].as_str().unwrap_or("");
        format!("{} {} {why}", it["step"], it["action"].as_str().unwrap())
            .trim()
            .to_owned()
    };
    items.iter().map(text).collect()
}
