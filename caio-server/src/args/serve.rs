use std::net::IpAddr;

use caio_core::access::Role;
use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Address to listen on [default: 127.0.0.1, or 0.0.0.0 where PORT is set]
    #[arg(long)]
    pub(crate) host: Option<IpAddr>,
    /// Port; 0 takes a free one [default: $PORT, or 8080]
    #[arg(long)]
    pub(crate) port: Option<u16>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make one; it is shown once
    #[command(after_help = "Example: caio token create kim --role approver")]
    Create {
        /// Whose it is
        name: String,
        /// viewer, approver, operator or admin
        #[arg(long, default_value = "viewer")]
        role: Role,
        /// Days until it ends by itself
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
        expires: Option<u32>,
    },
    /// All of them, without their secrets
    List,
    /// End one, and the sessions that it opened
    Revoke {
        /// Its id
        id: String,
    },
}
