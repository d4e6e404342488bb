//! What a store does, as maps: the state of the model, and what can happen to it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

/// Documents; the last one is the stop flag.
pub(crate) const DOCUMENTS: usize = 5;
pub(crate) const STOP: usize = DOCUMENTS - 1;
pub(crate) const COUNTERS: usize = 3;
pub(crate) const INDEXES: usize = 2;

/// Seconds. No sum of steps comes near to a lifetime, so that a store with a clock of its own, which
/// goes on while the test runs, decides as the model does.
const STEPS: [i64; 3] = [20 * 60 + 4, 50 * 60 + 4, 25 * 3600 + 4];
const LIFETIMES: [i64; 2] = [35 * 60, 95 * 60];
pub(crate) const LEASE: i64 = LIFETIMES[0];
const OUTCOMES_KEPT: i64 = 24 * 3600;

#[derive(Debug, Clone)]
pub(crate) enum Guard {
    Absent(usize),
    Ceiling {
        counter: usize,
        add: u64,
        ceiling: u64,
    },
    /// The fence of the n-th acquisition, also one that never was.
    Fence(usize),
    Present(usize),
    StopAbsent,
    /// At the n-th version that was ever seen, also one that never was.
    Unchanged(usize, usize),
}

#[derive(Debug, Clone)]
pub(crate) enum Write {
    Add {
        counter: usize,
        amount: i64,
        lifetime: Option<i64>,
    },
    Delete(usize),
    Index {
        index: usize,
        document: usize,
        place: u8,
    },
    /// Its value tells who wrote it: see [`value`].
    Put {
        document: usize,
        lifetime: Option<i64>,
    },
    Unindex {
        index: usize,
        document: usize,
    },
}

#[derive(Debug, Clone)]
pub(crate) struct Commit {
    pub(crate) guards: Vec<Guard>,
    pub(crate) writes: Vec<Write>,
}

#[derive(Debug, Clone)]
pub(crate) enum Transition {
    Acquire,
    /// Commits under a new id.
    Commit(Commit),
    /// Seconds pass.
    Pass(i64),
    Range {
        index: usize,
        from: Option<u8>,
        until: Option<u8>,
        descending: bool,
        limit: usize,
    },
    Release(usize),
    Renew(usize),
    /// Sends the n-th commit again, under its id.
    Repeat(usize),
    Scan {
        limit: usize,
    },
}

/// What the store has to answer to the last transition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Committed,
    /// Places and documents of an index.
    Entries(Vec<(u8, usize)>),
    /// Whether a lease was given or prolonged.
    Lease(bool),
    Nothing,
    Refused(usize),
}

#[derive(Debug, Clone)]
struct Mortal<T> {
    value: T,
    ends: Option<i64>,
}

impl<T> Mortal<T> {
    fn lives(&self, now: i64) -> bool {
        self.ends.is_none_or(|ends| ends > now)
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    now: i64,
    documents: BTreeMap<usize, Mortal<String>>,
    counters: BTreeMap<usize, Mortal<u64>>,
    indexes: [BTreeMap<usize, u8>; INDEXES],
    outcomes: HashMap<usize, Mortal<Answer>>,
    pub(crate) sent: Vec<Commit>,
    /// Every value that was there after a transition.
    pub(crate) seen: Vec<String>,
    /// Who has the lease, counted by acquisitions, and until when.
    lease: Option<(usize, i64)>,
    pub(crate) acquired: usize,
    pub(crate) answer: Option<Answer>,
}

/// What commit `id` puts with its write at `position`.
pub(crate) fn value(id: usize, position: usize) -> String {
    format!("{id}.{position}")
}

impl State {
    pub(crate) fn document(&self, number: usize) -> Option<&str> {
        let found = self.documents.get(&number)?;
        found.lives(self.now).then_some(found.value.as_str())
    }

    pub(crate) fn counter(&self, number: usize) -> u64 {
        let found = self.counters.get(&number);
        found
            .filter(|it| it.lives(self.now))
            .map_or(0, |it| it.value)
    }

    fn holds_lease(&self, acquisition: usize) -> bool {
        self.lease
            .is_some_and(|(holder, until)| holder == acquisition && until > self.now)
    }

    fn holds(&self, guard: &Guard) -> bool {
        match guard {
            Guard::Absent(number) => self.document(*number).is_none(),
            Guard::Ceiling {
                counter,
                add,
                ceiling,
            } => self.counter(*counter) + add <= *ceiling,
            Guard::Fence(acquisition) => self.holds_lease(*acquisition),
            Guard::Present(number) => self.document(*number).is_some(),
            Guard::StopAbsent => self.document(STOP).is_none(),
            Guard::Unchanged(number, seen) => {
                let seen = self.seen.get(*seen).map(String::as_str);
                seen.is_some() && self.document(*number) == seen
            }
        }
    }

    fn write(&mut self, id: usize, position: usize, write: &Write) {
        let ends = |now: i64, lifetime: Option<i64>| lifetime.map(|lifetime| now + lifetime);
        match write {
            Write::Add {
                counter,
                amount,
                lifetime,
            } => {
                let sum = self.counter(*counter).saturating_add_signed(*amount);
                let now = self.now;
                let fresh = Mortal {
                    value: 0,
                    ends: ends(now, *lifetime),
                };
                let found = self.counters.remove(counter).filter(|it| it.lives(now));
                let mut entry = found.unwrap_or(fresh);
                entry.value = sum;
                self.counters.insert(*counter, entry);
            }
            Write::Delete(number) => {
                self.documents.remove(number);
            }
            Write::Index {
                index,
                document,
                place,
            } => {
                self.indexes[*index].insert(*document, *place);
            }
            Write::Put { document, lifetime } => {
                let value = value(id, position);
                let ends = ends(self.now, *lifetime);
                self.documents.insert(*document, Mortal { value, ends });
            }
            Write::Unindex { index, document } => {
                self.indexes[*index].remove(document);
            }
        }
    }

    fn commit(&mut self, id: usize) -> Answer {
        if let Some(first) = self.outcomes.get(&id).filter(|it| it.lives(self.now)) {
            return first.value.clone();
        }
        let commit = self.sent[id].clone();
        let answer = match commit.guards.iter().position(|guard| !self.holds(guard)) {
            Some(guard) => Answer::Refused(guard),
            None => {
                for (position, write) in commit.writes.iter().enumerate() {
                    self.write(id, position, write);
                }
                Answer::Committed
            }
        };
        let kept = Mortal {
            value: answer.clone(),
            ends: Some(self.now + OUTCOMES_KEPT),
        };
        self.outcomes.insert(id, kept);
        answer
    }

    fn range(&self, transition: &Transition) -> Answer {
        let Transition::Range {
            index,
            from,
            until,
            descending,
            ..
        } = transition
        else {
            return Answer::Nothing;
        };
        let inside = self.indexes[*index].iter().filter(|(_, place)| {
            from.is_none_or(|from| **place >= from) && until.is_none_or(|until| **place < until)
        });
        let mut entries: Vec<(u8, usize)> = inside
            .map(|(document, place)| (*place, *document))
            .collect();
        entries.sort_unstable();
        if *descending {
            entries.reverse();
        }
        Answer::Entries(entries)
    }
}

/// The model, for `proptest-state-machine`.
pub(crate) struct Model;

impl ReferenceStateMachine for Model {
    type State = State;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<State> {
        Just(State::default()).boxed()
    }

    fn transitions(state: &State) -> BoxedStrategy<Transition> {
        let acquisition = 0..=state.acquired;
        let place = || prop::option::of(0u8..6);
        let pages = (0..INDEXES, place(), place(), any::<bool>(), 1usize..4);
        let range = pages.prop_map(
            |(index, from, until, descending, limit)| Transition::Range {
                index,
                from,
                until,
                descending,
                limit,
            },
        );
        prop_oneof![
            10 => commit(state).prop_map(Transition::Commit),
            3 => (0..=state.sent.len()).prop_map(Transition::Repeat),
            3 => prop::sample::select(&STEPS[..]).prop_map(Transition::Pass),
            2 => range,
            1 => (1usize..4).prop_map(|limit| Transition::Scan { limit }),
            2 => Just(Transition::Acquire),
            1 => acquisition.clone().prop_map(Transition::Renew),
            1 => acquisition.prop_map(Transition::Release),
        ]
        .boxed()
    }

    fn apply(mut state: State, transition: &Transition) -> State {
        let now = state.now;
        let answer = match transition {
            Transition::Acquire => {
                let free = state.lease.is_none_or(|(_, until)| until <= now);
                if free {
                    state.lease = Some((state.acquired, now + LEASE));
                    state.acquired += 1;
                }
                Answer::Lease(free)
            }
            Transition::Commit(commit) => {
                state.sent.push(commit.clone());
                state.commit(state.sent.len() - 1)
            }
            Transition::Pass(seconds) => {
                state.now += seconds;
                Answer::Nothing
            }
            Transition::Range { .. } => state.range(transition),
            Transition::Release(acquisition) => {
                if state.holds_lease(*acquisition) {
                    state.lease = Some((*acquisition, now));
                }
                Answer::Nothing
            }
            Transition::Renew(acquisition) => {
                let holds = state.holds_lease(*acquisition);
                if holds {
                    state.lease = Some((*acquisition, now + LEASE));
                }
                Answer::Lease(holds)
            }
            Transition::Repeat(id) if *id < state.sent.len() => state.commit(*id),
            Transition::Repeat(_) | Transition::Scan { .. } => Answer::Nothing,
        };
        state.answer = Some(answer);
        let there: BTreeSet<String> = (0..DOCUMENTS)
            .filter_map(|number| state.document(number).map(str::to_owned))
            .collect();
        let new = there.into_iter().filter(|it| !state.seen.contains(it));
        let new: Vec<String> = new.collect();
        state.seen.extend(new);
        state
    }
}

fn commit(state: &State) -> impl Strategy<Value = Commit> + use<> {
    let guards = prop::collection::vec(guard(state.acquired, state.seen.len()), 0..3);
    let writes = prop::collection::vec(write(), 0..5);
    (guards, writes).prop_map(|(guards, writes)| Commit { guards, writes })
}

fn guard(acquired: usize, seen: usize) -> impl Strategy<Value = Guard> {
    let ceiling = (0..COUNTERS, 0u64..6, 0u64..12);
    // Mostly the last ones: old ones rarely hold.
    let late = |count: usize| count.saturating_sub(3)..=count;
    prop_oneof![
        (0..DOCUMENTS).prop_map(Guard::Absent),
        ceiling.prop_map(|(counter, add, ceiling)| Guard::Ceiling {
            counter,
            add,
            ceiling
        }),
        late(acquired).prop_map(Guard::Fence),
        (0..DOCUMENTS).prop_map(Guard::Present),
        Just(Guard::StopAbsent),
        (0..DOCUMENTS, late(seen)).prop_map(|(number, seen)| Guard::Unchanged(number, seen)),
    ]
}

fn write() -> impl Strategy<Value = Write> {
    let lifetime = || prop::option::of(prop::sample::select(&LIFETIMES[..]));
    let add = (0..COUNTERS, -4i64..6, lifetime());
    let index = (0..INDEXES, 0..DOCUMENTS, 0u8..6);
    prop_oneof![
        2 => add.prop_map(|(counter, amount, lifetime)| Write::Add { counter, amount, lifetime }),
        1 => (0..DOCUMENTS).prop_map(Write::Delete),
        2 => index.prop_map(|(index, document, place)| Write::Index { index, document, place }),
        3 => (0..DOCUMENTS, lifetime()).prop_map(|(document, lifetime)| Write::Put { document, lifetime }),
        1 => (0..INDEXES, 0..DOCUMENTS).prop_map(|(index, document)| Write::Unindex { index, document }),
    ]
}
