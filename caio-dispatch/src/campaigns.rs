//! Campaigns at the providers: what we hand over waits in them until a person starts it.
//!
//! Between the upload and the start people opt out, answer, or turn out not to exist. So starting asks
//! everything again for each of them, takes out first whom nobody may write to any more, and asks the
//! provider whether they are gone; a campaign of which that is not certain is not started.

mod judge;
mod start;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use caio_core::batch::SealKeys;
use caio_core::terms::Provider;
use caio_core::{Clock, EmailKey, IdSource};
use caio_state::{CommitOutcome, Guard, Range, StateStore, StateStoreExt, Write};
use serde::Serialize;

use crate::coexist::followed::Watch;
use crate::error::{DispatchError, Result};
use crate::history::Event;
use crate::ledger::LedgerEntry;
use crate::operator::Gate;
use crate::records;
use crate::transition::commit;

pub use start::{Started, TakenOut};

/// Where a campaign stands, whatever its provider calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It has never been started.
    Draft,
    /// It is over, or does not send for a reason of the provider's own.
    Ended,
    /// It was started and rests.
    Paused,
    /// It sends, or is about to.
    Sending,
}

/// A campaign at a provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Campaign {
    /// The provider's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub stage: Stage,
    /// The same in the provider's word.
    pub status: String,
    /// Why starting it would send nothing, or not as it should.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A person in a campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// How the provider knows the person in this campaign.
    pub id: String,
    /// The address; `None` where the provider does not say, or what it says is none.
    pub address: Option<EmailKey>,
    /// First digits of the delivery, where the provider says.
    pub token: Option<String>,
    /// The message as the provider holds it; `None` where it does not say.
    pub text: Option<String>,
    /// Nothing further goes to them.
    pub is_out: bool,
}

/// What a provider can do with its campaigns. No default methods: a wrapper cannot forget one.
#[async_trait]
pub trait Campaigns: Debug + Send + Sync {
    /// Which provider.
    fn provider(&self) -> Provider;

    /// Every campaign, over all pages.
    async fn list(&self) -> Result<Vec<Campaign>, String>;

    /// Everybody in a campaign, over all pages.
    async fn members(&self, campaign: &str) -> Result<Vec<Member>, String>;

    /// Sees to it that nothing further goes to a person. What was answered is not what is: the caller
    /// lists the members again.
    async fn take_out(&self, campaign: &str, member: &Member) -> Result<(), String>;

    /// Starts a campaign, or lets it go on. The caller lists again.
    async fn start(&self, campaign: &str) -> Result<(), String>;

    /// Pauses a campaign. The caller lists again.
    async fn pause(&self, campaign: &str) -> Result<(), String>;

    /// A message as [`Member::text`] shows it.
    fn text(&self, subject: &str, body: &str) -> String;
}

/// A campaign, with what our ledger holds in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// By whom.
    pub provider: Provider,
    /// The campaign; `None` where the ledger knows a container that is no campaign there: a list, or
    /// one that is gone.
    pub campaign: Option<Campaign>,
    /// Its name.
    pub name: String,
    /// How many deliveries of ours, by where they stand.
    pub ledger: BTreeMap<&'static str, u64>,
}

/// Works with campaigns for a person who is named.
#[derive(Debug)]
pub struct Desk {
    /// The authority.
    pub store: Arc<dyn StateStore>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ids.
    pub ids: Arc<dyn IdSource>,
    /// Keys that verify the seal.
    pub keys: SealKeys,
    /// What configuration and environment say to sending.
    pub gate: Gate,
    /// The Python system runs beside us: its folder is followed before anything is started.
    pub coexist: Option<Watch>,
    /// Who decides.
    pub by: String,
}

/// All campaigns of `providers`, with what the ledger holds in each.
///
/// # Errors
/// A store that fails; a provider that cannot be asked, named.
pub async fn list(store: &dyn StateStore, providers: &[Arc<dyn Campaigns>]) -> Result<Vec<Listed>> {
    let entries: Vec<LedgerEntry> = store
        .index_json(records::LEDGER_INDEX, &Range::default())
        .await?;
    let mut held: BTreeMap<(Provider, String), BTreeMap<&'static str, u64>> = BTreeMap::new();
    for entry in &entries {
        let place = (entry.item.provider, entry.container.name.clone());
        *held
            .entry(place)
            .or_default()
            .entry(entry.word())
            .or_default() += 1;
    }
    let mut listed = Vec::new();
    for provider in providers {
        let by = provider.provider();
        for campaign in provider.list().await.map_err(unasked)? {
            let ledger = held.remove(&(by, campaign.name.clone()));
            listed.push(Listed {
                provider: by,
                name: campaign.name.clone(),
                campaign: Some(campaign),
                ledger: ledger.unwrap_or_default(),
            });
        }
    }
    let asked = |by: Provider| providers.iter().any(|it| it.provider() == by);
    listed.extend(held.into_iter().filter(|((by, _), _)| asked(*by)).map(
        |((provider, name), ledger)| Listed {
            provider,
            campaign: None,
            name,
            ledger,
        },
    ));
    Ok(listed)
}

impl Desk {
    /// Pauses a campaign, and lists again whether it rests.
    ///
    /// # Errors
    /// `campaign.unknown`, `campaign.unasked`, and `campaign.sends` when it sends all the same.
    pub async fn pause(&self, provider: &dyn Campaigns, which: &str) -> Result<Campaign> {
        let campaign = find(provider, which).await?;
        let said = provider.pause(&campaign.id).await.err();
        let now = find(provider, &campaign.id).await?;
        if now.stage == Stage::Sending {
            let why = said.map_or_else(String::new, |why| format!(": {why}"));
            let reason = format!("campaign {} still sends{why}", now.id);
            return Err(refused("campaign.sends", reason));
        }
        self.record("campaign.paused", &now, &now.status).await?;
        Ok(now)
    }

    /// An event about a campaign.
    fn event(&self, kind: &str, campaign: &Campaign, detail: &str) -> Event {
        let (id, now) = (self.ids.id(), self.clock.now());
        Event::new(&id, now, &self.by, kind, &campaign.name).because(detail)
    }

    async fn record(&self, kind: &str, campaign: &Campaign, detail: &str) -> Result<()> {
        let writes = self.event(kind, campaign, detail).writes()?;
        self.commit(Vec::new(), writes).await
    }

    async fn commit(&self, guards: Vec<Guard>, writes: Vec<Write>) -> Result<()> {
        match commit(&*self.store, &*self.ids, guards, writes).await? {
            CommitOutcome::Committed => Ok(()),
            CommitOutcome::Refused { .. } => Err(refused(
                "campaign.changed",
                "something changed while it was asked: the stop flag, who sends, or the ledger; \
                 ask again"
                    .to_owned(),
            )),
        }
    }
}

/// The campaign with this id or exactly this name.
async fn find(provider: &dyn Campaigns, which: &str) -> Result<Campaign> {
    let all = provider.list().await.map_err(unasked)?;
    let mut found = all.iter().filter(|it| it.id == which);
    if let Some(campaign) = found.next() {
        return Ok(campaign.clone());
    }
    let named: Vec<&Campaign> = all.iter().filter(|it| it.name == which).collect();
    match named[..] {
        [campaign] => Ok(campaign.clone()),
        [] => Err(refused(
            "campaign.unknown",
            format!(
                "{} has no campaign `{which}`; `caio campaigns list` shows them",
                provider.provider()
            ),
        )),
        _ => Err(refused(
            "campaign.unknown",
            format!("{} campaigns are named `{which}`; give an id", named.len()),
        )),
    }
}

fn refused(code: &'static str, reason: String) -> DispatchError {
    DispatchError::Refused { code, reason }
}

fn unasked(reason: String) -> DispatchError {
    refused("campaign.unasked", reason)
}
