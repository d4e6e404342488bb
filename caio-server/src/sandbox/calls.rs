//! The log of calls: everything that was asked and answered, without keys.

use std::collections::VecDeque;

use serde_json::{Map, Value, json};

use super::wire::{Answer, Call};

/// Calls that are kept; the oldest go first.
const MAX_CALLS: usize = 10_000;
/// Bytes of bodies that are kept.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// Headers that are shown; the ones that carry a key are shown as three stars.
const SHOWN: [&str; 4] = ["accept", "content-type", "user-agent", "version"];
const SECRET: [&str; 2] = ["authorization", "x-api-key"];

#[derive(Debug, Default)]
pub(super) struct Calls {
    kept: VecDeque<(usize, Value)>,
    bytes: usize,
    seen: u64,
}

/// One call, as it is logged.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) at: String,
    pub(super) provider: &'static str,
    pub(super) operation: String,
    pub(super) call: &'a Call,
    /// The kind of the fault that fired.
    pub(super) fault: Option<&'static str>,
    /// `None`: the connection was closed instead.
    pub(super) answer: Option<&'a Answer>,
}

impl Calls {
    pub(super) fn push(&mut self, entry: &Entry<'_>) {
        let Entry { call, answer, .. } = entry;
        let response = answer.map(|answer| answer.body.as_str());
        let size = call.body.len() + response.map_or(0, str::len);
        let line = json!({
            "at": entry.at,
            "provider": entry.provider,
            "operation": entry.operation,
            "method": call.method.as_str(),
            "path": path(call),
            "query": call.query,
            "headers": headers(call),
            "request": body(&String::from_utf8_lossy(&call.body)),
            "fault": entry.fault,
            "status": answer.map(|answer| answer.status),
            "response": response.map(body),
        });
        self.keep(size, line);
    }

    /// Keeps an entry, under its number.
    pub(super) fn keep(&mut self, size: usize, mut line: Value) {
        self.seen += 1;
        line["number"] = json!(self.seen);
        self.bytes += size;
        self.kept.push_back((size, line));
        while self.kept.len() > MAX_CALLS || self.bytes > MAX_BYTES {
            let Some((size, _)) = self.kept.pop_front() else {
                break;
            };
            self.bytes -= size;
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The newest ones, newest first.
    pub(super) fn latest(&self, most: usize) -> Vec<&Value> {
        self.kept
            .iter()
            .rev()
            .take(most)
            .map(|(_, line)| line)
            .collect()
    }

    pub(super) fn shown(&self) -> Value {
        let calls: Vec<&Value> = self.kept.iter().map(|(_, line)| line).collect();
        json!({ "calls": calls, "seen": self.seen })
    }
}

/// A webhook's address is its key.
fn path(call: &Call) -> &str {
    match call.path.find("/services/") {
        Some(at) if call.path.starts_with("/slack/") => {
            call.path.get(..at + "/services".len()).unwrap_or_default()
        }
        _ => &call.path,
    }
}

fn headers(call: &Call) -> Map<String, Value> {
    let shown = SHOWN
        .iter()
        .filter(|name| call.headers.contains_key(**name));
    let shown = shown.map(|name| ((*name).to_owned(), json!(call.header(name))));
    let secret = SECRET
        .iter()
        .filter(|name| call.headers.contains_key(**name));
    shown
        .chain(secret.map(|name| ((*name).to_owned(), json!("***"))))
        .collect()
}

/// JSON as it is, anything else as text; `null` when there was none.
fn body(text: &str) -> Value {
    if text.is_empty() {
        return Value::Null;
    }
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}
