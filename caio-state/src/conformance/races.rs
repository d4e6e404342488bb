//! Laws that need many callers at once.

use std::future::Future;
use std::pin::Pin;

use super::Need::Counters;
use super::{Entry, TestClock, put, txn};
use crate::key::Key;
use crate::store::StateStore;
use crate::txn::{CommitOutcome, Guard, Write};

pub(super) const RACES: &[Entry] = &[
    ("16 tasks x 200 guarded increments are 3200", &[], |s, c| {
        Box::pin(increments(s, c))
    }),
    ("reservations never pass the limit", &[Counters], |s, c| {
        Box::pin(reservations(s, c))
    }),
    ("of many claims one wins", &[], |s, c| {
        Box::pin(claims(s, c))
    }),
    (
        "a lost answer sent again is applied once",
        &[Counters],
        |s, c| Box::pin(lost_answer(s, c)),
    ),
];

/// Drives all futures by turns on this task; the store's own threads run beside each other.
async fn together<'a, T>(mut futures: Vec<Pin<Box<dyn Future<Output = T> + 'a>>>) -> Vec<T> {
    let mut done: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, slot) in futures.iter_mut().zip(&mut done) {
            if slot.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *slot = Some(value);
            }
        }
        if done.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

fn key(name: &str) -> Key {
    Key::new(&[name])
}

async fn increments(store: &dyn StateStore, _: &TestClock) {
    const TASKS: usize = 16;
    const EACH: usize = 200;
    store
        .commit(&txn("start", vec![], vec![put("n", b"0")]))
        .await
        .unwrap();
    let task = |task: usize| async move {
        let mut attempt = 0;
        for _ in 0..EACH {
            loop {
                attempt += 1;
                let found = store.get(&[key("n")]).await.unwrap().remove(0).unwrap();
                let number: usize = std::str::from_utf8(&found.value).unwrap().parse().unwrap();
                let next = (number + 1).to_string();
                let guard = vec![Guard::Unchanged(key("n"), found.version)];
                let id = format!("{task}/{attempt}");
                let outcome = store
                    .commit(&txn(&id, guard, vec![put("n", next.as_bytes())]))
                    .await;
                if outcome.unwrap() == CommitOutcome::Committed {
                    break;
                }
            }
        }
    };
    let tasks: Vec<Pin<Box<dyn Future<Output = ()> + '_>>> = (0..TASKS)
        .map(|number| Box::pin(task(number)) as _)
        .collect();
    together(tasks).await;
    let found = store.get(&[key("n")]).await.unwrap().remove(0).unwrap();
    assert_eq!(found.value, (TASKS * EACH).to_string().as_bytes());
}

async fn reservations(store: &dyn StateStore, _: &TestClock) {
    let task = |number: usize| async move {
        let guard = Guard::Ceiling {
            counter: key("n"),
            add: 1,
            ceiling: 25,
        };
        let add = Write::Add {
            counter: key("n"),
            amount: 1,
            expires_in: None,
        };
        let outcome = store
            .commit(&txn(&number.to_string(), vec![guard], vec![add]))
            .await;
        outcome.unwrap() == CommitOutcome::Committed
    };
    let tasks: Vec<Pin<Box<dyn Future<Output = bool> + '_>>> =
        (0..100).map(|number| Box::pin(task(number)) as _).collect();
    let won = together(tasks).await.into_iter().filter(|won| *won).count();
    assert_eq!(won, 25);
    assert_eq!(store.counters(&[key("n")]).await.unwrap(), [25]);
}

async fn claims(store: &dyn StateStore, _: &TestClock) {
    let task = |number: usize| async move {
        let name = number.to_string();
        let guard = vec![Guard::Absent(key("claim"))];
        let outcome = store
            .commit(&txn(&name, guard, vec![put("claim", name.as_bytes())]))
            .await;
        (outcome.unwrap() == CommitOutcome::Committed).then_some(name)
    };
    let tasks: Vec<Pin<Box<dyn Future<Output = Option<String>> + '_>>> =
        (0..16).map(|number| Box::pin(task(number)) as _).collect();
    let winners: Vec<String> = together(tasks).await.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    let claim = store.get(&[key("claim")]).await.unwrap().remove(0).unwrap();
    assert_eq!(claim.value, winners[0].as_bytes());
}

async fn lost_answer(store: &dyn StateStore, _: &TestClock) {
    let add = Write::Add {
        counter: key("n"),
        amount: 1,
        expires_in: None,
    };
    let guards = vec![Guard::Absent(key("done"))];
    let send = txn("same", guards, vec![add, put("done", b"")]);
    let tasks: Vec<Pin<Box<dyn Future<Output = CommitOutcome> + '_>>> = (0..8)
        .map(|_| Box::pin(async { store.commit(&send).await.unwrap() }) as _)
        .collect();
    let outcomes = together(tasks).await;
    assert!(
        outcomes
            .iter()
            .all(|outcome| *outcome == CommitOutcome::Committed)
    );
    assert_eq!(store.counters(&[key("n")]).await.unwrap(), [1]);
}
