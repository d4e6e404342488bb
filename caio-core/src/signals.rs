//! What is known of a lead from its signals: opens, replies, bounces, opt-outs, LinkedIn.
//!
//! The Python system kept one status, and every signal overwrote it: an image that was loaded after
//! an opt-out made the lead eligible again (LS-1). Here the facts that forbid or end contact are
//! sticky and apart from the stage of the conversation. What is known does not depend on the order
//! in which signals arrive, nor on how often one arrives (CP10).

mod record;

use std::collections::BTreeSet;

use crate::eligibility::{ANSWERED_STATUSES, TERMINAL_STATUSES};

pub use record::{Decay, Seen, apply, facts_of, next_decay};

/// One thing that happened, as a record keeps it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signal {
    /// When, as text that sorts by time.
    pub at: String,
    /// Who reported it, such as `instantly_webhook:open`.
    pub source: String,
    /// Status that it stands for; `""` for one that changes none, such as an absence note.
    pub status: String,
    /// What came with it, as canonical JSON; tells two signals of one instant apart.
    pub data: String,
}

/// What is known of a lead.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Why contact has ended for good: the weightiest of the terminal statuses.
    pub ended: Option<&'static str>,
    /// The lead talks with us: the weightiest of the answers.
    pub answered: Option<&'static str>,
    /// Last stage that is neither.
    pub stage: Option<String>,
    /// E-mails opened, each time counted (LS-5).
    pub opens: u64,
    /// Answers on any medium.
    pub replies: u64,
    /// Accepted our connection on LinkedIn.
    pub connected: bool,
}

/// Opens from which on somebody is interested.
pub const ENGAGED_OPENS: u64 = 2;

/// Ends of contact, weightiest first.
const ENDS: [&str; 4] = ["unsubscribed", "bounced", "disqualified", "rejected"];

/// Answers, weightiest first.
const ANSWERS: [&str; 3] = ["meeting_booked", "replied", "linkedin_replied"];

/// Statuses in which a lead may be written to anew after a long silence (LS-6).
const REVIVABLE: [&str; 4] = ["ghosted", "stalled", "linkedin_exhausted", "unknown"];

/// What `signals` say together, in whatever order and however often each is given.
pub fn reduce<'a>(signals: impl IntoIterator<Item = &'a Signal>) -> Facts {
    let distinct: BTreeSet<&Signal> = signals.into_iter().collect();
    let mut facts = Facts::default();
    for signal in distinct {
        facts.take(signal);
    }
    facts
}

impl Facts {
    /// Takes one more, later than all before.
    fn take(&mut self, signal: &Signal) {
        let status = signal.status.as_str();
        if status.is_empty() {
            return;
        }
        self.note(status);
        match status {
            "opened" | "engaged_not_replied" if signal.source.ends_with(":open") => self.opens += 1,
            "replied" | "linkedin_replied" => self.replies += 1,
            "linkedin_connected" => self.connected = true,
            _ => {}
        }
        if !TERMINAL_STATUSES.contains(&status) && !ANSWERED_STATUSES.contains(&status) {
            self.stage = Some(status.to_owned());
        }
    }

    /// Keeps what a status says for good.
    pub(crate) fn note(&mut self, status: &str) {
        let heavier = |list: &[&'static str], known: Option<&str>| -> Option<&'static str> {
            let rank = |status: &str| list.iter().position(|it| *it == status);
            let new = rank(status)?;
            let old = known.and_then(rank).unwrap_or(list.len());
            list.get(new.min(old)).copied()
        };
        self.ended = heavier(&ENDS, self.ended).or(self.ended);
        self.answered = heavier(&ANSWERS, self.answered).or(self.answered);
    }

    /// The one status that records show: an end over an answer over a stage.
    pub fn status(&self) -> &str {
        if let Some(status) = self.ended.or(self.answered) {
            return status;
        }
        match self.stage.as_deref() {
            Some("opened") if self.opens >= ENGAGED_OPENS => "engaged_not_replied",
            Some(stage) => stage,
            None => "unknown",
        }
    }

    /// Whether the lead has answered at some time.
    pub const fn has_replied(&self) -> bool {
        self.answered.is_some() || self.replies > 0
    }

    /// Whether somebody may write to the lead anew: it has neither ended contact, nor answered, nor
    /// is it in any programme.
    pub fn is_revivable(&self) -> bool {
        self.ended.is_none() && !self.has_replied() && REVIVABLE.contains(&self.status())
    }
}

/// Whether a reply was written by a machine while its owner is away: it ends no sequence.
///
/// Only openings that such notes have are taken for one, since a person's answer taken for a note
/// would be written over.
pub fn is_absence_note(text: &str) -> bool {
    const OPENINGS: [&str; 9] = [
        "automatic reply",
        "auto-reply",
        "autoreply",
        "auto reply",
        "automatische antwort",
        "out of office",
        "out-of-office",
        "i am out of the office",
        "i am currently out of the office",
    ];
    let text = text.trim_start().to_lowercase();
    let text = text
        .strip_prefix("re:")
        .map_or(text.as_str(), str::trim_start);
    OPENINGS.iter().any(|opening| text.starts_with(opening))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn signal(at: u32, status: &str) -> Signal {
        let source = match status {
            "opened" => "instantly_webhook:open",
            _ => "test",
        };
        Signal {
            at: format!("2026-03-02T10:00:{at:02}"),
            source: source.to_owned(),
            status: status.to_owned(),
            data: String::new(),
        }
    }

    fn status(statuses: &[&str]) -> String {
        let signals: Vec<Signal> = (0..).zip(statuses).map(|(at, it)| signal(at, it)).collect();
        reduce(&signals).status().to_owned()
    }

    #[test]
    fn what_ends_contact_is_never_taken_back() {
        assert_eq!(status(&["sent", "unsubscribed", "opened"]), "unsubscribed");
        assert_eq!(
            status(&["bounced", "unsubscribed", "replied"]),
            "unsubscribed"
        );
        assert_eq!(
            status(&["replied", "opened", "linkedin_exhausted"]),
            "replied"
        );
        assert_eq!(
            status(&["replied", "meeting_booked", "linkedin_replied"]),
            "meeting_booked"
        );
        assert_eq!(status(&["meeting_booked", "unsubscribed"]), "unsubscribed");
    }

    #[test]
    fn stages_follow_each_other_and_every_open_counts() {
        assert_eq!(status(&[]), "unknown");
        assert_eq!(status(&["sent", "opened"]), "opened");
        assert_eq!(status(&["opened", "opened"]), "engaged_not_replied");
        assert_eq!(status(&["opened", "stalled"]), "stalled");
        let opens: Vec<Signal> = (0..3).map(|at| signal(at, "opened")).collect();
        assert_eq!(reduce(&opens).opens, 3);
    }

    #[test]
    fn an_absence_note_is_no_reply() {
        assert!(is_absence_note(" Automatic reply: away until Monday"));
        assert!(is_absence_note("Re: Out of office"));
        assert!(!is_absence_note("Thanks, I was out of office. Call me"));
        assert!(!is_absence_note(""));
        assert_eq!(status(&["sent", ""]), "sent");
    }

    #[test]
    fn who_talks_or_is_in_a_programme_is_not_revived() {
        for (statuses, expected) in [
            (&["ghosted"][..], true),
            (&["opened", "stalled"], true),
            (&["replied", "stalled"], false),
            (&["unsubscribed", "ghosted"], false),
            (&["meeting_booked"], false),
            (&["revival_queued"], false),
            (&["opened", "opened"], false),
        ] {
            let signals: Vec<Signal> = (0..).zip(statuses).map(|(at, it)| signal(at, it)).collect();
            assert_eq!(reduce(&signals).is_revivable(), expected, "{statuses:?}");
        }
    }

    proptest! {
        #[test]
        fn order_and_repetition_change_nothing(
            statuses in prop::collection::vec(
                prop::sample::select(vec![
                    "", "sent", "opened", "replied", "linkedin_connected", "bounced", "unsubscribed",
                    "meeting_booked", "ghosted", "linkedin_replied", "rejected",
                ]), 0..8),
            order in any::<prop::sample::Index>(),
            seed in any::<u64>(),
        ) {
            let signals: Vec<Signal> = (0..).zip(&statuses).map(|(at, it)| signal(at, it)).collect();
            let expected = reduce(&signals);
            let mut shuffled = signals.clone();
            shuffled.extend(signals.iter().cloned());
            let mut state = seed | 1;
            for at in (1..shuffled.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                shuffled.swap(at, usize::try_from(state >> 33).unwrap() % (at + 1));
            }
            prop_assert_eq!(&reduce(&shuffled), &expected);
            // A prefix never knows more of what is final than the whole.
            let part = reduce(&signals[..order.index(signals.len() + 1)]);
            prop_assert!(part.ended.is_none() || expected.ended.is_some());
            prop_assert!(part.answered.is_none() || expected.answered.is_some());
        }
    }
}
