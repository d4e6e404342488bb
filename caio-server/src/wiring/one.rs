//! One e-mail through GHL as soon as a person has approved it: a sealed batch of one, through the
//! same layers and the same ledger as any other.

use std::sync::Arc;

use caio_core::batch::{Batch, BatchLimits};
use caio_core::draft::Draft;
use caio_core::terms::{Medium, Provider};
use caio_dispatch::batches::Batches;
use caio_dispatch::plan::{self, Plan, PlanRequest};
use caio_state::StateStore;
use jiff::SignedDuration;

use super::Context;
use super::asked::{Asked, Came, asked};
use crate::exit::{Failure, Result};

/// What became of it.
#[derive(Debug)]
pub(crate) struct Sent {
    /// `sent_via_ghl`, `unknown`, or `approved` for what was not sent.
    pub(crate) status: &'static str,
    /// What was done, or what stands against it.
    pub(crate) message: String,
    /// The batch of one.
    pub(crate) batch: String,
}

impl Context {
    /// Whether the old file switches sending through GHL on, with every switch that it has.
    pub(crate) fn ghl_is_live(&self) -> Result<bool> {
        let Some(loaded) = self.production()? else {
            return Ok(false);
        };
        let switches = loaded.production.switches(Provider::Ghl);
        Ok(switches.actually_send
            && switches.shadow_mode_off
            && switches.max_daily_sends != Some(0)
            && switches.phase_sends
            && switches.operator_enabled
            && switches.provider_enabled)
    }

    /// Sends a draft that `by` has just approved, if every safety layer allows it.
    pub(crate) async fn send_one(
        &self,
        store: Arc<dyn StateStore>,
        by: &str,
        draft: &Draft,
    ) -> Result<Sent> {
        let (clock, ids) = (&*self.clock, &*self.ids);
        let deciding = Batches {
            store: &*store,
            clock,
            ids,
            by,
        };
        let batch = self.seal_one(&deciding, draft).await?;
        let wanted = Asked {
            motion: draft.motion,
            batch: Some(batch.id.clone()),
            live: true,
            send_now: true,
        };
        let came = asked(self, Arc::clone(&store), &wanted).await?;
        let (status, message) = match came {
            Came::Ran(report) => match report.items.first() {
                Some(item) if item.state == "accepted" => {
                    ("sent_via_ghl", format!("sent; receipt {}", item.detail))
                }
                Some(item) if item.state == "unknown" => {
                    ("unknown", format!("nobody knows yet: {}", item.detail))
                }
                Some(item) => ("approved", format!("not sent: {}", item.detail)),
                None => ("approved", "not sent: the batch was empty".to_owned()),
            },
            Came::Shown { against, .. } => {
                // The draft is free for another batch.
                let why = format!("not sent: {}", against.join("; "));
                deciding.revoke(&batch.id, &why).await?;
                ("approved", why)
            }
        };
        let batch = batch.id;
        Ok(Sent {
            status,
            message,
            batch,
        })
    }

    /// A batch of this draft alone, approved and sealed by whoever approved the draft.
    async fn seal_one(&self, deciding: &Batches<'_>, draft: &Draft) -> Result<Batch> {
        let policy = self.policy(deciding.store).await?;
        let request = PlanRequest {
            motion: draft.motion,
            tier: policy.ramp.tier,
            via: Provider::Ghl,
            room: 1,
            linkedin_room: 0,
            revival_room: policy.revival_room,
            limits: BatchLimits {
                email_per_day: policy.limits.email_per_day,
                linkedin_per_day: policy.limits.linkedin_per_day,
            },
            expires_in: SignedDuration::from_hours(1),
        };
        if draft.medium != Medium::Email {
            let message = "only an e-mail goes through GHL";
            return Err(Failure::new("batch.empty", message));
        }
        let plan = Plan {
            offered: vec![plan::item(draft, Provider::Ghl)],
            refused: Vec::new(),
            more: false,
        };
        let batch = plan::batch(&plan, &request, deciding.clock, deciding.ids)?;
        deciding.add(&batch).await?;
        let keys = self.seal_keys(true)?;
        let keys = keys.ok_or_else(|| Failure::new("seal.none", "there is no key to seal with"))?;
        let approved = deciding.approve(&batch.id, &batch.digest, Some(&batch), &keys);
        Ok(approved.await?)
    }
}
