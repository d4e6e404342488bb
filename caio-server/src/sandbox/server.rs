//! The listener. It is our own loop because an answer can be that there is none: the connection closes.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

/// Connections at once; further ones wait.
const MAX_CONNECTIONS: usize = 256;

/// Marks a response that is not to be sent.
#[derive(Debug, Clone, Copy)]
struct Dropped;

#[derive(Debug, Error)]
enum Closed {
    #[error("closed without an answer, as asked")]
    AsAsked,
    #[error("{0}")]
    Never(#[from] Infallible),
}

/// Serves until `stop` is done; open connections end with it.
pub(crate) async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) {
    let service = TowerToHyperService::new(router);
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => return,
            accepted = next(&listener, &permits) => match accepted {
                Ok((stream, permit)) => {
                    connections.spawn(connection(stream, permit, service.clone()));
                }
                // Such as too many open files: it passes.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// In place of an answer.
pub(super) fn dropped() -> Response {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(Dropped);
    response
}

/// The next connection, once there is room for one.
pub(super) async fn next(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}

async fn connection(
    stream: TcpStream,
    permit: OwnedSemaphorePermit,
    service: TowerToHyperService<Router>,
) {
    let answer = service_fn(move |request: Request<Incoming>| {
        let answer = service.call(request);
        async move {
            let response = answer.await?;
            match response.extensions().get::<Dropped>() {
                Some(Dropped) => Err(Closed::AsAsked),
                None => Ok(response),
            }
        }
    });
    // A client that goes away in the middle is its own affair.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), answer)
        .await;
    drop(permit);
}
