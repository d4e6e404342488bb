//! The breakers of a process: one a provider, shared by all its clients, so that a client that is made
//! for the next run knows what the last one has found out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use caio_core::breaker::{Breaker, BreakerPolicy};
use caio_core::terms::Provider;
use jiff::Timestamp;

/// Where the breaker of each provider stands; clones are the same ones.
#[derive(Debug, Clone, Default)]
pub struct Breakers(Arc<Mutex<BTreeMap<Provider, Breaker>>>);

impl Breakers {
    /// Where this provider's stands.
    pub fn of(&self, provider: Provider) -> Breaker {
        self.all().get(&provider).copied().unwrap_or_default()
    }

    /// Asks to make a call.
    ///
    /// # Errors
    /// The instant from which on it is worth asking again.
    pub(super) fn ask(
        &self,
        provider: Provider,
        policy: BreakerPolicy,
        now: Timestamp,
    ) -> Result<(), Timestamp> {
        let mut all = self.all();
        let breaker = all.entry(provider).or_default();
        *breaker = breaker.ask(policy, now)?;
        Ok(())
    }

    /// Notes what became of a call; answers whether that has opened a closed one. A trial that fails
    /// opens it again; that is no news.
    pub(super) fn told(
        &self,
        provider: Provider,
        policy: BreakerPolicy,
        now: Timestamp,
        answered: bool,
    ) -> bool {
        let mut all = self.all();
        let breaker = all.entry(provider).or_default();
        let before = *breaker;
        *breaker = before.told(policy, now, answered);
        matches!((before, *breaker), (Breaker::Closed(_), Breaker::Open(_)))
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<Provider, Breaker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_are_the_same_and_providers_are_not() {
        let (breakers, policy) = (Breakers::default(), BreakerPolicy::default());
        let now = Timestamp::UNIX_EPOCH;
        let failed = |breakers: &Breakers| breakers.told(Provider::Ghl, policy, now, false);
        let opened: Vec<bool> = (0..6).map(|_| failed(&breakers.clone())).collect();
        assert_eq!(opened, [false, false, false, false, true, false]);
        assert!(breakers.of(Provider::Ghl).is_open());
        assert!(breakers.ask(Provider::Ghl, policy, now).is_err());
        assert!(breakers.ask(Provider::HeyReach, policy, now).is_ok());
        assert_eq!(breakers.of(Provider::Instantly), Breaker::default());
    }
}
