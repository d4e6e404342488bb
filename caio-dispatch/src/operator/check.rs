//! The last question before a claim: is this item still what was approved, and may it go?

use caio_core::batch::BatchItem;
use caio_core::draft::Draft;
use caio_core::eligibility::{Candidate, ContentCheck, Eligibility, eligible};
use caio_state::{Guard, Key, StateStore, Versioned};

use crate::channel::Outgoing;
use crate::error::Result;
use crate::facts::{Facts, Touch, facts};
use crate::leads::LeadRecord;
use crate::ledger::{DeliveryState, LedgerEntry};
use crate::records;
use crate::transition::unchanged;

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
    let mut checked = check_items(store, &[(item, delivery)]).await?;
    let unread = || Checked::Refused("it was not checked".to_owned());
    Ok(checked.pop().unwrap_or_else(unread))
}

/// The same for several items with their deliveries, in order; what the store knows about all of
/// them is read together.
pub async fn check_items(
    store: &dyn StateStore,
    items: &[(&BatchItem, &str)],
) -> Result<Vec<Checked>> {
    let touches: Vec<Touch<'_>> = items
        .iter()
        .map(|(item, _)| Touch {
            person: &item.recipient,
            medium: item.medium,
            step: item.step,
        })
        .collect();
    let drafts = items.iter().map(|(item, _)| records::draft(&item.draft));
    let leads = items.iter().map(|(item, _)| records::lead(&item.recipient));
    let entries = items.iter().map(|(_, delivery)| records::ledger(delivery));
    let keys: Vec<Key> = drafts.chain(leads).chain(entries).collect();
    let (records, facts) = tokio::try_join!(
        async { Ok(store.get(&keys).await?) },
        facts(store, &touches),
    )?;
    let mut drafts = records;
    let mut leads = drafts.split_off(items.len());
    let entries = leads.split_off(items.len());
    let read = items.iter().zip(facts).zip(drafts).zip(leads).zip(entries);
    Ok(read
        .map(|((((item, facts), draft), lead), entry)| one(*item, facts, (draft, lead, entry)))
        .collect())
}

/// One item, against what was read about it. What cannot be read is never a yes.
fn one(
    (item, delivery): (&BatchItem, &str),
    facts: Facts,
    (draft, lead, entry): (Option<Versioned>, Option<Versioned>, Option<Versioned>),
) -> Checked {
    let refused = |reason: &str| Checked::Refused(reason.to_owned());
    let Some(Versioned { value, version }) = draft else {
        return refused("its draft is gone");
    };
    let Ok(draft) = serde_json::from_slice::<Draft>(&value) else {
        return refused("its draft cannot be read");
    };
    if draft.recipient != item.recipient || draft.medium != item.medium || draft.step != item.step {
        return refused("its draft is for somebody or something else");
    }
    if let Err(refusal) = draft.may_go_through(item.provider) {
        return Checked::Refused(refusal.to_string());
    }
    let lead = lead.map(|lead| serde_json::from_slice::<LeadRecord>(&lead.value));
    let Ok(lead) = lead.transpose() else {
        return refused("the lead's record cannot be read");
    };
    let sealed = item.verify_content(&draft.subject, &draft.body);
    let candidate = Candidate {
        recipient: item.recipient.as_str(),
        suppressed: facts.suppressed.as_deref(),
        lead_status: facts.lead_status.as_deref(),
        has_replied: facts.has_replied,
        held: facts.follow_up.as_deref(),
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
        return Checked::Refused(reasons.join("; "));
    }
    if let Some(entry) = &entry
        && !was_released(entry)
    {
        return refused("this batch has claimed it before");
    }
    let mut guards = facts.guards;
    guards.push(unchanged(
        &records::ledger(delivery),
        entry.as_ref().map(|entry| &entry.version),
    ));
    guards.push(Guard::Unchanged(records::draft(&item.draft), version));
    let outgoing = outgoing(&draft, item, delivery, lead);
    Checked::Ready(Box::new(Ready {
        draft,
        outgoing,
        guards,
    }))
}

/// What an interrupted run had claimed and certainly did not send: it may be claimed again.
fn was_released(entry: &Versioned) -> bool {
    serde_json::from_slice::<LedgerEntry>(&entry.value)
        .is_ok_and(|entry| entry.state == DeliveryState::NotSent)
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
pub fn preview(draft: &Draft, facts: &Facts, tier_filter: Option<caio_core::Tier>) -> Eligibility {
    eligible(&Candidate {
        recipient: draft.recipient.as_str(),
        suppressed: facts.suppressed.as_deref(),
        lead_status: facts.lead_status.as_deref(),
        has_replied: facts.has_replied,
        held: facts.follow_up.as_deref(),
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
