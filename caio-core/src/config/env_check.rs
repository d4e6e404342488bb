//! What is wrong with the environment of a deployment, before it starts (http D-46, D-48, D-58).
//!
//! Development may lack anything; staging and production need what keeps strangers out, data apart
//! and sending under control.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::env::{VARIABLES, setting_variables, variable};

/// Where the service will run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// On somebody's machine.
    Development,
    /// Like production, with nobody's real leads.
    Staging,
    /// For real.
    Production,
}

impl FromStr for Environment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim().to_lowercase().as_str() {
            "development" => Ok(Self::Development),
            "staging" => Ok(Self::Staging),
            "production" => Ok(Self::Production),
            _ => Err(format!(
                "`{text}` is none of development, staging, production"
            )),
        }
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Works, and somebody should know.
    Warning,
    /// Must not go live like this.
    Error,
}

/// One mistake. Values are never part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The variable.
    pub variable: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, and what was expected.
    pub problem: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.variable, self.problem)
    }
}

/// Shortest token of the environment that is not guessed, characters.
const SHORTEST_TOKEN: usize = 32;

/// Variables of the Python system that promised safety and did nothing (http D-58).
const WITHOUT_EFFECT: [(&str, &str); 3] = [
    (
        "CANARY_MODE",
        "has never had an effect; limit who is written to with the ramp",
    ),
    (
        "SAFE_MODE",
        "is not read; EMERGENCY_STOP and `caio stop` are what stops",
    ),
    (
        "OPERATION_MODE",
        "is not read; config/production.json says what may be sent",
    ),
];

struct Check<'a> {
    production: bool,
    values: &'a BTreeMap<String, String>,
    found: Vec<Mistake>,
}

/// Every mistake in `values`, errors first, then by name.
pub fn check(environment: Environment, values: &BTreeMap<String, String>) -> Vec<Mistake> {
    let mut check = Check {
        production: environment != Environment::Development,
        values,
        found: Vec::new(),
    };
    check.words();
    check.doors();
    check.state();
    check.sending();
    check.unknown();
    let mut found = check.found;
    found.sort_by(|a, b| {
        b.severity
            .cmp(&a.severity)
            .then(a.variable.cmp(&b.variable))
    });
    found
}

impl Check<'_> {
    fn value(&self, name: &str) -> Option<&str> {
        let value = self.values.get(name).map(|it| it.trim());
        value.filter(|it| !it.is_empty())
    }

    fn error(&mut self, name: &str, problem: impl Into<String>) {
        self.add(name, Severity::Error, problem);
    }

    /// An error where it is for real, a warning in development.
    fn grave(&mut self, name: &str, problem: impl Into<String>) {
        let severity = if self.production {
            Severity::Error
        } else {
            Severity::Warning
        };
        self.add(name, severity, problem);
    }

    fn add(&mut self, name: &str, severity: Severity, problem: impl Into<String>) {
        self.found.push(Mistake {
            variable: name.to_owned(),
            severity,
            problem: problem.into(),
        });
    }

    /// Values that were never filled in, numbers and switches that are none.
    fn words(&mut self) {
        for known in VARIABLES {
            let Some(value) = self.value(known.name).map(str::to_lowercase) else {
                continue;
            };
            let is_placeholder = value.starts_with("your_")
                || value.starts_with("your-")
                || value.starts_with('<')
                || ["changeme", "change_me", "replace_me", "todo", "xxx"].contains(&value.as_str());
            if is_placeholder {
                self.grave(known.name, "still holds the example's placeholder");
            }
        }
        for name in [
            "PORT",
            "CAIO_DRAIN_SECONDS",
            "CAIO_TRUSTED_PROXIES",
            "CAIO_LEASE_MS",
            "CAIO_SETTLES_WITHIN",
        ] {
            if self
                .value(name)
                .is_some_and(|it| it.parse::<u32>().is_err())
            {
                self.error(name, "expected a whole number");
            }
        }
        let words = ["1", "true", "yes", "on", "0", "false", "no", "off"];
        for name in ["DASHBOARD_AUTH_STRICT", "DASHBOARD_QUERY_TOKEN_ENABLED"] {
            if self
                .value(name)
                .is_some_and(|it| !words.contains(&it.to_lowercase().as_str()))
            {
                self.error(name, "expected true or false");
            }
        }
        if let Some(mode) = self.value("ENVIRONMENT")
            && let Err(problem) = mode.parse::<Environment>()
        {
            self.error("ENVIRONMENT", problem);
        }
    }

    /// Who gets in.
    fn doors(&mut self) {
        match self.value("DASHBOARD_AUTH_TOKEN").map(str::len) {
            None => self.grave(
                "DASHBOARD_AUTH_TOKEN",
                "is not set; without it, or a token made by `caio token create`, the service starts on no other address than this machine's",
            ),
            Some(length) if length < SHORTEST_TOKEN => self.grave(
                "DASHBOARD_AUTH_TOKEN",
                format!("has {length} characters; {SHORTEST_TOKEN} or more are not guessed"),
            ),
            Some(_) => {}
        }
        let is = |value: Option<&str>, words: &[&str]| {
            value.is_some_and(|it| words.contains(&it.to_lowercase().as_str()))
        };
        if is(
            self.value("DASHBOARD_AUTH_STRICT"),
            &["0", "false", "no", "off"],
        ) {
            self.grave("DASHBOARD_AUTH_STRICT", "is off");
        }
        if is(
            self.value("DASHBOARD_QUERY_TOKEN_ENABLED"),
            &["1", "true", "yes", "on"],
        ) {
            self.add(
                "DASHBOARD_QUERY_TOKEN_ENABLED",
                Severity::Warning,
                "is on: tokens in addresses end up in logs and histories of others",
            );
        }
        let origins = self.value("CORS_ALLOWED_ORIGINS").unwrap_or("").to_owned();
        let origins = origins
            .split(',')
            .map(str::trim)
            .filter(|it| !it.is_empty());
        for origin in origins {
            if origin.contains('*') {
                self.error("CORS_ALLOWED_ORIGINS", "`*` lets any page read everything");
            } else if origin.contains("localhost") || origin.contains("127.0.0.1") {
                self.grave("CORS_ALLOWED_ORIGINS", "names this machine");
            } else if !origin.starts_with("https://") {
                self.grave("CORS_ALLOWED_ORIGINS", "holds an origin that is not https");
            }
        }
    }

    /// Where state is kept, and apart from what.
    fn state(&mut self) {
        let redis = self.value("REDIS_URL").map(str::to_owned);
        let wants = self.value("STATE_BACKEND").map(str::to_lowercase);
        if wants.as_deref() == Some("redis")
            && redis.is_none()
            && self.value("CAIO_STORE").is_none()
        {
            self.error("REDIS_URL", "is not set, and STATE_BACKEND says redis");
        }
        let store = self.value("CAIO_STORE").map(str::to_owned).or(redis);
        let Some(store) = store else {
            return self.grave(
                "REDIS_URL",
                "is not set: state is kept in a file, which has to be on a mounted volume",
            );
        };
        let name = if self.value("CAIO_STORE").is_some() {
            "CAIO_STORE"
        } else {
            "REDIS_URL"
        };
        let is_redis = store.starts_with("redis");
        if is_redis && (store.contains("localhost") || store.contains("127.0.0.1")) {
            self.grave(name, "points to localhost");
        } else if store.starts_with("redis://") {
            self.grave(name, "is not encrypted; expected rediss://");
        }
        if store.starts_with("memory:") {
            self.grave(name, "forgets everything when the process ends");
        }
        if is_redis && matches!(self.value("STATE_REDIS_PREFIX"), None | Some("caio")) {
            self.grave(
                "STATE_REDIS_PREFIX",
                "names no environment: staging and production on one Redis would share everything; expected such as caio-production",
            );
        }
        if is_redis && self.value("CAIO_ENVIRONMENT").is_none() {
            self.add(
                "CAIO_ENVIRONMENT",
                Severity::Warning,
                "is not set, so nothing notices a Redis of another environment",
            );
        }
        if is_redis && self.value("CAIO_SEAL_KEYS").is_none() {
            self.grave(
                "CAIO_SEAL_KEYS",
                "is not set: a key in a file is lost with the container, and every approval with it",
            );
        }
    }

    /// Whom messages go through, and what stops them.
    fn sending(&mut self) {
        let providers = ["GHL_API_KEY", "HEYREACH_API_KEY", "INSTANTLY_API_KEY"];
        let mut providers = providers.into_iter();
        if providers.all(|it| self.value(it).is_none()) {
            self.add(
                "INSTANTLY_API_KEY",
                Severity::Warning,
                "is not set, nor is another provider's key: nothing can be sent",
            );
        }
        for name in ["INSTANTLY_BASE_URL", "HEYREACH_BASE_URL", "GHL_BASE_URL"] {
            let Some(base) = self.value(name).map(str::to_owned) else {
                continue;
            };
            if base.contains("127.0.0.1") || base.contains("localhost") {
                self.grave(name, "points to this machine: a sandbox, not the provider");
            } else if !base.starts_with("https://") {
                self.error(name, "expected https://");
            }
        }
        for name in ["EMERGENCY_STOP", "KILL_SWITCH"] {
            let value = self.value(name).map(str::to_lowercase);
            if value.is_some_and(|it| !["false", "0", "no", "off"].contains(&it.as_str())) {
                self.add(name, Severity::Warning, "is set: nothing is sent");
            }
        }
        for (name, why) in WITHOUT_EFFECT {
            if self.value(name).is_some() {
                self.grave(name, why);
            }
        }
    }

    /// A name of ours that is written wrongly would silently mean the default.
    fn unknown(&mut self) {
        let ours: Vec<String> = self
            .values
            .keys()
            .filter(|name| name.starts_with("CAIO_") && variable(name).is_none())
            .filter(|name| !setting_variables().any(|(known, _)| known == **name))
            .cloned()
            .collect();
        for name in ours {
            self.grave(&name, "is read by nobody; `caio env list` shows what is");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        pairs.collect()
    }

    const SOUND: [(&str, &str); 8] = [
        ("ENVIRONMENT", "production"),
        ("DASHBOARD_AUTH_TOKEN", "0123456789abcdef0123456789abcdef"),
        ("CORS_ALLOWED_ORIGINS", "https://sales.example.com"),
        (
            "REDIS_URL",
            "rediss://default:secret@redis.example.com:6379",
        ),
        ("STATE_REDIS_PREFIX", "caio-production"),
        ("CAIO_ENVIRONMENT", "production"),
        (
            "CAIO_SEAL_KEYS",
            "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        ),
        ("INSTANTLY_API_KEY", "key"),
    ];

    #[test]
    fn a_sound_environment_has_no_mistakes() {
        assert_eq!(check(Environment::Production, &values(&SOUND)), []);
    }

    #[test]
    fn each_mistake_is_named_and_fails_production() {
        let cases = [
            ("DASHBOARD_AUTH_TOKEN", "short"),
            ("DASHBOARD_AUTH_TOKEN", ""),
            ("DASHBOARD_AUTH_STRICT", "false"),
            ("DASHBOARD_AUTH_STRICT", "maybe"),
            ("CORS_ALLOWED_ORIGINS", "*"),
            ("CORS_ALLOWED_ORIGINS", "http://sales.example.com"),
            ("CORS_ALLOWED_ORIGINS", "https://localhost:3000"),
            ("REDIS_URL", "redis://localhost:6379"),
            ("REDIS_URL", "redis://redis.example.com"),
            ("REDIS_URL", ""),
            ("STATE_REDIS_PREFIX", "caio"),
            ("CAIO_SEAL_KEYS", ""),
            ("INSTANTLY_API_KEY", "your_key_here"),
            ("INSTANTLY_BASE_URL", "http://127.0.0.1:8901/instantly"),
            ("GHL_BASE_URL", "http://ghl.example.com"),
            ("PORT", "web"),
            ("ENVIRONMENT", "prod"),
            ("CANARY_MODE", "true"),
            ("CAIO_STROE", "redis://x"),
        ];
        for (name, value) in cases {
            let mut all = values(&SOUND);
            all.insert(name.to_owned(), value.to_owned());
            let found = check(Environment::Production, &all);
            let named: Vec<&Mistake> = found.iter().filter(|it| it.variable == name).collect();
            assert!(
                named.iter().any(|it| it.severity == Severity::Error),
                "{name}={value}: {found:?}"
            );
            assert!(
                found
                    .iter()
                    .all(|it| value.is_empty() || value.len() < 6 || !it.problem.contains(value))
            );
        }
    }

    #[test]
    fn development_may_lack_anything() {
        let found = check(Environment::Development, &BTreeMap::new());
        assert!(found.iter().all(|it| it.severity == Severity::Warning));
        assert!("prod".parse::<Environment>().is_err());
    }
}
