//! Bytes to UTF-8, whatever spreadsheet program saved them.

use std::io::{self, BufRead, BufReader, Read};

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// Bytes looked at to tell the encoding; input without a file behind it is judged by these alone.
pub(super) const SAMPLE: usize = 256 * 1024;

/// The encoding of a text, from its first bytes.
///
/// A byte-order mark decides; without one, NUL bytes in every other place mean UTF-16, and bytes
/// that are not UTF-8 mean Windows-1252.
pub(super) fn detect(sample: &[u8]) -> &'static Encoding {
    if let Some((encoding, _)) = Encoding::for_bom(sample) {
        return encoding;
    }
    let head = &sample[..sample.len().min(512) & !1];
    let nul = |at: usize| {
        head.iter()
            .skip(at)
            .step_by(2)
            .filter(|byte| **byte == 0)
            .count()
    };
    let half = head.len() / 2;
    if half >= 2 && nul(1) * 10 >= half * 7 && nul(0) == 0 {
        return UTF_16LE;
    }
    if half >= 2 && nul(0) * 10 >= half * 7 && nul(1) == 0 {
        return UTF_16BE;
    }
    match std::str::from_utf8(sample) {
        Ok(_) => UTF_8,
        // A character cut at the end of the sample is no fault.
        Err(error) if error.error_len().is_none() => UTF_8,
        // Somebody mixed two encodings: rows that are not UTF-8 are refused one by one.
        Err(error) if sample[..error.valid_up_to()].iter().any(|byte| *byte > 127) => UTF_8,
        Err(_) => WINDOWS_1252,
    }
}

/// A reader of UTF-8 without byte-order mark.
pub(super) fn utf8(
    input: Box<dyn BufRead + Send>,
    encoding: &'static Encoding,
) -> Box<dyn BufRead + Send> {
    if encoding == UTF_8 {
        return Box::new(WithoutMark {
            input,
            begun: false,
        });
    }
    let decoder = encoding.new_decoder_with_bom_removal();
    Box::new(BufReader::with_capacity(
        64 * 1024,
        Transcoded {
            input,
            decoder,
            ended: false,
        },
    ))
}

/// UTF-8 passes as it is, so that a row with bad bytes can be refused alone.
struct WithoutMark {
    input: Box<dyn BufRead + Send>,
    begun: bool,
}

impl Read for WithoutMark {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let length = available.len().min(buffer.len());
        buffer[..length].copy_from_slice(&available[..length]);
        self.consume(length);
        Ok(length)
    }
}

impl BufRead for WithoutMark {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if !self.begun {
            self.begun = true;
            if self.input.fill_buf()?.starts_with(b"\xEF\xBB\xBF") {
                self.input.consume(3);
            }
        }
        self.input.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.input.consume(amount);
    }
}

struct Transcoded {
    input: Box<dyn BufRead + Send>,
    decoder: Decoder,
    ended: bool,
}

impl Read for Transcoded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // The decoder needs room for one whole character.
        if buffer.len() < 4 || self.ended {
            return Ok(0);
        }
        loop {
            let available = self.input.fill_buf()?;
            let last = available.is_empty();
            let (result, read, written, _) = self.decoder.decode_to_utf8(available, buffer, last);
            self.input.consume(read);
            self.ended = last && result == CoderResult::InputEmpty;
            if written > 0 || self.ended {
                return Ok(written);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> String {
        let encoding = detect(bytes);
        let mut text = String::new();
        utf8(Box::new(io::Cursor::new(bytes.to_vec())), encoding)
            .read_to_string(&mut text)
            .unwrap();
        text
    }

    fn utf16(text: &str, bytes: impl Fn(u16) -> [u8; 2], mark: bool) -> Vec<u8> {
        let mark = if mark { "\u{feff}" } else { "" };
        format!("{mark}{text}")
            .encode_utf16()
            .flat_map(bytes)
            .collect()
    }

    #[test]
    fn every_encoding_that_excel_saves_reads_the_same() {
        let text = "Name;Email\nJürgen Straße;j@example.com\n";
        assert_eq!(read(text.as_bytes()), text);
        assert_eq!(read(format!("\u{feff}{text}").as_bytes()), text);
        for mark in [true, false] {
            assert_eq!(read(&utf16(text, u16::to_le_bytes, mark)), text);
            assert_eq!(read(&utf16(text, u16::to_be_bytes, mark)), text);
        }
        let (latin, _, _) = WINDOWS_1252.encode(text);
        assert_eq!(detect(&latin), WINDOWS_1252);
        assert_eq!(read(&latin), text);
    }

    #[test]
    fn one_bad_row_does_not_make_a_file_of_utf8_something_else() {
        let mut bytes = "a;ü\n".as_bytes().to_vec();
        bytes.extend(b"b;\xFC\n");
        assert_eq!(detect(&bytes), UTF_8);
    }
}
