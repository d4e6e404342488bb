//! Takes a file of leads into a store in memory, with `caio-dispatch` alone.
//!
//! `cargo run -p caio-dispatch --example queue_a_file examples/leads.csv`
#![allow(clippy::print_stdout)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use caio_core::config::settings::Sender;
use caio_core::copy::TemplateSet;
use caio_core::icp::Model;
use caio_core::record::FieldMap;
use caio_core::terms::Tier;
use caio_core::{Clock, IdSource};
use caio_dispatch::copywriter::TemplateCopywriter;
use caio_dispatch::pipeline::{Options, Pipeline, Rules, stamp};
use caio_dispatch::refused::NoRefusedFile;
use caio_dispatch::source::{Input, RowReader};
use caio_state::MemoryStore;
use jiff::Timestamp;

/// The system's clock, and ids that count up.
#[derive(Debug, Default)]
struct Here(AtomicU64);

impl Clock for Here {
    #[expect(clippy::disallowed_methods, reason = "the program's own clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

impl IdSource for Here {
    fn id(&self) -> String {
        format!("{:032x}", self.0.fetch_add(1, Ordering::Relaxed))
    }

    fn random(&self) -> [u8; 32] {
        [0; 32] // no batch is sealed here
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "examples/leads.csv".to_owned());
    let reader = RowReader::open(Input::Path(path.into()))?;
    let fields = Arc::new(FieldMap::of_columns(reader.headers(), &[])?);
    let here = Arc::new(Here::default());
    let store = MemoryStore::new(here.clone());
    let model = Model::builtin("default")?;
    let copywriter = TemplateCopywriter::new(TemplateSet::builtin()?, Sender::default());
    let (model_ref, now) = (model.reference(), stamp(&*here));
    let pipeline = Pipeline {
        store: &store,
        clock: &*here,
        ids: &*here,
        rules: Rules {
            model: &model,
            model_ref: &model_ref,
            copywriter: &copywriter,
            linkedin: &[],
            min_tier: Tier::Three,
            update: false,
            now: &now,
        },
        enrichers: &[],
        options: Options::default(),
    };
    let report = pipeline
        .run(reader, &fields, &mut NoRefusedFile, &mut |_| true)
        .await?;
    assert!(report.adds_up());
    for (fate, count) in &report.fates {
        println!("{count:>4} {fate}");
    }
    Ok(())
}
