//! Whether a person in a campaign may still be written to: the question of the send, asked again.

use std::collections::BTreeMap;

use caio_core::batch::Batch;
use caio_core::draft::{Draft, DraftStatus};
use caio_core::eligibility::{Candidate, ContentCheck, Eligibility, eligible};
use caio_state::{StateStore, StateStoreExt};

use super::{Campaigns, Member};
use crate::error::Result;
use crate::facts::{Facts, Touch, facts};
use crate::ledger::{self, DeliveryState, LedgerEntry};
use crate::{batches, records};

/// The answer for one person.
#[derive(Debug)]
pub(super) enum Judged {
    /// They may be written to.
    Stays(LedgerEntry),
    /// Nobody may write to them any more.
    Goes { entry: LedgerEntry, reason: String },
    /// It is not known that this was ever approved: nothing may start, and a person has to look.
    Unclear(String),
}

/// Everybody who is still in, judged by what the ledger, the seal and everything known about them say.
pub(super) async fn judge(
    store: &dyn StateStore,
    provider: &dyn Campaigns,
    name: &str,
    members: &[Member],
) -> Result<Vec<(Member, Judged)>> {
    let mut judged = Vec::new();
    let mut sealed: BTreeMap<String, Batch> = BTreeMap::new();
    for member in members.iter().filter(|member| !member.is_out) {
        let verdict = match entry(store, provider, name, member).await? {
            Ok(entry) => {
                if !sealed.contains_key(&entry.batch) {
                    let batch = batches::one(store, &entry.batch).await?;
                    sealed.insert(entry.batch.clone(), batch);
                }
                one(store, provider, member, entry, &sealed).await?
            }
            Err(unclear) => Judged::Unclear(unclear),
        };
        judged.push((member.clone(), verdict));
    }
    Ok(judged)
}

/// The batches that the people who stay belong to.
pub(super) fn batches_of(judged: &[(Member, Judged)]) -> Vec<&str> {
    let mut batches: Vec<&str> = judged
        .iter()
        .filter_map(|(_, judged)| match judged {
            Judged::Stays(entry) => Some(entry.batch.as_str()),
            _ => None,
        })
        .collect();
    batches.sort_unstable();
    batches.dedup();
    batches
}

/// The delivery of a person in a campaign, or why there is none.
async fn entry(
    store: &dyn StateStore,
    provider: &dyn Campaigns,
    name: &str,
    member: &Member,
) -> Result<Result<LedgerEntry, String>> {
    let Some(address) = &member.address else {
        return Ok(Err(format!(
            "{}: the provider does not say who it is",
            member.id
        )));
    };
    let entries = ledger::of_person(store, address).await?;
    let is_it = |entry: &LedgerEntry| {
        entry.item.provider == provider.provider()
            && match &member.token {
                Some(token) => token.len() >= 8 && entry.id.starts_with(token.as_str()),
                None => entry.container.name == name,
            }
    };
    let found = entries.into_iter().rfind(is_it);
    Ok(
        found
            .ok_or_else(|| format!("{address}: no delivery of ours; somebody else put them there")),
    )
}

async fn one(
    store: &dyn StateStore,
    provider: &dyn Campaigns,
    member: &Member,
    entry: LedgerEntry,
    batches: &BTreeMap<String, Batch>,
) -> Result<Judged> {
    let item = &entry.item;
    match entry.state {
        DeliveryState::Accepted | DeliveryState::Rejected => {}
        DeliveryState::NotSent | DeliveryState::Intended | DeliveryState::Unknown => {
            let (who, word) = (&item.recipient, entry.word());
            return Ok(Judged::Unclear(format!(
                "{who}: the ledger says {word}; `caio ledger reconcile` finds out"
            )));
        }
    }
    let is_in_batch = batches
        .get(&entry.batch)
        .is_some_and(|batch| batch.items.contains(item));
    if !is_in_batch {
        return Ok(Judged::Unclear(format!(
            "{}: it is not in its batch",
            item.recipient
        )));
    }
    let draft = store
        .get_json::<Draft>(&records::draft(&item.draft))
        .await?;
    let touch = Touch {
        person: &item.recipient,
        medium: item.medium,
        step: item.step,
    };
    let facts = facts(store, &[touch]).await?.into_iter().next();
    let draft = draft.map(|(draft, _)| draft);
    let mut reasons = against(&entry, draft.as_ref(), &facts.unwrap_or_default());
    let approved = draft.map(|draft| provider.text(&draft.subject, &draft.body));
    if approved.is_none() || member.text != approved {
        reasons.push("its text there is not the one that was approved".to_owned());
    }
    Ok(if reasons.is_empty() {
        Judged::Stays(entry)
    } else {
        let reason = reasons.join("; ");
        Judged::Goes { entry, reason }
    })
}

/// What stands against a delivery that was handed over: the predicate of the send, for which the
/// touch is taken and the draft is done, and what was reported since.
fn against(entry: &LedgerEntry, draft: Option<&Draft>, facts: &Facts) -> Vec<String> {
    let item = &entry.item;
    let mut reasons = Vec::new();
    if entry.state == DeliveryState::Rejected {
        reasons.push(format!("the ledger says rejected: {}", entry.reason));
    }
    if entry.bounced_at.is_some() {
        reasons.push("it bounced".to_owned());
    }
    if entry.replied_at.is_some() {
        reasons.push("it was answered".to_owned());
    }
    let is_sealed =
        draft.is_some_and(|draft| item.verify_content(&draft.subject, &draft.body).is_ok());
    let candidate = Candidate {
        recipient: item.recipient.as_str(),
        suppressed: facts.suppressed.as_deref(),
        lead_status: facts.lead_status.as_deref(),
        has_replied: facts.has_replied,
        // Of what has left already, the follow-up has moved on.
        held: facts
            .follow_up
            .as_deref()
            .filter(|_| entry.sent().is_none()),
        touched: false,
        medium: item.medium,
        step: item.step,
        draft: DraftStatus::Approved,
        tier: item.tier,
        tier_filter: None,
        synthetic: false,
        canary: false,
        content: if is_sealed {
            ContentCheck::Sealed
        } else {
            ContentCheck::Changed
        },
    };
    if let Eligibility::Ineligible(more) = eligible(&candidate) {
        reasons.extend(more.iter().map(ToString::to_string));
    }
    reasons
}
