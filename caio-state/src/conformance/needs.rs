//! What a law needs, and how a backend that lacks it has to answer.

use super::{put, txn};
use crate::error::StoreError;
use crate::key::Key;
use crate::store::{Capabilities, Range, StateStore};
use crate::txn::{Guard, Txn, Write};

/// Something that not every backend can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    /// Counters and leases.
    Counters,
    /// Ordered indexes.
    Indexes,
    /// Scans, ranges and exports.
    Listings,
    /// Transactions over several documents.
    Many,
}

/// What of `needs` is missing.
pub(super) fn lacking(needs: &[Need], has: Capabilities) -> Vec<Need> {
    let lacks = |need: &&Need| match need {
        Need::Counters => !has.counters,
        Need::Indexes => !has.indexes,
        Need::Listings => !has.listings,
        Need::Many => !has.multi_document,
    };
    needs.iter().filter(lacks).copied().collect()
}

/// Everything of this kind is refused, and nothing is written on the way.
pub(super) async fn refuses(store: &dyn StateStore, need: Need) {
    let name = |name: &str| Key::new(&[name]);
    let write = |write| txn("refused", vec![], vec![write]);
    let guard = |guard| txn("refused", vec![guard], vec![put("a", b"x")]);
    match need {
        Need::Counters => {
            let fence = Guard::Fence {
                lease: name("a"),
                fence: 1,
            };
            let ceiling = Guard::Ceiling {
                counter: name("n"),
                add: 1,
                ceiling: 1,
            };
            let add = Write::Add {
                counter: name("n"),
                amount: 1,
                expires_in: None,
            };
            for txn in [guard(fence), guard(ceiling), write(add)] {
                refused(store, &txn).await;
            }
            let answer = store.counters(&[name("n")]).await;
            assert!(matches!(answer, Err(StoreError::Unsupported { .. })));
        }
        Need::Indexes => {
            let index = Write::Index {
                index: "i".to_owned(),
                order: "1".to_owned(),
                key: name("a"),
            };
            let unindex = Write::Unindex {
                index: "i".to_owned(),
                key: name("a"),
            };
            for one in [index, unindex] {
                refused(store, &write(one)).await;
            }
            let answer = store.range("i", &Range::default(), None, 5).await;
            assert!(matches!(answer, Err(StoreError::Unsupported { .. })));
        }
        Need::Listings => {
            let answers = [
                store.scan("", None, 5).await.err(),
                store.range("i", &Range::default(), None, 5).await.err(),
                store.export(&mut Vec::new()).await.err(),
            ];
            for answer in answers {
                let refused = matches!(answer, Some(StoreError::MigrationIncomplete { .. }));
                assert!(refused, "{answer:?}");
            }
        }
        Need::Many => {
            let both = txn("refused", vec![], vec![put("a", b"x"), put("b", b"x")]);
            for txn in [
                both,
                guard(Guard::Absent(name("b"))),
                guard(Guard::StopAbsent),
            ] {
                refused(store, &txn).await;
            }
        }
    }
}

async fn refused(store: &dyn StateStore, txn: &Txn) {
    let answer = store.commit(txn).await;
    assert!(
        matches!(answer, Err(StoreError::Unsupported { .. })),
        "{txn:?}: {answer:?}"
    );
    let keys = ["a", "b"].map(|name| Key::new(&[name]));
    assert_eq!(store.get(&keys).await.unwrap(), [None, None]);
}
