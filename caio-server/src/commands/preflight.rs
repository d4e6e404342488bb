//! `caio preflight`: everything that has to hold before a deployment goes live, in one table.

use caio_core::safety::{Finding, verdict};
use caio_core::terms::{Mode, Motion};
use caio_core::time::rfc3339;
use caio_dispatch::history::Event;
use caio_dispatch::reindex::Reindex;
use caio_dispatch::{audit, doctor};
use caio_state::{Access, StateStore};
use serde::Serialize;
use serde_json::json;

use super::env;
use crate::args::PreflightArgs;
use crate::exit::{Exit, Result};
use crate::prove::smoke::{self, Target};
use crate::wiring::Context;
use crate::wiring::verdict::inputs;

/// One row: what was asked, whether it holds, and what shows it.
#[derive(Debug, Serialize)]
struct Row {
    check: String,
    passed: bool,
    evidence: String,
}

fn row(check: impl Into<String>, passed: bool, evidence: impl Into<String>) -> Row {
    Row {
        check: check.into(),
        passed,
        evidence: evidence.into(),
    }
}

/// Exit code 1 when any row fails. The run itself stands in the history.
pub(super) async fn run(context: &Context, args: PreflightArgs) -> Result<Exit> {
    let mut rows = environment(context, &args).await;
    match context.open(Access::ReadWrite) {
        Ok(store) => {
            rows.extend(state(context, &*store).await);
            rows.extend(layers(context, &*store).await);
            rows.extend(service(args).await);
            let passed = rows.iter().all(|row| row.passed);
            rows.push(recorded(context, &*store, passed).await);
        }
        Err(failure) => rows.push(row("store opens", false, failure.message)),
    }
    let passed = rows.iter().all(|row| row.passed);
    let printer = &context.printer;
    if printer.is_json() {
        let at = rfc3339(context.clock.now());
        printer.json(&json!({ "passed": passed, "at": at, "checks": rows }));
    } else {
        let rows = rows.into_iter().map(|row| {
            let word = if row.passed { "pass" } else { "FAIL" };
            vec![row.check, word.to_owned(), row.evidence]
        });
        printer.table(&["check", "", "evidence"], rows);
    }
    Ok(if passed { Exit::Done } else { Exit::Failed })
}

async fn environment(context: &Context, args: &PreflightArgs) -> Vec<Row> {
    let found = match env::look(context, &args.env).await {
        Ok(found) => found,
        Err(failure) => return vec![row("environment", false, failure.message)],
    };
    let mistakes: Vec<String> = found.mistakes.iter().map(ToString::to_string).collect();
    let evidence = if mistakes.is_empty() {
        "no mistakes".to_owned()
    } else {
        mistakes.join("\n")
    };
    let mut rows = vec![row("environment", found.passes(), evidence)];
    rows.extend(found.connections.into_iter().map(|(name, problem)| {
        let evidence = problem.clone().unwrap_or_else(|| "answers".to_owned());
        row(format!("connection {name}"), problem.is_none(), evidence)
    }));
    rows
}

async fn state(context: &Context, store: &dyn StateStore) -> Vec<Row> {
    let reindex = Reindex {
        store,
        ids: &*context.ids,
        dry_run: true,
    };
    let verified = match reindex.run().await {
        Ok(drift) => row(
            "store verified",
            drift.is_none(),
            format!(
                "{} documents, {} unreadable, {} places missing, {} stale",
                drift.holds.documents,
                drift.unreadable.len(),
                drift.missing,
                drift.stale
            ),
        ),
        Err(error) => row("store verified", false, error.to_string()),
    };
    let examined = match doctor::examine(store).await {
        Ok(findings) if findings.is_empty() => row("doctor", true, "nothing is wrong"),
        Ok(findings) => {
            let all: Vec<&str> = findings.iter().map(|it| it.what.as_str()).collect();
            row("doctor", false, all.join("\n"))
        }
        Err(error) => row("doctor", false, error.to_string()),
    };
    let chained = match audit::verify(store, None).await {
        Ok(found) => {
            let end = format!("{}:{}", found.head.seq, found.head.hash);
            let evidence = found.faults.first().cloned().unwrap_or(end);
            row("audit chain", found.faults.is_empty(), evidence)
        }
        Err(error) => row("audit chain", false, error.to_string()),
    };
    vec![verified, examined, chained]
}

/// Each safety layer as a live run would meet it, without a batch: that there is none is no fault.
async fn layers(context: &Context, store: &dyn StateStore) -> Vec<Row> {
    let policy = match context.policy(store).await {
        Ok(policy) => policy,
        Err(failure) => return vec![row("safety layers", false, failure.message)],
    };
    let inputs = inputs(context, store, None, Motion::All, &policy, Mode::DryRun).await;
    let verdict = match inputs {
        Ok(inputs) => verdict(&inputs),
        Err(failure) => return vec![row("safety layers", false, failure.message)],
    };
    verdict
        .findings
        .iter()
        .map(|(layer, finding)| {
            let name = format!("layer {} {layer}", layer.number());
            match finding {
                Finding::Allow => row(name, true, "allows"),
                // Layers that keep everything as a dry run stand where they should.
                Finding::Block(block) => row(name, !is_fault(block.code), block.reason.clone()),
            }
        })
        .collect()
}

/// Whether a block means that something is wrong, and not that nothing was approved or asked for.
fn is_fault(code: &str) -> bool {
    const AS_SWITCHED: [&str; 10] = [
        "safety.actually_send",
        "safety.limits",
        "safety.max_daily_sends",
        "safety.no_batch",
        "safety.no_channel",
        "safety.not_asked",
        "safety.operator_off",
        "safety.provider_off",
        "safety.rollout_phase",
        "safety.shadow_mode",
    ];
    !AS_SWITCHED.contains(&code)
}

async fn service(args: PreflightArgs) -> Vec<Row> {
    let (Some(base_url), Some(token)) = (args.base_url, args.token) else {
        return Vec::new();
    };
    let target = Target {
        base_url,
        token: token.into(),
        timeout: 20,
        query_token: false,
        origin: None,
    };
    match smoke::run(&target).await {
        Ok(report) => {
            let failed: Vec<&str> = report
                .checks
                .iter()
                .filter(|check| !check.passed)
                .map(|check| check.name)
                .collect();
            let evidence = if failed.is_empty() {
                format!("{} checks of {}", report.checks.len(), report.base_url)
            } else {
                format!("failed: {}", failed.join(", "))
            };
            vec![row("smoke", report.passed, evidence)]
        }
        Err(problem) => vec![row("smoke", false, problem)],
    }
}

async fn recorded(context: &Context, store: &dyn StateStore, passed: bool) -> Row {
    let by = context.by().unwrap_or("unknown");
    let word = if passed { "passed" } else { "failed" };
    let event = Event::new(
        &context.ids.id(),
        context.clock.now(),
        by,
        "preflight.run",
        "deployment",
    );
    let written = match event.because(word).writes() {
        Ok(writes) => caio_state::stop::commit(store, &*context.ids, writes)
            .await
            .map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match written {
        Ok(()) => row("recorded", true, format!("in the history, by {by}")),
        Err(error) => row("recorded", false, error),
    }
}
