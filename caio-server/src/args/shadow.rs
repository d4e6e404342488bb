//! The words of `caio shadow`.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum ShadowCommand {
    /// The newest shadow run of each batch, kept for 30 days
    List,
    /// Everything that a batch would have sent: the exact requests
    Show {
        /// The batch
        batch: String,
    },
    /// What a batch would have sent against what was sent of it later
    Diff {
        /// The batch
        batch: String,
    },
}
