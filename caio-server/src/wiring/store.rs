//! Which store: `--store`, over `CAIO_STORE`, over what the old system's variables say, over SQLite
//! in the home folder.

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use caio_core::{Clock, IdSource};
use caio_state::{
    Access, DualStore, HiveStore, MemoryStore, RedisOptions, RedisStore, SqliteStore, StateStore,
};

use crate::exit::{Exit, Failure, Result};

/// A store that can be opened. Its display form never shows a password.
#[derive(Debug, Clone)]
pub(crate) enum StoreUrl {
    /// Two of them during a move: the first one decides.
    Dual(Box<StoreUrl>, Box<StoreUrl>),
    /// The folder of the Python system.
    Hive(PathBuf),
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
        let redis = |url: &str| Self::redis(url, environment);
        if let Some(url) = flag.or_else(|| variable("CAIO_STORE")) {
            return Self::parse(url, environment);
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

    fn redis(url: &str, environment: &BTreeMap<String, String>) -> Result<Self> {
        let variable = |name: &str| environment.get(name).filter(|it| !it.is_empty());
        // The Python system's default, of which `warning` warns.
        let prefix = variable("STATE_REDIS_PREFIX").map_or("caio", String::as_str);
        let mut options =
            RedisOptions::parse(url, Some(prefix)).map_err(|error| usage(&error.to_string()))?;
        if options.environment.is_none() {
            options.environment = variable("CAIO_ENVIRONMENT").cloned();
        }
        Ok(Self::Redis(Box::new(options)))
    }

    fn parse(url: &str, environment: &BTreeMap<String, String>) -> Result<Self> {
        let (scheme, rest) = url.split_once(':').unwrap_or(("", url));
        let path = |kind: &str| {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            if path.is_empty() {
                return Err(usage(&format!(
                    "{scheme}: names no {kind}; expected {scheme}:PATH"
                )));
            }
            Ok(PathBuf::from(path))
        };
        match scheme {
            "memory" => Ok(Self::Memory),
            "sqlite" => Ok(Self::Sqlite(path("file")?)),
            "hive" => Ok(Self::Hive(path("folder")?)),
            "redis" | "rediss" => Self::redis(url, environment),
            // The legacy store has no comma in it; the options of the primary may.
            "dual" => match rest.rsplit_once(',') {
                Some((primary, legacy)) if !primary.starts_with("dual:") => Ok(Self::Dual(
                    Box::new(Self::parse(primary, environment)?),
                    Box::new(Self::parse(legacy, environment)?),
                )),
                _ => Err(usage(
                    "expected dual:PRIMARY,LEGACY, each the URL of a store",
                )),
            },
            _ => Err(usage(
                "the store URL is not understood; expected sqlite:PATH, memory:, hive:PATH, \
                 redis[s]://HOST or dual:PRIMARY,LEGACY",
            )),
        }
    }

    /// Why it may be gone after the next deployment, where that would be for real: a file on the
    /// container's own disk, which the platform throws away with every claim in it.
    pub(super) fn fleeting(&self, environment: &BTreeMap<String, String>) -> Option<String> {
        let variable = |name: &str| environment.get(name).map(|it| it.trim().to_lowercase());
        let is_real = ["ENVIRONMENT", "CAIO_ENVIRONMENT"]
            .iter()
            .filter_map(|name| variable(name))
            .any(|it| it == "staging" || it == "production");
        let is_kept = variable("CAIO_DISK_IS_KEPT")
            .is_some_and(|it| matches!(it.as_str(), "1" | "true" | "yes" | "on"));
        match self {
            Self::Memory if is_real => Some("memory: ends with the process".to_owned()),
            Self::Sqlite(path) if is_real && !is_kept && !is_on_volume(path) => Some(format!(
                "{} is on the same disk as the system, which a platform throws away; put it on a mounted \
                 volume, or set CAIO_DISK_IS_KEPT=on where that disk stays",
                path.display()
            )),
            Self::Dual(primary, _) => primary.fleeting(environment),
            _ => None,
        }
    }

    /// Other systems may work on it.
    pub(super) const fn is_shared(&self) -> bool {
        matches!(self, Self::Redis(_) | Self::Dual(..))
    }

    /// What the operator should know about the choice.
    pub(super) fn warning(&self) -> Option<&'static str> {
        match self {
            Self::Dual(primary, _) => primary.warning(),
            Self::Hive(_) => Some(
                "the folder of the Python system decides nothing and keeps single documents alone; \
                 use it to look, or to move away from it",
            ),
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
        clock: &Arc<dyn Clock>,
        ids: &Arc<dyn IdSource>,
    ) -> Result<Arc<dyn StateStore>> {
        let time = Arc::clone(clock);
        Ok(match self {
            Self::Dual(primary, legacy) => Arc::new(DualStore::new(
                primary.open(access, clock, ids)?,
                legacy.open(Access::ReadOnly, clock, ids)?,
                Arc::clone(ids),
            )),
            Self::Hive(path) => Arc::new(HiveStore::open(path, time, access)?),
            Self::Memory => Arc::new(MemoryStore::new(time)),
            Self::Redis(options) => Arc::new(RedisStore::open((**options).clone(), access)?),
            Self::Sqlite(path) => Arc::new(SqliteStore::open(path, time, access)?),
        })
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dual(primary, legacy) => write!(f, "dual:{primary},{legacy}"),
            Self::Hive(path) => write!(f, "hive:{}", path.display()),
            Self::Memory => f.write_str("memory:"),
            Self::Redis(options) => options.fmt(f),
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
        }
    }
}

fn usage(message: &str) -> Failure {
    Failure::new("store.url", message).exit(Exit::Usage)
}

/// Whether a file, or the folder that it will be in, is on another device than `/`.
fn is_on_volume(path: &Path) -> bool {
    let device = |path: &Path| std::fs::metadata(path).map(|it| it.dev()).ok();
    let mut folders = path.ancestors().skip(1).map(|it| {
        if it.as_os_str().is_empty() {
            Path::new(".")
        } else {
            it
        }
    });
    let here = device(path).or_else(|| folders.find_map(device));
    here.is_some() && here != device(Path::new("/"))
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
                Some("dual:redis://host?prefix=a,hive:.hive-mind"),
                &[],
                "dual:redis://host (prefix a),hive:.hive-mind",
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
