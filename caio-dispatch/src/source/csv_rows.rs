//! CSV records, in memory bounded by one record; a quote that is never closed costs its own line.

use std::collections::VecDeque;
use std::io::{self, BufRead};

use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};
use memchr::{memchr, memchr_iter};

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
    /// Kept: making one costs more than reading a record with it.
    splitter: Box<Reader>,
    /// What the splitter writes.
    fields: Vec<u8>,
    /// The fields, `gap` bytes between two of them; empty in a record that is not UTF-8.
    text: String,
    gap: usize,
    ends: Vec<usize>,
    /// The first byte that is not UTF-8, in the record.
    not_utf8: Option<usize>,
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
    pub(super) fn new(lines: Lines<R>, delimiter: u8) -> Self {
        Self {
            lines,
            backlog: VecDeque::new(),
            delimiter,
            raw: Vec::new(),
            splitter: Box::new(splitter(delimiter)),
            fields: Vec::new(),
            text: String::new(),
            gap: 0,
            ends: Vec::new(),
            not_utf8: None,
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

    /// One field of the record that was read last, unquoted; `""` in a record that is not UTF-8.
    #[inline]
    pub(super) fn field(&self, position: usize) -> &str {
        let begin = match position {
            0 => 0,
            _ => self.ends[position - 1] + self.gap,
        };
        self.text
            .get(begin..self.ends[position])
            .unwrap_or_default()
    }

    /// The first byte of the record that was read last that is not UTF-8.
    pub(super) const fn not_utf8(&self) -> Option<usize> {
        self.not_utf8
    }

    /// Reads the next record.
    pub(super) fn read(&mut self) -> io::Result<Record> {
        self.raw.clear();
        let first = match self.line()? {
            Line::Read(line) => line,
            Line::TooLong(line) => return Ok(Record::TooLong(line)),
            Line::End => return Ok(Record::End),
        };
        // Most records hold no quote: their fields stand as they are.
        if memchr(b'"', &self.raw).is_none() {
            self.split_plain();
            return Ok(Record::Read(first));
        }
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
        self.split_quoted();
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

    fn split_plain(&mut self) {
        let record = trim_ending(&self.raw);
        self.gap = 1;
        self.ends.clear();
        self.ends.extend(memchr_iter(self.delimiter, record));
        self.ends.push(record.len());
        self.count = self.ends.len();
        let text = std::str::from_utf8(record);
        self.not_utf8 = text.err().map(|error| error.valid_up_to());
        self.text.clear();
        self.text.push_str(text.unwrap_or_default());
    }

    fn split_quoted(&mut self) {
        let reader = &mut self.splitter;
        reader.reset();
        let record = trim_ending(&self.raw);
        self.not_utf8 = std::str::from_utf8(record)
            .err()
            .map(|error| error.valid_up_to());
        self.gap = 0;
        self.fields.resize(record.len() + 1, 0);
        self.ends.resize(record.len() + 1, 0);
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
        self.count = ended;
        self.text.clear();
        // Quotes and delimiters are ASCII: without them, text is text still.
        let fields = std::str::from_utf8(&self.fields[..written]);
        if self.not_utf8.is_none() {
            self.text.push_str(fields.unwrap_or_default());
        }
    }
}

/// A splitter of records whose line ending is gone.
fn splitter(delimiter: u8) -> Reader {
    ReaderBuilder::new()
        .delimiter(delimiter)
        .terminator(Terminator::Any(b'\n'))
        .build()
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
