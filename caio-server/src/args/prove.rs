use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct SmokeArgs {
    /// `auth` is the name of the old script, and the same
    #[arg(value_name = "WHICH", hide = true)]
    pub(crate) which: Option<SmokeKind>,
    /// Address of the service, such as <https://sales.example.com>
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: String,
    /// A token that may look at everything; on the command line others can see it, so better set the variable
    #[arg(long, env = "DASHBOARD_AUTH_TOKEN", hide_env_values = true)]
    pub(crate) token: String,
    /// Longest wait for an answer
    #[arg(long, default_value_t = 20, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=300))]
    pub(crate) timeout_seconds: u64,
    /// Whether `?token=` is expected to work there
    #[arg(long, default_value = "false", value_name = "true|false", action = clap::ArgAction::Set)]
    pub(crate) expect_query_token_enabled: bool,
    /// An origin that the service allows; its preflight is asked as well
    #[arg(long)]
    pub(crate) origin: Option<String>,
}

/// The one kind of smoke test.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum SmokeKind {
    /// All of it
    Auth,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EnvCommand {
    /// Every variable, with its mistakes
    #[command(visible_alias = "validate")]
    Check(EnvArgs),
    /// Every variable that is read, with its default and meaning
    List,
}

/// Where the service will run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeArg {
    /// On somebody's machine
    Development,
    /// Like production, with nobody's real leads
    Staging,
    /// For real
    Production,
}

#[derive(Debug, Args)]
pub(crate) struct EnvArgs {
    /// What to hold the variables against [default: $ENVIRONMENT, or development]
    #[arg(long)]
    pub(crate) mode: Option<ModeArg>,
    /// Read them from this file, over those of the process
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Option<PathBuf>,
    /// Ask the store and the providers as well
    #[arg(long)]
    pub(crate) check_connections: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PreflightArgs {
    /// A running service to ask as well
    #[arg(long, value_name = "URL", requires = "token")]
    pub(crate) base_url: Option<String>,
    /// A token of it
    #[arg(long, env = "DASHBOARD_AUTH_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    #[command(flatten)]
    pub(crate) env: EnvArgs,
}
