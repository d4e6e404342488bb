use caio_core::webhook::Source;
use caio_dispatch::inbox::EventState;
use clap::Subcommand;
use jiff::Timestamp;

#[derive(Debug, Subcommand)]
pub(crate) enum WebhooksCommand {
    /// Vouch for an event that nobody knows the sender of, and apply it
    Accept {
        /// Its id
        id: String,
    },
    /// Decide that an event has no effect; the lead that it held is free again
    Dismiss {
        /// Its id
        id: String,
    },
    /// Take a provider's events unsigned for some hours: they can hold a lead and nothing else
    #[command(after_help = "Example: caio webhooks hold heyreach --until 2026-03-02T18:00:00Z")]
    Hold {
        /// instantly, heyreach, ghl, rb2b or clay
        provider: Source,
        /// When it ends by itself; within 72 hours
        #[arg(long, value_name = "TIME", required_unless_present = "off")]
        until: Option<Timestamp>,
        /// End it now
        #[arg(long, conflicts_with = "until")]
        off: bool,
    },
    /// What arrived, the newest first
    List {
        /// Only those: applied, dead, dismissed, held or pending
        #[arg(long)]
        state: Option<EventState>,
        /// At most so many
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// Apply stored events again; what they changed before stays as it is
    #[command(
        after_help = "Example: caio webhooks replay --state dead --from 2026-03-02T00:00:00Z"
    )]
    Replay {
        /// Ids of events
        #[arg(required_unless_present_any = ["state", "from", "until"])]
        ids: Vec<String>,
        /// Every one that stands there
        #[arg(long, conflicts_with = "ids")]
        state: Option<EventState>,
        /// Every one received from then on
        #[arg(long, value_name = "TIME", conflicts_with = "ids")]
        from: Option<Timestamp>,
        /// Every one received before
        #[arg(long, value_name = "TIME", conflicts_with = "ids")]
        until: Option<Timestamp>,
    },
    /// Address and header to enter at a provider; without a provider, where each stands
    #[command(after_help = "Example: caio webhooks setup heyreach --url https://caio.example.com")]
    Setup {
        /// instantly, heyreach, ghl, rb2b or clay
        provider: Option<Source>,
        /// Where the service can be reached
        #[arg(long, default_value = "https://YOUR-SERVICE")]
        url: String,
        /// Make another key; the one before stays valid
        #[arg(long, conflicts_with = "retire")]
        rotate: bool,
        /// Take back every key but the newest
        #[arg(long)]
        retire: bool,
    },
    /// One event with its body, which holds personal data
    Show {
        /// Its id
        id: String,
    },
}
