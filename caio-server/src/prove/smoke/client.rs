//! Asks over HTTP, without following anything, and never shows the token.

use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Method, Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::io::AsyncReadExt;

use super::Target;

/// Longest answer that is read, bytes.
const LARGEST: usize = 1 << 20;

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    method: &'static str,
    path: &'static str,
    headers: Vec<(&'static str, SecretString)>,
    query: Option<SecretString>,
    body: Option<&'static str>,
}

impl Ask {
    pub(super) const fn get(path: &'static str) -> Self {
        Self {
            method: "GET",
            path,
            headers: Vec::new(),
            query: None,
            body: None,
        }
    }

    pub(super) fn post(path: &'static str, body: &'static str) -> Self {
        let mut ask = Self::get(path).header("content-type", "application/json");
        (ask.method, ask.body) = ("POST", Some(body));
        ask
    }

    pub(super) fn preflight(path: &'static str, origin: &str) -> Self {
        let mut ask = Self::get(path)
            .header("origin", origin)
            .header("access-control-request-method", "GET");
        ask.method = "OPTIONS";
        ask
    }

    pub(super) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn token(self, token: &SecretString) -> Self {
        self.header("x-dashboard-token", token.expose_secret())
    }

    pub(super) fn bearer(self, token: &SecretString) -> Self {
        self.header(
            "authorization",
            &format!("Bearer {}", token.expose_secret()),
        )
    }

    pub(super) fn query(mut self, token: &SecretString) -> Self {
        self.query = Some(token.clone());
        self
    }

    pub(super) fn websocket(self) -> Self {
        self.header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "Y2Fpby1zbW9rZS1jaGVjaw==")
    }

    pub(super) const fn method(&self) -> &'static str {
        self.method
    }

    pub(super) fn origin(&self) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(name, _)| *name == "origin")?;
        Some(found.1.expose_secret())
    }
}

/// What came back.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    pub(super) status: Option<u16>,
    pub(super) body: String,
    pub(super) error: Option<String>,
    /// Why a socket was closed as soon as it was open.
    pub(super) closed: Option<u16>,
    headers: HeaderMap,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body, where it is a JSON object.
    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.body)
            .ok()
            .filter(|value: &Value| value.is_object())
    }

    pub(super) fn is_ok_json(&self) -> bool {
        self.status == Some(200) && self.json().is_some()
    }
}

/// Asks one service.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
}

impl Client {
    pub(super) fn new(target: &Target) -> Result<Self, String> {
        let given = &target.base_url;
        let expected = || {
            format!(
                "`{given}` is no address of a service; expected https://HOST, or http on this machine"
            )
        };
        let base = Url::parse(given).map_err(|_| expected())?;
        let is_here = matches!(base.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        if !(base.scheme() == "https" || (base.scheme() == "http" && is_here)) {
            return Err(expected());
        }
        if base.path() != "/" || base.query().is_some() || !base.username().is_empty() {
            return Err(expected());
        }
        caio_dispatch::providers::init_crypto();
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(Duration::from_secs(target.timeout))
            .user_agent(concat!("caio-smoke/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { http, base })
    }

    pub(super) fn base(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// What is asked, without the token.
    pub(super) fn shown(&self, ask: &Ask) -> String {
        let query = if ask.query.is_some() {
            "?token=…"
        } else {
            ""
        };
        format!("{}{}{query}", self.base(), ask.path)
    }

    pub(super) async fn send(&self, ask: &Ask) -> Answer {
        match self.try_send(ask).await {
            Ok(answer) => answer,
            Err(error) => Answer {
                // The address may hold the token.
                error: Some(error.without_url().to_string()),
                ..Answer::default()
            },
        }
    }

    async fn try_send(&self, ask: &Ask) -> reqwest::Result<Answer> {
        let method = Method::from_bytes(ask.method.as_bytes()).unwrap_or(Method::GET);
        let address = format!("{}{}", self.base(), ask.path);
        let mut request = self.http.request(method, address);
        if let Some(token) = &ask.query {
            request = request.query(&[("token", token.expose_secret())]);
        }
        for (name, value) in &ask.headers {
            request = request.header(*name, value.expose_secret());
        }
        if let Some(body) = ask.body {
            request = request.body(body);
        }
        let mut response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        if status == 101 {
            return Ok(Answer {
                status: Some(status),
                closed: first_close(response.upgrade().await?).await,
                headers,
                ..Answer::default()
            });
        }
        let mut body = Vec::new();
        while body.len() <= LARGEST
            && let Some(chunk) = response.chunk().await?
        {
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status: Some(status),
            body: String::from_utf8_lossy(&body).into_owned(),
            error: None,
            closed: None,
            headers,
        })
    }
}

/// The code of the first frame of a socket, where that closes it.
async fn first_close(mut socket: reqwest::Upgraded) -> Option<u16> {
    let mut frame = [0; 4];
    let read = socket.read_exact(&mut frame);
    let read = tokio::time::timeout(Duration::from_secs(5), read).await;
    read.ok()?.ok()?;
    // A final frame that closes, unmasked, with at least a code.
    let [kind, length, high, low] = frame;
    (kind == 0x88 && length >= 2).then(|| u16::from_be_bytes([high, low]))
}
