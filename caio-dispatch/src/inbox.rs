//! The inbox of webhooks: each event is stored as it came before anybody is told that it was taken,
//! and has its effect once, whatever happens in between.
//!
//! What an event says about whether somebody may be written to (an opt-out, a bounce, a hold) is
//! committed together with it. Everything else follows when it is applied, in one commit that is
//! guarded by the event's own record. What nobody understands stays, for a person to look at.

mod apply;
mod commits;
mod decide;
mod hold;
mod keys;
mod people;
mod receive;
mod record;

pub use apply::{Apply, Drained};
pub use commits::{Commits, committer};
pub use decide::{Decide, Wanted, dead_letters, list, one};
pub use hold::{Held, HoldSwitch, held, holds, lift, set_hold};
pub use keys::{KeyRecord, StoredKey, keys_of, retire, rotate};
pub use receive::{Arrived, Inbox, Received};
pub use record::{EventState, StoredEvent};
