//! People who went quiet long ago: who may be written to anew, and the drafts for it.
//!
//! Looked at are the contacts of the CRM that are given, and whoever our ledger wrote to in the days
//! that the rules name. Somebody of whom only our store knows counts as `Cold` once every step of the
//! follow-up is behind them; a person is revived once.

mod write;

use std::collections::{BTreeMap, BTreeSet};

use caio_core::config::production::Revival;
use caio_core::draft::{Draft, DraftStatus};
use caio_core::identity::draft_id;
use caio_core::revival::{Chance, Contact, Excluded, Known, judge};
use caio_core::terms::{Medium, Step};
use caio_core::time::rfc3339;
use caio_core::{Clock, EmailKey, IdSource};
use caio_state::{Key, Range, StateStore, StateStoreExt, Versioned};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::cadence::Enrolment;
use crate::error::{DispatchError, Result};
use crate::facts::{self, Facts, Touch};
use crate::leads::LeadRecord;
use crate::ledger::{self, LedgerEntry};
use crate::records;

pub use write::Revived;

/// People looked at in one round trip.
const PAGE: usize = 250;

/// For how long a visit to the web site counts.
const VISIT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Looks for people who went quiet.
#[derive(Debug, Clone, Copy)]
pub struct Revivals<'a> {
    /// The store.
    pub store: &'a dyn StateStore,
    /// Time.
    pub clock: &'a dyn Clock,
    /// Ids of events and transactions.
    pub ids: &'a dyn IdSource,
    /// Who decides, for the record.
    pub by: &'a str,
    /// Who is looked for.
    pub rules: &'a Revival,
}

/// Somebody who may be written to anew, in the shape of the old system.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Candidate {
    /// Address.
    pub email: String,
    /// The CRM's id, or `""`.
    pub contact_id: String,
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
    /// Company.
    pub company: String,
    /// Job title.
    pub title: String,
    /// Stage.
    pub pipeline_stage: String,
    /// Last activity or message, RFC 3339 UTC.
    pub last_activity_date: String,
    /// Whole days since then.
    pub days_inactive: i64,
    /// 0 to 1, three decimals.
    pub revival_score: f64,
    /// Why.
    pub revival_reason: caio_core::revival::Reason,
    /// What came before.
    pub context: Value,
    /// Tags.
    pub tags: Vec<String>,
}

/// The answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Scan {
    /// Best chance first.
    pub candidates: Vec<Candidate>,
    /// How many.
    pub count: usize,
    /// Others, by why they are left out.
    pub excluded: BTreeMap<&'static str, u64>,
    /// Contacts and records that cannot be read.
    pub problems: Vec<String>,
}

/// A candidate with what it was found in.
struct Found {
    candidate: Candidate,
    person: EmailKey,
    lead: Option<LeadRecord>,
    tier: String,
    score: Option<u32>,
}

/// Reads a list of contacts, `[…]` or `{"contacts": […]}`; one that cannot be used is named and costs
/// nothing else.
///
/// # Errors
/// [`DispatchError::Refused`] with `revival.contacts` for what is no such list.
pub fn contacts(text: &str) -> Result<(Vec<Contact>, Vec<String>)> {
    let document: Option<Value> = serde_json::from_str(text.trim_start_matches('\u{feff}')).ok();
    let list = document.as_ref().and_then(|document| {
        let list = document.get("contacts").unwrap_or(document);
        list.as_array()
    });
    let Some(list) = list else {
        return Err(DispatchError::Refused {
            code: "revival.contacts",
            reason: "the contacts cannot be read; expected a JSON list of objects".to_owned(),
        });
    };
    let (mut contacts, mut problems) = (Vec::new(), Vec::new());
    for (position, value) in (1..).zip(list) {
        match Contact::read(position, value) {
            Ok(contact) => contacts.push(contact),
            Err(bad) => problems.push(bad.to_string()),
        }
    }
    Ok((contacts, problems))
}

impl Revivals<'_> {
    /// Who may be written to anew, best chance first; at most `limit`. Changes nothing.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn scan(&self, contacts: &[Contact], limit: usize) -> Result<Scan> {
        let (found, mut scan) = self.look(contacts).await?;
        let best = found.into_iter().take(limit).map(|it| it.candidate);
        scan.candidates = best.collect();
        scan.count = scan.candidates.len();
        Ok(scan)
    }

    /// Everybody who may be written to, best chance first.
    async fn look(&self, contacts: &[Contact]) -> Result<(Vec<Found>, Scan)> {
        let mut scan = Scan::default();
        let mut people: Vec<(EmailKey, Option<&Contact>)> = Vec::new();
        let mut seen = BTreeSet::new();
        for contact in contacts {
            match EmailKey::parse(&contact.email) {
                Ok(person) if seen.insert(person.clone()) => people.push((person, Some(contact))),
                Ok(_) => {}
                Err(_) => scan.problems.push("a contact has no address".to_owned()),
            }
        }
        for person in self.written_to().await? {
            if seen.insert(person.clone()) {
                people.push((person, None));
            }
        }
        let mut found = Vec::new();
        for people in people.chunks(PAGE) {
            self.judge(people, &mut found, &mut scan).await?;
        }
        found.sort_by(|a: &Found, b: &Found| {
            let key = |it: &Found| (it.candidate.days_inactive, it.candidate.email.clone());
            let by_score = b
                .candidate
                .revival_score
                .total_cmp(&a.candidate.revival_score);
            by_score.then_with(|| key(b).cmp(&key(a)))
        });
        Ok((found, scan))
    }

    /// Whom we wrote to in the days that are looked at.
    async fn written_to(&self) -> Result<BTreeSet<EmailKey>> {
        let now = self.clock.now();
        let days = |days: u32| SignedDuration::from_hours(i64::from(days) * 24);
        let ago = |by: SignedDuration| now.checked_sub(by).map_or_else(|_| String::new(), rfc3339);
        let range = Range {
            // The whole day at each end is judged, not cut off here.
            from: Some(ago(days(self.rules.max_inactive_days.saturating_add(2)))),
            until: Some(ago(days(self.rules.min_inactive_days))),
            ..Range::default()
        };
        let entries: Vec<LedgerEntry> =
            self.store.index_json(records::LEDGER_INDEX, &range).await?;
        let people = entries.into_iter().filter(LedgerEntry::may_be_out);
        Ok(people.map(|it| it.item.recipient).collect())
    }

    async fn judge(
        &self,
        people: &[(EmailKey, Option<&Contact>)],
        found: &mut Vec<Found>,
        scan: &mut Scan,
    ) -> Result<()> {
        let touches: Vec<Touch<'_>> = people.iter().map(|(person, _)| revival(person)).collect();
        let facts = facts::facts(self.store, &touches).await?;
        let keys: Vec<Key> = people.iter().flat_map(|(person, _)| keys(person)).collect();
        let documents = self.store.get(&keys).await?;
        for (((person, contact), facts), documents) in
            people.iter().zip(facts).zip(documents.chunks(5))
        {
            let about = match About::read(documents) {
                Ok(about) => about,
                Err(error) => {
                    scan.problems.push(format!("{person}: {error}"));
                    continue;
                }
            };
            let contact = contact.map_or_else(|| about.contact(person), Clone::clone);
            match self.chance(person, &contact, &facts, &about).await? {
                Ok((chance, touches)) => found.push(Found {
                    candidate: candidate(&contact, &chance, &touches, &facts, self.clock.now()),
                    person: person.clone(),
                    tier: contact.tier,
                    score: contact.score,
                    lead: about.lead,
                }),
                Err(why) => *scan.excluded.entry(why.code()).or_default() += 1,
            }
        }
        Ok(())
    }

    /// The ledger is read of those alone whom nothing else excludes.
    async fn chance(
        &self,
        person: &EmailKey,
        contact: &Contact,
        facts: &Facts,
        about: &About,
    ) -> Result<Result<(Chance, Vec<LedgerEntry>), Excluded>> {
        let now = self.clock.now();
        let mut known = Known {
            facts: facts.signals.clone(),
            suppressed: facts.suppressed.as_deref(),
            last_touch: None,
            programme: about.programme(),
            revived: facts.touched,
            revisited: about.visited(now),
            is_known: about.status.is_some(),
        };
        match judge(contact, &known, self.rules, now) {
            Ok(_) | Err(Excluded::UnknownActivity | Excluded::TooLate) => {}
            Err(why) => return Ok(Err(why)),
        }
        let entries = ledger::of_person(self.store, person).await?;
        let out: Vec<LedgerEntry> = entries
            .into_iter()
            .filter(LedgerEntry::may_be_out)
            .collect();
        known.last_touch = out.iter().filter_map(when).max();
        Ok(judge(contact, &known, self.rules, now).map(|chance| (chance, out)))
    }
}

/// The one revival that a person can have.
const fn revival(person: &EmailKey) -> Touch<'_> {
    Touch {
        person,
        medium: Medium::Email,
        step: Step::REVIVAL,
    }
}

/// What is read of a person besides what gates a send.
fn keys(person: &EmailKey) -> [Key; 5] {
    [
        records::lead(person),
        records::lead_status(person),
        records::cadence(person),
        records::draft(&draft_id(person, Medium::Email, Step::FIRST)),
        records::draft(&draft_id(person, Medium::Email, Step::REVIVAL)),
    ]
}

/// What the store knows about a person.
struct About {
    lead: Option<LeadRecord>,
    status: Option<Map<String, Value>>,
    follow_up: Option<Enrolment>,
    first: Option<Draft>,
    revival: Option<Draft>,
}

impl About {
    fn read(documents: &[Option<Versioned>]) -> serde_json::Result<Self> {
        fn json<T: serde::de::DeserializeOwned>(
            documents: &[Option<Versioned>],
            at: usize,
        ) -> serde_json::Result<Option<T>> {
            let found = documents.get(at).and_then(Option::as_ref);
            found
                .map(|it| serde_json::from_slice(&it.value))
                .transpose()
        }
        Ok(Self {
            lead: json(documents, 0)?,
            status: json(documents, 1)?,
            follow_up: json(documents, 2)?,
            first: json(documents, 3)?,
            revival: json(documents, 4)?,
        })
    }

    /// The person as a contact, where the CRM has none.
    fn contact(&self, person: &EmailKey) -> Contact {
        let is_over = |it: &Enrolment| it.status() == "completed";
        let stage = match &self.follow_up {
            Some(follow_up) if is_over(follow_up) => "Cold",
            _ => "",
        };
        let mut contact = Contact {
            email: person.to_string(),
            stage: stage.to_owned(),
            ..Contact::default()
        };
        if let Some(LeadRecord {
            lead, tier, score, ..
        }) = &self.lead
        {
            lead.email.clone_into(&mut contact.email);
            lead.first_name.clone_into(&mut contact.first_name);
            lead.last_name.clone_into(&mut contact.last_name);
            lead.company.name.clone_into(&mut contact.company);
            lead.title.clone_into(&mut contact.title);
            contact.tier = tier.map(|tier| tier.to_string()).unwrap_or_default();
            contact.score = Some(*score);
        }
        contact
    }

    /// What goes on with this person already: one programme a person (CA-12, RV-6).
    fn programme(&self) -> Option<&'static str> {
        let goes_on = |it: &Enrolment| matches!(it.status(), "active" | "paused");
        let waits = |it: &Draft| {
            matches!(
                it.status,
                DraftStatus::Pending | DraftStatus::Approved | DraftStatus::Claimed
            )
        };
        if self.follow_up.as_ref().is_some_and(goes_on) {
            Some("its follow-up goes on")
        } else if self.first.as_ref().is_some_and(waits) {
            Some("its first e-mail waits")
        } else if self.revival.is_some() {
            Some("its revival was written before")
        } else {
            None
        }
    }

    /// Was on our web site in the last 30 days.
    fn visited(&self, now: Timestamp) -> bool {
        let signals = self.status.as_ref().and_then(|it| it.get("signals"));
        let signals = signals.and_then(Value::as_array);
        signals.into_iter().flatten().any(|signal| {
            let text = |member: &str| signal.get(member).and_then(Value::as_str).unwrap_or("");
            let kind = text("type").to_lowercase();
            let is_visit = kind.contains("rb2b") || kind.contains("website");
            let at = caio_core::batch::parse_instant(text("at"));
            is_visit && at.is_some_and(|at| now.duration_since(at) < VISIT)
        })
    }
}

/// When a message reached its recipient's side, or was handed over at the latest.
fn when(entry: &LedgerEntry) -> Option<Timestamp> {
    let handed_over = entry.settled_at.as_deref().unwrap_or(&entry.intended_at);
    let at = entry.sent().unwrap_or(handed_over);
    caio_core::batch::parse_instant(at)
}

fn candidate(
    contact: &Contact,
    chance: &Chance,
    touches: &[LedgerEntry],
    facts: &Facts,
    now: Timestamp,
) -> Candidate {
    let last_touch = touches.iter().filter_map(when).max();
    let days = |at: Timestamp| now.duration_since(at).as_hours().div_euclid(24);
    let channels: BTreeSet<&str> = touches.iter().map(|it| it.item.medium.as_str()).collect();
    let emails = touches.iter().filter(|it| it.item.medium == Medium::Email);
    let signals = &facts.signals;
    let context = json!({
        "total_touchpoints": touches.len(),
        "last_touch_date": last_touch.map(rfc3339).unwrap_or_default(),
        "days_since_last_touch": last_touch.map(days),
        "channels_used": channels, "emails_sent": emails.count(), "emails_opened": signals.opens,
        "replies_received": signals.replies, "linkedin_connected": signals.connected,
        "contact_id": contact.id, "pipeline_stage": contact.stage, "ghl_tags": contact.tags,
        "icp_tier": contact.tier, "icp_score": contact.score,
    });
    let active = contact.last_activity.max(last_touch);
    Candidate {
        email: contact.email.clone(),
        contact_id: contact.id.clone(),
        first_name: contact.first_name.clone(),
        last_name: contact.last_name.clone(),
        company: contact.company.clone(),
        title: contact.title.clone(),
        pipeline_stage: contact.stage.clone(),
        last_activity_date: active.map(rfc3339).unwrap_or_default(),
        days_inactive: chance.days_inactive,
        revival_score: chance.score,
        revival_reason: chance.reason,
        context,
        tags: contact.tags.clone(),
    }
}
