//! The words of the command line.

mod alerts;
mod audit;
mod cadence;
mod campaigns;
mod prove;
mod rehearse;
mod serve;
mod shadow;
mod webhooks;

use std::net::IpAddr;
use std::path::PathBuf;

use caio_core::draft::DraftStatus;
use caio_core::limits::RunLimit;
use caio_core::terms::{Motion, Provider, Tier};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub(crate) use alerts::{AlertsCommand, StateArg};
pub(crate) use audit::AuditCommand;
pub(crate) use cadence::{CadenceCommand, RevivalCommand, RevivalScan};
pub(crate) use campaigns::{CampaignsCommand, WhichCampaign};
pub(crate) use prove::{EnvArgs, EnvCommand, ModeArg, PreflightArgs, SmokeArgs};
pub(crate) use rehearse::RehearseArgs;
pub(crate) use serve::{ServeArgs, TokenCommand};
pub(crate) use shadow::ShadowCommand;
pub(crate) use webhooks::WebhooksCommand;

/// B2B outbound sales that never sends wrongly: leads in, approved and sealed messages out.
#[derive(Debug, Parser)]
#[command(name = "caio", version, propagate_version = true, after_help = EXITS)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXITS: &str = "Exit codes: 0 done, 1 failed, 2 usage, 3 done with refusals, 4 blocked by a safety layer.\n\
Data goes to stdout, everything else to stderr.";

#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Global {
    /// Print one JSON document
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Where state is kept: sqlite:PATH or memory: [default: caio.db in the home folder]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) store: Option<String>,
    /// Settings [default: $`CAIO_HOME/caio.toml`]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Who decides, for the record
    #[arg(long, global = true, env = "CAIO_USER", value_name = "NAME")]
    pub(crate) by: Option<String>,
    /// Say more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Say less: warnings and errors only
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a commented configuration
    Init,
    /// Settings, each with where it comes from
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Take a file of leads: score, write, queue for review
    #[command(after_help = "Example: caio run leads.csv --map email=\"Work Email\" --dry-run")]
    Run(RunArgs),
    /// Drafts: look, edit, decide
    #[command(subcommand)]
    Drafts(DraftsCommand),
    /// What is known about a person, and why
    #[command(subcommand)]
    Leads(LeadsCommand),
    /// Who must not be written to
    #[command(subcommand)]
    Suppress(SuppressCommand),
    /// Alerts: what people are told, and whether they were
    #[command(subcommand)]
    Alerts(AlertsCommand),
    /// Batches: what goes out together
    #[command(subcommand)]
    Batch(BatchCommand),
    /// The follow-up of 21 days: who is in it, what is due, what was said
    #[command(subcommand)]
    Cadence(CadenceCommand),
    /// People who went quiet long ago
    #[command(subcommand)]
    Revival(RevivalCommand),
    /// Send an approved batch; without --live show every request and write nothing
    Dispatch(DispatchArgs),
    /// What would have been sent in the old system's place, day by day, and why it differs
    Rehearse(RehearseArgs),
    /// What shadow runs would have sent, and what was sent instead
    #[command(subcommand)]
    Shadow(ShadowCommand),
    /// What waits at the providers, and starting and pausing it
    #[command(subcommand)]
    Campaigns(CampaignsCommand),
    /// Where everything stands
    Status,
    /// Who decided what, and when; the newest first
    History {
        /// Only what is about this person
        email: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// Whether the record of all decisions is whole
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Stop all sending, in every process, until `resume`
    Stop {
        /// Why
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Allow sending again
    Resume,
    /// How leads are scored
    #[command(subcommand)]
    Icp(IcpCommand),
    /// What is wrong with the store, and what to do
    Doctor,
    /// Stand-ins of the providers on this machine: see what would be delivered, without an account
    Sandbox(SandboxArgs),
    /// The service: dashboard, API and webhooks
    Serve(ServeArgs),
    /// Ask a running service as friend and foe: does it let in whom it should, and nobody else
    #[command(after_help = "Example: caio smoke --base-url https://sales.example.com")]
    Smoke(SmokeArgs),
    /// The environment of a deployment, and its mistakes
    #[command(subcommand)]
    Env(EnvCommand),
    /// Everything that has to hold before a deployment goes live, in one table
    Preflight(PreflightArgs),
    /// Who may use the service
    #[command(subcommand)]
    Token(TokenCommand),
    /// What providers report, and how they prove who they are
    #[command(subcommand)]
    Webhooks(WebhooksCommand),
    /// Print the OpenAPI document of the service
    Openapi {
        /// A table for people in place of the document
        #[arg(long)]
        table: bool,
    },
    /// What became of each delivery, and those of which nobody knows
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Carry state from one place to another
    #[command(subcommand)]
    State(StateCommand),
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    /// Ask the providers what became of the deliveries that nobody knows about; sends nothing
    Reconcile,
    /// Record what a person has found out about one of them
    #[command(
        after_help = "Example: caio ledger resolve ID not-sent --reason \"not in the campaign\""
    )]
    Resolve {
        /// Its id
        delivery: String,
        /// What became of it
        outcome: Resolution,
        /// How it was found out
        #[arg(long)]
        reason: String,
    },
    /// Deliveries of a batch, or to a person
    Show {
        /// A batch's id, or an address
        of: String,
    },
}

/// What a person says became of a delivery.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Resolution {
    /// The provider has it
    Accepted,
    /// The provider does not have it; it may be approved and sent again
    NotSent,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StateCommand {
    /// Say who sends for a motion, this system or the Python system; without a name, show it
    #[command(after_help = "Example: caio state authority outbound caio")]
    Authority {
        /// outbound, cadence, revival or all
        motion: Motion,
        /// caio or python
        system: Option<SystemArg>,
    },
    /// End the time of two stores: the legacy store of dual:PRIMARY,LEGACY is not asked again
    Cutover {
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Write everything that the store holds into a file
    #[command(after_help = "Example: caio state export backup.ndjson")]
    Export {
        /// The file, which must not be there; `-` is standard output
        file: PathBuf,
    },
    /// Take in what `caio state export` has written; what is there stays
    Import {
        /// The file
        file: PathBuf,
        /// Look and report; write nothing at all
        #[arg(long)]
        dry_run: bool,
    },
    /// Carry everything over from another store; what is there stays
    #[command(
        after_help = "Example: caio state migrate --from hive:.hive-mind --dry-run\n\n\
        From the folder of the Python system: what gates a send, with marks and logs as ledger entries. \
        From any other store: all of it."
    )]
    Migrate {
        /// Where from: hive:PATH, sqlite:PATH or the URL of a Redis
        #[arg(long, value_name = "URL")]
        from: String,
        /// Look and report; write nothing at all
        #[arg(long)]
        dry_run: bool,
    },
    /// Make the indexes say what the records say
    Reindex {
        /// Look and report; write nothing at all
        #[arg(long)]
        dry_run: bool,
    },
    /// Put away what has been over for 90 days: finished batches, daily records of the Python system
    Tidy {
        /// Look and report; write nothing at all
        #[arg(long)]
        dry_run: bool,
    },
    /// Read everything: counts, a digest, records against indexes; or against another store
    #[command(after_help = "Example: caio state verify --from sqlite:.caio/caio.db")]
    Verify {
        /// A store whose records have to be here as well
        #[arg(long, value_name = "URL")]
        from: Option<String>,
    },
    /// Carry over, again and again, what only that folder holds: while both systems run
    #[command(after_help = "Example: caio state follow --from hive:.hive-mind --every 60")]
    Follow {
        /// The folder: hive:PATH
        #[arg(long, value_name = "URL")]
        from: String,
        /// Seconds between two looks; without it one look
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
        every: Option<u64>,
    },
}

/// One of the two systems.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum SystemArg {
    /// This one
    Caio,
    /// The Python system
    Python,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Every setting, with where it comes from
    Show,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// CSV, JSON or NDJSON; `-` is standard input
    pub(crate) file: PathBuf,
    /// Decide and report; write nothing at all
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Take new facts of people who are known already; their undecided drafts are written anew
    #[arg(long)]
    pub(crate) update: bool,
    /// Which column holds a field, such as email="Work Email"
    #[arg(long, value_name = "FIELD=COLUMN", value_parser = pair)]
    pub(crate) map: Vec<(String, String)>,
    /// Scoring model: a built-in name or a TOML file
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// Lowest tier that is queued
    #[arg(long, value_name = "TIER", default_value = "tier_3")]
    pub(crate) min_tier: Tier,
    /// Stop after so many rows
    #[arg(long, value_name = "ROWS")]
    pub(crate) limit: Option<u64>,
    /// Where refused rows go [default: FILE with .refused.csv]
    #[arg(long, value_name = "FILE")]
    pub(crate) refused: Option<PathBuf>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((field, column)) if !field.is_empty() && !column.is_empty() => {
            Ok((field.trim().to_owned(), column.trim().to_owned()))
        }
        _ => Err("expected FIELD=COLUMN, such as email=\"Work Email\"".to_owned()),
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum DraftsCommand {
    /// Drafts of one status, best score first
    List {
        /// pending, approved, rejected, claimed or done
        #[arg(long, default_value = "pending")]
        status: DraftStatus,
        /// Only this tier
        #[arg(long)]
        tier: Option<Tier>,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// One draft: the exact text, why, and what was decided
    Show {
        /// Its id
        id: String,
    },
    /// Change the text; an approval is void then
    Edit {
        /// Its id
        id: String,
        /// New subject
        #[arg(long)]
        subject: Option<String>,
        /// New text
        #[arg(long, conflicts_with = "body_file")]
        body: Option<String>,
        /// New text, from a file
        #[arg(long, value_name = "FILE")]
        body_file: Option<PathBuf>,
    },
    /// Say yes
    Approve(Choice),
    /// Say no; the reason is kept
    Reject {
        #[command(flatten)]
        choice: Choice,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Take a decision back
    Reopen {
        /// Their ids
        #[arg(required = true)]
        ids: Vec<String>,
        /// Why
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Every draft as NDJSON
    Export {
        /// pending, approved, rejected, claimed or done [default: all]
        #[arg(long)]
        status: Option<DraftStatus>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Choice {
    /// Their ids
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub(crate) ids: Vec<String>,
    /// All pending ones
    #[arg(long)]
    pub(crate) all: bool,
    /// With --all: only this tier
    #[arg(long, requires = "all")]
    pub(crate) tier: Option<Tier>,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LeadsCommand {
    /// Facts, score with reasons, what became of it and what happened
    Show {
        /// Address
        email: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum SuppressCommand {
    /// Add an address, a domain or a company
    Add {
        /// name@example.com, or a domain
        who: String,
        /// The whole company: the registrable domain of the address or domain
        #[arg(long)]
        company: bool,
        /// Why
        #[arg(long, default_value = "unsubscribed")]
        reason: String,
    },
    /// Take in a list: unsubscribes.jsonl, exclusion lists (JSON), or lines of addresses and domains
    Import {
        /// The list
        file: PathBuf,
        /// Why, where the list does not say
        #[arg(long, default_value = "imported")]
        reason: String,
    },
    /// Take an entry back, exactly as it stands in the list
    Remove {
        /// name@example.com, or a domain
        who: String,
        /// Why: it stands in the history, with your name
        #[arg(long)]
        reason: String,
    },
    /// Every entry, newest first
    List,
    /// Every entry as NDJSON
    Export,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BatchCommand {
    /// Plan a batch from approved drafts; prints the digest that approves it
    Create {
        /// outbound, cadence, revival or all
        #[arg(long, default_value = "outbound")]
        motion: Motion,
        /// Only this tier; the ramp's tier holds as well
        #[arg(long)]
        tier: Option<Tier>,
        /// At most so many; 0 takes none
        #[arg(long, value_name = "N")]
        limit: Option<RunLimit>,
        /// Hours for which it can be executed [default: from the settings]
        #[arg(long, value_name = "HOURS", value_parser = clap::value_parser!(u32).range(1..=168))]
        expires: Option<u32>,
        /// Who delivers e-mails: instantly, into a draft campaign; ghl, at once
        #[arg(long, value_name = "PROVIDER", default_value = "instantly", value_parser = email_provider)]
        via: Provider,
    },
    /// Expire those whose time has passed, pending and approved ones; says what stayed unsent
    Expire,
    /// Batches that wait, are approved or ended
    List,
    /// One batch: every message, and its digest
    Show {
        /// Its id
        id: String,
    },
    /// Approve and seal exactly what was shown
    Approve {
        /// Its id
        id: String,
        /// The digest that `create` or `show` printed
        #[arg(long)]
        digest: Option<String>,
    },
    /// Say no
    Reject {
        /// Its id
        id: String,
        /// Why
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Take an approval back
    Revoke {
        /// Its id
        id: String,
        /// Why
        #[arg(long, default_value = "")]
        reason: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DispatchArgs {
    /// outbound, cadence, revival or all
    #[arg(long, default_value = "outbound")]
    pub(crate) motion: Motion,
    /// This batch [default: the newest approved one of the motion]
    #[arg(long, value_name = "ID")]
    pub(crate) batch: Option<String>,
    /// Only this tier
    #[arg(long)]
    pub(crate) tier: Option<Tier>,
    /// At most so many; 0 sends nothing
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<RunLimit>,
    /// Really send
    #[arg(long)]
    pub(crate) live: bool,
    /// Do everything but the calls, and keep what would have been sent: see `caio shadow`
    #[arg(long, conflicts_with = "live")]
    pub(crate) shadow: bool,
    /// What goes through ghl is out at once, without a draft that a person starts
    #[arg(long, requires = "live")]
    pub(crate) send_now: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Prints the variables that point caio at it. It holds everything in memory: what ends with it is gone."
)]
pub(crate) struct SandboxArgs {
    /// Port; 0 takes a free one
    #[arg(long, default_value_t = 8901)]
    pub(crate) port: u16,
    /// Port of the mail server; 0 takes a free one [default: the next one after --port]
    #[arg(long)]
    pub(crate) smtp_port: Option<u16>,
    /// Address of this machine; no other one is allowed
    #[arg(long, default_value = "127.0.0.1", value_parser = loopback)]
    pub(crate) host: IpAddr,
}

fn email_provider(text: &str) -> Result<Provider, String> {
    match text.parse() {
        Ok(provider @ (Provider::Instantly | Provider::Ghl)) => Ok(provider),
        _ => Err("expected instantly or ghl".to_owned()),
    }
}

fn loopback(text: &str) -> Result<IpAddr, String> {
    match text.parse::<IpAddr>() {
        Ok(address) if address.is_loopback() => Ok(address),
        _ => Err("expected an address of this machine only, such as 127.0.0.1".to_owned()),
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum IcpCommand {
    /// Models that can be named
    List,
    /// Why each lead of a file scores what it scores
    Explain {
        /// A file of leads
        file: PathBuf,
        /// Model
        #[arg(long)]
        model: Option<String>,
        /// At most so many leads
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// Who changes tier between two models, and why
    Compare {
        /// A file of leads
        file: PathBuf,
        /// One model
        #[arg(long, default_value = "legacy-746")]
        a: String,
        /// The other
        #[arg(long, default_value = "default")]
        b: String,
        /// At most so many leads that change tier; the counts are always of all
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Allow live sending with this model, as it is now
    Adopt {
        /// Model
        name: String,
    },
}
