//! The operator: runs one approved batch, once, and records every step before and after it.

mod check;
mod claim;
mod recover;
mod runner;
mod step;
mod unknown;

pub use check::{Checked, Ready, check_item, outgoing, preview};
pub use runner::{Gate, ItemReport, Operator, RunReport};
pub use step::{Effect, Event, Phase, Run, Slot, SlotState, step};
