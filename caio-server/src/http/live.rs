//! What happens, told to whoever listens: one look at the store a second for all of them.

mod socket;
mod stream;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use caio_core::batch::BatchStatus;
use caio_core::draft::DraftStatus;
use caio_core::time::rfc3339;
use caio_dispatch::access::Entry;
use caio_dispatch::history::{self, Event};
use caio_dispatch::{DispatchError, batches, review};
use caio_state::{StateStore, stop};
use jiff::SignedDuration;
use serde::Serialize;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, broadcast, watch};
use tokio::time::{Interval, MissedTickBehavior, interval};
use utoipa_axum::router::OpenApiRouter;

use super::service::Service;
use crate::exit::Failure;

/// Listeners at one time, sockets and streams together.
const LISTENERS: usize = 64;

/// News that a slow listener may be behind before it has to begin anew.
const BACKLOG: usize = 512;

/// Events read at a time.
const PAGE: usize = 500;

/// How often what a listener came in with is looked at again.
const PULSE: Duration = Duration::from_secs(5);

/// How long an event may arrive behind a later one: instances have clocks of their own.
const LATE: SignedDuration = SignedDuration::from_secs(5);

pub(super) fn routes() -> OpenApiRouter<Arc<Service>> {
    socket::routes().merge(stream::routes())
}

/// One piece of news.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub(crate) enum News {
    /// Something stands in the history.
    Event(Event),
    /// How much waits for a person.
    Pending(Pending),
    /// Whether sending is stopped, by the shared flag.
    Stop {
        /// It is.
        stopped: bool,
    },
}

/// How much waits for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Pending {
    /// Drafts.
    drafts: u64,
    /// Batches.
    batches: usize,
}

/// Who listens, and what they were told last.
#[derive(Debug)]
pub(crate) struct Live {
    news: broadcast::Sender<Arc<News>>,
    listeners: Arc<Semaphore>,
    ends: watch::Sender<bool>,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    /// Events that are not told again.
    seen: HashSet<String>,
    /// The same, the oldest first.
    order: VecDeque<String>,
    /// Where to look from.
    from: Option<String>,
    stopped: Option<bool>,
    pending: Option<Pending>,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            news: broadcast::channel(BACKLOG).0,
            listeners: Arc::new(Semaphore::new(LISTENERS)),
            ends: watch::channel(false).0,
            told: Mutex::default(),
        }
    }
}

impl Live {
    /// A place among the listeners, if one is free.
    fn join(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.listeners).try_acquire_owned().ok()
    }

    /// Ends every socket and stream.
    pub(crate) fn end(&self) {
        self.ends.send_replace(true);
    }
}

/// Looks once, and tells what is new. Nobody is told what happened before they came.
pub(super) async fn look(service: Arc<Service>) -> Result<(), Failure> {
    let (store, live) = (&*service.store, &service.live);
    let mut told = live.told.lock().await;
    let now = service.context.clock.now();
    let from = told.from.get_or_insert_with(|| rfc3339(now - LATE)).clone();
    if live.news.receiver_count() == 0 {
        // Whoever comes next begins from then on.
        *told = Told::default();
        return Ok(());
    }
    let events = history::since(store, &from, PAGE).await?;
    let is_all = events.len() < PAGE;
    let mut is_changed = told.pending.is_none();
    for event in &events {
        if told.seen.insert(event.id.clone()) {
            is_changed = true;
            told.order.push_back(event.id.clone());
            let _ = live.news.send(Arc::new(News::Event(event.clone())));
        }
    }
    told.from = match events.last() {
        Some(last) if !is_all => Some(last.place()),
        _ => Some(rfc3339(now - LATE)).max(Some(from)),
    };
    while told.order.len() > 4 * PAGE {
        if let Some(id) = told.order.pop_front() {
            told.seen.remove(&id);
        }
    }
    let stopped = stop::read(store).await?.is_some();
    if told.stopped.replace(stopped) != Some(stopped) {
        let _ = live.news.send(Arc::new(News::Stop { stopped }));
    }
    if is_changed {
        let pending = pending(store).await?;
        if told.pending.replace(pending) != Some(pending) {
            let _ = live.news.send(Arc::new(News::Pending(pending)));
        }
    }
    Ok(())
}

/// How things stand, for somebody who comes in: what changes after that is told to everybody.
async fn standing(store: &dyn StateStore) -> Result<[News; 2], DispatchError> {
    let stopped = stop::read(store).await?.is_some();
    Ok([News::Stop { stopped }, News::Pending(pending(store).await?)])
}

async fn pending(store: &dyn StateStore) -> Result<Pending, DispatchError> {
    Ok(Pending {
        drafts: review::count(store, DraftStatus::Pending).await?,
        batches: batches::list(store, BatchStatus::Pending).await?.len(),
    })
}

/// When what a listener came in with is looked at again.
fn pulse() -> Interval {
    let mut pulse = interval(PULSE);
    pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pulse
}

/// Whether a listener may hear more: its session has not ended, its token was not revoked and has time.
async fn stands(service: &Service, entry: &Entry) -> bool {
    let now = service.context.clock.now();
    let stands = entry.stands(&*service.store, now).await;
    stands.unwrap_or(false)
}

/// Whether a listener may hear this: who came in with a token that was revoked just now may not.
async fn may_hear(service: &Service, entry: &Entry, news: &News) -> bool {
    match news {
        News::Event(event) if event.kind == "token.revoked" && entry.rests_on(&event.subject) => {
            stands(service, entry).await
        }
        _ => true,
    }
}
