//! Who sends for a motion: one of the two systems, named by a person.

use caio_core::terms::Motion;
use caio_core::time::rfc3339;
use caio_core::{Clock, IdSource};
use caio_state::{Guard, Key, StateStore, StateStoreExt, Version, Write};
use serde::{Deserialize, Serialize};

use crate::error::{DispatchError, Result};
use crate::history::Event;
use crate::transition::{commit, unchanged};

/// One of the two systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum System {
    /// This one.
    Caio,
    /// The old one.
    Python,
}

impl std::fmt::Display for System {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Caio => "caio",
            Self::Python => "python",
        })
    }
}

/// Who sends, and who said so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authority {
    /// Who sends.
    pub system: System,
    /// Who said so.
    pub by: String,
    /// When, RFC 3339 UTC.
    pub at: String,
}

fn key(motion: Motion) -> Key {
    Key::new(&["caio", "authority", motion.as_str()])
}

/// Who sends for `motion`; `None` while nobody has said so.
pub async fn read(store: &dyn StateStore, motion: Motion) -> Result<Option<(Authority, Version)>> {
    Ok(store.get_json(&key(motion)).await?)
}

/// Says who sends for `motion`.
///
/// # Errors
/// [`DispatchError::Conflict`] when somebody else says so at the same time.
pub async fn give(
    store: &dyn StateStore,
    (clock, ids): (&dyn Clock, &dyn IdSource),
    by: &str,
    motion: Motion,
    system: System,
) -> Result<Authority> {
    let before = read(store, motion).await?;
    let authority = Authority {
        system,
        by: by.to_owned(),
        at: rfc3339(clock.now()),
    };
    let guard = unchanged(&key(motion), before.as_ref().map(|(_, version)| version));
    let mut writes = vec![Write::Put {
        key: key(motion),
        value: serde_json::to_vec(&authority)?,
        expires_in: None,
    }];
    let event = Event::new(
        &ids.id(),
        clock.now(),
        by,
        "authority.given",
        motion.as_str(),
    );
    writes.extend(event.because(system.to_string()).writes()?);
    match commit(store, ids, vec![guard], writes).await? {
        caio_state::CommitOutcome::Committed => Ok(authority),
        caio_state::CommitOutcome::Refused { .. } => Err(DispatchError::Conflict {
            what: "authority",
            id: motion.to_string(),
        }),
    }
}

/// Holds while we send for `motion`. Where the Python system runs beside us, somebody has to have said
/// so; where nobody ever spoke of it, there is but one sender.
///
/// # Errors
/// [`DispatchError::Refused`] with `authority.python`.
pub(crate) async fn ours(store: &dyn StateStore, motion: Motion, two: bool) -> Result<Guard> {
    let found = read(store, motion).await?;
    let refused = |who: String| {
        Err(DispatchError::Refused {
            code: "authority.python",
            reason: format!("{who}; `caio state authority {motion} caio` says that we send"),
        })
    };
    match &found {
        Some((Authority { system, by, at }, _)) if *system == System::Python => {
            refused(format!("the Python system sends for {motion} ({by}, {at})"))
        }
        None if two => refused(format!("nobody has said who sends for {motion}")),
        _ => Ok(unchanged(
            &key(motion),
            found.as_ref().map(|(_, version)| version),
        )),
    }
}
