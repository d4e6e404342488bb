//! `caio sandbox`: stand-ins of the providers on this machine.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::SandboxArgs;
use crate::exit::{Exit, Failure, Result};
use crate::sandbox::{Sandbox, router, serve, smtp};
use crate::wiring::Context;

/// Serves until it is told to end.
pub(super) async fn run(context: &Context, args: SandboxArgs) -> Result<Exit> {
    let wanted = SocketAddr::new(args.host, args.port);
    let failed = |error: std::io::Error| {
        Failure::new("sandbox.listen", format!("{wanted}: {error}"))
            .hint("`--port 0` takes a free port")
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let listener = TcpListener::bind(wanted).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let next = if args.port == 0 {
        0
    } else {
        address.port().saturating_add(1)
    };
    let wanted = SocketAddr::new(args.host, args.smtp_port.unwrap_or(next));
    let failed = |error: std::io::Error| {
        Failure::new("sandbox.listen", format!("{wanted}: {error}"))
            .hint("`--smtp-port 0` takes a free port")
    };
    let mail = TcpListener::bind(wanted).await.map_err(failed)?;
    let mail_address = mail.local_addr().map_err(failed)?;
    announce(context, address, mail_address);
    let stop = async move {
        tokio::select! {
            // Where no handler can be set, Ctrl-C ends the process anyway.
            Ok(()) = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
    };
    let sandbox = Sandbox::new(context.clock.clone(), context.ids.clone());
    tokio::select! {
        () = serve(listener, router(Arc::clone(&sandbox)), stop) => {}
        () = smtp::serve(mail, sandbox) => {}
    }
    Ok(Exit::Done)
}

/// One line that can be put before a command, or exported.
fn announce(context: &Context, address: SocketAddr, mail: SocketAddr) {
    let base = format!("http://{address}");
    let variables = [
        ("INSTANTLY_BASE_URL", format!("{base}/instantly/api/v2")),
        ("HEYREACH_BASE_URL", format!("{base}/heyreach/api/public")),
        ("GHL_BASE_URL", format!("{base}/ghl")),
        (
            "SLACK_WEBHOOK_URL",
            format!("{base}/slack/services/sandbox"),
        ),
        ("TWILIO_BASE_URL", format!("{base}/twilio")),
        ("SMTP_HOST", mail.ip().to_string()),
        ("SMTP_PORT", mail.port().to_string()),
    ];
    let printer = &context.printer;
    if printer.is_json() {
        let mut document = json!({ "url": base });
        for (name, value) in &variables {
            document[name] = json!(value);
        }
        printer.json(&document);
    } else {
        let line = variables.map(|(name, value)| format!("{name}={value}"));
        printer.line(&line.join(" "));
    }
    printer.note(&format!(
        "what is received is shown at {base}/; Ctrl-C ends"
    ));
}
