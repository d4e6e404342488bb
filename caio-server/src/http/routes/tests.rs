//! Routes over the real application, with its access and its rules.

mod again;
mod batches;
mod document;
mod emails;
mod leads;
mod news;
mod state;
