//! A store beside the model: each transition is made in it, and what it answers and holds afterwards is
//! what the model says.

use std::collections::HashMap;
use std::sync::Arc;

use caio_state::conformance::{TestClock, TestIds};
use caio_state::{
    CommitOutcome, Guard, Held, Key, Lease, Range, StateStore, Txn, TxnId, Version, Write, stop,
};
use jiff::SignedDuration;

use crate::reference::{self, Answer, COUNTERS, Commit, DOCUMENTS, STOP, State, Transition};

pub(crate) struct Real {
    pub(crate) store: Arc<dyn StateStore>,
    clock: Arc<TestClock>,
    ids: TestIds,
    lease: Lease,
    held: Vec<Held>,
    /// Versions by value: values are unique.
    versions: HashMap<String, Version>,
}

fn document(number: usize) -> Key {
    match number {
        STOP => stop::key(),
        _ => Key::new(&["a", &number.to_string()]),
    }
}

fn counter(number: usize) -> Key {
    Key::new(&["n", &number.to_string()])
}

fn index(number: usize) -> String {
    format!("index/{number}")
}

fn number_of(key: &Key) -> usize {
    (0..DOCUMENTS)
        .find(|number| document(*number) == *key)
        .unwrap()
}

impl Real {
    pub(crate) fn new(store: Arc<dyn StateStore>, clock: Arc<TestClock>) -> Self {
        Self {
            store,
            clock,
            ids: TestIds::default(),
            lease: Lease::new(Key::new(&["lease"])),
            held: Vec::new(),
            versions: HashMap::new(),
        }
    }

    /// Goes on in a store that holds the same, whose versions are others.
    pub(crate) async fn goes_on(&mut self, store: Arc<dyn StateStore>, state: &State) {
        self.store = store;
        self.compare(state).await;
    }

    /// Makes `transition`, after which the model is in `state`.
    pub(crate) async fn apply(&mut self, transition: &Transition, state: &State) {
        let answer = match transition {
            Transition::Acquire => self.acquire().await,
            Transition::Commit(commit) => self.commit(state.sent.len() - 1, commit, state).await,
            Transition::Pass(seconds) => {
                self.clock.advance(SignedDuration::from_secs(*seconds));
                Answer::Nothing
            }
            Transition::Range { .. } => Answer::Entries(self.range(transition).await),
            Transition::Release(acquisition) => {
                if let Some(held) = self.held.get(*acquisition) {
                    let store = &*self.store;
                    self.lease.release(store, &self.ids, held).await.unwrap();
                }
                Answer::Nothing
            }
            Transition::Renew(acquisition) => Answer::Lease(self.renew(*acquisition).await),
            Transition::Repeat(id) => match state.sent.get(*id) {
                Some(commit) => self.commit(*id, commit, state).await,
                None => Answer::Nothing,
            },
            Transition::Scan { limit } => {
                self.scan(*limit, state).await;
                Answer::Nothing
            }
        };
        assert_eq!(Some(answer), state.answer, "{}: {transition:?}", self.store);
        self.compare(state).await;
    }

    async fn acquire(&mut self) -> Answer {
        let ttl = SignedDuration::from_secs(reference::LEASE);
        let lease = &self.lease;
        let taken = lease.acquire(&*self.store, &self.ids, "somebody", "work", ttl);
        let taken = taken.await.unwrap();
        if let Ok(held) = &taken {
            let last = self.held.last().map_or(0, |last| last.fence);
            assert!(held.fence > last, "a fence grows");
            self.held.push(held.clone());
        }
        Answer::Lease(taken.is_ok())
    }

    async fn renew(&self, acquisition: usize) -> bool {
        let ttl = SignedDuration::from_secs(reference::LEASE);
        match self.held.get(acquisition) {
            Some(held) => {
                let renewed = self.lease.renew(&*self.store, &self.ids, held, ttl);
                renewed.await.unwrap()
            }
            None => false,
        }
    }

    async fn commit(&self, id: usize, commit: &Commit, state: &State) -> Answer {
        let writes = commit.writes.iter().enumerate();
        let txn = Txn {
            id: TxnId(id.to_string()),
            guards: commit
                .guards
                .iter()
                .map(|it| self.guard(it, state))
                .collect(),
            writes: writes
                .map(|(position, it)| write(id, position, it))
                .collect(),
        };
        match self.store.commit(&txn).await.unwrap() {
            CommitOutcome::Committed => Answer::Committed,
            CommitOutcome::Refused { guard } => Answer::Refused(guard),
        }
    }

    fn guard(&self, guard: &reference::Guard, state: &State) -> Guard {
        match guard {
            reference::Guard::Absent(number) => Guard::Absent(document(*number)),
            reference::Guard::Ceiling {
                counter: number,
                add,
                ceiling,
            } => Guard::Ceiling {
                counter: counter(*number),
                add: *add,
                ceiling: *ceiling,
            },
            reference::Guard::Fence(acquisition) => Guard::Fence {
                lease: Key::new(&["lease"]),
                fence: self.held.get(*acquisition).map_or(1, |held| held.fence),
            },
            reference::Guard::Present(number) => Guard::Present(document(*number)),
            reference::Guard::StopAbsent => Guard::StopAbsent,
            reference::Guard::Unchanged(number, seen) => {
                let seen = state.seen.get(*seen).and_then(|it| self.versions.get(it));
                let version = seen.cloned().unwrap_or(Version("none".to_owned()));
                Guard::Unchanged(document(*number), version)
            }
        }
    }

    /// All pages, each within its limit.
    async fn range(&self, transition: &Transition) -> Vec<(u8, usize)> {
        let Transition::Range {
            index: number,
            from,
            until,
            descending,
            limit,
        } = transition
        else {
            return Vec::new();
        };
        let range = Range {
            from: from.map(|place| place.to_string()),
            until: until.map(|place| place.to_string()),
            descending: *descending,
        };
        let name = index(*number);
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = self.store.range(&name, &range, after.as_ref(), *limit);
            let page = page.await.unwrap();
            assert!(page.items.len() <= *limit);
            let items = page.items.iter();
            found.extend(items.map(|it| (it.order.parse::<u8>().unwrap(), number_of(&it.key))));
            match page.next {
                Some(next) => after = Some(next),
                None => return found,
            }
        }
    }

    /// All pages of the documents that are no stop flag.
    async fn scan(&self, limit: usize, state: &State) {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = self.store.scan("a:", after.as_ref(), limit).await.unwrap();
            assert!(page.items.len() <= limit);
            let items = page.items.into_iter();
            found.extend(items.map(|(key, it)| (number_of(&key), text(it.value))));
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        let expected = (0..STOP).filter_map(|number| {
            let value = state.document(number)?;
            Some((number, value.to_owned()))
        });
        assert_eq!(found, expected.collect::<Vec<_>>(), "{}", self.store);
    }

    /// Every document and counter is as in the model; versions are remembered.
    async fn compare(&mut self, state: &State) {
        let documents: Vec<Key> = (0..DOCUMENTS).map(document).collect();
        let found = self.store.get(&documents).await.unwrap();
        for (number, found) in found.into_iter().enumerate() {
            let value = found.map(|it| {
                let value = text(it.value);
                self.versions.insert(value.clone(), it.version);
                value
            });
            assert_eq!(
                value.as_deref(),
                state.document(number),
                "{}: document {number}",
                self.store
            );
        }
        let counters: Vec<Key> = (0..COUNTERS).map(counter).collect();
        let found = self.store.counters(&counters).await.unwrap();
        let expected: Vec<u64> = (0..COUNTERS).map(|number| state.counter(number)).collect();
        assert_eq!(found, expected, "{}: counters", self.store);
    }
}

fn text(value: Vec<u8>) -> String {
    String::from_utf8(value).unwrap()
}

fn write(id: usize, position: usize, write: &reference::Write) -> Write {
    let expires_in = |lifetime: &Option<i64>| lifetime.map(SignedDuration::from_secs);
    match write {
        reference::Write::Add {
            counter: number,
            amount,
            lifetime,
        } => Write::Add {
            counter: counter(*number),
            amount: *amount,
            expires_in: expires_in(lifetime),
        },
        reference::Write::Delete(number) => Write::Delete(document(*number)),
        reference::Write::Index {
            index: number,
            document: of,
            place,
        } => Write::Index {
            index: index(*number),
            order: place.to_string(),
            key: document(*of),
        },
        reference::Write::Put {
            document: number,
            lifetime,
        } => Write::Put {
            key: document(*number),
            value: reference::value(id, position).into_bytes(),
            expires_in: expires_in(lifetime),
        },
        reference::Write::Unindex {
            index: number,
            document: of,
        } => Write::Unindex {
            index: index(*number),
            key: document(*of),
        },
    }
}
