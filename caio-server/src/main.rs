//! The `caio` command line and its service.

mod args;
mod commands;
mod exit;
mod http;
mod printer;
mod prove;
mod sandbox;
mod wiring;

use std::process::ExitCode;

use clap::Parser;

use args::Cli;
use exit::Exit;
use wiring::Context;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to stdout and are no mistake; everything else is usage.
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Done
            };
            let _ = error.print();
            return exit.into();
        }
    };
    let environment = wiring::environment();
    #[cfg(feature = "kill-points")]
    wiring::arm(&environment);
    let printer = printer::Printer::new(&cli.global, &environment);
    let outcome = Context::new(&cli.global, environment, printer.clone())
        .and_then(|context| wiring::block_on(commands::run(context, cli.command)));
    match outcome {
        Ok(exit) => printer.finish(exit).into(),
        Err(failure) => {
            printer.failure(&failure);
            printer.finish(failure.exit).into()
        }
    }
}
