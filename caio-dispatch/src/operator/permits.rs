//! How many provider calls may be under way at one time, whatever runs in this process.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Permits for provider calls; clones share them.
#[derive(Debug, Clone)]
pub struct Permits {
    count: usize,
    leads: usize,
    free: Arc<Semaphore>,
}

impl Permits {
    /// How many there are where nobody says otherwise.
    pub const DEFAULT: usize = 8;
    /// More do not help: providers allow a few calls a second.
    pub const MOST: usize = 256;

    /// `count` permits, from 1 to [`Self::MOST`].
    pub fn new(count: usize) -> Self {
        let count = count.clamp(1, Self::MOST);
        Self {
            count,
            leads: usize::MAX,
            free: Arc::new(Semaphore::new(count)),
        }
    }

    /// The same, each for at most so many leads, at least one; a channel may take fewer in a call.
    #[must_use]
    pub fn for_leads(self, leads: usize) -> Self {
        Self {
            leads: leads.max(1),
            ..self
        }
    }

    /// Most leads in one call.
    pub const fn leads(&self) -> usize {
        self.leads
    }

    /// How many there are in all.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// One of them, given back when it is dropped. Nobody closes the semaphore, so there always is one
    /// in the end.
    pub(super) async fn one(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.free).acquire_owned().await.ok()
    }
}

impl Default for Permits {
    fn default() -> Self {
        Self::new(Self::DEFAULT)
    }
}
