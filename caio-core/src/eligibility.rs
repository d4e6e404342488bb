//! Whether one message may go to one person: the same question for the preview and for the send.

use std::fmt;

use crate::draft::DraftStatus;
use crate::terms::{Medium, Step, Tier};

/// What is known about a message and its recipient at the moment of asking.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Canonical address, `""` where the record has none.
    pub recipient: &'a str,
    /// Why the person, domain or company is suppressed; `None` when it is not.
    pub suppressed: Option<&'a str>,
    /// Status of the lead as its record says; `None` without a record.
    pub lead_status: Option<&'a str>,
    /// The lead has answered at some time, whatever its status says now (CA-8).
    pub has_replied: bool,
    /// Why its cadence holds a follow-up back; `None` where it does not, and for every other step.
    pub held: Option<&'a str>,
    /// Somebody holds the touch of this person, medium and step.
    pub touched: bool,
    /// Medium.
    pub medium: Medium,
    /// Position in the cadence.
    pub step: Step,
    /// Where the draft stands.
    pub draft: DraftStatus,
    /// Tier of the message.
    pub tier: Tier,
    /// The only tier allowed now; `None` allows all.
    pub tier_filter: Option<Tier>,
    /// Made for a test, not for a person.
    pub synthetic: bool,
    /// A training or canary message.
    pub canary: bool,
    /// Whether the text is what a person approved.
    pub content: ContentCheck,
}

/// Whether the text is what a person approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentCheck {
    /// Nothing is sealed yet: the preview asks.
    NotSealed,
    /// The seal covers exactly this text.
    Sealed,
    /// The text was changed after approval.
    Changed,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Eligibility {
    /// It may go.
    Ok,
    /// It may not, for each of these reasons; at least one.
    Ineligible(Vec<Reason>),
}

/// Why a message may not go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It is a canary.
    Canary,
    /// The text was changed after approval.
    ContentChanged,
    /// The draft is not approved.
    DraftNotApproved(DraftStatus),
    /// The lead has answered.
    HasReplied,
    /// Its cadence does not have it now.
    Held(String),
    /// There is no address.
    NoAddress,
    /// The lead's status ends all contact.
    StatusEndsContact(String),
    /// The lead's status is none that we know.
    StatusUnknown(String),
    /// The address, domain or company is suppressed.
    Suppressed(String),
    /// It is synthetic.
    Synthetic,
    /// Another tier is allowed now.
    TierNotAllowed {
        /// Tier of the message.
        tier: Tier,
        /// The only tier allowed.
        allowed: Tier,
    },
    /// This touch was made, or is being made.
    Touched {
        /// Medium.
        medium: Medium,
        /// Position in the cadence.
        step: Step,
    },
}

/// Statuses that end all contact for good.
pub const TERMINAL_STATUSES: &[&str] = &["bounced", "unsubscribed", "rejected", "disqualified"];

/// Statuses of somebody who talks with us: a person answers, no sequence does.
pub const ANSWERED_STATUSES: &[&str] = &["replied", "meeting_booked", "linkedin_replied"];

/// Every other status that a lead record can have.
const OPEN_STATUSES: &[&str] = &[
    "pending",
    "approved",
    "dispatched",
    "sent",
    "opened",
    "ghosted",
    "stalled",
    "engaged_not_replied",
    "linkedin_sent",
    "linkedin_connected",
    "linkedin_exhausted",
    "revival_candidate",
    "revival_queued",
    "revival_sent",
    "unknown",
];

/// Whether `candidate` may be sent; all reasons where it may not.
///
/// Statuses are compared trimmed and lower-cased; one that nobody knows refuses.
pub fn eligible(candidate: &Candidate<'_>) -> Eligibility {
    let mut reasons = Vec::new();
    if candidate.recipient.trim().is_empty() {
        reasons.push(Reason::NoAddress);
    }
    if let Some(why) = candidate.suppressed {
        reasons.push(Reason::Suppressed(why.to_owned()));
    }
    reasons.extend(status_reason(candidate));
    if let Some(why) = candidate.held {
        reasons.push(Reason::Held(why.to_owned()));
    }
    if candidate.touched {
        reasons.push(Reason::Touched {
            medium: candidate.medium,
            step: candidate.step,
        });
    }
    if candidate.draft != DraftStatus::Approved {
        reasons.push(Reason::DraftNotApproved(candidate.draft));
    }
    if let Some(allowed) = candidate.tier_filter
        && candidate.tier != allowed
    {
        reasons.push(Reason::TierNotAllowed {
            tier: candidate.tier,
            allowed,
        });
    }
    if candidate.synthetic {
        reasons.push(Reason::Synthetic);
    }
    if candidate.canary {
        reasons.push(Reason::Canary);
    }
    if candidate.content == ContentCheck::Changed {
        reasons.push(Reason::ContentChanged);
    }
    if reasons.is_empty() {
        Eligibility::Ok
    } else {
        Eligibility::Ineligible(reasons)
    }
}

fn status_reason(candidate: &Candidate<'_>) -> Option<Reason> {
    let status = candidate
        .lead_status
        .map(|status| status.trim().to_lowercase());
    match status.as_deref() {
        Some(status) if TERMINAL_STATUSES.contains(&status) => {
            Some(Reason::StatusEndsContact(status.to_owned()))
        }
        Some(status) if ANSWERED_STATUSES.contains(&status) => Some(Reason::HasReplied),
        Some(status) if !OPEN_STATUSES.contains(&status) => {
            Some(Reason::StatusUnknown(status.to_owned()))
        }
        _ => candidate.has_replied.then_some(Reason::HasReplied),
    }
}

impl Eligibility {
    /// It may go.
    pub const fn is_ok(&self) -> bool {
        matches!(self, Self::Ok)
    }
}

impl Reason {
    /// Stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Canary => "ineligible.canary",
            Self::ContentChanged => "ineligible.content_changed",
            Self::DraftNotApproved(_) => "ineligible.draft_not_approved",
            Self::HasReplied => "ineligible.has_replied",
            Self::Held(_) => "ineligible.held",
            Self::NoAddress => "ineligible.no_address",
            Self::StatusEndsContact(_) => "ineligible.status_ends_contact",
            Self::StatusUnknown(_) => "ineligible.status_unknown",
            Self::Suppressed(_) => "ineligible.suppressed",
            Self::Synthetic => "ineligible.synthetic",
            Self::TierNotAllowed { .. } => "ineligible.tier_not_allowed",
            Self::Touched { .. } => "ineligible.touched",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Canary => f.write_str("a canary message never leaves"),
            Self::ContentChanged => f.write_str("the text was changed after approval"),
            Self::DraftNotApproved(status) => {
                write!(f, "the draft is {status}; expected approved")
            }
            Self::HasReplied => f.write_str("the lead has answered; a person takes over"),
            Self::Held(why) => f.write_str(why),
            Self::NoAddress => f.write_str("there is no e-mail address"),
            Self::StatusEndsContact(status) => write!(f, "the lead is {status}"),
            Self::StatusUnknown(status) => {
                write!(
                    f,
                    "the lead's status `{status}` is not known, so nothing is sent"
                )
            }
            Self::Suppressed(why) => write!(f, "suppressed: {why}"),
            Self::Synthetic => f.write_str("a synthetic lead is not a person"),
            Self::TierNotAllowed { tier, allowed } => {
                write!(f, "{tier} is not allowed now, only {allowed} is")
            }
            Self::Touched { medium, step } => {
                write!(f, "this person has step {step} on {medium} already")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn good() -> Candidate<'static> {
        Candidate {
            recipient: "kim@example.com",
            suppressed: None,
            lead_status: None,
            has_replied: false,
            held: None,
            touched: false,
            medium: Medium::Email,
            step: Step::FIRST,
            draft: DraftStatus::Approved,
            tier: Tier::One,
            tier_filter: Some(Tier::One),
            synthetic: false,
            canary: false,
            content: ContentCheck::Sealed,
        }
    }

    type Edit = fn(&mut Candidate<'static>);

    const FAULTS: &[(&str, Edit)] = &[
        ("ineligible.no_address", |c| c.recipient = " "),
        ("ineligible.suppressed", |c| {
            c.suppressed = Some("opt-out of 2 March");
        }),
        ("ineligible.status_ends_contact", |c| {
            c.lead_status = Some(" Unsubscribed ");
        }),
        ("ineligible.held", |c| {
            c.held = Some("the follow-up is paused");
        }),
        ("ineligible.touched", |c| c.touched = true),
        ("ineligible.draft_not_approved", |c| {
            c.draft = DraftStatus::Rejected;
        }),
        ("ineligible.tier_not_allowed", |c| c.tier = Tier::Two),
        ("ineligible.synthetic", |c| c.synthetic = true),
        ("ineligible.canary", |c| c.canary = true),
        ("ineligible.content_changed", |c| {
            c.content = ContentCheck::Changed;
        }),
    ];

    fn codes(candidate: &Candidate<'_>) -> Vec<&'static str> {
        match eligible(candidate) {
            Eligibility::Ok => Vec::new(),
            Eligibility::Ineligible(reasons) => reasons.iter().map(Reason::code).collect(),
        }
    }

    #[test]
    fn scenario_10_a_signal_after_approval_stops_the_send() {
        for status in TERMINAL_STATUSES {
            let candidate = Candidate {
                lead_status: Some(status),
                ..good()
            };
            assert_eq!(codes(&candidate), ["ineligible.status_ends_contact"]);
        }
        for status in ANSWERED_STATUSES {
            let candidate = Candidate {
                lead_status: Some(status),
                ..good()
            };
            assert_eq!(codes(&candidate), ["ineligible.has_replied"]);
        }
        for status in OPEN_STATUSES {
            let candidate = Candidate {
                lead_status: Some(status),
                ..good()
            };
            assert!(eligible(&candidate).is_ok(), "{status}");
        }
    }

    #[test]
    fn an_answer_counts_though_a_later_open_changed_the_status() {
        let candidate = Candidate {
            lead_status: Some("opened"),
            has_replied: true,
            ..good()
        };
        assert_eq!(codes(&candidate), ["ineligible.has_replied"]);
    }

    #[test]
    fn an_unknown_status_refuses() {
        let candidate = Candidate {
            lead_status: Some("frozen"),
            ..good()
        };
        assert_eq!(codes(&candidate), ["ineligible.status_unknown"]);
    }

    #[test]
    fn the_preview_asks_before_there_is_a_seal() {
        let candidate = Candidate {
            content: ContentCheck::NotSealed,
            tier_filter: None,
            ..good()
        };
        assert!(eligible(&candidate).is_ok());
    }

    proptest! {
        #[test]
        fn exactly_the_faults_are_named(mask in 0_u32..(1 << 10)) {
            let mut candidate = good();
            let mut expected = Vec::new();
            for (bit, (code, edit)) in FAULTS.iter().enumerate() {
                if mask & (1 << bit) != 0 {
                    edit(&mut candidate);
                    expected.push(*code);
                }
            }
            prop_assert_eq!(codes(&candidate), expected);
        }
    }
}
