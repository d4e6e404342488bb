//! Revivals become drafts, for a person to review.

use caio_core::draft::{Draft, DraftStatus};
use caio_core::identity::draft_id;
use caio_core::lead::{Company, Intent, Lead, LeadSource};
use caio_core::revival::Contact;
use caio_core::terms::{Medium, Motion, Step, Tier};
use caio_core::time::rfc3339;
use caio_state::{CommitOutcome, Guard};
use serde::Serialize;

use super::{Found, Revivals, Scan, revival};
use crate::cadence::digest;
use crate::copywriter::Copywriter;
use crate::error::Result;
use crate::facts::facts;
use crate::history::Event;
use crate::leads::LeadRecord;
use crate::records;
use crate::transition::commit;

/// Campaign, which names the template.
const CAMPAIGN: &str = "revival";

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Revived {
    /// Ids of the new drafts.
    pub drafts: Vec<String>,
    /// Addresses for which nothing could be written, with why.
    pub unwritten: Vec<(String, String)>,
    /// What was looked at.
    pub scan: Scan,
}

impl Revivals<'_> {
    /// Writes to those whom [`Self::scan`] names, best chance first; at most `limit`.
    ///
    /// # Errors
    /// When the store fails. What was committed stays.
    pub async fn draft(
        &self,
        contacts: &[Contact],
        limit: usize,
        writer: &dyn Copywriter,
    ) -> Result<Revived> {
        let (found, scan) = self.look(contacts).await?;
        let mut revived = Revived {
            scan,
            ..Revived::default()
        };
        for found in found {
            if revived.drafts.len() == limit {
                break;
            }
            self.write(&found, writer, &mut revived).await?;
        }
        Ok(revived)
    }

    async fn write(
        &self,
        found: &Found,
        writer: &dyn Copywriter,
        revived: &mut Revived,
    ) -> Result<()> {
        let now = rfc3339(self.clock.now());
        let lead = match &found.lead {
            Some(lead) => lead.clone(),
            None => taken_over(found, &now),
        };
        let text = match writer.follow_up(CAMPAIGN, &lead.lead) {
            Ok(text) => text,
            Err(why) => {
                let email = found.candidate.email.clone();
                revived.unwritten.push((email, why.reason));
                return Ok(());
            }
        };
        let person = &found.person;
        // Asked anew: the guards hold what is true now.
        let facts = facts(self.store, &[revival(person)]).await?;
        let facts = facts.into_iter().next().unwrap_or_default();
        if facts.touched || facts.suppressed.is_some() || !facts.signals.is_revivable() {
            return Ok(());
        }
        let draft = Draft {
            id: draft_id(person, Medium::Email, Step::REVIVAL),
            status: DraftStatus::Pending,
            recipient: person.clone(),
            to: lead.lead.email.clone(),
            name: lead.lead.name(),
            company: lead.lead.company.name.clone(),
            medium: Medium::Email,
            step: Step::REVIVAL,
            motion: Motion::Revival,
            tier: lead.tier.unwrap_or(Tier::Four),
            score: lead.score,
            model: lead.model.clone(),
            campaign: CAMPAIGN.to_owned(),
            subject: text.subject,
            body: text.body,
            placeholder_sender: text.placeholder_sender,
            facts_digest: digest(&lead, writer),
            source: lead.lead.source.kind.clone(),
            flags: vec![format!("quiet_for_{}_days", found.candidate.days_inactive)],
            created_at: now,
            via: None,
            decisions: Vec::new(),
        };
        let mut guards = facts.guards;
        guards.push(Guard::Absent(records::draft(&draft.id)));
        let mut changes = records::put_draft(&draft, None)?;
        if found.lead.is_none() {
            let key = records::lead(person);
            guards.push(Guard::Absent(key));
            changes.extend(records::put_lead(&lead)?);
        }
        let id = self.ids.id();
        let event = Event::new(&id, self.clock.now(), self.by, "draft.written", &draft.id);
        let why = format!("a revival, score {}", found.candidate.revival_score);
        changes.extend(event.about(person).because(why).writes()?);
        if commit(self.store, self.ids, guards, changes).await? == CommitOutcome::Committed {
            revived.drafts.push(draft.id);
        }
        Ok(())
    }
}

/// What is known of somebody of whom only the CRM tells.
fn taken_over(found: &Found, now: &str) -> LeadRecord {
    let contact = &found.candidate;
    let lead = Lead {
        key: found.person.clone(),
        email: contact.email.clone(),
        first_name: contact.first_name.clone(),
        last_name: contact.last_name.clone(),
        title: contact.title.clone(),
        linkedin_url: String::new(),
        phone: String::new(),
        location: String::new(),
        company: Company {
            name: contact.company.clone(),
            ..Company::default()
        },
        source: LeadSource {
            kind: "crm".to_owned(),
            name: contact.contact_id.clone(),
        },
        intent: Intent::default(),
    };
    let rated = (found.score.unwrap_or(0), found.tier.parse().ok());
    LeadRecord {
        draft: Some(draft_id(&found.person, Medium::Email, Step::REVIVAL)),
        updated_at: now.to_owned(),
        ..LeadRecord::taken_over(lead, rated, "a contact of the CRM")
    }
}
