//! Which store: `--store`, over `CAIO_STORE`, over what the old system's variables say, over SQLite
//! in the home folder.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use caio_core::Clock;
use caio_state::{Access, MemoryStore, RedisOptions, RedisStore, SqliteStore, StateStore};

use crate::exit::{Exit, Failure, Result};

/// A store that can be opened. Its display form never shows a password.
#[derive(Debug, Clone)]
pub(crate) enum StoreUrl {
    /// Lives as long as the process.
    Memory,
    /// A server that others may share, the Python system among them.
    Redis(Box<RedisOptions>),
    /// A file.
    Sqlite(PathBuf),
}

impl StoreUrl {
    pub(super) fn choose(
        flag: Option<&str>,
        environment: &BTreeMap<String, String>,
        home: &Path,
    ) -> Result<Self> {
        let variable = |name: &str| {
            environment
                .get(name)
                .map(String::as_str)
                .filter(|it| !it.is_empty())
        };
        let redis = |url: &str| {
            // The Python system's default, of which `warning` warns.
            let prefix = variable("STATE_REDIS_PREFIX").unwrap_or("caio");
            let mut options = RedisOptions::parse(url, Some(prefix))
                .map_err(|error| usage(&error.to_string()))?;
            if options.environment.is_none() {
                options.environment = variable("CAIO_ENVIRONMENT").map(str::to_owned);
            }
            Ok(Self::Redis(Box::new(options)))
        };
        if let Some(url) = flag.or_else(|| variable("CAIO_STORE")) {
            return match url.split_once(':') {
                Some(("redis" | "rediss", _)) => redis(url),
                _ => Self::parse(url),
            };
        }
        let backend = variable("STATE_BACKEND").map(|it| it.trim().to_lowercase());
        match (backend.as_deref(), variable("REDIS_URL")) {
            (None | Some("redis"), Some(url)) => redis(url),
            // Falling back to a file would split the state in two.
            (Some("redis"), None) => {
                Err(usage("STATE_BACKEND says redis and REDIS_URL is not set"))
            }
            _ => Ok(Self::Sqlite(home.join("caio.db"))),
        }
    }

    fn parse(url: &str) -> Result<Self> {
        let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
        match scheme {
            "memory" => Ok(Self::Memory),
            "sqlite" => {
                let path = &url["sqlite:".len()..];
                let path = path.strip_prefix("//").unwrap_or(path);
                if path.is_empty() {
                    return Err(usage("sqlite: names no file; expected sqlite:PATH"));
                }
                Ok(Self::Sqlite(path.into()))
            }
            "hive" | "dual" => Err(unsupported(scheme)),
            _ => Err(usage(
                "the store URL is not understood; expected sqlite:PATH, memory: or redis[s]://HOST",
            )),
        }
    }

    /// What the operator should know about the choice.
    pub(super) fn warning(&self) -> Option<&'static str> {
        match self {
            Self::Redis(options) if options.is_bare_prefix() => Some(
                "the prefix `caio` names no environment: staging and production on one Redis would \
                 share everything; set STATE_REDIS_PREFIX, such as caio-production",
            ),
            _ => None,
        }
    }

    pub(super) fn open(
        &self,
        access: Access,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<dyn StateStore>> {
        Ok(match self {
            Self::Memory => Arc::new(MemoryStore::new(clock)),
            Self::Redis(options) => Arc::new(RedisStore::open((**options).clone(), access)?),
            Self::Sqlite(path) => Arc::new(SqliteStore::open(path, clock, access)?),
        })
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory:"),
            Self::Redis(options) => options.fmt(f),
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
        }
    }
}

fn unsupported(what: &str) -> Failure {
    Failure::new(
        "store.unsupported",
        format!("this version has no {what} store yet"),
    )
    .hint("use --store sqlite:PATH; nothing falls back to another store by itself")
}

fn usage(message: &str) -> Failure {
    Failure::new("store.url", message).exit(Exit::Usage)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(flag: Option<&str>, variables: &[(&str, &str)]) -> Result<String> {
        let environment = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        StoreUrl::choose(flag, &environment, Path::new("home")).map(|url| url.to_string())
    }

    #[test]
    fn the_nearest_word_counts() {
        for (flag, variables, chosen) in [
            (None, &[][..], "sqlite:home/caio.db"),
            (None, &[("CAIO_STORE", "sqlite:a.db")], "sqlite:a.db"),
            (Some("memory:"), &[("CAIO_STORE", "sqlite:a.db")], "memory:"),
            (Some("sqlite:///x/a.db"), &[], "sqlite:/x/a.db"),
            (
                None,
                &[("REDIS_URL", "redis://host")],
                "redis://host (prefix caio)",
            ),
            (
                None,
                &[("REDIS_URL", "redis://host"), ("STATE_REDIS_PREFIX", "p")],
                "redis://host (prefix p)",
            ),
            (
                None,
                &[("REDIS_URL", "redis://host"), ("STATE_BACKEND", "file")],
                "sqlite:home/caio.db",
            ),
            (
                Some("rediss://host?prefix=q"),
                &[("STATE_REDIS_PREFIX", "p")],
                "rediss://host (prefix q)",
            ),
        ] {
            assert_eq!(choose(flag, variables).unwrap(), chosen);
        }
    }

    #[test]
    fn redis_is_never_quietly_replaced_and_its_password_never_shown() {
        let failure = choose(None, &[("STATE_BACKEND", "redis")]).unwrap_err();
        assert_eq!(failure.code, "store.url");
        let secret = "rediss://default:hunter2@host:6379";
        assert!(!choose(Some(secret), &[]).unwrap().contains("hunter2"));
        let broken = format!("{secret}?replicas=many");
        let failure = choose(Some(&broken), &[]).unwrap_err();
        assert!(!format!("{failure:?}").contains("hunter2"));
    }
}
