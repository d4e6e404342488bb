//! The words of `caio rehearse`.

use clap::Args;
use jiff::civil::Date;

#[derive(Debug, Args)]
#[command(
    after_help = "Example: caio rehearse --from hive:.hive-mind --days 14\nThe store is only read. Limits, ramp and time zone are those of the settings here."
)]
pub(crate) struct RehearseArgs {
    /// What the old system has kept: `hive:FOLDER`, `redis://HOST` or `sqlite:FILE`
    #[arg(long, value_name = "STORE")]
    pub(crate) from: String,
    /// So many days, up to the last one
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=366))]
    pub(crate) days: u16,
    /// The last day [default: the last one that the store tells of]
    #[arg(long, value_name = "DATE")]
    pub(crate) until: Option<Date>,
}
