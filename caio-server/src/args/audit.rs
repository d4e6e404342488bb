use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Take what is new into the chain; the service does this by itself
    Seal,
    /// Read the whole chain and every event; exit code 1 when anything was changed, removed or cut off
    #[command(after_help = "Example: caio audit verify --expect 120:9f86d0…")]
    Verify {
        /// An end of the chain that was noted before, as this command prints it
        #[arg(long, value_name = "SEQ:HASH")]
        expect: Option<String>,
    },
}
