//! `caio audit`: the chain over everything that was decided.

use caio_dispatch::audit::{self, Head};
use caio_state::Access;
use serde_json::json;

use crate::args::AuditCommand;
use crate::exit::{Exit, Failure, Result};
use crate::wiring::Context;

pub(super) async fn run(context: &Context, command: AuditCommand) -> Result<Exit> {
    let printer = &context.printer;
    match command {
        AuditCommand::Seal => {
            let store = context.open(Access::ReadWrite)?;
            let sealed = audit::seal(&*store, &*context.ids).await?;
            let head = audit::head(&*store).await?;
            if printer.is_json() {
                printer.json(&json!({ "sealed": sealed, "head": head }));
            } else {
                printer.line(&format!("{}:{}  {sealed} new", head.seq, head.hash));
            }
            Ok(Exit::Done)
        }
        AuditCommand::Verify { expect } => {
            let kept = expect.as_deref().map(noted).transpose()?;
            let store = context.open(Access::ReadOnly)?;
            let found = audit::verify(&*store, kept.as_ref()).await?;
            if printer.is_json() {
                printer.json(&found);
            } else {
                for fault in &found.faults {
                    printer.line(fault);
                }
                let more = match found.unsealed {
                    0 => String::new(),
                    n => format!("  {n} or more events are not sealed yet: caio audit seal"),
                };
                printer.line(&format!("{}:{}{more}", found.head.seq, found.head.hash));
            }
            Ok(if found.faults.is_empty() {
                Exit::Done
            } else {
                Exit::Failed
            })
        }
    }
}

fn noted(text: &str) -> Result<Head> {
    let parts = text.split_once(':');
    let head = parts.and_then(|(seq, hash)| {
        let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hash.then_some(Head {
            seq: seq.parse().ok()?,
            hash: hash.to_owned(),
        })
    });
    head.ok_or_else(|| {
        Failure::new("audit.expect", format!("`{text}` is no end of a chain"))
            .hint("give SEQ:HASH as `caio audit verify` printed it, the hash with 64 digits")
            .exit(Exit::Usage)
    })
}
