//! What a run did: totals that always add up.

use std::collections::BTreeMap;

use caio_core::terms::Tier;
use serde::Serialize;

/// What became of one row. Every row has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// The row could not be used; it stands in the refused file.
    Refused,
    /// The same person stood in the file before.
    DuplicateInFile,
    /// The store knows the person, with the same facts.
    AlreadyKnown,
    /// The store knows the person with other facts, which were kept.
    KeptAsWas,
    /// The person, domain or company opted out or is excluded.
    Suppressed,
    /// The model disqualifies the lead.
    Disqualified,
    /// The tier is below what is queued.
    BelowTier,
    /// The new facts replaced the old ones; an undecided draft was written anew.
    Updated,
    /// A draft was queued.
    Queued,
}

impl Fate {
    /// In the order of the stages.
    pub const ALL: [Self; 9] = [
        Self::Refused,
        Self::DuplicateInFile,
        Self::AlreadyKnown,
        Self::KeptAsWas,
        Self::Suppressed,
        Self::Disqualified,
        Self::BelowTier,
        Self::Updated,
        Self::Queued,
    ];

    /// The word in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::DuplicateInFile => "duplicate_in_file",
            Self::AlreadyKnown => "already_known",
            Self::KeptAsWas => "kept_as_was",
            Self::Suppressed => "suppressed",
            Self::Disqualified => "disqualified",
            Self::BelowTier => "below_tier",
            Self::Updated => "updated",
            Self::Queued => "queued",
        }
    }
}

/// A step of the pipeline, as the report shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Rows become leads.
    Read,
    /// One lead a person, in the file and against the store.
    Deduplicate,
    /// Opt-outs, customers and competitors go.
    Suppress,
    /// Score and tier.
    Score,
    /// Subject and body.
    Write,
    /// Into the store.
    Queue,
}

impl Stage {
    /// In order.
    pub const ALL: [Self; 6] = [
        Self::Read,
        Self::Deduplicate,
        Self::Suppress,
        Self::Score,
        Self::Write,
        Self::Queue,
    ];

    /// The word in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Deduplicate => "deduplicate",
            Self::Suppress => "suppress",
            Self::Score => "score",
            Self::Write => "write",
            Self::Queue => "queue",
        }
    }
}

/// One stage: what came in, what went on, and why the rest did not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct StageReport {
    /// Leads that came in.
    pub entered: u64,
    /// Leads that went on.
    pub left: u64,
    /// Leads that ended here, by reason.
    pub ended: BTreeMap<String, u64>,
}

/// A person whose stored facts differ from the file's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Line in the file.
    pub line: u64,
    /// Who.
    pub email: String,
    /// `field: stored -> file`.
    pub changes: Vec<String>,
}

/// Most differences kept in a report; the count goes on.
const DIFFERENCES: usize = 100;

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Rows read; equals the sum of `fates`.
    pub read: u64,
    /// Rows by what became of them.
    pub fates: BTreeMap<&'static str, u64>,
    /// Stages in order.
    pub stages: BTreeMap<Stage, StageReport>,
    /// Scored leads by tier; `none` for disqualified ones.
    pub tiers: BTreeMap<&'static str, u64>,
    /// Queued drafts by campaign.
    pub campaigns: BTreeMap<String, u64>,
    /// Remarks about odd values, by remark.
    pub remarks: BTreeMap<String, u64>,
    /// People whose stored facts were kept although the file says otherwise.
    pub differences: Vec<Difference>,
    /// What was not done and why, such as providers that are not configured.
    pub skipped: Vec<String>,
    /// Why reading ended before the end of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
    /// Nothing was written.
    pub dry_run: bool,
}

impl Report {
    /// Counts one row that ended at `stage` for `reason`.
    pub fn end(&mut self, stage: Stage, fate: Fate, reason: &str) {
        self.read += 1;
        *self.fates.entry(fate.as_str()).or_default() += 1;
        for passed in Stage::ALL {
            let report = self.stages.entry(passed).or_default();
            report.entered += 1;
            if passed == stage {
                *report.ended.entry(reason.to_owned()).or_default() += 1;
                return;
            }
            report.left += 1;
        }
    }

    /// Counts one row that went all the way.
    pub fn pass(&mut self, fate: Fate, campaign: &str) {
        self.read += 1;
        *self.fates.entry(fate.as_str()).or_default() += 1;
        *self.campaigns.entry(campaign.to_owned()).or_default() += 1;
        for passed in Stage::ALL {
            let report = self.stages.entry(passed).or_default();
            report.entered += 1;
            report.left += 1;
        }
    }

    /// Counts the tier of a scored lead.
    pub fn tier(&mut self, tier: Option<Tier>) {
        *self
            .tiers
            .entry(tier.map_or("none", Tier::as_str))
            .or_default() += 1;
    }

    /// Keeps a difference, up to a bound.
    pub fn differs(&mut self, difference: Difference) {
        if self.differences.len() < DIFFERENCES {
            self.differences.push(difference);
        }
    }

    /// Rows that ended with `fate`.
    pub fn count(&self, fate: Fate) -> u64 {
        self.fates.get(fate.as_str()).copied().unwrap_or(0)
    }

    /// Whether every row has exactly one fate and every stage hands on what it does not end.
    pub fn adds_up(&self) -> bool {
        let fates: u64 = self.fates.values().sum();
        let mut expected = self.read;
        self.read == fates
            && Stage::ALL
                .iter()
                .filter_map(|stage| self.stages.get(stage))
                .all(|stage| {
                    let whole = stage.entered == expected
                        && stage.left + stage.ended.values().sum::<u64>() == stage.entered;
                    expected = stage.left;
                    whole
                })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn totals_add_up_whatever_happens(rows in prop::collection::vec((0usize..7, 0usize..9), 0..60)) {
            let mut report = Report::default();
            for (stage, fate) in &rows {
                match Stage::ALL.get(*stage) {
                    Some(stage) => report.end(*stage, Fate::ALL[*fate], "because"),
                    None => report.pass(Fate::ALL[*fate], "campaign"),
                }
            }
            prop_assert_eq!(report.read, rows.len() as u64);
            prop_assert!(report.adds_up());
            report.read += 1;
            prop_assert!(!report.adds_up());
        }
    }
}
