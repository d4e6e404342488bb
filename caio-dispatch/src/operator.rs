//! The operator: runs one approved batch, once, and records every step before and after it.

mod check;
mod claim;
mod context;
pub mod kill;
mod permits;
mod record;
mod recover;
mod report;
mod runner;
mod shadow;
mod step;
mod unknown;

pub use check::{Checked, Ready, check_item, check_items, outgoing, preview};
pub use permits::Permits;
pub use report::{ItemReport, RunReport};
pub use runner::{Brake, Gate, Operator};
pub use step::{Claimed, Effect, Event, Lane, Phase, Run, Slot, SlotState, step};
