//! CSV records, in memory bounded by one record; a quote that is never closed costs its own line.

use std::collections::VecDeque;
use std::io::{self, BufRead};

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use memchr::memchr;

use super::lines::{Line, Lines, MAX_ROW_BYTES, trim_ending};

/// Longest field handed on, in bytes.
pub const MAX_FIELD_BYTES: usize = 256 * 1024;

/// Reads records and splits them into fields.
pub(super) struct CsvRows<R> {
    lines: Lines<R>,
    /// Lines read ahead behind a quote that turned out not to be closed.
    backlog: VecDeque<(u64, Vec<u8>)>,
    delimiter: u8,
    raw: Vec<u8>,
    fields: Vec<u8>,
    ends: Vec<usize>,
    count: usize,
}

/// What was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Record {
    /// A record that begins on this line.
    Read(u64),
    /// A record that begins on this line is longer than a row may be; it was skipped.
    TooLong(u64),
    /// The quote that opens on this line is never closed; the lines behind it are read anew.
    Unclosed(u64),
    /// There is no further record.
    End,
}

impl<R: BufRead> CsvRows<R> {
    pub(super) const fn new(lines: Lines<R>, delimiter: u8) -> Self {
        Self {
            lines,
            backlog: VecDeque::new(),
            delimiter,
            raw: Vec::new(),
            fields: Vec::new(),
            ends: Vec::new(),
            count: 0,
        }
    }

    /// The bytes of the record that was read last, without its line ending.
    pub(super) fn raw(&self) -> &[u8] {
        trim_ending(&self.raw)
    }

    /// Number of fields of the record that was read last.
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// One field of the record that was read last, unquoted.
    pub(super) fn field(&self, position: usize) -> &[u8] {
        let begin = if position == 0 {
            0
        } else {
            self.ends[position - 1]
        };
        &self.fields[begin..self.ends[position]]
    }

    /// Reads the next record.
    pub(super) fn read(&mut self) -> io::Result<Record> {
        self.raw.clear();
        let first = match self.line()? {
            Line::Read(line) => line,
            Line::TooLong(line) => return Ok(Record::TooLong(line)),
            Line::End => return Ok(Record::End),
        };
        let mut quotes = Quotes::FieldStart;
        let mut scanned = 0;
        let mut ends = Vec::new();
        loop {
            quotes = quotes.after(&self.raw[scanned..], self.delimiter);
            scanned = self.raw.len();
            ends.push(scanned);
            if quotes != Quotes::Inside {
                break;
            }
            match self.line()? {
                Line::Read(_) => {}
                Line::End => return Ok(self.unclosed(first, &ends)),
                Line::TooLong(line) => {
                    let record = self.unclosed(first, &ends);
                    // The long line itself is gone; what stood before it is read anew.
                    self.backlog.push_back((line, Vec::new()));
                    return Ok(record);
                }
            }
        }
        self.split();
        Ok(Record::Read(first))
    }

    fn line(&mut self) -> io::Result<Line> {
        match self.backlog.pop_front() {
            Some((line, bytes)) if self.raw.len() + bytes.len() <= MAX_ROW_BYTES => {
                self.raw.extend_from_slice(&bytes);
                Ok(Line::Read(line))
            }
            Some((line, _)) => Ok(Line::TooLong(line)),
            None => self.lines.append(&mut self.raw),
        }
    }

    /// Keeps the first line as the faulty record and puts the others back.
    fn unclosed(&mut self, first: u64, ends: &[usize]) -> Record {
        let kept = ends.first().copied().unwrap_or(self.raw.len());
        let later: Vec<_> = (first + 1..).zip(ends.windows(2)).collect();
        for (line, pair) in later.into_iter().rev() {
            self.backlog
                .push_front((line, self.raw[pair[0]..pair[1]].to_vec()));
        }
        self.raw.truncate(kept);
        Record::Unclosed(first)
    }

    fn split(&mut self) {
        let mut reader: Reader = ReaderBuilder::new().delimiter(self.delimiter).build();
        let length = self.raw.len();
        self.fields.resize(length.max(1), 0);
        self.ends.resize(length + 1, 0);
        let record = trim_ending(&self.raw);
        let (mut read, mut written, mut ended) = (0, 0, 0);
        loop {
            let (result, used, put, found) = reader.read_record(
                &record[read..],
                &mut self.fields[written..],
                &mut self.ends[ended..],
            );
            read += used;
            written += put;
            ended += found;
            match result {
                // No field is longer than the record, and none of its bytes ends two fields.
                ReadRecordResult::InputEmpty if read < record.len() => {}
                ReadRecordResult::InputEmpty => {
                    let (_, _, put, found) = reader.read_record(
                        &[],
                        &mut self.fields[written..],
                        &mut self.ends[ended..],
                    );
                    written += put;
                    ended += found;
                    break;
                }
                _ => break,
            }
        }
        self.fields.truncate(written);
        self.count = ended;
    }
}

/// Where a scan stands between two bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quotes {
    FieldStart,
    Plain,
    Inside,
    /// Behind a quote inside: the end of the field, or the first half of an escaped quote.
    Closing,
}

impl Quotes {
    fn after(self, bytes: &[u8], delimiter: u8) -> Self {
        // Most lines hold no quote at all.
        if self == Self::FieldStart && memchr(b'"', bytes).is_none() {
            return Self::FieldStart;
        }
        bytes.iter().fold(self, |state, byte| match (state, *byte) {
            (Self::Inside, b'"') => Self::Closing,
            (Self::FieldStart | Self::Closing, b'"') | (Self::Inside, _) => Self::Inside,
            (_, byte) if byte == delimiter || byte == b'\n' => Self::FieldStart,
            // The ending of a CRLF line; a CR inside of a plain field changes nothing either.
            (state, b'\r') => state,
            _ => Self::Plain,
        })
    }
}
