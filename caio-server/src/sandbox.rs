//! Stand-ins of the providers, on this machine: what would be delivered, without an account.
//!
//! One server holds Instantly, HeyReach, GoHighLevel, Slack, Twilio and a mail server in memory behind one lock, is as strict as they are, logs every
//! call, and fails on request: before an effect, after it, or in what it answers. Nothing here is shared with the clients
//! of these providers: two sides that read one definition would agree on the same mistake.

mod calls;
mod control;
mod faults;
mod ghl;
mod heyreach;
mod instantly;
mod letter;
mod notify;
mod page;
mod schema;
mod server;
pub(crate) mod smtp;
mod summary;
mod switches;
mod wire;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, delete, get, post, put};
use caio_core::{Clock, IdSource};
use serde_json::Value;
use tokio::sync::watch;
use uuid::Uuid;

use calls::{Calls, Entry};
use faults::{Ending, Faults, Twist};
use ghl::Ghl;
use heyreach::HeyReach;
use instantly::Instantly;
use notify::Notify;
pub(crate) use server::serve;
use switches::Switches;
use wire::{Answer, Call};

/// Largest body that is read.
const MAX_BODY: usize = 8 * 1024 * 1024;

/// The providers, and what they are asked to do wrong.
#[derive(Debug)]
pub(crate) struct Sandbox {
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    world: Mutex<World>,
}

/// All that is held; one lock guards it.
#[derive(Debug, Default)]
struct World {
    calls: Calls,
    faults: Faults,
    ghl: Ghl,
    heyreach: HeyReach,
    instantly: Instantly,
    notify: Notify,
    switches: Switches,
}

/// Who is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Provider {
    Ghl,
    HeyReach,
    Instantly,
    Slack,
    Twilio,
}

/// What an operation works with, beside its provider's state.
#[derive(Debug)]
struct Desk<'a> {
    now: String,
    ids: &'a dyn IdSource,
    twist: &'a Twist,
    switches: &'a Switches,
}

/// An answer and how it leaves: after a pause, when a rule is gone, or never.
#[derive(Debug)]
struct Delivery {
    hold: Duration,
    stands: Option<watch::Receiver<()>>,
    answer: Option<Answer>,
}

impl Sandbox {
    pub(crate) fn new(clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>) -> Arc<Self> {
        let world = Mutex::default();
        Arc::new(Self { clock, ids, world })
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> String {
        format!("{:.3}", self.clock.now())
    }

    /// Performs a call with the fault that is due, and logs it.
    fn perform(&self, provider: Provider, call: &Call) -> Delivery {
        let mut guard = self.world();
        let world = &mut *guard;
        let operation = format!(
            "{}.{}",
            provider.name(),
            provider.operation(call).unwrap_or("unknown")
        );
        let fault = world.faults.next(provider.name(), &operation);
        let twist = fault.as_ref().map(|(_, fault)| fault.twist.clone());
        let desk = Desk {
            now: self.now(),
            ids: &*self.ids,
            twist: &twist.unwrap_or_default(),
            switches: &world.switches,
        };
        let mut own = || match provider {
            Provider::Ghl => world.ghl.perform(&desk, call),
            Provider::HeyReach => world.heyreach.perform(&desk, call),
            Provider::Instantly => world.instantly.perform(&desk, call),
            Provider::Slack => world.notify.slack(&desk, call),
            Provider::Twilio => world.notify.twilio(&desk, call),
        };
        let (name, hold, stands, answer) = match fault {
            None => (None, Duration::ZERO, None, Some(own())),
            Some((name, fault)) => {
                let answer = fault.effect.then(own);
                let answer = match fault.ending {
                    Ending::Cut => answer.map(Answer::cut),
                    Ending::Drop => None,
                    Ending::Own => answer,
                    Ending::Replace(instead) => Some(instead),
                    Ending::Retype(kind) => answer.map(|answer| answer.retyped(kind)),
                };
                (Some(name), fault.hold, fault.stands, answer)
            }
        };
        world.calls.push(&Entry {
            at: desk.now,
            provider: provider.name(),
            operation,
            call,
            fault: name,
            answer: answer.as_ref(),
        });
        Delivery {
            hold,
            stands,
            answer,
        }
    }
}

impl Provider {
    const fn name(self) -> &'static str {
        match self {
            Self::Ghl => "ghl",
            Self::HeyReach => "heyreach",
            Self::Instantly => "instantly",
            Self::Slack => "slack",
            Self::Twilio => "twilio",
        }
    }

    fn operation(self, call: &Call) -> Option<&'static str> {
        match self {
            Self::Ghl => ghl::Operation::of(call).map(ghl::Operation::name),
            Self::HeyReach => heyreach::Operation::of(call).map(heyreach::Operation::name),
            Self::Instantly => instantly::Operation::of(call).map(instantly::Operation::name),
            Self::Slack => notify::slack::Operation::of(call).map(notify::slack::Operation::name),
            Self::Twilio => {
                notify::twilio::Operation::of(call).map(notify::twilio::Operation::name)
            }
        }
    }
}

impl Desk<'_> {
    fn uuid(&self) -> String {
        let id = self.ids.id();
        Uuid::try_parse(&id).map_or(id, |id| id.hyphenated().to_string())
    }
}

/// Every route of the server.
pub(crate) fn router(sandbox: Arc<Sandbox>) -> Router {
    Router::new()
        .route("/", get(page::show))
        .route("/sandbox/calls", get(control::calls))
        .route(
            "/sandbox/faults",
            post(control::add_faults)
                .get(control::faults)
                .delete(control::clear_faults),
        )
        .route(
            "/sandbox/heyreach/campaigns",
            post(control::heyreach_campaign),
        )
        .route("/sandbox/reset", post(control::reset))
        .route("/sandbox/state", get(control::state))
        .route("/sandbox/summary", get(control::summary))
        .route(
            "/sandbox/switches",
            put(control::set_switches).get(control::switches),
        )
        .route("/sandbox/calls", delete(control::clear_calls))
        .merge(provider("/ghl/{*rest}", Provider::Ghl))
        .merge(provider("/heyreach/api/public/{*rest}", Provider::HeyReach))
        .merge(provider("/instantly/api/v2/{*rest}", Provider::Instantly))
        .merge(provider("/slack/{*rest}", Provider::Slack))
        .merge(provider("/twilio/{*rest}", Provider::Twilio))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn(own_host_only))
        .with_state(sandbox)
}

fn provider(path: &str, provider: Provider) -> Router<Arc<Sandbox>> {
    let handler = async move |State(sandbox): State<Arc<Sandbox>>,
                              uri: Uri,
                              Path(rest): Path<String>,
                              method: Method,
                              headers: HeaderMap,
                              body: Bytes| {
        let call = Call::new(method, &uri, rest, headers, body);
        let delivery = sandbox.perform(provider, &call);
        if !delivery.hold.is_zero() {
            tokio::time::sleep(delivery.hold).await;
        }
        if let Some(mut stands) = delivery.stands {
            // Nothing is ever sent: it closes.
            let _ = stands.changed().await;
        }
        match delivery.answer {
            Some(answer) => answer.into_response(),
            None => server::dropped(),
        }
    };
    Router::new().route(path, any(handler))
}

/// A page of another site cannot reach what is held here under a name of its own.
async fn own_host_only(request: axum::extract::Request, next: Next) -> Response {
    let host = request
        .headers()
        .get("host")
        .and_then(|host| host.to_str().ok());
    let host = host.and_then(|host| host.parse::<axum::http::uri::Authority>().ok());
    let own = host.is_some_and(|host| {
        let name = host.host().trim_matches(['[', ']']);
        name == "localhost"
            || name
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    });
    if own {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, "only as localhost\n").into_response()
    }
}

/// Text of a value, where it is text.
fn text(value: Option<&Value>) -> &str {
    value.and_then(Value::as_str).unwrap_or_default()
}
