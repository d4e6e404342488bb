//! A JSON array taken apart element by element, in memory bounded by one element.

use std::io::{self, BufRead};

use thiserror::Error;

/// Largest element handed on, in bytes.
pub const MAX_ELEMENT_BYTES: usize = 1024 * 1024;
/// Deepest nesting of objects and arrays inside one element.
pub const MAX_DEPTH: usize = 64;

/// Why an element, or the rest of the array, could not be read.
#[derive(Debug, Error)]
pub(super) enum ElementError {
    /// The element was skipped; reading goes on after it.
    #[error("line {line}: element is larger than {MAX_ELEMENT_BYTES} bytes; shorten it")]
    TooLarge {
        /// Line on which the element starts, 1-based.
        line: u64,
    },
    /// The element was skipped; reading goes on after it.
    #[error("line {line}: element is nested deeper than {MAX_DEPTH}; flatten it")]
    TooDeep {
        /// Line on which the element starts, 1-based.
        line: u64,
    },
    /// The array is broken here; elements before this place stay good.
    #[error("line {line}, byte {offset}: expected {expected}; mend the JSON there")]
    Broken {
        /// Line of the fault, 1-based.
        line: u64,
        /// Bytes before the fault, counted from the first byte read.
        offset: u64,
        /// What the place should have held.
        expected: &'static str,
    },
    /// The input could not be read.
    #[error("cannot read the input: {0}; check the file and run again")]
    Io(#[from] io::Error),
}

/// Splits one JSON array into the bytes of its elements. An element's own syntax is not judged
/// here: brackets are counted, strings are respected, and its parser has the last word.
#[derive(Debug)]
pub(super) struct Elements<R> {
    input: R,
    buffer: Vec<u8>,
    line: u64,
    offset: u64,
    place: Place,
    /// Something may follow the array: it is a member of an object.
    member: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Before,
    First,
    Between,
    Done,
}

impl<R: BufRead> Elements<R> {
    /// Reads from `input`, which starts at the array (white space before it is skipped).
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            buffer: Vec::new(),
            line: 1,
            offset: 0,
            place: Place::Before,
            member: false,
        }
    }

    /// Reads an array that begins on `line`, `offset` bytes into a text, as a member of an object:
    /// what follows it is not looked at.
    pub(super) fn of_member(input: R, line: u64, offset: u64) -> Self {
        Self {
            line,
            offset,
            member: true,
            ..Self::new(input)
        }
    }

    /// The next element's first line and bytes, or `None` after the array's end.
    /// After `Broken` or `Io` the reader is at its end.
    pub(super) fn read_next(&mut self) -> Result<Option<(u64, &[u8])>, ElementError> {
        let found = self.advance();
        if matches!(
            found,
            Err(ElementError::Broken { .. } | ElementError::Io(_))
        ) {
            self.place = Place::Done;
        }
        Ok(found?.map(|line| (line, self.buffer.as_slice())))
    }

    fn advance(&mut self) -> Result<Option<u64>, ElementError> {
        if self.place == Place::Done {
            return Ok(None);
        }
        if self.place == Place::Before {
            self.expect(b'[', "'['")?;
            self.place = Place::First;
        }
        let next = self.peek_solid()?;
        match (self.place, next) {
            (_, Some(b']')) => {
                self.bump();
                self.place = Place::Done;
                if self.member {
                    return Ok(None);
                }
                return match self.peek_solid()? {
                    None => Ok(None),
                    Some(_) => Err(self.broken("the end of the file")),
                };
            }
            (Place::Between, _) => self.expect(b',', "',' or ']'")?,
            _ => {}
        }
        self.place = Place::Between;
        match self.peek_solid()? {
            None | Some(b',' | b']' | b'}') => Err(self.broken("an element")),
            Some(_) => self.element().map(Some),
        }
    }

    fn element(&mut self) -> Result<u64, ElementError> {
        let line = self.line;
        let (mut depth, mut deepest, mut size) = (0_usize, 0_usize, 0_usize);
        let (mut quoted, mut escaped) = (false, false);
        self.buffer.clear();
        loop {
            let Some(byte) = self.peek()? else {
                return Err(self.broken("the rest of the element and ']'"));
            };
            if quoted {
                quoted = escaped || byte != b'"';
                escaped = !escaped && byte == b'\\';
            } else {
                match byte {
                    b'"' => quoted = true,
                    b'{' | b'[' => depth += 1,
                    b',' | b']' | b'}' if depth == 0 => break,
                    b']' | b'}' => depth -= 1,
                    _ => {}
                }
                deepest = deepest.max(depth);
            }
            size = size.saturating_add(1);
            if size <= MAX_ELEMENT_BYTES {
                self.buffer.push(byte);
            }
            self.bump();
            // A container ends with its last bracket: what follows has to be a comma or the end.
            if depth == 0 && !quoted && matches!(byte, b'}' | b']') {
                break;
            }
        }
        if size > MAX_ELEMENT_BYTES {
            return Err(ElementError::TooLarge { line });
        }
        if deepest > MAX_DEPTH {
            return Err(ElementError::TooDeep { line });
        }
        Ok(line)
    }

    fn expect(&mut self, wanted: u8, expected: &'static str) -> Result<(), ElementError> {
        if self.peek_solid()? == Some(wanted) {
            self.bump();
            return Ok(());
        }
        Err(self.broken(expected))
    }

    fn peek_solid(&mut self) -> io::Result<Option<u8>> {
        while let Some(byte) = self.peek()? {
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return Ok(Some(byte));
            }
            self.bump();
        }
        Ok(None)
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.input.fill_buf() {
                Ok(bytes) => return Ok(bytes.first().copied()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Steps over the byte that `peek` has just shown, which is still buffered.
    fn bump(&mut self) {
        let byte = self
            .input
            .fill_buf()
            .ok()
            .and_then(|bytes| bytes.first().copied());
        if let Some(byte) = byte {
            self.line += u64::from(byte == b'\n');
            self.offset += 1;
            self.input.consume(1);
        }
    }

    fn broken(&self, expected: &'static str) -> ElementError {
        ElementError::Broken {
            line: self.line,
            offset: self.offset,
            expected,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;

    use super::*;

    fn all(bytes: &[u8], step: usize) -> Vec<Result<(u64, String), &'static str>> {
        let mut elements = Elements::new(BufReader::with_capacity(step, bytes));
        let mut found = Vec::new();
        loop {
            match elements.read_next() {
                Ok(None) => return found,
                Ok(Some((line, raw))) => {
                    found.push(Ok((line, String::from_utf8_lossy(raw).into_owned())));
                }
                Err(error) => found.push(Err(match error {
                    ElementError::TooLarge { .. } => "source.element_too_large",
                    ElementError::TooDeep { .. } => "source.element_too_deep",
                    ElementError::Broken { .. } => "source.json_broken",
                    ElementError::Io(_) => "source.read_failed",
                })),
            }
        }
    }

    #[test]
    fn strings_may_hold_brackets_and_escapes() {
        let found = all(
            br#"[{"a":"]\"}"},
 null]"#,
            7,
        );
        assert_eq!(
            found,
            [Ok((1, r#"{"a":"]\"}"}"#.into())), Ok((2, "null".into()))]
        );
    }

    #[test]
    fn elements_before_a_break_are_kept() {
        let found = all(b"[{},\n{\"a\":", 3);
        assert_eq!(found, [Ok((1, "{}".into())), Err("source.json_broken")]);
        assert_eq!(
            all(b"[1,]", 3),
            [Ok((1, "1".into())), Err("source.json_broken")]
        );
    }

    #[test]
    fn a_deep_or_large_element_costs_only_itself() {
        let bomb = format!("[{}{},1]", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(
            all(bomb.as_bytes(), 64),
            [Err("source.element_too_deep"), Ok((1, "1".into()))]
        );
        let large = format!("[\"{}\",1]", "x".repeat(MAX_ELEMENT_BYTES));
        assert_eq!(
            all(large.as_bytes(), 64),
            [Err("source.element_too_large"), Ok((1, "1".into()))]
        );
    }

    proptest! {
        #[test]
        fn written_elements_read_back(texts in proptest::collection::vec(".*", 0..8), step in 1_usize..9) {
            let bytes = serde_json::to_vec(&texts).unwrap();
            let back: Vec<String> = all(&bytes, step).into_iter()
                .map(|element| serde_json::from_str(element.unwrap().1.trim_end()).unwrap())
                .collect();
            prop_assert_eq!(back, texts);
        }

        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..64), step in 1_usize..9) {
            prop_assert_eq!(all(&bytes, step), all(&bytes, 64));
        }
    }
}
