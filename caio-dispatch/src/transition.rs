//! Read, decide purely, commit with guards: how every single record changes.

use caio_core::IdSource;
use caio_state::{
    CommitOutcome, Guard, Key, StateStore, StateStoreExt, StoreError, Txn, TxnId, Version, Write,
};
use serde::de::DeserializeOwned;

use crate::error::{DispatchError, Result};

/// How often a decision is made anew after somebody else changed the record in between.
const ATTEMPTS: usize = 5;

/// Reads the record at `key`, lets `decide` say what to write, and commits that only if the record
/// is still the one that was read; otherwise reads and decides again, a few times.
///
/// # Errors
/// [`DispatchError::NotFound`] without a record, [`DispatchError::Conflict`] when it keeps
/// changing, and whatever `decide` refuses.
pub(crate) async fn transition<T, R>(
    store: &dyn StateStore,
    ids: &dyn IdSource,
    what: &'static str,
    id: &str,
    key: &Key,
    mut decide: impl FnMut(T) -> Result<(R, Vec<Write>)>,
) -> Result<R>
where
    T: DeserializeOwned,
{
    for _ in 0..ATTEMPTS {
        let Some((record, version)) = store.get_json::<T>(key).await? else {
            return Err(DispatchError::NotFound {
                what,
                id: id.to_owned(),
            });
        };
        let (answer, writes) = decide(record)?;
        let guards = vec![Guard::Unchanged(key.clone(), version)];
        if commit(store, ids, guards, writes).await? == CommitOutcome::Committed {
            return Ok(answer);
        }
    }
    Err(DispatchError::Conflict {
        what,
        id: id.to_owned(),
    })
}

/// Commits under a fresh id; a lost answer is asked for again under the same id.
pub(crate) async fn commit(
    store: &dyn StateStore,
    ids: &dyn IdSource,
    guards: Vec<Guard>,
    writes: Vec<Write>,
) -> Result<CommitOutcome> {
    let txn = Txn {
        id: TxnId(ids.id()),
        guards,
        writes,
    };
    Ok(store.commit_surely(&txn).await?)
}

/// Commits each of these, all in one round trip: one outcome each, in order.
pub(crate) async fn commit_each(
    store: &dyn StateStore,
    ids: &dyn IdSource,
    commits: Vec<(Vec<Guard>, Vec<Write>)>,
) -> Result<Vec<CommitOutcome>> {
    let txns = transactions(ids, commits);
    Ok(store.commit_many_surely(&txns).await?)
}

/// The same, where one that cannot be applied must not hide what became of the others: when the round
/// trip fails, each is sent again by itself, under the id it had.
///
/// # Errors
/// When it is the store that fails, not one commit: data lost, read-only, or two that nobody can tell of.
pub(crate) async fn commit_apart(
    store: &dyn StateStore,
    ids: &dyn IdSource,
    commits: Vec<(Vec<Guard>, Vec<Write>)>,
) -> Result<Vec<Result<CommitOutcome, StoreError>>> {
    let txns = transactions(ids, commits);
    match store.commit_many_surely(&txns).await {
        Ok(outcomes) => return Ok(outcomes.into_iter().map(Ok).collect()),
        Err(error @ (StoreError::LostData { .. } | StoreError::ReadOnly { .. })) => {
            return Err(error.into());
        }
        Err(_) => {}
    }
    let mut outcomes = Vec::with_capacity(txns.len());
    let mut failed = false;
    for txn in &txns {
        match store.commit_surely(txn).await {
            // A store that is away is not waited for once a commit.
            Err(error) if failed && !cannot_be_applied(&error) => return Err(error.into()),
            Err(error) => {
                failed |= !cannot_be_applied(&error);
                outcomes.push(Err(error));
            }
            Ok(outcome) => outcomes.push(Ok(outcome)),
        }
    }
    Ok(outcomes)
}

/// The commit alone is at fault, and was certainly not applied.
pub(crate) const fn cannot_be_applied(error: &StoreError) -> bool {
    matches!(error, StoreError::Invalid(_) | StoreError::Corrupt { .. })
}

fn transactions(ids: &dyn IdSource, commits: Vec<(Vec<Guard>, Vec<Write>)>) -> Vec<Txn> {
    let txn = |(guards, writes)| Txn {
        id: TxnId(ids.id()),
        guards,
        writes,
    };
    commits.into_iter().map(txn).collect()
}

/// Guard that holds while the record is what was read: absent, or at this version.
pub(crate) fn unchanged(key: &Key, version: Option<&Version>) -> Guard {
    match version {
        None => Guard::Absent(key.clone()),
        Some(version) => Guard::Unchanged(key.clone(), version.clone()),
    }
}
