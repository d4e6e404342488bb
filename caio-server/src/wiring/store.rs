//! Which store: `--store`, over `CAIO_STORE`, over what the old system's variables say, over SQLite
//! in the home folder.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use caio_core::Clock;
use caio_state::{Access, MemoryStore, SqliteStore, StateStore};

use crate::exit::{Exit, Failure, Result};

/// A store that can be opened. Its display form never shows a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StoreUrl {
    /// Lives as long as the process.
    Memory,
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
        if let Some(url) = flag.or_else(|| variable("CAIO_STORE")) {
            return Self::parse(url);
        }
        // Redis is configured: falling back to a file would split the state in two.
        if variable("REDIS_URL").is_some() || variable("STATE_BACKEND") == Some("redis") {
            return Err(unsupported("redis (from REDIS_URL or STATE_BACKEND)"));
        }
        Ok(Self::Sqlite(home.join("caio.db")))
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
            "redis" | "rediss" | "hive" | "dual" => Err(unsupported(scheme)),
            _ => Err(usage(
                "the store URL is not understood; expected sqlite:PATH or memory:",
            )),
        }
    }

    pub(super) fn open(
        &self,
        access: Access,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<dyn StateStore>> {
        Ok(match self {
            Self::Memory => Arc::new(MemoryStore::new(clock)),
            Self::Sqlite(path) => Arc::new(SqliteStore::open(path, clock, access)?),
        })
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory:"),
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

    fn choose(flag: Option<&str>, variables: &[(&str, &str)]) -> Result<StoreUrl> {
        let environment = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        StoreUrl::choose(flag, &environment, Path::new("home"))
    }

    #[test]
    fn the_nearest_word_counts() {
        let sqlite = |path: &str| Ok(StoreUrl::Sqlite(path.into()));
        assert_eq!(choose(None, &[]), sqlite("home/caio.db"));
        assert_eq!(
            choose(None, &[("CAIO_STORE", "sqlite:a.db")]),
            sqlite("a.db")
        );
        assert_eq!(
            choose(Some("memory:"), &[("CAIO_STORE", "sqlite:a.db")]),
            Ok(StoreUrl::Memory)
        );
        assert_eq!(choose(Some("sqlite:///x/a.db"), &[]), sqlite("/x/a.db"));
    }

    #[test]
    fn redis_is_never_quietly_replaced_and_its_password_never_shown() {
        let secret = "rediss://default:hunter2@host:6379";
        for answer in [
            choose(None, &[("REDIS_URL", secret)]),
            choose(Some(secret), &[]),
            choose(None, &[("STATE_BACKEND", "redis")]),
        ] {
            let failure = answer.unwrap_err();
            assert_eq!(failure.code, "store.unsupported");
            assert!(!format!("{failure:?}").contains("hunter2"));
        }
    }
}
