//! The service: routes, who may use them, and how it starts and ends.
//!
//! A request passes, from the outside in: path check, request id, log line, panic guard, time-outs,
//! body limit and deadline, CORS, cross-site check, access, the route. What a route needs of its
//! caller is declared beside it, in its OpenAPI description; a route that declares nothing keeps the
//! service from starting.

mod access;
mod acting;
mod app;
mod cors;
mod describe;
mod document;
mod health;
mod idempotency;
mod input;
mod layers;
mod live;
mod pages;
mod paging;
mod problem;
mod routes;
mod server;
mod service;
mod tasks;
#[cfg(test)]
mod testing;
mod webhooks;

pub(crate) use app::openapi;
pub(crate) use describe::table;
pub(crate) use server::serve;
pub(crate) use service::{Options, Service};
pub(crate) use tasks::Tasks;
