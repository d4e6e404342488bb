//! What becomes of one lead: a pure decision.

use caio_core::Lead;
use caio_core::cadence::Action;
use caio_core::draft::{Decision as Review, Draft, DraftStatus, ModelRef};
use caio_core::icp::Model;
use caio_core::identity::{draft_id, hex};
use caio_core::terms::{Medium, Motion, Step, Tier};
use sha2::{Digest, Sha256};

use super::candidate::Candidate;
use super::report::{Fate, Stage};
use crate::copywriter::{Brief, Copywriter, Unwritten};
use crate::leads::LeadRecord;

/// What every decision of a run is made with.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// Scores.
    pub model: &'a Model,
    /// Name and digest of the model.
    pub model_ref: &'a ModelRef,
    /// Writes.
    pub copywriter: &'a dyn Copywriter,
    /// The lowest tier that is queued.
    pub min_tier: Tier,
    /// Tiers that are asked to connect on LinkedIn as well.
    pub linkedin: &'a [Tier],
    /// New facts replace what is known.
    pub update: bool,
    /// Time of the run, RFC 3339 UTC.
    pub now: &'a str,
}

/// What the store knows about a lead.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Its record.
    pub record: Option<LeadRecord>,
    /// Its first-touch draft.
    pub draft: Option<Draft>,
    /// It has, or had, a first touch on LinkedIn.
    pub linkedin: bool,
    /// Why it is suppressed.
    pub suppressed: Option<String>,
    /// It was written to already, whatever the drafts say.
    pub touched: bool,
}

/// The answer.
#[derive(Debug, Clone)]
pub struct Decision {
    /// Where the lead ended; `Queue` for one that went all the way.
    pub stage: Stage,
    /// What became of it.
    pub fate: Fate,
    /// Why, in a few words that can be counted.
    pub reason: String,
    /// Campaign of a written message.
    pub campaign: String,
    /// The tier, of a scored lead: `Some(None)` when it is disqualified.
    pub tier: Option<Option<Tier>>,
    /// The record to store, if anything changed.
    pub record: Option<LeadRecord>,
    /// The draft to store, if anything changed.
    pub draft: Option<Draft>,
    /// The request to connect to store beside it.
    pub linkedin: Option<Draft>,
    /// What the file says otherwise than the store, where that was kept.
    pub changes: Vec<String>,
    /// Why no message could be written.
    pub unwritten: Option<Unwritten>,
}

/// What becomes of `candidate`, given what is `known`.
pub fn decide(candidate: &Candidate, known: &Known, rules: &Rules<'_>) -> Decision {
    let changes = known
        .record
        .as_ref()
        .map(|record| differences(record, candidate));
    let settled = known.draft.is_some() || known.touched;
    if settled && !(rules.update && changes.as_ref().is_some_and(|changes| !changes.is_empty())) {
        return kept(changes.unwrap_or_default(), known.draft.as_ref());
    }
    if let Some(why) = &known.suppressed {
        let record = record(candidate, rules, None, "suppressed", why);
        return ended(Stage::Suppress, Fate::Suppressed, why, Some(record));
    }
    let score = rules.model.explain(&candidate.lead);
    let scored = Some((&score.reasons, score.points, score.tier));
    let Some(tier) = score.tier else {
        let why = score
            .disqualified
            .clone()
            .unwrap_or_else(|| "disqualified".to_owned());
        let record = record(candidate, rules, scored, "disqualified", &why);
        let ended = ended(Stage::Score, Fate::Disqualified, &why, Some(record));
        return Decision {
            tier: Some(None),
            ..ended
        };
    };
    if tier > rules.min_tier {
        let why = format!("{tier} is below {}", rules.min_tier);
        let record = record(candidate, rules, scored, "below_tier", &why);
        let ended = ended(Stage::Score, Fate::BelowTier, &why, Some(record));
        return Decision {
            tier: Some(Some(tier)),
            ..ended
        };
    }
    let written = match rules.copywriter.write(&Brief {
        lead: &candidate.lead,
        tier,
    }) {
        Ok(written) => written,
        Err(unwritten) => {
            let record = record(candidate, rules, scored, "refused", &unwritten.reason);
            let ended = ended(Stage::Write, Fate::Refused, &unwritten.reason, Some(record));
            return Decision {
                tier: Some(Some(tier)),
                unwritten: Some(unwritten),
                ..ended
            };
        }
    };
    let mut taken = record(candidate, rules, scored, "queued", "");
    let id = draft_id(&candidate.lead.key, Medium::Email, Step::FIRST);
    taken.draft = Some(id.clone());
    let lead = &candidate.lead;
    let campaign = written.campaign.clone();
    let draft = Draft {
        id,
        status: DraftStatus::Pending,
        recipient: lead.key.clone(),
        to: lead.email.clone(),
        name: lead.name(),
        company: lead.company.name.clone(),
        medium: Medium::Email,
        step: Step::FIRST,
        motion: Motion::Outbound,
        tier,
        score: score.points,
        model: rules.model_ref.clone(),
        campaign: written.campaign,
        subject: written.subject,
        body: written.body,
        placeholder_sender: written.placeholder_sender,
        facts_digest: facts_digest(candidate, rules),
        via: None,
        source: lead.source.kind.clone(),
        flags: candidate
            .flags
            .iter()
            .cloned()
            .chain(written.flags)
            .collect(),
        created_at: rules.now.to_owned(),
        decisions: Vec::new(),
    };
    let linkedin = known
        .draft
        .is_none()
        .then(|| request_to_connect(&draft, lead, known, rules));
    let (fate, draft) = match &known.draft {
        None => (Fate::Queued, Some(draft)),
        Some(old) => (Fate::Updated, rewritten(old, draft, rules.now)),
    };
    Decision {
        stage: Stage::Queue,
        fate,
        reason: String::new(),
        campaign,
        tier: Some(Some(tier)),
        record: Some(taken),
        draft,
        linkedin: linkedin.flatten(),
        changes: changes.unwrap_or_default(),
        unwritten: None,
    }
}

/// The request to connect that goes beside a first e-mail, where the tier is routed so and the profile
/// is known. It takes the place of the connection step of the follow-up.
fn request_to_connect(
    email: &Draft,
    lead: &Lead,
    known: &Known,
    rules: &Rules<'_>,
) -> Option<Draft> {
    let is_routed = rules.linkedin.contains(&email.tier);
    if !is_routed || known.linkedin || lead.linkedin_url.is_empty() {
        return None;
    }
    let written = rules
        .copywriter
        .follow_up(Action::Connect.as_str(), lead)
        .ok()?;
    Some(Draft {
        id: draft_id(&lead.key, Medium::LinkedIn, Step::FIRST),
        medium: Medium::LinkedIn,
        campaign: written.campaign,
        subject: written.subject,
        body: written.body,
        placeholder_sender: written.placeholder_sender,
        flags: written.flags,
        ..email.clone()
    })
}

/// The new text in the place of the old one: a yes or no was for the old text. What is on its way
/// or out stays as it is.
fn rewritten(old: &Draft, new: Draft, now: &str) -> Option<Draft> {
    if matches!(old.status, DraftStatus::Claimed | DraftStatus::Done) {
        return None;
    }
    let mut decisions = old.decisions.clone();
    decisions.push(Review {
        action: "rewritten".to_owned(),
        by: "caio".to_owned(),
        at: now.to_owned(),
        reason: "the lead's facts changed".to_owned(),
    });
    Some(Draft {
        decisions,
        created_at: old.created_at.clone(),
        ..new
    })
}

/// Keeps what is known; a draft that waits is marked as written from old facts.
fn kept(changes: Vec<String>, draft: Option<&Draft>) -> Decision {
    if changes.is_empty() {
        return ended(
            Stage::Deduplicate,
            Fate::AlreadyKnown,
            "known already",
            None,
        );
    }
    let waits = |it: &&Draft| matches!(it.status, DraftStatus::Pending | DraftStatus::Approved);
    let marked = draft
        .filter(waits)
        .filter(|it| !it.flags.iter().any(|flag| flag == OLD_FACTS));
    let draft = marked.map(|draft| {
        let mut draft = draft.clone();
        draft.flags.push(OLD_FACTS.to_owned());
        draft
    });
    let reason = "known with other facts; --update takes the new ones";
    Decision {
        draft,
        changes,
        ..ended(Stage::Deduplicate, Fate::KeptAsWas, reason, None)
    }
}

/// Flag of a draft that was written from facts that a later file contradicts.
const OLD_FACTS: &str = "old_facts";

fn ended(stage: Stage, fate: Fate, reason: &str, record: Option<LeadRecord>) -> Decision {
    Decision {
        stage,
        fate,
        reason: reason.to_owned(),
        campaign: String::new(),
        tier: None,
        record,
        draft: None,
        linkedin: None,
        changes: Vec::new(),
        unwritten: None,
    }
}

fn record(
    candidate: &Candidate,
    rules: &Rules<'_>,
    scored: Option<(&Vec<String>, u32, Option<Tier>)>,
    outcome: &str,
    detail: &str,
) -> LeadRecord {
    LeadRecord {
        lead: candidate.lead.clone(),
        remarks: candidate.remarks.clone(),
        score: scored.map_or(0, |(_, points, _)| points),
        tier: scored.and_then(|(_, _, tier)| tier),
        reasons: scored
            .map(|(reasons, _, _)| reasons.clone())
            .unwrap_or_default(),
        model: rules.model_ref.clone(),
        outcome: outcome.to_owned(),
        detail: detail.to_owned(),
        draft: None,
        updated_at: rules.now.to_owned(),
    }
}

/// Digest of everything that the text was written from: the lead, the model, templates and sender.
fn facts_digest(candidate: &Candidate, rules: &Rules<'_>) -> String {
    let lead = serde_json::to_vec(&candidate.lead).unwrap_or_default();
    let mut hasher = Sha256::new();
    for part in [
        lead.as_slice(),
        rules.model_ref.digest.as_bytes(),
        rules.copywriter.digest().as_bytes(),
    ] {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hex(&hasher.finalize())
}

/// `field: stored -> file`, for each fact that differs.
fn differences(record: &LeadRecord, candidate: &Candidate) -> Vec<String> {
    let mut stored = Vec::new();
    let mut given = Vec::new();
    let as_value = |lead| serde_json::to_value(lead).unwrap_or_default();
    flatten("", &as_value(&record.lead), &mut stored);
    flatten("", &as_value(&candidate.lead), &mut given);
    let value = |facts: &[(String, String)], field: &str| {
        let found = facts.iter().find(|(name, _)| name == field);
        found.map_or_else(String::new, |(_, value)| value.clone())
    };
    let mut fields: Vec<&String> = stored
        .iter()
        .chain(&given)
        .map(|(field, _)| field)
        .collect();
    fields.sort();
    fields.dedup();
    fields
        .into_iter()
        // The same address in other letters is the same address.
        .filter(|field| *field != "email")
        .filter_map(|field| {
            let (old, new) = (value(&stored, field), value(&given, field));
            (old != new).then(|| format!("{field}: {old:?} -> {new:?}"))
        })
        .collect()
}

fn flatten(prefix: &str, value: &serde_json::Value, into: &mut Vec<(String, String)>) {
    match value {
        serde_json::Value::Object(members) => {
            for (name, member) in members {
                let path = if prefix.is_empty() {
                    name.clone()
                } else {
                    format!("{prefix}.{name}")
                };
                flatten(&path, member, into);
            }
        }
        serde_json::Value::String(text) => into.push((prefix.to_owned(), text.clone())),
        other => into.push((prefix.to_owned(), other.to_string())),
    }
}
