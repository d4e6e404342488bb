//! A contact of the CRM, as the old system's cache keeps it.

use jiff::Timestamp;
use serde_json::Value;

use crate::batch::parse_instant;

/// Tags that name a stage, where no field does.
const STAGES: [&str; 6] = ["cold", "lost", "nurture", "warm", "hot", "new"];

/// Members that say when somebody was last active. The time of a sync is none of them (RV-3).
const ACTIVITY: [&str; 3] = ["dateLastActivity", "lastActivity", "dateUpdated"];

/// A contact. Texts are `""` where nothing is known.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Contact {
    /// Address.
    pub email: String,
    /// The CRM's id.
    pub id: String,
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
    /// Company.
    pub company: String,
    /// Job title.
    pub title: String,
    /// Stage of the pipeline.
    pub stage: String,
    /// Tags.
    pub tags: Vec<String>,
    /// The CRM's own mark that nobody may write.
    pub do_not_disturb: bool,
    /// When the contact was last active.
    pub last_activity: Option<Timestamp>,
    /// Tier, such as `tier_1`.
    pub tier: String,
    /// Score.
    pub score: Option<u32>,
}

/// A contact that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("contact {position}: {reason}")]
pub struct BadContact {
    /// Place in the list, from 1.
    pub position: usize,
    /// What is wrong, and what was expected.
    pub reason: &'static str,
}

impl Contact {
    /// Reads the contact at `position` of a list; members of another type say nothing (RV-5).
    ///
    /// # Errors
    /// What is no object, or names no address.
    pub fn read(position: usize, value: &Value) -> Result<Self, BadContact> {
        let bad = |reason| BadContact { position, reason };
        if !value.is_object() {
            return Err(bad("expected an object"));
        }
        let email = text(value, &["email"]);
        if !email.contains('@') {
            return Err(bad("there is no `email`"));
        }
        let own = |name: &str| custom(value, name);
        let or = |text: String, other: String| if text.is_empty() { other } else { text };
        let tags: Vec<String> = value
            .get("tags")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        let stage = or(
            text(value, &["pipeline_stage", "pipelineStage"]),
            own("pipeline_stage"),
        );
        let tagged = tags.iter().map(|tag| tag.trim().to_lowercase());
        let tagged = tagged
            .into_iter()
            .find(|tag| STAGES.contains(&tag.as_str()));
        Ok(Self {
            id: text(value, &["id", "contact_id"]),
            first_name: text(value, &["firstName", "first_name"]),
            last_name: text(value, &["lastName", "last_name"]),
            company: text(value, &["companyName", "company"]),
            title: or(text(value, &["title"]), own("title")),
            stage: or(stage, tagged.unwrap_or_default()),
            do_not_disturb: disturbs_not(value),
            last_activity: ACTIVITY
                .iter()
                .find_map(|member| instant(value.get(member)?)),
            tier: own("icp_tier"),
            score: own("icp_score").parse().ok(),
            email,
            tags,
        })
    }
}

fn text(value: &Value, members: &[&str]) -> String {
    let found = members.iter().find_map(|member| match value.get(member)? {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    });
    found.unwrap_or_default()
}

/// A custom field: `{"name": value}`, or a list of `{"key" | "name" | "id", "value"}`.
fn custom(value: &Value, name: &str) -> String {
    let fields = value
        .get("customFields")
        .or_else(|| value.get("customField"));
    match fields {
        Some(fields @ Value::Object(_)) => text(fields, &[name]),
        Some(Value::Array(fields)) => {
            let is_it = |field: &&Value| {
                ["key", "name", "fieldKey", "id"].iter().any(|member| {
                    let given = field.get(member).and_then(Value::as_str).unwrap_or("");
                    given == name || given.strip_prefix("contact.") == Some(name)
                })
            };
            let field = fields.iter().find(is_it);
            field.map_or_else(String::new, |it| text(it, &["value", "fieldValue"]))
        }
        _ => String::new(),
    }
}

/// `dnd: true`, or one of `dndSettings` that is active for e-mail or for everything.
fn disturbs_not(value: &Value) -> bool {
    let setting = |channel: &str| {
        let status = value.pointer(&format!("/dndSettings/{channel}/status"));
        matches!(status.and_then(Value::as_str), Some("active" | "permanent"))
    };
    value.get("dnd") == Some(&Value::Bool(true))
        || ["Email", "email", "all", "All"]
            .iter()
            .any(|it| setting(it))
}

/// Text of a time, or milliseconds since 1970.
fn instant(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => parse_instant(text).or_else(|| {
            let day: jiff::civil::Date = text.parse().ok()?;
            Some(day.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
        }),
        Value::Number(number) => Timestamp::from_millisecond(number.as_i64()?).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_old_cache_is_read_and_a_bad_member_costs_itself() {
        let contact = Contact::read(1, &json!({
            "id": "c-1", "email": " Kim@Example.com ", "firstName": "Kim", "lastName": null,
            "companyName": "Acme", "tags": ["Nurture", null, 3], "_synced_at": "2026-06-01T00:00:00Z",
            "customFields": [{"key": "contact.title", "value": "COO"}, {"id": "icp_tier", "value": "tier_1"}],
            "lastActivity": "2026-03-01T10:00:00Z",
        }))
        .unwrap();
        assert_eq!(
            (contact.email.as_str(), contact.title.as_str()),
            ("Kim@Example.com", "COO")
        );
        assert_eq!(
            (contact.stage.as_str(), contact.tier.as_str()),
            ("nurture", "tier_1")
        );
        assert_eq!(contact.tags, ["Nurture"]);
        assert!(contact.last_activity.is_some());
        let synced = json!({"email": "kim@example.com", "_synced_at": "2026-06-01T00:00:00Z"});
        assert_eq!(Contact::read(1, &synced).unwrap().last_activity, None);
        let map =
            json!({"email": "a@b.test", "customFields": {"pipeline_stage": "Cold"}, "dnd": true});
        let map = Contact::read(1, &map).unwrap();
        assert_eq!((map.stage.as_str(), map.do_not_disturb), ("Cold", true));
        assert_eq!(
            Contact::read(7, &json!({"email": null}))
                .unwrap_err()
                .position,
            7
        );
        assert!(Contact::read(1, &json!("kim")).is_err());
    }
}
