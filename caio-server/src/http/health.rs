//! Whether what the service rests on works: its store, and the providers that it has keys for. Asked
//! anew at most every half minute, whoever looks.

use std::collections::BTreeMap;
use std::time::Duration;

use caio_core::terms::Provider;
use caio_core::time::rfc3339;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use utoipa::ToSchema;

use super::service::Service;

/// How old an answer may be.
const FRESH: SignedDuration = SignedDuration::from_secs(30);

/// How long one of them may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Component {
    /// Its name.
    pub(crate) name: String,
    /// `store` or `provider`.
    pub(crate) category: &'static str,
    /// `healthy`, `unhealthy`, or `not_configured` for a provider without a key.
    pub(crate) status: &'static str,
    /// When it was asked, RFC 3339 UTC; null for one that is not configured.
    pub(crate) last_check: Option<String>,
    /// How long it took to answer, milliseconds.
    pub(crate) latency_ms: Option<u64>,
    /// What it said.
    pub(crate) last_error: Option<String>,
    /// `open` while a provider that failed too often in a row is given a rest, else `closed`; null for
    /// the store and for a provider without a key.
    pub(crate) breaker: Option<&'static str>,
}

/// The last answers.
#[derive(Debug, Default)]
pub(crate) struct Health(Mutex<Option<(Timestamp, BTreeMap<String, Component>)>>);

impl Service {
    /// The providers, by name.
    pub(crate) async fn providers(&self) -> BTreeMap<String, Component> {
        let now = self.context.clock.now();
        let mut last = self.health.0.lock().await;
        let mut components = match last.as_ref() {
            Some((at, components)) if now.duration_since(*at) < FRESH => components.clone(),
            _ => {
                let components = self.ask().await;
                *last = Some((now, components.clone()));
                components
            }
        };
        // This is known here, without asking anybody.
        for provider in Provider::ALL {
            if let Some(component) = components.get_mut(provider.as_str()) {
                let breaker = self.context.breakers.of(*provider);
                let word = if breaker.is_open() { "open" } else { "closed" };
                component.breaker = (component.status != "not_configured").then_some(word);
            }
        }
        components
    }

    async fn ask(&self) -> BTreeMap<String, Component> {
        let component = |name: &str, status: &'static str, error: Option<String>| Component {
            name: name.to_owned(),
            category: "provider",
            status,
            last_check: (status != "not_configured").then(|| rfc3339(self.context.clock.now())),
            latency_ms: None,
            last_error: error,
            breaker: None,
        };
        let mut components: BTreeMap<String, Component> = Provider::ALL
            .iter()
            .map(|it| {
                (
                    it.to_string(),
                    component(it.as_str(), "not_configured", None),
                )
            })
            .collect();
        let channels = match self.context.channels(None) {
            Ok(channels) => channels,
            Err(failure) => {
                for it in components.values_mut() {
                    *it = component(&it.name, "unhealthy", Some(failure.message.clone()));
                }
                return components;
            }
        };
        let mut asked = JoinSet::new();
        for (provider, channel) in channels {
            asked.spawn(async move {
                let begun = Instant::now();
                let said = timeout(PATIENCE, channel.health()).await;
                (provider, said, begun.elapsed())
            });
        }
        while let Some(Ok((provider, said, took))) = asked.join_next().await {
            let (status, error) = match said {
                Ok(Ok(())) => ("healthy", None),
                Ok(Err(why)) => ("unhealthy", Some(why)),
                Err(_) => ("unhealthy", Some(format!("no answer within {PATIENCE:?}"))),
            };
            let name = provider.to_string();
            let mut found = component(&name, status, error);
            found.latency_ms = u64::try_from(took.as_millis()).ok();
            components.insert(name, found);
        }
        components
    }

    /// The store.
    pub(crate) async fn store_health(&self) -> Component {
        let begun = Instant::now();
        let said = timeout(PATIENCE, self.store.ping()).await;
        let (status, last_error) = match said {
            Ok(Ok(())) => ("healthy", None),
            Ok(Err(error)) => ("unhealthy", Some(error.code().to_owned())),
            Err(_) => ("unhealthy", Some(format!("no answer within {PATIENCE:?}"))),
        };
        Component {
            name: "store".to_owned(),
            category: "store",
            status,
            last_check: Some(rfc3339(self.context.clock.now())),
            latency_ms: u64::try_from(begun.elapsed().as_millis()).ok(),
            last_error,
            breaker: None,
        }
    }
}
