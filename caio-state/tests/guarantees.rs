//! `docs/state.md` says what each backend guarantees; its table is made here, from the backends.
//!
//! `CAIO_BLESS=1 cargo test -p caio-state --all-features --test guarantees` writes it anew.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::sync::Arc;

use caio_state::conformance::{self, TestClock, TestIds};
use caio_state::{
    Access, Capabilities, DualStore, HiveStore, MemoryStore, OverlayStore, RedisOptions,
    RedisStore, SqliteStore, StateStore, dual,
};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/state.md");
const BEGIN: &str = "<!-- made by caio-state/tests/guarantees.rs -->\n";
const END: &str = "<!-- end -->";

async fn backends(folder: &std::path::Path) -> [(&'static str, Capabilities); 7] {
    let clock = TestClock::noon();
    let file = folder.join("x.db");
    let sqlite = SqliteStore::open(&file, clock.clone(), Access::ReadWrite).unwrap();
    let options = RedisOptions::parse("redis://127.0.0.1:1?prefix=p", None).unwrap();
    let redis = RedisStore::open(options, Access::ReadWrite).unwrap();
    let hive = HiveStore::open(folder, clock.clone(), Access::ReadWrite).unwrap();
    let (hive_can, sqlite_can) = (hive.capabilities(), sqlite.capabilities());
    let sqlite = Arc::new(sqlite);
    let overlay = OverlayStore::new(sqlite.clone(), clock.clone());
    let dual = DualStore::new(sqlite, Arc::new(hive), TestIds::from(1 << 32));
    let under_way = dual.capabilities();
    let ids = TestIds::default();
    dual::cut_over(&dual, &ids, "kim").await.unwrap();
    dual.ping().await.unwrap();
    [
        ("memory", MemoryStore::new(clock).capabilities()),
        ("sqlite", sqlite_can),
        ("redis", redis.capabilities()),
        ("hive", hive_can),
        ("dual, under way", under_way),
        ("dual, migrated", dual.capabilities()),
        ("overlay", overlay.capabilities()),
    ]
}

fn table(backends: &[(&str, Capabilities)]) -> String {
    let row = |what: &str, says: &dyn Fn(&Capabilities) -> bool| {
        let cells = backends
            .iter()
            .map(|(_, it)| if says(it) { " yes |" } else { " no |" });
        format!("| {what} |{}\n", cells.collect::<String>())
    };
    let names: Vec<&str> = backends.iter().map(|(name, _)| *name).collect();
    let rule = "---|".repeat(backends.len());
    let mut table = format!("| | {} |\n|---|{rule}\n", names.join(" | "));
    table.push_str(&row("transactions over several documents", &|it| {
        it.multi_document
    }));
    table.push_str(&row("ordered indexes", &|it| it.indexes));
    table.push_str(&row("counters and leases", &|it| it.counters));
    table.push_str(&row("listings that leave nothing out", &|it| it.listings));
    table.push_str(&row("may decide for live sends", &|it| it.live_authority));
    for (position, (law, _)) in conformance::laws(backends[0].1).iter().enumerate() {
        table.push_str(&row(law, &|it| conformance::laws(*it)[position].1));
    }
    table
}

#[tokio::test]
async fn the_page_says_what_the_backends_say() {
    let folder = tempfile::tempdir().unwrap();
    let table = table(&backends(folder.path()).await);
    let page = fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let expected = format!("{before}{BEGIN}{table}{END}{after}");
    if option_env!("CAIO_BLESS").is_some() {
        fs::write(PAGE, &expected).unwrap();
    }
    assert!(
        page == expected,
        "docs/state.md is out of date; make it anew with CAIO_BLESS=1"
    );
}
