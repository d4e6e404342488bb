//! The 21-day cadence as data: which step comes on which day, on which medium, on what condition.

mod plan;
mod progress;

pub use plan::{BadPlan, Plan, PlanStep};
pub use progress::{
    Next, ProgressFault, Record, Synced, against, done, due_day, enrolled, exited, next, passed,
    paused, resumed, synced,
};

use crate::terms::{Medium, Step, terms};

terms! {
    /// What must hold for a step to be taken; otherwise it is passed over.
    Condition, "cadence condition", "always, has_linkedin_url, not_replied, linkedin_connected" {
        /// Nothing.
        Always = "always",
        /// The lead's profile is known.
        HasLinkedInUrl = "has_linkedin_url",
        /// The lead has not answered on any medium.
        NotReplied = "not_replied",
        /// The lead accepted our connection.
        LinkedInConnected = "linkedin_connected",
    }
}

terms! {
    /// What a step does; names the text that is written for it.
    Action, "cadence action",
    "intro, connect, value_followup, message, social_proof, followup_message, breakup, close" {
        /// First e-mail.
        Intro = "intro",
        /// Connection request.
        Connect = "connect",
        /// E-mail with something of use.
        ValueFollowup = "value_followup",
        /// First LinkedIn message.
        Message = "message",
        /// E-mail about others in the same place.
        SocialProof = "social_proof",
        /// Second LinkedIn message.
        FollowupMessage = "followup_message",
        /// E-mail that offers to stop.
        Breakup = "breakup",
        /// Last e-mail.
        Close = "close",
    }
}

impl Action {
    /// What it does, for lists.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Intro => "first e-mail",
            Self::Connect => "connection request",
            Self::ValueFollowup => "e-mail with something of use",
            Self::Message => "first LinkedIn message",
            Self::SocialProof => "e-mail about how a project runs",
            Self::FollowupMessage => "second LinkedIn message",
            Self::Breakup => "e-mail that offers to stop",
            Self::Close => "last e-mail",
        }
    }
}

/// One step of a cadence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CadenceStep {
    /// Position, from 1.
    pub step: Step,
    /// Day, 1 being the day of the first touch.
    pub day: u32,
    /// Medium.
    pub medium: Medium,
    /// What it does.
    pub action: Action,
    /// When it is taken.
    pub condition: Condition,
}

/// A sequence of touches over some days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cadence {
    /// Name in records.
    pub id: &'static str,
    /// Steps in order of day.
    pub steps: &'static [CadenceStep],
    /// Lead statuses that end it.
    pub exit_on: &'static [&'static str],
    /// Lead statuses that hold it.
    pub pause_on: &'static [&'static str],
}

/// The cadence of the house: eight touches in 21 days.
///
/// `disqualified` ends it too, which the Python system's list left out (CA-12).
pub const DEFAULT_21DAY: Cadence = Cadence {
    id: "default_21day",
    steps: &[
        step(1, 1, Medium::Email, Action::Intro, Condition::Always),
        step(
            2,
            2,
            Medium::LinkedIn,
            Action::Connect,
            Condition::HasLinkedInUrl,
        ),
        step(
            3,
            5,
            Medium::Email,
            Action::ValueFollowup,
            Condition::NotReplied,
        ),
        step(
            4,
            7,
            Medium::LinkedIn,
            Action::Message,
            Condition::LinkedInConnected,
        ),
        step(
            5,
            10,
            Medium::Email,
            Action::SocialProof,
            Condition::NotReplied,
        ),
        step(
            6,
            14,
            Medium::LinkedIn,
            Action::FollowupMessage,
            Condition::LinkedInConnected,
        ),
        step(7, 17, Medium::Email, Action::Breakup, Condition::NotReplied),
        step(8, 21, Medium::Email, Action::Close, Condition::NotReplied),
    ],
    exit_on: &[
        "replied",
        "meeting_booked",
        "bounced",
        "unsubscribed",
        "linkedin_replied",
        "rejected",
        "disqualified",
    ],
    pause_on: &["engaged_not_replied"],
};

/// A cadence that is not defined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no cadence `{given}`; expected default_21day")]
pub struct UnknownCadence {
    /// The name that was given.
    pub given: String,
}

impl UnknownCadence {
    /// Stable code.
    pub const CODE: &'static str = "cadence.unknown";
}

impl Cadence {
    /// The cadence of that name; refuses every other.
    pub fn named(id: &str) -> Result<&'static Self, UnknownCadence> {
        if id == DEFAULT_21DAY.id {
            Ok(&DEFAULT_21DAY)
        } else {
            Err(UnknownCadence {
                given: id.to_owned(),
            })
        }
    }

    /// The definition of `step`.
    pub fn step(&self, step: Step) -> Option<&'static CadenceStep> {
        self.steps.iter().find(|defined| defined.step == step)
    }

    /// The first step after `step`; `None` after the last.
    pub fn after(&self, step: Step) -> Option<&'static CadenceStep> {
        self.steps.iter().find(|defined| defined.step > step)
    }
}

const fn step(
    step: u32,
    day: u32,
    medium: Medium,
    action: Action,
    condition: Condition,
) -> CadenceStep {
    CadenceStep {
        step: Step(step),
        day,
        medium,
        action,
        condition,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eligibility::{ANSWERED_STATUSES, TERMINAL_STATUSES};

    #[test]
    fn eight_steps_in_order_ending_on_day_21() {
        let steps = DEFAULT_21DAY.steps;
        assert_eq!(steps.len(), 8);
        assert!(steps.is_sorted_by(|a, b| a.step < b.step && a.day < b.day));
        assert_eq!(steps.last().map(|last| last.day), Some(21));
        let linkedin: Vec<_> = steps
            .iter()
            .filter(|step| step.medium == Medium::LinkedIn)
            .map(|step| step.step.0)
            .collect();
        assert_eq!(linkedin, [2, 4, 6]);
        assert_eq!(steps[0].condition, Condition::Always);
    }

    #[test]
    fn walking_reaches_the_end() {
        let mut at = Step(0);
        let mut days = Vec::new();
        while let Some(next) = DEFAULT_21DAY.after(at) {
            assert_eq!(DEFAULT_21DAY.step(next.step), Some(next));
            days.push(next.day);
            at = next.step;
        }
        assert_eq!(days, [1, 2, 5, 7, 10, 14, 17, 21]);
        assert!(Cadence::named("default_30day").is_err());
    }

    #[test]
    fn whatever_forbids_contact_ends_the_cadence() {
        for status in TERMINAL_STATUSES.iter().chain(ANSWERED_STATUSES) {
            assert!(DEFAULT_21DAY.exit_on.contains(status), "{status}");
        }
    }
}
