//! A channel that keeps what it is given: for tests and examples, never for a user.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use caio_core::requests::{self, Campaign, Message};
use caio_core::terms::Provider;
use jiff::SignedDuration;

use super::{Channel, Container, Outcome, Outgoing, Prepared, Proof};
use crate::ledger::LedgerEntry;

/// What the provider does with the next message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Takes it, but the answer is lost.
    LostAnswer,
    /// Refuses it for good.
    Refused,
    /// Is not reached at all.
    Unreached,
}

/// Keeps every message it accepts; can be told to misbehave.
#[derive(Debug)]
pub struct RecordingChannel {
    provider: Provider,
    chunk: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Messages by delivery id, with the container they went to; a second one is kept as well.
    received: BTreeMap<String, Vec<(Container, Outgoing)>>,
    faults: VecDeque<Option<Fault>>,
    calls: usize,
}

impl RecordingChannel {
    /// A channel for `provider` that takes `chunk` messages a call.
    pub fn new(provider: Provider, chunk: usize) -> Self {
        Self {
            provider,
            chunk,
            inner: Mutex::default(),
        }
    }

    /// What happens to the next messages, one entry a message; `None` is success.
    pub fn script(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.with(|inner| inner.faults.extend(faults));
    }

    /// Every message received, in order of delivery id; one received twice stands there twice.
    pub fn received(&self) -> Vec<(Container, Outgoing)> {
        self.with(|inner| inner.received.values().flatten().cloned().collect())
    }

    /// Calls of [`Channel::deliver`] so far.
    pub fn calls(&self) -> usize {
        self.with(|inner| inner.calls)
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Display for RecordingChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "recording channel for {}", self.provider)
    }
}

#[async_trait]
impl Channel for RecordingChannel {
    fn provider(&self) -> Provider {
        self.provider
    }

    fn chunk(&self) -> usize {
        self.chunk
    }

    fn settles_within(&self) -> SignedDuration {
        SignedDuration::ZERO
    }

    fn prepare(&self, container: &Container, items: &[Outgoing]) -> Prepared {
        let campaign = Campaign {
            name: &container.name,
            accounts: &[],
            time_zone: "",
            daily_limit: 0,
        };
        let messages: Vec<Message<'_>> = items.iter().map(Outgoing::message).collect();
        Prepared {
            requests: requests::build(self.provider, &campaign, &messages),
            refused: vec![None; items.len()],
        }
    }

    async fn deliver(&self, container: &Container, items: &[Outgoing]) -> Vec<Outcome> {
        // A provider takes time; give concurrent executors their chance to interfere.
        tokio::task::yield_now().await;
        self.with(|inner| {
            inner.calls += 1;
            items
                .iter()
                .map(|item| inner.take(container, item))
                .collect()
        })
    }

    async fn reconcile(&self, entries: &[LedgerEntry]) -> Vec<Proof> {
        self.with(|inner| {
            let proof = |entry: &LedgerEntry| {
                if inner.received.contains_key(&entry.id) {
                    Proof::Delivered {
                        receipt: receipt(&entry.id),
                    }
                } else {
                    Proof::NotDelivered
                }
            };
            entries.iter().map(proof).collect()
        })
    }

    async fn halt(&self) -> Result<usize, String> {
        Ok(0)
    }

    async fn health(&self) -> Result<(), String> {
        Ok(())
    }
}

impl Inner {
    fn take(&mut self, container: &Container, item: &Outgoing) -> Outcome {
        let fault = self.faults.pop_front().flatten();
        if matches!(fault, None | Some(Fault::LostAnswer)) {
            let received = self.received.entry(item.delivery.clone()).or_default();
            received.push((container.clone(), item.clone()));
        }
        match fault {
            None => Outcome::Accepted {
                receipt: receipt(&item.delivery),
            },
            Some(Fault::LostAnswer) => Outcome::Unknown {
                reason: "the answer was lost".to_owned(),
            },
            Some(Fault::Refused) => Outcome::Rejected {
                reason: "refused".to_owned(),
            },
            Some(Fault::Unreached) => Outcome::NotSent {
                reason: "not reached".to_owned(),
            },
        }
    }
}

fn receipt(delivery: &str) -> String {
    format!("rec_{delivery}")
}
