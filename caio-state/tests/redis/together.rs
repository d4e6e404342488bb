//! Commits in one call of the script do what they do one after the other.

use std::sync::atomic::{AtomicUsize, Ordering};

use caio_state::conformance::TestClock;
use caio_state::{
    Access, CommitOutcome, Guard, Key, MemoryStore, Range, RedisStore, StateStore, StateStoreExt,
    Txn, TxnId, Version, Write,
};
use proptest::prelude::*;
use sha1::{Digest, Sha1};

use crate::world::{World, add, key, put, txn};

/// What one commit asks and writes, in small numbers, so that they meet.
#[derive(Debug, Clone)]
enum Part {
    Absent(usize),
    Present(usize),
    /// A document has the value that this transaction of the run wrote.
    Is(usize, usize),
    Below(usize, u64),
    Put(usize),
    Delete(usize),
    Add(usize, i64),
    Place(usize, usize, u8),
    Unplace(usize, usize),
}

fn part() -> impl Strategy<Value = Part> {
    let (documents, counters, indexes) = (0..4_usize, 0..2_usize, 0..2_usize);
    let amounts = prop_oneof![
        -9..9_i64,
        Just(i64::MAX),
        Just(i64::MIN),
        Just((1 << 53) - 1),
        Just(-(1 << 53))
    ];
    prop_oneof![
        documents.clone().prop_map(Part::Absent),
        documents.clone().prop_map(Part::Present),
        (documents.clone(), 0..12_usize).prop_map(|(it, of)| Part::Is(it, of)),
        (counters.clone(), 0..12_u64).prop_map(|(it, most)| Part::Below(it, most)),
        documents.clone().prop_map(Part::Put),
        documents.clone().prop_map(Part::Delete),
        (counters, amounts).prop_map(|(it, amount)| Part::Add(it, amount)),
        (indexes.clone(), documents.clone(), 0..3_u8)
            .prop_map(|(index, it, place)| Part::Place(index, it, place)),
        (indexes, documents).prop_map(|(index, it)| Part::Unplace(index, it)),
    ]
}

fn document(number: usize) -> Key {
    key(&format!("d{number}"))
}

fn counter(number: usize) -> Key {
    Key::new(&["n", &number.to_string()])
}

/// The transaction of these parts, for a store whose versions `version` knows.
fn transaction(number: usize, parts: &[Part], version: impl Fn(&str) -> Version) -> Txn {
    let (mut guards, mut writes) = (Vec::new(), Vec::new());
    for part in parts {
        match part {
            Part::Absent(it) => guards.push(Guard::Absent(document(*it))),
            Part::Present(it) => guards.push(Guard::Present(document(*it))),
            Part::Is(it, of) => {
                let value = format!("{it} of {of}");
                guards.push(Guard::Unchanged(document(*it), version(&value)));
            }
            Part::Below(it, most) => guards.push(Guard::Ceiling {
                counter: counter(*it),
                add: 1,
                ceiling: *most,
            }),
            Part::Put(it) => writes.push(put(&format!("d{it}"), &format!("{it} of {number}"))),
            Part::Delete(it) => writes.push(Write::Delete(document(*it))),
            Part::Add(it, amount) => writes.push(Write::Add {
                counter: counter(*it),
                amount: *amount,
                expires_in: None,
            }),
            Part::Place(index, it, place) => writes.push(Write::Index {
                index: format!("i{index}"),
                order: format!("{place}"),
                key: document(*it),
            }),
            Part::Unplace(index, it) => writes.push(Write::Unindex {
                index: format!("i{index}"),
                key: document(*it),
            }),
        }
    }
    Txn {
        id: TxnId(format!("t{number}")),
        guards,
        writes,
    }
}

/// Everything that a store holds, without versions.
async fn holds(store: &dyn StateStore) -> String {
    let keys: Vec<Key> = (0..4).map(document).collect();
    let values = store.get(&keys).await.unwrap();
    let values: Vec<_> = values
        .into_iter()
        .map(|it| it.map(|it| String::from_utf8(it.value).unwrap()))
        .collect();
    let counters = store.counters(&[counter(0), counter(1)]).await.unwrap();
    let mut places = Vec::new();
    for index in ["i0", "i1"] {
        let page = store.range(index, &Range::default(), None, 99).await;
        places.push(page.unwrap().items);
    }
    let names = store.scan("", None, 99).await.unwrap().items;
    let names: Vec<Key> = names.into_iter().map(|(key, _)| key).collect();
    format!("{values:?} {counters:?} {places:?} {names:?}")
}

#[test]
fn commits_in_one_call_do_what_they_do_one_by_one() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let world = World::new();
    let number = AtomicUsize::new(0);
    let commits = prop::collection::vec(prop::collection::vec(part(), 0..6), 1..12);
    proptest!(|(commits in commits, first in 0..12_usize)| {
        runtime.block_on(async {
            let prefix = format!("together-{}", number.fetch_add(1, Ordering::SeqCst));
            let redis = RedisStore::open(world.options(&prefix), Access::ReadWrite).unwrap();
            let sha1 = |value: &str| Version(caio_core::identity::hex(&Sha1::digest(value)));
            let txns: Vec<Txn> = commits.iter().enumerate()
                .map(|(number, parts)| transaction(number, parts, sha1))
                .collect();
            // Two calls, and the second holds a repetition of the first.
            let first = first.min(txns.len());
            let mut together = redis.commit_many(&txns[..first]).await.unwrap();
            let again = redis.commit_many(&txns).await.unwrap();
            assert_eq!(again[..first], together);
            together = again;

            let memory = MemoryStore::new(TestClock::noon());
            let mut single = Vec::new();
            for (number, parts) in commits.iter().enumerate() {
                // A version there is whatever the store says it is.
                let versions = memory.scan("", None, 99).await.unwrap().items;
                let known = |value: &str| {
                    let found = versions.iter().find(|(_, it)| it.value == value.as_bytes());
                    found.map_or(Version("none".to_owned()), |(_, it)| it.version.clone())
                };
                let txn = transaction(number, parts, known);
                single.push(memory.commit(&txn).await.unwrap());
            }
            assert_eq!(together, single);
            assert_eq!(holds(&redis).await, holds(&memory).await);
        });
    });
}

/// One that cannot be applied costs none of those that are sent with it.
#[tokio::test]
async fn one_that_cannot_be_applied_costs_no_other() {
    let world = World::new();
    let store = world.store();
    world
        .plain::<()>(&["LPUSH", "caio-test:caio:_n:n", "x"])
        .await;
    let txns = [
        txn("1", vec![], vec![put("a", "1")]),
        txn("2", vec![], vec![put("b", "1"), add("n")]),
        txn("3", vec![], vec![put("c", "1")]),
    ];
    assert!(store.commit_many(&txns).await.is_err());
    let found = store.get(&[key("a"), key("b"), key("c")]).await.unwrap();
    let there: Vec<bool> = found.iter().map(Option::is_some).collect();
    assert_eq!(there, [true, false, true]);
    world.plain::<()>(&["DEL", "caio-test:caio:_n:n"]).await;
    let outcomes = store.commit_many(&txns).await.unwrap();
    assert_eq!(outcomes, [const { CommitOutcome::Committed }; 3]);
    assert_eq!(store.counters(&[key("n")]).await.unwrap(), [1]);
}

/// A value of another kind among many that are read is an error, not *absent*.
#[tokio::test]
async fn of_many_that_are_read_one_of_another_kind_is_an_error() {
    let world = World::new();
    let store = world.store();
    store
        .commit(&txn("1", vec![], vec![put("k0", "1"), put("k7", "1")]))
        .await
        .unwrap();
    let keys: Vec<Key> = (0..9).map(|it| key(&format!("k{it}"))).collect();
    let found = store.get(&keys).await.unwrap();
    assert_eq!(found.iter().flatten().count(), 2);
    world.plain::<()>(&["LPUSH", "caio-test:k3", "x"]).await;
    let error = store.get(&keys).await.unwrap_err();
    assert_eq!(error.code(), "store.corrupt");
    assert!(store.dump().await.unwrap().contains("k7"));
}
