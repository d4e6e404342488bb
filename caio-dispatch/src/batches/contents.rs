//! What a batch would say, message by message, and whether that is still what it was made of.

use caio_core::batch::{Batch, BatchItem};
use caio_core::draft::{Draft, DraftStatus};
use caio_state::{StateStore, StateStoreExt};
use serde::Serialize;

use crate::error::{DispatchError, Result};
use crate::records;

/// One message of a batch with its exact text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Content {
    /// What the digest covers.
    pub item: BatchItem,
    /// Address as it will be written; `""` where the draft is gone.
    pub to: String,
    /// Name of the recipient.
    pub name: String,
    /// Company of the recipient.
    pub company: String,
    /// Exact subject.
    pub subject: String,
    /// Exact plain-text body.
    pub body: String,
    /// Where the draft stands; null where it is gone.
    pub draft_status: Option<DraftStatus>,
    /// The text is not the one that the batch was made of.
    pub changed: bool,
}

/// Every message of `batch`, in its order.
pub async fn contents(store: &dyn StateStore, batch: &Batch) -> Result<Vec<Content>> {
    let keys: Vec<_> = batch
        .items
        .iter()
        .map(|it| records::draft(&it.draft))
        .collect();
    let drafts: Vec<Draft> = store.get_all_json(&keys).await?;
    let mut drafts = drafts.into_iter().peekable();
    let content = |item: &BatchItem| {
        let draft = drafts.next_if(|draft| draft.id == item.draft);
        Content {
            item: item.clone(),
            changed: draft.as_ref().is_none_or(|it| it.content() != item.content),
            draft_status: draft.as_ref().map(|it| it.status),
            to: draft.as_ref().map(|it| it.to.clone()).unwrap_or_default(),
            name: draft.as_ref().map(|it| it.name.clone()).unwrap_or_default(),
            company: draft
                .as_ref()
                .map(|it| it.company.clone())
                .unwrap_or_default(),
            subject: draft
                .as_ref()
                .map(|it| it.subject.clone())
                .unwrap_or_default(),
            body: draft.map(|it| it.body).unwrap_or_default(),
        }
    };
    Ok(batch.items.iter().map(content).collect())
}

/// Refuses a batch whose messages are not what it was made of: an approval would be for texts that
/// can never go out.
///
/// # Errors
/// `batch.drafts_changed`, naming each.
pub(super) async fn check(store: &dyn StateStore, batch: &Batch) -> Result<()> {
    let contents = contents(store, batch).await?;
    let changed: Vec<String> = contents.iter().filter_map(difference).collect();
    if changed.is_empty() {
        return Ok(());
    }
    Err(DispatchError::Refused {
        code: "batch.drafts_changed",
        reason: format!(
            "drafts of the batch have changed since it was made: {}; create a new one",
            changed.join("; ")
        ),
    })
}

fn difference(content: &Content) -> Option<String> {
    let draft = &content.item.draft;
    match content.draft_status {
        None => Some(format!("{draft} is gone")),
        Some(_) if content.changed => Some(format!("{draft} has another text")),
        Some(DraftStatus::Approved) => None,
        Some(status) => Some(format!("{draft} is {status}")),
    }
}
