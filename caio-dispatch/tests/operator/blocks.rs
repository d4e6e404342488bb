//! Every reason not to send, on every way by which something is sent: each blocks, and without it the
//! same message goes.

use std::sync::Arc;

use caio_core::batch::Batch;
use caio_core::safety::StopFlag;
use caio_core::suppression::Scope;
use caio_core::terms::{Motion, Provider, Tier};
use caio_dispatch::channel::RecordingChannel;
use caio_dispatch::operator::Brake;
use caio_dispatch::plan::{self, Plan, PlanRequest};
use caio_dispatch::records;
use caio_dispatch::suppress::Suppress;
use caio_state::stop::{self, Stop};
use serde_json::json;

use crate::days::{Days, one_world, writer};
use crate::world::draft;
use crate::{World, keys, person};

/// A way by which something is sent.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// A batch of what was approved.
    Operator,
    /// One e-mail through GHL, as soon as it is approved.
    Approve,
    Cadence,
    Revival,
}

/// A reason not to send.
#[derive(Debug, Clone, Copy)]
enum Block {
    Nothing,
    Environment,
    File,
    Flag,
    Suppressed,
    Ended,
    Ramp,
    Cap,
}

const WAYS: [Way; 4] = [Way::Operator, Way::Approve, Way::Cadence, Way::Revival];

const BLOCKS: [Block; 8] = [
    Block::Nothing,
    Block::Environment,
    Block::File,
    Block::Flag,
    Block::Suppressed,
    Block::Ended,
    Block::Ramp,
    Block::Cap,
];

#[derive(Debug)]
struct Braked(Block);

impl Brake for Braked {
    fn environment(&self) -> Option<String> {
        matches!(self.0, Block::Environment).then(|| "EMERGENCY_STOP=true".to_owned())
    }
    fn file(&self) -> StopFlag {
        match self.0 {
            Block::File => StopFlag::Unreadable,
            _ => StopFlag::Clear,
        }
    }
}

impl Way {
    const fn motion(self) -> Motion {
        match self {
            Self::Operator | Self::Approve => Motion::Outbound,
            Self::Cadence => Motion::Cadence,
            Self::Revival => Motion::Revival,
        }
    }

    /// An approved batch of one message.
    async fn batch(self, days: &mut Days) -> Batch {
        let world = &days.world;
        match self {
            Self::Operator => world.approved(1).await,
            Self::Approve => {
                world.we_send().await;
                let id = world.draft(0).await;
                let draft = records::draft(&id);
                let draft = caio_state::StateStoreExt::get_json(&*world.store, &draft).await;
                let (draft, _) = draft.unwrap().unwrap();
                let request = PlanRequest {
                    via: Provider::Ghl,
                    ..World::request()
                };
                let plan = Plan {
                    offered: vec![plan::item(&draft, Provider::Ghl)],
                    refused: Vec::new(),
                    more: false,
                };
                let batch = plan::batch(&plan, &request, &*world.clock, &*world.ids).unwrap();
                world.batches().add(&batch).await.unwrap();
                let (batches, keys) = (world.batches(), keys());
                let approved = batches.approve(&batch.id, &batch.digest, None, &keys);
                approved.await.unwrap()
            }
            Self::Cadence => {
                days.begin(1).await;
                for _ in 0..4 {
                    days.next_day();
                }
                days.cadences().draft(&writer(), 100).await.unwrap();
                days.approve(Motion::Cadence).await.unwrap()
            }
            Self::Revival => {
                days.we_send().await;
                world.we_send().await;
                let mut draft = draft(0);
                draft.motion = Motion::Revival;
                world
                    .commit(records::put_draft(&draft, None).unwrap())
                    .await;
                days.approve(Motion::Revival).await.unwrap()
            }
        }
    }
}

impl Block {
    /// Comes true after the approval.
    async fn happens(self, days: &Days) {
        let world = &days.world;
        match self {
            Self::Flag => {
                let stop = Stop {
                    by: "ann".to_owned(),
                    at: "2026-03-02T12:00:00.000000Z".to_owned(),
                    reason: "lunch".to_owned(),
                };
                world.commit(vec![stop::set(&stop)]).await;
            }
            Self::Suppressed => {
                let suppress = Suppress {
                    store: &*world.store,
                    clock: &*world.clock,
                    ids: &*world.ids,
                    by: "ann",
                };
                let scope = Scope::parse(person(0).as_str()).unwrap();
                let added = suppress.add(&scope, "asked by phone", "test", None);
                added.await.unwrap();
            }
            Self::Ended => {
                let record = json!({ "status": "unsubscribed" });
                days.signal(&person(0), record).await;
            }
            _ => {}
        }
    }
}

/// How many messages reach a provider by this way.
async fn sent(way: Way, block: Block) -> usize {
    let mut days = Days::new(one_world());
    let batch = way.batch(&mut days).await;
    assert_eq!(batch.items.len(), 1, "{way:?}: {batch:?}");
    block.happens(&days).await;
    let ghl = Arc::new(RecordingChannel::new(Provider::Ghl, 1));
    let channels = [
        days.world.channel.clone(),
        days.linkedin.clone(),
        ghl.clone(),
    ];
    let before: usize = channels.iter().map(|it| it.received().len()).sum();
    let mut operator = days.world.operator("one");
    operator.channels.insert(Provider::Ghl, ghl);
    let linkedin = days.linkedin.clone();
    operator.channels.insert(Provider::HeyReach, linkedin);
    operator.limits.linkedin_per_day = 100;
    operator.coexist = None;
    operator.gate.brake = Arc::new(Braked(block));
    match block {
        Block::Ramp => operator.tiers = vec![Tier::Two],
        Block::Cap => {
            operator.limits.email_per_day = 0;
            operator.limits.linkedin_per_day = 0;
        }
        _ => {}
    }
    // Whether it is refused as a whole or item by item, nothing may have reached anybody.
    let _ = operator.execute(&batch.id, way.motion()).await;
    channels.iter().map(|it| it.received().len()).sum::<usize>() - before
}

#[tokio::test]
async fn every_reason_not_to_send_holds_on_every_way_that_sends() {
    for way in WAYS {
        for block in BLOCKS {
            let expected = usize::from(matches!(block, Block::Nothing));
            assert_eq!(sent(way, block).await, expected, "{way:?} with {block:?}");
        }
    }
}
