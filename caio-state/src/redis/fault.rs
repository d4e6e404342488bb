//! What is known when Redis does not say yes.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::BACKEND;
use crate::error::StoreError;

/// What a server that refuses to write as a whole says, before the first write of a script: memory or
/// disk is full, a script hangs, too few replicas.
const TAKES_NO_WRITES: [&str; 4] = ["BUSY", "MISCONF", "NOREPLICAS", "OOM"];

/// The same in the words of Upstash, which have no code of their own.
const TAKES_NOTHING: [&str; 3] = [
    "DB capacity quota exceeded",
    "max concurrent connections exceeded",
    "max requests limit exceeded",
];

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
        TAKES_NOTHING.iter().any(|words| text.contains(words))
            || TAKES_NO_WRITES
                .iter()
                .any(|word| error.code() == *word || text.contains(&format!(" -{word} ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a commit says that the server answers with `line`.
    fn said(line: &str) -> StoreError {
        let value = redis::parse_redis_value(line.as_bytes()).unwrap();
        let error = value.extract_error().unwrap_err();
        Sent::of(error, 1).into()
    }

    #[test]
    fn a_server_that_takes_no_writes_is_not_a_request_that_makes_no_sense() {
        for line in [
            "-OOM command not allowed when used memory > 'maxmemory'.\r\n",
            "-ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -OOM command not allowed\r\n",
            "-MISCONF Redis is configured to save RDB snapshots\r\n",
            "-NOREPLICAS Not enough good replicas to write.\r\n",
            "-BUSY Redis is busy running a script.\r\n",
            "-ERR DB capacity quota exceeded\r\n",
            "-ERR max requests limit exceeded. Limit: 500000\r\n",
        ] {
            let error = said(line);
            assert_eq!(error.code(), "store.unavailable", "{line}");
            assert!(error.to_string().contains("takes no writes"), "{error}");
        }
        for line in [
            "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            "-ERR user_script:1: caio:_i:i is a list, not a zset\r\n",
            "-ERR max request size exceeded\r\n",
        ] {
            assert_eq!(said(line).code(), "store.invalid", "{line}");
        }
        assert_eq!(
            said("-READONLY You can't write against a read only replica.\r\n").code(),
            "store.unavailable"
        );
    }

    #[test]
    fn one_failure_among_several_leaves_it_open_which_were_applied() {
        let value = redis::parse_redis_value(b"-OOM no memory\r\n").unwrap();
        let error = value.extract_error().unwrap_err();
        assert_eq!(
            StoreError::from(Sent::of(error, 2)).code(),
            "store.ambiguous"
        );
    }
}
