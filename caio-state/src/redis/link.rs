//! The connection, made anew when it has gone silent.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisResult};

/// One connection shared by all tasks. The manager replaces one that was closed; one that is half
/// open, where nothing arrives and nothing is closed, has to be given up by whoever waited in vain.
pub(super) struct Link {
    client: Client,
    timeout: Duration,
    current: Mutex<(u64, ConnectionManager)>,
}

impl Link {
    pub(super) fn new(client: Client, timeout: Duration) -> RedisResult<Self> {
        let manager = manager(&client, timeout)?;
        Ok(Self {
            client,
            timeout,
            current: Mutex::new((0, manager)),
        })
    }

    /// The connection, and its number.
    pub(super) fn get(&self) -> (u64, ConnectionManager) {
        self.current
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Gives up connection `number`, unless somebody did already.
    pub(super) fn give_up(&self, number: u64) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.0 == number
            && let Ok(fresh) = manager(&self.client, self.timeout)
        {
            *current = (number + 1, fresh);
        }
    }
}

fn manager(client: &Client, timeout: Duration) -> RedisResult<ConnectionManager> {
    let config = ConnectionManagerConfig::new()
        .set_number_of_retries(0)
        .set_connection_timeout(Some(timeout))
        .set_response_timeout(Some(timeout));
    ConnectionManager::new_lazy_with_config(client.clone(), config)
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}
