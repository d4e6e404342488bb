//! What a message says: templates, rendered strictly, then checked.
//!
//! Render first, then hash, then approve: what a person approved is text, not a template.

mod builtin;
mod compliance;
mod template;

use std::collections::BTreeMap;

use minijinja::{Environment, UndefinedBehavior, Value, context};
use sha2::{Digest, Sha256};

use crate::config::settings::Sender;
use crate::identity::hex;
use crate::lead::Lead;

pub use compliance::{Finding, Severity, check};
use template::Template;
pub use template::TemplateError;

/// Steps a template may take: a loop that never ends is a fault, not a hang.
const FUEL: u64 = 20_000;

/// Templates by campaign and by cadence action, checked when loaded.
#[derive(Debug)]
pub struct TemplateSet {
    first_touch: BTreeMap<String, Template>,
    follow_up: BTreeMap<String, Template>,
    environment: Environment<'static>,
    digest: String,
}

/// A message as it will be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One line; `""` on LinkedIn.
    pub subject: String,
    /// Plain text; every line ends with a line feed.
    pub body: String,
    /// The sender is not configured: the text holds marked placeholders and never goes live.
    pub placeholder_sender: bool,
}

/// Why a message cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// The template needs a fact that the lead does not have.
    #[error("the template of `{campaign}` needs {variable}, which this lead lacks")]
    Missing {
        /// Campaign or action.
        campaign: String,
        /// The fact.
        variable: String,
    },
    /// There is no template; another campaign's copy is never used instead.
    #[error("there is no template for `{0}`")]
    NoTemplate(String),
    /// The template failed on this lead.
    #[error("the template of `{campaign}` failed: {reason}")]
    Render {
        /// Campaign or action.
        campaign: String,
        /// Why.
        reason: String,
    },
    /// The text breaks a rule.
    #[error("the text of `{campaign}` may not be sent: {reason}")]
    Unfit {
        /// Campaign or action.
        campaign: String,
        /// Which rules, and how.
        reason: String,
    },
}

/// Whether a text that a person wrote may stand for what was rendered: every failure, in words.
///
/// What only the sender's configuration can mend counts once the sender is configured.
pub fn unfit(subject: &str, body: &str, sender: &Sender) -> Vec<String> {
    let placeholder_sender = !sender.missing().is_empty();
    let rendered = Rendered {
        subject: subject.to_owned(),
        body: body.to_owned(),
        placeholder_sender,
    };
    let failures = check(&rendered, sender).into_iter().filter(|finding| {
        finding.severity == Severity::Failure && !(finding.of_sender && placeholder_sender)
    });
    failures.map(|finding| finding.text).collect()
}

impl CopyError {
    /// Stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "copy.missing",
            Self::NoTemplate(_) => "copy.no_template",
            Self::Render { .. } => "copy.render",
            Self::Unfit { .. } => "copy.unfit",
        }
    }
}

impl TemplateSet {
    /// The templates that come with the program.
    ///
    /// # Errors
    /// Never in a build whose tests passed.
    pub fn builtin() -> Result<Self, TemplateError> {
        Self::from_sources(
            builtin::FIRST_TOUCH.iter().copied(),
            builtin::FOLLOW_UP.iter().copied(),
        )
    }

    /// The templates that come with the program, with those in `own` (campaign and source) in the place
    /// of theirs.
    ///
    /// # Errors
    /// A template that fails, and one for a campaign that the router never names.
    pub fn with_own(own: &BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let known = |name: &str| {
            builtin::FIRST_TOUCH
                .iter()
                .any(|(campaign, _)| *campaign == name)
        };
        if let Some(unknown) = own.keys().find(|name| !known(name)) {
            let campaigns: Vec<&str> = builtin::FIRST_TOUCH.iter().map(|(name, _)| *name).collect();
            return Err(TemplateError {
                name: unknown.clone(),
                what: format!(
                    "no lead is routed to it; expected one of {}",
                    campaigns.join(", ")
                ),
            });
        }
        let first_touch = builtin::FIRST_TOUCH
            .iter()
            .map(|(name, source)| (*name, own.get(*name).map_or(*source, String::as_str)));
        Self::from_sources(first_touch, builtin::FOLLOW_UP.iter().copied())
    }

    /// Templates from pairs of name and source, each checked: its head, its syntax, and that it names
    /// no variable that there is not.
    ///
    /// # Errors
    /// The first template that fails, with what was expected.
    pub fn from_sources<'a>(
        first_touch: impl IntoIterator<Item = (&'a str, &'a str)>,
        follow_up: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        let mut hasher = Sha256::new();
        let mut load = |kind: &str, name: &str, source: &str| {
            let template = Template::parse(kind, name, source, &mut environment)?;
            hasher.update(format!("{kind}|{name}|{}|{source}", source.len()));
            Ok::<_, TemplateError>((name.to_owned(), template))
        };
        let first_touch = first_touch
            .into_iter()
            .map(|(name, source)| load("first", name, source))
            .collect::<Result<_, _>>()?;
        let follow_up = follow_up
            .into_iter()
            .map(|(name, source)| load("follow", name, source))
            .collect::<Result<_, _>>()?;
        let digest = hex(&hasher.finalize());
        Ok(Self {
            first_touch,
            follow_up,
            environment,
            digest,
        })
    }

    /// SHA-256 (64 hex) over all sources.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Campaigns that have a template.
    pub fn campaigns(&self) -> impl Iterator<Item = &str> {
        self.first_touch.keys().map(String::as_str)
    }

    /// The first e-mail of `campaign` to `lead`, signed, with postal address and opt-out.
    ///
    /// # Errors
    /// A fact that the template needs and the lead lacks, and a text that breaks a rule.
    pub fn first_touch(
        &self,
        campaign: &str,
        lead: &Lead,
        sender: &Sender,
    ) -> Result<Rendered, CopyError> {
        let template = self.first_touch.get(campaign);
        let template = template.ok_or_else(|| CopyError::NoTemplate(campaign.to_owned()))?;
        self.email(campaign, template, lead, sender)
    }

    /// The message of a later cadence step: an e-mail, or a LinkedIn note without subject and footer.
    ///
    /// # Errors
    /// As [`first_touch`](Self::first_touch).
    pub fn follow_up(
        &self,
        action: &str,
        lead: &Lead,
        sender: &Sender,
    ) -> Result<Rendered, CopyError> {
        let template = self.follow_up.get(action);
        let template = template.ok_or_else(|| CopyError::NoTemplate(action.to_owned()))?;
        if template.has_subject() {
            return self.email(action, template, lead, sender);
        }
        let (_, body) = template.render(&self.environment, &facts(lead), action)?;
        Ok(Rendered {
            subject: String::new(),
            body,
            placeholder_sender: false,
        })
    }

    fn email(
        &self,
        campaign: &str,
        template: &Template,
        lead: &Lead,
        sender: &Sender,
    ) -> Result<Rendered, CopyError> {
        let (subject, text) = template.render(&self.environment, &facts(lead), campaign)?;
        let missing = sender.missing();
        let body = format!("{}\n\n{}\n", text.trim_end(), signature(sender));
        let rendered = Rendered {
            subject,
            body,
            placeholder_sender: !missing.is_empty(),
        };
        let failures: Vec<String> = check(&rendered, sender)
            .into_iter()
            .filter(|finding| finding.severity == Severity::Failure && !finding.of_sender)
            .map(|finding| finding.text)
            .collect();
        if failures.is_empty() {
            return Ok(rendered);
        }
        Err(CopyError::Unfit {
            campaign: campaign.to_owned(),
            reason: failures.join("; "),
        })
    }
}

/// What templates can say about a lead; `""` where nothing is known.
fn facts(lead: &Lead) -> Value {
    context! {
        first_name => &lead.first_name,
        last_name => &lead.last_name,
        title => &lead.title,
        company => &lead.company.name,
        industry => &lead.company.industry,
        location => &lead.location,
        source_name => &lead.source.name,
        technologies => &lead.company.technologies,
    }
}

/// Signature, postal address and opt-out; what is not configured is marked, never invented.
fn signature(sender: &Sender) -> String {
    let or_mark = |value: &str, what: &str| {
        if value.trim().is_empty() {
            format!("[[ {what} not configured ]]")
        } else {
            value.to_owned()
        }
    };
    let mut lines = vec![or_mark(&sender.name, "sender name")];
    let company = or_mark(&sender.company, "sender company");
    lines.push(if sender.title.is_empty() {
        company
    } else {
        format!("{}, {company}", sender.title)
    });
    lines.extend(
        [&sender.website, &sender.calendar_url]
            .into_iter()
            .filter(|it| !it.is_empty())
            .cloned(),
    );
    lines.push(String::new());
    lines.push(or_mark(&sender.postal_address, "postal address"));
    let opt_out = match (sender.opt_out_text.trim(), sender.opt_out_url.trim()) {
        ("", "") => "[[ opt-out not configured ]]".to_owned(),
        ("", url) => format!("Unsubscribe: {url}"),
        (text, "") => text.to_owned(),
        (text, url) => format!("{text} {url}"),
    };
    lines.push(opt_out);
    lines.join("\n")
}

#[cfg(test)]
mod tests;
