//! The real application over a store in memory, for tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use caio_core::EmailKey;
use caio_core::access::Role;
use caio_core::draft::{Draft, DraftStatus, ModelRef};
use caio_core::identity::draft_id;
use caio_core::terms::{Medium, Motion, Step, Tier};
use caio_dispatch::access::Tokens;
use caio_dispatch::records;
use caio_state::{Access, StateStoreExt, Txn, TxnId};
use http_body_util::BodyExt;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::app::{App, Routes};
use super::{Options, Service};
use crate::args::Global;
use crate::printer::Printer;
use crate::wiring::Context;

/// The service and the application over it.
pub(crate) struct World {
    pub(crate) service: Arc<Service>,
    pub(crate) app: App,
    _home: tempfile::TempDir,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// With these variables in the environment.
    pub(crate) fn with(variables: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut environment: BTreeMap<String, String> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let folder = home.path().to_str().unwrap().to_owned();
        environment.insert("CAIO_HOME".to_owned(), folder);
        let global = Global {
            store: Some("memory:".to_owned()),
            by: Some("caio".to_owned()),
            quiet: true,
            ..Global::default()
        };
        let printer = Printer::new(&global, &environment);
        let context = Context::new(&global, environment, printer).unwrap();
        let store = context.open(Access::ReadWrite).unwrap();
        let service = Service::new(context, store, Options::default()).unwrap();
        let service = Arc::new(service);
        let app = Routes::all().and_then(|it| it.over(&service)).unwrap();
        Self {
            service,
            app,
            _home: home,
        }
    }

    /// A token of this role.
    pub(crate) async fn token(&self, name: &str, role: Role) -> String {
        let context = &self.service.context;
        let tokens = Tokens {
            store: &*self.service.store,
            clock: &*context.clock,
            ids: &*context.ids,
            by: "test",
        };
        let (_, secret) = tokens.create(name, role, None).await.unwrap();
        secret.expose_secret().to_owned()
    }

    /// Answers a request.
    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Reply {
            status,
            headers,
            body: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    pub(crate) async fn get(&self, token: &str, target: &str) -> Reply {
        let request = Request::get(target).header("X-Dashboard-Token", token);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// A POST of a JSON document.
    pub(crate) async fn post(&self, token: &str, target: &str, body: &Value) -> Reply {
        let request = Request::post(target).header("X-Dashboard-Token", token);
        let request = request.body(Body::from(body.to_string()));
        self.send(request.unwrap()).await
    }

    /// The same, expecting this status.
    pub(crate) async fn expect(
        &self,
        status: u16,
        token: &str,
        target: &str,
        body: &Value,
    ) -> Value {
        let reply = self.post(token, target, body).await;
        assert_eq!(reply.status.as_u16(), status, "POST {target}: {reply:?}");
        reply.json()
    }

    /// A GET that has to succeed.
    pub(crate) async fn read(&self, token: &str, target: &str) -> Value {
        let reply = self.get(token, target).await;
        assert_eq!(reply.status, StatusCode::OK, "GET {target}: {reply:?}");
        reply.json()
    }

    /// Queues a draft to this person.
    pub(crate) async fn draft(&self, email: &str, status: DraftStatus) -> String {
        let recipient = EmailKey::parse(email).unwrap();
        let draft = Draft {
            id: draft_id(&recipient, Medium::Email, Step::FIRST),
            status,
            to: email.to_owned(),
            name: "Kim Example".to_owned(),
            company: "Example Works".to_owned(),
            medium: Medium::Email,
            via: None,
            step: Step::FIRST,
            motion: Motion::Outbound,
            tier: Tier::One,
            score: 88,
            model: ModelRef {
                name: "m".to_owned(),
                digest: "d".repeat(64),
            },
            campaign: "c".to_owned(),
            subject: "Hello".to_owned(),
            body: "Hi Kim,\n\nshall we talk?\n\nReply STOP to opt out.".to_owned(),
            placeholder_sender: false,
            facts_digest: "f".repeat(64),
            source: "test".to_owned(),
            flags: Vec::new(),
            created_at: "2026-03-02T10:00:00.000000Z".to_owned(),
            decisions: Vec::new(),
            recipient,
        };
        let txn = Txn {
            id: TxnId(draft.id.clone()),
            guards: Vec::new(),
            writes: records::put_draft(&draft, None).unwrap(),
        };
        self.service.store.commit_surely(&txn).await.unwrap();
        draft.id
    }

    /// Everything in the store, as text.
    pub(crate) async fn dump(&self) -> String {
        self.service.store.dump().await.unwrap()
    }
}

/// No body.
pub(crate) fn nothing() -> Value {
    json!({})
}
