//! The service: routes, who may use them, and how it starts and ends.
//!
//! A request passes, from the outside in: request id, log line, CORS, time-out, panic guard, path
//! check, body deadline and limit, cross-site check, access, idempotency key, the route. What a route needs of its
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
mod spans;
mod tasks;
#[cfg(test)]
mod testing;
mod traffic;
mod webhooks;
mod work;

pub(crate) use app::{Routes, openapi};
pub(crate) use describe::table;
pub(crate) use server::{Cut, serve};
pub(crate) use service::{Options, Service};
pub(crate) use tasks::Tasks;
pub(crate) use traffic::collector;
