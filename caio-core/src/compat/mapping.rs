//! What the Python system handed to its providers, and how it named what it made there.

use jiff::civil::Date;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::CompatError;
use crate::pytext::dict_get;
use crate::pytext::is_truthy;
use crate::pytext::iterate;
use crate::pytext::str_of;
use crate::pytext::text_of;

/// The parts of a queued e-mail that both mappings read.
struct Parts<'a> {
    email: &'a Value,
    recipient: &'a Value,
    context: &'a Value,
    first_name: &'a str,
    last_name: &'a str,
}

/// A queued e-mail as a lead of Instantly; values as the record holds them.
///
/// Keeps IN-1 (the text that was approved is not among the variables), IN-3 (an empty `to` goes
/// through) and IN-7 (a null `recipient_data` or `context` raises an `AttributeError`, as a name
/// that is no text does). Corrected: the Instantly channel, which maps and checks before it
/// creates anything.
pub fn instantly_lead(shadow_email: &Value) -> Result<Value, CompatError> {
    with_parts(shadow_email, |parts| {
        json!({
            "email": or_empty(parts.email, "to"),
            "first_name": parts.first_name,
            "last_name": parts.last_name,
            "company": or_empty(parts.recipient, "company"),
            "custom_variables": {
                "title": or_empty(parts.recipient, "title"),
                "linkedin_url": or_empty(parts.recipient, "linkedin_url"),
                "icpScore": str_of(&or_empty(parts.context, "icp_score")),
                "icpTier": or_empty(parts.context, "icp_tier"),
                "sourceType": "pipeline",
                "campaignType": or_empty(parts.context, "campaign_type"),
                "ghl_contact_id": or_empty(parts.email, "contact_id"),
                "shadow_email_id": or_empty(parts.email, "email_id"),
                "pipeline_run_id": or_empty(parts.context, "pipeline_run_id"),
            },
        })
    })
}

/// A queued e-mail as a lead of HeyReach; values as the record holds them.
///
/// Keeps HR-6 (any text passes as a profile address) and the exceptions of [`instantly_lead`].
/// Corrected: the HeyReach channel.
pub fn heyreach_lead(shadow_email: &Value) -> Result<Value, CompatError> {
    with_parts(shadow_email, |parts| {
        json!({
            "linkedInUrl": or_empty(parts.recipient, "linkedin_url"),
            "firstName": parts.first_name,
            "lastName": parts.last_name,
            "companyName": or_empty(parts.recipient, "company"),
            "customUserFields": [
                {"name": "title", "value": or_empty(parts.recipient, "title")},
                {"name": "icpScore", "value": str_of(&or_empty(parts.context, "icp_score"))},
                {"name": "icpTier", "value": or_empty(parts.context, "icp_tier")},
                {"name": "email", "value": or_empty(parts.email, "to")},
                {"name": "shadowEmailId", "value": or_empty(parts.email, "email_id")},
                {"name": "source", "value": "caio_pipeline"},
            ],
        })
    })
}

fn with_parts(email: &Value, map: impl FnOnce(&Parts<'_>) -> Value) -> Result<Value, CompatError> {
    let nothing = Value::Object(Map::new());
    let recipient = dict_get(email, "recipient_data")?.unwrap_or(&nothing);
    let context = dict_get(email, "context")?.unwrap_or(&nothing);
    // Asking for any key tells an object from what has no `get`.
    dict_get(context, "icp_score")?;
    let name = match dict_get(recipient, "name")? {
        Some(name) if is_truthy(name) => text_of(name, "split")?,
        _ => "",
    };
    let (first_name, last_name) = name.split_once(' ').unwrap_or((name, ""));
    Ok(map(&Parts {
        email,
        recipient,
        context,
        first_name,
        last_name,
    }))
}

fn or_empty(record: &Value, key: &str) -> Value {
    record.get(key).cloned().unwrap_or(json!(""))
}

/// Name of the next campaign of a tier: `t1_pipeline_20260302_v2`.
///
/// `existing` is the list of campaigns recorded today, objects with a `name`. An `AttributeError`
/// for a tier that is no text or an entry without a usable name, a `TypeError` for no list.
///
/// Keeps IN-6: the number does not grow after a failure, so a retry meets the name (and the cached
/// answer) of the failed campaign. Corrected: names carry eight hex digits of the delivery.
pub fn instantly_campaign_name(
    tier: &Value,
    source: &Value,
    today: Date,
    existing: &Value,
) -> Result<String, CompatError> {
    let tier = short_tier(tier)?;
    let prefix = format!("{tier}_{}_{}", str_of(source), today.strftime("%Y%m%d"));
    numbered(&prefix, existing)
}

/// Name of the next HeyReach list of a tier: `caio_t1_20260302_v1`.
///
/// Fails as [`instantly_campaign_name`] does. Keeps HR-3: after a crash the same name is made
/// again. Corrected: names carry eight hex digits of the delivery.
pub fn heyreach_list_name(
    tier: &Value,
    today: Date,
    existing: &Value,
) -> Result<String, CompatError> {
    let tier = short_tier(tier)?;
    numbered(
        &format!("caio_{tier}_{}", today.strftime("%Y%m%d")),
        existing,
    )
}

fn short_tier(tier: &Value) -> Result<String, CompatError> {
    Ok(text_of(tier, "replace")?.replace("tier_", "t"))
}

/// `prefix` and the number after those that begin alike.
fn numbered(prefix: &str, existing: &Value) -> Result<String, CompatError> {
    let mut number = 1;
    for entry in iterate(existing)? {
        let begins_alike = match dict_get(&entry, "name")? {
            Some(name) => text_of(name, "startswith")?.starts_with(prefix),
            None => false,
        };
        number += u32::from(begins_alike);
    }
    Ok(format!("{prefix}_v{number}"))
}
