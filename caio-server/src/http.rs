//! The service: routes, who may use them, and how it starts and ends.
//!
//! A request passes, from the outside in: path check, request id, log line, panic guard, time-outs,
//! body limit and deadline, CORS, cross-site check, access, the route. What a route needs of its
//! caller is declared beside it, in its OpenAPI description; a route that declares nothing keeps the
//! service from starting.

mod access;
mod app;
mod cors;
mod document;
mod layers;
mod pages;
mod problem;
mod routes;
mod server;
mod service;
mod tasks;

pub(crate) use app::openapi;
pub(crate) use server::serve;
pub(crate) use service::{Options, Service};
pub(crate) use tasks::Tasks;
