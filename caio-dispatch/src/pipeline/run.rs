//! Reads, looks up, decides and commits, chunk by chunk.

use std::collections::HashSet;
use std::sync::Arc;

use caio_core::draft::{Draft, DraftStatus};
use caio_core::identity::draft_id;
use caio_core::record::FieldMap;
use caio_core::terms::{Medium, Step};
use caio_core::time::rfc3339;
use caio_core::{Clock, EmailKey, IdSource};
use caio_state::{CommitOutcome, Guard, Key, StateStore, Txn, TxnId, Version, Write};

use super::candidate::{Candidate, read_chunk};
use super::decide::{Decision, Known, Rules, decide};
use super::report::{Difference, Fate, Report, Stage};
use crate::enrich::{Enricher, NOT_CONFIGURED};
use crate::error::{DispatchError, Result};
use crate::facts::{Touch, facts};
use crate::leads::LeadRecord;
use crate::records;
use crate::refused::RefusedSink;
use crate::source::{RowFault, RowReader};

/// Rows handled at a time: one look-up and one transaction each.
const CHUNK: usize = 500;

/// What a run may do.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Decide and report; write nothing.
    pub dry_run: bool,
    /// Stop after this many rows.
    pub limit: Option<u64>,
}

/// Takes files of leads.
#[derive(Debug)]
pub struct Pipeline<'a> {
    /// Where leads and drafts are kept.
    pub store: &'a dyn StateStore,
    /// Time.
    pub clock: &'a dyn Clock,
    /// Ids of transactions.
    pub ids: &'a dyn IdSource,
    /// Scoring, writing and what is queued.
    pub rules: Rules<'a>,
    /// Who supplies facts that a row lacks.
    pub enrichers: &'a [Arc<dyn Enricher>],
    /// What the run may do.
    pub options: Options,
}

/// A lead and what the store knows about it, with the guards that this is still so.
struct Looked {
    candidate: Candidate,
    known: Known,
    guards: Vec<Guard>,
    draft_before: Option<DraftStatus>,
}

impl Pipeline<'_> {
    /// Takes every row of `reader`. Stops early, with what was done so far, once `go_on` says no;
    /// `go_on` hears the number of rows read.
    ///
    /// # Errors
    /// When the store fails or the refused file cannot be written. What was committed stays, and the
    /// next run goes on behind it.
    pub async fn run(
        &self,
        reader: RowReader,
        fields: &Arc<FieldMap>,
        refused: &mut dyn RefusedSink,
        go_on: &mut (dyn FnMut(u64) -> bool + Send),
    ) -> Result<Report> {
        let mut report = Report {
            dry_run: self.options.dry_run,
            ..Report::default()
        };
        for provider in NOT_CONFIGURED {
            report
                .skipped
                .push(format!("enrichment by {provider}: not configured"));
        }
        let mut seen: HashSet<EmailKey> = HashSet::new();
        let mut reader = Some(reader);
        while let Some(current) = reader.take() {
            let room = self
                .options
                .limit
                .map_or(u64::MAX, |limit| limit.saturating_sub(report.read));
            let size = usize::try_from(room).unwrap_or(CHUNK).min(CHUNK);
            if size == 0 {
                break;
            }
            let chunk = read_chunk(current, Arc::clone(fields), size).await?;
            for fault in &chunk.faults {
                report.end(Stage::Read, Fate::Refused, &fault.reason);
                refuse(refused, fault)?;
            }
            self.take(chunk.candidates, &mut seen, &mut report, refused)
                .await?;
            report.broken = chunk.broken;
            reader = chunk.reader;
            if !go_on(report.read) {
                report
                    .broken
                    .get_or_insert_with(|| "interrupted; run it again to go on".to_owned());
                break;
            }
        }
        Ok(report)
    }

    async fn take(
        &self,
        candidates: Vec<Candidate>,
        seen: &mut HashSet<EmailKey>,
        report: &mut Report,
        refused: &mut dyn RefusedSink,
    ) -> Result<()> {
        let mut fresh = Vec::with_capacity(candidates.len());
        for mut candidate in candidates {
            for remark in &candidate.remarks {
                *report.remarks.entry(remark.clone()).or_default() += 1;
            }
            if !seen.insert(candidate.lead.key.clone()) {
                report.end(
                    Stage::Deduplicate,
                    Fate::DuplicateInFile,
                    "the same person stood above",
                );
                continue;
            }
            for enricher in self.enrichers {
                if let Err(reason) = enricher.enrich(&mut candidate.lead).await {
                    let skipped = format!("enrichment by {}: {reason}", enricher.name());
                    if !report.skipped.contains(&skipped) {
                        report.skipped.push(skipped);
                    }
                }
            }
            fresh.push(candidate);
        }
        let looked = self.look_up(fresh).await?;
        let decided: Vec<(Looked, Decision)> = looked
            .into_iter()
            .map(|looked| {
                let decision = decide(&looked.candidate, &looked.known, &self.rules);
                (looked, decision)
            })
            .collect();
        for (looked, decision) in self.commit(decided).await? {
            count(report, refused, &looked.candidate, &decision)?;
        }
        Ok(())
    }

    async fn look_up(&self, candidates: Vec<Candidate>) -> Result<Vec<Looked>> {
        let asks_linkedin = !self.rules.linkedin.is_empty();
        let each = if asks_linkedin { 3 } else { 2 };
        let mut keys: Vec<Key> = Vec::with_capacity(candidates.len() * each);
        for candidate in &candidates {
            let key = &candidate.lead.key;
            keys.push(records::lead(key));
            keys.push(records::draft(&draft_id(key, Medium::Email, Step::FIRST)));
            if asks_linkedin {
                let linkedin = draft_id(key, Medium::LinkedIn, Step::FIRST);
                keys.push(records::draft(&linkedin));
            }
        }
        let found = self.store.get(&keys).await?;
        let touches: Vec<Touch<'_>> = candidates
            .iter()
            .map(|candidate| Touch {
                person: &candidate.lead.key,
                medium: Medium::Email,
                step: Step::FIRST,
            })
            .collect();
        let facts = facts(self.store, &touches).await?;
        let mut looked = Vec::with_capacity(candidates.len());
        let pairs = keys.chunks(each).zip(found.chunks(each));
        for ((candidate, facts), (keys, found)) in candidates.into_iter().zip(facts).zip(pairs) {
            let version = |at: usize| found[at].as_ref().map(|document| &document.version);
            let draft: Option<Draft> = parse(&keys[1], found[1].as_ref())?;
            looked.push(Looked {
                guards: (0..each).map(|at| guard(&keys[at], version(at))).collect(),
                draft_before: draft.as_ref().map(|draft| draft.status),
                known: Known {
                    record: parse::<LeadRecord>(&keys[0], found[0].as_ref())?,
                    draft,
                    linkedin: found.get(2).is_some_and(Option::is_some),
                    suppressed: facts.suppressed,
                    touched: facts.touched,
                },
                candidate,
            });
        }
        Ok(looked)
    }

    /// Commits a whole chunk at once; if somebody else changed one of its leads meanwhile, each on
    /// its own, and the changed ones are looked up and decided anew.
    async fn commit(&self, decided: Vec<(Looked, Decision)>) -> Result<Vec<(Looked, Decision)>> {
        if self.options.dry_run {
            return Ok(decided);
        }
        let mut whole = Txn {
            id: TxnId(self.ids.id()),
            guards: Vec::new(),
            writes: Vec::new(),
        };
        let mut single = Vec::with_capacity(decided.len());
        for (looked, decision) in &decided {
            let writes = writes(looked, decision)?;
            if !writes.is_empty() {
                whole.guards.extend(looked.guards.iter().cloned());
                whole.writes.extend(writes.iter().cloned());
            }
            single.push(writes);
        }
        if whole.writes.is_empty() || self.store.commit(&whole).await? == CommitOutcome::Committed {
            return Ok(decided);
        }
        let mut settled = Vec::with_capacity(decided.len());
        for ((looked, decision), writes) in decided.into_iter().zip(single) {
            settled.push(self.commit_one(looked, decision, writes).await?);
        }
        Ok(settled)
    }

    async fn commit_one(
        &self,
        mut looked: Looked,
        mut decision: Decision,
        mut changes: Vec<Write>,
    ) -> Result<(Looked, Decision)> {
        const ATTEMPTS: usize = 5;
        for _ in 0..ATTEMPTS {
            if changes.is_empty() {
                return Ok((looked, decision));
            }
            let id = TxnId(self.ids.id());
            let txn = Txn {
                id,
                guards: looked.guards.clone(),
                writes: changes,
            };
            if self.store.commit(&txn).await? == CommitOutcome::Committed {
                return Ok((looked, decision));
            }
            let id = looked.candidate.lead.key.to_string();
            let again = self.look_up(vec![looked.candidate]).await?.pop();
            looked = again.ok_or(DispatchError::Conflict { what: "lead", id })?;
            decision = decide(&looked.candidate, &looked.known, &self.rules);
            changes = writes(&looked, &decision)?;
        }
        let id = looked.candidate.lead.key.to_string();
        Err(DispatchError::Conflict { what: "lead", id })
    }
}

fn guard(key: &Key, version: Option<&Version>) -> Guard {
    crate::transition::unchanged(key, version)
}

fn parse<T: serde::de::DeserializeOwned>(
    key: &Key,
    document: Option<&caio_state::Versioned>,
) -> Result<Option<T>> {
    let Some(document) = document else {
        return Ok(None);
    };
    serde_json::from_slice(&document.value)
        .map(Some)
        .map_err(|error| {
            DispatchError::Store(caio_state::StoreError::Corrupt {
                backend: "record",
                key: key.to_string(),
                reason: error.to_string(),
            })
        })
}

fn writes(looked: &Looked, decision: &Decision) -> Result<Vec<Write>> {
    let mut writes = Vec::new();
    if let Some(record) = &decision.record {
        writes.extend(records::put_lead(record)?);
    }
    if let Some(draft) = &decision.draft {
        writes.extend(records::put_draft(draft, looked.draft_before)?);
    }
    if let Some(linkedin) = &decision.linkedin {
        writes.extend(records::put_draft(linkedin, None)?);
    }
    Ok(writes)
}

fn count(
    report: &mut Report,
    refused: &mut dyn RefusedSink,
    candidate: &Candidate,
    decision: &Decision,
) -> Result<()> {
    if let Some(tier) = decision.tier {
        report.tier(tier);
    }
    if decision.fate == Fate::KeptAsWas {
        report.differs(Difference {
            line: candidate.line,
            email: candidate.lead.key.to_string(),
            changes: decision.changes.clone(),
        });
    }
    if let Some(unwritten) = &decision.unwritten {
        refuse(
            refused,
            &RowFault {
                line: candidate.line,
                record: candidate.record,
                field: unwritten.field.clone(),
                reason: unwritten.reason.clone(),
                expected: unwritten.expected.clone(),
                raw: candidate.raw.clone(),
            },
        )?;
    }
    if let Some(linkedin) = &decision.linkedin {
        let campaign = linkedin.campaign.clone();
        *report.campaigns.entry(campaign).or_default() += 1;
    }
    match decision.stage {
        Stage::Queue => report.pass(decision.fate, &decision.campaign),
        stage => report.end(stage, decision.fate, &decision.reason),
    }
    Ok(())
}

fn refuse(refused: &mut dyn RefusedSink, fault: &RowFault) -> Result<()> {
    refused
        .refuse(fault)
        .map_err(|error| DispatchError::Refused {
            code: "refused_file.write",
            reason: format!("the file of refused rows cannot be written: {error}"),
        })
}

/// The time of a run in records.
pub fn stamp(clock: &dyn Clock) -> String {
    rfc3339(clock.now())
}
