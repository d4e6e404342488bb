//! What somebody is told about: it picks the level, the words, and what counts as the same again.

use std::fmt::Write as _;

use super::Level;
use crate::terms::Provider;

/// Bounces allowed of what was sent, in percent.
pub const BOUNCES_ALLOWED_PERCENT: u64 = 5;

/// Fewer messages than this say nothing about a rate.
pub const BOUNCES_COUNT_FROM: u64 = 10;

/// What somebody is told about. No member holds an address or a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Subject {
    /// A batch expired with messages that were not sent.
    BatchExpired {
        /// Its id.
        batch: String,
        /// A person had approved it.
        approved: bool,
        /// Messages that stayed unsent.
        unsent: usize,
    },
    /// A batch waits for a person, for so many whole hours.
    BatchReady {
        /// Its id.
        batch: String,
        /// Messages in it.
        messages: usize,
        /// The first companies in it.
        companies: Vec<String>,
        /// Companies beside those.
        more_companies: usize,
        /// When it can no longer be approved.
        expires_at: String,
        /// Hours since it was created.
        waiting_hours: u32,
        /// From this many hours on it is one level louder; twice as many, two.
        louder_after_hours: u32,
    },
    /// The bounce rate is over its threshold.
    BounceRate {
        /// Bounces of the last seven days.
        bounced: u64,
        /// Messages of the same days.
        sent: u64,
    },
    /// A provider's circuit breaker opened.
    BreakerOpened {
        /// Who.
        provider: Provider,
    },
    /// A lead that shows interest, `hot` or less.
    Interest {
        /// Hash that names the person.
        person: String,
        /// It is a hot one.
        hot: bool,
    },
    /// A limit was reached.
    LimitReached {
        /// The window, such as `email:day:2026-03-02`.
        window: String,
    },
    /// The emergency stop was cleared.
    Resumed {
        /// By whom.
        by: String,
    },
    /// An item with a risk from 0 to 1 waits for a person.
    Risk {
        /// Which one.
        item: String,
        /// How risky.
        risk: f64,
    },
    /// The emergency stop was set.
    Stopped {
        /// By whom.
        by: String,
        /// Why.
        reason: String,
        /// What still sends because it could not be paused.
        still_sending: Vec<String>,
    },
    /// Messages whose outcome nobody knows.
    UnknownOutcome {
        /// Their batch.
        batch: String,
        /// How many.
        messages: usize,
    },
    /// Events of a provider that could not be taken in, and lie in the dead letters.
    WebhookDead {
        /// Whose.
        provider: String,
        /// How many lie there.
        events: usize,
        /// Why, of the newest.
        reason: String,
    },
}

/// When the same is told again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folds {
    /// Never, unless it is louder: it is a state that is looked at again and again.
    Once,
    /// After the window; what happened in it is counted.
    Window,
}

impl Subject {
    /// The kind, as records and lists show it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::BatchExpired { .. } => "batch_expired",
            Self::BatchReady { .. } => "batch_ready",
            Self::BounceRate { .. } => "bounce_rate",
            Self::BreakerOpened { .. } => "breaker_opened",
            Self::Interest { .. } => "interest",
            Self::LimitReached { .. } => "limit_reached",
            Self::Resumed { .. } => "resumed",
            Self::Risk { .. } => "risk",
            Self::Stopped { .. } => "stopped",
            Self::UnknownOutcome { .. } => "unknown_outcome",
            Self::WebhookDead { .. } => "webhook_dead",
        }
    }

    /// What is folded together: the kind, but for the two sides of the stop flag.
    pub const fn topic(&self) -> &'static str {
        match self {
            Self::Resumed { .. } | Self::Stopped { .. } => "stop",
            _ => self.kind(),
        }
    }

    /// The part of the house that it comes from.
    pub const fn source(&self) -> &'static str {
        match self {
            Self::BatchExpired { .. } | Self::BatchReady { .. } | Self::Risk { .. } => "batches",
            Self::BounceRate { .. } | Self::Interest { .. } => "signals",
            Self::BreakerOpened { .. } => "providers",
            Self::LimitReached { .. } | Self::UnknownOutcome { .. } => "operator",
            Self::Resumed { .. } | Self::Stopped { .. } => "stop",
            Self::WebhookDead { .. } => "webhooks",
        }
    }

    /// What it is about, without numbers that change: those of a moment, a day, a count.
    pub fn identity(&self) -> String {
        match self {
            Self::BatchExpired { batch, .. }
            | Self::BatchReady { batch, .. }
            | Self::UnknownOutcome { batch, .. } => batch.clone(),
            Self::BounceRate { .. } | Self::Resumed { .. } | Self::Stopped { .. } => String::new(),
            Self::BreakerOpened { provider } => provider.to_string(),
            Self::Interest { person, .. } => person.clone(),
            Self::LimitReached { window } => limit_name(window).to_owned(),
            Self::Risk { item, .. } => item.clone(),
            Self::WebhookDead { provider, .. } => provider.clone(),
        }
    }

    /// How loudly it is told. A risk that is no number counts as the highest.
    pub fn level(&self) -> Level {
        match self {
            Self::BatchReady {
                waiting_hours,
                louder_after_hours,
                ..
            } => match waiting_hours / (*louder_after_hours).max(1) {
                0 => Level::One,
                1 => Level::Two,
                _ => Level::Three,
            },
            Self::BatchExpired { .. } | Self::LimitReached { .. } | Self::Resumed { .. } => {
                Level::One
            }
            Self::Risk { risk, .. } if *risk < 0.7 => Level::One,
            Self::Risk { risk, .. } if *risk < 0.9 => Level::Two,
            Self::UnknownOutcome { .. }
            | Self::BreakerOpened { .. }
            | Self::WebhookDead { .. }
            | Self::Interest { hot: false, .. } => Level::Two,
            Self::BounceRate { .. }
            | Self::Stopped { .. }
            | Self::Risk { .. }
            | Self::Interest { hot: true, .. } => Level::Three,
        }
    }

    /// When the same is told again.
    pub const fn folds(&self) -> Folds {
        match self {
            Self::BatchExpired { .. } | Self::BatchReady { .. } | Self::UnknownOutcome { .. } => {
                Folds::Once
            }
            _ => Folds::Window,
        }
    }

    /// A few words, for a headline.
    pub const fn heading(&self) -> &'static str {
        match self {
            Self::BatchExpired { .. } => "Batch Expired",
            Self::BatchReady { .. } | Self::Risk { .. } => "Approval Required",
            Self::BounceRate { .. } => "Too Many Bounces",
            Self::BreakerOpened { .. } => "Provider Failing",
            Self::Interest { .. } => "A Lead Answers",
            Self::LimitReached { .. } => "Limit Reached",
            Self::Resumed { .. } => "Sending Allowed Again",
            Self::Stopped { .. } => "Sending Stopped",
            Self::UnknownOutcome { .. } => "Outcome Unknown",
            Self::WebhookDead { .. } => "Event Not Taken In",
        }
    }

    /// One line that says it all.
    pub fn title(&self) -> String {
        match self {
            Self::BatchExpired { batch, unsent, .. } => {
                format!("Batch {batch} expired: {} stayed unsent", messages(*unsent))
            }
            Self::BatchReady {
                batch,
                messages: count,
                waiting_hours,
                ..
            } => {
                let waits = match waiting_hours {
                    0 => String::new(),
                    1 => ", waiting for 1 hour".to_owned(),
                    hours => format!(", waiting for {hours} hours"),
                };
                format!(
                    "Approval required: {batch} with {}{waits}",
                    messages(*count)
                )
            }
            Self::BounceRate { bounced, sent } => {
                format!("Bounces: {bounced} of {sent} messages in seven days")
            }
            Self::BreakerOpened { provider } => {
                format!("{provider} is not called for a while: too many calls failed in a row")
            }
            Self::Interest { person, hot } => {
                let how = if *hot { "hot" } else { "warm" };
                format!("A {how} lead answered: {person}")
            }
            Self::LimitReached { window } => format!("Limit reached: {window}"),
            Self::Resumed { by } => format!("Sending is allowed again, says {by}"),
            Self::Risk { item, risk } => format!("Approval required: {item} (risk {risk:.2})"),
            Self::Stopped { by, .. } => format!("All sending was stopped by {by}"),
            Self::UnknownOutcome {
                batch,
                messages: count,
            } => format!(
                "Nobody knows what became of {} of batch {batch}",
                messages(*count)
            ),
            Self::WebhookDead {
                provider, events, ..
            } => match events {
                0 | 1 => format!("An event of {provider} could not be taken in"),
                events => format!("{events} events of {provider} could not be taken in"),
            },
        }
    }

    /// What is behind it, and what to do.
    pub fn text(&self) -> String {
        match self {
            Self::BatchExpired {
                batch, approved, ..
            } => {
                let before = if *approved {
                    "It had been approved and was not dispatched in time."
                } else {
                    "Nobody decided in time."
                };
                format!(
                    "{before} Nothing of it was sent; its drafts stay approved and can go into a new batch. \
                     See: caio batch show {batch}"
                )
            }
            Self::BatchReady {
                batch,
                companies,
                more_companies,
                expires_at,
                ..
            } => {
                let mut text = String::new();
                if !companies.is_empty() {
                    let _ = write!(text, "Companies: {}", companies.join(", "));
                    if *more_companies > 0 {
                        let _ = write!(text, " and {more_companies} more");
                    }
                    text.push_str(". ");
                }
                let _ = write!(
                    text,
                    "It expires at {expires_at}. Look at it with: caio batch show {batch}"
                );
                text
            }
            Self::BounceRate { .. } => format!(
                "More than {BOUNCES_ALLOWED_PERCENT} % bounced. Check the list's source and the sending domains \
                 before the next batch; caio stop ends all sending."
            ),
            Self::BreakerOpened { .. } => {
                "Calls are tried again by themselves; what was not sent stays approved. \
                                           Check the provider's status page and the API key."
                    .to_owned()
            }
            Self::Interest { .. } => {
                "Nothing more of the sequence is sent to this person; somebody should answer. Who it is stands in \
                 the inbox of the provider, and here in: caio webhooks list."
                    .to_owned()
            }
            Self::LimitReached { .. } => {
                "What is left over stays approved and goes when the window ends.".to_owned()
            }
            Self::Resumed { .. } => "Approved batches can be dispatched.".to_owned(),
            Self::Risk { .. } => "A person has to decide.".to_owned(),
            Self::Stopped {
                reason,
                still_sending,
                ..
            } => {
                let mut text = match reason.trim() {
                    "" => "No reason was given.".to_owned(),
                    reason => format!("Reason: {reason}."),
                };
                for one in still_sending {
                    let _ = write!(text, " NOT PAUSED: {one}.");
                }
                text.push_str(" caio resume allows sending again.");
                text
            }
            Self::UnknownOutcome { batch, .. } => format!(
                "The next live run asks the provider; caio ledger reconcile does so now. What stays unknown a \
                 person decides: caio ledger show {batch}"
            ),
            Self::WebhookDead { reason, .. } => {
                let reason = reason.trim_end_matches('.');
                format!(
                    "They are kept as dead letters; until somebody has looked, nobody knows whether one of them \
                     ends contact with a person. The newest: {reason}. See them with caio webhooks list --state \
                     dead; then caio webhooks replay ID, or caio webhooks dismiss ID."
                )
            }
        }
    }
}

/// The alert that a bounce rate calls for, if it does.
pub fn bounce_rate(bounced: u64, sent: u64) -> Option<Subject> {
    let is_over = sent >= BOUNCES_COUNT_FROM
        && u128::from(bounced) * 100 > u128::from(sent) * u128::from(BOUNCES_ALLOWED_PERCENT);
    is_over.then_some(Subject::BounceRate { bounced, sent })
}

fn messages(count: usize) -> String {
    match count {
        1 => "1 message".to_owned(),
        count => format!("{count} messages"),
    }
}

/// A window's name up to where its time begins; the domains of one hour are one thing.
fn limit_name(window: &str) -> &str {
    if window.starts_with("email:domain:") {
        return "email:domain";
    }
    let mut end = 0;
    for part in window.split(':') {
        if part.starts_with(|first: char| first.is_ascii_digit()) {
            break;
        }
        end += part.len() + 1;
    }
    window.get(..end.saturating_sub(1)).unwrap_or(window)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(hours: u32) -> Subject {
        Subject::BatchReady {
            batch: "batch_1".to_owned(),
            messages: 25,
            companies: vec!["Acorn".to_owned(), "Birch".to_owned()],
            more_companies: 3,
            expires_at: "2026-03-03T14:00:00Z".to_owned(),
            waiting_hours: hours,
            louder_after_hours: 4,
        }
    }

    #[test]
    fn the_subject_picks_the_level() {
        for (risk, expected) in [
            (0.0, 1),
            (0.69, 1),
            (0.7, 2),
            (0.89, 2),
            (0.9, 3),
            (f64::NAN, 3),
        ] {
            let item = "x".to_owned();
            assert_eq!(
                Subject::Risk { item, risk }.level().number(),
                expected,
                "{risk}"
            );
        }
        let levels = [0, 3, 4, 7, 8, 100].map(|hours| waiting(hours).level().number());
        assert_eq!(levels, [1, 1, 2, 2, 3, 3]);
        let interest = |hot| Subject::Interest {
            person: String::new(),
            hot,
        };
        assert_eq!(interest(true).level(), Level::Three);
        assert_eq!(interest(false).level(), Level::Two);
    }

    #[test]
    fn a_batch_that_waits_says_how_many_for_whom_and_until_when() {
        let ready = waiting(5);
        assert_eq!(ready.heading(), "Approval Required");
        assert_eq!(
            ready.title(),
            "Approval required: batch_1 with 25 messages, waiting for 5 hours"
        );
        let text = ready.text();
        assert!(text.contains("Acorn, Birch and 3 more"), "{text}");
        assert!(text.contains("2026-03-03T14:00:00Z"), "{text}");
    }

    #[test]
    fn a_rate_is_over_only_where_enough_was_sent() {
        assert_eq!(bounce_rate(9, 9), None, "too few to say");
        assert_eq!(bounce_rate(5, 100), None, "at the threshold");
        assert!(bounce_rate(6, 100).is_some());
        assert!(bounce_rate(1, 10).is_some());
        assert_eq!(bounce_rate(0, u64::MAX), None);
        assert!(bounce_rate(u64::MAX, u64::MAX).is_some());
    }

    #[test]
    fn a_window_is_named_without_its_time() {
        for (window, name) in [
            ("email:day:2026-03-02", "email:day"),
            ("email:hour:2026-03-02T14", "email:hour"),
            (
                "email:domain:acorn.example.com:2026-03-02T14",
                "email:domain",
            ),
            ("email:month:2026-03", "email:month"),
            ("campaign:nurture_sequence", "campaign:nurture_sequence"),
            ("", ""),
        ] {
            assert_eq!(limit_name(window), name, "{window}");
        }
    }

    #[test]
    fn what_could_not_be_paused_is_said() {
        let stopped = Subject::Stopped {
            by: "kim".to_owned(),
            reason: String::new(),
            still_sending: vec!["instantly: 2 campaigns".to_owned()],
        };
        assert!(
            stopped
                .text()
                .contains("NOT PAUSED: instantly: 2 campaigns")
        );
    }
}
