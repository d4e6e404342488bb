//! A file of leads becomes scored, written drafts that wait for a person.

mod report;

pub use report::{Difference, Fate, Report, Stage, StageReport};
