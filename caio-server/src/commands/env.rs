//! `caio env`: the environment of a deployment, and its mistakes.

use std::collections::{BTreeMap, BTreeSet};

use caio_core::config::env::{VARIABLES, setting_variables};
use caio_core::config::env_check::{Environment, Mistake, Severity, check};
use caio_state::Access;
use serde_json::json;

use crate::args::{EnvArgs, EnvCommand, ModeArg};
use crate::exit::{Exit, Failure, Result};
use crate::wiring::Context;

pub(super) async fn run(context: &Context, command: EnvCommand) -> Result<Exit> {
    match command {
        EnvCommand::Check(args) => {
            let found = look(context, &args).await?;
            render(context, &args, &found);
            Ok(if found.passes() {
                Exit::Done
            } else {
                Exit::Failed
            })
        }
        EnvCommand::List => {
            list(context);
            Ok(Exit::Done)
        }
    }
}

/// What a look at the environment found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) environment: Environment,
    pub(super) mistakes: Vec<Mistake>,
    /// By what was asked: nothing, or why it cannot be used.
    pub(super) connections: BTreeMap<String, Option<String>>,
}

impl Found {
    pub(super) fn passes(&self) -> bool {
        let is_error = |it: &Mistake| it.severity == Severity::Error;
        !self.mistakes.iter().any(is_error) && self.connections.values().all(Option::is_none)
    }
}

/// Checks every variable, and the connections where that is asked for.
pub(super) async fn look(context: &Context, args: &EnvArgs) -> Result<Found> {
    let mut values = context.environment.clone();
    let mut twice = Vec::new();
    if let Some(path) = &args.env_file {
        let named = |error: dotenvy::Error| {
            Failure::new("env.file", format!("{}: {error}", path.display())).exit(Exit::Usage)
        };
        let mut seen = BTreeSet::new();
        for pair in dotenvy::from_path_iter(path).map_err(named)? {
            let (name, value) = pair.map_err(named)?;
            if !seen.insert(name.clone()) {
                twice.push(Mistake {
                    variable: name.clone(),
                    severity: Severity::Error,
                    problem: "stands in the file twice; which one counts depends on the reader"
                        .to_owned(),
                });
            }
            values.insert(name, value);
        }
    }
    let environment = environment(args.mode, &values)?;
    let mut mistakes = twice;
    mistakes.extend(check(environment, &values));
    let connections = if args.check_connections {
        connections(&context.with_environment(values)?).await
    } else {
        BTreeMap::new()
    };
    Ok(Found {
        environment,
        mistakes,
        connections,
    })
}

/// `--mode`, over `ENVIRONMENT`, over development.
fn environment(mode: Option<ModeArg>, values: &BTreeMap<String, String>) -> Result<Environment> {
    Ok(match mode {
        Some(ModeArg::Development) => Environment::Development,
        Some(ModeArg::Staging) => Environment::Staging,
        Some(ModeArg::Production) => Environment::Production,
        None => match values.get("ENVIRONMENT").filter(|it| !it.trim().is_empty()) {
            None => Environment::Development,
            Some(text) => text.parse().map_err(|problem: String| {
                Failure::new("env.mode", format!("ENVIRONMENT: {problem}")).exit(Exit::Usage)
            })?,
        },
    })
}

/// Asks the store and every provider that has a key.
async fn connections(context: &Context) -> BTreeMap<String, Option<String>> {
    let mut answers = BTreeMap::new();
    let store = match context.open(Access::ReadOnly) {
        Ok(store) => store.ping().await.err().map(|error| error.to_string()),
        Err(failure) => Some(failure.message),
    };
    answers.insert("store".to_owned(), store);
    match context.channels(None) {
        Ok(channels) => {
            for (provider, channel) in channels {
                answers.insert(provider.to_string(), channel.health().await.err());
            }
        }
        Err(failure) => {
            answers.insert("channels".to_owned(), Some(failure.message));
        }
    }
    answers
}

fn render(context: &Context, args: &EnvArgs, found: &Found) {
    let printer = &context.printer;
    let result = if found.passes() { "PASS" } else { "FAIL" };
    let mode = format!("{:?}", found.environment).to_lowercase();
    let word = |severity| match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let answer = |problem: &Option<String>| match problem {
        None => "OK".to_owned(),
        Some(why) => format!("FAIL: {why}"),
    };
    if printer.is_json() {
        let mistakes: Vec<_> = found
            .mistakes
            .iter()
            .map(|it| {
                json!({ "variable": it.variable, "severity": word(it.severity), "problem": it.problem })
            })
            .collect();
        let connections: BTreeMap<_, _> = found
            .connections
            .iter()
            .map(|(name, problem)| (name, answer(problem)))
            .collect();
        printer.json(&json!({
            "mode": mode, "env_file": args.env_file, "result": result, "mistakes": mistakes,
            "connections": connections,
        }));
        return;
    }
    printer.line(&format!("environment of {mode}"));
    for mistake in &found.mistakes {
        printer.line(&format!("{}: {mistake}", word(mistake.severity)));
    }
    for (name, problem) in &found.connections {
        printer.line(&format!("{name}: {}", answer(problem)));
    }
    printer.line(&format!("Result: {result}"));
}

fn list(context: &Context) {
    let printer = &context.printer;
    if printer.is_json() {
        let known: Vec<_> = VARIABLES
            .iter()
            .map(|it| {
                json!({ "name": it.name, "default": it.default, "secret": it.secret, "meaning": it.meaning })
            })
            .collect();
        printer.json(&json!({ "variables": known }));
        return;
    }
    let rows = VARIABLES.iter().map(|it| {
        let secret = if it.secret { "secret" } else { "" };
        vec![
            it.name.to_owned(),
            it.default.to_owned(),
            secret.to_owned(),
            it.meaning.to_owned(),
        ]
    });
    let settings = setting_variables().map(|(name, key)| {
        vec![
            name,
            String::new(),
            String::new(),
            format!("{key} of caio.toml."),
        ]
    });
    printer.table(
        &["variable", "default", "", "meaning"],
        rows.chain(settings.collect::<Vec<_>>()),
    );
}
