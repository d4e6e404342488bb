//! `caio token`: who may use the service.

use caio_dispatch::access::{Token, Tokens};
use caio_state::{Access, StateStore};
use jiff::SignedDuration;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::args::TokenCommand;
use crate::exit::{Exit, Result};
use crate::wiring::Context;

pub(super) async fn run(context: &Context, command: TokenCommand) -> Result<Exit> {
    let printer = &context.printer;
    match command {
        TokenCommand::Create {
            name,
            role,
            expires,
        } => {
            let store = context.open(Access::ReadWrite)?;
            let lifetime = expires.map(|days| SignedDuration::from_hours(i64::from(days) * 24));
            let tokens = tokens(context, &*store)?;
            let (token, secret) = tokens.create(&name, role, lifetime).await?;
            if printer.is_json() {
                printer.json(&json!({ "token": shown(&token), "secret": secret.expose_secret() }));
            } else {
                printer.line(secret.expose_secret());
                printer.note(&format!(
                    "{} is {role}; the token is not shown again. End it with: caio token revoke {}",
                    token.name, token.id
                ));
            }
        }
        TokenCommand::List => {
            let store = context.open(Access::ReadOnly)?;
            let tokens = Tokens {
                store: &*store,
                clock: &*context.clock,
                ids: &*context.ids,
                by: "",
            }
            .list()
            .await?;
            let now = context.clock.now();
            if printer.is_json() {
                let tokens: Vec<_> = tokens.iter().map(shown).collect();
                printer.json(&json!({ "tokens": tokens }));
                return Ok(Exit::Done);
            }
            let rows = tokens.into_iter().map(|token| {
                let state = match &token.revoked_at {
                    Some(at) => format!("revoked {at}"),
                    None if token.is_valid(now) => "valid".to_owned(),
                    None => "expired".to_owned(),
                };
                vec![
                    token.id,
                    token.name,
                    token.role.to_string(),
                    state,
                    token.created_at,
                    token.created_by,
                ]
            });
            printer.table(&["token", "name", "role", "", "made", "by"], rows);
        }
        TokenCommand::Revoke { id } => {
            let store = context.open(Access::ReadWrite)?;
            let token = tokens(context, &*store)?.revoke(&id).await?;
            if printer.is_json() {
                printer.json(&json!({ "token": shown(&token) }));
            } else {
                printer.line(&format!("{} of {} opens nothing now", token.id, token.name));
            }
        }
    }
    Ok(Exit::Done)
}

/// Without its digest.
fn shown(token: &Token) -> serde_json::Value {
    let mut shown = json!(token);
    if let Some(members) = shown.as_object_mut() {
        members.remove("digest");
    }
    shown
}

fn tokens<'a>(context: &'a Context, store: &'a dyn StateStore) -> Result<Tokens<'a>> {
    Ok(Tokens {
        store,
        clock: &*context.clock,
        ids: &*context.ids,
        by: context.by()?,
    })
}
