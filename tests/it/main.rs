//! End-to-end tests: they drive the real binary on stores and files of their own.
#![allow(clippy::panic, clippy::unwrap_used, missing_docs)]

mod alerts;
mod assurance;
mod attack;
mod bad_input;
mod browser;
mod cadence;
mod campaigns;
mod delivery;
mod live;
mod manners;
mod migrate;
mod one;
mod prove;
mod rehearse;
mod sandbox;
mod scenarios;
mod service;
mod shadow;
mod shared_store;
#[cfg(feature = "otel")]
mod spans;
mod stores;
mod support;
mod trigger;
mod walk;
mod webhooks;
