//! `caio cadence …` and `caio revival …`.

use std::path::PathBuf;

use clap::Subcommand;
use jiff::Timestamp;

#[derive(Debug, Subcommand)]
pub(crate) enum CadenceCommand {
    /// Steps that are due today, longest due first; changes nothing
    Due {
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Write the steps that are due, for review; takes in first what has happened
    Draft {
        /// At most so many
        #[arg(long, default_value_t = 200)]
        limit: usize,
    },
    /// Begin the follow-up of one person, if nothing has begun it
    #[command(
        after_help = "Example: caio cadence enroll kim@example.com --sent-at 2026-03-02T14:05:00Z"
    )]
    Enroll {
        /// Address
        email: String,
        /// When the first e-mail was sent, where no provider has reported it
        #[arg(long, value_name = "TIME")]
        sent_at: Option<Timestamp>,
    },
    /// End a follow-up for good
    Exit {
        /// Address
        email: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Everybody who is or was in it
    List {
        /// Only those
        #[arg(long, value_parser = ["active", "paused", "completed", "exited"])]
        status: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Hold a follow-up until `resume`
    Pause {
        /// Address
        email: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Go on with one; what held it is acknowledged
    Resume {
        /// Address
        email: String,
    },
    /// One person: every step, and what comes next
    Show {
        /// Address
        email: String,
    },
    /// How many, by status, step and reason
    Summary,
    /// Take in what has happened: who was sent a first e-mail, who answered, which steps were sent
    Sync,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RevivalCommand {
    /// Write to those whom `scan` would name, for review
    Draft {
        #[command(flatten)]
        scan: RevivalScan,
    },
    /// Who went quiet and may be written to anew; changes nothing
    Scan {
        #[command(flatten)]
        scan: RevivalScan,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct RevivalScan {
    /// Contacts of the CRM: a JSON list, as the old system caches it
    #[arg(long, value_name = "FILE")]
    pub(crate) contacts: Option<PathBuf>,
    /// At most so many
    #[arg(long, default_value_t = 10)]
    pub(crate) limit: usize,
}
