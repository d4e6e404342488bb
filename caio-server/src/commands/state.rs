//! `caio state`: moving state, and looking at it as a whole.

mod archive;
mod check;
mod copy;
mod hive;

use std::time::Duration;

use caio_state::Access;

use crate::args::StateCommand;
use crate::exit::{Exit, Failure, Result};
use crate::wiring::Context;

use hive::Look;

pub(super) async fn run(context: &Context, command: StateCommand) -> Result<Exit> {
    match command {
        StateCommand::Authority { motion, system } => {
            check::authority(context, motion, system).await
        }
        StateCommand::Cutover { yes } => check::cut_over(context, yes).await,
        StateCommand::Export { file } => archive::export(context, &file).await,
        StateCommand::Follow { from, every } => follow(context, folder(&from)?, every).await,
        StateCommand::Import { file, dry_run } => archive::import(context, &file, dry_run).await,
        StateCommand::Migrate { from, dry_run } => match from.strip_prefix("hive:") {
            Some(_) => {
                let look = Look {
                    folder: folder(&from)?,
                    dry_run,
                    follow: false,
                };
                look.once(context).await
            }
            None => copy::migrate(context, &from, dry_run).await,
        },
        StateCommand::Reindex { dry_run } => check::reindex(context, dry_run).await,
        StateCommand::Tidy { dry_run } => check::tidy(context, dry_run).await,
        StateCommand::Verify { from: None } => check::verify(context).await,
        StateCommand::Verify { from: Some(from) } => copy::verify(context, &from).await,
    }
}

/// A dry run opens the store for reading alone.
fn access(dry_run: bool) -> Access {
    if dry_run {
        Access::ReadOnly
    } else {
        Access::ReadWrite
    }
}

async fn follow(context: &Context, folder: &str, every: Option<u64>) -> Result<Exit> {
    let look = Look {
        folder,
        dry_run: false,
        follow: true,
    };
    let Some(every) = every else {
        return look.once(context).await;
    };
    loop {
        // A look that failed is said, and the next one may do better.
        if let Err(failure) = look.once(context).await {
            context.printer.failure(&failure);
        }
        tokio::time::sleep(Duration::from_secs(every)).await;
    }
}

fn folder(from: &str) -> Result<&str> {
    let folder = from.strip_prefix("hive:").filter(|path| !path.is_empty());
    folder.ok_or_else(|| {
        Failure::new("state.from", format!("`{from}` is no folder to read from"))
            .hint("expected hive:PATH, such as hive:.hive-mind")
            .exit(Exit::Usage)
    })
}
