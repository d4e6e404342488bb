//! The listener: bounded connections, bounded waiting for headers, and an end that loses nothing.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, timeout_at};
use tower::ServiceExt;

use super::app::App;
use super::work::Work;

/// Connections at once; further ones wait in the system's queue.
const MAX_CONNECTIONS: usize = 4_096;

/// How long a client may take for its headers, and how long a quiet connection is kept.
const HEADERS_WITHIN: Duration = Duration::from_secs(15);

/// What was not done when the time was up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    pub(crate) connections: usize,
    /// Live runs and the like, whether or not somebody waits for them.
    pub(crate) work: usize,
}

/// Serves until `stop` is done; then takes no new connection and lets requests that are under way
/// finish, and `work` whose callers have left, for `grace` at the most. Answers how many were cut off.
pub(crate) async fn serve(
    listener: TcpListener,
    app: App,
    grace: Duration,
    stop: impl Future<Output = ()>,
    work: &Work,
) -> Cut {
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let (ending, ends) = watch::channel(());
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            accepted = next(&listener, &permits) => match accepted {
                Ok((stream, peer, permit)) => connection(stream, peer, permit, app.clone(), ends.clone()),
                // Such as too many open files: it passes.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
        }
    }
    drop((listener, ends));
    let _ = ending.send(());
    let until = Instant::now() + grace;
    let connections = match timeout_at(until, ending.closed()).await {
        Ok(()) => 0,
        Err(_) => ending.receiver_count(),
    };
    let work = work.end(until).await;
    Cut { connections, work }
}

async fn next(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, permit))
}

fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    permit: OwnedSemaphorePermit,
    app: App,
    mut ends: watch::Receiver<()>,
) {
    // Answers are small and wait for nothing.
    let _ = stream.set_nodelay(true);
    let answer = service_fn(move |request: Request<Incoming>| {
        let app = app.clone();
        async move {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            let response: Result<Response, Infallible> = app.oneshot(request).await;
            response
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(stream), answer)
        .with_upgrades();
    tokio::spawn(async move {
        let mut connection = pin!(connection);
        // A client that goes away in the middle is its own affair.
        tokio::select! {
            _ = connection.as_mut() => {}
            _ = ends.changed() => {
                connection.as_mut().graceful_shutdown();
                let _ = connection.await;
            }
        }
        drop((ends, permit));
    });
}
