//! A rule as it is posted, and what it asks for; one that could have no effect is refused.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Ending, Fault, Twist};
use crate::sandbox::wire::Answer;
use crate::sandbox::{ghl, heyreach, instantly, notify, smtp};

/// Longest pause.
const MAX_HOLD_MS: u64 = 600_000;
const DEFAULT_HOLD_MS: u64 = 30_000;
const OPERATIONS: [(&str, &[&str]); 6] = [
    ("instantly", instantly::Operation::NAMES),
    ("heyreach", heyreach::Operation::NAMES),
    ("ghl", ghl::Operation::NAMES),
    ("smtp", smtp::Operation::NAMES),
    ("slack", notify::slack::Operation::NAMES),
    ("twilio", notify::twilio::Operation::NAMES),
];

/// What a guard in front of a provider puts in place of its answer.
const PAGE: &str = "<!doctype html><title>One moment</title><p>Checking your browser.</p>";

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

/// A rule as it is posted.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::sandbox) struct Asked {
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
    Hold,
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

impl Asked {
    pub(super) fn fits(&self, provider: &str, operation: &str) -> bool {
        let fits = |asked: &Option<String>, given: &str| {
            asked.as_deref().is_none_or(|asked| asked == given)
        };
        fits(&self.provider, provider) && fits(&self.operation, operation)
    }

    /// Whether this is the call, counted from 1, that it is for.
    pub(super) fn is_due(&self, calls: u64) -> bool {
        match self.nth {
            Nth::Every(Every::Every) => true,
            Nth::One(nth) => nth == calls,
        }
    }

    pub(super) const fn kind(&self) -> &'static str {
        self.kind.name()
    }

    /// Whether the answer waits as long as the rule stands.
    pub(super) const fn holds(&self) -> bool {
        matches!(self.kind, Kind::Hold)
    }

    /// The fault that it asks for, or why it could have no effect.
    pub(super) fn checked(&self) -> Result<Fault, String> {
        self.check_target()?;
        self.check_kind()?;
        self.check_fields()?;
        self.fault()
    }

    /// What it names has to be there.
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
        let by_mail = self.provider.as_deref() == Some("smtp") || operation.starts_with("smtp.");
        if by_mail
            && matches!(
                self.kind,
                Kind::ContentType | Kind::CutJson | Kind::Hold | Kind::Html
            )
        {
            return Err(format!("`{}` is for HTTP", self.kind.name()));
        }
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

    /// What a kind does not know would be overlooked; only pauses may stand in a rule of any kind.
    fn check_fields(&self) -> Result<(), String> {
        let given = [
            ("body", self.body.is_some()),
            ("code", self.code.is_some()),
            ("content_type", self.content_type.is_some()),
            ("counter", self.counter.is_some()),
            ("effect", self.effect.is_some()),
            ("leads", self.leads.is_some()),
            ("retry_after", self.retry_after.is_some()),
        ];
        let takes: &[&str] = match self.kind {
            Kind::ContentType => &["content_type"],
            Kind::Html => &["effect"],
            Kind::Partial => &["leads", "counter"],
            Kind::Status => &["code", "body", "retry_after", "effect"],
            Kind::ZeroCounts => &["counter"],
            _ => &[],
        };
        let mut odd = given
            .iter()
            .filter(|(name, given)| *given && !takes.contains(name));
        match odd.next() {
            Some((name, _)) => Err(format!("`{}` takes no `{name}`", self.kind.name())),
            None => Ok(()),
        }
    }

    fn fault(&self) -> Result<Fault, String> {
        let longest = self.hold_ms.max(self.ms);
        if longest.is_some_and(|pause| pause > MAX_HOLD_MS) {
            return Err(format!("longer than {MAX_HOLD_MS} ms"));
        }
        let hold = self.hold_ms.unwrap_or(DEFAULT_HOLD_MS);
        let own = Fault {
            effect: true,
            twist: Twist::default(),
            hold: Duration::ZERO,
            stands: None,
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
        let ending = |effect, ending| Fault {
            effect,
            ending,
            ..own.clone()
        };
        Ok(match self.kind {
            Kind::ContentType => {
                let kind = self.content_type.as_deref().unwrap_or("text/plain");
                ending(true, Ending::Retype(kind.to_owned()))
            }
            Kind::CutJson => ending(true, Ending::Cut),
            Kind::Hold => own,
            Kind::Html => {
                let answer = Answer::typed(200, "text/html; charset=utf-8", PAGE.to_owned());
                ending(self.effect.unwrap_or(true), Ending::Replace(answer))
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
                hold: Duration::from_millis(self.ms.ok_or("`slow` needs `ms`")?),
                ..own
            },
            Kind::Status => ending(
                self.effect.unwrap_or(false),
                Ending::Replace(self.status()?),
            ),
            Kind::TimeoutAfter => dropped(true, hold),
            Kind::TimeoutBefore => dropped(false, hold),
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
            Self::Hold => "hold",
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
