//! Where the rows of a batch come from, and one pass over them.

use std::collections::HashMap;
use std::io::Cursor;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use caio_core::EmailKey;
use caio_core::icp::{Model, Scorer};
use caio_core::record::{FieldMap, Mapped, Record, Refusal, lead_of_json};
use caio_dispatch::source::{Format, Input, RowReader, RowRef, SourceError};
use pyo3::PyResult;
use sha2::{Digest, Sha256};

use super::output::Scored;
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

    fn reader(&self) -> PyResult<Option<RowReader>> {
        let input = match self {
            Self::Leads(_) => return Ok(None),
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
        RowReader::open(input).map(Some).map_err(source_error)
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
    reader: Option<RowReader>,
    leads: Option<(Kept, usize)>,
    fields: FieldMap,
    scorer: Option<Scorer<'static>>,
    /// Hash of each person seen, with the line; absent unless duplicates are left out.
    seen: Option<HashMap<[u8; 16], u64>>,
    pub(crate) refused: Vec<Refused>,
}

impl Rows {
    pub(crate) fn open(
        origin: &Origin,
        wanted: Option<Wanted>,
        model: Option<&'static Model>,
        dedup: bool,
    ) -> PyResult<Self> {
        let reader = origin.reader()?;
        let mut fields = FieldMap::default();
        if let Some(reader) = &reader {
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
        }
        let leads = match origin {
            Origin::Leads(leads) => Some((Arc::clone(leads), 0)),
            _ => None,
        };
        Ok(Self {
            reader,
            leads,
            fields,
            scorer: model.map(Scorer::new),
            seen: dedup.then(HashMap::new),
            refused: Vec::new(),
        })
    }

    /// The next lead; what is none goes to `refused`.
    pub(crate) fn next(&mut self) -> PyResult<Option<Scored>> {
        loop {
            let Some((line, found)) = self.read()? else {
                return Ok(None);
            };
            let mapped = match found {
                Ok(mapped) => mapped,
                Err(refused) => {
                    self.refused.push(refused);
                    continue;
                }
            };
            if let Some(first) = self.seen_before(&mapped.lead.key, line) {
                self.refused.push(Refused {
                    line,
                    field: "email".to_owned(),
                    reason: format!("the same person as in line {first}"),
                    expected: "one row a person".to_owned(),
                });
                continue;
            }
            return Ok(Some(match &mut self.scorer {
                Some(scorer) => Scored::by(scorer, mapped),
                None => Scored {
                    mapped,
                    score: None,
                },
            }));
        }
    }

    fn seen_before(&mut self, key: &EmailKey, line: u64) -> Option<u64> {
        let seen = self.seen.as_mut()?;
        let digest = Sha256::digest(key.as_str());
        let mut short = [0; 16];
        short.copy_from_slice(&digest[..16]);
        match seen.entry(short) {
            std::collections::hash_map::Entry::Occupied(first) => Some(*first.get()),
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(line);
                None
            }
        }
    }

    fn read(&mut self) -> PyResult<Option<(u64, Result<Mapped, Refused>)>> {
        if let Some((leads, at)) = &mut self.leads {
            let found = leads.get(*at).cloned();
            *at += 1;
            return Ok(found.map(|found| (*at as u64, found)));
        }
        let Some(reader) = &mut self.reader else {
            return Ok(None);
        };
        let found = match reader.advance().map_err(source_error)? {
            None => return Ok(None),
            Some(Err(fault)) => {
                return Ok(Some((
                    fault.line,
                    Err(Refused {
                        line: fault.line,
                        field: fault.field,
                        reason: fault.reason,
                        expected: fault.expected,
                    }),
                )));
            }
            Some(Ok(RowRef::Json(text))) => lead_of_json(text, &self.fields),
            Some(Ok(RowRef::Fields(row))) => Record::from_columns(&row)
                .to_lead(&self.fields)
                .map_err(Some),
        };
        let line = reader.line();
        Ok(Some((
            line,
            found.map_err(|refusal| match refusal {
                Some(refusal) => Refused::of(line, &refusal),
                None => Refused {
                    line,
                    field: "row".to_owned(),
                    reason: "not a JSON object".to_owned(),
                    expected: "one object a line, such as {\"email\": \"kim@example.com\"}"
                        .to_owned(),
                },
            }),
        )))
    }
}
