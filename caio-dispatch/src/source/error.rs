//! What can be wrong with an input, with what was expected and what to do.

use std::io;

/// Why an input cannot be read, or cannot be read on. Rows before that place stay good.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The JSON is broken at a place behind which nothing can be told apart.
    #[error(
        "{name}: line {line}, byte {offset}: expected {expected}; the rows before it were read, \
         mend the JSON there and run again"
    )]
    Broken {
        /// Input.
        name: String,
        /// Line, 1-based.
        line: u64,
        /// Bytes before the fault, of the text as UTF-8.
        offset: u64,
        /// What the place should have held.
        expected: String,
    },
    /// There is nothing in it.
    #[error("{name}: the file is empty; expected CSV with a header line, JSON or NDJSON")]
    Empty {
        /// Input.
        name: String,
    },
    /// It is a folder.
    #[error("{name}: this is a folder; expected a file of leads, such as {name}/leads.csv")]
    Folder {
        /// Input.
        name: String,
    },
    /// It is something else than text.
    #[error("{name}: this is {kind}, not text; {remedy}")]
    NotText {
        /// Input.
        name: String,
        /// What it seems to be.
        kind: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// There is a header and no row.
    #[error("{name}: there is a header line and no row below it")]
    OnlyHeader {
        /// Input.
        name: String,
    },
    /// Reading failed.
    #[error("{name}: cannot be read: {source}")]
    Read {
        /// Input.
        name: String,
        /// Cause.
        source: io::Error,
    },
}

impl SourceError {
    /// Stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Broken { .. } => "source.json_broken",
            Self::Empty { .. } => "source.empty",
            Self::Folder { .. } => "source.folder",
            Self::NotText { .. } => "source.not_text",
            Self::OnlyHeader { .. } => "source.only_header",
            Self::Read { .. } => "source.read_failed",
        }
    }
}

/// Why one row cannot be used; the rows around it go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFault {
    /// Line on which the row begins, 1-based.
    pub line: u64,
    /// Number of the row, 1-based, without the header.
    pub record: u64,
    /// Field at fault, or `row`.
    pub field: String,
    /// What is wrong.
    pub reason: String,
    /// What was expected.
    pub expected: String,
    /// The row's own text, shortened.
    pub raw: String,
}
