//! Whether a message may be sent: law and deliverability, asked of the rendered text.

use super::Rendered;
use crate::config::settings::Sender;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It may not be sent.
    Failure,
    /// A person should look at it.
    Warning,
}

/// Something that stands against a text.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// Stable code.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// It goes away once the sender is configured.
    pub of_sender: bool,
    /// What stands against it.
    pub text: String,
}

/// Everything that stands against `rendered`.
pub fn check(rendered: &Rendered, sender: &Sender) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |code, severity, of_sender, text: String| {
        findings.push(Finding {
            code,
            severity,
            of_sender,
            text,
        });
    };
    let body = rendered.body.to_lowercase();
    let subject = rendered.subject.to_lowercase();
    let words = subject.split_whitespace().count();
    let holds = |text: &str| !text.trim().is_empty() && body.contains(&text.trim().to_lowercase());

    if !holds(&sender.postal_address) {
        let text = "the postal address is missing (CAN-SPAM); set sender.postal_address";
        find(
            "compliance.no_address",
            Severity::Failure,
            true,
            text.to_owned(),
        );
    }
    if !holds(&sender.opt_out_text) && !holds(&sender.opt_out_url) {
        let text = "the way to opt out is missing; set sender.opt_out_text or sender.opt_out_url";
        find(
            "compliance.no_opt_out",
            Severity::Failure,
            true,
            text.to_owned(),
        );
    }
    if rendered.placeholder_sender {
        let text = format!(
            "the sender is not configured: {}",
            sender.missing().join(", ")
        );
        find("compliance.placeholder", Severity::Failure, true, text);
    }
    if subject.trim().is_empty() {
        find(
            "compliance.no_subject",
            Severity::Failure,
            false,
            "the subject is empty".to_owned(),
        );
    }
    if let Some(fake) = DECEPTIVE.iter().find(|it| subject.starts_with(**it)) {
        let text = format!("the subject begins with {fake:?}, which pretends something");
        find(
            "compliance.deceptive_subject",
            Severity::Failure,
            false,
            text,
        );
    }
    if words > 2 && rendered.subject == rendered.subject.to_uppercase() {
        let text = "the subject is all capitals".to_owned();
        find("compliance.capitals", Severity::Failure, false, text);
    }
    if ["{{", "}}", "{%", "%}"]
        .iter()
        .any(|it| body.contains(it) || subject.contains(it))
    {
        let text = "a template variable was not filled in".to_owned();
        find("compliance.unrendered", Severity::Failure, false, text);
    }
    if body
        .lines()
        .next()
        .is_none_or(|line| EMPTY_GREETINGS.contains(&line.trim()))
    {
        find(
            "compliance.greeting",
            Severity::Failure,
            false,
            "the greeting names nobody".to_owned(),
        );
    }
    if let Some(urgent) = URGENT
        .iter()
        .find(|it| body.contains(**it) || subject.contains(**it))
    {
        find(
            "compliance.urgency",
            Severity::Warning,
            false,
            format!("false urgency: {urgent:?}"),
        );
    }
    if let Some(claim) = CLAIMS.iter().find(|it| body.contains(**it)) {
        find(
            "compliance.claim",
            Severity::Warning,
            false,
            format!("a claim without source: {claim:?}"),
        );
    }
    if let Some(opener) = OPENERS.iter().find(|it| body.contains(**it)) {
        find(
            "quality.opener",
            Severity::Warning,
            false,
            format!("a worn-out phrase: {opener:?}"),
        );
    }
    findings
}

const DECEPTIVE: &[&str] = &[
    "re:",
    "fw:",
    "fwd:",
    "aw:",
    "urgent",
    "you've won",
    "act now",
    "final notice",
    "limited time only",
];

const EMPTY_GREETINGS: &[&str] = &[
    "hi,", "hi ,", "hello,", "hello ,", "dear ,", "hey ,", "hey,", "",
];

const URGENT: &[&str] = &[
    "act now",
    "last chance",
    "only today",
    "expires soon",
    "limited time",
    "don't miss out",
];

const CLAIMS: &[&str] = &[
    "guarantee",
    "100%",
    "risk-free",
    "proven to",
    "industry-leading",
    "best in class",
    "#1",
];

const OPENERS: &[&str] = &[
    "hope this email finds you well",
    "hope this finds you well",
    "i hope you're doing well",
    "just checking in",
    "circling back",
    "touching base",
    "quick question for you",
    "pick your brain",
];
