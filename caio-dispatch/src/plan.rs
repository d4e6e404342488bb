//! Plans a batch: which approved drafts may go now, and why the others may not.
//!
//! Reads approved drafts from the index of their programme and medium, best score first, and stops when the batch is full: the
//! drafts it offers and refuses, no others.

use std::collections::{HashMap, HashSet};

use caio_core::batch::{BatchItem, BatchLimits, BatchStatus, NewBatch, content_sha256};
use caio_core::draft::Draft;
use caio_core::eligibility::Eligibility;
use caio_core::preview_hash::{PreviewScope, preview_hash};
use caio_core::terms::{Medium, Motion, Provider, Tier};
use caio_core::{Batch, Clock, EmailKey, IdSource};
use caio_state::{Range, RangeEntry, StateStore, StateStoreExt};
use jiff::SignedDuration;
use serde::Serialize;

use crate::error::Result;
use crate::facts::{Touch, facts};
use crate::operator::preview;
use crate::{batches, records};

/// Drafts read at a time.
const PAGE: usize = 50;

/// Pool of sending accounts, until there are several.
const POOL: &str = "default";

/// What the batch may hold.
#[derive(Debug, Clone)]
pub struct PlanRequest {
    /// Programme.
    pub motion: Motion,
    /// The only tier allowed; `None` allows all.
    pub tier: Option<Tier>,
    /// Who delivers e-mails.
    pub via: Provider,
    /// Most e-mails.
    pub room: u32,
    /// Most LinkedIn contacts.
    pub linkedin_room: u32,
    /// Most revivals, within the e-mails.
    pub revival_room: u32,
    /// Limits in force, shown to the approver.
    pub limits: BatchLimits,
    /// How long the approval can be used: 1 to 168 hours.
    pub expires_in: SignedDuration,
}

/// The answer.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What may go, best score first; the letters stay in the store.
    pub offered: Vec<BatchItem>,
    /// Drafts that may not, with every reason.
    pub refused: Vec<RefusedDraft>,
    /// Approved drafts are left because the batch is full.
    pub more: bool,
}

/// An approved draft that may not go now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RefusedDraft {
    /// The draft.
    pub draft: String,
    /// To whom.
    pub recipient: EmailKey,
    /// Why.
    pub reasons: Vec<String>,
}

/// What may go now.
///
/// Follow-ups come first, since somebody waits for them, then first touches, then revivals.
pub async fn plan(store: &dyn StateStore, request: &PlanRequest) -> Result<Plan> {
    let mut plan = Plan {
        offered: Vec::new(),
        refused: Vec::new(),
        more: false,
    };
    let mut draw = Draw {
        taken: in_open_batches(store).await?,
        people: HashSet::new(),
        rooms: [
            (Medium::Email, request.room),
            (Medium::LinkedIn, request.linkedin_room),
        ]
        .map(|(medium, room)| (medium, usize::try_from(room).unwrap_or(usize::MAX)))
        .into(),
    };
    for motion in [Motion::Cadence, Motion::Outbound, Motion::Revival] {
        if request.motion != Motion::All && request.motion != motion {
            continue;
        }
        for medium in [Medium::Email, Medium::LinkedIn] {
            draw.from(store, request, (motion, medium), &mut plan)
                .await?;
        }
    }
    Ok(plan)
}

/// Drafts that are drawn from the indexes, until there is no room.
struct Draw {
    taken: HashMap<String, String>,
    people: HashSet<(EmailKey, Medium)>,
    rooms: HashMap<Medium, usize>,
}

impl Draw {
    async fn from(
        &mut self,
        store: &dyn StateStore,
        request: &PlanRequest,
        (motion, medium): (Motion, Medium),
        plan: &mut Plan,
    ) -> Result<()> {
        let mut room = self.rooms.get(&medium).copied().unwrap_or(0);
        if motion == Motion::Revival {
            room = room.min(usize::try_from(request.revival_room).unwrap_or(usize::MAX));
        }
        let index = records::approved_index(motion, medium);
        let mut after: Option<RangeEntry> = None;
        while room > 0 {
            let page = store
                .range(&index, &Range::default(), after.as_ref(), PAGE.min(room))
                .await?;
            let keys: Vec<_> = page.items.into_iter().map(|entry| entry.key).collect();
            let drafts: Vec<Draft> = store.get_all_json(&keys).await?;
            let touches: Vec<Touch<'_>> = drafts.iter().map(touch).collect();
            let facts = facts(store, &touches).await?;
            for (draft, facts) in drafts.iter().zip(&facts) {
                let mut reasons = match preview(draft, facts, request.tier) {
                    Eligibility::Ok => Vec::new(),
                    Eligibility::Ineligible(reasons) => {
                        reasons.iter().map(ToString::to_string).collect()
                    }
                };
                let via = draft.may_go_through(provider(draft, request.via));
                reasons.extend(via.err().map(|refusal| refusal.to_string()));
                if let Some(batch) = self.taken.get(&draft.id) {
                    reasons.push(format!("it is in batch {batch} already"));
                }
                if reasons.is_empty() && !self.people.insert((draft.recipient.clone(), medium)) {
                    reasons.push("the same person is in the batch already".to_owned());
                }
                if reasons.is_empty() {
                    plan.offered.push(item(draft, request.via));
                    room -= 1;
                    if let Some(left) = self.rooms.get_mut(&medium) {
                        *left -= 1;
                    }
                } else {
                    let (draft, recipient) = (draft.id.clone(), draft.recipient.clone());
                    plan.refused.push(RefusedDraft {
                        draft,
                        recipient,
                        reasons,
                    });
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
        let rest = store
            .range(&index, &Range::default(), after.as_ref(), 1)
            .await?;
        plan.more |= !rest.items.is_empty();
        Ok(())
    }
}

/// A pending batch of what `plan` offers; it is not stored yet.
///
/// # Errors
/// What [`Batch::create`] refuses, such as an empty plan.
pub fn batch(
    plan: &Plan,
    request: &PlanRequest,
    clock: &dyn Clock,
    ids: &dyn IdSource,
) -> Result<Batch> {
    let items = plan.offered.clone();
    let drafts: Vec<&str> = items.iter().map(|item| item.draft.as_str()).collect();
    let scope = PreviewScope {
        motion: Some(request.motion.as_str()),
        shadow_email_ids: &drafts,
        linkedin_shadow_ids: &[],
        revival_emails: &[],
        cadence_actions: &[],
    };
    let created = clock.now();
    let random = ids.random();
    Ok(Batch::create(NewBatch {
        id: format!("batch_{}", caio_core::identity::hex(&random[..6])),
        motion: request.motion,
        created,
        expires: created + request.expires_in,
        nonce: ids.random(),
        limits: request.limits,
        preview_hash: preview_hash(&scope).to_string(),
        items,
    })?)
}

/// Who delivers a draft: `via`, where that is for its medium.
fn provider(draft: &Draft, via: Provider) -> Provider {
    match draft.medium {
        medium if via.medium() == medium => via,
        Medium::Email => Provider::Instantly,
        Medium::LinkedIn => Provider::HeyReach,
    }
}

/// The item of a batch that sends `draft`, through `via` where that is for its medium.
pub fn item(draft: &Draft, via: Provider) -> BatchItem {
    BatchItem {
        draft: draft.id.clone(),
        recipient: draft.recipient.clone(),
        medium: draft.medium,
        provider: provider(draft, via),
        pool: POOL.to_owned(),
        tier: draft.tier,
        step: draft.step,
        content: content_sha256(&draft.subject, &draft.body),
    }
}

fn touch(draft: &Draft) -> Touch<'_> {
    Touch {
        person: &draft.recipient,
        medium: draft.medium,
        step: draft.step,
    }
}

/// Drafts of batches that wait, are approved or run, with the batch they are in.
async fn in_open_batches(store: &dyn StateStore) -> Result<HashMap<String, String>> {
    let mut taken = HashMap::new();
    for status in [
        BatchStatus::Pending,
        BatchStatus::Approved,
        BatchStatus::Executing,
    ] {
        for batch in batches::list(store, status).await? {
            taken.extend(
                batch
                    .items
                    .into_iter()
                    .map(|item| (item.draft, batch.id.clone())),
            );
        }
    }
    Ok(taken)
}
