//! The decisions of the Python system, kept bit for bit, over plain JSON values.
//!
//! A script that still rests on an old answer gets it here, defects included; what fails with an
//! exception in Python fails with a [`CompatError`] that carries the exception's class. Nothing
//! else in `caio` decides by these functions: each names the defects it keeps (`docs/parity.md`)
//! and the corrected function beside it.

mod access;
mod batch;
mod eligibility;
mod keys;
mod labels;
mod mapping;
mod preview;
mod ramp;
mod segment;

pub use access::Environment;
pub use access::auth_allowlist;
pub use access::is_auth_exempt_path;
pub use access::is_strict;
pub use access::normalize_path;
pub use access::token_is_valid;
pub use batch::BatchFault;
pub use batch::BatchFaultKind;
pub use batch::validate_batch;
pub use eligibility::Folder;
pub use eligibility::is_lead_eligible;
pub use eligibility::migrate_legacy_dedup;
pub use keys::FileNameRule;
pub use keys::cadence_email_hash;
pub use keys::dedup_email_key;
pub use keys::email_to_filename;
pub use keys::normalize_email;
pub use labels::categorize_rejection;
pub use labels::priority_to_tier;
pub use mapping::heyreach_lead;
pub use mapping::heyreach_list_name;
pub use mapping::instantly_campaign_name;
pub use mapping::instantly_lead;
pub use preview::compute_preview_hash;
pub use ramp::ramp_status;
pub use ramp::warmup_schedule;
pub use segment::{Breakdown, Key, Member, Name, Segmented, segment_lead, segment_member};

/// An exception that the Python system would have raised.
pub use crate::pytext::PyException as CompatError;
