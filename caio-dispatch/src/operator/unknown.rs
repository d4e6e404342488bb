//! Deliveries of which nobody knows what became: the provider is asked, or a person decides.

use caio_core::batch::{Batch, BatchStatus};
use caio_state::{Held, StateStoreExt};

use super::context::Context;
use super::report::RunReport;
use super::runner::Operator;
use super::{record, recover};
use crate::channel::Outcome;
use crate::error::{DispatchError, Result};
use crate::ledger::{DeliveryState, LedgerEntry};
use crate::{batches, records};

impl Operator {
    /// Asks the providers what became of the unknown deliveries of a batch, and settles it anew.
    /// Nothing is sent.
    ///
    /// # Errors
    /// [`DispatchError::Refused`] with `ledger.nothing_unknown` for a batch in another status, with
    /// `delivery.settling` while a lost call may still take effect, with `lease.held` when an
    /// executor works on it.
    pub async fn reconcile(&self, batch: &str) -> Result<RunReport> {
        let held = self.take(batch).await?;
        let report = self.settle_unknown(batch, held.clone(), None).await;
        self.give_back(batch, &held).await?;
        report
    }

    /// Records what a person has found out about one unknown delivery.
    ///
    /// # Errors
    /// As [`Self::reconcile`]; `ledger.nothing_unknown` also for a delivery that is known.
    pub async fn resolve(&self, delivery: &str, outcome: &Outcome) -> Result<RunReport> {
        let entry: Option<(LedgerEntry, _)> =
            self.store.get_json(&records::ledger(delivery)).await?;
        let Some((entry, _)) = entry else {
            return Err(DispatchError::NotFound {
                what: "delivery",
                id: delivery.to_owned(),
            });
        };
        if entry.state != DeliveryState::Unknown {
            return Err(nothing_unknown(&format!("delivery `{delivery}` is known")));
        }
        let held = self.take(&entry.batch).await?;
        let said = Some((&entry, outcome));
        let report = self.settle_unknown(&entry.batch, held.clone(), said).await;
        self.give_back(&entry.batch, &held).await?;
        report
    }

    async fn settle_unknown(
        &self,
        id: &str,
        held: Held,
        said: Option<(&LedgerEntry, &Outcome)>,
    ) -> Result<RunReport> {
        let batch: Batch = batches::one(&*self.store, id).await?;
        if batch.status != BatchStatus::Unknown {
            let what = format!("batch `{id}` is {}", batch.status);
            return Err(nothing_unknown(&what));
        }
        let run = batch.execution.as_ref().map(|it| it.run.clone());
        let context = Context::new(self, batch, run.unwrap_or_default(), held);
        let slots = match said {
            None => recover::slots(&context).await?,
            Some((entry, outcome)) => {
                let mut slots =
                    (0..context.len()).filter(|slot| context.delivery(*slot) == entry.id);
                let Some(slot) = slots.next() else {
                    return Err(DispatchError::NotFound {
                        what: "item of a delivery",
                        id: entry.id.clone(),
                    });
                };
                record::outcomes(&context, &[(slot, outcome.clone())]).await?;
                recover::known(&context).await?
            }
        };
        let run = context.machine(slots);
        context.settle(&run.outcomes()).await?;
        context.report(&run).await
    }
}

fn nothing_unknown(what: &str) -> DispatchError {
    DispatchError::Refused {
        code: "ledger.nothing_unknown",
        reason: format!("{what}; there is nothing to find out"),
    }
}
