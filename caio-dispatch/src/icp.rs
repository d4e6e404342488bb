//! The ICP model that a person adopted for live sending, exactly as it was then.

use caio_core::draft::ModelRef;
use caio_core::time::rfc3339;
use caio_core::{Clock, IdSource};
use caio_state::{StateStore, StateStoreExt, Write};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::history::Event;
use crate::records;
use crate::transition::commit;

/// An adoption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adoption {
    /// Name and digest of the model.
    pub model: ModelRef,
    /// Who.
    pub by: String,
    /// When, RFC 3339 UTC.
    pub at: String,
}

/// The model that is adopted now.
pub async fn adopted(store: &dyn StateStore) -> Result<Option<Adoption>> {
    Ok(store
        .get_json(&records::adopted_model())
        .await?
        .map(|(adoption, _)| adoption))
}

/// Adopts `model`, whichever was adopted before.
pub async fn adopt(
    store: &dyn StateStore,
    clock: &dyn Clock,
    ids: &dyn IdSource,
    by: &str,
    model: &ModelRef,
) -> Result<()> {
    let now = clock.now();
    let adoption = Adoption {
        model: model.clone(),
        by: by.to_owned(),
        at: rfc3339(now),
    };
    let key = records::adopted_model();
    let mut writes = vec![Write::Put {
        key,
        value: serde_json::to_vec(&adoption)?,
        expires_in: None,
    }];
    let event = Event::new(&ids.id(), now, by, "icp.adopted", &model.name);
    writes.extend(event.because(model.digest.as_str()).writes()?);
    commit(store, ids, Vec::new(), writes).await.map(|_| ())
}
