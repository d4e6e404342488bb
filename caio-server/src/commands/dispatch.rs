//! `caio dispatch`: what an approved batch would send, what every safety layer says to it, and sending.

pub(crate) mod asked;
pub(crate) mod live;
mod shadow;

use std::collections::{BTreeMap, BTreeSet};

use caio_core::batch::{Batch, BatchStatus, SealKeys};
use caio_core::config::{Weight, contradictions};
use caio_core::escalation::Subject;
use caio_core::requests::{
    self, Campaign, Message, ProviderRequest, container_name, instantly_time_zone,
};
use caio_core::safety::{
    ChannelState, Finding, Gate, Inputs, Layer, StopFlag, Switches, Verdict, verdict,
};
use caio_core::terms::{Medium, Mode, Motion, Provider, Step, Tier};
use caio_dispatch::channel::Outgoing;
use caio_dispatch::coexist::authority::{self, Authority, System};
use caio_dispatch::operator::{Brake, Checked, check_item};
use caio_dispatch::policy::Policy;
use caio_dispatch::{batches, icp, ledger};
use caio_state::{Access, StateStore};
use serde::Serialize;
use serde_json::json;

use super::batch::expire_stale;
use crate::args::DispatchArgs;
use crate::exit::{Exit, Failure, Result};
use crate::wiring::{AskedBatch, Channels, Context};

/// An item that does not go, and why.
#[derive(Debug, Serialize)]
struct Left {
    draft: String,
    recipient: String,
    reason: String,
}

/// What a run would do.
#[derive(Debug, Default)]
struct Preview {
    requests: Vec<ProviderRequest>,
    going: Vec<Outgoing>,
    left: Vec<Left>,
}

pub(super) async fn run(context: &Context, args: DispatchArgs) -> Result<Exit> {
    if args.live {
        let store = context.open(Access::ReadWrite)?;
        for batch in expire_stale(context, &*store).await? {
            context.printer.warn(&format!(
                "batch {} expired: {} messages stayed unsent",
                batch.id,
                batch.items.len()
            ));
        }
    }
    // A dry run, and a run that will be refused, write nothing about messages.
    let store = context.open(Access::ReadOnly)?;
    let batch = match &args.batch {
        Some(id) => Some(batches::one(&*store, id).await?),
        // What an interrupted run has left comes first.
        None => match batches::newest(&*store, BatchStatus::Executing, args.motion).await? {
            Some(batch) => Some(batch),
            None => batches::newest(&*store, BatchStatus::Approved, args.motion).await?,
        },
    };
    let policy = context.policy(&*store).await?;
    let mode = match (args.live, args.shadow) {
        (true, _) => Mode::Live,
        (false, true) => Mode::Shadow,
        (false, false) => Mode::DryRun,
    };
    let motion = batch
        .as_ref()
        .filter(|_| args.batch.is_some())
        .map_or(args.motion, |it| it.motion);
    let channels = context.channels(Some(policy.limits.email_per_day))?;
    let mut inputs = inputs(context, &*store, batch.as_ref(), motion, &policy, mode).await?;
    if let Some(batch) = &batch {
        inputs.channel = channel_state(batch, &channels, args.send_now);
    }
    let verdict = verdict(&inputs);
    if let Some(batch) = batch.as_ref().filter(|_| args.live && verdict.may_send()) {
        drop(store);
        return live::run(context, &args, &policy, inputs, channels, &batch.id).await;
    }
    if let Some(batch) = batch.as_ref().filter(|_| args.shadow && verdict.may_run()) {
        return shadow::run(context, &args, &policy, inputs, channels, batch, store).await;
    }
    let preview = match &batch {
        Some(batch) => preview(context, &*store, batch, &args, &policy).await?,
        None => Preview::default(),
    };
    render(context, batch.as_ref(), &verdict, &preview);
    if args.live {
        drop(store);
        let is_stopped = verdict
            .blocks()
            .any(|(layer, _)| layer == Layer::EmergencyStop);
        if batch.is_none() && !is_stopped {
            propose(context, &args).await?;
        }
        blocked(context, &policy).await?;
    }
    if mode != Mode::DryRun {
        let message = if args.live {
            "nothing was sent: a safety layer forbids it"
        } else {
            "nothing was run in shadow: a safety layer forbids it"
        };
        return Err(Failure::new("dispatch.blocked", message)
            .hint("each layer above says what would have to change")
            .exit(Exit::Blocked));
    }
    Ok(if preview.left.is_empty() {
        Exit::Done
    } else {
        Exit::Refusals
    })
}

/// Makes the batch that a person has to approve before anything is sent.
async fn propose(context: &Context, args: &DispatchArgs) -> Result<()> {
    let asked = AskedBatch {
        motion: args.motion,
        tier: args.tier,
        via: Provider::Instantly,
        limit: args.limit.map(|limit| limit.0),
        expires_hours: None,
    };
    let store = context.open(Access::ReadWrite)?;
    if let Ok(batch) = context.propose(&*store, context.by()?, &asked).await? {
        let (id, digest) = (&batch.id, &batch.digest);
        context.printer.note(&format!(
            "batch {id} waits for approval: caio batch show {id}, then caio batch approve {id} --digest {digest}"
        ));
    }
    Ok(())
}

/// Tells people why a live run did not begin, where that is news to them.
async fn blocked(context: &Context, policy: &Policy) -> Result<()> {
    let mut subjects = context.notes.take();
    if policy.email_room == 0 {
        let today = caio_core::limits::business_day(context.clock.now(), &context.zone()?);
        subjects.push(Subject::LimitReached {
            window: format!("email:day:{today}"),
        });
    }
    let store = context.open(Access::ReadWrite)?;
    context.tell(&*store, subjects).await;
    Ok(())
}

/// Everything that the verdict is made from.
pub(super) async fn inputs(
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
fn channel_state(batch: &Batch, channels: &Channels, send_now: bool) -> ChannelState {
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

/// The requests for every item that may go, and why the others do not.
async fn preview(
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

fn render(context: &Context, batch: Option<&Batch>, verdict: &Verdict, preview: &Preview) {
    let printer = &context.printer;
    let layers: Vec<_> = verdict
        .findings
        .iter()
        .map(|(layer, finding)| {
            let (code, reason) = match finding {
                Finding::Allow => (None, None),
                Finding::Block(block) => (Some(block.code), Some(block.reason.as_str())),
            };
            json!({
                "layer": layer.number(), "name": layer.to_string(), "allows": code.is_none(),
                "code": code, "reason": reason,
            })
        })
        .collect();
    if printer.is_json() {
        printer.json(&json!({
            "mode": verdict.requested, "may_send": verdict.may_send(),
            "batch": batch.map(|batch| &batch.id), "layers": layers,
            "requests": preview.requests, "left_out": preview.left, "written": false,
        }));
        return;
    }
    let rows = verdict.findings.iter().map(|(layer, finding)| {
        vec![
            layer.number().to_string(),
            layer.to_string(),
            finding.to_string(),
        ]
    });
    printer.table(&["layer", "", "says"], rows);
    match batch {
        None => printer.line("no batch is approved: caio batch create, then caio batch approve"),
        Some(batch) => printer.line(&format!(
            "batch {}  {}  {} messages",
            batch.id,
            batch.status,
            batch.items.len()
        )),
    }
    for request in &preview.requests {
        printer.line(&format!(
            "\n{} {} {}",
            request.provider, request.method, request.path
        ));
        let body = serde_json::to_string_pretty(&request.body);
        printer.text(&body.unwrap_or_else(|error| error.to_string()));
    }
    for left in &preview.left {
        printer.line(&format!(
            "left out: {} to {}: {}",
            left.draft, left.recipient, left.reason
        ));
    }
    if verdict.requested == Mode::DryRun {
        printer.note("dry run: nothing was sent, nothing was written");
    }
}
