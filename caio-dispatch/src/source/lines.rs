//! Physical lines with their numbers, in memory bounded by one row.

use std::io::{self, BufRead};

use memchr::memchr;

/// Longest row handed on, in bytes.
pub const MAX_ROW_BYTES: usize = 1024 * 1024;

/// Reads lines ended by `terminator` (LF; CR where a text has no LF at all).
pub(super) struct Lines<R> {
    input: R,
    terminator: u8,
    line: u64,
}

/// What was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// A line of this number was appended, its ending included.
    Read(u64),
    /// A line of this number is longer than a row may be; it was skipped.
    TooLong(u64),
    /// There is no further line.
    End,
}

impl<R: BufRead> Lines<R> {
    /// Lines of `input`, the first of which has the number `line`.
    pub(super) const fn new(input: R, terminator: u8, line: u64) -> Self {
        Self {
            input,
            terminator,
            line,
        }
    }

    /// Appends the next line to `buffer`, up to [`MAX_ROW_BYTES`] in all.
    pub(super) fn append(&mut self, buffer: &mut Vec<u8>) -> io::Result<Line> {
        let begin = buffer.len();
        let mut too_long = false;
        loop {
            let available = match self.input.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let end = memchr(self.terminator, available);
            let used = end.map_or(available.len(), |end| end + 1);
            if used == 0 {
                if buffer.len() == begin && !too_long {
                    return Ok(Line::End);
                }
            } else {
                too_long |= buffer.len() + used > MAX_ROW_BYTES;
                if too_long {
                    buffer.truncate(begin);
                } else {
                    buffer.extend_from_slice(&available[..used]);
                }
                self.input.consume(used);
            }
            if end.is_some() || used == 0 {
                let line = self.line;
                self.line += 1;
                return Ok(if too_long {
                    Line::TooLong(line)
                } else {
                    Line::Read(line)
                });
            }
        }
    }
}

/// `line` without its ending.
pub(super) fn trim_ending(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
