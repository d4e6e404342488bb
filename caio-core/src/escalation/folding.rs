//! Repeated alerts are folded: one message a window, and the next one says how many there were.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Folds, Level, Subject};
use crate::identity::hex;

/// How long the same alert is folded into the first one, unless configured.
pub const FOLD_WINDOW: SignedDuration = SignedDuration::from_mins(15);

/// What has been said about one thing, kept by its fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fold {
    /// The alert that was raised last.
    pub alert: String,
    /// Its kind; another one of the same topic is never folded: stopped, resumed, stopped.
    pub kind: String,
    /// Its level; a louder one is never folded.
    pub level: Level,
    /// Until when the same is folded; absent for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Folded since.
    #[serde(default)]
    pub folded: u32,
}

/// What becomes of something that is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Raised {
    /// It is told, under the id that was given.
    Told {
        /// What is kept.
        fold: Fold,
        /// How many of the same were folded before it, to be said in it.
        folded: u32,
    },
    /// It is folded into the last one; what is kept, where that changes.
    Folded(Option<Fold>),
}

/// Names what an alert is about: source, kind and subject, without any number that changes.
pub fn fingerprint(subject: &Subject) -> String {
    let mut hash = Sha256::new();
    for part in [subject.source(), subject.topic(), &subject.identity()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hex(&hash.finalize()[..12])
}

/// Decides whether `subject` is told as the alert `id`, given what was said about it `before`.
pub fn raise(
    before: Option<&Fold>,
    subject: &Subject,
    id: &str,
    now: Timestamp,
    window: SignedDuration,
) -> Raised {
    let level = subject.level();
    let folds = subject.folds();
    if let Some(fold) = before
        && level <= fold.level
        && fold.kind == subject.kind()
        && fold.until.is_none_or(|until| now < until)
    {
        // A state that is looked at again and again did not happen again.
        let counts = folds == Folds::Window;
        return Raised::Folded(counts.then(|| Fold {
            folded: fold.folded.saturating_add(1),
            ..fold.clone()
        }));
    }
    let until = match folds {
        Folds::Once => None,
        Folds::Window => Some(now.checked_add(window).unwrap_or(Timestamp::MAX)),
    };
    Raised::Told {
        fold: Fold {
            alert: id.to_owned(),
            kind: subject.kind().to_owned(),
            level,
            until,
            folded: 0,
        },
        folded: before.map_or(0, |fold| fold.folded),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::terms::Provider;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_772_452_800 + minute * 60).unwrap()
    }

    fn breaker() -> Subject {
        Subject::BreakerOpened {
            provider: Provider::Instantly,
        }
    }

    #[test]
    fn the_same_is_told_once_a_window_and_the_next_says_how_many() {
        let mut kept: Option<Fold> = None;
        let mut told = Vec::new();
        for minute in [0, 1, 14, 15, 16, 40] {
            match raise(kept.as_ref(), &breaker(), "a", at(minute), FOLD_WINDOW) {
                Raised::Told { fold, folded } => {
                    told.push((minute, folded));
                    kept = Some(fold);
                }
                Raised::Folded(fold) => kept = fold,
            }
        }
        assert_eq!(told, [(0, 0), (15, 2), (40, 1)]);
    }

    #[test]
    fn numbers_that_change_do_not_make_it_another() {
        let full = |window: &str| Subject::LimitReached {
            window: window.to_owned(),
        };
        let same = ["email:hour:2026-03-02T14", "email:hour:2026-03-02T15"];
        assert_eq!(fingerprint(&full(same[0])), fingerprint(&full(same[1])));
        assert_ne!(
            fingerprint(&full(same[0])),
            fingerprint(&full("email:day:2026-03-02"))
        );
        let bounces = |bounced, sent| Subject::BounceRate { bounced, sent };
        assert_eq!(fingerprint(&bounces(6, 100)), fingerprint(&bounces(7, 103)));
        let other = Subject::BreakerOpened {
            provider: Provider::HeyReach,
        };
        assert_ne!(fingerprint(&breaker()), fingerprint(&other));
    }

    #[test]
    fn a_batch_that_waits_is_told_once_a_level() {
        let waiting = |hours| Subject::BatchReady {
            batch: "batch_1".to_owned(),
            messages: 3,
            companies: vec![],
            more_companies: 0,
            expires_at: String::new(),
            waiting_hours: hours,
            louder_after_hours: 4,
        };
        let mut kept: Option<Fold> = None;
        let mut told = Vec::new();
        for hours in [0, 1, 3, 4, 5, 8, 9, 20] {
            match raise(kept.as_ref(), &waiting(hours), "a", at(0), FOLD_WINDOW) {
                Raised::Told { fold, folded } => {
                    told.push((hours, fold.level.number(), folded));
                    kept = Some(fold);
                }
                Raised::Folded(change) => assert_eq!(change, None, "nothing is written"),
            }
        }
        assert_eq!(told, [(0, 1, 0), (4, 2, 0), (8, 3, 0)]);
    }

    #[test]
    fn each_change_of_the_stop_flag_is_told() {
        let stopped = Subject::Stopped {
            by: "kim".to_owned(),
            reason: String::new(),
            still_sending: vec![],
        };
        let resumed = Subject::Resumed {
            by: "kim".to_owned(),
        };
        assert_eq!(fingerprint(&stopped), fingerprint(&resumed));
        let mut kept: Option<Fold> = None;
        let mut told = 0;
        for subject in [&stopped, &stopped, &resumed, &stopped] {
            if let Raised::Told { fold, .. } =
                raise(kept.as_ref(), subject, "a", at(0), FOLD_WINDOW)
            {
                told += 1;
                kept = Some(fold);
            }
        }
        assert_eq!(told, 3, "the second stop in a row is folded, nothing else");
    }

    proptest! {
        #[test]
        fn none_is_lost_and_none_is_told_twice_in_a_window(minutes in prop::collection::vec(0_i64..200, 1..60)) {
            let mut minutes = minutes;
            minutes.sort_unstable();
            let (mut kept, mut told, mut said): (Option<Fold>, Vec<i64>, u32) = (None, vec![], 0);
            for minute in &minutes {
                match raise(kept.as_ref(), &breaker(), "a", at(*minute), FOLD_WINDOW) {
                    Raised::Told { fold, folded } => {
                        prop_assert!(told.last().is_none_or(|last| minute - last >= 15));
                        told.push(*minute);
                        said += folded;
                        kept = Some(fold);
                    }
                    Raised::Folded(fold) => kept = fold,
                }
            }
            let open = kept.map_or(0, |fold| fold.folded);
            prop_assert_eq!(told.len() + (said + open) as usize, minutes.len());
        }
    }
}
