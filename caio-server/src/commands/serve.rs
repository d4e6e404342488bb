//! `caio serve`: the service, until it is told to end.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use caio_dispatch::access::Tokens;
use caio_state::Access;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinError;
use tracing_subscriber::EnvFilter;

use crate::args::ServeArgs;
use crate::exit::{Exit, Failure, Result};
use crate::http::{Cut, Options, Routes, Service, Tasks, collector, serve};
use crate::wiring::Context;

/// Requests under way may finish within this time, unless `CAIO_DRAIN_SECONDS` says otherwise.
const GRACE: u64 = 25;

pub(super) async fn run(context: Context, args: ServeArgs) -> Result<Exit> {
    let wanted = address(&context, &args)?;
    let grace = Duration::from_secs(context.number("CAIO_DRAIN_SECONDS")?.unwrap_or(GRACE));
    let failed = |error: std::io::Error| {
        Failure::new("serve.listen", format!("{wanted}: {error}"))
            .hint("`--port 0` takes a free port")
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    // The disk is waited for meanwhile.
    let routes = tokio::task::spawn_blocking(Routes::all);
    let metrics = tokio::task::spawn_blocking(|| collector().ok()?.install_recorder().ok());
    let store = context.open(Access::ReadWrite)?;
    let listener = TcpListener::bind(wanted).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let options = Options {
        address: Some(address),
        metrics: metrics.await.ok().flatten(),
    };
    let printer = context.printer.clone();
    let service = Arc::new(Service::new(context, store, options)?);
    log(&service.context);
    let lost = |error: JoinError| Failure::new("serve.routes", error.to_string());
    let app = routes.await.map_err(lost)??.over(&service)?;
    let link = entrance(&service, address).await?;
    let tasks = Tasks::of(&service);
    if let Some(link) = link {
        printer.note(&format!("log in once at {link}"));
    }
    if printer.is_json() {
        printer.json(&json!({ "url": format!("http://{address}") }));
    } else {
        printer.line(&format!("http://{address}"));
    }
    let live = Arc::clone(&service);
    let stop = async {
        tokio::select! {
            // Where no handler can be set, Ctrl-C ends the process anyway.
            Ok(()) = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        // Who listens would do so for ever.
        live.live.end();
    };
    let Cut { connections, work } = serve(listener, app, grace, stop, &live.work).await;
    tasks.end().await;
    live.spans.end().await;
    if connections > 0 {
        let cut = format!("{connections} connections were cut off after {grace:?}");
        printer.warn(&cut);
    }
    if work > 0 {
        printer.warn(&format!(
            "{work} live runs were cut off after {grace:?}; `caio ledger reconcile` finds out what they left"
        ));
    }
    Ok(Exit::Done)
}

/// `--host` and `--port`, over `PORT` (the platform's, which then has to reach us), over loopback.
fn address(context: &Context, args: &ServeArgs) -> Result<SocketAddr> {
    let platform: Option<u16> = context.number("PORT")?;
    let host = args.host.unwrap_or(match platform {
        Some(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        None => IpAddr::V4(Ipv4Addr::LOCALHOST),
    });
    Ok(SocketAddr::new(
        host,
        args.port.or(platform).unwrap_or(8080),
    ))
}

/// How somebody gets in. Without any token that is a link that works once, on this machine only.
async fn entrance(service: &Service, address: SocketAddr) -> Result<Option<String>> {
    let context = &service.context;
    if service.gate.is_open() {
        context.printer.warn(
            "DASHBOARD_AUTH_STRICT is off and there is no token: everybody on this machine comes in",
        );
        return Ok(None);
    }
    let stored = Tokens {
        store: &*service.store,
        clock: &*context.clock,
        ids: &*context.ids,
        by: "",
    };
    let now = context.clock.now();
    let has_token = service.gate.has_environment_token()
        || stored.list().await?.iter().any(|token| token.is_valid(now));
    if has_token {
        return Ok(None);
    }
    if !address.ip().is_loopback() {
        return Err(Failure::new(
            "serve.no_token",
            format!("{address} can be reached by others, and there is no token"),
        )
        .hint("caio token create NAME --role admin, or set DASHBOARD_AUTH_TOKEN")
        .exit(Exit::Usage));
    }
    let secret = URL_SAFE_NO_PAD.encode(context.ids.random());
    service.gate.offer_link(&secret);
    Ok(Some(format!("http://{address}/login?code={secret}")))
}

/// JSON lines on stderr; `LOG_LEVEL` as the old system's variable says.
fn log(context: &Context) {
    let level = context
        .environment
        .get("LOG_LEVEL")
        .map_or("info", String::as_str);
    let filter =
        EnvFilter::try_new(level.to_lowercase()).unwrap_or_else(|_| EnvFilter::new("info"));
    // A second subscriber, as in tests, changes nothing.
    let _ = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
}
