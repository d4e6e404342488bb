//! `caio icp`: how leads are scored, compared and adopted.

use std::collections::BTreeMap;

use caio_core::icp::{Model, Scorer, compare};
use caio_core::record::{FieldMap, Record};
use caio_core::{Lead, Tier};
use caio_dispatch::icp::adopt;
use caio_dispatch::source::{RowData, RowReader};
use caio_state::Access;
use serde_json::json;

use super::run::open;
use crate::args::IcpCommand;
use crate::exit::{Exit, Result};
use crate::wiring::Context;

pub(super) async fn run(context: &Context, command: IcpCommand) -> Result<Exit> {
    let printer = &context.printer;
    match command {
        IcpCommand::List => {
            let rows = Model::builtin_names().iter().map(|name| {
                let digest = Model::builtin(name).map(|model| model.digest().to_owned());
                vec![(*name).to_owned(), digest.unwrap_or_default()]
            });
            printer.table(&["model", "digest"], rows);
            Ok(Exit::Done)
        }
        IcpCommand::Explain { file, model, limit } => {
            let model = context.model(model.as_deref())?;
            let (reader, fields) = open(context, &file, &[])?;
            let mut explained = Vec::new();
            for_each_lead(context, reader, &fields, |lead| {
                if explained.len() < limit {
                    explained.push((lead.email.clone(), model.explain(&lead)));
                }
                explained.len() < limit
            })?;
            if printer.is_json() {
                let leads: Vec<_> = explained
                    .iter()
                    .map(|(email, why)| json!({ "email": email, "explanation": why }))
                    .collect();
                printer.json(&json!({ "model": model.reference(), "leads": leads }));
                return Ok(Exit::Done);
            }
            for (email, why) in explained {
                let tier = why
                    .tier
                    .map_or("no tier".to_owned(), |tier| tier.to_string());
                printer.line(&format!("{email}: {tier}, {} points", why.points));
                for reason in why.reasons.iter().chain(&why.disqualified) {
                    printer.line(&format!("  {reason}"));
                }
            }
            Ok(Exit::Done)
        }
        IcpCommand::Compare { file, a, b, limit } => {
            compare_models(context, &file, [&a, &b], limit)
        }
        IcpCommand::Adopt { name } => {
            let model = context.model(Some(&name))?;
            let by = context.by()?;
            let store = context.open(Access::ReadWrite)?;
            adopt(
                &*store,
                &*context.clock,
                &*context.ids,
                by,
                &model.reference(),
            )
            .await?;
            if printer.is_json() {
                printer.json(&json!({ "adopted": model.reference(), "by": by }));
            } else {
                printer.line(&format!(
                    "{} ({:.12}) adopted by {by}",
                    model.name(),
                    model.digest()
                ));
            }
            Ok(Exit::Done)
        }
    }
}

fn compare_models(
    context: &Context,
    file: &std::path::Path,
    [a, b]: [&str; 2],
    limit: usize,
) -> Result<Exit> {
    let (first, second) = (context.model(Some(a))?, context.model(Some(b))?);
    let (mut before, mut after) = (Scorer::new(&first), Scorer::new(&second));
    let (reader, fields) = open(context, file, &[])?;
    let mut moves = Vec::new();
    let mut counts: BTreeMap<(Option<Tier>, Option<Tier>), u64> = BTreeMap::new();
    for_each_lead(context, reader, &fields, |lead| {
        let (from, to) = (before.points(&lead).tier, after.points(&lead).tier);
        *counts.entry((from, to)).or_default() += 1;
        if from != to && moves.len() < limit {
            let components = compare(&first, &second, &lead).components();
            moves.push((lead.email, lead.title, [word(from), word(to)], components));
        }
        true
    })?;
    let changing = counts.iter().filter(|((from, to), _)| from != to);
    let changing: u64 = changing.map(|(_, leads)| leads).sum();
    let printer = &context.printer;
    if printer.is_json() {
        let moves: Vec<_> = moves
            .iter()
            .map(|(email, title, [from, to], components)| {
                json!({ "email": email, "title": title, "from": from, "to": to,
                        "components": components })
            })
            .collect();
        let counts: Vec<_> = counts
            .iter()
            .map(|((from, to), leads)| json!({ "from": word(*from), "to": word(*to), "leads": leads }))
            .collect();
        printer.json(
            &json!({ "a": first.reference(), "b": second.reference(), "counts": counts,
                              "changing": changing, "moves": moves }),
        );
        return Ok(Exit::Done);
    }
    let shown = moves.len() as u64;
    let rows = moves
        .into_iter()
        .map(|(email, title, [from, to], components)| {
            vec![email, title, from, to, components.join(", ")]
        });
    printer.table(&["who", "title", a, b, "because"], rows);
    for ((from, to), leads) in counts {
        printer.line(&format!("{leads} leads: {} -> {}", word(from), word(to)));
    }
    if shown < changing {
        printer.note(&format!(
            "{shown} of {changing} that change tier; more with --limit"
        ));
    }
    Ok(Exit::Done)
}

fn word(tier: Option<Tier>) -> String {
    tier.map_or("none".to_owned(), |tier| tier.to_string())
}

/// Every usable lead of a file; the others are named on stderr. `act` says whether to go on.
fn for_each_lead(
    context: &Context,
    mut reader: RowReader,
    fields: &FieldMap,
    mut act: impl FnMut(Lead) -> bool,
) -> Result<()> {
    while let Some(row) = reader.next_row()? {
        let mapped = match &row {
            Err(fault) => Err(format!("line {}: {}", fault.line, fault.reason)),
            Ok(row) => match &row.data {
                RowData::Fields(values) => Record::from_fields(values).to_lead(fields),
                RowData::Object(object) => Record::from_object(object).to_lead(fields),
            }
            .map_err(|refusal| format!("line {}: {refusal}", row.line)),
        };
        match mapped {
            Ok(mapped) => {
                if !act(mapped.lead) {
                    return Ok(());
                }
            }
            Err(why) => context.printer.detail(&why),
        }
    }
    Ok(())
}
