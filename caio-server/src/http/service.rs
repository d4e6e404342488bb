//! What every handler shares: the context of the commands, one open store, and who may come in.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use caio_dispatch::board::Places;
use caio_dispatch::notify::Notifiers;
use caio_state::StateStore;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use metrics_exporter_prometheus::PrometheusHandle;

use super::access::Gate;
use super::health::Health;
use super::live::Live;
use super::spans::Spans;
use super::traffic::Traffic;
use super::webhooks::Webhooks;
use super::work::Work;
use crate::exit::Result;
use crate::wiring::Context;

/// Errors of pages that are noted in a minute.
const PAGE_ERRORS: NonZeroU32 = NonZeroU32::new(60).expect("sixty is not zero");

/// How the service is run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    /// Where it listens; decides what may be done without a token.
    pub(crate) address: Option<SocketAddr>,
    /// Renders the metrics; absent in tests.
    pub(crate) metrics: Option<PrometheusHandle>,
}

/// The shared state of the service.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) context: Context,
    pub(crate) store: Arc<dyn StateStore>,
    pub(crate) gate: Gate,
    pub(crate) notifiers: Notifiers,
    approves_unseen: bool,
    pub(crate) health: Health,
    pub(crate) live: Live,
    /// Whether the list of leads may be read from its indexes.
    pub(crate) places: Places,
    /// Errors of pages that may still be noted.
    pub(crate) page_errors: DefaultDirectRateLimiter,
    pub(crate) metrics: Option<PrometheusHandle>,
    pub(crate) traffic: Traffic,
    pub(crate) spans: Spans,
    pub(crate) webhooks: Webhooks,
    pub(crate) work: Work,
}

impl Service {
    /// # Errors
    /// Settings that contradict themselves, such as `*` as an allowed origin.
    pub(crate) fn new(
        context: Context,
        store: Arc<dyn StateStore>,
        options: Options,
    ) -> Result<Self> {
        let gate = Gate::new(&context, options.address)?;
        let (notifiers, problems) = context.notifiers();
        for problem in problems {
            context.printer.warn(&problem);
        }
        let approves_unseen = context.is_on("CAIO_APPROVE_WITHOUT_DIGEST");
        let webhooks = Webhooks::new(&context, &store)?;
        let spans = Spans::new(&context)?;
        Ok(Self {
            context,
            store,
            gate,
            notifiers,
            approves_unseen,
            health: Health::default(),
            live: Live::default(),
            places: Places::default(),
            page_errors: RateLimiter::direct(Quota::per_minute(PAGE_ERRORS)),
            metrics: options.metrics,
            traffic: Traffic::default(),
            spans,
            webhooks,
            work: Work::default(),
        })
    }

    /// Whether an approval passes that does not say what was seen; it is recorded as such.
    pub(crate) const fn approves_unseen(&self) -> bool {
        self.approves_unseen
    }
}
