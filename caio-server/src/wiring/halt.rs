//! Stopping everything: the flag that every claim is guarded by, and what already runs at the
//! providers. One does not wait for the other to work.

use std::collections::BTreeMap;
use std::sync::Arc;

use caio_core::escalation::Subject;
use caio_core::time::rfc3339;
use caio_dispatch::history::Event;
use caio_state::StateStore;
use caio_state::stop::{self, Stop};

use super::Context;
use crate::exit::Result;

/// What a stop has reached.
#[derive(Debug)]
pub(crate) struct Stopped {
    /// The flag, or why it could not be set.
    pub(crate) flag: Result<()>,
    /// By provider, how many campaigns were paused, verified; or what went wrong.
    pub(crate) halted: BTreeMap<String, std::result::Result<usize, String>>,
}

impl Stopped {
    /// The flag is set and nothing sends at any provider.
    pub(crate) fn is_complete(&self) -> bool {
        self.flag.is_ok() && self.halted.values().all(std::result::Result::is_ok)
    }
}

impl Context {
    /// Stops all sending; what runs at the providers is paused even where the flag cannot be set.
    pub(crate) async fn stop(
        &self,
        store: Result<Arc<dyn StateStore>>,
        by: &str,
        reason: &str,
    ) -> Stopped {
        let flag = match &store {
            Ok(store) => self.set_flag(&**store, by, reason).await,
            Err(failure) => Err(failure.clone()),
        };
        let halted = self.halt().await;
        if let Ok(store) = store {
            let still_sending = halted
                .iter()
                .filter_map(|(who, said)| Some(format!("{who}: {}", said.as_ref().err()?)));
            let stopped = Subject::Stopped {
                by: by.to_owned(),
                reason: reason.to_owned(),
                still_sending: still_sending.collect(),
            };
            self.raise(&*store, vec![stopped]).await;
        }
        Stopped { flag, halted }
    }

    async fn set_flag(&self, store: &dyn StateStore, by: &str, reason: &str) -> Result<()> {
        let flag = Stop {
            by: by.to_owned(),
            at: rfc3339(self.clock.now()),
            reason: reason.to_owned(),
        };
        let mut writes = vec![stop::set(&flag)];
        writes.extend(self.stop_event(by, "stop.set").because(reason).writes()?);
        Ok(stop::commit(store, &*self.ids, writes).await?)
    }

    /// Lets sending begin anew. What was paused at the providers stays so.
    pub(crate) async fn resume(&self, store: &dyn StateStore, by: &str) -> Result<()> {
        let mut writes = vec![stop::clear()];
        writes.extend(self.stop_event(by, "stop.cleared").writes()?);
        stop::commit(store, &*self.ids, writes).await?;
        self.raise(store, vec![Subject::Resumed { by: by.to_owned() }])
            .await;
        Ok(())
    }

    fn stop_event(&self, by: &str, kind: &str) -> Event {
        Event::new(&self.ids.id(), self.clock.now(), by, kind, "sending")
    }

    /// Pauses everything that sends at the providers.
    async fn halt(&self) -> BTreeMap<String, std::result::Result<usize, String>> {
        let channels = match self.channels(None) {
            Ok(channels) => channels,
            Err(failure) => return BTreeMap::from([("channels".to_owned(), Err(failure.message))]),
        };
        let mut halted = BTreeMap::new();
        for (provider, channel) in channels {
            halted.insert(provider.to_string(), channel.halt().await);
        }
        halted
    }
}
