//! Routes over the real application, with its access and its rules.

mod again;
mod batches;
mod contract;
mod document;
mod emails;
mod leads;
mod manners;
mod news;
mod state;
