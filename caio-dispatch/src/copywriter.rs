//! Who writes the message for a lead.

use std::fmt::Debug;

use caio_core::Lead;
use caio_core::terms::Tier;

/// What to write about.
#[derive(Debug, Clone, Copy)]
pub struct Brief<'a> {
    /// To whom.
    pub lead: &'a Lead,
    /// Tier.
    pub tier: Tier,
}

/// A written message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Campaign, which named the template.
    pub campaign: String,
    /// Subject, exactly as it will be sent.
    pub subject: String,
    /// Plain-text body, exactly as it will be sent.
    pub body: String,
    /// The sender is not configured: the text holds marked placeholders.
    pub placeholder_sender: bool,
    /// Remarks for the reviewer.
    pub flags: Vec<String>,
}

/// Why a message could not be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unwritten {
    /// Fact at fault, such as `first_name`.
    pub field: String,
    /// What is wrong.
    pub reason: String,
    /// What was expected.
    pub expected: String,
}

/// Writes first touches. No default methods: a wrapper cannot forget one.
pub trait Copywriter: Debug + Send + Sync {
    /// Digest of everything but the lead that the text depends on: templates and sender.
    fn digest(&self) -> &str;

    /// Writes the first touch, or says which fact it lacks.
    fn write(&self, brief: &Brief<'_>) -> Result<Written, Unwritten>;
}
