//! One transaction as the keys and arguments of the script that applies it.

use std::borrow::Cow;

use jiff::SignedDuration;
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
    let mut call = Call::new(names, txn);
    for guard in &txn.guards {
        call.guard(guard);
    }
    for write in &txn.writes {
        call.write(write);
    }
    call.finish(script, frame)
}

/// What is the same for all transactions that are sent together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    /// How long an outcome is kept, in milliseconds.
    pub(super) outcome_ms: u64,
    /// Highest sequence that was acknowledged.
    pub(super) seen: u64,
}

/// Keys, letters and values, as the head of the script describes them.
struct Call<'a> {
    names: &'a Names,
    keys: Vec<String>,
    guards: String,
    writes: String,
    values: Vec<Cow<'a, [u8]>>,
}

impl<'a> Call<'a> {
    fn new(names: &'a Names, txn: &Txn) -> Self {
        let operations = txn.guards.len() + txn.writes.len();
        let mut keys = Vec::with_capacity(3 + 2 * operations);
        keys.extend([
            names.outcome(&txn.id.0),
            names.documents(),
            names.sequence(),
        ]);
        Self {
            names,
            keys,
            guards: String::with_capacity(txn.guards.len()),
            writes: String::with_capacity(txn.writes.len()),
            values: Vec::with_capacity(2 * operations),
        }
    }

    fn finish(self, script: &Script, frame: Frame) -> Cmd {
        let keys = self.keys.iter().map(String::len);
        let values = self.values.iter().map(|value| value.len());
        let size = keys.chain(values).sum::<usize>() + self.guards.len() + self.writes.len();
        // The frame and the lengths are a little more.
        let mut command = Cmd::with_capacity(self.keys.len() + self.values.len() + 8, size + 128);
        command
            .arg("EVALSHA")
            .arg(script.get_hash())
            .arg(self.keys.len());
        for key in &self.keys {
            command.arg(key.as_str());
        }
        command
            .arg(frame.outcome_ms)
            .arg(frame.seen)
            .arg(self.names.before_document())
            .arg(self.guards)
            .arg(self.writes);
        for value in &self.values {
            command.arg(value.as_ref());
        }
        command
    }

    fn bytes(&mut self, bytes: &'a [u8]) {
        self.values.push(Cow::Borrowed(bytes));
    }

    fn number(&mut self, number: &impl ToString) {
        self.values
            .push(Cow::Owned(number.to_string().into_bytes()));
    }

    fn document(&mut self, key: &Key) {
        self.keys.push(self.names.document(key));
    }

    fn counter(&mut self, key: &Key) {
        self.keys.push(self.names.counter(key));
    }

    fn index(&mut self, index: &str) {
        self.keys.push(self.names.index(index));
        self.keys.push(self.names.places(index));
    }

    fn lifetime(&mut self, ttl: SignedDuration) {
        self.number(&ttl.as_millis().clamp(1, LONGEST_MS));
    }

    fn guard(&mut self, guard: &'a Guard) {
        let letter = match guard {
            Guard::Absent(key) => {
                self.document(key);
                'a'
            }
            Guard::StopAbsent => {
                self.document(&stop::key());
                'a'
            }
            Guard::Ceiling {
                counter,
                add,
                ceiling,
            } => {
                self.counter(counter);
                self.number(&(*add).min(EXACT));
                self.number(&(*ceiling).min(EXACT - 1));
                'c'
            }
            Guard::Fence { lease, fence } => {
                self.document(lease);
                self.number(fence);
                'f'
            }
            Guard::Present(key) => {
                self.document(key);
                'p'
            }
            Guard::Unchanged(key, version) => {
                self.document(key);
                self.bytes(version.0.as_bytes());
                'u'
            }
        };
        self.guards.push(letter);
    }

    fn write(&mut self, write: &'a Write) {
        let letter = match write {
            Write::Add {
                counter,
                amount,
                expires_in,
            } => {
                self.counter(counter);
                self.number(amount);
                match expires_in {
                    Some(ttl) => {
                        self.lifetime(*ttl);
                        'l'
                    }
                    None => 'n',
                }
            }
            Write::Delete(key) => {
                self.document(key);
                'd'
            }
            Write::Index { index, order, key } => {
                self.index(index);
                self.bytes(key.as_str().as_bytes());
                self.bytes(order.as_bytes());
                'i'
            }
            Write::Put {
                key,
                value,
                expires_in,
            } => {
                self.document(key);
                self.bytes(value);
                match expires_in {
                    Some(ttl) => {
                        self.lifetime(*ttl);
                        'e'
                    }
                    None => 'p',
                }
            }
            Write::Unindex { index, key } => {
                self.index(index);
                self.bytes(key.as_str().as_bytes());
                'x'
            }
        };
        self.writes.push(letter);
    }
}
