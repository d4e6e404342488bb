//! Channels for comparing: one that calls nobody, and one that keeps what it hands over.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use caio_core::IdSource;
use caio_core::requests::ProviderRequest;
use caio_core::terms::Provider;
use caio_state::{StateStore, Write};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{Channel, Container, Outcome, Outgoing, Prepared, Proof};
use crate::error::{DispatchError, Result};
use crate::ledger::LedgerEntry;
use crate::transition::commit;
use crate::{records, shadow};

/// What one call of a channel hands over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Handover {
    /// Where to.
    pub container: Container,
    /// The deliveries in it, in the order of the requests.
    pub deliveries: Vec<String>,
    /// The exact requests; ids that the provider gives are placeholders.
    pub requests: Vec<ProviderRequest>,
}

/// Requests that one channel has already made for a container: what makes it is made once.
#[derive(Debug, Default)]
struct Made(Mutex<BTreeSet<(String, String)>>);

impl Made {
    /// What a call hands over, and how those end that are refused without asking.
    fn handover(
        &self,
        channel: &dyn Channel,
        container: &Container,
        items: &[Outgoing],
    ) -> (Handover, Vec<Option<Outcome>>) {
        let Prepared {
            mut requests,
            refused,
        } = channel.prepare(container, items);
        let made = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        requests.retain(|request| {
            let text = format!("{} {} {}", request.method, request.path, request.body);
            made.insert((container.name.clone(), text))
        });
        let handed = items.iter().zip(&refused);
        let handed = handed.filter(|(_, refused)| refused.is_none());
        let handover = Handover {
            container: container.clone(),
            deliveries: handed.map(|(item, _)| item.delivery.clone()).collect(),
            requests,
        };
        (handover, refused)
    }
}

/// A channel that prepares everything as another one does, and calls nobody.
#[derive(Debug)]
pub struct ShadowChannel {
    channel: Arc<dyn Channel>,
    made: Made,
    handed: Arc<Mutex<Vec<Handover>>>,
}

impl ShadowChannel {
    /// What `channel` would call goes to `handed`.
    pub fn new(channel: Arc<dyn Channel>, handed: Arc<Mutex<Vec<Handover>>>) -> Self {
        Self {
            channel,
            made: Made::default(),
            handed,
        }
    }
}

impl fmt::Display for ShadowChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (in shadow)", self.channel)
    }
}

#[async_trait]
impl Channel for ShadowChannel {
    fn provider(&self) -> Provider {
        self.channel.provider()
    }

    fn chunk(&self) -> usize {
        self.channel.chunk()
    }

    fn settles_within(&self) -> SignedDuration {
        self.channel.settles_within()
    }

    fn prepare(&self, container: &Container, items: &[Outgoing]) -> Prepared {
        self.channel.prepare(container, items)
    }

    async fn deliver(&self, container: &Container, items: &[Outgoing]) -> Vec<Outcome> {
        let (handover, refused) = self.made.handover(&*self.channel, container, items);
        let handed = &mut *self.handed.lock().unwrap_or_else(PoisonError::into_inner);
        handed.push(handover);
        let accepted = || Outcome::Accepted {
            receipt: "shadow".to_owned(),
        };
        let outcomes = refused.into_iter();
        outcomes.map(|it| it.unwrap_or_else(accepted)).collect()
    }

    async fn reconcile(&self, entries: &[LedgerEntry]) -> Vec<Proof> {
        let reason = "a shadow run asks nobody".to_owned();
        vec![Proof::Undecided { reason }; entries.len()]
    }

    async fn halt(&self) -> Result<usize, String> {
        Err("a shadow run stops nothing".to_owned())
    }

    async fn health(&self) -> Result<(), String> {
        Ok(())
    }
}

/// A channel that keeps what it hands over before it does so, for a comparison with a shadow run.
#[derive(Debug)]
pub struct KeptChannel {
    channel: Arc<dyn Channel>,
    made: Made,
    store: Arc<dyn StateStore>,
    ids: Arc<dyn IdSource>,
    batch: String,
}

impl KeptChannel {
    /// Keeps in `store` what `channel` hands over of `batch`.
    pub fn new(
        channel: Arc<dyn Channel>,
        store: Arc<dyn StateStore>,
        ids: Arc<dyn IdSource>,
        batch: &str,
    ) -> Self {
        Self {
            channel,
            made: Made::default(),
            store,
            ids,
            batch: batch.to_owned(),
        }
    }

    async fn keep(&self, handover: &Handover) -> Result<(), DispatchError> {
        let write = Write::Put {
            key: records::sent(&self.batch, &self.ids.id()),
            value: serde_json::to_vec(handover)?,
            expires_in: Some(shadow::KEPT),
        };
        commit(&*self.store, &*self.ids, Vec::new(), vec![write]).await?;
        Ok(())
    }
}

impl fmt::Display for KeptChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.channel.fmt(f)
    }
}

#[async_trait]
impl Channel for KeptChannel {
    fn provider(&self) -> Provider {
        self.channel.provider()
    }

    fn chunk(&self) -> usize {
        self.channel.chunk()
    }

    fn settles_within(&self) -> SignedDuration {
        self.channel.settles_within()
    }

    fn prepare(&self, container: &Container, items: &[Outgoing]) -> Prepared {
        self.channel.prepare(container, items)
    }

    async fn deliver(&self, container: &Container, items: &[Outgoing]) -> Vec<Outcome> {
        let (handover, _) = self.made.handover(&*self.channel, container, items);
        if let Err(error) = self.keep(&handover).await {
            let outcome = |_: &Outgoing| Outcome::NotSent {
                reason: format!("what would be handed over could not be kept: {error}"),
            };
            return items.iter().map(outcome).collect();
        }
        self.channel.deliver(container, items).await
    }

    async fn reconcile(&self, entries: &[LedgerEntry]) -> Vec<Proof> {
        self.channel.reconcile(entries).await
    }

    async fn halt(&self) -> Result<usize, String> {
        self.channel.halt().await
    }

    async fn health(&self) -> Result<(), String> {
        self.channel.health().await
    }
}
