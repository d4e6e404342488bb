//! `caio run`: the main job.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use caio_core::record::FieldMap;
use caio_core::terms::{Provider, Tier};
use caio_dispatch::copywriter::TemplateCopywriter;
use caio_dispatch::enrich::{Enricher, FileEnricher};
use caio_dispatch::pipeline::{Fate, Options, Pipeline, Report, Rules, Stage, stamp};
use caio_dispatch::refused::{NoRefusedFile, RefusedFile, RefusedSink};
use caio_dispatch::source::{Format, Input, RowReader};
use caio_state::Access;

use crate::args::RunArgs;
use crate::exit::{Exit, Failure, Result};
use crate::wiring::Context;

pub(super) async fn run(context: &Context, args: RunArgs) -> Result<Exit> {
    let (reader, fields) = open(context, &args.file, &args.map)?;
    let model = context.model(args.model.as_deref())?;
    let templates = context.templates()?;
    let copywriter = TemplateCopywriter::new(templates, context.settings().sender.clone());
    let access = if args.dry_run {
        Access::ReadOnly
    } else {
        Access::ReadWrite
    };
    let store = context.open(access)?;
    let model_ref = model.reference();
    let now = stamp(&*context.clock);
    let production = context.production()?.map(|loaded| loaded.production);
    let routing = production.map(|it| it.routing).unwrap_or_default();
    let linkedin = routing
        .iter()
        .filter(|(_, providers)| providers.contains(&Provider::HeyReach));
    let linkedin: Vec<Tier> = linkedin.map(|(tier, _)| *tier).collect();
    let rules = Rules {
        model: &model,
        model_ref: &model_ref,
        copywriter: &copywriter,
        min_tier: args.min_tier,
        linkedin: &linkedin,
        update: args.update,
        now: &now,
    };
    let enrichers: [Arc<dyn Enricher>; 1] = [Arc::new(FileEnricher)];
    let pipeline = Pipeline {
        store: &*store,
        clock: &*context.clock,
        ids: &*context.ids,
        rules,
        enrichers: &enrichers,
        options: Options {
            dry_run: args.dry_run,
            limit: args.limit,
        },
    };
    let mut refused: Box<dyn RefusedSink> = if args.dry_run {
        Box::new(NoRefusedFile)
    } else {
        Box::new(RefusedFile::new(&refused_path(&args)))
    };
    let interrupted = interrupted();
    let progress = context.printer.progress("rows");
    let mut go_on = |read: u64| {
        progress.set_position(read);
        !interrupted.load(Ordering::Relaxed)
    };
    let report = pipeline
        .run(reader, &fields, &mut *refused, &mut go_on)
        .await;
    progress.finish_and_clear();
    // What was refused is shown even when the run itself failed.
    let path = refused.finish();
    let report = report?;
    let path = path.map_err(|error| {
        Failure::new(
            "refused_file.write",
            format!("the file of refused rows: {error}"),
        )
        .hint("name another place with --refused FILE and run it again: nobody is queued twice")
    })?;
    render(context, &report, &model_ref.name, path.as_deref());
    Ok(match report {
        Report {
            broken: Some(_), ..
        } => Exit::Failed,
        report if report.count(Fate::Refused) > 0 => Exit::Refusals,
        _ => Exit::Done,
    })
}

/// Opens a file of leads and finds out what its columns mean.
pub(super) fn open(
    context: &Context,
    file: &Path,
    overrides: &[(String, String)],
) -> Result<(RowReader, Arc<FieldMap>)> {
    let input = if file == Path::new("-") {
        Input::Reader("standard input".to_owned(), Box::new(std::io::stdin()))
    } else {
        Input::Path(file.to_owned())
    };
    let reader = RowReader::open(input)?;
    let (format, encoding) = (reader.format(), reader.encoding());
    context
        .printer
        .note(&format!("reading {}: {format}, {encoding}", reader.name()));
    let fields = match format {
        Format::Csv { .. } => FieldMap::of_columns(reader.headers(), overrides)?,
        _ => FieldMap::of_objects(overrides)?,
    };
    if !fields.unknown().is_empty() {
        context.printer.note(&format!(
            "columns that are not used: {}",
            fields.unknown().join(", ")
        ));
    }
    Ok((reader, Arc::new(fields)))
}

fn refused_path(args: &RunArgs) -> PathBuf {
    args.refused.clone().unwrap_or_else(|| {
        if args.file == Path::new("-") {
            return PathBuf::from("stdin.refused.csv");
        }
        args.file.with_extension("refused.csv")
    })
}

/// Set by the first Ctrl-C; the second one ends the process as usual.
fn interrupted() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&flag);
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            set.store(true, Ordering::Relaxed);
        }
        if tokio::signal::ctrl_c().await.is_ok() {
            #[expect(clippy::exit, reason = "the user asked twice")]
            std::process::exit(130);
        }
    });
    flag
}

fn render(context: &Context, report: &Report, model: &str, refused: Option<&Path>) {
    let printer = &context.printer;
    if printer.is_json() {
        let mut document = serde_json::to_value(report).unwrap_or_default();
        document["model"] = model.into();
        document["refused_file"] = refused.map(|path| path.display().to_string()).into();
        printer.json(&document);
    } else {
        let rows = Stage::ALL.iter().filter_map(|stage| {
            let stage_report = report.stages.get(stage)?;
            let mut reasons: Vec<_> = stage_report.ended.iter().collect();
            reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
            let shown: Vec<String> = reasons
                .iter()
                .take(4)
                .map(|(why, count)| format!("{count} {why}"))
                .collect();
            let ended: u64 = stage_report.ended.values().sum();
            Some(vec![
                stage.as_str().to_owned(),
                stage_report.entered.to_string(),
                stage_report.left.to_string(),
                ended.to_string(),
                shown.join("\n"),
            ])
        });
        printer.table(&["stage", "in", "out", "ended", "why"], rows);
        let tier = |tier: &str| report.tiers.get(tier).copied().unwrap_or(0);
        let mut tiers: Vec<String> = Tier::ALL
            .iter()
            .map(|it| format!("{it} {}", tier(it.as_str())))
            .collect();
        tiers.push(format!("disqualified {}", tier("none")));
        printer.line(&format!("tiers ({model}): {}", tiers.join(", ")));
        let total: Vec<String> = Fate::ALL
            .iter()
            .filter(|fate| report.count(**fate) > 0)
            .map(|fate| {
                format!(
                    "{} {}",
                    report.count(*fate),
                    fate.as_str().replace('_', " ")
                )
            })
            .collect();
        printer.line(&format!("read {} = {}", report.read, total.join(" + ")));
        for difference in &report.differences {
            let changes = difference.changes.join("; ");
            printer.line(&format!(
                "line {}: {} was kept as it was: {changes}",
                difference.line, difference.email
            ));
        }
    }
    for skipped in &report.skipped {
        printer.note(&format!("skipped {skipped}"));
    }
    for (remark, count) in &report.remarks {
        printer.note(&format!("{count} x {remark}"));
    }
    if let Some(path) = refused {
        printer.note(&format!("refused rows: {}", path.display()));
    }
    if let Some(why) = &report.broken {
        printer.warn(why);
    }
    if report.dry_run {
        printer.note("dry run: nothing was written");
    } else if report.count(Fate::Queued) > 0 {
        printer.note("next: caio drafts list");
    }
}
