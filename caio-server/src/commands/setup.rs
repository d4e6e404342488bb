//! `caio init` and `caio config show`.

use std::fs;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;

use caio_core::config::{CaioToml, Source, settings::Value};
use serde_json::json;

use crate::exit::{Exit, Failure, Result};
use crate::wiring::Context;

/// Writes the commented configuration; one that is there is never overwritten.
pub(super) fn init(context: &Context) -> Result<Exit> {
    let path = context.home.join("caio.toml");
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::new(
            "init.exists",
            format!("{} is there already", path.display()),
        )
        .hint("edit it, or move it away first"),
        _ => Failure::new("file.write", format!("{}: {error}", path.display())),
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&context.home)
        .map_err(failed)?;
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .map_err(failed)?;
    file.write_all(CaioToml::template().as_bytes())
        .map_err(failed)?;
    if context.printer.is_json() {
        context
            .printer
            .json(&json!({ "written": path.display().to_string() }));
    } else {
        context.printer.line(&path.display().to_string());
    }
    context
        .printer
        .note("fill in [sender]: nothing goes live before it is complete");
    Ok(Exit::Done)
}

pub(super) fn show(context: &Context) -> Exit {
    let provenance = &context.resolved.provenance;
    if context.printer.is_json() {
        let settings: Vec<_> = provenance
            .iter()
            .map(|(key, value, source)| {
                let value = match value {
                    Value::Text(text) => json!(text),
                    Value::Number(number) => json!(number),
                    Value::Flag(flag) => json!(flag),
                };
                json!({ "key": key, "value": value, "source": place(source) })
            })
            .collect();
        context.printer.json(&json!({ "settings": settings }));
        return Exit::Done;
    }
    let rows = provenance.iter().map(|(key, value, source)| {
        let value = match value {
            Value::Text(text) => format!("{text:?}"),
            Value::Number(number) => number.to_string(),
            Value::Flag(flag) => flag.to_string(),
        };
        vec![(*key).to_owned(), value, place(source)]
    });
    context.printer.table(&["setting", "value", "from"], rows);
    Exit::Done
}

fn place(source: &Source) -> String {
    match source {
        Source::Default => "default".to_owned(),
        Source::Environment(name) => format!("environment {name}"),
        Source::File { name, line } => format!("{name}:{line}"),
        Source::Flag(name) => format!("--{name}"),
    }
}
