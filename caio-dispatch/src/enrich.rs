//! Facts that a lead's own row lacks: who could supply them, and who is not configured.

use std::fmt::Debug;

use async_trait::async_trait;
use caio_core::Lead;

/// Supplies facts. No default methods: a wrapper cannot forget one.
#[async_trait]
pub trait Enricher: Debug + Send + Sync {
    /// Name, as reports show it.
    fn name(&self) -> &'static str;

    /// Fills in what `lead` lacks, from a source that can be named; never replaces a fact and never
    /// invents one. Answers why nothing could be looked up, if so.
    async fn enrich(&self, lead: &mut Lead) -> Result<(), String>;
}

/// Takes what the row itself implies: the company's domain from a business address.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileEnricher;

#[async_trait]
impl Enricher for FileEnricher {
    fn name(&self) -> &'static str {
        "file"
    }

    async fn enrich(&self, lead: &mut Lead) -> Result<(), String> {
        if lead.company.domain.is_empty() && !caio_core::record::is_free_mail(lead.key.domain()) {
            lead.key.domain().clone_into(&mut lead.company.domain);
        }
        Ok(())
    }
}

/// Providers that a lead's facts could come from, none of which is built yet.
pub const NOT_CONFIGURED: &[&str] = &["apollo", "bettercontact", "clay"];
