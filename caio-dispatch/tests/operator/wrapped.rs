//! A store with something between it and its caller.

use std::fmt::{Debug, Display, Formatter};
use std::sync::Arc;

use async_trait::async_trait;
use caio_state::{
    Capabilities, CommitOutcome, Key, Page, Range, RangeEntry, Sink, StateStore, StoreError, Txn,
    Versioned,
};
use jiff::Timestamp;

/// What stands between. Asking for the time is no step.
#[async_trait]
pub(crate) trait Between: Debug + Send + Sync {
    /// Before a read.
    async fn read(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// The commits themselves.
    async fn commit(
        &self,
        store: &dyn StateStore,
        txns: &[Txn],
    ) -> Result<Vec<CommitOutcome>, StoreError> {
        store.commit_many(txns).await
    }

    /// After a read or commits.
    async fn after(&self) {}
}

/// The store behind it.
#[derive(Debug)]
pub(crate) struct Wrapped<B: Between> {
    store: Arc<dyn StateStore>,
    between: Arc<B>,
}

impl<B: Between> Wrapped<B> {
    pub(crate) fn new(store: &Arc<dyn StateStore>, between: &Arc<B>) -> Arc<Self> {
        Arc::new(Self {
            store: Arc::clone(store),
            between: Arc::clone(between),
        })
    }

    async fn read<T>(
        &self,
        read: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.between.read().await?;
        let answer = read.await;
        self.between.after().await;
        answer
    }
}

impl<B: Between> Display for Wrapped<B> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "wrapped {}", self.store)
    }
}

#[async_trait]
impl<B: Between> StateStore for Wrapped<B> {
    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>, StoreError> {
        self.read(self.store.get(keys)).await
    }
    async fn counters(&self, keys: &[Key]) -> Result<Vec<u64>, StoreError> {
        self.read(self.store.counters(keys)).await
    }
    async fn scan(
        &self,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Page<(Key, Versioned), Key>, StoreError> {
        self.read(self.store.scan(prefix, after, limit)).await
    }
    async fn range(
        &self,
        index: &str,
        range: &Range,
        after: Option<&RangeEntry>,
        limit: usize,
    ) -> Result<Page<RangeEntry, RangeEntry>, StoreError> {
        self.read(self.store.range(index, range, after, limit))
            .await
    }
    async fn commit(&self, txn: &Txn) -> Result<CommitOutcome, StoreError> {
        Ok(self.commit_many(std::slice::from_ref(txn)).await?.remove(0))
    }
    async fn commit_many(&self, txns: &[Txn]) -> Result<Vec<CommitOutcome>, StoreError> {
        let answer = self.between.commit(&*self.store, txns).await;
        self.between.after().await;
        answer
    }
    async fn export(&self, sink: &mut dyn Sink) -> Result<(), StoreError> {
        self.read(self.store.export(sink)).await
    }
    async fn now(&self) -> Result<Timestamp, StoreError> {
        self.store.now().await
    }
    async fn ping(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }
}
