//! `caio shadow`: what shadow runs would have sent, and what was sent instead.

use caio_dispatch::shadow::{self, Difference};
use caio_state::Access;
use serde_json::{Value, json};

use crate::args::ShadowCommand;
use crate::exit::{Exit, Result};
use crate::printer::Printer;
use crate::wiring::Context;

pub(super) async fn run(context: &Context, command: ShadowCommand) -> Result<Exit> {
    match command {
        ShadowCommand::List => list(context).await,
        ShadowCommand::Show { batch } => show(context, &batch).await,
        ShadowCommand::Diff { batch } => diff(context, &batch).await,
    }
}

async fn list(context: &Context) -> Result<Exit> {
    let store = context.open(Access::ReadOnly)?;
    let runs = shadow::list(&*store).await?;
    if context.printer.is_json() {
        context.printer.json(&json!({ "shadow": runs }));
        return Ok(Exit::Done);
    }
    let rows = runs.into_iter().map(|run| {
        let would_go = run.items.iter().filter(|it| it.state == "accepted");
        let would_go = format!("{} of {}", would_go.count(), run.items.len());
        vec![run.batch, run.at, would_go, run.by, run.until]
    });
    let headers = ["batch", "when", "would go", "by", "kept until"];
    context.printer.table(&headers, rows);
    Ok(Exit::Done)
}

async fn show(context: &Context, batch: &str) -> Result<Exit> {
    let store = context.open(Access::ReadOnly)?;
    let (run, handed) = shadow::one(&*store, batch).await?;
    let printer = &context.printer;
    if printer.is_json() {
        printer.json(&json!({ "shadow": run, "handed_over": handed }));
        return Ok(Exit::Done);
    }
    printer.line(&format!("batch {}, {} by {}", run.batch, run.at, run.by));
    for request in handed.iter().flat_map(|it| &it.requests) {
        printer.line(&format!(
            "\n{} {} {}",
            request.provider, request.method, request.path
        ));
        printer.text(&pretty(&request.body));
    }
    for item in run.items.iter().filter(|it| it.state != "accepted") {
        printer.line(&format!(
            "{}: {} to {}: {}",
            item.state, item.draft, item.recipient, item.detail
        ));
    }
    Ok(Exit::Done)
}

async fn diff(context: &Context, batch: &str) -> Result<Exit> {
    let store = context.open(Access::ReadOnly)?;
    let diff = shadow::diff(&*store, batch).await?;
    let printer = &context.printer;
    if printer.is_json() {
        printer.json(&diff);
    } else {
        printer.line(&format!(
            "batch {}: {} messages in shadow, {} sent",
            diff.batch, diff.in_shadow, diff.sent
        ));
        for difference in &diff.differences {
            print(printer, difference);
        }
        printer.line(&if diff.differences.is_empty() {
            format!("nothing differs ({} compared)", diff.same)
        } else {
            format!(
                "{} differences, {} the same",
                diff.differences.len(),
                diff.same
            )
        });
    }
    Ok(if diff.differences.is_empty() {
        Exit::Done
    } else {
        Exit::Refusals
    })
}

fn print(printer: &Printer, difference: &Difference) {
    let Difference {
        what,
        delivery,
        field,
        shadow,
        sent,
        why,
    } = difference;
    let of = delivery.as_deref().unwrap_or("");
    printer.line(format!("\n{what} {of}").trim_end());
    if !field.is_empty() {
        printer.line(&format!("  {field}"));
    }
    for (side, value) in [("shadow", shadow), ("sent", sent)] {
        let text = if value.is_null() {
            "nothing".to_owned()
        } else {
            value.to_string()
        };
        printer.text(&format!("  {side:6}  {text}"));
    }
    if let Some(why) = why {
        printer.line(&format!("  {why}"));
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|error| error.to_string())
}
