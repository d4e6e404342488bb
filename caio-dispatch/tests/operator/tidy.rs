//! What is long over leaves the way, and still keeps everybody from a second message.

use caio_core::batch::BatchStatus;
use caio_dispatch::reindex::Reindex;
use caio_dispatch::tidy::{Tidied, Tidy};
use caio_dispatch::{batches, plan};
use caio_state::{Key, Write};
use jiff::SignedDuration;

use crate::{World, worlds};

fn tidy(world: &World, dry_run: bool) -> Tidy<'_> {
    Tidy {
        store: &*world.store,
        clock: &*world.clock,
        ids: &*world.ids,
        dry_run,
    }
}

#[tokio::test]
async fn what_is_over_is_put_away_once_and_nothing_is_sent_again() {
    for world in worlds(5) {
        let batch = world.approved(2).await;
        world.run(&batch).await.unwrap();
        let record = |key: &str, value: &str| Write::Put {
            key: Key::new(&[key]),
            value: value.as_bytes().to_vec(),
            expires_in: None,
        };
        let python = |id: &str, status: &str| {
            let key = format!("operator:batch:{id}");
            let value = format!(
                r#"{{"batch_id": "{id}", "status": "{status}", "created_at": "2026-01-02T14:00:00+00:00"}}"#
            );
            record(&key, &value)
        };
        let today = world.today();
        world
            .commit(vec![
                python("batch_a", "executed"),
                python("batch_b", "approved"),
                record("operator:state:2025-01-02", "{}"),
                record(&format!("operator:state:{today}"), "{}"),
            ])
            .await;
        // Young ones stay.
        assert_eq!(tidy(&world, false).run().await.unwrap().batches, 0);
        world.clock.advance(SignedDuration::from_hours(80 * 24));
        world.clock.advance(SignedDuration::from_hours(11 * 24));
        let dry = tidy(&world, true).run().await.unwrap();
        let first = tidy(&world, false).run().await.unwrap();
        let nothing = Tidied::default();
        assert_eq!((first.batches, dry.batches), (1, 1));
        assert_eq!(tidy(&world, false).run().await.unwrap(), nothing);
        let keys = [
            "operator:batch:batch_a",
            "caio:archive:operator:batch:batch_a",
            "operator:batch:batch_b",
            "operator:state:2025-01-02",
        ];
        let keys = keys.map(|key| Key::new(&[key]));
        let there = world.store.get(&keys).await.unwrap();
        let there: Vec<bool> = there.iter().map(Option::is_some).collect();
        assert_eq!(there, [false, true, true, false]);
        // It is still shown, in no list, and runs no second time; nor is anybody offered again.
        let shown = batches::one(&*world.store, &batch.id).await.unwrap();
        assert_eq!(shown.status, BatchStatus::Executed);
        let listed = batches::list(&*world.store, BatchStatus::Executed).await;
        assert!(listed.unwrap().is_empty());
        assert!(world.run(&batch).await.is_err());
        let offered = plan::plan(&*world.store, &World::request()).await.unwrap();
        assert!(offered.offered.is_empty());
        let reindex = Reindex {
            store: &*world.store,
            ids: &*world.ids,
            dry_run: true,
        };
        let drift = reindex.run().await.unwrap();
        assert!(drift.is_none(), "{drift:?}");
    }
}
