//! Every lead with where it stands: what signals say of it, else where its draft is.

mod newest;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use caio_core::EmailKey;
use caio_core::draft::{Draft, DraftStatus};
use caio_core::scorecard::Counts;
use caio_core::terms::Tier;
use caio_state::{Key, StateStore, StateStoreExt, Versioned};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::Result;
use crate::leads::LeadRecord;
use crate::{records, review};

pub use newest::{Places, newest};

/// Records read at a time.
const PAGE: usize = 500;

/// One lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Row {
    /// Who.
    pub email: String,
    /// Name; null where nobody said.
    pub name: Option<String>,
    /// Company; null where nobody said.
    pub company: Option<String>,
    /// Job title; null where nobody said.
    pub title: Option<String>,
    /// Where the lead stands.
    pub status: String,
    /// Tier; null for one that was not scored, or disqualified.
    pub icp_tier: Option<Tier>,
    /// 0–100; null for one that was not scored.
    pub icp_score: Option<u32>,
    /// E-mails opened.
    pub open_count: u64,
    /// Answers.
    pub reply_count: u64,
    /// `connected`, where the lead is.
    pub linkedin_status: Option<String>,
    /// When something was last learnt, RFC 3339.
    pub updated_at: Option<String>,
    /// Since when there is a record of signals, or a draft, RFC 3339.
    pub created_at: Option<String>,
    /// How many signals there are.
    pub signal_count: usize,
}

/// Leads by status, in the groups of the old dashboard.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Funnel {
    /// Leads by group and status; every status of a group is there.
    #[serde(flatten)]
    pub groups: BTreeMap<&'static str, BTreeMap<String, u64>>,
    /// All leads.
    pub total_leads: u64,
}

/// The groups and their statuses.
const GROUPS: [(&str, &[&str]); 7] = [
    ("pipeline", &["pending", "approved", "rejected"]),
    ("outreach", &["dispatched", "sent"]),
    ("engagement", &["opened", "replied", "meeting_booked"]),
    ("decay", &["ghosted", "stalled", "engaged_not_replied"]),
    ("terminal", &["bounced", "unsubscribed", "disqualified"]),
    (
        "linkedin",
        &[
            "linkedin_sent",
            "linkedin_connected",
            "linkedin_replied",
            "linkedin_exhausted",
        ],
    ),
    (
        "revival",
        &["revival_candidate", "revival_queued", "revival_sent"],
    ),
];

/// What signals made of a lead, as both systems keep it.
type Signals = Map<String, Value>;

/// How many leads are in each status.
pub async fn statuses(store: &dyn StateStore) -> Result<BTreeMap<String, u64>> {
    let mut counts = BTreeMap::new();
    each(store, |row| *counts.entry(row.status).or_default() += 1).await?;
    Ok(counts)
}

/// The same in groups.
pub async fn funnel(store: &dyn StateStore) -> Result<Funnel> {
    let counts = statuses(store).await?;
    let count = |status: &&str| {
        let found = counts.get(*status).copied().unwrap_or(0);
        ((*status).to_owned(), found)
    };
    Ok(Funnel {
        groups: GROUPS
            .iter()
            .map(|(group, statuses)| (*group, statuses.iter().map(count).collect()))
            .collect(),
        total_leads: counts.values().sum(),
    })
}

/// What the scorecard is computed from. A lead was written to once a provider has its first message.
pub async fn counts(store: &dyn StateStore) -> Result<Counts> {
    let mut counts = Counts::default();
    each(store, |row| {
        let is_fitting = matches!(row.icp_tier, Some(Tier::One | Tier::Two));
        counts.scored += u64::from(row.icp_score.is_some());
        counts.fitting += u64::from(is_fitting);
        let is_out = !matches!(
            row.status.as_str(),
            "pending" | "approved" | "rejected" | "disqualified" | "unknown"
        );
        counts.written_to += u64::from(is_out);
        counts.opened += u64::from(is_out && row.open_count > 0);
        counts.answered += u64::from(is_out && row.reply_count > 0);
        counts.meetings += u64::from(row.status == "meeting_booked");
    })
    .await?;
    let count = async |status| review::count(store, status).await;
    counts.rejected = count(DraftStatus::Rejected).await?;
    for status in [
        DraftStatus::Approved,
        DraftStatus::Claimed,
        DraftStatus::Done,
    ] {
        counts.approved += count(status).await?;
    }
    Ok(counts)
}

/// Calls `take` with every lead, once.
async fn each(store: &dyn StateStore, mut take: impl FnMut(Row)) -> Result<()> {
    let mut after: Option<Key> = None;
    loop {
        let page = store.scan("caio:lead:", after.as_ref(), PAGE).await?;
        let leads: Vec<LeadRecord> = parsed(&page.items);
        for row in known(store, &leads).await? {
            take(row);
        }
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    let mut after: Option<Key> = None;
    loop {
        let page = store.scan("caio:status:", after.as_ref(), PAGE).await?;
        let signals: Vec<Signals> = parsed(&page.items);
        for row in strangers(store, &signals).await? {
            take(row);
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

/// The records of a page; one that cannot be read is the doctor's to report.
fn parsed<T: serde::de::DeserializeOwned>(items: &[(Key, Versioned)]) -> Vec<T> {
    let read = |(_, document): &(Key, Versioned)| serde_json::from_slice(&document.value).ok();
    items.iter().filter_map(read).collect()
}

/// Rows of leads that a run has taken.
async fn known(store: &dyn StateStore, leads: &[LeadRecord]) -> Result<Vec<Row>> {
    let people: Vec<&EmailKey> = leads.iter().map(|it| &it.lead.key).collect();
    let signals = signals_of(store, &people).await?;
    let drafts: Vec<Key> = leads
        .iter()
        .filter_map(|it| it.draft.as_deref().map(records::draft))
        .collect();
    let drafts: Vec<Draft> = store.get_all_json(&drafts).await?;
    let drafts: HashMap<&EmailKey, &Draft> = drafts.iter().map(|it| (&it.recipient, it)).collect();
    let rows = leads.iter().zip(&signals).map(|(record, signals)| {
        let draft = drafts.get(&record.lead.key).copied();
        row(record, draft, signals.as_ref())
    });
    Ok(rows.collect())
}

async fn signals_of(store: &dyn StateStore, people: &[&EmailKey]) -> Result<Vec<Option<Signals>>> {
    let keys: Vec<Key> = people.iter().map(|it| records::lead_status(it)).collect();
    let read = |document: Versioned| serde_json::from_slice(&document.value).ok();
    let found = store.get(&keys).await?.into_iter();
    Ok(found.map(|document| document.and_then(read)).collect())
}

/// Rows of people of whom there are signals alone.
async fn strangers(store: &dyn StateStore, signals: &[Signals]) -> Result<Vec<Row>> {
    let named = signals.iter().filter_map(|signals| {
        let email = signals.get("email")?.as_str()?;
        Some((EmailKey::parse(email).ok()?, signals))
    });
    let named: Vec<(EmailKey, &Signals)> = named.collect();
    let keys: Vec<Key> = named.iter().map(|(key, _)| records::lead(key)).collect();
    let leads = store.get(&keys).await?;
    let unknown = named.iter().zip(leads).filter(|(_, lead)| lead.is_none());
    Ok(unknown
        .map(|((key, signals), _)| stranger(key, signals))
        .collect())
}

fn row(record: &LeadRecord, draft: Option<&Draft>, signals: Option<&Signals>) -> Row {
    let lead = &record.lead;
    let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let mut row = Row {
        email: lead.key.to_string(),
        name: said(&lead.name()),
        company: said(&lead.company.name),
        title: said(&lead.title),
        status: status(record, draft).to_owned(),
        icp_tier: record.tier,
        icp_score: Some(record.score),
        open_count: 0,
        reply_count: 0,
        linkedin_status: None,
        updated_at: Some(record.updated_at.clone()),
        created_at: draft.map(|it| it.created_at.clone()),
        signal_count: 0,
    };
    if let Some(signals) = signals {
        signal(&mut row, signals);
    }
    row
}

fn stranger(key: &EmailKey, signals: &Signals) -> Row {
    let text = |name: &str| {
        let text = signals.get(name).and_then(Value::as_str);
        text.filter(|it| !it.is_empty()).map(str::to_owned)
    };
    let mut row = Row {
        email: key.to_string(),
        name: text("name"),
        company: text("company"),
        title: text("title"),
        status: "unknown".to_owned(),
        icp_tier: None,
        icp_score: None,
        open_count: 0,
        reply_count: 0,
        linkedin_status: None,
        updated_at: None,
        created_at: None,
        signal_count: 0,
    };
    signal(&mut row, signals);
    row
}

/// What signals say comes before what our own records say.
fn signal(row: &mut Row, signals: &Signals) {
    let text = |name: &str| signals.get(name).and_then(Value::as_str).map(str::to_owned);
    let count = |name: &str| signals.get(name).and_then(Value::as_u64).unwrap_or(0);
    if let Some(status) = text("status") {
        row.status = status;
    }
    row.open_count = count("open_count");
    row.reply_count = count("reply_count");
    row.linkedin_status = text("linkedin_status");
    row.updated_at = text("updated_at").or(row.updated_at.take());
    row.created_at = text("created_at").or(row.created_at.take());
    let list = signals.get("signals").and_then(Value::as_array);
    row.signal_count = list.map_or(0, Vec::len);
}

/// Where a lead stands of whom there are no signals.
fn status(record: &LeadRecord, draft: Option<&Draft>) -> &'static str {
    match draft.map(|it| it.status) {
        Some(DraftStatus::Pending) => "pending",
        Some(DraftStatus::Approved | DraftStatus::Claimed) => "approved",
        Some(DraftStatus::Rejected) => "rejected",
        Some(DraftStatus::Done) => "dispatched",
        None => match record.outcome.as_str() {
            "suppressed" => "unsubscribed",
            "disqualified" => "disqualified",
            _ => "unknown",
        },
    }
}
