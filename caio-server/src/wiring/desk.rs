//! Who starts and pauses campaigns, over the real providers.

use std::sync::Arc;

use caio_core::terms::{Mode, Motion, Provider};
use caio_dispatch::campaigns::{Campaigns, Desk};
use caio_state::StateStore;

use super::Context;
use super::executing::{gate, verifying};
use super::verdict::inputs;
use crate::exit::{Exit, Failure, Result};

/// The provider with these campaigns.
///
/// # Errors
/// `campaign.provider` for one without a key, or without campaigns.
pub(crate) fn provider(context: &Context, wanted: Provider) -> Result<Arc<dyn Campaigns>> {
    let all = context.campaigns()?;
    let found = all.into_iter().find(|it| it.provider() == wanted);
    found.ok_or_else(|| {
        let message = format!("{wanted} has no campaigns here: its API key is missing");
        Failure::new("campaign.provider", message)
            .hint("set INSTANTLY_API_KEY or HEYREACH_API_KEY; ghl sends at once and has none")
            .exit(Exit::Usage)
    })
}

/// Whoever decides on campaigns, with the safety layers as they stand.
pub(crate) async fn desk(
    context: &Context,
    store: Arc<dyn StateStore>,
    by: String,
) -> Result<Desk> {
    let policy = context.policy(&*store).await?;
    let motion = Motion::Outbound;
    let inputs = inputs(context, &*store, None, motion, &policy, Mode::Live).await?;
    let keys = verifying(context)?;
    Ok(Desk {
        store,
        clock: Arc::clone(&context.clock),
        ids: Arc::clone(&context.ids),
        keys,
        gate: gate(context, inputs),
        coexist: context.coexist()?,
        by,
    })
}
