//! `caio rehearse`: what would have been sent in the old system's place, and why it differs.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use caio_core::Clock;
use caio_dispatch::rehearse::{Line, OldMessage, Past, Rehearsal, Rehearse, SetClock};
use caio_state::{MemoryStore, OverlayStore, StateStore};
use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::json;

use crate::args::RehearseArgs;
use crate::exit::{Exit, Failure, Result};
use crate::wiring::Context;

pub(super) async fn run(context: &Context, args: RehearseArgs) -> Result<Exit> {
    let zone = context.zone()?;
    let clock = Arc::new(SetClock::new(context.clock.now()));
    let time: Arc<dyn Clock> = clock.clone();
    let folder = args.from.strip_prefix("hive:");
    let base: Arc<dyn StateStore> = match folder {
        Some(_) => Arc::new(MemoryStore::new(Arc::clone(&time))),
        None => context.open_other(&args.from)?,
    };
    let layer = Arc::new(OverlayStore::new(base, Arc::clone(&time)));
    let past = match folder {
        Some(path) => {
            let path = Path::new(path.strip_prefix("//").unwrap_or(path));
            let tools = (&*clock as _, &*context.ids as _);
            Past::of_folder(path, &*layer, tools, "rehearsal").await?
        }
        None => Past::of_store(&*layer).await?,
    };
    let Some(last) = args.until.or_else(|| past.last_day(&zone)) else {
        let message = format!("{}: it tells of no day that could be rehearsed", args.from);
        return Err(Failure::new("rehearse.empty", message));
    };
    let first = last
        .checked_sub((i64::from(args.days) - 1).days())
        .map_err(|error| Failure::new("rehearse.days", error.to_string()).exit(Exit::Usage))?;
    let production = context.production()?;
    let rehearse = Rehearse {
        layer,
        clock,
        ids: Arc::clone(&context.ids),
        channels: context.uncalled_channels()?,
        settings: context.settings(),
        production: production.as_ref().map(|it| &it.production),
        zone,
    };
    let rehearsal = rehearse.run(past, first, last).await?;
    render(context, &args.from, (first, last), &rehearsal);
    Ok(
        if rehearsal.unexplained() == 0 && rehearsal.faults.is_empty() {
            Exit::Done
        } else {
            Exit::Refusals
        },
    )
}

fn render(context: &Context, from: &str, (first, last): (Date, Date), rehearsal: &Rehearsal) {
    let printer = &context.printer;
    let differ = rehearsal.people.len() - rehearsal.same();
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for why in rehearsal.people.iter().flat_map(|it| &it.why) {
        *reasons.entry(why.id).or_default() += 1;
    }
    if printer.is_json() {
        printer.json(&json!({
            "from": from, "first": first, "last": last, "rehearsal": rehearsal,
            "same": rehearsal.same(), "differ": differ, "unexplained": rehearsal.unexplained(),
            "reasons": reasons, "written": false,
        }));
        return;
    }
    let rows = rehearsal.days.iter().map(|day| {
        vec![
            day.at.to_string(),
            day.room.to_string(),
            day.old.to_string(),
            day.ours.to_string(),
            day.requests.to_string(),
            day.refused.clone().unwrap_or_default(),
        ]
    });
    let headers = ["day", "room", "old sent", "caio would", "requests", ""];
    printer.table(&headers, rows);
    for line in &rehearsal.people {
        printer.line(&format!("\n{}", line.person));
        printer.line(&format!("  old:  {}", old(line)));
        printer.line(&format!("  caio: {}", ours(line)));
        for why in &line.why {
            printer.line(&format!("  {}: {}", why.id, why.text));
        }
    }
    for fault in &rehearsal.faults {
        let line = fault.line.map_or(String::new(), |line| format!(":{line}"));
        printer.warn(&format!("{}{line}: {}", fault.file, fault.reason));
    }
    let reasons: Vec<String> = reasons.iter().map(|(id, n)| format!("{id} {n}")).collect();
    printer.line(&format!(
        "\n{first} to {last}: {} people, {} the same, {differ} differ ({}), {} unexplained",
        rehearsal.people.len(),
        rehearsal.same(),
        reasons.join(", "),
        rehearsal.unexplained()
    ));
    printer.note("a rehearsal: nothing was sent, and nothing was written to the store");
}

fn old(line: &Line) -> String {
    if line.old.is_empty() {
        return "nothing".to_owned();
    }
    let message = |it: &OldMessage| {
        let when = it.at.map(|at| at.to_string());
        let when = when.or_else(|| it.day.map(|day| day.to_string()));
        let how = match (it.only_said, it.certain) {
            (true, _) => " (only said)",
            (false, false) => " (outcome not recorded)",
            (false, true) => "",
        };
        format!(
            "{} on {}{how}",
            it.provider,
            when.unwrap_or_else(|| "a day not recorded".to_owned())
        )
    };
    let messages: Vec<String> = line.old.iter().map(message).collect();
    messages.join(", ")
}

fn ours(line: &Line) -> String {
    match &line.ours {
        Some(message) => format!("the letter {} on {}", message.letter, message.day),
        None => "nothing".to_owned(),
    }
}
