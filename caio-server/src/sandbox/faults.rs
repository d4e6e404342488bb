//! Scripted faults: which call of which operation goes wrong, and how.

mod asked;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;

pub(super) use asked::Asked;

use super::wire::Answer;

/// Rules that are kept.
const MAX_RULES: usize = 1_000;

/// The rules, in the order in which they were set.
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
    /// The answer waits until this closes: as long as the rule stands.
    pub(super) stands: Option<watch::Receiver<()>>,
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
    /// What it holds goes on when this is dropped.
    _stands: watch::Sender<()>,
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
            if rule.asked.is_due(rule.calls) && due.is_none() {
                rule.fired += 1;
                due = Some((rule.asked.kind(), rule.fault.clone()));
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
        let mut fault = asked.checked()?;
        let stands = watch::Sender::new(());
        fault.stands = asked.holds().then(|| stands.subscribe());
        Ok(Self {
            asked,
            fault,
            calls: 0,
            fired: 0,
            _stands: stands,
        })
    }
}
