//! Laws that need one caller.

use jiff::SignedDuration;

use super::Need::{Counters, Indexes, Listings, Many};
use super::{Entry, TestClock, TestIds, put, txn};
use crate::ext::StateStoreExt;
use crate::key::Key;
use crate::lease::Lease;
use crate::record::Record;
use crate::stop::{self, Stop};
use crate::store::{Range, RangeEntry, StateStore};
use crate::txn::{CommitOutcome, Guard, Write};

pub(super) const LAWS: &[Entry] = &[
    ("what is put is read, byte for byte", &[], |s, c| {
        Box::pin(bytes(s, c))
    }),
    ("a document is absent, present, unchanged", &[], |s, c| {
        Box::pin(guards(s, c))
    }),
    (
        "a refused transaction leaves nothing behind",
        &[Many, Indexes, Counters, Listings],
        |s, c| Box::pin(all_or_nothing(s, c)),
    ),
    ("a repeated id returns the first outcome", &[], |s, c| {
        Box::pin(repeated(s, c))
    }),
    ("transactions sent together are independent", &[], |s, c| {
        Box::pin(many(s, c))
    }),
    (
        "a ceiling holds and counters never fall below zero",
        &[Counters],
        |s, c| Box::pin(ceilings(s, c)),
    ),
    ("a document that has expired is absent", &[], |s, c| {
        Box::pin(expiry(s, c))
    }),
    ("a counter that has expired is 0", &[Counters], |s, c| {
        Box::pin(counter_expiry(s, c))
    }),
    (
        "a scan pages through one prefix in order",
        &[Listings],
        |s, c| Box::pin(scan(s, c)),
    ),
    (
        "an index pages in both directions and within bounds",
        &[Indexes, Listings],
        |s, c| Box::pin(range(s, c)),
    ),
    (
        "a key stands in an index once",
        &[Indexes, Listings],
        |s, c| Box::pin(index_moves(s, c)),
    ),
    (
        "an export gives documents, counters and places, each once",
        &[Counters, Indexes, Listings],
        |s, c| Box::pin(export(s, c)),
    ),
    ("the stop flag stops", &[Many], |s, c| {
        Box::pin(stop_flag(s, c))
    }),
    (
        "a lease has one holder and a growing fence",
        &[Counters],
        |s, c| Box::pin(lease(s, c)),
    ),
    (
        "a paused holder's fence is refused",
        &[Counters, Many],
        |s, c| Box::pin(paused_holder(s, c)),
    ),
];

fn key(name: &str) -> Key {
    Key::new(&[name])
}

async fn value(store: &dyn StateStore, name: &str) -> Option<Vec<u8>> {
    store
        .get(&[key(name)])
        .await
        .unwrap()
        .remove(0)
        .map(|document| document.value)
}

async fn commit(store: &dyn StateStore, id: &str, guards: Vec<Guard>, writes: Vec<Write>) -> bool {
    store.commit(&txn(id, guards, writes)).await.unwrap() == CommitOutcome::Committed
}

async fn bytes(store: &dyn StateStore, _: &TestClock) {
    let big = vec![7_u8; 1 << 20];
    let values: [&[u8]; 5] = [
        b"",
        b"\0\xff\xfe",
        b"[]",
        "Zo\u{eb} \u{1f600}".as_bytes(),
        &big,
    ];
    for (at, bytes) in values.iter().enumerate() {
        let name = format!("odd name/{at} \u{e9}:x");
        assert!(commit(store, &name, vec![], vec![put(&name, bytes)]).await);
        assert_eq!(value(store, &name).await.as_deref(), Some(*bytes));
    }
    assert_eq!(
        store.get(&[key("none"), key("none")]).await.unwrap(),
        [None, None]
    );
}

async fn guards(store: &dyn StateStore, _: &TestClock) {
    let absent = || vec![Guard::Absent(key("a"))];
    let present = || vec![Guard::Present(key("a"))];
    assert!(!commit(store, "1", present(), vec![put("a", b"x")]).await);
    assert!(commit(store, "2", absent(), vec![put("a", b"1")]).await);
    assert!(!commit(store, "3", absent(), vec![put("a", b"2")]).await);
    let first = store.get(&[key("a")]).await.unwrap().remove(0).unwrap();
    let unchanged = || vec![Guard::Unchanged(key("a"), first.version.clone())];
    assert!(commit(store, "4", unchanged(), vec![put("a", b"3")]).await);
    assert!(!commit(store, "5", unchanged(), vec![put("a", b"4")]).await);
    assert!(commit(store, "6", present(), vec![Write::Delete(key("a"))]).await);
    assert!(!commit(store, "7", unchanged(), vec![put("a", b"5")]).await);
    assert_eq!(value(store, "a").await, None);
}

async fn all_or_nothing(store: &dyn StateStore, _: &TestClock) {
    assert!(commit(store, "1", vec![], vec![put("taken", b"x")]).await);
    let index = Write::Index {
        index: "i".to_owned(),
        order: "1".to_owned(),
        key: key("new"),
    };
    let add = Write::Add {
        counter: key("n"),
        amount: 3,
        expires_in: None,
    };
    let writes = vec![put("new", b"1"), index, add, Write::Delete(key("taken"))];
    let guards = vec![Guard::Absent(key("new")), Guard::Absent(key("taken"))];
    let outcome = store.commit(&txn("2", guards, writes)).await.unwrap();
    assert_eq!(outcome, CommitOutcome::Refused { guard: 1 });
    assert_eq!(value(store, "new").await, None);
    assert!(value(store, "taken").await.is_some());
    assert_eq!(store.counters(&[key("n")]).await.unwrap(), [0]);
    assert!(
        store
            .range("i", &Range::default(), None, 5)
            .await
            .unwrap()
            .items
            .is_empty()
    );
}

async fn repeated(store: &dyn StateStore, clock: &TestClock) {
    let absent = || vec![Guard::Absent(key("a"))];
    for _ in 0..3 {
        assert!(commit(store, "same", absent(), vec![put("a", b"1")]).await);
    }
    // A refusal is kept as well, even when its guard would hold now.
    assert!(!commit(store, "no", absent(), vec![put("a", b"2")]).await);
    assert!(commit(store, "unmake", vec![], vec![Write::Delete(key("a"))]).await);
    assert!(!commit(store, "no", absent(), vec![put("a", b"2")]).await);
    assert_eq!(value(store, "a").await, None);
    clock.advance_past_outcomes();
    assert!(
        commit(store, "no", absent(), vec![put("a", b"2")]).await,
        "outcomes are kept for 24 hours"
    );
}

async fn many(store: &dyn StateStore, _: &TestClock) {
    let absent = || vec![Guard::Absent(key("a"))];
    let txns = [
        txn("1", absent(), vec![put("a", b"1")]),
        txn("2", absent(), vec![put("a", b"2")]),
        txn("3", vec![], vec![put("c", b"3")]),
    ];
    let outcomes = store.commit_many(&txns).await.unwrap();
    let refused = CommitOutcome::Refused { guard: 0 };
    assert_eq!(
        outcomes,
        [CommitOutcome::Committed, refused, CommitOutcome::Committed]
    );
    assert_eq!(value(store, "a").await.unwrap(), b"1");
    assert!(value(store, "c").await.is_some());
}

async fn ceilings(store: &dyn StateStore, _: &TestClock) {
    let reserve = |add: u64| {
        let guard = Guard::Ceiling {
            counter: key("n"),
            add,
            ceiling: 5,
        };
        let amount = i64::try_from(add).unwrap();
        (
            vec![guard],
            vec![Write::Add {
                counter: key("n"),
                amount,
                expires_in: None,
            }],
        )
    };
    for (id, add, fits) in [
        ("1", 3, true),
        ("2", 3, false),
        ("3", 2, true),
        ("4", 1, false),
    ] {
        let (guards, writes) = reserve(add);
        assert_eq!(commit(store, id, guards, writes).await, fits, "{id}");
    }
    let release = vec![Write::Add {
        counter: key("n"),
        amount: -9,
        expires_in: None,
    }];
    assert!(commit(store, "5", vec![], release).await);
    assert_eq!(
        store.counters(&[key("n"), key("none")]).await.unwrap(),
        [0, 0]
    );
    let never = vec![Guard::Ceiling {
        counter: key("n"),
        add: u64::MAX,
        ceiling: 5,
    }];
    assert!(!commit(store, "6", never, vec![]).await);
}

async fn expiry(store: &dyn StateStore, clock: &TestClock) {
    let hour = Some(SignedDuration::from_hours(1));
    let writes = vec![Write::Put {
        key: key("a"),
        value: b"1".to_vec(),
        expires_in: hour,
    }];
    assert!(commit(store, "1", vec![], writes).await);
    clock.advance(SignedDuration::from_mins(45));
    assert!(value(store, "a").await.is_some());
    clock.advance(SignedDuration::from_mins(15));
    assert_eq!(value(store, "a").await, None);
    if store.capabilities().listings {
        assert!(store.scan("a", None, 9).await.unwrap().items.is_empty());
    }
    let absent = vec![Guard::Absent(key("a"))];
    assert!(commit(store, "2", absent, vec![put("a", b"2")]).await);
    assert_eq!(value(store, "a").await.as_deref(), Some(&b"2"[..]));
}

async fn counter_expiry(store: &dyn StateStore, clock: &TestClock) {
    let hour = Some(SignedDuration::from_hours(1));
    let add = |amount| {
        vec![Write::Add {
            counter: key("n"),
            amount,
            expires_in: hour,
        }]
    };
    assert!(commit(store, "1", vec![], add(4)).await);
    clock.advance(SignedDuration::from_mins(45));
    assert_eq!(store.counters(&[key("n")]).await.unwrap(), [4]);
    clock.advance(SignedDuration::from_mins(15));
    assert_eq!(store.counters(&[key("n")]).await.unwrap(), [0]);
    assert!(commit(store, "2", vec![], add(1)).await);
    assert_eq!(store.counters(&[key("n")]).await.unwrap(), [1]);
}

async fn scan(store: &dyn StateStore, _: &TestClock) {
    let names: Vec<String> = (0..7).map(|at| format!("p/{at}")).collect();
    for name in names.iter().map(String::as_str).chain(["o", "q", "p"]) {
        assert!(commit(store, name, vec![], vec![put(name, b"x")]).await);
    }
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = store.scan("p/", after.as_ref(), 3).await.unwrap();
        assert!(page.items.len() <= 3);
        found.extend(
            page.items
                .into_iter()
                .map(|(key, _)| key.as_str().to_owned()),
        );
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(found, names);
    assert!(store.scan("p/", None, 0).await.is_err());
}

async fn range(store: &dyn StateStore, _: &TestClock) {
    let entry = |order: &str, name: &str| RangeEntry {
        order: order.to_owned(),
        key: key(name),
    };
    let entries = [
        entry("1", "b"),
        entry("1", "c"),
        entry("2", "a"),
        entry("3", "d"),
        entry("4", "e"),
    ];
    let writes = entries.iter().rev().map(|it| Write::Index {
        index: "i".to_owned(),
        order: it.order.clone(),
        key: it.key.clone(),
    });
    assert!(commit(store, "1", vec![], writes.collect()).await);
    for descending in [false, true] {
        for (from, until, mut expected) in [
            (None, None, entries.to_vec()),
            (Some("2"), None, entries[2..].to_vec()),
            (Some("1"), Some("3"), entries[..3].to_vec()),
        ] {
            let bound = |text: Option<&str>| text.map(str::to_owned);
            let range = Range {
                from: bound(from),
                until: bound(until),
                descending,
            };
            if descending {
                expected.reverse();
            }
            let mut found = Vec::new();
            let mut after = None;
            loop {
                let page = store.range("i", &range, after.as_ref(), 2).await.unwrap();
                found.extend(page.items);
                match page.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
            assert_eq!(found, expected);
        }
    }
    assert!(
        store
            .range("other", &Range::default(), None, 2)
            .await
            .unwrap()
            .items
            .is_empty()
    );
}

async fn index_moves(store: &dyn StateStore, _: &TestClock) {
    let index = |order: &str| Write::Index {
        index: "i".to_owned(),
        order: order.to_owned(),
        key: key("a"),
    };
    assert!(commit(store, "1", vec![], vec![index("1")]).await);
    assert!(commit(store, "2", vec![], vec![index("9")]).await);
    let items = store
        .range("i", &Range::default(), None, 5)
        .await
        .unwrap()
        .items;
    assert_eq!(
        items,
        [RangeEntry {
            order: "9".to_owned(),
            key: key("a")
        }]
    );
    let gone = Write::Unindex {
        index: "i".to_owned(),
        key: key("a"),
    };
    assert!(commit(store, "3", vec![], vec![gone.clone()]).await);
    assert!(commit(store, "4", vec![], vec![gone]).await);
    assert!(
        store
            .range("i", &Range::default(), None, 5)
            .await
            .unwrap()
            .items
            .is_empty()
    );
}

async fn export(store: &dyn StateStore, _: &TestClock) {
    let index = |at: usize| Write::Index {
        index: format!("i{}", at % 2),
        order: format!("{at:04}"),
        key: key(&format!("d{at:04}")),
    };
    let add = |counter: &str, expires_in| Write::Add {
        counter: key(counter),
        amount: 3,
        expires_in,
    };
    let hour = Some(SignedDuration::from_hours(1));
    let mut expected = Vec::new();
    for at in 0..700 {
        let name = format!("d{at:04}");
        let writes = vec![put(&name, name.as_bytes()), index(at)];
        assert!(commit(store, &name, vec![], writes).await);
        expected.push(name);
    }
    let writes = vec![add("n", None), add("m", hour)];
    assert!(commit(store, "counters", vec![], writes).await);
    let mut records: Vec<Record> = Vec::new();
    store.export(&mut records).await.unwrap();
    let (mut documents, mut counters, mut places) = (Vec::new(), Vec::new(), Vec::new());
    for record in records {
        match record {
            // A backend may keep records of its own.
            Record::Document { key, .. } if key.as_str().starts_with("caio:") => {}
            Record::Document {
                key,
                value,
                expires,
            } => {
                assert_eq!((key.as_str().as_bytes(), expires), (value.as_slice(), None));
                assert!(counters.is_empty() && places.is_empty());
                documents.push(key.to_string());
            }
            Record::Counter {
                key,
                value,
                expires,
            } => {
                assert!(places.is_empty());
                counters.push((key.to_string(), value, expires.is_some()));
            }
            Record::Place { index, order, key } => places.push((index, order, key.to_string())),
        }
    }
    assert_eq!(documents, expected);
    counters.sort();
    assert_eq!(
        counters,
        [("m".to_owned(), 3, true), ("n".to_owned(), 3, false)]
    );
    for name in ["i0", "i1"] {
        let of_one: Vec<_> = places.iter().filter(|(index, ..)| index == name).collect();
        assert!(of_one.is_sorted() && of_one.len() == 350);
    }
    assert_eq!(places.len(), 700);
}

async fn stop_flag(store: &dyn StateStore, _: &TestClock) {
    let ids = TestIds::default();
    let stop = Stop {
        by: "kim".to_owned(),
        at: String::new(),
        reason: "pause".to_owned(),
    };
    assert!(commit(store, "1", vec![Guard::StopAbsent], vec![put("a", b"1")]).await);
    stop::commit(store, &ids, vec![stop::set(&stop)])
        .await
        .unwrap();
    assert!(!commit(store, "2", vec![Guard::StopAbsent], vec![put("a", b"2")]).await);
    assert_eq!(stop::read(store).await.unwrap(), Some(stop));
    stop::commit(store, &ids, vec![stop::clear()])
        .await
        .unwrap();
    assert!(commit(store, "3", vec![Guard::StopAbsent], vec![put("a", b"3")]).await);
    let broken = Write::Put {
        key: stop::key(),
        value: b"{".to_vec(),
        expires_in: None,
    };
    assert!(commit(store, "4", vec![], vec![broken]).await);
    assert!(
        stop::read(store).await.is_err(),
        "a flag that cannot be read is never clear"
    );
    assert!(!commit(store, "5", vec![Guard::StopAbsent], vec![]).await);
    assert!(
        store
            .get_json::<Stop>(&key("none"))
            .await
            .unwrap()
            .is_none()
    );
}

const TTL: SignedDuration = SignedDuration::from_hours(1);

async fn lease(store: &dyn StateStore, clock: &TestClock) {
    let ids = TestIds::default();
    let lease = Lease::new(key("lease"));
    let ttl = TTL;
    let first = lease
        .acquire(store, &ids, "one", "work", ttl)
        .await
        .unwrap()
        .unwrap();
    let refused = lease
        .acquire(store, &ids, "two", "work", ttl)
        .await
        .unwrap()
        .unwrap_err();
    assert!(refused.contains("one") && refused.contains("work"));
    clock.advance(SignedDuration::from_mins(45));
    assert!(lease.renew(store, &ids, &first, ttl).await.unwrap());
    clock.advance(SignedDuration::from_mins(45));
    assert!(
        lease
            .acquire(store, &ids, "two", "work", ttl)
            .await
            .unwrap()
            .is_err()
    );
    lease.release(store, &ids, &first).await.unwrap();
    let second = lease
        .acquire(store, &ids, "two", "work", ttl)
        .await
        .unwrap()
        .unwrap();
    assert!(second.fence > first.fence);
    assert!(!lease.renew(store, &ids, &first, ttl).await.unwrap());
    lease.release(store, &ids, &first).await.unwrap();
    assert!(
        lease
            .acquire(store, &ids, "three", "work", ttl)
            .await
            .unwrap()
            .is_err()
    );
}

async fn paused_holder(store: &dyn StateStore, clock: &TestClock) {
    let ids = TestIds::default();
    let lease = Lease::new(key("lease"));
    let ttl = TTL;
    let fence = |fence: u64| {
        vec![Guard::Fence {
            lease: key("lease"),
            fence,
        }]
    };
    let paused = lease
        .acquire(store, &ids, "one", "work", ttl)
        .await
        .unwrap()
        .unwrap();
    assert!(commit(store, "a", fence(paused.fence), vec![put("x", b"1")]).await);
    clock.advance(TTL);
    assert!(!commit(store, "b", fence(paused.fence), vec![put("x", b"2")]).await);
    let next = lease
        .acquire(store, &ids, "two", "work", ttl)
        .await
        .unwrap()
        .unwrap();
    assert!(!commit(store, "c", fence(paused.fence), vec![put("x", b"3")]).await);
    assert!(commit(store, "d", fence(next.fence), vec![put("x", b"4")]).await);
    assert!(!commit(store, "e", fence(next.fence + 1), vec![]).await);
}
