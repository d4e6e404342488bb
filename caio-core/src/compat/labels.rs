//! Words that the old dashboard derived from texts.

use serde_json::Value;

use super::CompatError;
use crate::pytext::is_truthy;
use crate::pytext::py_strip;
use crate::pytext::text_of;

/// Categories with the fragments that lead to them; the first that occurs wins.
const CATEGORIES: [(&str, &[&str]); 6] = [
    ("tone_issue", &["tone", "formal", "casual", "aggressive"]),
    (
        "accuracy_issue",
        &["wrong", "incorrect", "inaccurate", "fact"],
    ),
    ("length_issue", &["long", "short", "verbose", "brief"]),
    (
        "personalization_issue",
        &["personal", "generic", "template"],
    ),
    ("subject_issue", &["subject", "headline", "title"]),
    ("cta_issue", &["cta", "call to action", "ask"]),
];

/// Category of a rejection, guessed from its reason; `other` when nothing fits.
///
/// An `AttributeError` for a reason that is neither text nor empty. Keeps that fragments match
/// inside words ("task" is read as a call to action). Corrected:
/// [`crate::rejection::RejectionTag`], chosen by the reviewer.
pub fn categorize_rejection(reason: &Value) -> Result<&'static str, CompatError> {
    if !is_truthy(reason) {
        return Ok("other");
    }
    let reason = text_of(reason, "lower")?.to_lowercase();
    Ok(CATEGORIES
        .into_iter()
        .find(|(_, fragments)| fragments.iter().any(|fragment| reason.contains(fragment)))
        .map_or("other", |(category, _)| category))
}

/// Tier that the dashboard showed for a priority: high is `tier_1`, medium `tier_2`, all else
/// `tier_3`.
///
/// An `AttributeError` for a priority that is neither text nor empty. Keeps that an unknown word
/// passes as the lowest priority. Corrected: the tier is stored with score and draft.
pub fn priority_to_tier(priority: &Value) -> Result<&'static str, CompatError> {
    if !is_truthy(priority) {
        return Ok("tier_3");
    }
    let priority = text_of(priority, "strip")?;
    Ok(match py_strip(priority).to_lowercase().as_str() {
        "high" => "tier_1",
        "medium" => "tier_2",
        _ => "tier_3",
    })
}
