//! The providers over HTTP, each a [`Channel`](crate::channel::Channel).
//!
//! None of them knows an idempotency key, an answer of 200 does not say that a lead has landed, and a
//! time-out says nothing at all. So each call ends in one of four ways ([`CallError`]), and what is not
//! proven is asked for again before anything is repeated.

mod breakers;
mod ghl;
mod heyreach;
pub(crate) mod http;
mod instantly;

pub use breakers::Breakers;
pub use ghl::{GhlChannel, GhlOptions, GhlOptionsError};
pub use heyreach::{HeyReachChannel, HeyReachOptions};
pub use http::{Auth, CallError, Endpoint, EndpointError, Http, HttpOptions, init_crypto};
pub use instantly::{InstantlyChannel, InstantlyOptions};

use futures_util::stream::{self, StreamExt};
use jiff::SignedDuration;

/// How long an answer that was lost may still take effect: only then *not there* means *not sent*.
pub const SETTLES_WITHIN: SignedDuration = SignedDuration::from_secs(120);

/// Calls of a stop that are under way at one time.
const AT_ONCE: usize = 8;

/// Makes all of these calls, and says what failed.
async fn failures<F: Future<Output = Result<(), CallError>>>(calls: Vec<F>) -> Vec<String> {
    let answers: Vec<_> = stream::iter(calls)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let failed = answers.into_iter().filter_map(Result::err);
    failed.map(|error| error.to_string()).collect()
}
