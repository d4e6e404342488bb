//! What the commands work with: environment, time, ids, settings, store, keys, who decides.

mod alerts;
pub(crate) mod asked;
mod batches;
mod brake;
mod channels;
pub(crate) mod desk;
pub(crate) mod executing;
mod follow_ups;
mod halt;
mod keys;
#[cfg(feature = "kill-points")]
mod kill;
mod one;
pub(crate) mod preview;
mod store;
pub(crate) mod verdict;

use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use caio_core::batch::SealKeys;
use caio_core::config::{Layer, Loaded, Production, Resolved, Settings};
use caio_core::icp::Model;
use caio_core::{Clock, IdSource};
use caio_dispatch::notify::Notes;
use caio_dispatch::providers::Breakers;
use caio_state::{Access, StateStore};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::args::Global;
use crate::exit::{Exit, Failure, Result};
use crate::printer::Printer;

pub(crate) use batches::AskedBatch;
pub(crate) use channels::Channels;
pub(crate) use halt::Stopped;
#[cfg(feature = "kill-points")]
pub(crate) use kill::arm;
use store::StoreUrl;

/// Everything a command needs.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) printer: Printer,
    pub(crate) resolved: Resolved,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) home: PathBuf,
    /// What providers' clients have to tell, until it is raised.
    pub(crate) notes: Arc<Notes>,
    /// Where the breakers of providers stand, for every client of this process.
    pub(crate) breakers: Breakers,
    by: Option<String>,
    global: Global,
    store: StoreUrl,
    production_file: PathBuf,
}

/// The system's clock.
#[derive(Debug)]
struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that everything else is given"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Ids ordered by time, and the system's randomness.
#[derive(Debug)]
struct SystemIds;

impl IdSource for SystemIds {
    fn id(&self) -> String {
        uuid::Uuid::now_v7().simple().to_string()
    }

    fn random(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        if getrandom::fill(&mut bytes).is_err() {
            // Two UUIDs draw on the same source and abort the process when it is gone.
            bytes[..16].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
            bytes[16..].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
        }
        bytes
    }
}

/// The environment, read once; a variable that is not Unicode is left out.
pub(crate) fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Name of the account that runs the process, where the environment does not say.
fn login_name() -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let id = fs::metadata("/proc/self").ok()?.uid().to_string();
    let accounts = fs::read_to_string("/etc/passwd").ok()?;
    let account = accounts
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>());
    let mut found = account.filter(|fields| fields.get(2) == Some(&id.as_str()));
    found.next()?.first().map(|name| (*name).to_owned())
}

/// Threads that wait for disks and name servers. The embedded store has one connection, so that more
/// of them would only wait for each other.
const WAITING_THREADS: usize = 16;

/// How long such a thread waits for more to do.
const THREAD_STAYS: Duration = Duration::from_secs(1);

/// Runs a command.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(WAITING_THREADS)
        .thread_keep_alive(THREAD_STAYS)
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::new(
                "runtime.start",
                format!("the runtime cannot start: {error}"),
            )
        })?;
    // Behind a pointer: the runtime is compiled three times around whatever it is given, here
    // everything that there is.
    let work: Pin<Box<dyn Future<Output = Result<T>> + '_>> = Box::pin(work);
    runtime.block_on(work)
}

impl Context {
    pub(crate) fn new(
        global: &Global,
        environment: BTreeMap<String, String>,
        printer: Printer,
    ) -> Result<Self> {
        let variable = |name: &str| environment.get(name).filter(|value| !value.is_empty());
        let home = PathBuf::from(variable("CAIO_HOME").map_or(".caio", String::as_str));
        let resolved = resolve(global, &environment, &home)?;
        for unknown in &resolved.unknown {
            printer.warn(&unknown.to_string());
        }
        let store = StoreUrl::choose(global.store.as_deref(), &environment, &home)?;
        let user = || variable("USER").or_else(|| variable("LOGNAME")).cloned();
        let by = global.by.clone().or_else(user).or_else(login_name);
        let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
        Ok(Self {
            printer,
            resolved,
            clock,
            ids,
            environment,
            home,
            notes: Arc::default(),
            breakers: Breakers::default(),
            by,
            global: global.clone(),
            store,
            production_file: PathBuf::from("config/production.json"),
        })
    }

    /// The same command in another environment.
    pub(crate) fn with_environment(&self, environment: BTreeMap<String, String>) -> Result<Self> {
        Self::new(&self.global, environment, self.printer.clone())
    }

    pub(crate) const fn settings(&self) -> &Settings {
        &self.resolved.settings
    }

    /// The store; what was chosen is said on stderr.
    pub(crate) fn open(&self, access: Access) -> Result<Arc<dyn StateStore>> {
        self.printer.note(&format!("store: {}", self.store));
        if let Some(warning) = self.store.warning() {
            self.printer.warn(warning);
        }
        self.store.open(access, &self.clock, &self.ids)
    }

    /// Other systems may work on the same store.
    pub(crate) const fn is_shared(&self) -> bool {
        self.store.is_shared()
    }

    /// Why the store may be gone after the next deployment, in staging and production.
    pub(crate) fn fleeting_store(&self) -> Option<String> {
        self.store.fleeting(&self.environment)
    }

    /// Another store than that of this command, for reading.
    pub(crate) fn open_other(&self, url: &str) -> Result<Arc<dyn StateStore>> {
        let url = StoreUrl::choose(Some(url), &self.environment, &self.home)?;
        if let StoreUrl::Sqlite(path) = &url
            && !path.exists()
        {
            let message = format!("{}: there is no such file", path.display());
            return Err(Failure::new("state.from", message));
        }
        url.open(Access::ReadOnly, &self.clock, &self.ids)
    }

    /// Who decides.
    pub(crate) fn by(&self) -> Result<&str> {
        self.by.as_deref().ok_or_else(|| {
            Failure::new("who.unknown", "nobody is named as the one who decides")
                .hint("give --by NAME or set CAIO_USER")
                .exit(Exit::Usage)
        })
    }

    /// The keys of the approval seal; `None` when there are none and none may be made.
    pub(crate) fn seal_keys(&self, make: bool) -> Result<Option<SealKeys>> {
        keys::seal_keys(&self.home, &self.environment, make.then_some(&*self.ids))
    }

    /// The model of that name, or the configured one: built in, or the path of a TOML file.
    pub(crate) fn model(&self, name: Option<&str>) -> Result<Model> {
        let name = name.unwrap_or(&self.settings().icp_model);
        if Path::new(name)
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            return Ok(Model::from_toml(&read(Path::new(name))?)?);
        }
        Ok(Model::builtin(name)?)
    }

    /// `config/production.json` of the old system; `None` when there is no such file.
    pub(crate) fn production(&self) -> Result<Option<Loaded>> {
        let path = &self.production_file;
        if !path.exists() {
            return Ok(None);
        }
        let name = path.display().to_string();
        let loaded = Production::load(&name, &read(path)?);
        loaded
            .map(Some)
            .map_err(|error| Failure::new(error.code(), error.to_string()))
    }

    /// A variable that holds a whole number.
    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>> {
        let given = self.environment.get(name).filter(|it| !it.is_empty());
        let parse = |text: &String| {
            text.trim().parse().map_err(|_| {
                let message = format!("{name}: `{text}` is no number that fits");
                Failure::new("config.number", message).exit(Exit::Usage)
            })
        };
        given.map(parse).transpose()
    }

    /// Whether a variable is switched on, in any of the words that the old system took.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        let given = self
            .environment
            .get(name)
            .map(|it| it.trim().to_lowercase());
        given.is_some_and(|it| matches!(it.as_str(), "1" | "true" | "yes" | "on"))
    }

    /// The business time zone.
    pub(crate) fn zone(&self) -> Result<TimeZone> {
        let name = &self.settings().time_zone;
        TimeZone::get(name).map_err(|_| {
            Failure::new("config.time_zone", format!("`{name}` is no time zone"))
                .hint("set time_zone to an IANA name such as America/Detroit")
        })
    }
}

fn resolve(
    global: &Global,
    environment: &BTreeMap<String, String>,
    home: &Path,
) -> Result<Resolved> {
    let mut layers = Vec::new();
    let path = global
        .config
        .clone()
        .unwrap_or_else(|| home.join("caio.toml"));
    if global.config.is_some() || path.exists() {
        let layer = Layer::toml(&path.display().to_string(), &read(&path)?);
        layers.push(layer.map_err(|errors| wrong(&errors))?);
    }
    layers.push(Layer::environment(environment).map_err(|errors| wrong(&errors))?);
    Ok(Settings::resolve(&layers))
}

fn wrong(errors: &[caio_core::config::ConfigError]) -> Failure {
    let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
    Failure::new("config.invalid", all.join("\n  ")).hint("`caio config show` lists every setting")
}

pub(crate) fn read(path: &Path) -> Result<String> {
    let text = fs::read_to_string(path);
    text.map_err(|error| Failure::new("file.read", format!("{}: {error}", path.display())))
}
