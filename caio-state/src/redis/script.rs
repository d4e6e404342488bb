//! One transaction as the keys and arguments of the script that applies it.

use std::collections::HashMap;

use redis::{Cmd, Script};

use super::names::Names;
use crate::key::Key;
use crate::stop;
use crate::txn::{Guard, Txn, Write};

const SOURCE: &str = include_str!("commit.lua");

/// Numbers that Lua holds exactly; what lies beyond is refused rather than rounded.
const EXACT: u64 = 1 << 53;

/// A century in milliseconds: a longer life is no expiry that anybody would see.
const LONGEST_MS: i128 = 100 * 366 * 24 * 3600 * 1000;

/// The script's text.
pub(super) const fn source() -> &'static str {
    SOURCE
}

/// The script, with its digest.
pub(super) fn script() -> Script {
    Script::new(SOURCE)
}

/// `EVALSHA` of one transaction.
pub(super) fn command(script: &Script, names: &Names, txn: &Txn, frame: Frame) -> Cmd {
    let mut call = Call::new(names, txn, frame);
    for guard in &txn.guards {
        call.guard(guard);
    }
    for write in &txn.writes {
        call.write(write);
    }
    let mut command = redis::cmd("EVALSHA");
    command.arg(script.get_hash()).arg(call.keys.len());
    for part in call.keys.iter().map(String::as_bytes) {
        command.arg(part);
    }
    for part in &call.arguments {
        command.arg(part.as_slice());
    }
    command
}

/// What is the same for all transactions that are sent together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    /// How long an outcome is kept, in milliseconds.
    pub(super) outcome_ms: u64,
    /// Highest sequence that was acknowledged.
    pub(super) seen: u64,
}

struct Call<'a> {
    names: &'a Names,
    keys: Vec<String>,
    positions: HashMap<String, usize>,
    arguments: Vec<Vec<u8>>,
}

impl<'a> Call<'a> {
    fn new(names: &'a Names, txn: &Txn, frame: Frame) -> Self {
        let keys = vec![
            names.outcome(&txn.id.0),
            names.documents(),
            names.sequence(),
        ];
        Self {
            names,
            positions: keys.iter().cloned().zip(1..).collect(),
            keys,
            arguments: [
                frame.outcome_ms.to_string(),
                txn.guards.len().to_string(),
                txn.writes.len().to_string(),
                frame.seen.to_string(),
            ]
            .map(String::into_bytes)
            .to_vec(),
        }
    }

    fn text(&mut self, text: impl Into<String>) {
        self.arguments.push(text.into().into_bytes());
    }

    /// Names a key once and says where it stands.
    fn key(&mut self, name: String) {
        let next = self.keys.len() + 1;
        let position = *self.positions.entry(name.clone()).or_insert(next);
        if position == next {
            self.keys.push(name);
        }
        self.text(position.to_string());
    }

    fn document(&mut self, key: &Key) {
        self.key(self.names.document(key));
    }

    fn lifetime(&mut self, ttl: Option<jiff::SignedDuration>) {
        let text = ttl.map_or(String::new(), |ttl| {
            ttl.as_millis().clamp(1, LONGEST_MS).to_string()
        });
        self.text(text);
    }

    fn guard(&mut self, guard: &Guard) {
        match guard {
            Guard::Absent(key) => {
                self.text("absent");
                self.document(key);
            }
            Guard::Present(key) => {
                self.text("present");
                self.document(key);
            }
            Guard::StopAbsent => {
                self.text("absent");
                self.document(&stop::key());
            }
            Guard::Unchanged(key, version) => {
                self.text("unchanged");
                self.document(key);
                self.text(version.0.clone());
            }
            Guard::Ceiling {
                counter,
                add,
                ceiling,
            } => {
                self.text("ceiling");
                self.key(self.names.counter(counter));
                self.text((*add).min(EXACT).to_string());
                self.text((*ceiling).min(EXACT - 1).to_string());
            }
            Guard::Fence { lease, fence } => {
                self.text("fence");
                self.document(lease);
                self.text(fence.to_string());
            }
        }
    }

    fn write(&mut self, write: &Write) {
        match write {
            Write::Add {
                counter,
                amount,
                expires_in,
            } => {
                self.text("add");
                self.key(self.names.counter(counter));
                self.text(amount.to_string());
                self.lifetime(*expires_in);
            }
            Write::Delete(key) => {
                self.text("delete");
                self.document(key);
                self.text(key.as_str());
            }
            Write::Index { index, order, key } => {
                self.text("index");
                self.key(self.names.index(index));
                self.key(self.names.places(index));
                self.text(key.as_str());
                self.text(order.as_str());
            }
            Write::Put {
                key,
                value,
                expires_in,
            } => {
                self.text("put");
                self.document(key);
                self.text(key.as_str());
                self.arguments.push(value.clone());
                self.lifetime(*expires_in);
            }
            Write::Unindex { index, key } => {
                self.text("unindex");
                self.key(self.names.index(index));
                self.key(self.names.places(index));
                self.text(key.as_str());
            }
        }
    }
}
