//! One module a command: it parses, calls one function of a lower crate, and renders the answer.

mod alerts;
mod audit;
mod batch;
mod cadence;
mod campaigns;
mod dispatch;
mod drafts;
mod env;
mod icp;
mod leads;
mod ledger;
mod preflight;
mod rehearse;
mod revival;
mod run;
mod sandbox;
mod serve;
mod setup;
mod shadow;
mod smoke;
mod state;
mod status;
mod suppress;
mod token;
mod webhooks;

use clap::CommandFactory;

use crate::args::{Cli, Command, ConfigCommand};
use crate::exit::{Exit, Result};
use crate::wiring::Context;

/// Runs the command.
pub(crate) async fn run(context: Context, command: Command) -> Result<Exit> {
    match command {
        Command::Audit(command) => audit::run(&context, command).await,
        Command::Alerts(command) => alerts::run(&context, command).await,
        Command::Batch(command) => batch::run(&context, command).await,
        Command::Cadence(command) => cadence::run(&context, command).await,
        Command::Campaigns(command) => campaigns::run(&context, command).await,
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "caio", &mut std::io::stdout());
            Ok(Exit::Done)
        }
        Command::Config(ConfigCommand::Show) => Ok(setup::show(&context)),
        Command::Dispatch(args) => dispatch::run(&context, args).await,
        Command::Doctor => status::doctor(&context).await,
        Command::Drafts(command) => drafts::run(&context, command).await,
        Command::Env(command) => env::run(&context, command).await,
        Command::History { email, limit } => status::history(&context, email, limit).await,
        Command::Icp(command) => icp::run(&context, command).await,
        Command::Init => setup::init(&context),
        Command::Leads(command) => leads::run(&context, command).await,
        Command::Ledger(command) => ledger::run(&context, command).await,
        Command::Openapi { table } => {
            let document = crate::http::openapi();
            if table {
                context
                    .printer
                    .text(crate::http::table(&document).trim_end());
            } else {
                context.printer.json(&document);
            }
            Ok(Exit::Done)
        }
        Command::Preflight(args) => preflight::run(&context, args).await,
        Command::Rehearse(args) => rehearse::run(&context, args).await,
        Command::Resume => status::resume(&context).await,
        Command::Revival(command) => revival::run(&context, command).await,
        Command::Run(args) => run::run(&context, args).await,
        Command::Sandbox(args) => sandbox::run(&context, args).await,
        Command::Serve(args) => serve::run(context, args).await,
        Command::Shadow(command) => shadow::run(&context, command).await,
        Command::Smoke(args) => smoke::run(&context, args).await,
        Command::State(command) => state::run(&context, command).await,
        Command::Status => status::status(&context).await,
        Command::Stop { reason } => status::stop(&context, &reason).await,
        Command::Suppress(command) => suppress::run(&context, command).await,
        Command::Token(command) => token::run(&context, command).await,
        Command::Webhooks(command) => webhooks::run(&context, command).await,
    }
}
