//! Where the rows of a batch come from, and one pass over them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::Cursor;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use caio_core::EmailKey;
use caio_core::icp::{Model, Scorer};
use caio_core::record::{FieldMap, Mapped, Record, Refusal, lead_of_json_held};
use caio_core::texts::Texts;
use caio_dispatch::source::{Format, Input, RowReader, RowRef, SourceError};
use pyo3::PyResult;
use sha2::{Digest, Sha256};

use super::output::{Held, Scored};
use crate::errors::Class;

/// Where rows stand. Nothing is kept of a file but its name: each pass reads it anew.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    /// A file, as it was when the batch was made.
    File {
        path: PathBuf,
        stamp: (u64, Option<SystemTime>),
    },
    /// Bytes in memory.
    Bytes(Arc<[u8]>),
    /// Leads in memory, each with its place.
    Leads(Kept),
}

/// Leads in memory.
pub(crate) type Kept = Arc<Vec<Result<Mapped, Refused>>>;

/// A row that is no lead.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    pub(crate) line: u64,
    pub(crate) field: String,
    pub(crate) reason: String,
    pub(crate) expected: String,
}

impl Refused {
    pub(crate) fn of(line: u64, refusal: &Refusal) -> Self {
        Self {
            line,
            field: refusal.field.clone(),
            reason: refusal.reason.clone(),
            expected: refusal.expected.clone(),
        }
    }

    fn no_object(line: u64) -> Self {
        Self {
            line,
            field: "row".to_owned(),
            reason: "not a JSON object".to_owned(),
            expected: "one object a line, such as {\"email\": \"kim@example.com\"}".to_owned(),
        }
    }
}

/// What the caller says the input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Csv,
    Json,
}

impl Origin {
    pub(crate) fn bytes(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }

    pub(crate) fn file(path: PathBuf) -> PyResult<Self> {
        let stamp = stamp(&path)?;
        Ok(Self::File { path, stamp })
    }

    /// A reader, or the leads themselves.
    fn reader(&self) -> PyResult<Result<RowReader, Kept>> {
        let input = match self {
            Self::Leads(leads) => return Ok(Err(Arc::clone(leads))),
            Self::Bytes(bytes) => {
                Input::Reader("bytes".to_owned(), Box::new(Cursor::new(Arc::clone(bytes))))
            }
            Self::File {
                path,
                stamp: at_first,
            } => {
                if stamp(path)? != *at_first {
                    let text = format!(
                        "{}: the file has changed since this batch was made; make the batch anew",
                        path.display()
                    );
                    return Err(Class::LeadSource.error("source.changed", text));
                }
                Input::Path(path.clone())
            }
        };
        RowReader::open(input).map(Ok).map_err(source_error)
    }
}

fn stamp(path: &PathBuf) -> PyResult<(u64, Option<SystemTime>)> {
    let found = std::fs::metadata(path).map_err(|error| {
        Class::LeadSource.error("source.read", format!("{}: {error}", path.display()))
    })?;
    Ok((found.len(), found.modified().ok()))
}

#[expect(clippy::needless_pass_by_value, reason = "it stands behind map_err")]
fn source_error(error: SourceError) -> pyo3::PyErr {
    let code = match &error {
        SourceError::Empty { .. } => "source.empty",
        SourceError::OnlyHeader { .. } => "source.only_header",
        SourceError::Broken { .. } => "source.broken",
        _ => "source.read",
    };
    Class::LeadSource.error(code, error.to_string())
}

/// One pass.
pub(crate) struct Rows {
    source: Source,
    fields: FieldMap,
    scorer: Option<Scorer<'static>>,
    reasons: Texts,
    /// Hash of each person seen, with the line; absent unless duplicates are left out.
    seen: Option<HashMap<[u8; 16], u64>>,
    pub(crate) refused: Vec<Refused>,
}

/// What is passed over.
enum Source {
    Reader(Box<RowReader>),
    /// The second number is how many were passed.
    Leads(Kept, usize),
}

impl Rows {
    pub(crate) fn open(
        origin: &Origin,
        wanted: Option<Wanted>,
        model: Option<&'static Model>,
        dedup: bool,
    ) -> PyResult<Self> {
        let mut fields = FieldMap::default();
        let source = match origin.reader()? {
            Err(leads) => Source::Leads(leads, 0),
            Ok(reader) => {
                let csv = matches!(reader.format(), Format::Csv { .. });
                let other = match (wanted, csv) {
                    (Some(Wanted::Csv), false) => Some("this is JSON; use LeadBatch.from_ndjson"),
                    (Some(Wanted::Json), true) => Some("this is no JSON; use LeadBatch.from_csv"),
                    _ => None,
                };
                if let Some(other) = other {
                    let text = format!("{}: {other}", reader.name());
                    return Err(Class::LeadSource.error("source.format", text));
                }
                if csv {
                    fields = FieldMap::of_columns(reader.headers(), &[]).map_err(|problem| {
                        let text = format!("{}: {problem}", reader.name());
                        Class::LeadSource.error("header.unusable", text)
                    })?;
                }
                Source::Reader(Box::new(reader))
            }
        };
        Ok(Self {
            source,
            fields,
            scorer: model.map(Scorer::new),
            reasons: Texts::default(),
            seen: dedup.then(HashMap::new),
            refused: Vec::new(),
        })
    }

    /// What `with` makes of the next lead; what is none goes to `refused`.
    pub(crate) fn next<T>(&mut self, with: impl FnOnce(&Scored<'_>) -> T) -> PyResult<Option<T>> {
        while let Some((line, row)) = self.source.step()? {
            let mapped = match row.and_then(|()| self.source.lead(line, &self.fields)) {
                Ok(mapped) => mapped,
                Err(refused) => {
                    self.refused.push(refused);
                    continue;
                }
            };
            if let Some(first) = seen_before(self.seen.as_mut(), &mapped.lead.key, line) {
                self.refused.push(Refused {
                    line,
                    field: "email".to_owned(),
                    reason: format!("the same person as in line {first}"),
                    expected: "one row a person".to_owned(),
                });
                continue;
            }
            let scored = Scored::by(self.scorer.as_mut(), &mapped, &mut self.reasons);
            return Ok(Some(with(&scored)));
        }
        Ok(None)
    }
}

/// The line of the same person before this one.
fn seen_before(
    seen: Option<&mut HashMap<[u8; 16], u64>>,
    key: &EmailKey,
    line: u64,
) -> Option<u64> {
    let seen = seen?;
    let digest = Sha256::digest(key.as_str());
    let mut short = [0; 16];
    short.copy_from_slice(&digest[..16]);
    match seen.entry(short) {
        Entry::Occupied(first) => Some(*first.get()),
        Entry::Vacant(place) => {
            place.insert(line);
            None
        }
    }
}

impl Source {
    /// Moves on to the next row: its line, and what is wrong with its frame.
    fn step(&mut self) -> PyResult<Option<(u64, Result<(), Refused>)>> {
        match self {
            Self::Leads(leads, passed) => {
                *passed += 1;
                Ok((*passed <= leads.len()).then_some((*passed as u64, Ok(()))))
            }
            Self::Reader(reader) => Ok(match reader.step().map_err(source_error)? {
                None => None,
                Some(Ok(())) => Some((reader.line(), Ok(()))),
                Some(Err(fault)) => Some((
                    fault.line,
                    Err(Refused {
                        line: fault.line,
                        field: fault.field,
                        reason: fault.reason,
                        expected: fault.expected,
                    }),
                )),
            }),
        }
    }

    /// The lead of the row that the last step came to.
    fn lead(&self, line: u64, fields: &FieldMap) -> Result<Held<'_>, Refused> {
        let found = match self {
            Self::Leads(leads, passed) => {
                let kept = leads.get(passed.saturating_sub(1)).cloned();
                return kept.map_or_else(
                    || Err(Refused::no_object(line)),
                    |kept| kept.map(|mapped| mapped.map(Cow::Owned)),
                );
            }
            Self::Reader(reader) => match reader.row() {
                RowRef::Json(text) => lead_of_json_held(text, fields),
                RowRef::Fields(row) => Record::from_columns(&row)
                    .to_lead(fields)
                    .map(|mapped| mapped.map(Cow::Owned))
                    .map_err(Some),
            },
        };
        found.map_err(|refusal| match refusal {
            Some(refusal) => Refused::of(line, &refusal),
            None => Refused::no_object(line),
        })
    }
}
