//! What every handler shares: the context of the commands, one open store, and who may come in.

use std::net::SocketAddr;
use std::sync::Arc;

use caio_dispatch::notify::Notifiers;
use caio_state::StateStore;
use metrics_exporter_prometheus::PrometheusHandle;

use super::access::Gate;
use crate::exit::Result;
use crate::wiring::Context;

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
    pub(crate) metrics: Option<PrometheusHandle>,
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
        Ok(Self {
            context,
            store,
            gate,
            notifiers,
            metrics: options.metrics,
        })
    }
}
