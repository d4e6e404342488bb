//! One template: a head that names subject and required facts, and a body.

use minijinja::{Environment, Value};

use super::CopyError;

/// Facts that templates can use.
const VARIABLES: &[&str] = &[
    "company",
    "first_name",
    "industry",
    "last_name",
    "location",
    "source_name",
    "technologies",
    "title",
];

/// Longest subject, in characters.
const SUBJECT: usize = 120;

/// Why a template cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template `{name}`: {what}")]
pub struct TemplateError {
    /// Which one.
    pub name: String,
    /// What is wrong, and what was expected.
    pub what: String,
}

impl TemplateError {
    /// Stable code.
    pub const CODE: &'static str = "template.invalid";
}

#[derive(Debug, Clone)]
pub(super) struct Template {
    subject: String,
    body: String,
    requires: Vec<String>,
    has_subject: bool,
}

impl Template {
    /// Reads `subject: …`, `requires: …`, an empty line and the body; adds both parts to
    /// `environment`.
    pub(super) fn parse(
        kind: &str,
        name: &str,
        source: &str,
        environment: &mut Environment<'static>,
    ) -> Result<Self, TemplateError> {
        let fault = |what: String| TemplateError {
            name: name.to_owned(),
            what,
        };
        let (head, body) = source
            .split_once("\n\n")
            .ok_or_else(|| fault("expected a head, an empty line and the text".to_owned()))?;
        let line = |key: &str| {
            head.lines()
                .find_map(|line| line.strip_prefix(key))
                .map(str::trim)
        };
        let subject =
            line("subject:").ok_or_else(|| fault("expected a line `subject: …`".to_owned()))?;
        let requires = line("requires:").unwrap_or("");
        let requires: Vec<String> = requires
            .split(',')
            .map(|it| it.trim().to_owned())
            .filter(|it| !it.is_empty())
            .collect();
        if body.trim().is_empty() {
            return Err(fault("the text is empty".to_owned()));
        }
        let names = [
            format!("{kind}/{name}/subject"),
            format!("{kind}/{name}/body"),
        ];
        for (part, text) in names.iter().zip([subject, body]) {
            environment
                .add_template_owned(part.clone(), text.to_owned())
                .map_err(|error| fault(format!("{error:#}")))?;
            let template = environment
                .get_template(part)
                .map_err(|error| fault(error.to_string()))?;
            let used = template.undeclared_variables(false);
            let unknown = used
                .iter()
                .chain(&requires)
                .find(|it| !VARIABLES.contains(&it.as_str()));
            if let Some(unknown) = unknown {
                return Err(fault(format!(
                    "unknown `{unknown}`; expected one of {}",
                    VARIABLES.join(", ")
                )));
            }
        }
        let [subject_name, body_name] = names;
        Ok(Self {
            subject: subject_name,
            body: body_name,
            requires,
            has_subject: !subject.is_empty(),
        })
    }

    pub(super) const fn has_subject(&self) -> bool {
        self.has_subject
    }

    /// Subject and text for one lead.
    pub(super) fn render(
        &self,
        environment: &Environment<'_>,
        facts: &Value,
        campaign: &str,
    ) -> Result<(String, String), CopyError> {
        for variable in &self.requires {
            let value = facts.get_attr(variable).unwrap_or_default();
            if value.as_str().is_none_or(|text| text.trim().is_empty()) {
                let (campaign, variable) = (campaign.to_owned(), variable.clone());
                return Err(CopyError::Missing { campaign, variable });
            }
        }
        let fault = |error: minijinja::Error| CopyError::Render {
            campaign: campaign.to_owned(),
            reason: format!("{error:#}"),
        };
        let part = |name: &str| {
            environment
                .get_template(name)
                .and_then(|it| it.render(facts))
        };
        let subject = part(&self.subject).map_err(fault)?;
        let subject: String = subject.split_whitespace().collect::<Vec<_>>().join(" ");
        let subject: String = subject.chars().take(SUBJECT).collect();
        let text = part(&self.body).map_err(fault)?;
        Ok((subject, text.trim().to_owned()))
    }
}
