//! What webhooks are checked with, from the environment and the store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use caio_core::webhook::signature::Keys;
use caio_core::webhook::{Holds, Source};
use caio_dispatch::inbox;
use caio_state::StateStore;
use jiff::{SignedDuration, Timestamp};

use crate::exit::{Failure, Result};
use crate::http::problem;
use crate::wiring::Context;

/// How long what the store says is used: a key that was taken back counts no longer after that.
const FRESH: SignedDuration = SignedDuration::from_secs(2);

/// Keys and holds as they stood a moment ago.
#[derive(Debug)]
pub(super) struct Looked {
    at: Timestamp,
    keys: BTreeMap<Source, Keys>,
    pub(super) holds: Holds,
}

impl Looked {
    pub(super) fn keys(&self, source: Source) -> &Keys {
        static NONE: Keys = Keys::none();
        self.keys.get(&source).unwrap_or(&NONE)
    }
}

/// Where keys and holds come from.
#[derive(Debug)]
pub(super) struct Known {
    environment: BTreeMap<String, String>,
    strict: bool,
    looked: Mutex<Option<Arc<Looked>>>,
}

impl Known {
    /// # Errors
    /// Keys or holds in the environment that cannot be used.
    pub(super) fn new(context: &Context) -> Result<Self> {
        let known = Self {
            environment: context.environment.clone(),
            strict: is_strict(&context.environment)?,
            looked: Mutex::new(None),
        };
        for source in Source::ALL {
            known.configured(*source)?;
        }
        known.holds(context.clock.now())?;
        Ok(known)
    }

    pub(super) const fn is_strict(&self) -> bool {
        self.strict
    }

    /// Keys and holds, at most [`FRESH`] old.
    pub(super) async fn now(
        &self,
        store: &dyn StateStore,
        now: Timestamp,
    ) -> problem::Result<Arc<Looked>> {
        let known = {
            let looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
            looked.clone()
        };
        if let Some(known) = known
            && now.duration_since(known.at).abs() < FRESH
        {
            return Ok(known);
        }
        let looked = Arc::new(self.look(store, now).await?);
        let mut known = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some(Arc::clone(&looked));
        Ok(looked)
    }

    async fn look(&self, store: &dyn StateStore, now: Timestamp) -> problem::Result<Looked> {
        let (mut holds, _) = inbox::holds(store, now).await?;
        // An end that has come too close to be refused since the start is no reason to fail.
        if let Ok(more) = self.holds(now) {
            holds.merge(&more);
        }
        let mut keys = BTreeMap::new();
        for source in Source::ALL {
            let mut of = self.configured(*source)?;
            for key in inbox::keys_of(store, *source).await?.keys {
                of.add_digest(key.digest);
            }
            keys.insert(*source, of);
        }
        Ok(Looked {
            at: now,
            keys,
            holds,
        })
    }

    fn variable(&self, name: &str) -> Option<&str> {
        let value = self.environment.get(name).map(String::as_str);
        value.map(str::trim).filter(|value| !value.is_empty())
    }

    fn configured(&self, source: Source) -> Result<Keys> {
        Keys::configured(source, |name| self.variable(name))
            .map_err(|(name, error)| Failure::new(error.code(), format!("{name}: {error}")))
    }

    fn holds(&self, now: Timestamp) -> Result<Holds> {
        let text = self.variable("CAIO_WEBHOOK_HOLD").unwrap_or("");
        Holds::parse(text, now)
            .map_err(|error| Failure::new(error.code(), format!("CAIO_WEBHOOK_HOLD: {error}")))
    }
}

/// Whether a provider without a key is closed: always, unless the environment is for development
/// and says otherwise.
fn is_strict(environment: &BTreeMap<String, String>) -> Result<bool> {
    let variable = |name: &str| {
        let value = environment
            .get(name)
            .map(|value| value.trim().to_lowercase());
        value.filter(|value| !value.is_empty())
    };
    let name = variable("ENVIRONMENT").or_else(|| variable("CAIO_ENVIRONMENT"));
    let production = matches!(name.as_deref(), Some("production" | "prod" | "staging"));
    match variable("WEBHOOK_SIGNATURE_REQUIRED").as_deref() {
        None | Some("1" | "true" | "yes" | "on") => Ok(true),
        Some("0" | "false" | "no" | "off") if production => Err(Failure::new(
            "webhook.open",
            "WEBHOOK_SIGNATURE_REQUIRED is off in an environment that is no development",
        )
        .hint("for a cutover: caio webhooks hold PROVIDER --until TIME")),
        Some("0" | "false" | "no" | "off") => Ok(false),
        Some(_) => Err(Failure::new(
            "webhook.required",
            "WEBHOOK_SIGNATURE_REQUIRED is neither true nor false",
        )),
    }
}
