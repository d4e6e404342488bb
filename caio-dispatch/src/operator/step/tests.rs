use std::collections::BTreeSet;

use caio_core::terms::{Provider, Tier};
use proptest::prelude::*;

use super::*;

fn lane(name: usize, chunk: usize) -> Lane {
    let container = Container {
        name: format!("c{name}"),
        provider: Provider::Instantly,
        pool: "default".to_owned(),
        tier: Tier::One,
    };
    Lane { container, chunk }
}

/// A run over slots of these lanes.
fn run_of(slots: &[usize], chunks: &[usize], permits: usize) -> Run {
    let lanes = (0..).zip(chunks).map(|(at, chunk)| lane(at, *chunk));
    let slots = slots.iter().map(|lane| Slot {
        lane: *lane,
        state: SlotState::Waiting,
    });
    Run::new(lanes.collect(), slots.collect(), permits)
}

fn accepted() -> Outcome {
    Outcome::Accepted {
        receipt: "r".to_owned(),
    }
}

/// What the world answers to one effect, chosen by a number.
fn answer(effect: &Effect, choice: u8) -> Event {
    let text = || "because".to_owned();
    match (effect, choice % 16) {
        (_, 15) => Event::StoreFailed(text()),
        (Effect::ClaimBatch, 0) => Event::BatchRefused(text()),
        (Effect::ClaimBatch, 1) => Event::BatchClosed(text()),
        (Effect::ClaimBatch, _) => Event::BatchClaimed,
        (Effect::Claim(asked), choice) => {
            let one = |at: usize| match (choice, at % 3) {
                (0, 0) => Claimed::No(text()),
                (1, 2) => Claimed::Stopped(text()),
                (2, 1) => Claimed::Later(Timestamp::UNIX_EPOCH),
                _ => Claimed::Yes,
            };
            let answers = asked.iter().enumerate();
            Event::Claimed(answers.map(|(at, slot)| (*slot, one(at))).collect())
        }
        (Effect::Deliver(_, asked), 0) => {
            Event::Delivered(asked.clone(), vec![accepted(); asked.len() / 2])
        }
        (Effect::Deliver(_, asked), 1) => Event::Withheld(asked.clone(), text()),
        (Effect::Deliver(_, asked), 2) => {
            let refused = Outcome::Rejected { reason: text() };
            Event::Delivered(asked.clone(), vec![refused; asked.len()])
        }
        (Effect::Deliver(_, asked), _) => {
            Event::Delivered(asked.clone(), vec![accepted(); asked.len()])
        }
        (Effect::Record(outcomes), _) => {
            Event::Recorded(outcomes.iter().map(|(slot, _)| *slot).collect())
        }
        (Effect::Settle(_), _) => Event::Settled,
        (Effect::Wait(_), _) => Event::Waited,
    }
}

/// Answers every effect well, the oldest first; what was handed over.
fn drain(mut run: Run) -> (Run, Vec<Vec<usize>>) {
    let mut delivered = Vec::new();
    let mut waiting = VecDeque::new();
    let mut event = Some(Event::Start);
    while let Some(happened) = event {
        let (next, effects) = step(run, happened);
        run = next;
        waiting.extend(effects);
        let effect = waiting.pop_front();
        if let Some(Effect::Deliver(_, asked)) = &effect {
            delivered.push(asked.clone());
        }
        event = effect.map(|effect| answer(&effect, 5));
    }
    (run, delivered)
}

#[test]
fn what_has_to_wait_is_claimed_again_and_calls_go_on_meanwhile() {
    let run = run_of(&[0, 0, 0], &[1], 2);
    let (run, _) = step(run, Event::Start);
    let (run, effects) = step(run, Event::BatchClaimed);
    assert_eq!(effects, [Effect::Claim(vec![0, 1])]);
    let then = Timestamp::UNIX_EPOCH;
    let answers = vec![(0, Claimed::Yes), (1, Claimed::Later(then))];
    let (run, effects) = step(run, Event::Claimed(answers));
    assert_eq!(effects, [Effect::Wait(then), Effect::Deliver(0, vec![0])]);
    let (run, effects) = step(run, Event::Delivered(vec![0], vec![accepted()]));
    assert_eq!(effects, [Effect::Record(vec![(0, accepted())])]);
    let (run, effects) = step(run, Event::Recorded(vec![0]));
    assert_eq!(effects, [], "it is not over: somebody waits");
    let (_, effects) = step(run, Event::Waited);
    assert_eq!(effects, [Effect::Claim(vec![1, 2])]);
}

#[test]
fn a_full_run_delivers_each_item_once_in_chunks_of_one_lane() {
    let (run, delivered) = drain(run_of(&[0, 0, 0, 1], &[2, 2], 1));
    assert_eq!(delivered, [vec![0, 1], vec![2], vec![3]]);
    assert_eq!(run.outcomes(), [ItemOutcome::Accepted; 4]);
    assert_eq!(run.phase, Phase::Over);
    // Each lane has chunks of its own.
    let (_, delivered) = drain(run_of(&[0, 0, 1, 1], &[1, 100], 8));
    assert_eq!(delivered, [vec![0], vec![1], vec![2, 3]]);
}

#[test]
fn as_many_calls_as_permits_are_under_way_and_claims_go_ahead() {
    let run = run_of(&[0; 10], &[1], 3);
    let (run, _) = step(run, Event::Start);
    let (run, effects) = step(run, Event::BatchClaimed);
    assert_eq!(effects, [Effect::Claim(vec![0, 1, 2])]);
    let (run, effects) = step(run, answer(&effects[0], 5));
    let calls: Vec<Effect> = (0..3).map(|at| Effect::Deliver(0, vec![at])).collect();
    assert_eq!(effects[0], Effect::Claim(vec![3, 4, 5]));
    assert_eq!(effects[1..], calls);
    // The calls are full, and what is claimed ahead is enough.
    let (run, effects) = step(run, answer(&effects[0], 5));
    assert_eq!(effects, []);
    // A call that ends is followed by the next one at once, and recorded beside it.
    let (run, effects) = step(run, Event::Delivered(vec![1], vec![accepted()]));
    let record = Effect::Record(vec![(1, accepted())]);
    assert_eq!(effects, [Effect::Deliver(0, vec![3]), record]);
    // Records are one at a time; what comes meanwhile goes together.
    let (run, effects) = step(run, Event::Delivered(vec![0], vec![accepted()]));
    assert_eq!(effects, [Effect::Deliver(0, vec![4])]);
    let (run, _) = step(run, Event::Delivered(vec![2], vec![accepted()]));
    let (_, effects) = step(run, Event::Recorded(vec![1]));
    let both = vec![(0, accepted()), (2, accepted())];
    assert_eq!(effects, [Effect::Claim(vec![6]), Effect::Record(both)]);
}

#[test]
fn a_stop_releases_what_was_claimed_and_hears_out_what_is_under_way() {
    let run = run_of(&[0; 5], &[1], 1);
    let (run, _) = step(run, Event::Start);
    let (run, _) = step(run, Event::BatchClaimed);
    let (run, effects) = step(run, Event::Claimed(vec![(0, Claimed::Yes)]));
    assert_eq!(
        effects,
        [Effect::Claim(vec![1]), Effect::Deliver(0, vec![0])]
    );
    let (run, _) = step(run, Event::Claimed(vec![(1, Claimed::Yes)]));
    let (run, effects) = step(run, Event::Withheld(vec![0], "stop".to_owned()));
    let not_sent = Outcome::NotSent {
        reason: "stop".to_owned(),
    };
    let both = vec![(0, not_sent.clone()), (1, not_sent)];
    assert_eq!(effects, [Effect::Record(both)]);
    let (run, effects) = step(run, Event::Recorded(vec![0, 1]));
    assert_eq!(effects, [Effect::Settle(vec![ItemOutcome::NotSent; 5])]);
    assert_eq!(run.slots[2].state, SlotState::Waiting);
}

#[test]
fn a_store_that_fails_ends_everything_but_the_calls_under_way() {
    let run = run_of(&[0; 9], &[1], 2);
    let (run, _) = step(run, Event::Start);
    let (run, _) = step(run, Event::BatchClaimed);
    let both = vec![(0, Claimed::Yes), (1, Claimed::Yes)];
    let (run, effects) = step(run, Event::Claimed(both));
    assert_eq!(effects.len(), 3);
    let (run, effects) = step(run, Event::Lost("gone".to_owned()));
    assert_eq!(effects, []);
    let (run, effects) = step(run, Event::StoreFailed("gone as well".to_owned()));
    assert_eq!(effects, []);
    let (run, effects) = step(run, Event::Delivered(vec![1], vec![accepted()]));
    assert_eq!(effects, [Effect::Record(vec![(1, accepted())])]);
    let (run, _) = step(run, Event::Recorded(vec![1]));
    let (run, effects) = step(run, Event::Delivered(vec![0], vec![accepted()]));
    assert_eq!(effects.len(), 1);
    let (run, effects) = step(run, Event::Recorded(vec![0]));
    assert_eq!((effects, run.phase), (vec![], Phase::Over));
    assert_eq!(run.stopped.as_deref(), Some("gone"));
}

#[test]
fn an_answer_to_nothing_ends_the_run() {
    for event in [
        Event::Delivered(vec![0], vec![accepted()]),
        Event::Claimed(vec![(0, Claimed::Yes), (0, Claimed::Yes)]),
        Event::Claimed(vec![(2, Claimed::Yes)]),
        Event::Recorded(vec![0]),
        Event::Settled,
        Event::Start,
    ] {
        let run = run_of(&[0; 3], &[1], 1);
        let (run, _) = step(run, Event::Start);
        let (run, _) = step(run, Event::BatchClaimed);
        let (run, effects) = step(run, event);
        assert!(effects.is_empty());
        assert!(run.stopped.unwrap().starts_with("unexpected"));
    }
}

/// What a run has done so far.
#[derive(Default)]
struct Seen {
    claimed: BTreeSet<usize>,
    delivered: BTreeSet<usize>,
    recorded: BTreeSet<usize>,
    settled: usize,
}

impl Seen {
    /// The rules that hold for each effect, whatever came before.
    fn check(&mut self, effect: &Effect, run: &Run) -> Result<(), TestCaseError> {
        match effect {
            Effect::ClaimBatch | Effect::Wait(_) => {}
            Effect::Claim(asked) => {
                prop_assert!(!run.waiting, "a claim in a pause");
                for slot in asked {
                    prop_assert!(!self.claimed.contains(slot));
                }
            }
            Effect::Deliver(lane, asked) => {
                prop_assert!(!asked.is_empty() && asked.len() <= run.lanes[*lane].chunk);
                for slot in asked {
                    prop_assert_eq!(run.slots[*slot].lane, *lane);
                    prop_assert!(self.claimed.contains(slot), "a delivery without a claim");
                    prop_assert!(self.delivered.insert(*slot), "a second delivery");
                }
            }
            Effect::Record(outcomes) => {
                for (slot, _) in outcomes {
                    prop_assert!(self.claimed.contains(slot));
                    prop_assert!(self.recorded.insert(*slot), "a second record");
                }
            }
            Effect::Settle(outcomes) => {
                prop_assert_eq!(outcomes.len(), run.slots.len());
                self.settled += 1;
            }
        }
        Ok(())
    }

    fn note(&mut self, event: &Event) {
        if let Event::Claimed(answers) = event {
            let yes = answers.iter().filter(|(_, it)| *it == Claimed::Yes);
            self.claimed.extend(yes.map(|(slot, _)| *slot));
        }
    }
}

proptest! {
    #[test]
    fn whatever_comes_in_whatever_order_each_slot_is_delivered_once_at_most_and_ends(
        slots in prop::collection::vec(0usize..3, 0..24),
        chunks in prop::array::uniform3(0usize..5),
        permits in 0usize..6,
        choices in prop::collection::vec((any::<u8>(), any::<u8>()), 0..96),
        lost in prop::option::of(0usize..40),
    ) {
        let mut run = run_of(&slots, &chunks, permits);
        let mut seen = Seen::default();
        let mut under_way: Vec<Effect> = Vec::new();
        let mut event = Event::Start;
        // What was not chosen is answered well, the oldest first.
        let mut choices = choices.into_iter().chain(std::iter::repeat((0, 5))).enumerate();
        loop {
            seen.note(&event);
            let (next, effects) = step(run, event);
            run = next;
            let ended = run.stopped.is_some();
            for effect in &effects {
                seen.check(effect, &run)?;
                let begins = matches!(effect, Effect::Claim(_) | Effect::Deliver(..) | Effect::Wait(_));
                prop_assert!(!(ended && begins), "something begins after the end");
            }
            under_way.extend(effects);
            let count = |test: fn(&Effect) -> bool| under_way.iter().filter(|it| test(it)).count();
            prop_assert!(count(|it| matches!(it, Effect::Deliver(..))) <= permits.max(1));
            prop_assert!(count(|it| matches!(it, Effect::Claim(_))) <= 1);
            prop_assert!(count(|it| matches!(it, Effect::Wait(_))) <= 1);
            prop_assert!(run.broken || count(|it| matches!(it, Effect::Record(_))) <= 1);
            if under_way.is_empty() {
                break;
            }
            let (at, (which, choice)) = choices.next().unwrap_or_default();
            event = if lost == Some(at) {
                Event::Lost("lost".to_owned())
            } else {
                let effect = under_way.remove(usize::from(which) % under_way.len());
                answer(&effect, choice)
            };
        }
        prop_assert_eq!(run.phase, Phase::Over);
        prop_assert!(seen.settled <= 1);
        if !run.broken {
            prop_assert_eq!(seen.settled, 1);
            prop_assert_eq!(run.open, 0);
            for (at, slot) in run.slots.iter().enumerate() {
                let ended = match &slot.state {
                    SlotState::Ended(_) => seen.recorded.contains(&at),
                    SlotState::Refused(_) => !seen.claimed.contains(&at),
                    SlotState::Waiting => run.stopped.is_some() && !seen.claimed.contains(&at),
                    _ => false,
                };
                prop_assert!(ended, "slot {} does not end: {:?}", at, slot.state);
            }
        }
        for slot in &seen.delivered {
            // A failing store may keep a record back, never an answer.
            let known = matches!(run.slots[*slot].state, SlotState::Ended(_) | SlotState::Answered(_));
            prop_assert!(known || run.broken);
        }
    }
}
