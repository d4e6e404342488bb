//! A file of leads becomes scored, written drafts that wait for a person.
//!
//! Rows are read in chunks; each chunk is looked up, decided purely and committed in one
//! transaction with absent-guards, so that two runs at once queue nobody twice. One lead's fault
//! never costs another lead, and the totals always add up.

mod candidate;
mod decide;
mod report;
mod run;

pub use candidate::Candidate;
pub use decide::{Decision, Known, Rules, decide};
pub use report::{Difference, Fate, Report, Stage, StageReport};
pub use run::{Options, Pipeline, stamp};
