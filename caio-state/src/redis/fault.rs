//! What is known when Redis does not say yes.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::BACKEND;
use crate::error::StoreError;

/// What a server that refuses to write as a whole says, before the first write of a script: memory or
/// disk is full, a script hangs, too few replicas.
const TAKES_NO_WRITES: [&str; 4] = ["BUSY", "MISCONF", "NOREPLICAS", "OOM"];

/// What is known of transactions whose sending failed.
pub(super) enum Sent {
    /// They were not applied.
    Not(RedisError),
    /// They may have been applied, all or some.
    Maybe(String),
    /// They were applied, and too few replicas have them.
    Unreplicated(String),
    /// The script refused them; nothing was applied.
    Refused(String),
    /// The store has forgotten what it had acknowledged.
    Lost { seen: u64, found: u64 },
}

impl Sent {
    /// What `error` says about so many transactions that were sent together.
    pub(super) fn of(error: RedisError, transactions: usize) -> Self {
        let failed = error.clone().into_server_errors();
        if failed.is_some_and(|failed| failed.len() < transactions) {
            return Self::Maybe(error.to_string());
        }
        match error.kind() {
            _ if takes_no_writes(&error) => Self::Not(error),
            ErrorKind::Server(ServerErrorKind::ResponseError) | ErrorKind::Extension => {
                Self::Refused(error.to_string())
            }
            ErrorKind::Server(_) | ErrorKind::AuthenticationFailed => Self::Not(error),
            _ if error.is_connection_refusal() => Self::Not(error),
            _ => Self::Maybe(error.to_string()),
        }
    }
}

impl From<Sent> for StoreError {
    fn from(sent: Sent) -> Self {
        match sent {
            Sent::Not(error) => unavailable(error),
            Sent::Maybe(reason) | Sent::Unreplicated(reason) => ambiguous(reason),
            Sent::Refused(reason) => Self::Invalid(format!("redis: {reason}")),
            Sent::Lost { seen, found } => Self::LostData {
                backend: BACKEND,
                seen,
                found,
            },
        }
    }
}

pub(super) fn ambiguous(reason: String) -> StoreError {
    StoreError::Ambiguous {
        backend: BACKEND,
        reason,
    }
}

pub(super) fn unavailable(error: RedisError) -> StoreError {
    let reason = if takes_no_writes(&error) {
        format!("the server takes no writes: {error}")
    } else {
        error.to_string()
    };
    StoreError::Unavailable {
        backend: BACKEND,
        reason,
        source: Some(Box::new(error)),
    }
}

fn takes_no_writes(error: &RedisError) -> bool {
    let failed = error.clone().into_server_errors().unwrap_or_default();
    failed.iter().any(|(_, error)| {
        // Before version 7 the word of a call within a script stood in the text of the script's error.
        let text = error.details().unwrap_or_default();
        TAKES_NO_WRITES
            .iter()
            .any(|word| error.code() == *word || text.contains(&format!(" -{word} ")))
    })
}
