//! The operator's decisions, pure: `step(run, event) -> (run, effects)`.
//!
//! claim the batch → claim → deliver → record → … → settle. Calls of the providers overlap, as many
//! as there are permits; claims are made ahead of them and records behind them, one group of each at
//! a time. A stop ends the claims at once: what was claimed but not handed over is released, calls
//! under way are heard out, nothing else begins.

use std::collections::VecDeque;
use std::mem;

use caio_core::batch::ItemOutcome;
use jiff::Timestamp;

use crate::channel::{Container, Outcome};

/// A container and how much it takes in one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// The campaign or list.
    pub container: Container,
    /// Most items in one provider call; at least one.
    pub chunk: usize,
}

/// One item of the batch as the run sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Where it goes, in [`Run::lanes`]; items of one lane are handed over together.
    pub lane: usize,
    /// What became of it so far.
    pub state: SlotState,
}

/// What became of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotState {
    /// Not yet asked for.
    Waiting,
    /// Its claim is under way.
    Claiming,
    /// Claimed, not yet handed over.
    Claimed,
    /// Its call is under way.
    Delivering,
    /// What became of it is known, and not yet in the ledger.
    Answered(Outcome),
    /// Refused before any call, with the reason.
    Refused(String),
    /// What became of it is in the ledger.
    Ended(Outcome),
}

/// The state of one run over one batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Where items go.
    pub lanes: Vec<Lane>,
    /// The items, in the order of delivery.
    pub slots: Vec<Slot>,
    /// Where the run stands.
    pub phase: Phase,
    /// Why nothing further is claimed, once that is so.
    pub stopped: Option<String>,
    /// Most provider calls at one time.
    permits: usize,
    /// The store failed or is no longer ours: nothing begins, and nothing is settled.
    broken: bool,
    /// Effects that were asked for and not yet answered.
    pending: usize,
    /// Provider calls among them.
    calls: usize,
    /// Outcomes are being recorded.
    recording: bool,
    /// No slot before this one waits.
    next: usize,
    /// The slots whose claim is under way.
    claiming: Vec<usize>,
    /// Claimed slots of each lane.
    ready: Vec<VecDeque<usize>>,
    /// Slots with an outcome that no record has begun for.
    answered: Vec<usize>,
    /// Slots from their claim until they are recorded.
    open: usize,
    /// Claims go on then.
    pause: Option<Timestamp>,
    /// That time is waited for.
    waiting: bool,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nothing has happened.
    New,
    /// The claim of the batch is under way.
    ClaimingBatch,
    /// Items are claimed, handed over and recorded.
    Sending,
    /// The final status is under way.
    Settling,
    /// Nothing is under way, and nothing will be.
    Over,
}

/// The answer to the claim of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// It is claimed and its intent recorded.
    Yes,
    /// It must not go out, and why.
    No(String),
    /// Not before then: messages of its provider keep a distance. It waits, and so do the claims.
    Later(Timestamp),
    /// Nothing further may go out, and why.
    Stopped(String),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The run begins.
    Start,
    /// The batch is ours, once and for all.
    BatchClaimed,
    /// It is ours from an interrupted run, but may not go on: only the settling is left.
    BatchClosed(String),
    /// It is not ours: somebody else's, expired, changed, stopped.
    BatchRefused(String),
    /// Claims of items were answered.
    Claimed(Vec<(usize, Claimed)>),
    /// The provider answered, one outcome an item asked.
    Delivered(Vec<usize>, Vec<Outcome>),
    /// These were not handed over, since nothing further may go out.
    Withheld(Vec<usize>, String),
    /// Outcomes are in the ledger.
    Recorded(Vec<usize>),
    /// The time of a [`Effect::Wait`] has come, or nothing may go out any more.
    Waited,
    /// The batch has its final status.
    Settled,
    /// An effect failed at the store: what was claimed stays as it is and is reconciled by the next
    /// run.
    StoreFailed(String),
    /// Somebody else has taken over, or could have; answers no effect.
    Lost(String),
}

/// What the runner has to do; each is answered by one [`Event`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Claim the batch.
    ClaimBatch,
    /// Check these items again and claim each.
    Claim(Vec<usize>),
    /// Ask the verdict again, then hand these over; all are of this lane.
    Deliver(usize, Vec<usize>),
    /// Record these outcomes.
    Record(Vec<(usize, Outcome)>),
    /// Wait until then, or until nothing may go out any more.
    Wait(Timestamp),
    /// Give the batch its final status: what became of each item.
    Settle(Vec<ItemOutcome>),
}

impl Run {
    /// A run over `slots`, with at most `permits` (at least one) provider calls at a time.
    pub fn new(mut lanes: Vec<Lane>, slots: Vec<Slot>, permits: usize) -> Self {
        for lane in &mut lanes {
            lane.chunk = lane.chunk.max(1);
        }
        Self {
            ready: vec![VecDeque::new(); lanes.len()],
            lanes,
            slots,
            phase: Phase::New,
            stopped: None,
            permits: permits.max(1),
            broken: false,
            pending: 0,
            calls: 0,
            recording: false,
            next: 0,
            claiming: Vec::new(),
            answered: Vec::new(),
            open: 0,
            pause: None,
            waiting: false,
        }
    }

    /// Whether the store failed or is no longer ours: nothing begins, and nothing is settled.
    pub const fn is_broken(&self) -> bool {
        self.broken
    }

    /// What became of each item, for the final status of the batch. What was refused or never
    /// asked for was not sent.
    pub fn outcomes(&self) -> Vec<ItemOutcome> {
        let outcome = |slot: &Slot| match &slot.state {
            SlotState::Ended(Outcome::Accepted { .. }) => ItemOutcome::Accepted,
            SlotState::Ended(Outcome::Rejected { .. }) => ItemOutcome::Rejected,
            SlotState::Ended(Outcome::Unknown { .. }) => ItemOutcome::Unknown,
            _ => ItemOutcome::NotSent,
        };
        self.slots.iter().map(outcome).collect()
    }

    /// Whether each of these is in the state of `test`, and none is named twice.
    fn are(&self, positions: &[usize], test: impl Fn(&SlotState) -> bool) -> bool {
        let mut sorted = positions.to_vec();
        sorted.sort_unstable();
        let is_so = |at: &usize| self.slots.get(*at).is_some_and(|it| test(&it.state));
        sorted.is_sorted_by(|left, right| left < right) && sorted.iter().all(is_so)
    }

    /// Whether the claims under way, and no others, are answered.
    fn answers_claims(&self, answers: &[(usize, Claimed)]) -> bool {
        let mut positions: Vec<usize> = answers.iter().map(|(position, _)| *position).collect();
        positions.sort_unstable();
        positions == self.claiming
    }

    /// What begins now: claims up to what the calls can take, full chunks, records, or the end.
    fn proceed(mut self) -> (Self, Vec<Effect>) {
        let mut effects = Vec::new();
        if self.broken {
            effects.extend(self.record());
        } else {
            if let Some(reason) = self.stopped.clone() {
                self.release(&reason);
            } else {
                effects.extend(self.wait());
                effects.extend(self.claim());
                while let Some(effect) = self.deliver() {
                    effects.push(effect);
                }
            }
            effects.extend(self.record());
        }
        if effects.is_empty() && self.pending == 0 {
            if self.broken || self.phase != Phase::Sending {
                self.phase = Phase::Over;
            } else {
                self.phase = Phase::Settling;
                effects.push(Effect::Settle(self.outcomes()));
            }
        }
        self.pending += effects.len();
        (self, effects)
    }

    /// The next group of claims: one at a time, and never further ahead than twice what the calls
    /// can take.
    fn claim(&mut self) -> Option<Effect> {
        if self.pause.is_some() || !self.claiming.is_empty() {
            return None;
        }
        let chunk = self.lanes.iter().map(|lane| lane.chunk).max().unwrap_or(1);
        let most = self.permits.saturating_mul(chunk).saturating_mul(2);
        let room = most.saturating_sub(self.open).min(self.permits.max(chunk));
        while self.claiming.len() < room && self.next < self.slots.len() {
            let position = self.next;
            self.next += 1;
            if self.slots[position].state == SlotState::Waiting {
                self.slots[position].state = SlotState::Claiming;
                self.claiming.push(position);
            }
        }
        self.open += self.claiming.len();
        (!self.claiming.is_empty()).then(|| Effect::Claim(self.claiming.clone()))
    }

    /// The pause of the claims, once.
    fn wait(&mut self) -> Option<Effect> {
        let until = self.pause.filter(|_| !self.waiting)?;
        self.waiting = true;
        Some(Effect::Wait(until))
    }

    /// The next call: a full chunk, or what is left of a lane.
    fn deliver(&mut self) -> Option<Effect> {
        if self.calls >= self.permits {
            return None;
        }
        let may_grow = |lane: usize| self.claiming.iter().any(|it| self.slots[*it].lane == lane);
        let lane = (0..self.lanes.len()).find(|lane| {
            let ready = self.ready[*lane].len();
            ready >= self.lanes[*lane].chunk || (ready > 0 && !may_grow(*lane))
        })?;
        let count = self.ready[lane].len().min(self.lanes[lane].chunk);
        let positions: Vec<usize> = self.ready[lane].drain(..count).collect();
        for position in &positions {
            self.slots[*position].state = SlotState::Delivering;
        }
        self.calls += 1;
        Some(Effect::Deliver(lane, positions))
    }

    /// Everything that is known and not recorded; one group at a time, as long as the store works.
    fn record(&mut self) -> Option<Effect> {
        if (self.recording && !self.broken) || self.answered.is_empty() {
            return None;
        }
        self.recording = true;
        let outcome = |position: usize| match &self.slots[position].state {
            SlotState::Answered(outcome) => Some((position, outcome.clone())),
            _ => None,
        };
        let answered = mem::take(&mut self.answered);
        Some(Effect::Record(
            answered.into_iter().filter_map(outcome).collect(),
        ))
    }

    /// What is claimed and was not handed over certainly was not sent.
    fn release(&mut self, reason: &str) {
        let claimed: Vec<usize> = self.ready.iter_mut().flat_map(mem::take).collect();
        for position in claimed {
            let reason = reason.to_owned();
            self.answer(position, Outcome::NotSent { reason });
        }
    }

    fn answer(&mut self, position: usize, outcome: Outcome) {
        self.slots[position].state = SlotState::Answered(outcome);
        self.answered.push(position);
    }

    fn stop(&mut self, reason: String) {
        self.stopped.get_or_insert(reason);
    }

    /// Nothing begins any more; what is under way is heard out.
    fn fail(mut self, reason: String) -> (Self, Vec<Effect>) {
        self.broken = true;
        self.stop(reason);
        self.proceed()
    }

    fn claimed(mut self, answers: Vec<(usize, Claimed)>) -> (Self, Vec<Effect>) {
        for position in mem::take(&mut self.claiming) {
            self.slots[position].state = SlotState::Waiting;
        }
        for (position, answer) in answers {
            match answer {
                Claimed::Yes => {
                    self.slots[position].state = SlotState::Claimed;
                    let lane = self.slots[position].lane;
                    self.ready[lane].push_back(position);
                    continue;
                }
                Claimed::Later(at) => {
                    self.next = self.next.min(position);
                    self.pause = Some(self.pause.map_or(at, |pause| pause.min(at)));
                }
                Claimed::No(reason) => self.slots[position].state = SlotState::Refused(reason),
                Claimed::Stopped(reason) => self.stop(reason),
            }
            self.open -= 1;
        }
        self.proceed()
    }

    fn delivered(mut self, asked: &[usize], outcomes: Vec<Outcome>) -> (Self, Vec<Effect>) {
        self.calls -= 1;
        let missing = || Outcome::Unknown {
            reason: "the channel gave no outcome".to_owned(),
        };
        let outcomes = outcomes.into_iter().map(Some);
        let outcomes = outcomes.chain(std::iter::repeat(None));
        for (position, outcome) in asked.iter().zip(outcomes) {
            self.answer(*position, outcome.unwrap_or_else(missing));
        }
        self.proceed()
    }

    fn withheld(mut self, asked: &[usize], reason: String) -> (Self, Vec<Effect>) {
        self.calls -= 1;
        for position in asked {
            let reason = reason.clone();
            self.answer(*position, Outcome::NotSent { reason });
        }
        self.stop(reason);
        self.proceed()
    }

    fn recorded(mut self, positions: &[usize]) -> (Self, Vec<Effect>) {
        self.recording = false;
        for position in positions {
            let state = &mut self.slots[*position].state;
            if let SlotState::Answered(outcome) = mem::replace(state, SlotState::Waiting) {
                *state = SlotState::Ended(outcome);
            }
        }
        self.open -= positions.len();
        self.proceed()
    }
}

/// The next state and what to do. An event that does not answer what the run waits for ends it:
/// the runner is wrong then, and a run that is not understood must not go on.
pub fn step(mut run: Run, event: Event) -> (Run, Vec<Effect>) {
    let is_answer = !matches!(event, Event::Start | Event::Lost(_));
    if is_answer {
        run.pending = run.pending.saturating_sub(1);
    }
    match (run.phase, event) {
        (_, Event::StoreFailed(reason) | Event::Lost(reason))
        | (Phase::ClaimingBatch, Event::BatchRefused(reason)) => run.fail(reason),
        (Phase::New, Event::Start) => {
            run.phase = Phase::ClaimingBatch;
            run.pending = 1;
            (run, vec![Effect::ClaimBatch])
        }
        (Phase::ClaimingBatch, Event::BatchClaimed) => {
            run.phase = Phase::Sending;
            run.proceed()
        }
        (Phase::ClaimingBatch, Event::BatchClosed(reason)) => {
            run.phase = Phase::Sending;
            run.stop(reason);
            run.proceed()
        }
        (Phase::Sending, Event::Claimed(answers)) if run.answers_claims(&answers) => {
            run.claimed(answers)
        }
        (Phase::Sending, Event::Delivered(asked, outcomes))
            if run.are(&asked, |state| *state == SlotState::Delivering) =>
        {
            run.delivered(&asked, outcomes)
        }
        (Phase::Sending, Event::Withheld(asked, reason))
            if run.are(&asked, |state| *state == SlotState::Delivering) =>
        {
            run.withheld(&asked, reason)
        }
        (Phase::Sending, Event::Recorded(positions))
            if run.are(&positions, |state| matches!(state, SlotState::Answered(_))) =>
        {
            run.recorded(&positions)
        }
        (Phase::Sending, Event::Waited) if run.waiting => {
            (run.pause, run.waiting) = (None, false);
            run.proceed()
        }
        (Phase::Settling, Event::Settled) => {
            run.phase = Phase::Over;
            (run, Vec::new())
        }
        (phase, event) => run.fail(format!("unexpected {event:?} while {phase:?}")),
    }
}

#[cfg(test)]
mod tests;
