//! Transactions as the keys and arguments of the script that applies them.

use std::borrow::Cow;
use std::collections::HashMap;

use jiff::SignedDuration;
use redis::{Cmd, Script};

use super::fault::Sent;
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

/// `EVALSHA` of transactions that are applied in one call, in this order.
pub(super) fn command<'a>(script: &Script, names: &'a Names, txns: &'a [Txn], frame: Frame) -> Cmd {
    let mut call = Call::new(names, txns);
    for txn in txns {
        call.transaction(txn);
    }
    call.finish(script, frame)
}

/// The sequence after a call, and what became of each of its transactions.
pub(super) fn answers(value: redis::Value) -> Result<(u64, Vec<String>), Sent> {
    let odd = || Sent::Maybe("the script answered something else than expected".to_owned());
    let redis::Value::Array(parts) = value else {
        return Err(odd());
    };
    let mut parts = parts.into_iter();
    let sequence = parts.next().and_then(|it| redis::from_redis_value(it).ok());
    let answers: Option<Vec<String>> = parts.map(|it| redis::from_redis_value(it).ok()).collect();
    sequence.zip(answers).ok_or_else(odd)
}

/// What is the same for all transactions that are sent together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    /// How long an outcome is kept, in milliseconds.
    pub(super) outcome_ms: u64,
    /// Highest sequence that was acknowledged.
    pub(super) seen: u64,
}

/// What a key stands for: the same name may be a document, a counter and an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Document,
    Counter,
    Index,
}

/// Keys, programs and values, as the head of the script describes them.
struct Call<'a> {
    names: &'a Names,
    keys: Vec<String>,
    /// Where each key stands, from 1.
    places: HashMap<(Kind, &'a str), u32>,
    absent: usize,
    counters: usize,
    programs: Vec<Vec<u8>>,
    values: Vec<Cow<'a, [u8]>>,
}

impl<'a> Call<'a> {
    /// With the keys that the script looks at together: outcomes, what has to be absent, counters.
    fn new(names: &'a Names, txns: &'a [Txn]) -> Self {
        let operations: usize = txns
            .iter()
            .map(|it| it.guards.len() + it.writes.len())
            .sum();
        let mut keys = Vec::with_capacity(2 + txns.len() + operations);
        keys.extend([names.documents(), names.sequence()]);
        keys.extend(txns.iter().map(|txn| names.outcome(&txn.id.0)));
        let mut call = Self {
            names,
            keys,
            places: HashMap::with_capacity(operations),
            absent: 0,
            counters: 0,
            programs: Vec::with_capacity(txns.len()),
            values: Vec::with_capacity(2 * operations),
        };
        let outcomes = call.keys.len();
        let guards = || txns.iter().flat_map(|txn| &txn.guards);
        for guard in guards() {
            match guard {
                Guard::Absent(key) => _ = call.place(Kind::Document, key.as_str()),
                Guard::StopAbsent => _ = call.place(Kind::Document, stop::KEY),
                _ => {}
            }
        }
        call.absent = call.keys.len() - outcomes;
        for guard in guards() {
            if let Guard::Ceiling { counter, .. } = guard {
                call.place(Kind::Counter, counter.as_str());
            }
        }
        call.counters = call.keys.len() - outcomes - call.absent;
        call
    }

    fn finish(self, script: &Script, frame: Frame) -> Cmd {
        let keys = self.keys.iter().map(String::len);
        let values = self.values.iter().map(|value| value.len());
        let programs = self.programs.iter().map(Vec::len);
        let size = keys.chain(values).chain(programs).sum::<usize>();
        let arguments = self.keys.len() + self.programs.len() + self.values.len();
        // The frame and the lengths are a little more.
        let mut command = Cmd::with_capacity(arguments + 9, size + 128);
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
            .arg(self.programs.len())
            .arg(self.absent)
            .arg(self.counters);
        for program in &self.programs {
            command.arg(program.as_slice());
        }
        for value in &self.values {
            command.arg(value.as_ref());
        }
        command
    }

    /// Where a key stands; at the end where it is new.
    fn place(&mut self, kind: Kind, name: &'a str) -> u32 {
        let next = u32::try_from(self.keys.len() + 1).unwrap_or(u32::MAX);
        *self.places.entry((kind, name)).or_insert_with(|| {
            match kind {
                Kind::Document => self.keys.push(self.names.document(name)),
                Kind::Counter => self.keys.push(self.names.counter(name)),
                Kind::Index => self
                    .keys
                    .extend([self.names.index(name), self.names.places(name)]),
            }
            next
        })
    }

    fn transaction(&mut self, txn: &'a Txn) {
        let operations = txn.guards.len() + txn.writes.len();
        let mut program = Vec::with_capacity(6 + 4 * operations);
        let before = self.values.len();
        program.extend([0; 3]);
        program.extend(three(txn.guards.len()));
        for guard in &txn.guards {
            let (letter, place) = self.guard(guard);
            operation(&mut program, letter, place);
        }
        for write in &txn.writes {
            let (letter, place) = self.write(write);
            operation(&mut program, letter, place);
        }
        program[..3].copy_from_slice(&three(self.values.len() - before));
        self.programs.push(program);
    }

    fn bytes(&mut self, bytes: &'a [u8]) {
        self.values.push(Cow::Borrowed(bytes));
    }

    fn number(&mut self, number: &impl ToString) {
        self.values
            .push(Cow::Owned(number.to_string().into_bytes()));
    }

    fn document(&mut self, key: &'a Key) -> u32 {
        self.place(Kind::Document, key.as_str())
    }

    fn lifetime(&mut self, ttl: SignedDuration) {
        self.number(&ttl.as_millis().clamp(1, LONGEST_MS));
    }

    fn guard(&mut self, guard: &'a Guard) -> (u8, u32) {
        match guard {
            Guard::Absent(key) => (b'a', self.document(key)),
            Guard::StopAbsent => (b'a', self.place(Kind::Document, stop::KEY)),
            Guard::Ceiling {
                counter,
                add,
                ceiling,
            } => {
                self.number(&(*add).min(EXACT));
                self.number(&(*ceiling).min(EXACT - 1));
                (b'c', self.place(Kind::Counter, counter.as_str()))
            }
            Guard::Fence { lease, fence } => {
                self.number(fence);
                (b'f', self.document(lease))
            }
            Guard::Present(key) => (b'p', self.document(key)),
            Guard::Unchanged(key, version) => {
                self.bytes(version.0.as_bytes());
                (b'u', self.document(key))
            }
        }
    }

    fn write(&mut self, write: &'a Write) -> (u8, u32) {
        match write {
            Write::Add {
                counter,
                amount,
                expires_in,
            } => {
                self.number(amount);
                let place = self.place(Kind::Counter, counter.as_str());
                match expires_in {
                    Some(ttl) => {
                        self.lifetime(*ttl);
                        (b'l', place)
                    }
                    None => (b'n', place),
                }
            }
            Write::Delete(key) => (b'd', self.document(key)),
            Write::Index { index, order, key } => {
                self.bytes(key.as_str().as_bytes());
                self.bytes(order.as_bytes());
                (b'i', self.place(Kind::Index, index))
            }
            Write::Put {
                key,
                value,
                expires_in,
            } => {
                self.bytes(value);
                match expires_in {
                    Some(ttl) => {
                        self.lifetime(*ttl);
                        (b'e', self.document(key))
                    }
                    None => (b'p', self.document(key)),
                }
            }
            Write::Unindex { index, key } => {
                self.bytes(key.as_str().as_bytes());
                (b'x', self.place(Kind::Index, index))
            }
        }
    }
}

fn operation(program: &mut Vec<u8>, letter: u8, place: u32) {
    let [_, high, middle, low] = place.to_be_bytes();
    program.extend([letter, high, middle, low]);
}

/// A number in three bytes. Redis takes no command with as many arguments as would not fit.
fn three(number: usize) -> [u8; 3] {
    let [.., high, middle, low] = number.to_be_bytes();
    [high, middle, low]
}
