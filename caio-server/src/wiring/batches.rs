//! Batches as the command line and the service make them: within limits and ramp, of what may go now.

use std::collections::BTreeMap;

use caio_core::batch::{Batch, BatchLimits};
use caio_core::terms::{Motion, Provider, Tier};
use caio_dispatch::batches::Batches;
use caio_dispatch::notify;
use caio_dispatch::plan::{self, Plan, PlanRequest, RefusedDraft};
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
    /// error is why there is none. The follow-ups that are due are written first: they wait for a
    /// reviewer.
    ///
    /// # Errors
    /// When the store fails, or the batch cannot be made for another reason than that nothing may go.
    pub(crate) async fn propose(
        &self,
        store: &dyn StateStore,
        by: &str,
        asked: &AskedBatch,
    ) -> Result<std::result::Result<Batch, String>> {
        self.write_due(store, by, asked.motion).await?;
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
    let message = "no approved draft may go now, so there is no batch";
    Failure::new(
        "batch.empty",
        format!("{message}{}", summary(&plan.refused)),
    )
    .hint(hint)
}

/// Why drafts may not go, the most frequent reasons first, each with how many it keeps and one of them.
fn summary(refused: &[RefusedDraft]) -> String {
    const REASONS: usize = 5;
    let mut by_reason: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for it in refused {
        let drafts = by_reason.entry(it.reasons.join(", ")).or_default();
        drafts.push(&it.draft);
    }
    let mut groups: Vec<_> = by_reason.into_iter().collect();
    groups.sort_by_key(|(_, drafts)| std::cmp::Reverse(drafts.len()));
    let rest: usize = groups.iter().skip(REASONS).map(|it| it.1.len()).sum();
    let mut text = String::new();
    for (reason, drafts) in groups.iter().take(REASONS) {
        match &drafts[..] {
            [one] => text.push_str(&format!("; {one}: {reason}")),
            several => text.push_str(&format!(
                "; {} drafts such as {}: {reason}",
                several.len(),
                several[0]
            )),
        }
    }
    if rest > 0 {
        text.push_str(&format!("; {rest} for other reasons"));
    }
    text
}

#[cfg(test)]
mod tests {
    use caio_core::EmailKey;

    use super::*;

    #[test]
    fn reasons_are_counted_and_name_nobody() {
        let refused = |draft: usize, reason: String| RefusedDraft {
            draft: format!("draft_{draft}"),
            recipient: EmailKey::parse("kim@example.com").unwrap(),
            reasons: vec![reason],
        };
        let mut all: Vec<_> = (0..1000)
            .map(|it| refused(it, "written to".into()))
            .collect();
        assert_eq!(summary(&all), "; 1000 drafts such as draft_0: written to");
        all.extend((0..9).map(|it| refused(2000 + it, format!("reason {it}"))));
        let text = summary(&all);
        assert!(text.contains("; draft_2000: reason 0; "), "{text}");
        assert!(text.ends_with("; 5 for other reasons"), "{text}");
        assert!(!text.contains("example.com"), "{text}");
        assert_eq!(summary(&[]), "");
    }
}
