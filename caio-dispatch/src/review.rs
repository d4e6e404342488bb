//! Drafts in the store: what a person reviews one by one or in bulk.

use caio_core::config::settings::Sender;
use caio_core::copy::unfit;
use caio_core::draft::{Draft, DraftStatus};
use caio_core::terms::Medium;
use caio_core::{Clock, IdSource};
use caio_state::{Page, Range, RangeEntry, StateStore, StateStoreExt};

use crate::error::{DispatchError, Result};
use crate::history::Event;
use crate::records;
use crate::transition::transition;

/// Decisions about drafts, for one person who decides.
#[derive(Debug, Clone, Copy)]
pub struct Review<'a> {
    /// Where drafts are kept.
    pub store: &'a dyn StateStore,
    /// Time of the decision.
    pub clock: &'a dyn Clock,
    /// Ids of events and transactions.
    pub ids: &'a dyn IdSource,
    /// Who decides.
    pub by: &'a str,
}

impl Review<'_> {
    /// A yes. Only a pending draft can have it.
    pub async fn approve(&self, id: &str) -> Result<Draft> {
        self.change(id, "draft.approved", "", |draft, at| {
            Ok(draft.approve(self.by, at)?)
        })
        .await
    }

    /// A no, with its reason.
    pub async fn reject(&self, id: &str, reason: &str) -> Result<Draft> {
        self.change(id, "draft.rejected", reason, |draft, at| {
            Ok(draft.reject(self.by, at, reason)?)
        })
        .await
    }

    /// Takes an approval or a rejection back.
    pub async fn reopen(&self, id: &str, reason: &str) -> Result<Draft> {
        self.change(id, "draft.reopened", reason, |draft, at| {
            Ok(draft.reopen(self.by, at, reason)?)
        })
        .await
    }

    /// Changes the text; an approved draft needs a new approval then. A text that could not be sent
    /// (no way to opt out, an unfilled variable, a deceptive subject) is refused.
    pub async fn edit(
        &self,
        id: &str,
        subject: Option<&str>,
        body: Option<&str>,
        sender: &Sender,
    ) -> Result<Draft> {
        self.change(id, "draft.edited", "", |draft, at| {
            let subject = subject.unwrap_or(&draft.subject);
            let body = body.unwrap_or(&draft.body);
            let next = draft.edit(subject, body, self.by, at)?;
            let unfit = match draft.medium {
                Medium::Email => unfit(subject, body, sender),
                Medium::LinkedIn => Vec::new(),
            };
            if unfit.is_empty() {
                return Ok(next);
            }
            Err(DispatchError::Refused {
                code: "copy.unfit",
                reason: unfit.join("; "),
            })
        })
        .await
    }

    async fn change(
        &self,
        id: &str,
        kind: &str,
        reason: &str,
        decide: impl Fn(&Draft, jiff::Timestamp) -> Result<Draft>,
    ) -> Result<Draft> {
        transition(
            self.store,
            self.ids,
            "draft",
            id,
            &records::draft(id),
            |draft: Draft| {
                let now = self.clock.now();
                let next = decide(&draft, now)?;
                let mut writes = records::put_draft(&next, Some(draft.status))?;
                let event = Event::new(&self.ids.id(), now, self.by, kind, id);
                writes.extend(event.about(&draft.recipient).because(reason).writes()?);
                Ok((next, writes))
            },
        )
        .await
    }
}

/// One draft.
pub async fn one(store: &dyn StateStore, id: &str) -> Result<Draft> {
    match store.get_json(&records::draft(id)).await? {
        Some((draft, _)) => Ok(draft),
        None => Err(DispatchError::NotFound {
            what: "draft",
            id: id.to_owned(),
        }),
    }
}

/// A page of the drafts in one status, best score first.
pub async fn page(
    store: &dyn StateStore,
    status: DraftStatus,
    after: Option<&RangeEntry>,
    limit: usize,
) -> Result<Page<Draft, RangeEntry>> {
    let index = records::draft_index(status);
    let page = store.range(&index, &Range::default(), after, limit).await?;
    let keys: Vec<_> = page.items.into_iter().map(|entry| entry.key).collect();
    Ok(Page {
        items: store.get_all_json(&keys).await?,
        next: page.next,
    })
}

/// A page of the entries in one status, best score first, without reading the drafts.
pub async fn ids(
    store: &dyn StateStore,
    status: DraftStatus,
    after: Option<&RangeEntry>,
    limit: usize,
) -> Result<Page<RangeEntry, RangeEntry>> {
    Ok(store
        .range(
            &records::draft_index(status),
            &Range::default(),
            after,
            limit,
        )
        .await?)
}
