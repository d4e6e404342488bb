//! One way to call a provider: rate, time-outs, breaker, bounds, and what each answer means.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use caio_core::Clock;
use caio_core::breaker::BreakerPolicy;
use caio_core::escalation::Subject;
use caio_core::terms::Provider;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Breakers;
use crate::notify::Notes;

/// Some providers refuse callers that do not say who they are.
const USER_AGENT: &str = concat!("caio/", env!("CARGO_PKG_VERSION"));

/// Largest answer that is read, in bytes.
const LARGEST: usize = 4 << 20;

/// Calls that are certainly without effect are made again, so often in all.
const ATTEMPTS: u32 = 3;

/// Pause before the first repetition; it doubles.
const PAUSE: Duration = Duration::from_millis(500);

/// How a key is shown to the provider.
#[derive(Debug, Clone)]
pub enum Auth {
    /// `Authorization: Bearer …`.
    Bearer(SecretString),
    /// A header of its own.
    Header(&'static str, SecretString),
}

/// Chooses the cryptography of TLS for the whole process; every client needs that first.
pub fn init_crypto() {
    // Fails only when a provider was installed before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Where a provider is, and who calls.
#[derive(Debug, Clone)]
pub struct Endpoint {
    provider: Provider,
    base: Url,
    headers: HeaderMap,
    key: SecretString,
}

/// Why a provider cannot be called at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// The address is none, or not a safe one.
    #[error("{provider}: the base address has to be https, or http on this machine; got `{given}`")]
    Base {
        /// Who.
        provider: Provider,
        /// What was given, without credentials.
        given: String,
    },
    /// There is no key.
    #[error("{provider}: the API key is empty or holds characters that no key has")]
    Key {
        /// Who.
        provider: Provider,
    },
}

impl Endpoint {
    /// An endpoint below `base`.
    ///
    /// # Errors
    /// For an address that is not https outside of this machine, and a key that cannot be one.
    pub fn new(provider: Provider, base: &str, auth: Auth) -> Result<Self, EndpointError> {
        let refused = || EndpointError::Base {
            provider,
            given: base.split(['@', '?']).next_back().unwrap_or("").to_owned(),
        };
        let url = safe_url(base).ok_or_else(refused)?;
        let (name, text, key) = match auth {
            Auth::Bearer(key) => (
                "authorization",
                format!("Bearer {}", key.expose_secret()),
                key,
            ),
            Auth::Header(name, key) => (name, key.expose_secret().to_owned(), key),
        };
        let is_key = |key: &str| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
        let (name, value) = match (name.parse::<HeaderName>(), HeaderValue::from_str(&text)) {
            (Ok(name), Ok(mut value)) if is_key(key.expose_secret()) => {
                value.set_sensitive(true);
                (name, value)
            }
            _ => return Err(EndpointError::Key { provider }),
        };
        let headers = HeaderMap::from_iter([(name, value)]);
        Ok(Self {
            provider,
            base: url,
            headers,
            key,
        })
    }
}

/// Bounds of calls to one provider.
#[derive(Debug, Clone, Copy)]
pub struct HttpOptions {
    /// Calls a second; the provider allows more, other programs share it.
    pub per_second: NonZeroU32,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest wait for a whole answer.
    pub timeout: Duration,
    /// Longest pause that a provider may ask for.
    pub longest_pause: Duration,
    /// When calls are given up for a while.
    pub breaker: BreakerPolicy,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            per_second: NonZeroU32::MIN.saturating_add(3),
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
            longest_pause: Duration::from_secs(30),
            breaker: BreakerPolicy::default(),
        }
    }
}

/// How a call failed. Every reason names provider and call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// It certainly had no effect, and may be made again later.
    #[error("{0}")]
    NotSent(String),
    /// The provider refused it: no effect, and the same call would be refused again.
    #[error("{reason}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Why.
        reason: String,
    },
    /// It may have had its effect.
    #[error("{0}")]
    Unknown(String),
}

impl CallError {
    /// The provider has no such thing.
    pub const fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// Certainly without effect.
    pub const fn had_no_effect(&self) -> bool {
        !matches!(self, Self::Unknown(_))
    }
}

/// One call.
#[derive(Debug, Clone)]
pub(super) struct Call<'a> {
    /// Name in messages, such as `create campaign`.
    pub(super) name: &'static str,
    pub(super) method: Method,
    /// Path below the base address, with a leading slash.
    pub(super) path: &'a str,
    pub(super) query: &'a [(&'a str, &'a str)],
    /// Headers of this operation alone.
    pub(super) headers: &'a [(&'static str, &'static str)],
    pub(super) body: Option<&'a Value>,
    /// Making it twice is as good as once: reading, and setting a state.
    pub(super) repeatable: bool,
    /// Made although too many calls have failed: what stops something is always tried.
    pub(super) insists: bool,
}

impl<'a> Call<'a> {
    /// Reads.
    pub(super) const fn get(name: &'static str, path: &'a str) -> Self {
        Self {
            name,
            method: Method::GET,
            path,
            query: &[],
            headers: &[],
            body: None,
            repeatable: true,
            insists: false,
        }
    }

    /// Does something; not repeatable unless said so.
    pub(super) const fn post(name: &'static str, path: &'a str, body: Option<&'a Value>) -> Self {
        Self {
            name,
            method: Method::POST,
            path,
            query: &[],
            headers: &[],
            body,
            repeatable: false,
            insists: false,
        }
    }

    /// The same, where twice is as good as once.
    pub(super) fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// The same, whatever the breaker says.
    pub(super) fn insists(mut self) -> Self {
        self.insists = true;
        self
    }
}

/// Calls one provider.
pub struct Http {
    client: Client,
    endpoint: Endpoint,
    options: HttpOptions,
    rate: DefaultDirectRateLimiter,
    breakers: Breakers,
    notes: Arc<Notes>,
    clock: Arc<dyn Clock>,
}

/// What one attempt came to, and how long the provider asks to wait.
struct Attempt {
    answer: Result<Value, CallError>,
    pause: Option<Duration>,
    /// Worth another attempt though nothing is certain to have changed.
    again: bool,
}

impl Http {
    /// A client for `endpoint`.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(
        endpoint: Endpoint,
        options: HttpOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, CallError> {
        let client = client(
            endpoint.headers.clone(),
            options.connect_timeout,
            options.timeout,
        )
        .map_err(|error| CallError::NotSent(format!("{}: {error}", endpoint.provider)))?;
        Ok(Self {
            client,
            rate: RateLimiter::direct(Quota::per_second(options.per_second)),
            endpoint,
            options,
            breakers: Breakers::default(),
            notes: Arc::default(),
            clock,
        })
    }

    /// The time.
    pub(super) fn now(&self) -> jiff::Timestamp {
        self.clock.now()
    }

    /// The same, noting in `notes` when its breaker opens.
    #[must_use]
    pub fn noting(self, notes: Arc<Notes>) -> Self {
        Self { notes, ..self }
    }

    /// The same, with breakers that other clients know as well.
    #[must_use]
    pub fn breaking(self, breakers: Breakers) -> Self {
        Self { breakers, ..self }
    }

    /// Makes a call and reads its answer as `T`; one of another shape may have had its effect.
    pub(super) async fn ask<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, CallError> {
        let value = self.call(call).await?;
        let another = |what: String| {
            let what = format!("answered with another shape than expected: {what}");
            CallError::Unknown(self.say(call, &what))
        };
        // A list would be read as the members of an object, in their order.
        if !value.is_object() {
            return Err(another("no JSON object".to_owned()));
        }
        serde_json::from_value(value).map_err(|error| another(error.to_string()))
    }

    /// Makes a call. What certainly had no effect is made again, as is what may be repeated.
    pub(super) async fn call(&self, call: &Call<'_>) -> Result<Value, CallError> {
        let mut pause = PAUSE;
        for attempt in 1.. {
            if !call.insists {
                self.ask_breaker(call)?;
            }
            self.rate.until_ready().await;
            let Attempt {
                answer,
                pause: asked,
                again,
            } = self.attempt(call).await;
            let answered = !matches!(answer, Err(CallError::Unknown(_))) && !again;
            self.tell_breaker(answered);
            let repeat = again || (call.repeatable && matches!(answer, Err(CallError::Unknown(_))));
            if !repeat || attempt >= ATTEMPTS {
                return answer;
            }
            tokio::time::sleep(asked.unwrap_or(pause).min(self.options.longest_pause)).await;
            pause *= 2;
        }
        Err(CallError::NotSent(self.say(call, "was not made")))
    }

    async fn attempt(&self, call: &Call<'_>) -> Attempt {
        let url = format!("{}{}", self.endpoint.base, call.path);
        let mut request = self.client.request(call.method.clone(), url);
        if !call.query.is_empty() {
            request = request.query(call.query);
        }
        for (name, value) in call.headers {
            request = request.header(*name, *value);
        }
        // Without a body there is no content type either: Instantly refuses an empty JSON body.
        if let Some(body) = call.body {
            request = request.json(body);
        }
        let failed = |error: reqwest::Error| {
            let never_left = error.is_connect() || error.is_builder();
            let reason = self.say(call, &describe(error));
            Attempt {
                again: never_left,
                pause: None,
                answer: Err(if never_left {
                    CallError::NotSent(reason)
                } else {
                    CallError::Unknown(reason)
                }),
            }
        };
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return failed(error),
        };
        let status = response.status();
        let pause = retry_after(response.headers());
        let used_up = is_used_up(response.headers());
        let body = match read(response).await {
            Ok(body) => body,
            Err(_) if status.is_client_error() => Vec::new(),
            Err(reason) => {
                return Attempt {
                    answer: Err(CallError::Unknown(self.say(call, &reason))),
                    pause: None,
                    again: false,
                };
            }
        };
        let answer = self.judge(call, status, &body);
        Attempt {
            again: status == StatusCode::TOO_MANY_REQUESTS && !used_up,
            answer,
            pause,
        }
    }

    /// What a status and a body mean.
    fn judge(&self, call: &Call<'_>, status: StatusCode, body: &[u8]) -> Result<Value, CallError> {
        let said = |what: String| self.say(call, &what);
        if status.is_success() {
            if body.is_empty() {
                return Ok(Value::Null);
            }
            return serde_json::from_slice(body).map_err(|_| {
                CallError::Unknown(said(format!("answered {status} with what is no JSON")))
            });
        }
        let message = self.message(body);
        if status.is_server_error() {
            return Err(CallError::Unknown(said(format!(
                "answered {status}{message}"
            ))));
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            return Err(CallError::NotSent(said(
                "asks for fewer calls (429)".to_owned(),
            )));
        }
        let reason = if status.is_redirection() {
            format!("answered {status}: redirects are not followed, check the base address")
        } else {
            format!("refused it with {status}{message}")
        };
        Err(CallError::Refused {
            status: status.as_u16(),
            reason: said(reason),
        })
    }

    /// What a body says about a failure, cut short and without the key.
    fn message(&self, body: &[u8]) -> String {
        let value: Option<Value> = serde_json::from_slice(body).ok();
        let members = ["message", "errorMessage", "error", "errors"];
        let found = members
            .iter()
            .find_map(|name| value.as_ref()?.get(name))
            .map(|said| {
                said.as_str()
                    .map_or_else(|| said.to_string(), str::to_owned)
            });
        let Some(text) = found else {
            return String::new();
        };
        let text = text.replace(self.endpoint.key.expose_secret(), "***");
        let short: String = text.chars().take(300).collect();
        format!(": {short}")
    }

    /// A reason that names provider and call.
    pub(super) fn say(&self, call: &Call<'_>, what: &str) -> String {
        format!("{}, {}: {what}", self.endpoint.provider, call.name)
    }

    fn ask_breaker(&self, call: &Call<'_>) -> Result<(), CallError> {
        let (provider, now) = (self.endpoint.provider, self.clock.now());
        let asked = self.breakers.ask(provider, self.options.breaker, now);
        asked.map_err(|until| {
            let what = format!("not called before {until}: too many calls failed in a row");
            CallError::NotSent(self.say(call, &what))
        })
    }

    fn tell_breaker(&self, answered: bool) {
        let (provider, now) = (self.endpoint.provider, self.clock.now());
        let policy = self.options.breaker;
        if self.breakers.told(provider, policy, now, answered) {
            self.notes.note(Subject::BreakerOpened { provider });
        }
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Http")
            .field(&self.endpoint.base.as_str())
            .finish()
    }
}

impl fmt::Display for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.endpoint.provider, self.endpoint.base)
    }
}

/// An address that a key may travel to: https, or http on this machine; nothing but scheme, host, port
/// and path.
pub(crate) fn safe_url(text: &str) -> Option<Url> {
    let url = Url::parse(text.trim_end_matches('/')).ok()?;
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_here(&url));
    let is_bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    (is_safe && is_bare).then_some(url)
}

/// Whether an address is on this machine.
pub(crate) fn is_here(url: &Url) -> bool {
    matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"))
}

/// A client that names itself, ends in time, and follows no redirect: one would carry the key to
/// wherever it points.
pub(crate) fn client(
    headers: HeaderMap,
    connect_timeout: Duration,
    timeout: Duration,
) -> reqwest::Result<Client> {
    init_crypto();
    Client::builder()
        .user_agent(USER_AGENT)
        .default_headers(headers)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(connect_timeout)
        .timeout(timeout)
        .build()
}

/// The error and its causes; never the address, which may hold what was asked for.
pub(crate) fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// The pause that the provider asks for, in whole seconds.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// What the provider allows in a day is used up: waiting a little helps nobody.
fn is_used_up(headers: &HeaderMap) -> bool {
    let left = headers.get("x-ratelimit-daily-remaining");
    left.and_then(|left| left.to_str().ok()) == Some("0")
}

/// The whole answer, unless it is too long.
pub(crate) async fn read(mut response: reqwest::Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= LARGEST => {
                body.extend_from_slice(&chunk);
            }
            Ok(Some(_)) => return Err(format!("its answer is longer than {LARGEST} bytes")),
            Ok(None) => return Ok(body),
            Err(error) => return Err(format!("its answer ended early: {}", describe(error))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(base: &str, key: &str) -> Result<Endpoint, EndpointError> {
        Endpoint::new(Provider::Instantly, base, Auth::Bearer(key.into()))
    }

    #[test]
    fn a_key_travels_safely_or_not_at_all() {
        for base in [
            "https://api.example.com/api/v2",
            "http://127.0.0.1:8901/x/",
            "http://localhost:1",
        ] {
            assert!(endpoint(base, "key").is_ok(), "{base}");
        }
        for base in [
            "http://api.example.com",
            "ftp://127.0.0.1",
            "https://me:pw@api.example.com",
            "https://api.example.com?key=1",
            "",
        ] {
            let refused = endpoint(base, "key").unwrap_err();
            assert!(!refused.to_string().contains("pw"), "{refused}");
        }
        for key in ["", "a b", "a\nb", "ä"] {
            assert!(endpoint("https://api.example.com", key).is_err(), "{key:?}");
        }
        let shown = format!(
            "{:?}",
            endpoint("https://api.example.com", "hunter2").unwrap()
        );
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
