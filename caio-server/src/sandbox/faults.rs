//! Scripted faults: which call of which operation goes wrong, and how.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::wire::Answer;

/// Rules that are kept.
const MAX_RULES: usize = 1_000;
/// Longest pause.
const MAX_HOLD_MS: u64 = 600_000;
const DEFAULT_HOLD_MS: u64 = 30_000;
const OPERATIONS: [(&str, &[&str]); 5] = [
    ("instantly", super::instantly::Operation::NAMES),
    ("heyreach", super::heyreach::Operation::NAMES),
    ("ghl", super::ghl::Operation::NAMES),
    ("slack", super::notify::slack::Operation::NAMES),
    ("twilio", super::notify::twilio::Operation::NAMES),
];

/// What takes leads, and what it counts them under when they do not land.
const UPLOADS: [(&str, &[&str]); 3] = [
    (
        "instantly.add_leads",
        &[
            "in_blocklist",
            "duplicated_leads",
            "skipped_count",
            "invalid_email_count",
            "incomplete_count",
            "duplicate_email_count",
        ],
    ),
    ("heyreach.add_leads", HEYREACH_COUNTERS),
    ("heyreach.add_leads_to_campaign", HEYREACH_COUNTERS),
];
const HEYREACH_COUNTERS: &[&str] = &["addedLeadsCount", "updatedLeadsCount", "failedLeadsCount"];
/// What answers in pages.
const PAGED: [&str; 9] = [
    "instantly.list_blocks",
    "instantly.list_campaigns",
    "instantly.list_leads",
    "heyreach.campaigns_for_lead",
    "heyreach.list_campaign_leads",
    "heyreach.list_campaigns",
    "heyreach.list_leads",
    "heyreach.list_lists",
    "heyreach.lists_for_lead",
];

#[derive(Debug, Default)]
pub(super) struct Faults {
    rules: Vec<Rule>,
}

/// What goes wrong with one call.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    /// Whether the operation is performed at all.
    pub(super) effect: bool,
    pub(super) twist: Twist,
    pub(super) hold: Duration,
    pub(super) ending: Ending,
}

/// What an operation does otherwise than asked.
#[derive(Debug, Clone, Default)]
pub(super) struct Twist {
    /// At most so many leads land.
    pub(super) land: Option<usize>,
    /// The counter under which the others go; none when they vanish.
    pub(super) counter: Option<String>,
    /// What was made is listed in the reverse order.
    pub(super) reversed: bool,
    /// Every page is the first one.
    pub(super) ignore_cursor: bool,
}

/// How the answer leaves.
#[derive(Debug, Clone)]
pub(super) enum Ending {
    Cut,
    Drop,
    Own,
    Replace(Answer),
    Retype(String),
}

#[derive(Debug)]
struct Rule {
    asked: Asked,
    fault: Fault,
    calls: u64,
    fired: u64,
}

/// A rule as it is posted.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<String>,
    nth: Nth,
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    hold_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    leads: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<bool>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    ContentType,
    CutJson,
    Html,
    IgnoreCursor,
    Partial,
    ResetAfter,
    ResetBefore,
    ReverseCreated,
    Slow,
    Status,
    TimeoutAfter,
    TimeoutBefore,
    ZeroCounts,
}

/// Which calls: one, counted from 1 since the rule was set, or every one.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(untagged)]
enum Nth {
    One(u64),
    Every(Every),
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Every {
    Every,
}

impl Faults {
    /// Adds rules: all of them, or none and why.
    pub(super) fn add(&mut self, asked: Vec<Asked>) -> Result<(), String> {
        if self.rules.len() + asked.len() > MAX_RULES {
            return Err(format!("more than {MAX_RULES} rules"));
        }
        let rules: Result<Vec<Rule>, String> = asked.into_iter().map(Rule::new).collect();
        self.rules.extend(rules?);
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    /// The fault of this call, with its kind. Every rule that fits counts the call; the first that is due fires.
    pub(super) fn next(
        &mut self,
        provider: &str,
        operation: &str,
    ) -> Option<(&'static str, Fault)> {
        let mut due = None;
        for rule in &mut self.rules {
            if !rule.asked.fits(provider, operation) {
                continue;
            }
            rule.calls += 1;
            let is_due = match rule.asked.nth {
                Nth::Every(Every::Every) => true,
                Nth::One(nth) => nth == rule.calls,
            };
            if is_due && due.is_none() {
                rule.fired += 1;
                due = Some((rule.asked.kind.name(), rule.fault.clone()));
            }
        }
        due
    }

    pub(super) fn shown(&self) -> Value {
        let rule =
            |rule: &Rule| json!({ "rule": rule.asked, "calls": rule.calls, "fired": rule.fired });
        json!({ "rules": self.rules.iter().map(rule).collect::<Vec<_>>() })
    }
}

impl Rule {
    fn new(asked: Asked) -> Result<Self, String> {
        asked.check_target()?;
        asked.check_kind()?;
        let fault = asked.fault()?;
        Ok(Self {
            asked,
            fault,
            calls: 0,
            fired: 0,
        })
    }
}

impl Asked {
    fn fits(&self, provider: &str, operation: &str) -> bool {
        let fits = |asked: &Option<String>, given: &str| {
            asked.as_deref().is_none_or(|asked| asked == given)
        };
        fits(&self.provider, provider) && fits(&self.operation, operation)
    }

    /// A rule that can never fire is a mistake.
    fn check_target(&self) -> Result<(), String> {
        if let Nth::One(0) = self.nth {
            return Err("`nth` counts from 1".to_owned());
        }
        let known = |provider: &str| OPERATIONS.iter().find(|(known, _)| *known == provider);
        let providers = || OPERATIONS.map(|(name, _)| name).join(", ");
        if let Some(provider) = &self.provider
            && known(provider).is_none()
        {
            return Err(format!("no provider `{provider}`: {}", providers()));
        }
        let Some(operation) = &self.operation else {
            return match self.provider {
                Some(_) => Ok(()),
                None => Err("a rule names a provider or an operation".to_owned()),
            };
        };
        let (provider, name) = operation.split_once('.').unwrap_or_default();
        let Some((_, names)) = known(provider) else {
            return Err(format!("no operation `{operation}` of {}", providers()));
        };
        if !names.contains(&name) {
            return Err(format!("no operation `{operation}`: {}", names.join(", ")));
        }
        match &self.provider {
            Some(other) if other != provider => Err(format!("`{operation}` is not of {other}")),
            _ => Ok(()),
        }
    }

    /// A kind that its operation does not know would be a rule without an effect.
    fn check_kind(&self) -> Result<(), String> {
        let operation = self.operation.as_deref().unwrap_or_default();
        let of = |known: &[&str]| match known.contains(&operation) {
            true => Ok(()),
            false => Err(format!(
                "`{}` is for {}",
                self.kind.name(),
                known.join(", ")
            )),
        };
        match self.kind {
            Kind::IgnoreCursor => of(&PAGED),
            Kind::Partial | Kind::ZeroCounts => of(&UPLOADS.map(|(name, _)| name)),
            Kind::ReverseCreated => of(&["instantly.add_leads"]),
            _ => Ok(()),
        }?;
        let counters = UPLOADS.iter().find(|(name, _)| *name == operation);
        let counters = counters.map(|(_, counters)| *counters).unwrap_or_default();
        match &self.counter {
            Some(counter) if !counters.contains(&counter.as_str()) => {
                Err(format!("no counter `{counter}`: {}", counters.join(", ")))
            }
            _ => Ok(()),
        }
    }

    fn fault(&self) -> Result<Fault, String> {
        let pause = self.hold_ms.or(self.ms);
        if pause.is_some_and(|pause| pause > MAX_HOLD_MS) {
            return Err(format!("longer than {MAX_HOLD_MS} ms"));
        }
        let own = Fault {
            effect: true,
            twist: Twist::default(),
            hold: Duration::ZERO,
            ending: Ending::Own,
        };
        let twisted = |twist| Fault {
            twist,
            ..own.clone()
        };
        let dropped = |effect, hold| Fault {
            effect,
            hold: Duration::from_millis(hold),
            ending: Ending::Drop,
            ..own.clone()
        };
        let ending = |effect: bool, ending| Fault {
            effect: self.effect.unwrap_or(effect),
            ending,
            ..own.clone()
        };
        Ok(match self.kind {
            Kind::ContentType => {
                let kind = self.content_type.as_deref().unwrap_or("text/plain");
                ending(true, Ending::Retype(kind.to_owned()))
            }
            Kind::CutJson => ending(true, Ending::Cut),
            Kind::Html => {
                let page = "<!doctype html><title>One moment</title><p>Checking your browser.</p>";
                ending(
                    true,
                    Ending::Replace(Answer::typed(
                        200,
                        "text/html; charset=utf-8",
                        page.to_owned(),
                    )),
                )
            }
            Kind::IgnoreCursor => twisted(Twist {
                ignore_cursor: true,
                ..Twist::default()
            }),
            Kind::Partial => {
                let land = self.leads.ok_or("`partial` needs `leads`: how many land")?;
                twisted(Twist {
                    land: Some(land),
                    counter: self.counter.clone(),
                    ..Twist::default()
                })
            }
            Kind::ResetAfter => dropped(true, 0),
            Kind::ResetBefore => dropped(false, 0),
            Kind::ReverseCreated => twisted(Twist {
                reversed: true,
                ..Twist::default()
            }),
            Kind::Slow => Fault {
                hold: Duration::from_millis(pause.ok_or("`slow` needs `ms`")?),
                ..own
            },
            Kind::Status => ending(false, Ending::Replace(self.status()?)),
            Kind::TimeoutAfter => dropped(true, pause.unwrap_or(DEFAULT_HOLD_MS)),
            Kind::TimeoutBefore => dropped(false, pause.unwrap_or(DEFAULT_HOLD_MS)),
            Kind::ZeroCounts => twisted(Twist {
                land: Some(0),
                counter: self.counter.clone(),
                ..Twist::default()
            }),
        })
    }

    fn status(&self) -> Result<Answer, String> {
        let code = self.code.filter(|code| (200..600).contains(code));
        let code = code.ok_or("`status` needs `code`, 200 to 599")?;
        let answer = match &self.body {
            None => Answer::empty(code),
            Some(Value::String(text)) => {
                Answer::typed(code, "text/plain; charset=utf-8", text.clone())
            }
            Some(body) => Answer::json(code, body),
        };
        Ok(answer.retry_after(self.retry_after))
    }
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::ContentType => "content_type",
            Self::CutJson => "cut_json",
            Self::Html => "html",
            Self::IgnoreCursor => "ignore_cursor",
            Self::Partial => "partial",
            Self::ResetAfter => "reset_after",
            Self::ResetBefore => "reset_before",
            Self::ReverseCreated => "reverse_created",
            Self::Slow => "slow",
            Self::Status => "status",
            Self::TimeoutAfter => "timeout_after",
            Self::TimeoutBefore => "timeout_before",
            Self::ZeroCounts => "zero_counts",
        }
    }
}
