//! `LeadBatch`: a file of leads that is read as it is needed, so that memory does not grow with it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use caio_core::icp::Model;
use caio_core::record::FieldMap;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::json;
use super::output::{self, Scored};
use super::rows::{Origin, Refused, Rows, Wanted};
use super::{STRIDE, mapped, model_named, origin_of};
use crate::convert;
use crate::errors::{Class, check_signals, guarded};

/// Leads of a file, of bytes or of dicts.
///
/// `segment` and `dedup` answer a new batch and read nothing yet; `to_ndjson`, `to_csv`, `summary`,
/// `len` and iteration pass over the rows once, one row at a time. A file that has changed since
/// the batch was made is an error. A row that is no lead stands in `refused`.
#[pyclass(frozen, module = "caio_py")]
pub(crate) struct LeadBatch {
    origin: Origin,
    wanted: Option<Wanted>,
    model: Option<&'static Model>,
    dedup: bool,
    totals: Mutex<Option<Arc<Totals>>>,
}

/// What one whole pass found.
#[derive(Debug, Default)]
struct Totals {
    leads: usize,
    refused: Vec<Refused>,
    by_tier: BTreeMap<&'static str, usize>,
    disqualified: usize,
    needs_review: usize,
}

impl Totals {
    fn count(&mut self, scored: &Scored<'_>) {
        self.leads += 1;
        if let Some(score) = &scored.score {
            if let Some(tier) = score.tier() {
                *self.by_tier.entry(tier).or_default() += 1;
            }
            self.disqualified += usize::from(score.points.disqualified);
            self.needs_review += usize::from(score.points.needs_review);
        }
    }
}

impl LeadBatch {
    fn new(origin: Origin, wanted: Option<Wanted>) -> PyResult<Self> {
        let batch = Self {
            origin,
            wanted,
            model: None,
            dedup: false,
            totals: Mutex::new(None),
        };
        // What cannot be read at all is said now.
        batch.open()?;
        Ok(batch)
    }

    fn open(&self) -> PyResult<Rows> {
        Rows::open(&self.origin, self.wanted, self.model, self.dedup)
    }

    /// One pass without the interpreter; Ctrl-C ends it.
    fn pass(
        &self,
        py: Python<'_>,
        mut each: impl FnMut(&Scored<'_>) -> PyResult<()> + Send,
    ) -> PyResult<Arc<Totals>> {
        let totals = guarded(|| {
            py.detach(|| {
                let mut rows = self.open()?;
                let mut totals = Totals::default();
                while let Some(done) = rows.next(|scored| {
                    totals.count(scored);
                    each(scored)
                })? {
                    done?;
                    if totals.leads % STRIDE == 0 {
                        check_signals()?;
                    }
                }
                totals.refused = std::mem::take(&mut rows.refused);
                Ok(Arc::new(totals))
            })
        })?;
        *self.totals.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&totals));
        Ok(totals)
    }

    /// What the last pass found, or a new one.
    fn totals(&self, py: Python<'_>) -> PyResult<Arc<Totals>> {
        let known = self
            .totals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match known {
            Some(totals) => Ok(totals),
            None => self.pass(py, |_| Ok(())),
        }
    }

    fn with(&self, model: Option<&'static Model>, dedup: bool) -> Self {
        Self {
            origin: self.origin.clone(),
            wanted: self.wanted,
            model,
            dedup,
            totals: Mutex::new(None),
        }
    }
}

#[pymethods]
impl LeadBatch {
    /// The rows of a CSV file (comma, semicolon, tab; UTF-8, UTF-16, Windows-1252), told by content.
    ///
    /// Raises `LeadSourceError` for a file that cannot be read at all.
    #[staticmethod]
    fn from_csv(path: &Bound<'_, PyAny>) -> PyResult<Self> {
        guarded(|| Self::new(Origin::file(convert::path(path)?)?, Some(Wanted::Csv)))
    }

    /// The objects of an NDJSON file (or a JSON array, or an object with `leads`), or of bytes.
    ///
    /// Raises `LeadSourceError` for what cannot be read at all.
    #[staticmethod]
    fn from_ndjson(path_or_bytes: &Bound<'_, PyAny>) -> PyResult<Self> {
        guarded(|| Self::new(origin_of(path_or_bytes)?, Some(Wanted::Json)))
    }

    /// Dicts or dataclass instances; they are copied. `line` in `refused` is the place from 1.
    #[staticmethod]
    fn from_dicts(leads: &Bound<'_, PyAny>) -> PyResult<Self> {
        guarded(|| {
            let fields = FieldMap::default();
            let mut kept = Vec::new();
            for (position, lead) in leads.try_iter()?.enumerate() {
                if position % STRIDE == 0 {
                    leads.py().check_signals()?;
                }
                let line = position as u64 + 1;
                kept.push(mapped(&lead?, &fields)?.map_err(|refusal| Refused::of(line, &refusal)));
            }
            Self::new(Origin::Leads(Arc::new(kept)), None)
        })
    }

    /// The same leads, scored by a model: a name or the path of a TOML file.
    #[pyo3(signature = (model="default"))]
    fn segment(&self, model: &str) -> PyResult<Self> {
        Ok(self.with(Some(model_named(model)?), self.dedup))
    }

    /// The same leads, each person once: the first row stays, the others stand in `refused`.
    fn dedup(&self) -> Self {
        self.with(self.model, true)
    }

    /// Counts: `leads`, `refused`, and where a model scored `by_tier`, `disqualified`,
    /// `needs_review`, `model`, `model_digest`.
    fn summary<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let totals = self.totals(py)?;
        let dict = PyDict::new(py);
        dict.set_item("leads", totals.leads)?;
        dict.set_item("refused", totals.refused.len())?;
        if let Some(model) = self.model {
            dict.set_item("by_tier", totals.by_tier.clone())?;
            dict.set_item("disqualified", totals.disqualified)?;
            dict.set_item("needs_review", totals.needs_review)?;
            dict.set_item("model", model.name())?;
            dict.set_item("model_digest", model.digest())?;
        }
        Ok(dict)
    }

    /// Rows that are no leads: dicts with `line` (from 1), `field`, `reason`, `expected`.
    #[getter]
    fn refused<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for refused in &self.totals(py)?.refused {
            let dict = PyDict::new(py);
            dict.set_item("line", refused.line)?;
            dict.set_item("field", &refused.field)?;
            dict.set_item("reason", &refused.reason)?;
            dict.set_item("expected", &refused.expected)?;
            list.append(dict)?;
        }
        Ok(list)
    }

    /// Every lead as a dict, in order.
    fn to_dicts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for dict in self.__iter__()? {
            list.append(dict?)?;
        }
        Ok(list)
    }

    /// Writes one JSON object a line and answers how many. The file appears whole or not at all.
    fn to_ndjson(&self, py: Python<'_>, path: &Bound<'_, PyAny>) -> PyResult<usize> {
        let mut target = Target::create(convert::path(path)?)?;
        let totals = self.pass(py, |scored| {
            json::push(&mut target.waiting, scored);
            target.spill()
        })?;
        target.finish()?;
        Ok(totals.leads)
    }

    /// Writes CSV with a header and answers how many rows. The file appears whole or not at all.
    fn to_csv(&self, py: Python<'_>, path: &Bound<'_, PyAny>) -> PyResult<usize> {
        let mut target = Target::create(convert::path(path)?)?;
        let mut columns = output::LEAD_COLUMNS.to_vec();
        if self.model.is_some() {
            columns.extend(output::SCORE_COLUMNS);
        }
        let header: Vec<String> = columns.into_iter().map(str::to_owned).collect();
        target.write_row(&header)?;
        let totals = self.pass(py, |scored| target.write_row(&output::csv_row(scored)))?;
        target.finish()?;
        Ok(totals.leads)
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.totals(py)?.leads)
    }

    fn __iter__(&self) -> PyResult<LeadIterator> {
        Ok(LeadIterator(Mutex::new(Some(guarded(|| self.open())?))))
    }

    fn __repr__(&self) -> String {
        let origin = match &self.origin {
            Origin::File { path, .. } => format!("{:?}", path.display().to_string()),
            Origin::Bytes(bytes) => format!("{} bytes", bytes.len()),
            Origin::Leads(leads) => format!("{} dicts", leads.len()),
        };
        let model = self
            .model
            .map_or(String::new(), |model| format!(", model={}", model.name()));
        format!("LeadBatch({origin}{model})")
    }
}

/// The leads of a batch, one after the other.
#[pyclass(frozen, module = "caio_py")]
pub(crate) struct LeadIterator(Mutex<Option<Rows>>);

impl LeadIterator {
    fn step<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let dict = guarded(|| {
            let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(open) = rows.as_mut() else {
                return Ok(None);
            };
            let dict = open.next(|scored| output::dict(py, scored, None));
            if !matches!(dict, Ok(Some(_))) {
                *rows = None;
            }
            dict
        })?;
        dict.transpose()
    }
}

#[pymethods]
impl LeadIterator {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        self.step(py)
    }
}

impl Iterator for LeadIterator {
    type Item = PyResult<Py<PyDict>>;

    fn next(&mut self) -> Option<Self::Item> {
        Python::attach(|py| {
            let checked = py.check_signals().and_then(|()| self.step(py));
            checked.map(|dict| dict.map(Bound::unbind)).transpose()
        })
    }
}

/// A file that takes its name only once it is whole.
struct Target {
    path: PathBuf,
    part: PathBuf,
    file: Option<File>,
    waiting: Vec<u8>,
}

impl Target {
    /// Bytes that are gathered before they are written.
    const SPILL: usize = 1 << 17;

    fn create(path: PathBuf) -> PyResult<Self> {
        let mut part: OsString = path.clone().into();
        part.push(format!(".{}.part", std::process::id()));
        let part = PathBuf::from(part);
        let file = File::create(&part).map_err(|error| failed(&part, &error))?;
        Ok(Self {
            path,
            part,
            file: Some(file),
            waiting: Vec::with_capacity(2 * Self::SPILL),
        })
    }

    fn spill(&mut self) -> PyResult<()> {
        if self.waiting.len() < Self::SPILL {
            return Ok(());
        }
        self.write()
    }

    fn write(&mut self) -> PyResult<()> {
        if let Some(file) = &mut self.file {
            file.write_all(&self.waiting)
                .map_err(|error| failed(&self.part, &error))?;
        }
        self.waiting.clear();
        Ok(())
    }

    fn write_row(&mut self, fields: &[String]) -> PyResult<()> {
        {
            let mut writer = csv::WriterBuilder::new()
                .buffer_capacity(512)
                .from_writer(&mut self.waiting);
            writer
                .write_record(fields)
                .and_then(|()| Ok(writer.flush()?))
                .map_err(convert::invalid)?;
        }
        self.spill()
    }

    fn finish(mut self) -> PyResult<()> {
        self.write()?;
        fs::rename(&self.part, &self.path).map_err(|error| failed(&self.path, &error))?;
        self.file = None;
        Ok(())
    }
}

impl Drop for Target {
    /// Leaves nothing behind where the work ended early.
    fn drop(&mut self) {
        if self.file.take().is_some() {
            let _ = fs::remove_file(&self.part);
        }
    }
}

fn failed(path: &Path, error: &std::io::Error) -> PyErr {
    Class::LeadSource.error("target.write", format!("{}: {error}", path.display()))
}
