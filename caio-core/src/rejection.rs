//! Why a reviewer said no: one of twelve tags and a reason in words, both required.
//!
//! The Python system guessed a category from free text
//! ([`crate::compat::categorize_rejection`]); what is learnt from rejections needs the reviewer's
//! own choice.

use serde::Deserialize;
use serde::Serialize;

use crate::pytext::py_strip;
use crate::terms::UnknownTerm;
use crate::terms::terms;

terms! {
    /// What was wrong with a draft.
    RejectionTag, "rejection tag",
    "personalization_mismatch, icp_mismatch, campaign_mismatch, tone_style_issue, factual_inaccuracy, weak_subject, weak_cta, length_issue, compliance_issue, placeholder_or_rendering_issue, queue_hygiene_non_actionable, other" {
        /// It does not fit the person.
        PersonalizationMismatch = "personalization_mismatch",
        /// The person is no customer of ours to be.
        IcpMismatch = "icp_mismatch",
        /// The wrong campaign for the person.
        CampaignMismatch = "campaign_mismatch",
        /// Tone or style.
        ToneStyleIssue = "tone_style_issue",
        /// It says something untrue.
        FactualInaccuracy = "factual_inaccuracy",
        /// The subject would not be opened.
        WeakSubject = "weak_subject",
        /// It asks for nothing, or for too much.
        WeakCta = "weak_cta",
        /// Too long or too short.
        LengthIssue = "length_issue",
        /// It breaks a law or a rule of deliverability.
        ComplianceIssue = "compliance_issue",
        /// A placeholder is left, or it renders wrongly.
        PlaceholderOrRenderingIssue = "placeholder_or_rendering_issue",
        /// It should not have been in the queue.
        QueueHygieneNonActionable = "queue_hygiene_non_actionable",
        /// Anything else; the reason says what.
        Other = "other",
    }
}

impl RejectionTag {
    /// The tag nearest to a category of the Python system, to carry old rejections over.
    pub fn from_old_category(category: &str) -> Self {
        match category {
            "tone_issue" => Self::ToneStyleIssue,
            "accuracy_issue" => Self::FactualInaccuracy,
            "length_issue" => Self::LengthIssue,
            "personalization_issue" => Self::PersonalizationMismatch,
            "subject_issue" => Self::WeakSubject,
            "cta_issue" => Self::WeakCta,
            _ => Self::Other,
        }
    }
}

/// A tag and a reason, as every rejection carries them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct RejectionReason {
    tag: RejectionTag,
    reason: String,
}

/// The same before it was checked.
#[derive(Deserialize)]
struct Unchecked {
    #[serde(default)]
    tag: String,
    #[serde(default)]
    reason: String,
}

impl TryFrom<Unchecked> for RejectionReason {
    type Error = IncompleteRejection;
    fn try_from(given: Unchecked) -> Result<Self, IncompleteRejection> {
        Self::parse(&given.tag, &given.reason)
    }
}

/// A rejection that does not say why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IncompleteRejection {
    /// No reason in words.
    #[error("a rejection needs a reason; say in a few words what is wrong with the draft")]
    ReasonMissing,
    /// No tag.
    #[error("a rejection needs a tag; expected one of: {}", tags())]
    TagMissing,
    /// A tag that is none of the twelve.
    #[error(transparent)]
    TagUnknown(#[from] UnknownTerm),
}

impl IncompleteRejection {
    /// Stable code of this error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ReasonMissing => "rejection.reason_missing",
            Self::TagMissing => "rejection.tag_missing",
            Self::TagUnknown(_) => "rejection.tag_unknown",
        }
    }
}

impl RejectionReason {
    /// Reads tag and reason, both without outer white space; refuses either missing and a tag
    /// that is none of the twelve.
    pub fn parse(tag: &str, reason: &str) -> Result<Self, IncompleteRejection> {
        let (tag, reason) = (py_strip(tag), py_strip(reason));
        if tag.is_empty() {
            return Err(IncompleteRejection::TagMissing);
        }
        let tag = tag.parse()?;
        if reason.is_empty() {
            return Err(IncompleteRejection::ReasonMissing);
        }
        Ok(Self {
            tag,
            reason: reason.to_owned(),
        })
    }

    /// What was wrong.
    pub const fn tag(&self) -> RejectionTag {
        self.tag
    }

    /// The reviewer's words, never empty.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

fn tags() -> String {
    RejectionTag::ALL
        .iter()
        .map(|tag| tag.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_and_reason_are_both_required() {
        let code = |tag, reason| RejectionReason::parse(tag, reason).map_err(|e| e.code());
        assert_eq!(code("", "too long"), Err("rejection.tag_missing"));
        assert_eq!(code("length", "too long"), Err("rejection.tag_unknown"));
        assert_eq!(code("length_issue", " \n"), Err("rejection.reason_missing"));
        let rejection = RejectionReason::parse(" length_issue ", " too long ").unwrap();
        assert_eq!(rejection.tag(), RejectionTag::LengthIssue);
        assert_eq!(rejection.reason(), "too long");
    }

    #[test]
    fn an_unknown_tag_names_the_twelve() {
        assert_eq!(RejectionTag::ALL.len(), 12);
        let message = RejectionReason::parse("spam", "x").unwrap_err().to_string();
        for tag in RejectionTag::ALL {
            assert!(message.contains(tag.as_str()), "{message}");
        }
        assert!(message.contains(&tags()));
    }

    #[test]
    fn a_stored_rejection_is_checked_again_when_read() {
        let read = |text| serde_json::from_str::<RejectionReason>(text);
        let json = serde_json::to_string(&RejectionReason::parse("other", "x").unwrap()).unwrap();
        assert_eq!(json, r#"{"tag":"other","reason":"x"}"#);
        assert_eq!(read(&json).unwrap().reason(), "x");
        assert!(read(r#"{"tag":"other"}"#).is_err());
    }

    #[test]
    fn old_categories_have_a_tag() {
        assert_eq!(
            RejectionTag::from_old_category("cta_issue"),
            RejectionTag::WeakCta
        );
        assert_eq!(
            RejectionTag::from_old_category("no_reason"),
            RejectionTag::Other
        );
    }
}
