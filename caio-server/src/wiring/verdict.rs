//! What the safety layers are asked with, for a batch as it stands.

use std::collections::BTreeSet;

use caio_core::batch::{Batch, BatchStatus, SealKeys};
use caio_core::config::{Weight, contradictions};
use caio_core::safety::{ChannelState, Gate, Inputs, StopFlag, Switches};
use caio_core::terms::{Medium, Mode, Motion, Provider, Step};
use caio_dispatch::coexist::authority::{self, Authority, System};
use caio_dispatch::icp;
use caio_dispatch::operator::Brake;
use caio_dispatch::policy::Policy;
use caio_state::StateStore;

use super::{Channels, Context};
use crate::exit::Result;

/// Everything that the verdict is made from.
pub(crate) async fn inputs(
    context: &Context,
    store: &dyn StateStore,
    batch: Option<&Batch>,
    motion: Motion,
    policy: &Policy,
    requested: Mode,
) -> Result<Inputs> {
    let (keys, brake) = (context.seal_keys(false)?, context.brake());
    let gate = match (batch, &keys) {
        (None, _) => Gate::NoBatch,
        (Some(_), None) => Gate::Refused("there is no key to verify the seal with".to_owned()),
        (Some(batch), Some(keys)) => sealed(context, batch, motion, keys),
    };
    let stop_flag = match caio_state::stop::read(store).await {
        Ok(None) => StopFlag::Clear,
        Ok(Some(_)) => StopFlag::Set,
        Err(_) => StopFlag::Unreadable,
    };
    let mut limits = Vec::new();
    let items = batch.map_or(&[][..], |batch| &batch.items);
    // What an interrupted run has left is finished, and may have used the day up itself: each claim is held
    // to the limits anyway.
    let goes_on = batch.is_some_and(|batch| batch.status == BatchStatus::Executing);
    let of = |medium| items.iter().any(|it| it.medium == medium) && !goes_on;
    if policy.email_room == 0 && (items.is_empty() || of(Medium::Email)) {
        let limit = policy.limits.email_per_day;
        limits.push(format!("all {limit} e-mails of today are used"));
    }
    if policy.linkedin_room == 0 && of(Medium::LinkedIn) {
        let limit = policy.limits.linkedin_per_day;
        limits.push(format!("all {limit} LinkedIn contacts of today are used"));
    }
    let mut switches = Switches::default();
    let mut refusing = Vec::new();
    refusing.extend(context.fleeting_store());
    if !store.capabilities().live_authority {
        refusing.push(format!("{store} may not decide for live sends"));
    }
    if let Some((authority, _)) = authority::read(store, motion).await?
        && authority.system == System::Python
    {
        let Authority { by, at, .. } = authority;
        refusing.push(format!(
            "the Python system sends for {motion}, as {by} said at {at}"
        ));
    }
    if let Some(loaded) = context.production()? {
        let providers = providers(batch);
        switches = loaded.production.switches(Provider::Instantly);
        switches.provider_enabled = providers
            .iter()
            .all(|provider| loaded.production.switches(*provider).provider_enabled);
        if providers.contains(&Provider::Instantly) {
            for sender in context.senders(Provider::Instantly)? {
                if !loaded.production.is_for_cold(&sender) {
                    refusing.push(format!(
                        "{sender} must not send cold mail (do_not_use_for_cold)"
                    ));
                }
            }
        }
        let found = contradictions(&loaded.production);
        refusing.extend(
            found
                .iter()
                .filter(|it| it.weight == Weight::RefusesLive)
                .map(ToString::to_string),
        );
        refusing.extend(loaded.errors.iter().map(ToString::to_string));
    }
    // Whom a follow-up is for was chosen at the first touch, by the model of that day.
    let chosen = items.iter().find(|it| it.step == Step::FIRST);
    let revives = items.iter().any(|it| it.step == Step::REVIVAL);
    let production = context.production()?.map(|it| it.production);
    if revives && !production.is_some_and(|it| it.revival.enabled) {
        refusing.push("operator.revival.enabled is off, and the batch revives".to_owned());
    }
    let model = match chosen {
        Some(item) => Some(caio_dispatch::review::one(store, &item.draft).await?.model),
        None => None,
    };
    let adopted = icp::adopted(store).await?;
    let model_adopted = match (&model, &adopted) {
        (Some(model), Some(adopted)) => adopted.model == *model,
        (None, Some(_)) => !items.is_empty(),
        (_, None) => false,
    };
    Ok(Inputs {
        requested,
        stop_env: brake.environment(),
        stop_file: brake.file(),
        stop_flag,
        access: None,
        cors: None,
        gate,
        seal_key: keys.is_some(),
        limits,
        switches,
        contradictions: refusing,
        sender_missing: context.settings().sender.missing(),
        model_adopted,
        channel: ChannelState::Missing,
    })
}

/// Who delivers the items of a batch; Instantly, as long as there is none.
fn providers(batch: Option<&Batch>) -> BTreeSet<Provider> {
    let items = batch.iter().flat_map(|batch| &batch.items);
    let providers: BTreeSet<Provider> = items.map(|item| item.provider).collect();
    if providers.is_empty() {
        return BTreeSet::from([Provider::Instantly]);
    }
    providers
}

/// What layer 7 is told: whether each item has a channel, and whether one sends at once.
pub(crate) fn channel_state(batch: &Batch, channels: &Channels, send_now: bool) -> ChannelState {
    let providers = providers(Some(batch));
    if !providers.iter().all(|it| channels.contains_key(it)) {
        ChannelState::Missing
    } else if !providers.contains(&Provider::Ghl) {
        ChannelState::DraftsFirst
    } else if send_now {
        ChannelState::SendsAtOnceAsked
    } else {
        ChannelState::SendsAtOnce
    }
}

/// Whether the approval stands; that of an interrupted run stood when it began.
fn sealed(context: &Context, batch: &Batch, motion: Motion, keys: &SealKeys) -> Gate {
    let now = context.clock.now();
    if batch.status == BatchStatus::Executing {
        return match batch.verify(keys, now) {
            Ok(()) => Gate::Sealed,
            Err(refusals) => {
                let reasons: Vec<String> = refusals.iter().map(ToString::to_string).collect();
                Gate::Refused(reasons.join("; "))
            }
        };
    }
    match batch.validate(motion, keys, now) {
        Ok(()) => Gate::Sealed,
        Err(refusal) => Gate::Refused(refusal.to_string()),
    }
}
