//! Starting a campaign: ask for everybody, take out, ask the provider, start, ask again.

use caio_core::EmailKey;
use caio_core::safety::{self, ChannelState};
use caio_core::time::rfc3339;
use caio_state::{Guard, StateStoreExt};
use serde::Serialize;

use super::judge::{Judged, batches_of, judge};
use super::{Campaign, Campaigns, Desk, Member, Stage, find, refused, unasked};
use crate::channel::Outcome;
use crate::coexist::authority;
use crate::error::{DispatchError, Result};
use crate::ledger::LedgerEntry;
use crate::migrate::Migrate;
use crate::{batches, records};

/// How often everybody is asked for again after somebody was taken out.
const ROUNDS: usize = 5;

/// A person who was taken out of a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TakenOut {
    /// Who.
    pub recipient: EmailKey,
    /// Why.
    pub reason: String,
}

/// A campaign that sends now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Started {
    /// The campaign.
    pub campaign: Campaign,
    /// How many people it writes to.
    pub people: usize,
    /// Who was taken out first.
    pub taken_out: Vec<TakenOut>,
}

impl Desk {
    /// Starts a campaign of ours, for whoever is named.
    ///
    /// # Errors
    /// `dispatch.blocked` when the stop flag or another layer forbids it; `campaign.unknown`,
    /// `campaign.unasked`; `campaign.stage` for one that sends or is over; `campaign.unclear` when
    /// somebody in it is not ours; `campaign.not_removed` when it is not certain that somebody is out;
    /// `campaign.empty`; `campaign.not_started` when it does not send; `authority.python`.
    pub async fn start(&self, provider: &dyn Campaigns, which: &str) -> Result<Started> {
        self.allowed().await?;
        let campaign = find(provider, which).await?;
        if !matches!(campaign.stage, Stage::Draft | Stage::Paused) {
            let reason = format!("campaign {} is {}", campaign.id, campaign.status);
            return Err(refused("campaign.stage", reason));
        }
        if let Some(problem) = &campaign.problem {
            let reason = format!("campaign {}: {problem}", campaign.id);
            return Err(refused("campaign.stage", reason));
        }
        self.follow().await?;
        let mut taken_out = Vec::new();
        let staying = self
            .only_who_may(provider, &campaign, &mut taken_out)
            .await?;
        if staying.is_empty() {
            let reason = format!("nobody is left in campaign {}", campaign.id);
            return Err(refused("campaign.empty", reason));
        }
        let mut guards = vec![Guard::StopAbsent];
        guards.extend(self.approved(&staying).await?);
        let people = format!("{} people, {} taken out", staying.len(), taken_out.len());
        let intent = self.event("campaign.starting", &campaign, &people);
        self.commit(guards, intent.writes()?).await?;

        self.allowed().await?;
        let said = provider.start(&campaign.id).await.err();
        let now = find(provider, &campaign.id).await?;
        if now.stage != Stage::Sending {
            let why = said.map_or_else(String::new, |why| format!(" ({why})"));
            let reason = format!(
                "campaign {} is {} and does not send{why}",
                now.id, now.status
            );
            self.record("campaign.not_started", &now, &reason).await?;
            return Err(refused("campaign.not_started", reason));
        }
        // Whoever opted out meanwhile, and whoever stopped everything, were not seen before.
        let after = self.still_may(provider, &now, &mut taken_out).await;
        let people = match after {
            Ok(people) => people,
            Err(error) => return Err(self.paused_because(provider, &now, error).await),
        };
        let detail = format!("{people} people, {} taken out", taken_out.len());
        self.record("campaign.started", &now, &detail).await?;
        Ok(Started {
            campaign: now,
            people,
            taken_out,
        })
    }

    /// The verdict now, for what was approved and handed over before: limits were counted then.
    async fn allowed(&self) -> Result<()> {
        let mut gate = self.gate.clone();
        let inputs = &mut gate.inputs;
        inputs.gate = safety::Gate::Sealed;
        inputs.limits.clear();
        inputs.model_adopted = true;
        inputs.channel = ChannelState::DraftsFirst;
        let verdict = gate.verdict(&*self.store).await;
        if verdict.may_send() {
            return Ok(());
        }
        let reasons: Vec<String> = verdict
            .blocks()
            .map(|(layer, block)| format!("layer {} ({layer}): {}", layer.number(), block.reason))
            .collect();
        Err(refused("dispatch.blocked", reasons.join("; ")))
    }

    /// Takes in what only the Python system's folder knows.
    async fn follow(&self) -> Result<()> {
        let Some(watch) = &self.coexist else {
            return Ok(());
        };
        let migrate = Migrate {
            store: &*self.store,
            clock: &*self.clock,
            ids: &*self.ids,
            by: &self.by,
            dry_run: false,
        };
        watch.before_claim(&migrate).await
    }

    /// Whether each batch was approved as it is, and whether it is us who send; guards that hold as
    /// long as it is.
    async fn approved(&self, staying: &[(Member, Judged)]) -> Result<Vec<Guard>> {
        let mut guards = Vec::new();
        for id in batches_of(staying) {
            let batch = batches::one(&*self.store, id).await?;
            batch.verify_seal(&self.keys)?;
            let two = self.coexist.is_some();
            guards.push(authority::ours(&*self.store, batch.motion, two).await?);
        }
        Ok(guards)
    }

    /// Everybody who may be written to; the others are taken out first, which counts once the
    /// provider has been asked for it again.
    async fn only_who_may(
        &self,
        provider: &dyn Campaigns,
        campaign: &Campaign,
        taken_out: &mut Vec<TakenOut>,
    ) -> Result<Vec<(Member, Judged)>> {
        let mut leaving: Vec<(LedgerEntry, String)> = Vec::new();
        let mut failures: Vec<String> = Vec::new();
        for _ in 0..ROUNDS {
            let members = provider.members(&campaign.id).await.map_err(unasked)?;
            let judged = judge(&*self.store, provider, &campaign.name, &members).await?;
            for (entry, reason) in std::mem::take(&mut leaving) {
                if !has(&judged, &entry) {
                    self.took_out(campaign, &entry, &reason).await?;
                    taken_out.push(TakenOut {
                        recipient: entry.item.recipient,
                        reason,
                    });
                }
            }
            let unclear = unclear(&judged);
            if !unclear.is_empty() {
                let reason = format!("campaign {}: {}", campaign.id, unclear.join("; "));
                return Err(refused("campaign.unclear", reason));
            }
            failures.clear();
            for (member, judged) in &judged {
                let Judged::Goes { entry, reason } = judged else {
                    continue;
                };
                if let Err(why) = provider.take_out(&campaign.id, member).await {
                    failures.push(why);
                }
                leaving.push((entry.clone(), reason.clone()));
            }
            if leaving.is_empty() {
                return Ok(judged);
            }
        }
        let still = leaving
            .iter()
            .map(|(entry, reason)| format!("{} ({reason})", entry.item.recipient));
        let still: Vec<String> = still.chain(failures).collect();
        let reason = format!(
            "campaign {}: these have to be out of it, and it is not certain that they are: {}",
            campaign.id,
            still.join("; ")
        );
        Err(refused("campaign.not_removed", reason))
    }

    /// After the start: nobody may have opted out since, and nothing may have been stopped.
    async fn still_may(
        &self,
        provider: &dyn Campaigns,
        campaign: &Campaign,
        taken_out: &mut Vec<TakenOut>,
    ) -> Result<usize> {
        self.allowed().await?;
        Ok(self
            .only_who_may(provider, campaign, taken_out)
            .await?
            .len())
    }

    /// Pauses what was just started, and says why.
    async fn paused_because(
        &self,
        provider: &dyn Campaigns,
        campaign: &Campaign,
        error: DispatchError,
    ) -> DispatchError {
        let after = match self.pause(provider, &campaign.id).await {
            Ok(_) => "it is paused again".to_owned(),
            Err(failed) => format!("and it could not be paused: {failed}"),
        };
        let code = match error {
            DispatchError::Refused { code, .. } => code,
            _ => "campaign.not_started",
        };
        refused(code, format!("{error}; {after}"))
    }

    /// Records that a person was taken out: what was handed over for them never goes.
    async fn took_out(&self, campaign: &Campaign, entry: &LedgerEntry, reason: &str) -> Result<()> {
        let event = self
            .event("campaign.taken_out", campaign, reason)
            .about(&entry.item.recipient);
        let mut writes = event.writes()?;
        let mut guards = Vec::new();
        let key = records::ledger(&entry.id);
        let stored = self.store.get_json::<LedgerEntry>(&key).await?;
        if let Some((stored, version)) = stored.filter(|(stored, _)| stored.sent_at.is_none()) {
            let outcome = Outcome::Rejected {
                reason: format!("taken out before the campaign was started: {reason}"),
            };
            let at = rfc3339(self.clock.now());
            writes.extend(stored.after(&outcome, &at).writes()?);
            guards.push(Guard::Unchanged(key, version));
        }
        self.commit(guards, writes).await
    }
}

/// Whether the person of a delivery is still in.
fn has(judged: &[(Member, Judged)], entry: &LedgerEntry) -> bool {
    judged.iter().any(|(_, judged)| match judged {
        Judged::Stays(other) | Judged::Goes { entry: other, .. } => {
            other.item.recipient == entry.item.recipient
        }
        Judged::Unclear(_) => false,
    })
}

fn unclear(judged: &[(Member, Judged)]) -> Vec<&str> {
    let reasons = judged.iter().filter_map(|(_, judged)| match judged {
        Judged::Unclear(reason) => Some(reason.as_str()),
        _ => None,
    });
    reasons.collect()
}
