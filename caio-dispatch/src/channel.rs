//! Who delivers: the trait that every provider implements, and its four possible outcomes.

mod recording;
mod shadow;

use std::fmt::{Debug, Display};

use async_trait::async_trait;
use caio_core::batch::BatchItem;
use caio_core::requests::{Message, ProviderRequest};
use caio_core::terms::{Provider, Tier};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::ledger::LedgerEntry;

pub use recording::{Fault, RecordingChannel};
pub use shadow::{Handover, KeptChannel, ShadowChannel};

/// The campaign or list at a provider that receives messages of one batch.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Container {
    /// Name at the provider; carries eight hex digits of the batch, so that it can be found again.
    pub name: String,
    /// Who delivers.
    pub provider: Provider,
    /// Pool of sending accounts.
    pub pool: String,
    /// Tier of its leads.
    pub tier: Tier,
}

/// One message on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Delivery id, see [`crate::ledger::delivery_id`].
    pub delivery: String,
    /// What was sealed.
    pub item: BatchItem,
    /// The address as it will be written.
    pub to: String,
    /// Given name, or `""`.
    pub first_name: String,
    /// Family name, or `""`.
    pub last_name: String,
    /// Company, or `""`.
    pub company: String,
    /// LinkedIn profile, or `""`.
    pub linkedin_url: String,
    /// Exact subject.
    pub subject: String,
    /// Exact plain-text body.
    pub body: String,
}

impl Outgoing {
    /// The message, as the builders of requests read it.
    pub fn message(&self) -> Message<'_> {
        Message {
            delivery: &self.delivery,
            step: self.item.step,
            to: &self.to,
            first_name: &self.first_name,
            last_name: &self.last_name,
            company: &self.company,
            linkedin_url: &self.linkedin_url,
            subject: &self.subject,
            body: &self.body,
        }
    }
}

/// What became of one message. There is no fifth outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The provider took it.
    Accepted {
        /// The provider's id for it.
        receipt: String,
    },
    /// Certainly not sent; may be approved and tried again.
    NotSent {
        /// Why.
        reason: String,
    },
    /// The provider refused it for good.
    Rejected {
        /// Why.
        reason: String,
    },
    /// It cannot be told. Never tried again before the provider was asked.
    Unknown {
        /// Why.
        reason: String,
    },
}

/// What a call of [`Channel::deliver`] is made of, before anything is asked of the provider.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Prepared {
    /// The exact requests, in the order in which they are made; ids that the provider gives are
    /// placeholders. What makes a container comes first; it is made once for all calls.
    pub requests: Vec<ProviderRequest>,
    /// One an item: how those end that are refused without asking.
    pub refused: Vec<Option<Outcome>>,
}

/// Answer to [`Channel::reconcile`] for one delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// The provider has it.
    Delivered {
        /// The provider's id for it.
        receipt: String,
    },
    /// The provider certainly does not have it.
    NotDelivered,
    /// The provider cannot tell; a person has to decide.
    Undecided {
        /// Why.
        reason: String,
    },
}

/// A way to deliver. No default methods: a wrapper cannot forget one.
#[async_trait]
pub trait Channel: Debug + Display + Send + Sync {
    /// Who delivers.
    fn provider(&self) -> Provider;

    /// Most messages in one call of [`deliver`](Self::deliver).
    fn chunk(&self) -> usize;

    /// How long a call whose answer was lost may still take effect. Before that nothing is asked:
    /// what is not there may still arrive.
    fn settles_within(&self) -> SignedDuration;

    /// The requests that [`deliver`](Self::deliver) makes for `items`, from the same builder; nothing
    /// is called.
    fn prepare(&self, container: &Container, items: &[Outgoing]) -> Prepared;

    /// Hands `items` to the provider; answers one outcome an item, in order.
    async fn deliver(&self, container: &Container, items: &[Outgoing]) -> Vec<Outcome>;

    /// Asks the provider what became of deliveries whose outcome is unknown, once their calls have
    /// [settled](Self::settles_within): what is not there is not delivered. One proof an entry.
    async fn reconcile(&self, entries: &[LedgerEntry]) -> Vec<Proof>;

    /// Stops everything that runs at the provider; says how many campaigns are stopped, verified.
    async fn halt(&self) -> Result<usize, String>;

    /// Answers when the provider can be used.
    async fn health(&self) -> Result<(), String>;
}
