//! The days: what became known becomes known again, and the operator runs in shadow on each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use caio_core::batch::{BatchLimits, SealKeys, parse_instant};
use caio_core::config::{Production, Settings};
use caio_core::draft::{Draft, DraftStatus};
use caio_core::eligibility::Eligibility;
use caio_core::safety::{ChannelState, Gate as Gatekeeper, Inputs, StopFlag, Switches};
use caio_core::suppression::Suppression;
use caio_core::terms::{Medium, Mode, Motion, Provider, Step};
use caio_core::{Clock, EmailKey, IdSource};
use caio_state::{Guard, OverlayStore, StateStoreExt, Write, stop};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::Serialize;
use serde_json::{Value, json};

use super::past::changes;
use super::{Candidate, Day, NotSent, Past, Person, Rehearsal, SetClock, explain};
use crate::batches::Batches;
use crate::channel::Channel;
use crate::error::{DispatchError, Result};
use crate::facts::{Touch, facts};
use crate::ledger;
use crate::migrate::LEGACY_BATCH;
use crate::operator::{Brake, Gate, Operator, Permits, preview};
use crate::plan::{self, PlanRequest};
use crate::policy::{Policy, policy};
use crate::review::Review;
use crate::suppress::Suppress;
use crate::transition::commit;
use crate::{records, suppress};

/// Who approves and runs in a rehearsal where the records name nobody.
const NOBODY: &str = "rehearsal";

/// A rehearsal over a layer.
#[derive(Debug)]
pub struct Rehearse<'a> {
    /// Over the store that it begins from.
    pub layer: Arc<OverlayStore>,
    /// The clock of the layer.
    pub clock: Arc<SetClock>,
    /// Ids.
    pub ids: Arc<dyn IdSource>,
    /// Channels that prepare requests; they call nobody.
    pub channels: BTreeMap<Provider, Arc<dyn Channel>>,
    /// Settings.
    pub settings: &'a Settings,
    /// The old system's file, where there is one.
    pub production: Option<&'a Production>,
    /// Business time zone.
    pub zone: TimeZone,
}

/// A message that would have been handed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OurMessage {
    /// To whom.
    pub person: EmailKey,
    /// When.
    pub at: Timestamp,
    /// On which day.
    pub day: Date,
    /// The letter.
    pub letter: String,
}

/// What became known at a time.
#[derive(Debug)]
enum News {
    Status(EmailKey, Value),
    Suppressed(Suppression),
}

/// Nothing of this process stops a rehearsal.
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

/// What the days have brought so far.
#[derive(Debug, Default)]
struct Progress {
    days: Vec<Day>,
    ours: Vec<OurMessage>,
    /// Candidates that became a draft, by position.
    adopted: BTreeSet<usize>,
    /// What a run said last about somebody it refused.
    refused: BTreeMap<EmailKey, String>,
}

impl Rehearse<'_> {
    /// Replays the days from `first` to `last` and holds both systems beside each other.
    pub async fn run(&self, past: Past, first: Date, last: Date) -> Result<Rehearsal> {
        let begin = self.local(first, 0)?;
        self.clock.set(begin);
        let mut news = self.rewind(&past, begin).await?;
        let mut progress = Progress::default();
        let mut day = first;
        while day <= last {
            let at = self.instant(&past, day)?;
            self.clock.set(at);
            let later = news.split_off(&(at + SignedDuration::from_micros(1)));
            for event in news.into_values().flatten() {
                self.know(event).await?;
            }
            news = later;
            self.adopt(&past.candidates, at, &mut progress).await?;
            self.day(&past, day, at, &mut progress).await?;
            day = day.checked_add(1.day()).map_err(|error| no_day(&error))?;
        }
        self.compare(past, progress, (first, last)).await
    }

    /// When the operator runs on a day: as the old system first did, else at noon.
    fn instant(&self, past: &Past, day: Date) -> Result<Timestamp> {
        let of_day = past.messages.iter().filter(|it| it.day == Some(day));
        match of_day.filter_map(|it| it.at).min() {
            Some(at) => Ok(at),
            None => self.local(day, 12),
        }
    }

    fn local(&self, day: Date, hour: i8) -> Result<Timestamp> {
        let zoned = day.at(hour, 0, 0, 0).to_zoned(self.zone.clone());
        Ok(zoned.map_err(|error| no_day(&error))?.timestamp())
    }

    /// Takes back what became known since `begin`; answers it by time.
    async fn rewind(
        &self,
        past: &Past,
        begin: Timestamp,
    ) -> Result<BTreeMap<Timestamp, Vec<News>>> {
        let layer = &*self.layer;
        let mut writes = vec![Write::Delete(stop::key())];
        let mut news: BTreeMap<Timestamp, Vec<News>> = BTreeMap::new();
        let mut used = BTreeSet::new();
        for entry in ledger::of_batch(layer, LEGACY_BATCH).await? {
            let day = entry
                .intended_at
                .get(..10)
                .and_then(|it| it.parse::<Date>().ok());
            let from = begin.to_zoned(self.zone.clone()).date();
            if day.is_none_or(|day| day >= from) {
                let item = &entry.item;
                let touch = records::touch(&item.recipient, item.medium, item.step);
                writes.push(Write::Delete(touch));
                used.extend(day.map(|day| (item.medium, day)));
            }
        }
        used.extend(
            past.messages
                .iter()
                .filter_map(|it| Some((it.medium, it.day?))),
        );
        for (medium, day) in used {
            let counter = records::limit(&format!("{medium}:day:{day}"));
            writes.push(Write::Add {
                counter,
                amount: i64::MIN,
                expires_in: None,
            });
        }
        for entry in &past.suppressions {
            if let Some(at) = parse_instant(&entry.at).filter(|at| *at >= begin) {
                let key = suppress::key(&entry.scope);
                writes.push(Write::Delete(key.clone()));
                writes.push(Write::Unindex {
                    index: records::SUPPRESSION_INDEX.to_owned(),
                    key,
                });
                let event = News::Suppressed(entry.clone());
                news.entry(at).or_default().push(event);
            }
        }
        for (person, status) in &past.statuses {
            let times: BTreeSet<Timestamp> = changes(status).into_iter().map(|it| it.0).collect();
            let since: Vec<Timestamp> = times.range(begin..).copied().collect();
            if since.is_empty() {
                continue;
            }
            let key = records::lead_status(person);
            match status_at(status, begin) {
                Some(before) => writes.extend(records::put_status(&key, &before)),
                None => {
                    let index = records::STATUS_INDEX.to_owned();
                    writes.push(Write::Delete(key.clone()));
                    writes.push(Write::Unindex { index, key });
                }
            }
            for at in since {
                if let Some(then) = status_at(status, at + SignedDuration::from_micros(1)) {
                    let event = News::Status(person.clone(), then);
                    news.entry(at).or_default().push(event);
                }
            }
        }
        for candidate in &past.candidates {
            let draft = &candidate.draft;
            let key = records::draft(&draft.id);
            writes.push(Write::Delete(key.clone()));
            let indexes = [
                records::draft_index(draft.status),
                records::approved_index(draft.motion, draft.medium),
            ];
            writes.extend(indexes.map(|index| Write::Unindex {
                index,
                key: key.clone(),
            }));
        }
        commit(layer, &*self.ids, Vec::new(), writes).await?;
        Ok(news)
    }

    async fn know(&self, event: News) -> Result<()> {
        match event {
            News::Status(person, status) => {
                let writes = records::put_status(&records::lead_status(&person), &status);
                commit(&*self.layer, &*self.ids, Vec::new(), writes.into()).await?;
            }
            News::Suppressed(Suppression {
                scope,
                reason,
                source,
                at,
                by,
            }) => {
                let suppress = Suppress {
                    store: &*self.layer,
                    clock: &*self.clock,
                    ids: &*self.ids,
                    by: &by,
                };
                suppress.add(&scope, &reason, &source, Some(&at)).await?;
            }
        }
        Ok(())
    }

    /// Letters that a person had approved by now become approved drafts; the first one to a person
    /// counts.
    async fn adopt(
        &self,
        candidates: &[Candidate],
        at: Timestamp,
        progress: &mut Progress,
    ) -> Result<()> {
        for (position, candidate) in candidates.iter().enumerate() {
            let Some((approved, by)) = &candidate.approved else {
                continue;
            };
            let is_rejected = candidate.rejected.is_some_and(|rejected| rejected <= at);
            let known = progress.adopted.contains(&position);
            if *approved > at || is_rejected || candidate.synthetic || known {
                continue;
            }
            let pending = Draft {
                status: DraftStatus::Pending,
                decisions: Vec::new(),
                ..candidate.draft.clone()
            };
            let absent = Guard::Absent(records::draft(&pending.id));
            let writes = records::put_draft(&pending, None)?;
            let made = commit(&*self.layer, &*self.ids, vec![absent], writes).await?;
            if made != caio_state::CommitOutcome::Committed {
                continue;
            }
            let review = Review {
                store: &*self.layer,
                clock: &*self.clock,
                ids: &*self.ids,
                by: if by.is_empty() { NOBODY } else { by },
            };
            review.approve(&pending.id).await?;
            progress.adopted.insert(position);
        }
        Ok(())
    }

    /// Plans, approves and runs a batch, as a person and the operator would.
    async fn day(
        &self,
        past: &Past,
        day: Date,
        at: Timestamp,
        progress: &mut Progress,
    ) -> Result<()> {
        let store = &*self.layer;
        let policy = policy(store, self.settings, self.production, at, &self.zone).await?;
        let old = past.messages.iter();
        let old = old.filter(|it| it.day == Some(day) && !it.only_said);
        let mut report = Day {
            day,
            at,
            room: policy.email_room,
            old: old.count(),
            ours: 0,
            requests: 0,
            refused: None,
        };
        let request = PlanRequest {
            motion: Motion::Outbound,
            tier: policy.ramp.tier,
            via: Provider::Instantly,
            room: policy.email_room,
            linkedin_room: policy.linkedin_room,
            revival_room: policy.revival_room,
            limits: BatchLimits {
                email_per_day: policy.limits.email_per_day,
                linkedin_per_day: policy.limits.linkedin_per_day,
            },
            expires_in: SignedDuration::from_hours(24),
        };
        let plan = plan::plan(store, &request).await?;
        if !plan.offered.is_empty() {
            let batch = plan::batch(&plan, &request, &*self.clock, &*self.ids)?;
            let batches = Batches {
                store,
                clock: &*self.clock,
                ids: &*self.ids,
                by: NOBODY,
            };
            batches.add(&batch).await?;
            let keys = self.keys()?;
            let approved = batches.approve(&batch.id, &batch.digest, None, &keys);
            approved.await?;
            let operator = self.operator(&policy, keys);
            let layer = Arc::clone(&self.layer);
            match operator.shadow(layer, &batch.id, Motion::Outbound).await {
                Ok((run, handed)) => {
                    report.requests = handed.iter().map(|it| it.requests.len()).sum();
                    report.refused = run.stopped;
                    for item in run.items {
                        let Ok(person) = EmailKey::parse(&item.recipient) else {
                            continue;
                        };
                        if item.state == "accepted" {
                            report.ours += 1;
                            progress.ours.push(OurMessage {
                                letter: origin(past, &item.draft),
                                person,
                                at,
                                day,
                            });
                        } else {
                            progress.refused.insert(person, item.detail);
                        }
                    }
                }
                Err(error) => report.refused = Some(error.to_string()),
            }
        }
        progress.days.push(report);
        Ok(())
    }

    /// Keys that seal one day's approval and are gone with it.
    fn keys(&self) -> Result<SealKeys> {
        let text = format!("rehearsal:{}", STANDARD.encode(self.ids.random()));
        SealKeys::parse(&text).map_err(|error| DispatchError::Refused {
            code: error.code(),
            reason: error.to_string(),
        })
    }

    fn operator(&self, policy: &Policy, keys: SealKeys) -> Operator {
        Operator {
            store: self.layer.clone(),
            channels: self.channels.clone(),
            clock: self.clock.clone(),
            ids: Arc::clone(&self.ids),
            keys,
            gate: Gate {
                inputs: inputs(),
                brake: Arc::new(NoBrake),
            },
            limits: policy.limits.clone(),
            tiers: policy.ramp.tier.into_iter().collect(),
            run_limit: None,
            zone: self.zone.clone(),
            holder: NOBODY.to_owned(),
            lease: SignedDuration::from_secs(240),
            permits: Permits::default(),
            coexist: None,
            patience: SignedDuration::ZERO,
        }
    }

    async fn compare(
        &self,
        past: Past,
        progress: Progress,
        window: (Date, Date),
    ) -> Result<Rehearsal> {
        let mut people: BTreeSet<&EmailKey> = BTreeSet::new();
        let within = |day: Option<Date>| day.is_none_or(|it| it >= window.0 && it <= window.1);
        people.extend(
            past.messages
                .iter()
                .filter(|it| within(it.day))
                .map(|it| &it.person),
        );
        people.extend(progress.ours.iter().map(|it| &it.person));
        people.extend(past.candidates.iter().map(|it| &it.draft.recipient));
        let mut lines = Vec::new();
        for key in people {
            let person = Person {
                key,
                past: &past,
                ours: progress.ours.iter().find(|it| it.person == *key),
                not_sent: self.not_sent(key, &past, &progress).await?,
            };
            lines.push(explain::line(&person, window));
        }
        Ok(Rehearsal {
            days: progress.days,
            people: lines,
            faults: past.faults,
        })
    }

    /// Why nothing went to a person, as it stands in the end.
    async fn not_sent(&self, key: &EmailKey, past: &Past, progress: &Progress) -> Result<NotSent> {
        let of_one = past.candidates.iter().enumerate();
        let of_one = of_one.filter(|(_, it)| it.draft.recipient == *key);
        let of_one: Vec<(usize, &Candidate)> = of_one.collect();
        let Some((_, candidate)) = of_one
            .iter()
            .find(|(position, _)| progress.adopted.contains(position))
        else {
            let candidates = of_one.iter().map(|(_, it)| *it);
            let rejected = candidates.clone().find_map(|it| it.rejected);
            return Ok(match (of_one.is_empty(), rejected) {
                (true, _) => NotSent::NoLetter,
                (false, Some(at)) => NotSent::Rejected(at),
                (false, None) if candidates.clone().all(|it| it.synthetic) => NotSent::Synthetic,
                (false, None) => NotSent::NotApproved,
            });
        };
        let store = &*self.layer;
        let draft: Option<(Draft, _)> =
            store.get_json(&records::draft(&candidate.draft.id)).await?;
        let Some((draft, _)) = draft else {
            return Ok(NotSent::NoLetter);
        };
        let touch = Touch {
            person: key,
            medium: Medium::Email,
            step: Step::FIRST,
        };
        let now = self.clock.now();
        let policy = policy(store, self.settings, self.production, now, &self.zone).await?;
        let known = facts(store, &[touch]).await?.into_iter().next();
        let known = known.unwrap_or_default();
        Ok(match preview(&draft, &known, policy.ramp.tier) {
            Eligibility::Ineligible(reasons) => NotSent::Refused(reasons),
            Eligibility::Ok => match progress.refused.get(key) {
                Some(said) => NotSent::Run(said.clone()),
                None => NotSent::NoRoom,
            },
        })
    }
}

/// Where the letter of a draft comes from.
fn origin(past: &Past, draft: &str) -> String {
    let mut of = past.candidates.iter().filter(|it| it.draft.id == draft);
    let origin = of.find(|it| it.approved.is_some());
    origin.map_or_else(|| draft.to_owned(), |it| it.origin.clone())
}

fn no_day(error: &jiff::Error) -> DispatchError {
    DispatchError::Refused {
        code: "rehearse.days",
        reason: error.to_string(),
    }
}

/// A lead's record as it stood at a time; `None` before there was one.
fn status_at(record: &Value, at: Timestamp) -> Option<Value> {
    let mut then = record.clone();
    let mut left = 0;
    let mut first = None;
    for (list, said) in [("status_history", "from"), ("signals", "")] {
        let items = then.get_mut(list).and_then(Value::as_array_mut);
        let Some(items) = items else { continue };
        if let Some(from) = items.first().and_then(|it| it.get(said)) {
            first = Some(from.clone());
        }
        items.retain(|it| {
            let when = it.get("at").and_then(Value::as_str).and_then(parse_instant);
            when.is_none_or(|when| when < at)
        });
        left += items.len();
    }
    let created = record.get("created_at").and_then(Value::as_str);
    let created = created.and_then(parse_instant);
    if left == 0 && created.is_none_or(|created| created >= at) {
        return None;
    }
    let last = then["status_history"].as_array().and_then(|it| it.last());
    let status = last.and_then(|it| it.get("to")).cloned().or(first);
    if let Some(status) = status {
        then["status"] = status;
    }
    let answers = changes(&then)
        .into_iter()
        .filter(|(_, status)| caio_core::eligibility::ANSWERED_STATUSES.contains(&status.as_str()));
    if answers.count() == 0 {
        then["reply_count"] = json!(0);
    }
    Some(then)
}

/// Nothing but the stop, the seal and the limits stands against a rehearsal.
fn inputs() -> Inputs {
    Inputs {
        requested: Mode::Shadow,
        stop_env: None,
        stop_file: StopFlag::Clear,
        stop_flag: StopFlag::Clear,
        access: None,
        cors: None,
        gate: Gatekeeper::Sealed,
        seal_key: true,
        limits: Vec::new(),
        switches: Switches::default(),
        contradictions: Vec::new(),
        sender_missing: Vec::new(),
        model_adopted: true,
        channel: ChannelState::DraftsFirst,
    }
}
