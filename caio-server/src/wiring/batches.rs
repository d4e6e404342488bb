//! Batches as the command line and the service make them: within limits and ramp, of what may go now.

use caio_core::batch::{Batch, BatchLimits};
use caio_core::terms::{Motion, Provider, Tier};
use caio_dispatch::batches::Batches;
use caio_dispatch::notify;
use caio_dispatch::plan::{self, Plan, PlanRequest};
use caio_dispatch::policy::{self, Policy};
use caio_state::StateStore;
use jiff::SignedDuration;

use super::Context;
use crate::exit::{Exit, Failure, Result};

/// What somebody asks a batch to hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AskedBatch {
    /// Programme.
    pub(crate) motion: Motion,
    /// Of this tier alone.
    pub(crate) tier: Option<Tier>,
    /// Who is to deliver the e-mails.
    pub(crate) via: Provider,
    /// Most messages.
    pub(crate) limit: Option<u32>,
    /// Hours for which the approval can be used.
    pub(crate) expires_hours: Option<u32>,
}

impl Context {
    /// Limits, ramp and what is left of today.
    pub(crate) async fn policy(&self, store: &dyn StateStore) -> Result<Policy> {
        let production = self.production()?.map(|loaded| loaded.production);
        let now = self.clock.now();
        let zone = self.zone()?;
        let policy = policy::policy(store, self.settings(), production.as_ref(), now, &zone);
        Ok(policy.await?)
    }

    /// Makes and stores a batch of the approved drafts that may go now.
    ///
    /// # Errors
    /// `ramp.tier` for a tier that the ramp does not let through, `batch.empty` when none may go.
    pub(crate) async fn create_batch(
        &self,
        store: &dyn StateStore,
        by: &str,
        asked: &AskedBatch,
    ) -> Result<(Batch, Plan)> {
        let policy = self.policy(store).await?;
        if let (Some(asked), Some(ramp)) = (asked.tier, policy.ramp.tier)
            && asked != ramp
        {
            return Err(Failure::new(
                "ramp.tier",
                format!("the ramp allows {ramp} only, not {asked}"),
            )
            .hint("the ramp ends with clean days of live sending; `caio status` shows them")
            .exit(Exit::Blocked));
        }
        let request = self.request(&policy, asked)?;
        let plan = plan::plan(store, &request).await?;
        if plan.offered.is_empty() {
            return Err(empty(&request, &plan));
        }
        let batch = plan::batch(&plan, &request, &*self.clock, &*self.ids)?;
        let (clock, ids) = (&*self.clock, &*self.ids);
        let deciding = Batches {
            store,
            clock,
            ids,
            by,
        };
        deciding.add(&batch).await?;
        // The batch is there, whatever comes of telling people.
        let policy = self.alert_policy();
        if let Err(error) = notify::batch_ready(&self.alerts(store, &policy), &batch).await {
            self.printer
                .warn(&format!("an alert could not be raised: {error}"));
        }
        Ok((batch, plan))
    }

    /// A batch that waits for approval, for whoever asked to send while none is approved; the inner
    /// error is why there is none.
    ///
    /// # Errors
    /// When the store fails, or the batch cannot be made for another reason than that nothing may go.
    pub(crate) async fn propose(
        &self,
        store: &dyn StateStore,
        by: &str,
        asked: &AskedBatch,
    ) -> Result<std::result::Result<Batch, String>> {
        match self.create_batch(store, by, asked).await {
            Ok((batch, _)) => Ok(Ok(batch)),
            Err(Failure {
                code: "batch.empty" | "ramp.tier",
                message,
                ..
            }) => Ok(Err(message)),
            Err(failure) => Err(failure),
        }
    }

    fn request(&self, policy: &Policy, asked: &AskedBatch) -> Result<PlanRequest> {
        let most = |room: u32| asked.limit.map_or(room, |limit| limit.min(room));
        let hours = asked
            .expires_hours
            .unwrap_or(self.settings().batch_expiry_hours);
        if !(1..=168).contains(&hours) {
            let message = format!("the batch would be valid for {hours} h; expected 1 to 168 h");
            return Err(Failure::new("batch.expiry_out_of_range", message).exit(Exit::Usage));
        }
        Ok(PlanRequest {
            motion: asked.motion,
            tier: asked.tier.or(policy.ramp.tier),
            via: asked.via,
            room: most(policy.email_room),
            linkedin_room: most(policy.linkedin_room),
            revival_room: policy.revival_room,
            limits: BatchLimits {
                email_per_day: policy.limits.email_per_day,
                linkedin_per_day: policy.limits.linkedin_per_day,
            },
            expires_in: SignedDuration::from_hours(hours.into()),
        })
    }
}

/// Why there is no batch.
fn empty(request: &PlanRequest, plan: &Plan) -> Failure {
    let hint = match (request.room, request.tier) {
        (0, _) => "the limit leaves room for none".to_owned(),
        (_, Some(tier)) => format!("only {tier} may go now; `caio drafts approve` some of those"),
        (_, None) => "`caio drafts approve` some first".to_owned(),
    };
    let left: Vec<String> = plan
        .refused
        .iter()
        .map(|it| {
            format!(
                "; {} to {}: {}",
                it.draft,
                it.recipient,
                it.reasons.join(", ")
            )
        })
        .collect();
    let message = "no approved draft may go now, so there is no batch";
    Failure::new("batch.empty", format!("{message}{}", left.concat())).hint(hint)
}
