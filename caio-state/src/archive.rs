//! A store as a file: one record a line, with a first line that says what it is and a last one that
//! says that it is whole.

use std::io::{BufRead, Write};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use caio_core::identity::hex;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Result, StoreError};
use crate::key::Key;
use crate::record::{PORTION, Record, Sink};

/// Version of the lines below.
const VERSION: u32 = 1;

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    /// The first one.
    CaioExport {
        /// Of these lines.
        version: u32,
        /// Where the records come from.
        store: String,
        /// When they were read.
        at: String,
    },
    Document {
        key: Key,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// A value that is no text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        base64: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires: Option<Timestamp>,
    },
    Counter {
        key: Key,
        value: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires: Option<Timestamp>,
    },
    Place {
        index: String,
        order: String,
        key: Key,
    },
    /// The last one.
    End {
        /// Records before it.
        records: u64,
        /// SHA-256 over the lines before it.
        sha256: String,
    },
}

impl From<Record> for Line {
    fn from(record: Record) -> Self {
        match record {
            Record::Counter {
                key,
                value,
                expires,
            } => Self::Counter {
                key,
                value,
                expires,
            },
            Record::Document {
                key,
                value,
                expires,
            } => {
                let (text, base64) = match String::from_utf8(value) {
                    Ok(text) => (Some(text), None),
                    Err(error) => (None, Some(STANDARD.encode(error.as_bytes()))),
                };
                Self::Document {
                    key,
                    text,
                    base64,
                    expires,
                }
            }
            Record::Place { index, order, key } => Self::Place { index, order, key },
        }
    }
}

/// Writes records into a file.
pub struct Writer<W> {
    out: W,
    hash: Sha256,
    records: u64,
}

impl<W> std::fmt::Debug for Writer<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("records", &self.records)
            .finish_non_exhaustive()
    }
}

impl<W: Write + Send> Writer<W> {
    /// Begins the file: `store` says where the records come from, `at` when they are read.
    pub fn new(out: W, store: &str, at: &str) -> Result<Self> {
        let mut writer = Self {
            out,
            hash: Sha256::new(),
            records: 0,
        };
        writer.line(&Line::CaioExport {
            version: VERSION,
            store: store.to_owned(),
            at: at.to_owned(),
        })?;
        Ok(writer)
    }

    /// Ends it; how many records it holds.
    pub fn finish(mut self) -> Result<u64> {
        let end = Line::End {
            records: self.records,
            sha256: hex(&self.hash.clone().finalize()),
        };
        self.line(&end)?;
        self.out.flush().map_err(failed)?;
        Ok(self.records)
    }

    fn line(&mut self, line: &Line) -> Result<()> {
        let mut text = serde_json::to_vec(line).map_err(|error| failed(error.into()))?;
        text.push(b'\n');
        self.hash.update(&text);
        self.out.write_all(&text).map_err(failed)
    }
}

#[async_trait]
impl<W: Write + Send> Sink for Writer<W> {
    async fn take(&mut self, records: Vec<Record>) -> Result<()> {
        for record in records {
            self.line(&record.into())?;
            self.records += 1;
        }
        Ok(())
    }
}

fn failed(error: std::io::Error) -> StoreError {
    StoreError::Unavailable {
        backend: "export",
        reason: error.to_string(),
        source: Some(Box::new(error)),
    }
}

/// Reads a file to its end and says how many records it holds; nothing may be taken from one that is
/// not whole.
///
/// # Errors
/// [`StoreError::Corrupt`] with the line and what was expected.
pub fn check(file: impl BufRead) -> Result<u64> {
    let mut lines = Lines::new(file);
    while lines.next_record()?.is_some() {}
    Ok(lines.records)
}

/// Gives the records of a file that [`check`] has found whole.
pub async fn read(file: impl BufRead + Send, sink: &mut dyn Sink) -> Result<()> {
    let mut lines = Lines::new(file);
    let mut portion = Vec::with_capacity(PORTION);
    while let Some(record) = lines.next_record()? {
        if portion.len() == PORTION {
            sink.take(std::mem::take(&mut portion)).await?;
        }
        portion.push(record);
    }
    if portion.is_empty() {
        return Ok(());
    }
    sink.take(portion).await
}

struct Lines<R> {
    file: R,
    number: u64,
    hash: Sha256,
    records: u64,
}

impl<R: BufRead> Lines<R> {
    fn new(file: R) -> Self {
        Self {
            file,
            number: 0,
            hash: Sha256::new(),
            records: 0,
        }
    }

    /// The next record; `None` behind the last line, which has to be the right one.
    fn next_record(&mut self) -> Result<Option<Record>> {
        loop {
            self.number += 1;
            let mut text = Vec::new();
            self.file.read_until(b'\n', &mut text).map_err(failed)?;
            if text.is_empty() {
                return Err(self.fault("the file ends here; its last line is missing"));
            }
            let line: Line =
                serde_json::from_slice(&text).map_err(|error| self.fault(error.to_string()))?;
            let before = hex(&self.hash.clone().finalize());
            self.hash.update(&text);
            if (self.number == 1) != matches!(line, Line::CaioExport { .. }) {
                return Err(self.fault("expected a file that `caio state export` has written"));
            }
            let record = match line {
                Line::CaioExport { version, .. } if version == VERSION => continue,
                Line::CaioExport { version, .. } => {
                    let fault = format!("its version is {version}; this one reads {VERSION}");
                    return Err(self.fault(fault));
                }
                Line::End { records, sha256 } => {
                    if records != self.records || sha256 != before {
                        return Err(self.fault("lines were lost or changed before this one"));
                    }
                    return Ok(None);
                }
                Line::Counter {
                    key,
                    value,
                    expires,
                } => Record::Counter {
                    key,
                    value,
                    expires,
                },
                Line::Document {
                    key,
                    text,
                    base64,
                    expires,
                } => {
                    let decoded = base64.map(|text| STANDARD.decode(text));
                    let value = match (text, decoded) {
                        (Some(text), None) => text.into_bytes(),
                        (None, Some(Ok(bytes))) => bytes,
                        _ => return Err(self.fault("expected `text` or `base64`")),
                    };
                    Record::Document {
                        key,
                        value,
                        expires,
                    }
                }
                Line::Place { index, order, key } => Record::Place { index, order, key },
            };
            self.records += 1;
            return Ok(Some(record));
        }
    }

    fn fault(&self, reason: impl Into<String>) -> StoreError {
        StoreError::Corrupt {
            backend: "import",
            key: format!("line {}", self.number),
            reason: reason.into(),
        }
    }
}
