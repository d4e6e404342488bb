//! Rows become leads, off the async threads.

use std::sync::Arc;

use caio_core::Lead;
use caio_core::record::{FieldMap, Mapped, Record, Refusal};

use crate::error::{DispatchError, Result};
use crate::source::{Row, RowData, RowFault, RowReader};

/// A lead as its row gave it.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Line on which the row begins, 1-based.
    pub line: u64,
    /// Number of the row, 1-based.
    pub record: u64,
    /// The row's own text.
    pub raw: String,
    /// The facts.
    pub lead: Lead,
    /// What was odd about the row.
    pub remarks: Vec<String>,
    /// What the reviewer should know, such as `role_address`.
    pub flags: Vec<String>,
}

/// Part of a file.
pub(super) struct Chunk {
    /// To read on, unless the end was reached.
    pub(super) reader: Option<RowReader>,
    pub(super) candidates: Vec<Candidate>,
    pub(super) faults: Vec<RowFault>,
    /// Why reading ended before the end of the file.
    pub(super) broken: Option<String>,
}

/// Reads and maps up to `size` rows.
pub(super) async fn read_chunk(
    mut reader: RowReader,
    fields: Arc<FieldMap>,
    size: usize,
) -> Result<Chunk> {
    let task = tokio::task::spawn_blocking(move || {
        let mut chunk = Chunk {
            reader: None,
            candidates: Vec::new(),
            faults: Vec::new(),
            broken: None,
        };
        for _ in 0..size {
            match reader.next_row() {
                Ok(Some(Ok(row))) => match candidate(row, &fields) {
                    Ok(candidate) => chunk.candidates.push(candidate),
                    Err(fault) => chunk.faults.push(fault),
                },
                Ok(Some(Err(fault))) => chunk.faults.push(fault),
                Ok(None) => return chunk,
                Err(error) => {
                    chunk.broken = Some(error.to_string());
                    return chunk;
                }
            }
        }
        chunk.reader = Some(reader);
        chunk
    });
    task.await.map_err(|error| DispatchError::Refused {
        code: "source.task",
        reason: format!("reading ended early: {error}"),
    })
}

fn candidate(row: Row, fields: &FieldMap) -> Result<Candidate, RowFault> {
    let Row {
        line,
        record,
        raw,
        data,
    } = row;
    let mapped = match &data {
        RowData::Fields(values) => Record::from_fields(values).to_lead(fields),
        RowData::Object(object) => Record::from_object(object).to_lead(fields),
    };
    match mapped {
        Ok(Mapped {
            lead,
            remarks,
            flags,
        }) => Ok(Candidate {
            line,
            record,
            raw,
            lead,
            remarks,
            flags,
        }),
        Err(Refusal {
            field,
            reason,
            expected,
        }) => Err(RowFault {
            line,
            record,
            field,
            reason,
            expected,
            raw,
        }),
    }
}
