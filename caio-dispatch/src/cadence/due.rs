//! Questions: what is due, who is in it, how many. They change nothing.

use std::collections::BTreeMap;

use caio_core::EmailKey;
use caio_core::cadence::{Next, Plan, PlanStep, against, next};
use caio_core::draft::{Draft, DraftStatus};
use caio_core::identity::{cadence_action_id, draft_id};
use caio_core::terms::{Medium, Step};
use caio_state::{Key, Range, RangeEntry, StateStore, StateStoreExt, Version};
use jiff::ToSpan;
use jiff::civil::Date;
use serde::Serialize;
use serde_json::Value;

use super::enrolment::{Enrolment, STATUSES, parts};
use super::{Cadences, PAGE, known};
use crate::error::Result;
use crate::facts::Facts;
use crate::records;

/// A step that is due.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DueAction {
    /// To whom.
    pub email: String,
    /// Number of the step.
    pub step: i64,
    /// Its day, 1 being that of the first e-mail.
    pub day: i64,
    /// `email` or `linkedin`.
    pub channel: String,
    /// What it does.
    pub action: String,
    /// The same, for people.
    pub description: String,
    /// Tier at the first touch.
    pub tier: String,
    /// What had to hold, and does.
    pub condition: String,
    /// Since when, `YYYY-MM-DD`.
    pub due: String,
    /// Which cadence.
    pub cadence_id: String,
    /// Profile, or `""`.
    pub linkedin_url: String,
    /// Facts, as the old system's record keeps them.
    pub lead_data: Value,
    /// The old system's id of it.
    pub action_id: String,
    /// `to_write`, `pending`, `approved`, or `handed_over`, which waits for the provider to send it.
    pub state: &'static str,
}

/// What is due.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Due {
    /// Longest due first.
    pub actions: Vec<DueAction>,
    /// Records that cannot be read: nothing is due for them until somebody looks (CA-13).
    pub problems: Vec<String>,
}

/// Counts, in the shape of the old system.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Everybody.
    pub total_enrolled: u64,
    /// By status; all four are there.
    pub by_status: BTreeMap<String, u64>,
    /// Active ones by `step_N`.
    pub by_current_step: BTreeMap<String, u64>,
    /// Ended or held ones by reason.
    pub exit_reasons: BTreeMap<String, u64>,
    /// Steps that are due today.
    pub actions_due_today: u64,
}

/// A person whose turn it is.
pub(super) struct Turn<'p> {
    pub(super) enrolment: Enrolment,
    pub(super) version: Version,
    pub(super) facts: Facts,
    pub(super) step: &'p PlanStep,
    pub(super) due: Date,
    pub(super) medium: Medium,
    pub(super) draft: Option<Draft>,
}

impl Turn<'_> {
    /// Its position, as touches and drafts name it.
    pub(super) fn position(&self) -> Step {
        Step(u32::try_from(self.step.step).unwrap_or(u32::MAX))
    }
}

/// What is due on `today`, longest due first; at most `limit`.
///
/// # Errors
/// When the store fails.
pub async fn due(store: &dyn StateStore, today: Date, limit: usize) -> Result<Due> {
    let plan = Cadences::plan();
    let mut answer = Due::default();
    let mut after = None;
    loop {
        let (turns, next) =
            turns(store, &plan, today, after.as_ref(), &mut answer.problems).await?;
        for turn in turns {
            if answer.actions.len() == limit {
                return Ok(answer);
            }
            answer.actions.push(action(&turn));
        }
        match next {
            Some(next) => after = Some(next),
            None => return Ok(answer),
        }
    }
}

/// A page of the people whose turn it is, and where to go on.
pub(super) async fn turns<'p>(
    store: &dyn StateStore,
    plan: &'p Plan,
    today: Date,
    after: Option<&RangeEntry>,
    problems: &mut Vec<String>,
) -> Result<(Vec<Turn<'p>>, Option<RangeEntry>)> {
    let range = Range {
        until: Some(today.saturating_add(1.day()).to_string()),
        ..Range::default()
    };
    let index = records::cadence_index("active");
    let page = store.range(&index, &range, after, PAGE).await?;
    let keys: Vec<Key> = page.items.into_iter().map(|entry| entry.key).collect();
    let found = read(store, &keys, problems).await?;
    let people: Vec<&EmailKey> = found.iter().map(|(it, _)| &it.person).collect();
    let facts = known(store, &people).await?;
    let mut turns = Vec::new();
    for ((enrolment, version), facts) in found.into_iter().zip(facts) {
        let turn = match next(&enrolment.record, plan, &facts.signals, today) {
            Ok(Next::Due(step, due)) => Some((step, due)),
            Ok(Next::Complete | Next::Nothing) => None,
            Err(fault) => {
                problems.push(fault.to_string());
                None
            }
        };
        let Some((step, due)) = turn else { continue };
        let stands = against(&enrolment.record, plan, &facts.signals, step.step);
        let Ok(medium) = step.channel.parse() else {
            problems.push(format!(
                "{}: no medium `{}`",
                enrolment.person, step.channel
            ));
            continue;
        };
        if stands.is_none() && facts.suppressed.is_none() {
            turns.push(Turn {
                enrolment,
                version,
                facts,
                step,
                due,
                medium,
                draft: None,
            });
        }
    }
    let drafts = turns.iter().map(|turn| {
        records::draft(&draft_id(
            &turn.enrolment.person,
            turn.medium,
            turn.position(),
        ))
    });
    let drafts: Vec<Key> = drafts.collect();
    let drafts = store.get(&drafts).await?;
    for (turn, draft) in turns.iter_mut().zip(drafts) {
        let draft = draft
            .map(|it| serde_json::from_slice(&it.value))
            .transpose();
        turn.draft = draft?;
    }
    Ok((turns, page.next))
}

/// The enrolments of `keys`; one that cannot be read is a problem.
pub(super) async fn read(
    store: &dyn StateStore,
    keys: &[Key],
    problems: &mut Vec<String>,
) -> Result<Vec<(Enrolment, Version)>> {
    let mut enrolments = Vec::with_capacity(keys.len());
    for (key, found) in keys.iter().zip(store.get(keys).await?) {
        let Some(found) = found else { continue };
        match serde_json::from_slice(&found.value) {
            Ok(enrolment) => enrolments.push((enrolment, found.version)),
            Err(error) => problems.push(format!("{key}: {error}")),
        }
    }
    Ok(enrolments)
}

fn action(turn: &Turn<'_>) -> DueAction {
    let Turn {
        enrolment,
        step,
        due,
        draft,
        ..
    } = turn;
    let email = enrolment.text("email").to_owned();
    let status = draft.as_ref().map(|draft| draft.status);
    DueAction {
        action_id: cadence_action_id(&email, &step.channel, step.step, step.day),
        email,
        step: step.step,
        day: step.day,
        channel: step.channel.clone(),
        action: step.action.clone(),
        description: step.description.clone(),
        tier: enrolment.text("tier").to_owned(),
        condition: step.condition.clone(),
        due: due.to_string(),
        cadence_id: enrolment.text("cadence_id").to_owned(),
        linkedin_url: enrolment.text("linkedin_url").to_owned(),
        lead_data: enrolment
            .record
            .get("lead_data")
            .cloned()
            .unwrap_or_default(),
        state: match status {
            None => "to_write",
            Some(DraftStatus::Pending) => "pending",
            Some(DraftStatus::Approved) => "approved",
            Some(DraftStatus::Rejected) => "rejected",
            Some(DraftStatus::Claimed | DraftStatus::Done) => "handed_over",
        },
    }
}

/// Everybody in the follow-up, of one status where it is given; at most `limit`.
///
/// # Errors
/// When the store fails, or a record cannot be read.
pub async fn list(
    store: &dyn StateStore,
    status: Option<&str>,
    limit: usize,
) -> Result<Vec<Enrolment>> {
    let mut all = Vec::new();
    for of in STATUSES
        .iter()
        .filter(|of| status.is_none_or(|it| it == **of))
    {
        let index = records::cadence_index(of);
        let mut after = None;
        while all.len() < limit {
            let size = PAGE.min(limit - all.len());
            let page = store
                .range(&index, &Range::default(), after.as_ref(), size)
                .await?;
            let keys: Vec<Key> = page.items.into_iter().map(|entry| entry.key).collect();
            all.extend(store.get_all_json::<Enrolment>(&keys).await?);
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }
    Ok(all)
}

/// One person, if they are in it.
///
/// # Errors
/// When the store fails, or the record cannot be read.
pub async fn one(store: &dyn StateStore, person: &EmailKey) -> Result<Option<Enrolment>> {
    let found = store.get_json(&records::cadence(person)).await?;
    Ok(found.map(|(enrolment, _)| enrolment))
}

/// Counts, from the indexes alone; what is due today is read.
///
/// # Errors
/// When the store fails.
pub async fn summary(store: &dyn StateStore, today: Date) -> Result<Summary> {
    let mut summary = Summary::default();
    for status in STATUSES {
        let index = records::cadence_index(status);
        let mut count = 0;
        let mut after = None;
        loop {
            let page = store
                .range(&index, &Range::default(), after.as_ref(), PAGE)
                .await?;
            for entry in &page.items {
                let (_, step, why) = parts(&entry.order);
                count += 1;
                if status == "active" {
                    *summary
                        .by_current_step
                        .entry(format!("step_{step}"))
                        .or_default() += 1;
                }
                if !why.is_empty() {
                    *summary.exit_reasons.entry(why.to_owned()).or_default() += 1;
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        summary.total_enrolled += count;
        summary.by_status.insert(status.to_owned(), count);
    }
    summary.actions_due_today = due(store, today, usize::MAX).await?.actions.len() as u64;
    Ok(summary)
}
