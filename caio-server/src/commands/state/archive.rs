//! The store as a file, and back.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use caio_core::time::rfc3339;
use caio_state::archive::{self, Writer};
use caio_state::copy::Copy;
use caio_state::{Access, StateStore};
use serde_json::json;

use super::{access, copy};
use crate::exit::{Exit, Failure, Result};
use crate::wiring::Context;

/// Writes everything; the file is for its owner alone and is not replaced.
pub(super) async fn export(context: &Context, file: &Path) -> Result<Exit> {
    let store = context.open(Access::ReadOnly)?;
    if file == Path::new("-") {
        write(context, &*store, io::stdout()).await?;
        return Ok(Exit::Done);
    }
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new("export.write", format!("{}: {error}", file.display()))
    };
    let out = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .map_err(|error| failed(&error))?;
    let kept = out.try_clone().map_err(|error| failed(&error))?;
    let written = write(context, &*store, out).await;
    let written = match written {
        Ok(records) => kept
            .sync_all()
            .map(|()| records)
            .map_err(|error| failed(&error)),
        Err(error) => Err(error),
    };
    // Half of a store is worse than none.
    let records = written.inspect_err(|_| drop(std::fs::remove_file(file)))?;
    let printer = &context.printer;
    if printer.is_json() {
        printer.json(&json!({ "file": file, "records": records }));
    } else {
        printer.line(&format!("{records} records in {}", file.display()));
    }
    Ok(Exit::Done)
}

async fn write(context: &Context, store: &dyn StateStore, out: impl Write + Send) -> Result<u64> {
    let now = rfc3339(context.clock.now());
    let mut writer = Writer::new(BufWriter::new(out), &store.to_string(), &now)?;
    store.export(&mut writer).await?;
    Ok(writer.finish()?)
}

/// Takes a file in, once it is known to be whole.
pub(super) async fn import(context: &Context, file: &Path, dry_run: bool) -> Result<Exit> {
    let open = || {
        File::open(file)
            .map(BufReader::new)
            .map_err(|error| Failure::new("import.read", format!("{}: {error}", file.display())))
    };
    let named = |error: caio_state::StoreError| {
        Failure::new(error.code(), format!("{}: {error}", file.display()))
    };
    archive::check(open()?).map_err(named)?;
    let store = context.open(access(dry_run))?;
    store.ping().await?;
    let bar = context.printer.progress("records");
    let progress = |taken| bar.set_position(taken);
    let origin = file.display().to_string();
    let mut copy = Copy::new(&*store, &*context.ids, &origin, dry_run, &progress);
    archive::read(open()?, &mut copy).await?;
    bar.finish_and_clear();
    Ok(copy::answer(context, &copy.report(), &origin, dry_run))
}
