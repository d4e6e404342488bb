//! The letters of the old system's queue: to whom, what they say, and what was decided when.

use std::io;
use std::path::Path;

use caio_core::EmailKey;
use caio_core::batch::parse_instant;
use caio_core::terms::Tier;
use jiff::Timestamp;
use serde_json::Value;

use super::Fault;
use super::facts::{is_set, text};
use super::files::Files;

/// A letter of `shadow_mode_emails/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Its file.
    pub file: String,
    /// Its id in batches: the file's name without its ending, or the id inside.
    pub ids: Vec<String>,
    /// To whom.
    pub to: EmailKey,
    /// Name of the recipient, or `""`.
    pub name: String,
    /// Company of the recipient, or `""`.
    pub company: String,
    /// Tier; the lowest where the record names none.
    pub tier: Tier,
    /// Score, 0 to 100.
    pub score: u32,
    /// Subject.
    pub subject: String,
    /// Body.
    pub body: String,
    /// Made for a test.
    pub synthetic: bool,
    /// When a person approved it, and who.
    pub approved: Option<(Timestamp, String)>,
    /// When a person rejected it.
    pub rejected: Option<Timestamp>,
    /// The Instantly campaign that it went into.
    pub campaign: Option<String>,
}

/// The letters of a folder, by file name, and what could not be read of them.
///
/// # Errors
/// When it is no folder that can be read.
pub fn letters(root: &Path) -> io::Result<(Vec<Letter>, Vec<Fault>)> {
    let mut files = Files::new(root)?;
    let mut letters = Vec::new();
    for (file, record) in files.objects("shadow_mode_emails") {
        match letter(&file, &record) {
            Ok(letter) => letters.push(letter),
            Err(reason) => files.fault(&file, None, reason),
        }
    }
    Ok((letters, files.faults))
}

fn letter(file: &str, record: &Value) -> Result<Letter, &'static str> {
    let to = EmailKey::parse(text(record, "to")).map_err(|_| "`to` holds no address")?;
    if text(record, "body").is_empty() {
        return Err("`body` holds no text");
    }
    let stem = file.rsplit('/').next().unwrap_or_default();
    let stem = stem.strip_suffix(".json").unwrap_or(stem);
    let mut ids = vec![stem.to_owned()];
    let id = text(record, "email_id");
    if !id.is_empty() && id != stem {
        ids.push(id.to_owned());
    }
    let none = Value::Null;
    let person = record.get("recipient_data").unwrap_or(&none);
    let context = record.get("context").unwrap_or(&none);
    let tier = [text(record, "tier"), text(context, "icp_tier")];
    let score = context.get("icp_score").and_then(Value::as_f64);
    let instant = |member: &str| parse_instant(text(record, member));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 100"
    )]
    let score = score.unwrap_or(0.0).clamp(0.0, 100.0) as u32;
    Ok(Letter {
        file: file.to_owned(),
        ids,
        to,
        name: text(person, "name").to_owned(),
        company: text(person, "company").to_owned(),
        tier: tier
            .iter()
            .find_map(|it| it.parse().ok())
            .unwrap_or(Tier::Four),
        score,
        subject: text(record, "subject").to_owned(),
        body: text(record, "body").to_owned(),
        synthetic: is_set(record, "synthetic"),
        approved: instant("approved_at").map(|at| (at, text(record, "approved_by").to_owned())),
        rejected: instant("rejected_at"),
        campaign: is_set(record, "instantly_campaign_id")
            .then(|| text(record, "instantly_campaign_id").to_owned()),
    })
}
