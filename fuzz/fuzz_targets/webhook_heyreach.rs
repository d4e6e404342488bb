//! Bodies of webhooks, as HeyReach may send them.
#![no_main]

#[path = "shared/webhook.rs"]
mod webhook;

use caio_core::webhook::Source;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| webhook::check(Source::HeyReach, body));
