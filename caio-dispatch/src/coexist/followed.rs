//! What only the Python system's disk knows has to be here before anybody is written to: opt-outs,
//! lead status, marks of its dispatchers.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use caio_core::time::rfc3339;
use caio_core::{Clock, IdSource};
use caio_state::{Key, StateStore, StateStoreExt, Write};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::{DispatchError, Result};
use crate::hive::{Fingerprint, Hive};
use crate::migrate::{Migrate, Report};
use crate::transition::commit;

/// Faults named in a record; a folder may have many.
const NAMED: usize = 20;

/// The last look into the folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Followed {
    /// When it ended, RFC 3339 UTC.
    pub at: String,
    /// What could not be read, the first few.
    pub faults: Vec<String>,
}

fn key() -> Key {
    Key::new(&["caio", "followed"])
}

/// Notes a look.
pub(crate) async fn note(
    store: &dyn StateStore,
    (clock, ids): (&dyn Clock, &dyn IdSource),
    report: &Report,
) -> Result<()> {
    let name = |fault: &crate::hive::Fault| match fault.line {
        Some(line) => format!("{}:{line}: {}", fault.file, fault.reason),
        None => format!("{}: {}", fault.file, fault.reason),
    };
    let followed = Followed {
        at: rfc3339(clock.now()),
        faults: report.faults.iter().map(name).take(NAMED).collect(),
    };
    let put = Write::Put {
        key: key(),
        value: serde_json::to_vec(&followed)?,
        expires_in: None,
    };
    commit(store, ids, Vec::new(), vec![put]).await.map(drop)
}

/// The last look, if there was one.
pub async fn last(store: &dyn StateStore) -> Result<Option<Followed>> {
    Ok(store.get_json(&key()).await?.map(|(followed, _)| followed))
}

/// Sees to it that the folder is known before a claim.
#[derive(Debug)]
pub struct Watch {
    folder: Option<PathBuf>,
    fresh: SignedDuration,
    seen: Mutex<Option<Fingerprint>>,
}

impl Watch {
    /// Looks into `folder` itself whenever it has changed.
    pub const fn folder(folder: PathBuf) -> Self {
        Self {
            folder: Some(folder),
            fresh: SignedDuration::ZERO,
            seen: Mutex::new(None),
        }
    }

    /// Relies on `caio state follow` beside the folder: its last look may be as old as `fresh`.
    pub const fn elsewhere(fresh: SignedDuration) -> Self {
        Self {
            folder: None,
            fresh,
            seen: Mutex::new(None),
        }
    }

    /// What only the folder holds has arrived, all of it.
    ///
    /// # Errors
    /// [`DispatchError::Refused`] with `follow.unreadable` or `follow.stale`.
    pub(crate) async fn before_claim(&self, migrate: &Migrate<'_>) -> Result<()> {
        let Some(folder) = &self.folder else {
            return self.check(migrate.store, migrate.clock.now()).await;
        };
        let path = folder.clone();
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let look = tokio::task::spawn_blocking(move || {
            let now = Fingerprint::of(&path)?;
            let changed = seen != Some(now);
            Ok((now, changed.then(|| Hive::read(&path)).transpose()?))
        });
        let unreadable = |error: &dyn std::fmt::Display| DispatchError::Refused {
            code: "follow.unreadable",
            reason: format!("{}: {error}", folder.display()),
        };
        let look: std::io::Result<_> = look.await.map_err(|error| unreadable(&error))?;
        let (now, hive) = look.map_err(|error| unreadable(&error))?;
        let Some(hive) = hive else { return Ok(()) };
        let report = migrate.follow(hive).await?;
        if let Some(fault) = report.faults.first() {
            return Err(unreadable(&format!("{}: {}", fault.file, fault.reason)));
        }
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        Ok(())
    }

    async fn check(&self, store: &dyn StateStore, now: Timestamp) -> Result<()> {
        let last = last(store).await?;
        let refused =
            |code: &'static str, reason: String| Err(DispatchError::Refused { code, reason });
        let Some(Followed { at, faults }) = last else {
            return refused(
                "follow.stale",
                "nothing follows the Python system's folder; run `caio state follow`".to_owned(),
            );
        };
        if let Some(first) = faults.first() {
            return refused("follow.unreadable", first.clone());
        }
        let age = at.parse::<Timestamp>().map(|at| now.duration_since(at));
        match age {
            Ok(age) if age <= self.fresh => Ok(()),
            _ => refused(
                "follow.stale",
                format!("the last look into the Python system's folder was at {at}"),
            ),
        }
    }
}
