//! The exact requests that deliver a batch, built from values alone.
//!
//! A dry run prints them, a live run sends them: there is one builder, so what was shown is what
//! goes out. Placeholders in braces stand for ids that the provider gives in an earlier answer.

mod ghl;
mod heyreach;
mod instantly;
mod time_zone;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::terms::{Provider, Step, Tier};

pub use ghl::{ghl_mark, ghl_refusal};
pub use time_zone::instantly_time_zone;

/// One HTTP request to a provider, without credentials.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProviderRequest {
    /// Who is asked.
    pub provider: Provider,
    /// HTTP method.
    pub method: String,
    /// Path below the provider's base address.
    pub path: String,
    /// JSON body.
    pub body: Value,
}

/// One message, as every provider's builder reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// Delivery id; its first eight digits are kept at the provider.
    pub delivery: &'a str,
    /// Position in the cadence.
    pub step: Step,
    /// Address.
    pub to: &'a str,
    /// Given name, or `""`.
    pub first_name: &'a str,
    /// Family name, or `""`.
    pub last_name: &'a str,
    /// Company, or `""`.
    pub company: &'a str,
    /// LinkedIn profile, or `""`.
    pub linkedin_url: &'a str,
    /// Exact subject.
    pub subject: &'a str,
    /// Exact plain-text body.
    pub body: &'a str,
}

/// What the messages of one campaign or list have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Campaign<'a> {
    /// Name, see [`campaign_name`].
    pub name: &'a str,
    /// Accounts that send, the first one preferred.
    pub accounts: &'a [String],
    /// Time zone of the sending window, one that the provider accepts.
    pub time_zone: &'a str,
    /// Most e-mails a day.
    pub daily_limit: u32,
}

/// Name at the provider: `caio_t1_20260302_1a2b3c4d`; the last part is the first eight digits of
/// `batch_hash`, so that the container can be found again after a lost answer.
///
/// ```
/// use caio_core::{Tier, requests::campaign_name};
/// let name = campaign_name(Tier::One, jiff::civil::date(2026, 3, 2), "1a2b3c4d5e6f");
/// assert_eq!(name, "caio_t1_20260302_1a2b3c4d");
/// ```
pub fn campaign_name(tier: Tier, day: Date, batch_hash: &str) -> String {
    let tier = tier.as_str().replace("tier_", "t");
    let hash: String = batch_hash.chars().take(8).collect();
    format!("caio_{tier}_{}_{hash}", day.strftime("%Y%m%d"))
}

/// Name at the provider of what takes one step of a batch: that of the campaign, and behind the first
/// touch the step, since a request to connect and a message need campaigns of their own.
pub fn container_name(tier: Tier, step: Step, day: Date, batch_hash: &str) -> String {
    let name = campaign_name(tier, day, batch_hash);
    if step == Step::FIRST {
        name
    } else {
        format!("{name}_s{step}")
    }
}

/// Requests that hand `messages` to `provider`, in the order in which they are made.
///
/// The container is made first and is never started here: Instantly campaigns stay drafts, and
/// HeyReach leads only ever join a list. GoHighLevel has no container: each message goes out at once.
pub fn build(
    provider: Provider,
    campaign: &Campaign<'_>,
    messages: &[Message<'_>],
) -> Vec<ProviderRequest> {
    match provider {
        Provider::Ghl => ghl::requests(campaign, messages),
        Provider::HeyReach => heyreach::requests(campaign, messages),
        Provider::Instantly => instantly::requests(campaign, messages),
    }
}

/// Plain text as HTML: escaped, one `<br/>` a line.
///
/// ```
/// assert_eq!(caio_core::requests::html("a < b\nc\n"), "a &lt; b<br/>c");
/// ```
pub fn html(text: &str) -> String {
    let escaped = text
        .trim_end()
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    escaped.replace('\n', "<br/>")
}

/// First eight digits of a delivery id.
fn token(delivery: &str) -> &str {
    delivery.get(..8).unwrap_or(delivery)
}
