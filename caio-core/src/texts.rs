//! Several texts in one allocation: reasons and tags, of which every lead has a dozen.

use std::fmt::Write;

use serde::{Serialize, Serializer};
use smallvec::SmallVec;

/// Texts, one behind the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts {
    all: String,
    /// Where each one ends.
    ends: SmallVec<[usize; 8]>,
}

impl Texts {
    /// None yet, with room for so many bytes.
    pub fn with_room(bytes: usize) -> Self {
        Self {
            all: String::with_capacity(bytes),
            ends: SmallVec::new(),
        }
    }

    /// Adds the text that `write` appends; it may do nothing but append.
    pub fn add(&mut self, write: impl FnOnce(&mut String)) {
        write(&mut self.all);
        self.ends.push(self.all.len());
    }

    /// Adds one text, given in parts.
    pub fn push(&mut self, parts: &[&str]) {
        self.add(|out| {
            for part in parts {
                out.push_str(part);
            }
        });
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Forgets all of them and keeps their room.
    pub fn clear(&mut self) {
        self.all.clear();
        self.ends.clear();
    }

    /// All of them, with nothing in between.
    pub fn joined(&self) -> &str {
        &self.all
    }

    /// Each text.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        let mut begin = 0;
        self.ends.iter().map(move |end| {
            let text = self.all.get(begin..*end).unwrap_or_default();
            begin = *end;
            text
        })
    }
}

impl Serialize for Texts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// Appends a whole number.
pub(crate) fn push_number(out: &mut String, number: impl itoa::Integer) {
    out.push_str(itoa::Buffer::new().format(number));
}

/// Appends a text in quotes, as `{:?}` writes it.
pub(crate) fn push_quoted(out: &mut String, text: &str) {
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        // Writing to a `String` cannot fail.
        let _ = write!(out, "{text:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn texts_come_back_as_they_were_added(texts in prop::collection::vec("\\PC{0,8}", 0..12)) {
            let mut kept = Texts::default();
            for text in &texts {
                kept.push(&[text]);
            }
            prop_assert_eq!(kept.iter().collect::<Vec<_>>(), texts.clone());
            prop_assert_eq!(kept.iter().len(), texts.len());
            prop_assert_eq!(kept.joined(), texts.concat());
            prop_assert_eq!(serde_json::to_value(&kept).unwrap(), serde_json::json!(texts));
        }

        #[test]
        fn a_quoted_text_is_its_debug_form(text in any::<String>(), plain in "[ -~]{0,12}") {
            for text in [text, plain] {
                let mut out = String::new();
                push_quoted(&mut out, &text);
                prop_assert_eq!(out, format!("{text:?}"));
            }
        }
    }
}
