//! What an approved batch would send, request by request, and who is left out of it.

use std::collections::BTreeMap;

use caio_core::batch::{Batch, BatchStatus};
use caio_core::requests::{
    self, Campaign, Message, ProviderRequest, container_name, instantly_time_zone,
};
use caio_core::terms::{Medium, Motion, Provider, Step, Tier};
use caio_dispatch::channel::Outgoing;
use caio_dispatch::operator::{Checked, check_item};
use caio_dispatch::policy::Policy;
use caio_dispatch::{batches, ledger};
use caio_state::StateStore;
use serde::Serialize;

use super::Context;
use crate::args::DispatchArgs;
use crate::exit::Result;

/// An item that does not go, and why.
#[derive(Debug, Serialize)]
pub(crate) struct Left {
    pub(crate) draft: String,
    pub(crate) recipient: String,
    pub(crate) reason: String,
}

/// What a run would do.
#[derive(Debug, Default)]
pub(crate) struct Preview {
    pub(crate) requests: Vec<ProviderRequest>,
    pub(crate) going: Vec<Outgoing>,
    pub(crate) left: Vec<Left>,
}

/// The batch that a run is about: the one that was named, else what an interrupted run has left, else
/// the newest approved one.
pub(crate) async fn chosen(
    store: &dyn StateStore,
    named: Option<&str>,
    motion: Motion,
) -> Result<Option<Batch>> {
    if let Some(id) = named {
        return Ok(Some(batches::one(store, id).await?));
    }
    Ok(
        match batches::newest(store, BatchStatus::Executing, motion).await? {
            Some(batch) => Some(batch),
            None => batches::newest(store, BatchStatus::Approved, motion).await?,
        },
    )
}

/// The requests for every item that may go, and why the others do not.
pub(crate) async fn preview(
    context: &Context,
    store: &dyn StateStore,
    batch: &Batch,
    args: &DispatchArgs,
    policy: &Policy,
) -> Result<Preview> {
    let mut preview = Preview::default();
    let tier = args.tier.or(policy.ramp.tier);
    for item in &batch.items {
        let delivery = ledger::delivery_id(&batch.id, item);
        let room = match item.medium {
            Medium::Email => policy.email_room,
            Medium::LinkedIn => policy.linkedin_room,
        };
        let going = preview.going.iter();
        let used = going.filter(|it| it.item.medium == item.medium).count();
        let most = args.limit.map_or(u32::MAX, |limit| limit.cap(u32::MAX));
        let is_full = |used: usize, room: u32| used >= usize::try_from(room).unwrap_or(usize::MAX);
        let reason = if tier.is_some_and(|tier| tier != item.tier) {
            Some(format!("{} is not what may go now", item.tier))
        } else if is_full(used, room) || is_full(preview.going.len(), most) {
            Some(format!("there is room for {}", room.min(most)))
        } else {
            match check_item(store, item, &delivery).await? {
                Checked::Ready(ready) => {
                    preview.going.push(ready.outgoing);
                    None
                }
                Checked::Refused(reason) => Some(reason),
            }
        };
        if let Some(reason) = reason {
            let (draft, recipient) = (item.draft.clone(), item.recipient.to_string());
            preview.left.push(Left {
                draft,
                recipient,
                reason,
            });
        }
    }
    let mut containers: BTreeMap<(Provider, Tier, Step), Vec<&Outgoing>> = BTreeMap::new();
    for outgoing in &preview.going {
        containers
            .entry((
                outgoing.item.provider,
                outgoing.item.tier,
                outgoing.item.step,
            ))
            .or_default()
            .push(outgoing);
    }
    let zone = instantly_time_zone(&context.settings().time_zone).unwrap_or("(none)");
    let day = caio_core::limits::business_day(context.clock.now(), &context.zone()?);
    for ((provider, tier, step), items) in containers {
        let name = container_name(tier, step, day, &batch.digest);
        let accounts = context.senders(provider)?;
        let campaign = Campaign {
            name: &name,
            accounts: &accounts,
            time_zone: zone,
            daily_limit: policy.limits.email_per_day,
        };
        let messages: Vec<Message<'_>> = items.iter().map(|it| it.message()).collect();
        preview
            .requests
            .extend(requests::build(provider, &campaign, &messages));
    }
    Ok(preview)
}
