//! Who writes the message for a lead.

use std::fmt::Debug;

use caio_core::config::settings::Sender;
use caio_core::copy::{CopyError, Rendered, TemplateSet};
use caio_core::identity::hex;
use caio_core::terms::Tier;
use caio_core::{Lead, route};
use sha2::{Digest, Sha256};

/// Field at fault when it is the template and no fact.
pub const TEMPLATE: &str = "copy";

/// What to write about.
#[derive(Debug, Clone, Copy)]
pub struct Brief<'a> {
    /// To whom.
    pub lead: &'a Lead,
    /// Tier.
    pub tier: Tier,
}

/// A written message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Campaign, which named the template.
    pub campaign: String,
    /// Subject, exactly as it will be sent.
    pub subject: String,
    /// Plain-text body, exactly as it will be sent.
    pub body: String,
    /// The sender is not configured: the text holds marked placeholders.
    pub placeholder_sender: bool,
    /// Remarks for the reviewer.
    pub flags: Vec<String>,
}

/// Why a message could not be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unwritten {
    /// Fact at fault, such as `first_name`.
    pub field: String,
    /// What is wrong.
    pub reason: String,
    /// What was expected.
    pub expected: String,
}

/// Writes messages. No default methods: a wrapper cannot forget one.
pub trait Copywriter: Debug + Send + Sync {
    /// Digest of everything but the lead that the text depends on: templates and sender.
    fn digest(&self) -> &str;

    /// Writes the first touch, or says which fact it lacks.
    fn write(&self, brief: &Brief<'_>) -> Result<Written, Unwritten>;

    /// Writes what a later message says, by the action that names its template: a step of the cadence
    /// or a revival. A LinkedIn note has neither subject nor footer.
    fn follow_up(&self, action: &str, lead: &Lead) -> Result<Written, Unwritten>;
}

/// Writes from templates: the campaign of the lead names the template.
#[derive(Debug)]
pub struct TemplateCopywriter {
    templates: TemplateSet,
    sender: Sender,
    digest: String,
}

impl TemplateCopywriter {
    /// Writes with `templates` in the name of `sender`.
    pub fn new(templates: TemplateSet, sender: Sender) -> Self {
        let digest = hex(&Sha256::digest(format!(
            "{}|{sender:?}",
            templates.digest()
        )));
        Self {
            templates,
            sender,
            digest,
        }
    }
}

impl Copywriter for TemplateCopywriter {
    fn digest(&self) -> &str {
        &self.digest
    }

    fn write(&self, brief: &Brief<'_>) -> Result<Written, Unwritten> {
        let campaign = route::campaign(brief.lead, brief.tier);
        let rendered = self
            .templates
            .first_touch(campaign, brief.lead, &self.sender);
        written(campaign.to_owned(), rendered)
    }

    fn follow_up(&self, action: &str, lead: &Lead) -> Result<Written, Unwritten> {
        written(
            format!("cadence_{action}"),
            self.templates.follow_up(action, lead, &self.sender),
        )
    }
}

fn written(campaign: String, rendered: Result<Rendered, CopyError>) -> Result<Written, Unwritten> {
    match rendered {
        Ok(rendered) => Ok(Written {
            campaign,
            subject: rendered.subject,
            body: rendered.body,
            placeholder_sender: rendered.placeholder_sender,
            flags: Vec::new(),
        }),
        Err(CopyError::Missing { campaign, variable }) => Err(Unwritten {
            reason: format!("there is no {variable}, which the message of {campaign} needs"),
            expected: format!("a {variable}; nothing is invented"),
            field: variable,
        }),
        Err(error) => Err(Unwritten {
            field: TEMPLATE.to_owned(),
            reason: error.to_string(),
            expected: "a text that can be sent; mend the template".to_owned(),
        }),
    }
}
