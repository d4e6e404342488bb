//! The same run without the calls.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use caio_core::terms::{Mode, Motion};
use caio_state::OverlayStore;

use super::{Operator, RunReport};
use crate::batches;
use crate::channel::{Channel, Handover, ShadowChannel};
use crate::coexist::authority::{self, System};
use crate::error::Result;

impl Operator {
    /// Runs `batch` as [`execute`](Self::execute) would, in `layer`, and calls nobody: what would be
    /// handed over is answered, and everything that the run claims and records stays in the layer.
    ///
    /// Only where the Python system sends for the motion it runs all the same, as if we did.
    ///
    /// # Errors
    /// As [`execute`](Self::execute); of the safety layers those hold that hold for a shadow run.
    pub async fn shadow(
        mut self,
        layer: Arc<OverlayStore>,
        batch: &str,
        motion: Motion,
    ) -> Result<(RunReport, Vec<Handover>)> {
        let handed: Arc<Mutex<Vec<Handover>>> = Arc::default();
        let in_shadow = |channel| {
            let channel = ShadowChannel::new(channel, Arc::clone(&handed));
            Arc::new(channel) as Arc<dyn Channel>
        };
        let channels = std::mem::take(&mut self.channels).into_iter();
        self.channels = channels
            .map(|(provider, channel)| (provider, in_shadow(channel)))
            .collect::<BTreeMap<_, _>>();
        self.store = layer;
        self.gate.inputs.requested = Mode::Shadow;
        let store = &*self.store;
        let of = batches::one(store, batch).await?.motion;
        let tools = (&*self.clock, &*self.ids);
        authority::give(store, tools, &self.holder, of, System::Caio).await?;
        let report = self.begin(batch, motion).await?;
        let handed = &mut *handed.lock().unwrap_or_else(PoisonError::into_inner);
        Ok((report, std::mem::take(handed)))
    }
}
