//! The smoke test of a running service: it asks as an honest caller and as a dishonest one, and a
//! check passes on exactly the answer that is right. A server that takes any token, answers the same
//! to everything, or leaves a door open fails, naming the check. Nothing is changed.

mod client;

use serde::Serialize;

use client::{Answer, Ask, Client};

/// What is tested, and what is expected of it.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// Address of the service, without a path.
    pub(crate) base_url: String,
    /// A token that may look at everything.
    pub(crate) token: secrecy::SecretString,
    /// Longest wait for an answer, seconds.
    pub(crate) timeout: u64,
    /// `?token=` is expected to work.
    pub(crate) query_token: bool,
    /// An origin that is allowed, if one is.
    pub(crate) origin: Option<String>,
}

/// What was found; the members are those of the old script.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    /// Address of the service.
    pub(crate) base_url: String,
    /// Every check passed.
    pub(crate) passed: bool,
    /// Each of them.
    pub(crate) checks: Vec<Check>,
}

/// One check.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Check {
    /// Its name.
    pub(crate) name: &'static str,
    /// HTTP method.
    pub(crate) method: &'static str,
    /// What was asked, with the token struck out.
    pub(crate) url: String,
    /// What came back.
    pub(crate) status: Option<u16>,
    /// Whether that is right.
    pub(crate) passed: bool,
    /// What would be.
    pub(crate) expectation: String,
    /// Why there was no answer.
    pub(crate) error: Option<String>,
}

const STATUS: &str = "/api/operator/status";
const TRIGGER: &str = "/api/operator/trigger";
const DEPENDENCIES: &str = "/api/runtime/dependencies";
const HISTORY: &str = "/api/history?limit=1";

/// Webhooks that only their provider may use. RB2B's is not among them: it always answers 200, as
/// anything else makes that provider disconnect; what it is sent without a key is kept apart.
const WEBHOOKS: [(&str, &str); 4] = [
    ("webhook_instantly_closed", "/webhooks/instantly/reply"),
    ("webhook_heyreach_closed", "/webhooks/heyreach"),
    ("webhook_clay_closed", "/webhooks/clay"),
    ("webhook_ghl_closed", "/webhooks/ghl"),
];

/// Runs every check.
///
/// # Errors
/// An address that cannot be one, or that would carry the token in the clear.
pub(crate) async fn run(target: &Target) -> Result<Report, String> {
    let client = Client::new(target)?;
    let before = client.send(&Ask::get(HISTORY).token(&target.token)).await;
    let mut checks = Vec::new();
    for (name, ask, expectation) in asks(target) {
        let answer = client.send(&ask).await;
        checks.push(check(&client, name, &ask, &answer, expectation));
    }
    let ask = Ask::get(HISTORY).token(&target.token);
    let after = client.send(&ask).await;
    let mut unchanged = check(&client, "no_state_changed", &ask, &after, Expect::Ok);
    unchanged.passed &= before.is_ok_json() && before.body == after.body;
    "200, and the newest event is the one from before the checks"
        .clone_into(&mut unchanged.expectation);
    checks.push(unchanged);
    Ok(Report {
        base_url: client.base().to_owned(),
        passed: checks.iter().all(|check| check.passed),
        checks,
    })
}

/// What counts as right.
#[derive(Debug, Clone, Copy)]
enum Expect {
    /// 200 with a JSON object.
    Ok,
    /// 200 with a JSON object whose `status` is this.
    OkStatus(&'static str),
    /// A preflight that is answered: 2xx, or a refusal that allows nothing.
    Preflight,
    /// A preflight that allows this caller's origin.
    PreflightAllowed,
    /// An answer that lets the named other page read nothing.
    NoOrigin,
    /// 401, and an id to look the request up by.
    Unauthorized,
    /// One of 400 and 401.
    RefusedHost,
    /// One of 401, 403 and 503.
    Closed,
    /// The same, or a socket that is closed at once because nobody is known.
    SocketClosed,
}

impl Expect {
    const fn words(self) -> &'static str {
        match self {
            Self::Ok => "200 with a JSON object",
            Self::OkStatus(_) => "200 with the status that it names",
            Self::Preflight => "an answer before access is asked: not 401, 404, 405 or 5xx",
            Self::PreflightAllowed => "2xx that allows the origin",
            Self::NoOrigin => "no header that lets another page read the answer",
            Self::Unauthorized => "401 with X-Correlation-ID",
            Self::RefusedHost => "400 or 401",
            Self::Closed => "401, 403 or 503",
            Self::SocketClosed => "401, 403 or 503, or a socket that is closed with 4401",
        }
    }

    fn holds(self, ask: &Ask, answer: &Answer) -> bool {
        let Some(status) = answer.status else {
            return false;
        };
        let allowed = answer.header("access-control-allow-origin");
        match self {
            Self::Ok => status == 200 && answer.is_ok_json(),
            Self::OkStatus(word) => {
                status == 200 && answer.json().is_some_and(|it| it["status"] == word)
            }
            Self::Preflight => (200..300).contains(&status) || (status == 400 && allowed.is_none()),
            Self::PreflightAllowed => {
                (200..300).contains(&status) && allowed.is_some() && allowed == ask.origin()
            }
            Self::NoOrigin => allowed.is_none(),
            Self::Unauthorized => status == 401 && answer.header("x-correlation-id").is_some(),
            Self::RefusedHost => matches!(status, 400 | 401),
            Self::Closed => matches!(status, 401 | 403 | 503),
            Self::SocketClosed => matches!(status, 401 | 403 | 503) || answer.closed == Some(4401),
        }
    }
}

/// The checks of the old script under their names, then what it left out.
fn asks(target: &Target) -> Vec<(&'static str, Ask, Expect)> {
    use Expect::{
        Closed, NoOrigin, Ok, OkStatus, Preflight, PreflightAllowed, RefusedHost, SocketClosed,
        Unauthorized,
    };
    let token = &target.token;
    let dry = r#"{"dry_run":true}"#;
    let (by_query, dependencies) = if target.query_token {
        (Ok, "runtime_dependencies_query_token")
    } else {
        (Unauthorized, "runtime_dependencies_header_token")
    };
    let ask_dependencies = if target.query_token {
        Ask::get(DEPENDENCIES).query(token)
    } else {
        Ask::get(DEPENDENCIES).token(token)
    };
    let evil = "https://caio-smoke.example.com";
    let mut asks = vec![
        ("protected_status_unauth", Ask::get(STATUS), Unauthorized),
        (
            "protected_trigger_unauth",
            Ask::post(TRIGGER, dry),
            Unauthorized,
        ),
        (
            "health_ready_unauth",
            Ask::get("/api/health/ready"),
            OkStatus("ready"),
        ),
        (
            "protected_status_query_token",
            Ask::get(STATUS).query(token),
            by_query,
        ),
        (
            "protected_status_header_token",
            Ask::get(STATUS).token(token),
            Ok,
        ),
        (dependencies, ask_dependencies, Ok),
        ("bearer_token", Ask::get(STATUS).bearer(token), Ok),
        (
            "wrong_token_refused",
            Ask::get(STATUS).header("x-dashboard-token", "caio-smoke-wrong"),
            Unauthorized,
        ),
        (
            "empty_token_refused",
            Ask::get(STATUS).header("x-dashboard-token", ""),
            Unauthorized,
        ),
        (
            "wrong_session_refused",
            Ask::get(STATUS).header("cookie", "__Host-caio_session=caio-smoke"),
            Unauthorized,
        ),
        (
            "unknown_route_unauth",
            Ask::get("/api/caio-smoke-unknown"),
            Unauthorized,
        ),
        ("liveness", Ask::get("/api/health/live"), OkStatus("alive")),
        (
            "host_with_a_path",
            Ask::get(STATUS).header("host", "x/api/health?"),
            RefusedHost,
        ),
        (
            "host_with_a_fragment",
            Ask::get(STATUS).header("host", "x#"),
            RefusedHost,
        ),
        (
            "preflight_answered",
            Ask::preflight(STATUS, evil),
            Preflight,
        ),
        (
            "other_origin_reads_nothing",
            Ask::get("/api/health/live").header("origin", evil),
            NoOrigin,
        ),
        (
            "websocket_closed",
            Ask::get("/ws").websocket(),
            SocketClosed,
        ),
    ];
    for (name, path) in WEBHOOKS {
        asks.push((name, Ask::post(path, "{}"), Closed));
    }
    if let Some(origin) = &target.origin {
        asks.push((
            "preflight_allows_the_origin",
            Ask::preflight(STATUS, origin),
            PreflightAllowed,
        ));
    }
    asks
}

fn check(client: &Client, name: &'static str, ask: &Ask, answer: &Answer, expect: Expect) -> Check {
    Check {
        name,
        method: ask.method(),
        url: client.shown(ask),
        status: answer.status,
        passed: expect.holds(ask, answer),
        expectation: expect.words().to_owned(),
        error: answer.error.clone(),
    }
}
