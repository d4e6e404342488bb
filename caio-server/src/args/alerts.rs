use clap::{Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum AlertsCommand {
    /// Say that it was seen
    Ack {
        /// Its id
        id: String,
    },
    /// The newest alerts, with what became of each channel
    List {
        /// Only those in this state
        #[arg(long)]
        state: Option<StateArg>,
        /// At most so many
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// Deliver now what waits
    Send {
        /// Try those again that reached nobody
        #[arg(long)]
        dead: bool,
    },
    /// Tell each configured channel that this is a test, and say what became of it
    Test,
}

/// Where an alert stands.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum StateArg {
    /// Reached nobody
    Dead,
    /// Somebody was told
    Delivered,
    /// Still to be delivered
    Waiting,
}
