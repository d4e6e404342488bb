//! A cadence as a configuration file defines it.

use serde_json::Value;

use super::Cadence;
use crate::signals::Facts;

/// Steps and the statuses that end or hold them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// By number (CA-5).
    pub steps: Vec<PlanStep>,
    /// Statuses that end it.
    pub exit_on: Vec<String>,
    /// Statuses that hold it.
    pub pause_on: Vec<String>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanStep {
    /// Number.
    pub step: i64,
    /// Day, 1 being the first.
    pub day: i64,
    /// `email` or `linkedin`.
    pub channel: String,
    /// What it does.
    pub action: String,
    /// For people.
    pub description: String,
    /// What must hold.
    pub condition: String,
}

/// A definition that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cadence step {position}: `{member}` is missing or of the wrong type")]
pub struct BadPlan {
    /// Place of the step, from 1.
    pub position: usize,
    /// Member at fault.
    pub member: &'static str,
}

impl BadPlan {
    /// Stable code.
    pub const CODE: &'static str = "cadence.bad_plan";
}

impl Plan {
    /// Reads `{"steps": […], "exit_on": […], "pause_on": […]}`.
    ///
    /// # Errors
    /// A step without number, day, channel or action.
    pub fn parse(definition: &Value) -> Result<Self, BadPlan> {
        let words = |name: &str| -> Vec<String> {
            let list = definition.get(name).and_then(Value::as_array);
            list.into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect()
        };
        let given = definition.get("steps").and_then(Value::as_array);
        let mut steps = Vec::new();
        for (index, step) in given.into_iter().flatten().enumerate() {
            let bad = |member| BadPlan {
                position: index + 1,
                member,
            };
            let number = |member| step.get(member).and_then(Value::as_i64).ok_or(bad(member));
            let text = |member| step.get(member).and_then(Value::as_str).map(str::to_owned);
            steps.push(PlanStep {
                step: number("step")?,
                day: number("day")?,
                channel: text("channel").ok_or(bad("channel"))?,
                action: text("action").ok_or(bad("action"))?,
                description: text("description").unwrap_or_default(),
                condition: text("condition").unwrap_or_else(|| "always".to_owned()),
            });
        }
        steps.sort_by_key(|step| step.step);
        Ok(Self {
            steps,
            exit_on: words("exit_on"),
            pause_on: words("pause_on"),
        })
    }

    /// The step of that number.
    pub fn step(&self, number: i64) -> Option<&PlanStep> {
        self.steps.iter().find(|it| it.step == number)
    }

    /// The first step after that number.
    pub fn after(&self, number: i64) -> Option<&PlanStep> {
        self.steps.iter().find(|it| it.step > number)
    }

    /// Why the cadence ends for a lead; what ends all contact ends it, listed or not (CA-12).
    pub fn exit_reason(&self, facts: &Facts) -> Option<String> {
        let listed = |status: &&str| self.exit_on.iter().any(|it| it == status);
        let answered = facts.answered.as_ref().filter(|it| listed(it)).copied();
        facts
            .ended
            .or(answered)
            .or_else(|| Some(facts.status()).filter(listed))
            .map(str::to_owned)
    }
}

impl From<&Cadence> for Plan {
    fn from(cadence: &Cadence) -> Self {
        let words = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        let steps = cadence.steps.iter().map(|step| PlanStep {
            step: step.step.0.into(),
            day: step.day.into(),
            channel: step.medium.to_string(),
            action: step.action.to_string(),
            description: step.action.description().to_owned(),
            condition: step.condition.to_string(),
        });
        Self {
            steps: steps.collect(),
            exit_on: words(cadence.exit_on),
            pause_on: words(cadence.pause_on),
        }
    }
}
