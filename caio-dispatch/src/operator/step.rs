//! The operator's decisions, pure: `step(run, event) -> (run, effects)`.
//!
//! claim the batch → for each item: claim → deliver → record → … → settle. A stop ends the run at
//! the next boundary: what was claimed but not handed over is released, nothing further is claimed.

use caio_core::batch::ItemOutcome;

use crate::channel::{Container, Outcome};

/// One item of the batch as the run sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Where it goes; items of one container are handed over together.
    pub container: Container,
    /// What became of it so far.
    pub state: SlotState,
}

/// What became of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotState {
    /// Not yet asked for.
    Waiting,
    /// Claimed, not yet handed over.
    Claimed,
    /// Refused before any call, with the reason.
    Refused(String),
    /// Handed over, or known from an earlier run.
    Ended(Outcome),
}

/// The state of one run over one batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The items, in the order of delivery.
    pub slots: Vec<Slot>,
    /// Most items in one provider call.
    pub chunk: usize,
    /// Where the run stands.
    pub phase: Phase,
    /// Why nothing further is claimed, once that is so.
    pub stopped: Option<String>,
}

/// Where a run stands: what it waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Nothing has happened.
    New,
    /// The claim of the batch.
    ClaimingBatch,
    /// The claim of an item.
    ClaimingItem(usize),
    /// The provider's answer.
    Delivering(Vec<usize>),
    /// The record of outcomes.
    Recording,
    /// The final status.
    Settling,
    /// Nothing: the run is over.
    Over,
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
    /// The item is claimed and its intent recorded.
    ItemClaimed,
    /// The item must not go out.
    ItemRefused(String),
    /// Nothing further may go out.
    Stopped(String),
    /// The provider answered, one outcome an item asked.
    Delivered(Vec<Outcome>),
    /// Outcomes are in the ledger.
    Recorded,
    /// The batch has its final status.
    Settled,
    /// The store failed: what was claimed stays as it is and is reconciled by the next run.
    StoreFailed(String),
}

/// What the runner has to do; it answers with an [`Event`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Claim the batch.
    ClaimBatch,
    /// Check one item again and claim it.
    ClaimItem(usize),
    /// Ask the verdict again, then hand these over; all have one container.
    Deliver(Vec<usize>),
    /// Record these outcomes.
    Record(Vec<(usize, Outcome)>),
    /// Give the batch its final status.
    Settle,
}

impl Run {
    /// A run over `slots`, handing over at most `chunk` (at least one) at a time.
    pub fn new(slots: Vec<Slot>, chunk: usize) -> Self {
        Self {
            slots,
            chunk: chunk.max(1),
            phase: Phase::New,
            stopped: None,
        }
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

    /// Items that are claimed and not yet handed over.
    fn claimed(&self) -> Vec<usize> {
        self.positions(|state| matches!(state, SlotState::Claimed))
    }

    fn positions(&self, test: impl Fn(&SlotState) -> bool) -> Vec<usize> {
        let slots = self.slots.iter().enumerate();
        slots
            .filter(|(_, slot)| test(&slot.state))
            .map(|(position, _)| position)
            .collect()
    }

    fn mark(&mut self, position: usize, state: SlotState) {
        if let Some(slot) = self.slots.get_mut(position) {
            slot.state = state;
        }
    }

    /// The next claim, the hand-over of a full chunk, or the end.
    fn proceed(mut self) -> (Self, Vec<Effect>) {
        let claimed = self.claimed();
        if let Some(reason) = self.stopped.clone() {
            if claimed.is_empty() {
                return self.settle();
            }
            let outcome = Outcome::NotSent { reason };
            return self.record(
                claimed
                    .into_iter()
                    .map(|position| (position, outcome.clone()))
                    .collect(),
            );
        }
        let next = self
            .slots
            .iter()
            .position(|slot| slot.state == SlotState::Waiting);
        let container = claimed.first().map(|first| &self.slots[*first].container);
        match next {
            Some(next)
                if claimed.len() < self.chunk
                    && container
                        .is_none_or(|container| *container == self.slots[next].container) =>
            {
                self.phase = Phase::ClaimingItem(next);
                (self, vec![Effect::ClaimItem(next)])
            }
            None if claimed.is_empty() => self.settle(),
            _ => {
                self.phase = Phase::Delivering(claimed.clone());
                (self, vec![Effect::Deliver(claimed)])
            }
        }
    }

    fn record(mut self, outcomes: Vec<(usize, Outcome)>) -> (Self, Vec<Effect>) {
        for (position, outcome) in &outcomes {
            self.mark(*position, SlotState::Ended(outcome.clone()));
        }
        self.phase = Phase::Recording;
        (self, vec![Effect::Record(outcomes)])
    }

    fn settle(mut self) -> (Self, Vec<Effect>) {
        self.phase = Phase::Settling;
        (self, vec![Effect::Settle])
    }

    fn over(mut self, reason: Option<String>) -> (Self, Vec<Effect>) {
        self.phase = Phase::Over;
        self.stopped = reason.or(self.stopped);
        (self, Vec::new())
    }
}

/// The next state and what to do. An event that does not answer what the run waits for ends it:
/// the runner is wrong then, and a run that is not understood must not go on.
pub fn step(mut run: Run, event: Event) -> (Run, Vec<Effect>) {
    match (run.phase.clone(), event) {
        (_, Event::StoreFailed(reason))
        | (Phase::ClaimingBatch, Event::BatchRefused(reason) | Event::Stopped(reason)) => {
            run.over(Some(reason))
        }
        (Phase::New, Event::Start) => {
            run.phase = Phase::ClaimingBatch;
            (run, vec![Effect::ClaimBatch])
        }
        (Phase::ClaimingBatch, Event::BatchClaimed) | (Phase::Recording, Event::Recorded) => {
            run.proceed()
        }
        (Phase::ClaimingItem(position), Event::ItemClaimed) => {
            run.mark(position, SlotState::Claimed);
            run.proceed()
        }
        (Phase::ClaimingItem(position), Event::ItemRefused(reason)) => {
            run.mark(position, SlotState::Refused(reason));
            run.proceed()
        }
        (Phase::ClaimingBatch, Event::BatchClosed(reason))
        | (Phase::ClaimingItem(_) | Phase::Delivering(_), Event::Stopped(reason)) => {
            run.stopped = Some(reason);
            run.proceed()
        }
        (Phase::Delivering(asked), Event::Delivered(outcomes)) => {
            let missing = || Outcome::Unknown {
                reason: "the channel gave no outcome".to_owned(),
            };
            let outcomes = outcomes
                .into_iter()
                .map(Some)
                .chain(std::iter::repeat(None));
            let paired = asked.into_iter().zip(outcomes);
            run.record(
                paired
                    .map(|(at, outcome)| (at, outcome.unwrap_or_else(missing)))
                    .collect(),
            )
        }
        (Phase::Settling, Event::Settled) => run.over(None),
        (phase, event) => run.over(Some(format!("unexpected {event:?} while {phase:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use caio_core::terms::{Provider, Tier};
    use proptest::prelude::*;

    use super::*;

    fn container(name: u8) -> Container {
        Container {
            name: format!("c{name}"),
            provider: Provider::Instantly,
            pool: "default".to_owned(),
            tier: Tier::One,
        }
    }

    fn run_of(containers: &[u8], chunk: usize) -> Run {
        let slots = containers.iter().map(|name| Slot {
            container: container(*name),
            state: SlotState::Waiting,
        });
        Run::new(slots.collect(), chunk)
    }

    fn accepted() -> Outcome {
        Outcome::Accepted {
            receipt: "r".to_owned(),
        }
    }

    /// What the world answers to one effect, chosen by a number.
    fn answer(effect: &Effect, choice: u8) -> Event {
        let text = || "because".to_owned();
        match (effect, choice % 8) {
            (_, 7) => Event::StoreFailed(text()),
            (Effect::ClaimBatch, 0) => Event::BatchRefused(text()),
            (Effect::ClaimBatch, 1) => Event::BatchClosed(text()),
            (Effect::ClaimBatch, _) => Event::BatchClaimed,
            (Effect::ClaimItem(_), 0) => Event::ItemRefused(text()),
            (Effect::ClaimItem(_) | Effect::Deliver(_), 1) => Event::Stopped(text()),
            (Effect::ClaimItem(_), _) => Event::ItemClaimed,
            (Effect::Deliver(asked), 0) => Event::Delivered(vec![accepted(); asked.len() / 2]),
            (Effect::Deliver(asked), 2) => {
                Event::Delivered(vec![Outcome::Rejected { reason: text() }; asked.len()])
            }
            (Effect::Deliver(asked), _) => Event::Delivered(vec![accepted(); asked.len()]),
            (Effect::Record(_), _) => Event::Recorded,
            (Effect::Settle, _) => Event::Settled,
        }
    }

    #[test]
    fn a_full_run_delivers_each_item_once_in_chunks_of_one_container() {
        let mut run = run_of(&[1, 1, 1, 2], 2);
        let mut event = Event::Start;
        let mut delivered = Vec::new();
        loop {
            let (next, effects) = step(run, event);
            run = next;
            let Some(effect) = effects.first() else { break };
            if let Effect::Deliver(asked) = effect {
                delivered.push(asked.clone());
            }
            event = answer(effect, 3);
        }
        assert_eq!(delivered, [vec![0, 1], vec![2], vec![3]]);
        assert_eq!(run.outcomes(), [ItemOutcome::Accepted; 4]);
    }

    #[test]
    fn a_stop_releases_what_was_claimed_and_claims_nothing_further() {
        let run = run_of(&[1, 1, 1], 2);
        let (run, _) = step(run, Event::Start);
        let (run, _) = step(run, Event::BatchClaimed);
        let (run, effects) = step(run, Event::ItemClaimed);
        assert_eq!(effects, [Effect::ClaimItem(1)]);
        let (run, effects) = step(run, Event::Stopped("stop".to_owned()));
        let not_sent = Outcome::NotSent {
            reason: "stop".to_owned(),
        };
        assert_eq!(effects, [Effect::Record(vec![(0, not_sent)])]);
        let (run, effects) = step(run, Event::Recorded);
        assert_eq!(effects, [Effect::Settle]);
        assert_eq!(run.slots[1].state, SlotState::Waiting);
    }

    proptest! {
        #[test]
        fn no_item_is_delivered_twice_or_unclaimed_and_every_run_ends(
            containers in prop::collection::vec(0u8..3, 0..12),
            chunk in 0usize..5,
            choices in prop::collection::vec(any::<u8>(), 64),
        ) {
            let mut run = run_of(&containers, chunk);
            let mut event = Event::Start;
            let mut claimed = Vec::new();
            let mut delivered = Vec::new();
            let mut ended = false;
            for choice in choices.into_iter().chain(std::iter::repeat_n(3, 200)) {
                let stopped_before = run.stopped.is_some();
                let (next, effects) = step(run, event);
                run = next;
                prop_assert!(effects.len() <= 1);
                let Some(effect) = effects.first() else { ended = true; break };
                prop_assert!(!stopped_before || !matches!(effect, Effect::ClaimItem(_) | Effect::Deliver(_)));
                event = answer(effect, choice);
                match (effect, &event) {
                    (Effect::ClaimItem(position), Event::ItemClaimed) => claimed.push(*position),
                    (Effect::Deliver(asked), Event::Delivered(_)) => {
                        prop_assert!(asked.len() <= chunk.max(1));
                        for position in asked {
                            prop_assert!(claimed.contains(position));
                            prop_assert!(!delivered.contains(position));
                            delivered.push(*position);
                        }
                    }
                    _ => {}
                }
            }
            prop_assert!(ended);
        }
    }
}
