//! `redis://…` and `rediss://…` addresses with our own parameters.

use std::fmt;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::error::{Result, StoreError};

/// How long an operation may take: a live action that cannot be decided is refused within a second.
const TIMEOUT: Duration = Duration::from_millis(900);

/// How to reach Redis. Never shows the password.
#[derive(Clone)]
pub struct RedisOptions {
    url: SecretString,
    shown: String,
    /// Prefix of every key.
    pub prefix: String,
    /// Replicas that must have a commit before it counts.
    pub replicas: u32,
    /// How long an operation may take, in all, before it counts as failed.
    pub timeout: Duration,
    /// The environment that the data has to belong to; unchecked when absent.
    pub environment: Option<String>,
}

impl RedisOptions {
    /// Reads `redis[s]://[user:password@]host[:port][/db][?prefix=P&environment=E&replicas=N&timeout=MS]`;
    /// `prefix` holds where the address names none.
    ///
    /// # Errors
    /// Another scheme, a parameter that is no number, an empty prefix.
    pub fn parse(url: &str, prefix: Option<&str>) -> Result<Self> {
        let invalid = |what: &str| StoreError::Invalid(format!("redis address: {what}"));
        if !url.starts_with("redis://") && !url.starts_with("rediss://") {
            return Err(invalid("it begins with redis:// or rediss://"));
        }
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        let mut options = Self {
            url: SecretString::default(),
            shown: without_credentials(address),
            prefix: prefix.unwrap_or_default().to_owned(),
            replicas: 0,
            timeout: TIMEOUT,
            environment: None,
        };
        let mut theirs = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("prefix", value)) => value.clone_into(&mut options.prefix),
                Some(("environment", value)) => options.environment = Some(value.to_owned()),
                Some(("replicas", value)) => {
                    options.replicas = value
                        .parse()
                        .map_err(|_| invalid("`replicas` is a number, such as 1"))?;
                }
                Some(("timeout", value)) => {
                    let ms = value.parse().ok().filter(|ms| *ms > 0);
                    options.timeout = Duration::from_millis(
                        ms.ok_or_else(|| invalid("`timeout` is in milliseconds, such as 900"))?,
                    );
                }
                _ => theirs.push(pair),
            }
        }
        if options.prefix.is_empty() {
            return Err(invalid(
                "a prefix is needed, such as ?prefix=caio-production or STATE_REDIS_PREFIX",
            ));
        }
        let query = if theirs.is_empty() {
            String::new()
        } else {
            format!("?{}", theirs.join("&"))
        };
        options.url = SecretString::from(format!("{address}{query}"));
        Ok(options)
    }

    pub(super) fn url(&self) -> &str {
        self.url.expose_secret()
    }

    /// Whether the prefix names no environment, as the Python system's default `caio`.
    pub fn is_bare_prefix(&self) -> bool {
        self.prefix == "caio"
    }
}

impl fmt::Display for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (prefix {})", self.shown, self.prefix)
    }
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("address", &self.shown)
            .field("prefix", &self.prefix)
            .field("replicas", &self.replicas)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

fn without_credentials(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").unwrap_or(("redis", address));
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    format!("{scheme}://{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_parameters_are_ours_and_the_password_is_nobodys() {
        let url = "rediss://user:hush@example.com:6380/2?prefix={caio}-test&replicas=2&timeout=50&protocol=resp3";
        let options = RedisOptions::parse(url, Some("other")).unwrap();
        assert_eq!(
            options.url(),
            "rediss://user:hush@example.com:6380/2?protocol=resp3"
        );
        assert_eq!(
            (options.prefix.as_str(), options.replicas),
            ("{caio}-test", 2)
        );
        assert_eq!(options.timeout, Duration::from_millis(50));
        assert!(!format!("{options:?}").contains("hush"));
        assert_eq!(options.shown, "rediss://example.com:6380/2");
    }

    #[test]
    fn what_is_wrong_with_an_address_is_said() {
        for (url, what) in [
            ("http://example.com", "redis://"),
            ("redis://example.com", "prefix"),
            ("redis://example.com?prefix=p&replicas=two", "replicas"),
            ("redis://example.com?prefix=p&timeout=0", "timeout"),
        ] {
            let error = RedisOptions::parse(url, None).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
    }
}
