//! `caio smoke`: asks a running service as friend and foe.

use secrecy::SecretString;

use crate::args::SmokeArgs;
use crate::exit::{Exit, Failure, Result};
use crate::prove::smoke::{self, Target};
use crate::wiring::Context;

pub(super) async fn run(context: &Context, args: SmokeArgs) -> Result<Exit> {
    let target = Target {
        base_url: args.base_url,
        token: SecretString::from(args.token),
        timeout: args.timeout_seconds,
        query_token: args.expect_query_token_enabled,
        origin: args.origin,
    };
    let report = smoke::run(&target)
        .await
        .map_err(|problem| Failure::new("smoke.base_url", problem).exit(Exit::Usage))?;
    // One JSON document whether or not it is asked for, as the old script printed.
    context.printer.json(&report);
    for check in report.checks.iter().filter(|check| !check.passed) {
        let got = match (&check.status, &check.error) {
            (Some(status), _) => status.to_string(),
            (None, Some(error)) => error.clone(),
            (None, None) => "nothing".to_owned(),
        };
        context.printer.warn(&format!(
            "{}: {} {}: expected {}, got {got}",
            check.name, check.method, check.url, check.expectation
        ));
    }
    Ok(if report.passed {
        Exit::Done
    } else {
        Exit::Failed
    })
}
