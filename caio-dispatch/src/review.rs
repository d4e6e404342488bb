//! Drafts in the store: what a person reviews one by one or in bulk.

use caio_core::config::settings::Sender;
use caio_core::copy::unfit;
use caio_core::draft::{Draft, DraftStatus};
use caio_core::rejection::RejectionReason;
use caio_core::terms::{Medium, Tier};
use caio_core::{Clock, IdSource};
use caio_state::{Page, Range, RangeEntry, StateStore, StateStoreExt};
use jiff::Timestamp;

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

    /// A yes to exactly the text that was seen, with the reviewer's changes to it. The yes and the
    /// changes are one commit.
    ///
    /// # Errors
    /// `draft.changed` when the text is another one by now, `copy.unfit` for changes that could not
    /// be sent, and what [`Draft::approve`] refuses.
    pub async fn approve_seen(&self, id: &str, yes: &Yes<'_>) -> Result<Draft> {
        let key = records::draft(id);
        transition(self.store, self.ids, "draft", id, &key, |draft: Draft| {
            let now = self.clock.now();
            let mut events = Vec::with_capacity(2);
            if yes.seen.is_some_and(|seen| seen != draft.content()) {
                return Err(DispatchError::Refused {
                    code: "draft.changed",
                    reason: "the text is not the one that was seen; look at it again".to_owned(),
                });
            }
            // Only what waits for a decision can be changed on the way to a yes.
            let mut next = draft.approve(self.by, now)?;
            if yes.subject.is_some() || yes.body.is_some() {
                let edited = edit(&draft, yes.subject, yes.body, yes.sender, (self.by, now))?;
                events.push(self.event("draft.edited", &draft, now, ""));
                next = edited.approve(self.by, now)?;
            }
            events.push(self.event("draft.approved", &draft, now, yes.note));
            let mut writes = records::put_draft(&next, Some(draft.status))?;
            for event in events {
                writes.extend(event.writes()?);
            }
            Ok((next, writes))
        })
        .await
    }

    /// A no, with what was wrong by its tag and in words.
    pub async fn reject_for(&self, id: &str, why: &RejectionReason) -> Result<Draft> {
        self.reject(id, &format!("{}: {}", why.tag(), why.reason()))
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
            edit(draft, subject, body, sender, (self.by, at))
        })
        .await
    }

    async fn change(
        &self,
        id: &str,
        kind: &str,
        reason: &str,
        decide: impl Fn(&Draft, Timestamp) -> Result<Draft>,
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
                writes.extend(self.event(kind, &draft, now, reason).writes()?);
                Ok((next, writes))
            },
        )
        .await
    }

    fn event(&self, kind: &str, draft: &Draft, now: Timestamp, reason: &str) -> Event {
        Event::new(&self.ids.id(), now, self.by, kind, &draft.id)
            .about(&draft.recipient)
            .because(reason)
    }
}

/// A yes, as a reviewer gives it.
#[derive(Debug, Clone, Copy)]
pub struct Yes<'a> {
    /// [`Draft::content`] of the text that was seen; `None` where the caller does not know it.
    pub seen: Option<&'a str>,
    /// Another subject.
    pub subject: Option<&'a str>,
    /// Another body.
    pub body: Option<&'a str>,
    /// What the reviewer has to say, for the history.
    pub note: &'a str,
    /// Whose identity the text has to show.
    pub sender: &'a Sender,
}

/// The draft with another text; one that could not be sent is refused.
fn edit(
    draft: &Draft,
    subject: Option<&str>,
    body: Option<&str>,
    sender: &Sender,
    (by, at): (&str, Timestamp),
) -> Result<Draft> {
    let subject = subject.unwrap_or(&draft.subject);
    let body = body.unwrap_or(&draft.body);
    let next = draft.edit(subject, body, by, at)?;
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

/// What somebody looks for among drafts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// Of this tier alone.
    pub tier: Option<Tier>,
    /// Holds this in address, name, company or subject, whatever the case.
    pub text: Option<&'a str>,
}

impl Wanted<'_> {
    fn is(&self, draft: &Draft, text: Option<&str>) -> bool {
        let holds = |text: &str| {
            let fields = [&draft.to, &draft.name, &draft.company, &draft.subject];
            fields.iter().any(|it| it.to_lowercase().contains(text))
        };
        self.tier.is_none_or(|tier| draft.tier == tier) && text.is_none_or(holds)
    }
}

/// Up to `limit` drafts in one status that are `wanted`, best score first. No more than `reads` are
/// looked at, so a page may hold few or none and still have a next one.
pub async fn find(
    store: &dyn StateStore,
    status: DraftStatus,
    wanted: &Wanted<'_>,
    after: Option<&RangeEntry>,
    (limit, reads): (usize, usize),
) -> Result<Page<Draft, RangeEntry>> {
    let text = wanted.text.map(str::to_lowercase);
    let mut found = Page {
        items: Vec::new(),
        next: after.cloned(),
    };
    let mut left = reads;
    loop {
        // Never more than fit, so that the next page begins behind what was looked at.
        let size = (limit - found.items.len()).min(left).min(500);
        let page = page(store, status, found.next.as_ref(), size).await?;
        left -= size;
        let is_wanted = |draft: &Draft| wanted.is(draft, text.as_deref());
        found.items.extend(page.items.into_iter().filter(is_wanted));
        found.next = page.next;
        if found.next.is_none() || found.items.len() >= limit || left == 0 {
            return Ok(found);
        }
    }
}

/// How many drafts are in one status.
pub async fn count(store: &dyn StateStore, status: DraftStatus) -> Result<u64> {
    let (mut total, mut after) = (0, None);
    loop {
        let page = ids(store, status, after.as_ref(), 5_000).await?;
        total += page.items.len() as u64;
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(total),
        }
    }
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
