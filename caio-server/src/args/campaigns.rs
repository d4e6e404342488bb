//! `caio campaigns`: the words.

use caio_core::terms::Provider;
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum CampaignsCommand {
    /// Every campaign, with what our ledger holds in it
    List,
    /// Start one: everybody in it is asked for again, and taken out first if they must not be written to
    #[command(after_help = "Example: caio campaigns activate caio_t1_20260302_1a2b3c4d --by kim")]
    Activate(WhichCampaign),
    /// Let one rest, and see that it does
    Pause(WhichCampaign),
}

#[derive(Debug, Args)]
pub(crate) struct WhichCampaign {
    /// Its id or name
    pub(crate) campaign: String,
    /// instantly or heyreach
    #[arg(long, default_value = "instantly")]
    pub(crate) provider: Provider,
}
