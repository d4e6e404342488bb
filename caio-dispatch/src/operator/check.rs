//! The last question before a claim: is this item still what was approved, and may it go?

use caio_core::batch::BatchItem;
use caio_core::draft::Draft;
use caio_core::eligibility::{Candidate, ContentCheck, Eligibility, eligible};
use caio_state::{Guard, StateStore, StateStoreExt};

use crate::channel::Outgoing;
use crate::error::Result;
use crate::facts::{Touch, facts};
use crate::leads::LeadRecord;
use crate::records;

/// The answer for one item.
#[derive(Debug)]
pub enum Checked {
    /// It may go, as long as the guards hold.
    Ready(Box<Ready>),
    /// It may not, and why.
    Refused(String),
}

/// An item that may go.
#[derive(Debug)]
pub struct Ready {
    /// Its draft.
    pub draft: Draft,
    /// What will be handed over.
    pub outgoing: Outgoing,
    /// Hold while everything that was checked is still so.
    pub guards: Vec<Guard>,
}

/// Checks `item` against its draft, its seal and everything known about the recipient.
pub async fn check_item(
    store: &dyn StateStore,
    item: &BatchItem,
    delivery: &str,
) -> Result<Checked> {
    let key = records::draft(&item.draft);
    let Some((draft, version)) = store.get_json::<Draft>(&key).await? else {
        return Ok(Checked::Refused("its draft is gone".to_owned()));
    };
    if draft.recipient != item.recipient || draft.medium != item.medium || draft.step != item.step {
        return Ok(Checked::Refused(
            "its draft is for somebody or something else".to_owned(),
        ));
    }
    let touch = Touch {
        person: &item.recipient,
        medium: item.medium,
        step: item.step,
    };
    let facts = facts(store, &[touch])
        .await?
        .into_iter()
        .next()
        .unwrap_or_default();
    let sealed = item.verify_content(&draft.subject, &draft.body);
    let candidate = Candidate {
        recipient: item.recipient.as_str(),
        suppressed: facts.suppressed.as_deref(),
        lead_status: facts.lead_status.as_deref(),
        has_replied: facts.has_replied,
        touched: facts.touched,
        medium: item.medium,
        step: item.step,
        draft: draft.status,
        tier: item.tier,
        tier_filter: None,
        synthetic: false,
        canary: false,
        content: if sealed.is_ok() {
            ContentCheck::Sealed
        } else {
            ContentCheck::Changed
        },
    };
    if let Eligibility::Ineligible(reasons) = eligible(&candidate) {
        let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
        return Ok(Checked::Refused(reasons.join("; ")));
    }
    let lead = store
        .get_json::<LeadRecord>(&records::lead(&item.recipient))
        .await?;
    let mut guards = facts.guards;
    guards.push(Guard::Absent(records::ledger(delivery)));
    guards.push(Guard::Unchanged(key, version));
    let outgoing = outgoing(&draft, item, delivery, lead.map(|(record, _)| record));
    Ok(Checked::Ready(Box::new(Ready {
        draft,
        outgoing,
        guards,
    })))
}

/// What will be handed over for `item`; the lead's record supplies the names, where there is one.
pub fn outgoing(
    draft: &Draft,
    item: &BatchItem,
    delivery: &str,
    lead: Option<LeadRecord>,
) -> Outgoing {
    let (first_name, last_name, company, linkedin_url) = match lead {
        Some(LeadRecord { lead, .. }) => (
            lead.first_name,
            lead.last_name,
            lead.company.name,
            lead.linkedin_url,
        ),
        None => Default::default(),
    };
    Outgoing {
        delivery: delivery.to_owned(),
        item: item.clone(),
        to: draft.to.clone(),
        first_name,
        last_name,
        company,
        linkedin_url,
        subject: draft.subject.clone(),
        body: draft.body.clone(),
    }
}

/// Whether a draft may be put into a batch now; all reasons where it may not.
pub fn preview(
    draft: &Draft,
    facts: &crate::facts::Facts,
    tier_filter: Option<caio_core::Tier>,
) -> Eligibility {
    eligible(&Candidate {
        recipient: draft.recipient.as_str(),
        suppressed: facts.suppressed.as_deref(),
        lead_status: facts.lead_status.as_deref(),
        has_replied: facts.has_replied,
        touched: facts.touched,
        medium: draft.medium,
        step: draft.step,
        draft: draft.status,
        tier: draft.tier,
        tier_filter,
        synthetic: false,
        canary: false,
        content: ContentCheck::NotSealed,
    })
}
