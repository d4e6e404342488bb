//! Every backend against every law.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use caio_core::Clock;
use caio_state::conformance::{RedisServer, TestClock, TestIds, all, all_in};
use caio_state::{
    Access, DualStore, HiveStore, MemoryStore, OverlayStore, RedisStore, SqliteStore, StateStore,
    dual,
};

/// A store and the folder it lives in.
struct InFolder(Arc<dyn StateStore>, #[allow(dead_code)] tempfile::TempDir);

impl AsRef<dyn StateStore> for InFolder {
    fn as_ref(&self) -> &(dyn StateStore + 'static) {
        &*self.0
    }
}

async fn sqlite(clock: Arc<dyn Clock>) -> InFolder {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("x.db"), clock, Access::ReadWrite).unwrap();
    InFolder(Arc::new(store), folder)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_obeys_every_law_also_behind_arc() {
    let laws =
        all(async |clock: Arc<dyn Clock>| Arc::new(MemoryStore::new(clock)) as Arc<dyn StateStore>)
            .await;
    println!("memory: {} laws", laws.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_obeys_every_law_behind_box() {
    all(async |clock: Arc<dyn Clock>| Box::new(MemoryStore::new(clock)) as Box<dyn StateStore>)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_obeys_every_law() {
    let laws = all(sqlite).await;
    println!("sqlite: {} laws", laws.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hive_obeys_the_laws_of_single_documents_and_refuses_the_rest() {
    let laws = all(async |clock: Arc<dyn Clock>| {
        let folder = tempfile::tempdir().unwrap();
        let store = HiveStore::open(folder.path(), clock, Access::ReadWrite).unwrap();
        InFolder(Arc::new(store), folder)
    })
    .await;
    println!("hive: {} laws", laws.len());
}

/// Two empty stores in memory.
fn two(clock: &Arc<dyn Clock>) -> Box<dyn StateStore> {
    let memory = || Arc::new(MemoryStore::new(clock.clone()));
    Box::new(DualStore::new(memory(), memory(), TestIds::from(1 << 32)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn dual_obeys_the_laws_and_lists_only_after_the_mark() {
    let laws = all(async |clock: Arc<dyn Clock>| two(&clock)).await;
    println!("dual, under way: {} laws", laws.len());
    let laws = all(async |clock: Arc<dyn Clock>| {
        let primary = Arc::new(MemoryStore::new(clock.clone()));
        let ids = TestIds::from(1 << 32);
        dual::cut_over(&*primary, &*ids, "kim").await.unwrap();
        let legacy = Arc::new(MemoryStore::new(clock));
        let store = DualStore::new(primary, legacy, ids);
        store.ping().await.unwrap();
        Box::new(store) as Box<dyn StateStore>
    })
    .await;
    println!("dual, migrated: {} laws", laws.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_layer_over_another_store_obeys_every_law() {
    let laws = all(async |clock: Arc<dyn Clock>| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.db");
        let base = SqliteStore::open(&path, clock.clone(), Access::ReadWrite).unwrap();
        InFolder(Arc::new(OverlayStore::new(Arc::new(base), clock)), folder)
    })
    .await;
    println!("overlay: {} laws", laws.len());
}

fn redis(server: &RedisServer, prefix: &str) -> Arc<dyn StateStore> {
    let mut options = server.options(prefix);
    options.timeout = Duration::from_secs(20);
    Arc::new(RedisStore::open(options, Access::ReadWrite).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redis_obeys_every_law_under_every_kind_of_prefix() {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start(folder.path(), &[]).unwrap();
    for prefix in ["caio-test", "{caio}*[x]"] {
        let stores = AtomicUsize::new(0);
        // A law is given its clock first and then its store, both under the same prefix.
        let name = |number: usize| format!("{prefix}-{number}");
        let laws = all_in(
            || TestClock::aging(server.aging(&name(stores.fetch_add(1, Ordering::SeqCst) + 1))),
            async |_| redis(&server, &name(stores.load(Ordering::SeqCst))),
        )
        .await;
        println!("redis, prefix {prefix}: {} laws", laws.len());
    }
}
