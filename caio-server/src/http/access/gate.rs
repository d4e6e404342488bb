//! Who is let in: the token of the environment, stored tokens, sessions, and the printed link.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};

use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use caio_core::access::{Role, SecretDigest};
use caio_dispatch::access::{self, Entry, Holder, Session, Sessions};
use governor::clock::DefaultClock;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use super::Principal;
use super::credentials::{self, Credential};
use crate::exit::Result;
use crate::http::problem::Problem;
use crate::http::service::Service;
use crate::wiring::Context;

/// Wrong credentials that one address may show at once, and then in a minute.
const GUESSES: NonZeroU32 = NonZeroU32::new(10).expect("ten is not zero");

/// Addresses remembered before those that are quiet again are forgotten.
const MANY: usize = 10_000;

/// Name of whoever holds the token of the environment.
const ENVIRONMENT: &str = "env";

type Guesses = RateLimiter<IpAddr, HashMapStateStore<IpAddr>, DefaultClock>;

/// The token of the environment, and who comes in with it.
struct Environment {
    token: SecretDigest,
    principal: Arc<Principal>,
}

impl Environment {
    fn of(text: &str) -> Self {
        let token = SecretDigest::of(text);
        let digest = token.to_hex();
        let principal = Arc::new(Principal {
            name: ENVIRONMENT.to_owned(),
            role: Role::Admin,
            entry: Entry::by(Holder::Environment { digest }),
        });
        Self { token, principal }
    }
}

/// Who may come in.
pub(crate) struct Gate {
    environment: Option<Environment>,
    query: bool,
    /// Development is named, nobody else can reach the service, and there is no token.
    open: bool,
    proxies: usize,
    guesses: Guesses,
    link: Mutex<Option<SecretDigest>>,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("query", &self.query)
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}

impl Gate {
    pub(crate) fn new(context: &Context, address: Option<SocketAddr>) -> Result<Self> {
        let variable = |name: &str| context.environment.get(name).map(|it| it.trim());
        let token = variable("DASHBOARD_AUTH_TOKEN").filter(|it| !it.is_empty());
        let is_local = address.is_some_and(|it| it.ip().is_loopback());
        let development = variable("DASHBOARD_AUTH_STRICT")
            .is_some_and(|it| matches!(it.to_lowercase().as_str(), "0" | "false" | "no" | "off"));
        Ok(Self {
            environment: token.map(Environment::of),
            query: context.is_on("DASHBOARD_QUERY_TOKEN_ENABLED"),
            open: development && is_local && token.is_none(),
            proxies: context.number("CAIO_TRUSTED_PROXIES")?.unwrap_or(0),
            guesses: RateLimiter::hashmap(Quota::per_minute(GUESSES)),
            link: Mutex::new(None),
        })
    }

    /// Whether `DASHBOARD_AUTH_TOKEN` is set.
    pub(crate) const fn has_environment_token(&self) -> bool {
        self.environment.is_some()
    }

    /// Whether a token is taken from the query as well.
    pub(crate) const fn takes_query(&self) -> bool {
        self.query
    }

    /// Whether everybody on this machine comes in.
    pub(crate) const fn is_open(&self) -> bool {
        self.open
    }

    /// Lets one bearer of this secret log in, once.
    pub(crate) fn offer_link(&self, secret: &str) {
        if let Ok(mut link) = self.link.lock() {
            *link = Some(SecretDigest::of(secret));
        }
    }

    /// Uses the printed link up.
    pub(crate) fn take_link(&self, secret: &str) -> bool {
        let given = SecretDigest::of(secret);
        let Ok(mut link) = self.link.lock() else {
            return false;
        };
        let fits = link.as_ref().is_some_and(|link| link.matches(&given));
        if fits {
            *link = None;
        }
        fits
    }

    /// Who makes this request.
    pub(crate) async fn admit(
        &self,
        service: &Service,
        request: &Parts,
    ) -> Result<Arc<Principal>, Problem> {
        let headers = &request.headers;
        let found = match credentials::read(headers, &request.uri, self.query) {
            Credential::None if self.open && is_local_host(headers) => {
                let name = "development".to_owned();
                return Ok(Arc::new(Principal {
                    name,
                    role: Role::Admin,
                    entry: Entry::default(),
                }));
            }
            Credential::None => return Err(unauthorized("access.missing", "a token is needed")),
            Credential::Malformed => None,
            Credential::Session(text) => self.session(service, text).await?,
            Credential::Token(text) => self.token(service, &text).await?,
        };
        match found {
            Some(principal) => Ok(principal),
            None => Err(self.refuse(self.peer(request))),
        }
    }

    /// Who a token's text stands for.
    pub(crate) async fn token(
        &self,
        service: &Service,
        text: &str,
    ) -> Result<Option<Arc<Principal>>, Problem> {
        let given = SecretDigest::of(text);
        if let Some(environment) = &self.environment
            && environment.token.matches(&given)
        {
            return Ok(Some(Arc::clone(&environment.principal)));
        }
        let found = access::check(&*service.store, text, service.context.clock.now()).await?;
        Ok(found.map(|token| {
            Arc::new(Principal {
                name: token.name,
                role: token.role,
                entry: Entry::by(Holder::Token { id: token.id }),
            })
        }))
    }

    async fn session(
        &self,
        service: &Service,
        text: &str,
    ) -> Result<Option<Arc<Principal>>, Problem> {
        let sessions = Sessions {
            store: &*service.store,
            clock: &*service.context.clock,
            ids: &*service.context.ids,
        };
        let found = sessions.find(text).await?;
        let holds = |session: &Session| match &session.holder {
            Holder::Environment { digest } => self
                .environment
                .as_ref()
                .is_some_and(|it| it.token.to_hex() == *digest),
            Holder::Link | Holder::Token { .. } => true,
        };
        Ok(found.filter(holds).map(|session| {
            Arc::new(Principal {
                name: session.name,
                role: session.role,
                entry: Entry {
                    holder: Some(session.holder),
                    session: Some(SecretDigest::of(text).to_hex()),
                },
            })
        }))
    }

    /// The refusal of a wrong credential; those who guess are told to wait. A right one is never
    /// kept out, so that nobody can lock others out from behind one address.
    pub(crate) fn refuse(&self, peer: IpAddr) -> Problem {
        if self.guesses.len() > MANY {
            self.guesses.retain_recent();
        }
        match self.guesses.check_key(&peer) {
            Ok(()) => unauthorized("access.wrong", "the token or session is not valid"),
            Err(_) => Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "access.guessing",
                "too many wrong tokens from this address",
            )
            .retry_after(60),
        }
    }

    /// The caller's address: that of the connection, or the one that the outermost trusted proxy saw.
    pub(crate) fn peer(&self, request: &Parts) -> IpAddr {
        let direct = request.extensions.get::<ConnectInfo<SocketAddr>>();
        let direct = direct.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |it| it.0.ip());
        if self.proxies == 0 {
            return direct;
        }
        let forwarded = request.headers.get_all("x-forwarded-for").iter();
        let hops: Vec<IpAddr> = forwarded
            .filter_map(|it| it.to_str().ok())
            .flat_map(|it| it.split(','))
            .filter_map(|it| it.trim().parse().ok())
            .collect();
        let place = hops.len().checked_sub(self.proxies);
        place.and_then(|it| hops.get(it)).copied().unwrap_or(direct)
    }
}

fn unauthorized(code: &'static str, detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, code, detail)
        .hint("send it as `Authorization: Bearer …` or `X-Dashboard-Token`, or log in at /login")
}

/// Whether the caller asked for this machine by its own name: a page whose name was made to point
/// here says another one.
fn is_local_host(headers: &HeaderMap) -> bool {
    let host = headers.get("host").and_then(|it| it.to_str().ok());
    let name = host.map(|host| host.rsplit_once(':').map_or(host, |(name, _)| name));
    matches!(name, Some("localhost" | "127.0.0.1" | "[::1]"))
}
