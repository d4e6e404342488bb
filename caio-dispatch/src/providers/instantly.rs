//! Instantly, API V2: letters are uploaded into draft campaigns, which a person starts.
//!
//! The campaign's name carries the batch and each lead the delivery, so that what an answer did not
//! tell can be looked up. Source of every fact: the vendor's published API.

mod campaigns;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use async_trait::async_trait;
use caio_core::requests::{self, Campaign, Message};
use caio_core::terms::Provider;
use jiff::SignedDuration;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::http::{Call, CallError, Http};
use super::{SETTLES_WITHIN, failures};
use crate::channel::{Channel, Container, Outcome, Outgoing, Prepared, Proof};
use crate::ledger::LedgerEntry;
use wire::{Added, CampaignRecord, LeadRecord, Listed};

/// Letters handed over in one call. The provider takes 1000; what a crash leaves open is at most this.
const CHUNK: usize = 100;

/// Entries of a page, the most that the provider gives.
const PAGE: &str = "100";

/// Pages of one listing; more means that the cursor goes nowhere.
const PAGES: usize = 1000;

/// Statuses of a campaign: a draft, one that sends, one that rests, one whose follow-ups still go out.
const DRAFT: i64 = 0;
const ACTIVE: i64 = 1;
const PAUSED: i64 = 2;
const SUBSEQUENCES: i64 = 4;

/// What campaigns have in common.
#[derive(Debug, Clone)]
pub struct InstantlyOptions {
    /// Accounts that send.
    pub accounts: Vec<String>,
    /// Time zone of the sending window, one that the provider accepts.
    pub time_zone: String,
    /// Most e-mails a day.
    pub daily_limit: u32,
    /// How long a lost call may still take effect.
    pub settles_within: SignedDuration,
}

impl InstantlyOptions {
    /// Options with the usual time for a lost call to take effect.
    pub fn new(accounts: Vec<String>, time_zone: &str, daily_limit: u32) -> Self {
        Self {
            accounts,
            time_zone: time_zone.to_owned(),
            daily_limit,
            settles_within: SETTLES_WITHIN,
        }
    }
}

/// Delivers through Instantly.
#[derive(Debug)]
pub struct InstantlyChannel {
    http: Http,
    options: InstantlyOptions,
    /// Ids of campaigns by name, as far as this process knows them; held while one is looked up or made,
    /// so that calls at one time make one.
    known: Mutex<BTreeMap<String, String>>,
}

impl InstantlyChannel {
    /// A channel over `http`.
    pub fn new(http: Http, options: InstantlyOptions) -> Self {
        Self {
            http,
            options,
            known: Mutex::default(),
        }
    }

    /// Every campaign that a query finds, over all pages.
    async fn campaigns(&self, query: &[(&str, &str)]) -> Result<Vec<CampaignRecord>, CallError> {
        let mut all = Vec::new();
        self.campaigns_into(&mut all, query).await?;
        Ok(all)
    }

    /// The same; what was found before a page failed stays in `all`.
    async fn campaigns_into(
        &self,
        all: &mut Vec<CampaignRecord>,
        query: &[(&str, &str)],
    ) -> Result<(), CallError> {
        let mut after: Option<String> = None;
        for _ in 0..PAGES {
            let mut query = query.to_vec();
            query.push(("limit", PAGE));
            if let Some(after) = &after {
                query.push(("starting_after", after));
            }
            let call = Call {
                query: &query,
                ..Call::get("list campaigns", "/campaigns")
            };
            let page: Listed<CampaignRecord> = self.http.ask(&call).await?;
            let known: BTreeSet<&str> = all.iter().map(|it| it.id.as_str()).collect();
            let goes_nowhere = page.items.iter().all(|it| known.contains(it.id.as_str()));
            let next = page
                .next_starting_after
                .filter(|it| Some(it) != after.as_ref());
            // The last page may carry a cursor, and a cursor may be ignored.
            if page.items.is_empty() || goes_nowhere {
                return Ok(());
            }
            all.extend(page.items);
            match next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
        Err(CallError::Unknown(format!(
            "{}, list campaigns: more than {PAGES} pages",
            self.provider()
        )))
    }

    /// The campaigns of exactly this name, the oldest first.
    async fn named(&self, name: &str) -> Result<Vec<CampaignRecord>, CallError> {
        let mut found = self.campaigns(&[("search", name)]).await?;
        found.retain(|campaign| campaign.name == name);
        found.sort_by(|left, right| {
            (&left.timestamp_created, &left.id).cmp(&(&right.timestamp_created, &right.id))
        });
        Ok(found)
    }

    /// The leads of a campaign that `filter` finds, over all pages.
    async fn leads(&self, campaign: &str, filter: Value) -> Result<Vec<LeadRecord>, CallError> {
        let mut all: Vec<LeadRecord> = Vec::new();
        let mut seen = BTreeSet::new();
        let mut after: Option<String> = None;
        for _ in 0..PAGES {
            let mut body = filter.clone();
            body["campaign"] = campaign.into();
            body["limit"] = 100.into();
            if let Some(after) = &after {
                body["starting_after"] = after.as_str().into();
            }
            let call = Call::post("list leads", "/leads/list", Some(&body)).repeatable();
            let page: Listed<LeadRecord> = self.http.ask(&call).await?;
            let before = seen.len();
            for lead in page.items {
                // A filter that the provider ignores would give the whole workspace.
                let is_here = lead.campaign.as_deref().is_none_or(|it| it == campaign);
                if seen.insert(lead.id.clone()) && is_here {
                    all.push(lead);
                }
            }
            let next = page
                .next_starting_after
                .filter(|it| Some(it) != after.as_ref());
            match next {
                Some(next) if seen.len() > before => after = Some(next),
                _ => return Ok(all),
            }
        }
        Err(CallError::Unknown(format!(
            "{}, list leads: more than {PAGES} pages",
            self.provider()
        )))
    }

    /// The draft campaign of a container: known, found, or made.
    async fn campaign(&self, name: &str, create: &Value) -> Result<String, CallError> {
        let mut known = self.known.lock().await;
        if let Some(id) = known.get(name) {
            return Ok(id.clone());
        }
        let mut found = self.named(name).await?;
        if found.is_empty() {
            let call = Call::post("create campaign", "/campaigns", Some(create));
            found = match self.http.ask::<CampaignRecord>(&call).await {
                Ok(campaign) => vec![campaign],
                // It may be there all the same.
                Err(CallError::Unknown(reason)) => match self.named(name).await? {
                    none if none.is_empty() => return Err(CallError::Unknown(reason)),
                    found => found,
                },
                Err(error) => return Err(error),
            };
        }
        let campaign = self.one_of(found).await?;
        known.insert(name.to_owned(), campaign.id.clone());
        Ok(campaign.id)
    }

    /// The oldest of several campaigns of one name; the empty ones among the others are removed. One
    /// that sends is never added to.
    async fn one_of(&self, mut found: Vec<CampaignRecord>) -> Result<CampaignRecord, CallError> {
        let others = found.split_off(1.min(found.len()));
        let Some(campaign) = found.pop() else {
            return Err(CallError::NotSent("there is no campaign".to_owned()));
        };
        for other in others {
            if self.leads(&other.id, json!({})).await?.is_empty() {
                let path = format!("/campaigns/{}", other.id);
                let call = Call {
                    method: Method::DELETE,
                    ..Call::post("remove campaign", &path, None)
                };
                match self.http.call(&call.repeatable()).await {
                    Ok(_) => {}
                    Err(error) if error.is_not_found() => {}
                    Err(error) => return Err(error),
                }
            }
        }
        if !matches!(campaign.status, DRAFT | PAUSED) {
            let CampaignRecord { id, status, .. } = &campaign;
            if *status == ACTIVE {
                self.pause_campaign(id).await?;
            }
            return Err(CallError::NotSent(format!(
                "{}: campaign {id} is not a draft (status {status}), so nothing is added to it",
                self.provider()
            )));
        }
        if let Some(accounts) = &campaign.email_list
            && *accounts != self.options.accounts
        {
            let path = format!("/campaigns/{}", campaign.id);
            let body = json!({ "email_list": self.options.accounts });
            let call = Call {
                method: Method::PATCH,
                ..Call::post("set accounts", &path, Some(&body))
            };
            self.http.call(&call.repeatable()).await?;
        }
        Ok(campaign)
    }

    async fn pause_campaign(&self, id: &str) -> Result<(), CallError> {
        let path = format!("/campaigns/{id}/pause");
        let call = Call::post("pause", &path, None).repeatable().insists();
        self.http.call(&call).await.map(drop)
    }

    /// Uploads letters; one outcome each.
    async fn upload(&self, campaign: &str, mut body: Value, items: &[Outgoing]) -> Vec<Outcome> {
        body["campaign_id"] = campaign.into();
        let call = Call::post("add leads", "/leads/add", Some(&body));
        match self.http.ask::<Added>(&call).await {
            Ok(added) if added.is_answer() => self.added(campaign, &added, items).await,
            Ok(_) => {
                let reason = "answered with another shape than expected: no counts of leads";
                self.unsure(campaign, self.http.say(&call, reason), items)
                    .await
            }
            Err(CallError::Unknown(reason)) => self.unsure(campaign, reason, items).await,
            Err(error) => not_sent(items, &error.to_string()),
        }
    }

    /// What is there of letters whose upload said nothing: what is not may still arrive.
    async fn unsure(&self, campaign: &str, reason: String, items: &[Outgoing]) -> Vec<Outcome> {
        let found = self.look(campaign, items).await;
        let outcome = |item: &Outgoing| match found.as_ref().map(|it| it.get(&same(&item.to))) {
            Ok(Some(lead)) => belongs(lead, &item.delivery),
            Ok(None) => Outcome::Unknown {
                reason: reason.clone(),
            },
            Err(error) => Outcome::Unknown {
                reason: format!("{reason}; and {error}"),
            },
        };
        items.iter().map(outcome).collect()
    }

    /// What an answer says about each letter; those that it does not name are looked for.
    async fn added(&self, campaign: &str, added: &Added, items: &[Outgoing]) -> Vec<Outcome> {
        // By address: positions may have gaps and another order.
        let created: BTreeMap<String, &str> = added
            .created()
            .iter()
            .map(|lead| (same(&lead.email), lead.id.as_str()))
            .collect();
        let unnamed: Vec<Outgoing> = items
            .iter()
            .filter(|item| !created.contains_key(&same(&item.to)))
            .cloned()
            .collect();
        let found = if unnamed.is_empty() {
            Ok(BTreeMap::new())
        } else {
            self.look(campaign, &unnamed).await
        };
        let outcome = |item: &Outgoing| {
            let address = same(&item.to);
            if let Some(id) = created.get(&address) {
                return Outcome::Accepted {
                    receipt: (*id).to_owned(),
                };
            }
            match found.as_ref().map(|found| found.get(&address)) {
                Ok(Some(lead)) => belongs(lead, &item.delivery),
                Ok(None) => {
                    let reason = format!("instantly left it out: {}", added.why());
                    if added.is_plan_used_up() {
                        Outcome::NotSent { reason }
                    } else {
                        Outcome::Rejected { reason }
                    }
                }
                Err(error) => Outcome::Unknown {
                    reason: error.to_string(),
                },
            }
        };
        items.iter().map(outcome).collect()
    }

    /// Those of `items` that stand in the campaign, by address.
    async fn look(
        &self,
        campaign: &str,
        items: &[Outgoing],
    ) -> Result<BTreeMap<String, LeadRecord>, CallError> {
        let contacts: Vec<&str> = items.iter().map(|item| item.to.as_str()).collect();
        let found = self
            .leads(campaign, json!({ "contacts": contacts }))
            .await?;
        Ok(by_address(found))
    }

    async fn prove(
        &self,
        entry: &LedgerEntry,
        seen: &mut BTreeMap<String, Result<BTreeMap<String, LeadRecord>, CallError>>,
    ) -> Proof {
        let name = &entry.container.name;
        if !seen.contains_key(name) {
            let leads = self.everybody_in(name).await;
            seen.insert(name.clone(), leads);
        }
        match &seen[name] {
            Err(error) => Proof::Undecided {
                reason: error.to_string(),
            },
            Ok(leads) => match leads.get(&same(entry.item.recipient.as_str())) {
                Some(lead) => match belongs(lead, &entry.id) {
                    Outcome::Accepted { receipt } => Proof::Delivered { receipt },
                    _ => Proof::Undecided {
                        reason: "the person is in the campaign with another letter".to_owned(),
                    },
                },
                None => Proof::NotDelivered,
            },
        }
    }

    /// Everybody in the campaigns of one name.
    async fn everybody_in(&self, name: &str) -> Result<BTreeMap<String, LeadRecord>, CallError> {
        let mut everybody = BTreeMap::new();
        for campaign in self.named(name).await? {
            everybody.extend(by_address(self.leads(&campaign.id, json!({})).await?));
        }
        Ok(everybody)
    }

    /// Campaigns that send, or whose follow-ups still go out, as far as they could be listed.
    async fn running(&self) -> (Vec<CampaignRecord>, Result<(), CallError>) {
        let mut running = Vec::new();
        let mut listed = Ok(());
        for status in [ACTIVE, SUBSEQUENCES] {
            let mut found = Vec::new();
            let query = [("status", status.to_string())];
            let query = query
                .each_ref()
                .map(|(name, value)| (*name, value.as_str()));
            listed = listed.and(self.campaigns_into(&mut found, &query).await);
            running.extend(found);
        }
        let mut seen = BTreeSet::new();
        running.retain(|campaign| {
            matches!(campaign.status, ACTIVE | SUBSEQUENCES) && seen.insert(campaign.id.clone())
        });
        (running, listed)
    }
}

/// Addresses are the same whatever their case.
fn same(address: &str) -> String {
    address.trim().to_lowercase()
}

fn by_address(leads: Vec<LeadRecord>) -> BTreeMap<String, LeadRecord> {
    let address = |lead: &LeadRecord| lead.email.as_deref().map(same);
    let pairs = leads
        .into_iter()
        .filter_map(|lead| Some((address(&lead)?, lead)));
    pairs.collect()
}

/// Whether a lead that was found carries the letter of this delivery.
fn belongs(lead: &LeadRecord, delivery: &str) -> Outcome {
    match lead.token() {
        Some(token) if !delivery.starts_with(token) || token.is_empty() => Outcome::Rejected {
            reason: "the person is in the campaign with another letter".to_owned(),
        },
        // Without a token: the campaign is that of this very batch.
        _ => Outcome::Accepted {
            receipt: lead.id.clone(),
        },
    }
}

fn not_sent(items: &[Outgoing], reason: &str) -> Vec<Outcome> {
    let outcome = || Outcome::NotSent {
        reason: reason.to_owned(),
    };
    items.iter().map(|_| outcome()).collect()
}

#[async_trait]
impl Channel for InstantlyChannel {
    fn provider(&self) -> Provider {
        Provider::Instantly
    }

    fn chunk(&self) -> usize {
        CHUNK
    }

    fn settles_within(&self) -> SignedDuration {
        self.options.settles_within
    }

    fn prepare(&self, container: &Container, items: &[Outgoing]) -> Prepared {
        let campaign = Campaign {
            name: &container.name,
            accounts: &self.options.accounts,
            time_zone: &self.options.time_zone,
            daily_limit: self.options.daily_limit,
        };
        let messages: Vec<Message<'_>> = items.iter().map(Outgoing::message).collect();
        Prepared {
            requests: requests::build(Provider::Instantly, &campaign, &messages),
            refused: vec![None; items.len()],
        }
    }

    async fn deliver(&self, container: &Container, items: &[Outgoing]) -> Vec<Outcome> {
        let mut requests = self.prepare(container, items).requests.into_iter();
        let Some(create) = requests.next() else {
            return not_sent(items, "there is nothing to hand over");
        };
        // As long as no letter was uploaded, none is out, however the campaign fares.
        let id = match self.campaign(&container.name, &create.body).await {
            Ok(id) => id,
            Err(error) => return not_sent(items, &error.to_string()),
        };
        let mut outcomes = Vec::with_capacity(items.len());
        for request in requests {
            let count = request.body["leads"].as_array().map_or(0, Vec::len);
            let handed = &items[outcomes.len()..(outcomes.len() + count).min(items.len())];
            outcomes.extend(self.upload(&id, request.body, handed).await);
        }
        outcomes
    }

    async fn reconcile(&self, entries: &[LedgerEntry]) -> Vec<Proof> {
        let mut seen = BTreeMap::new();
        let mut proofs = Vec::with_capacity(entries.len());
        for entry in entries {
            proofs.push(self.prove(entry, &mut seen).await);
        }
        proofs
    }

    async fn halt(&self) -> Result<usize, String> {
        let (running, _) = self.running().await;
        let pauses = running.iter().map(|it| self.pause_campaign(&it.id));
        let mut failures = failures(pauses.collect()).await;
        // What was answered is not what is: ask again.
        let (still, listed) = self.running().await;
        if still.is_empty() {
            return listed
                .map(|()| running.len())
                .map_err(|error| error.to_string());
        }
        failures.extend(listed.err().map(|error| error.to_string()));
        let ids: Vec<&str> = still.iter().map(|campaign| campaign.id.as_str()).collect();
        let (count, ids) = (still.len(), ids.join(", "));
        failures.insert(0, format!("instantly: {count} campaigns still send: {ids}"));
        Err(failures.join("; "))
    }

    async fn health(&self) -> Result<(), String> {
        let call = Call::get("current workspace", "/workspaces/current");
        let answer: Result<Value, CallError> = self.http.ask(&call).await;
        answer.map(drop).map_err(|error| error.to_string())
    }
}

impl fmt::Display for InstantlyChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.http.fmt(f)
    }
}
