//! Who may come in: tokens for scripts, sessions for people. The store holds digests only.

mod entry;
mod sessions;
mod tickets;
mod tokens;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use caio_core::IdSource;

pub use entry::Entry;
pub use sessions::{Holder, Session, Sessions};
pub use tickets::{LIFETIME as TICKET_LIFETIME, Ticket, Tickets};
pub use tokens::{Token, Tokens, check};

/// A fresh secret: 43 characters that stand for 256 bits.
fn secret(ids: &dyn IdSource) -> String {
    URL_SAFE_NO_PAD.encode(ids.random())
}
