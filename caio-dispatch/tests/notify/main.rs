//! Alerts: raised, folded, delivered a bounded number of times, over a store and real sockets.
#![allow(clippy::panic, clippy::unwrap_used, missing_docs)]

mod outbox;
mod voice;
mod wire;

use std::sync::Arc;

use caio_core::escalation::{AlertChannel, Subject};
use caio_core::terms::Provider;
use caio_dispatch::notify::{AlertPolicy, Alerts, Drain, Drained, Notifiers, Which};
use caio_state::conformance::{TestClock, TestIds};
use caio_state::{MemoryStore, StateStore};

use voice::Voice;

pub(crate) struct Place {
    pub(crate) store: Arc<dyn StateStore>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) ids: Arc<TestIds>,
    pub(crate) policy: AlertPolicy,
}

impl Place {
    pub(crate) fn new() -> Self {
        let clock = TestClock::noon();
        Self {
            store: Arc::new(MemoryStore::new(clock.clone())),
            clock,
            ids: Arc::default(),
            policy: AlertPolicy::default(),
        }
    }

    pub(crate) fn alerts(&self) -> Alerts<'_> {
        Alerts {
            store: &*self.store,
            clock: &*self.clock,
            ids: &*self.ids,
            policy: &self.policy,
        }
    }

    pub(crate) fn drain<'a>(&'a self, notifiers: &'a Notifiers, holder: &'a str) -> Drain<'a> {
        Drain {
            store: &*self.store,
            notifiers,
            clock: &*self.clock,
            ids: &*self.ids,
            holder,
        }
    }

    pub(crate) async fn deliver(&self, notifiers: &Notifiers) -> Drained {
        self.drain(notifiers, "one").run(Which::Due).await.unwrap()
    }

    /// One alert of this level.
    pub(crate) async fn raise(&self, level: u8) -> String {
        let subject = match level {
            1 => Subject::LimitReached {
                window: "email:day:2026-03-02".to_owned(),
            },
            2 => breaker(),
            _ => Subject::Stopped {
                by: "kim".to_owned(),
                reason: "pause".to_owned(),
                still_sending: vec![],
            },
        };
        assert_eq!(subject.level().number(), level);
        self.alerts().raise(&subject).await.unwrap().unwrap()
    }
}

pub(crate) fn breaker() -> Subject {
    Subject::BreakerOpened {
        provider: Provider::Instantly,
    }
}

/// Scripted notifiers on these channels.
pub(crate) fn voices(channels: &[AlertChannel]) -> (Notifiers, Vec<Arc<Voice>>) {
    let voices: Vec<Arc<Voice>> = channels.iter().map(|it| Voice::new(*it)).collect();
    let with = |notifiers: Notifiers, voice: &Arc<Voice>| notifiers.with(voice.clone());
    (voices.iter().fold(Notifiers::default(), with), voices)
}
