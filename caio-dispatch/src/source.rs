//! Where rows come from: a file or standard input, told by its content, read as a stream.
//!
//! CSV (comma, semicolon, tab, `sep=` line, quoted newlines), a JSON array, a JSON object with
//! `leads`, NDJSON; UTF-8, UTF-16 and Windows-1252. Memory is bounded by one row, whatever the
//! size of the file, and a faulty row costs itself alone.

mod csv_rows;
mod detect;
mod elements;
mod encoding;
mod error;
mod lines;

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;
use std::sync::Arc;

use caio_core::record::Columns;
use serde_json::{Map, Value};

pub use csv_rows::MAX_FIELD_BYTES;
pub use detect::Format;
pub use elements::{MAX_DEPTH, MAX_ELEMENT_BYTES};
pub use error::{RowFault, SourceError};
pub use lines::MAX_ROW_BYTES;

use csv_rows::{CsvRows, Record};
use elements::{ElementError, Elements};
use lines::{Line, Lines, trim_ending};

/// What to read.
pub enum Input {
    /// A file.
    Path(PathBuf),
    /// Anything else, with the name it has in messages.
    Reader(String, Box<dyn Read + Send>),
}

/// One row, owned.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Line on which it begins, 1-based.
    pub line: u64,
    /// Number, 1-based, without the header.
    pub record: u64,
    /// Its own text, for the refused file.
    pub raw: String,
    /// What it holds.
    pub data: RowData,
}

/// What a row holds.
#[derive(Debug, Clone, PartialEq)]
pub enum RowData {
    /// One text a column, in the order of [`RowReader::headers`].
    Fields(Vec<String>),
    /// An object.
    Object(Map<String, Value>),
}

/// One row, borrowed from the reader: for work that keeps nothing.
#[derive(Debug)]
pub enum RowRef<'a> {
    /// Fields; ask [`Fields::get`].
    Fields(Fields<'a>),
    /// The text of a JSON value, not parsed yet.
    Json(&'a str),
}

/// The fields of one CSV row.
pub struct Fields<'a> {
    rows: &'a CsvRows<Box<dyn BufRead + Send>>,
}

/// Reads the rows of one input.
pub struct RowReader {
    name: String,
    format: Format,
    encoding: &'static str,
    headers: Arc<[String]>,
    framing: Framing,
    line: u64,
    record: u64,
}

enum Framing {
    Csv(CsvRows<Box<dyn BufRead + Send>>),
    Elements(Elements<Box<dyn BufRead + Send>>, Vec<u8>),
    Ndjson(Lines<Box<dyn BufRead + Send>>, Vec<u8>),
}

/// Longest part of a row's text that is kept for the refused file, in characters.
const RAW: usize = 2_000;

impl RowReader {
    /// Opens `input` and finds out what it is.
    ///
    /// # Errors
    /// A missing or unreadable file, a folder, an empty file, a header without rows, and anything
    /// that is not text (workbooks, archives), each with what to do.
    pub fn open(input: Input) -> Result<Self, SourceError> {
        let (name, reader) = input.reader()?;
        let read = |source| SourceError::Read {
            name: name.clone(),
            source,
        };
        let (sample, reader) = peek(reader, encoding::SAMPLE).map_err(read)?;
        if sample.is_empty() {
            return Err(SourceError::Empty { name });
        }
        detect::refuse_binary(&name, &sample)?;
        let encoding = encoding::detect(&sample);
        let text = encoding::utf8(reader, encoding);
        let (sample, text) = peek(text, encoding::SAMPLE).map_err(read)?;
        detect::refuse_noise(&name, &sample)?;
        if sample.iter().all(u8::is_ascii_whitespace) {
            return Err(SourceError::Empty { name });
        }
        let format = detect::format(&sample);
        let framing = frame(format, &sample, text).map_err(read)?;
        let mut reader = Self {
            name,
            format,
            encoding: encoding.name(),
            headers: Arc::from([]),
            framing,
            line: 0,
            record: 0,
        };
        reader.read_headers()?;
        Ok(reader)
    }

    /// Name of the input in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How rows stand in it.
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Its encoding, such as `UTF-8` or `windows-1252`.
    pub const fn encoding(&self) -> &'static str {
        self.encoding
    }

    /// Column names as they stand in the header line, trimmed; empty for JSON.
    pub fn headers(&self) -> &[String] {
        &self.headers
    }

    /// The next row, borrowed; a faulty one is answered as a fault and reading goes on behind it.
    ///
    /// # Errors
    /// When nothing further can be read.
    pub fn advance(&mut self) -> Result<Option<Result<RowRef<'_>, RowFault>>, SourceError> {
        match self.step()? {
            None => Ok(None),
            Some(Err(fault)) => Ok(Some(Err(fault))),
            Some(Ok(())) => Ok(Some(Ok(self.row()))),
        }
    }

    /// The row that the last [`Self::step`] came to; without one, and after a fault, it says nothing.
    pub fn row(&self) -> RowRef<'_> {
        match &self.framing {
            Framing::Csv(rows) => RowRef::Fields(Fields { rows }),
            Framing::Elements(_, bytes) | Framing::Ndjson(_, bytes) => {
                // Checked by `step`.
                RowRef::Json(std::str::from_utf8(trim_ending(bytes)).unwrap_or_default())
            }
        }
    }

    /// The next row, owned and parsed.
    ///
    /// # Errors
    /// When nothing further can be read.
    pub fn next_row(&mut self) -> Result<Option<Result<Row, RowFault>>, SourceError> {
        let data = match self.advance()? {
            None => return Ok(None),
            Some(Err(fault)) => return Ok(Some(Err(fault))),
            Some(Ok(RowRef::Fields(fields))) => {
                Ok(RowData::Fields(fields.iter().map(str::to_owned).collect()))
            }
            Some(Ok(RowRef::Json(text))) => object(text),
        };
        Ok(Some(match data {
            Ok(data) => Ok(Row {
                line: self.line,
                record: self.record,
                raw: self.raw(),
                data,
            }),
            Err((reason, expected)) => Err(self.fault("row", &reason, expected)),
        }))
    }

    /// A fault of the row that was read last.
    pub fn fault(&self, field: &str, reason: &str, expected: &str) -> RowFault {
        RowFault {
            line: self.line,
            record: self.record,
            field: field.to_owned(),
            reason: reason.to_owned(),
            expected: expected.to_owned(),
            raw: self.raw(),
        }
    }

    /// Line on which the row that was read last begins.
    pub const fn line(&self) -> u64 {
        self.line
    }

    fn raw(&self) -> String {
        let bytes = match &self.framing {
            Framing::Csv(rows) => rows.raw(),
            Framing::Elements(_, bytes) | Framing::Ndjson(_, bytes) => trim_ending(bytes),
        };
        String::from_utf8_lossy(&bytes[..bytes.len().min(4 * RAW)])
            .chars()
            .take(RAW)
            .collect()
    }

    fn read_headers(&mut self) -> Result<(), SourceError> {
        let Framing::Csv(rows) = &mut self.framing else {
            return Ok(());
        };
        let read = |source| SourceError::Read {
            name: self.name.clone(),
            source,
        };
        let mut first = rows.read().map_err(read)?;
        if let Record::Read(_) = first
            && detect::separator_line(rows.raw()).is_some()
        {
            first = rows.read().map_err(read)?;
        }
        match first {
            Record::Read(_) => {
                let text = |position| rows.field(position).trim().to_owned();
                self.headers = (0..rows.len()).map(text).collect();
                Ok(())
            }
            Record::End => Err(SourceError::OnlyHeader {
                name: self.name.clone(),
            }),
            Record::TooLong(line) | Record::Unclosed(line) => Err(SourceError::Broken {
                name: self.name.clone(),
                line,
                offset: 0,
                expected: "a header line of column names with closed quotes".to_owned(),
            }),
        }
    }

    /// Moves on to the next row and checks its frame; [`Self::row`] is what it holds.
    ///
    /// # Errors
    /// When nothing further can be read.
    pub fn step(&mut self) -> Result<Option<Result<(), RowFault>>, SourceError> {
        match self.format {
            Format::Csv { .. } => self.step_csv(),
            Format::JsonArray | Format::JsonLeads => self.step_element(),
            Format::Ndjson => self.step_line(),
        }
    }

    fn step_csv(&mut self) -> Result<Option<Result<(), RowFault>>, SourceError> {
        loop {
            let Framing::Csv(rows) = &mut self.framing else {
                return Ok(None);
            };
            let read = rows.read().map_err(|source| SourceError::Read {
                name: self.name.clone(),
                source,
            })?;
            let wanted = self.headers.len();
            let problem = match read {
                Record::End => return Ok(None),
                Record::Read(line) => {
                    let blank = |at| rows.field(at).trim_ascii().is_empty();
                    if rows.not_utf8().is_none() && (0..rows.len()).all(blank) {
                        continue;
                    }
                    self.line = line;
                    frame_problem(rows, wanted)
                }
                Record::TooLong(line) => {
                    self.line = line;
                    Some(too_long())
                }
                Record::Unclosed(line) => {
                    self.line = line;
                    Some((
                        "a quote is opened in this line and never closed".to_owned(),
                        "a closing \" or the quote doubled".to_owned(),
                    ))
                }
            };
            self.record += 1;
            return Ok(Some(match problem {
                None => Ok(()),
                Some((reason, expected)) => Err(self.fault("row", &reason, &expected)),
            }));
        }
    }

    fn step_line(&mut self) -> Result<Option<Result<(), RowFault>>, SourceError> {
        loop {
            let Framing::Ndjson(lines, buffer) = &mut self.framing else {
                return Ok(None);
            };
            buffer.clear();
            let line = lines.append(buffer);
            let line = line.map_err(|source| SourceError::Read {
                name: self.name.clone(),
                source,
            })?;
            let problem = match line {
                Line::End => return Ok(None),
                Line::Read(line) => {
                    if buffer.iter().all(u8::is_ascii_whitespace) {
                        continue;
                    }
                    self.line = line;
                    utf8_problem(buffer)
                }
                Line::TooLong(line) => {
                    self.line = line;
                    Some(too_long())
                }
            };
            self.record += 1;
            return Ok(Some(match problem {
                None => Ok(()),
                Some((reason, expected)) => Err(self.fault("row", &reason, &expected)),
            }));
        }
    }

    fn step_element(&mut self) -> Result<Option<Result<(), RowFault>>, SourceError> {
        let Framing::Elements(elements, buffer) = &mut self.framing else {
            return Ok(None);
        };
        buffer.clear();
        let problem = match elements.read_next() {
            Ok(None) => return Ok(None),
            Ok(Some((line, bytes))) => {
                self.line = line;
                buffer.extend_from_slice(bytes.trim_ascii());
                utf8_problem(buffer)
            }
            Err(ElementError::TooLarge { line }) => {
                self.line = line;
                Some(too_long())
            }
            Err(ElementError::TooDeep { line }) => {
                self.line = line;
                Some((
                    format!("nested deeper than {MAX_DEPTH}"),
                    "an object with plain fields".to_owned(),
                ))
            }
            Err(ElementError::Broken {
                line,
                offset,
                expected,
            }) => {
                let name = self.name.clone();
                return Err(SourceError::Broken {
                    name,
                    line,
                    offset,
                    expected: expected.to_owned(),
                });
            }
            Err(ElementError::Io(source)) => {
                return Err(SourceError::Read {
                    name: self.name.clone(),
                    source,
                });
            }
        };
        self.record += 1;
        Ok(Some(match problem {
            None => Ok(()),
            Some((reason, expected)) => Err(self.fault("row", &reason, &expected)),
        }))
    }
}

impl Input {
    fn reader(self) -> Result<(String, Box<dyn BufRead + Send>), SourceError> {
        match self {
            Self::Reader(name, reader) => {
                Ok((name, Box::new(BufReader::with_capacity(BUFFER, reader))))
            }
            Self::Path(path) => {
                let name = path.display().to_string();
                if path.is_dir() {
                    return Err(SourceError::Folder { name });
                }
                match File::open(&path) {
                    Ok(file) => Ok((name, Box::new(BufReader::with_capacity(BUFFER, file)))),
                    Err(source) => Err(SourceError::Read { name, source }),
                }
            }
        }
    }
}

impl<'a> Fields<'a> {
    /// Number of fields: at least as many as there are headers.
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// There is none.
    pub const fn is_empty(&self) -> bool {
        self.rows.len() == 0
    }

    /// One field, unquoted; `""` behind the last one.
    pub fn get(&self, position: usize) -> &'a str {
        if position >= self.rows.len() {
            return "";
        }
        self.rows.field(position)
    }

    /// Every field.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> {
        let fields = Fields { rows: self.rows };
        (0..fields.len()).map(move |position| fields.get(position))
    }
}

impl Columns for Fields<'_> {
    fn text(&self, position: usize) -> Option<&str> {
        (position < self.rows.len()).then(|| self.rows.field(position))
    }
}

impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => f.debug_tuple("Path").field(path).finish(),
            Self::Reader(name, _) => f.debug_tuple("Reader").field(name).finish(),
        }
    }
}

impl fmt::Debug for RowReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowReader")
            .field("name", &self.name)
            .field("format", &self.format)
            .field("encoding", &self.encoding)
            .field("line", &self.line)
            .finish_non_exhaustive()
    }
}

const BUFFER: usize = 64 * 1024;

/// Up to `size` first bytes, and a reader that begins with them again.
fn peek(
    mut reader: Box<dyn BufRead + Send>,
    size: usize,
) -> io::Result<(Vec<u8>, Box<dyn BufRead + Send>)> {
    let mut sample = Vec::new();
    reader.by_ref().take(size as u64).read_to_end(&mut sample)?;
    let again = io::Cursor::new(sample.clone()).chain(reader);
    Ok((sample, Box::new(again)))
}

fn frame(format: Format, sample: &[u8], text: Box<dyn BufRead + Send>) -> io::Result<Framing> {
    let terminator = if sample.contains(&b'\n') {
        b'\n'
    } else {
        b'\r'
    };
    Ok(match format {
        Format::Csv { delimiter } => {
            Framing::Csv(CsvRows::new(Lines::new(text, terminator, 1), delimiter))
        }
        Format::Ndjson => Framing::Ndjson(Lines::new(text, b'\n', 1), Vec::new()),
        Format::JsonArray => Framing::Elements(Elements::new(text), Vec::new()),
        Format::JsonLeads => {
            let begin = detect::leads_member(sample).unwrap_or(0);
            let before = &sample[..begin];
            let line = before.split(|byte| *byte == b'\n').count() as u64;
            let mut text = text;
            io::copy(&mut text.by_ref().take(begin as u64), &mut io::sink())?;
            Framing::Elements(Elements::of_member(text, line, begin as u64), Vec::new())
        }
    })
}

/// What is wrong with the frame of a CSV record.
fn frame_problem<R: BufRead>(rows: &CsvRows<R>, wanted: usize) -> Option<(String, String)> {
    if let Some(valid) = rows.not_utf8() {
        return Some(not_utf8(valid));
    }
    let found = rows.len();
    // Spreadsheets leave empty columns behind the last one.
    let surplus = (wanted..found).any(|at| !rows.field(at).trim_ascii().is_empty());
    if found < wanted || surplus {
        let reason = format!("the row has {found} fields, the header {wanted}");
        return Some((
            reason,
            format!("{wanted} fields; a field with a delimiter in quotes"),
        ));
    }
    if rows.raw().len() <= MAX_FIELD_BYTES {
        return None;
    }
    let long = (0..found).find(|at| rows.field(*at).len() > MAX_FIELD_BYTES)?;
    let bytes = rows.field(long).len();
    Some((
        format!("field {} has {bytes} bytes", long + 1),
        format!("at most {MAX_FIELD_BYTES} bytes"),
    ))
}

fn utf8_problem(bytes: &[u8]) -> Option<(String, String)> {
    let error = std::str::from_utf8(bytes).err()?;
    Some(not_utf8(error.valid_up_to()))
}

fn not_utf8(valid: usize) -> (String, String) {
    (
        format!("byte {} of the row is not UTF-8", valid + 1),
        "one encoding in the whole file: save it as UTF-8".to_owned(),
    )
}

fn too_long() -> (String, String) {
    (
        "the row is too large".to_owned(),
        format!("at most {MAX_ROW_BYTES} bytes"),
    )
}

fn object(text: &str) -> Result<RowData, (String, &'static str)> {
    const EXPECTED: &str = "an object, such as {\"email\": \"name@example.com\"}";
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(object)) => Ok(RowData::Object(object)),
        Ok(other) => {
            let kind = match other {
                Value::Null => "null",
                Value::Bool(_) => "a truth value",
                Value::Number(_) => "a number",
                Value::String(_) => "a text",
                _ => "an array",
            };
            Err((format!("the row is {kind}"), EXPECTED))
        }
        Err(error) => Err((format!("the row is not valid JSON: {error}"), EXPECTED)),
    }
}

#[cfg(test)]
mod tests;
