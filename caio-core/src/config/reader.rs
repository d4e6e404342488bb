//! Reads a JSON object key by key: says what has the wrong type, and what nobody asked for.

use serde_json::{Map, Value};

use super::{ConfigError, UnknownKey, nearest};

/// What was found while reading.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) errors: Vec<ConfigError>,
    pub(super) unknown: Vec<UnknownKey>,
}

/// One object of the file. A missing section is an empty one.
#[derive(Debug)]
pub(super) struct Section<'v> {
    file: &'v str,
    path: String,
    members: Option<&'v Map<String, Value>>,
    asked: Vec<&'static str>,
}

impl<'v> Section<'v> {
    pub(super) fn root(file: &'v str, members: &'v Map<String, Value>) -> Self {
        Self {
            file,
            path: String::new(),
            members: Some(members),
            asked: Vec::new(),
        }
    }

    /// The object under `key`; empty when absent or of another type.
    pub(super) fn section(&mut self, key: &'static str, found: &mut Findings) -> Self {
        let members = self.take(key).and_then(|value| {
            let object = value.as_object();
            if object.is_none() {
                self.wrong(key, value, "an object", found);
            }
            object
        });
        Self {
            file: self.file,
            path: self.dotted(key),
            members,
            asked: Vec::new(),
        }
    }

    /// Whether the section stands in the file.
    pub(super) const fn is_present(&self) -> bool {
        self.members.is_some()
    }

    pub(super) fn flag(&mut self, key: &'static str, found: &mut Findings) -> Option<bool> {
        let value = self.take(key)?;
        let flag = value.as_bool();
        if flag.is_none() {
            self.wrong(key, value, "true or false", found);
        }
        flag
    }

    /// A whole number within `range`; another one is an error and counts as absent.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        range: std::ops::RangeInclusive<u32>,
        found: &mut Findings,
    ) -> Option<u32> {
        let value = self.take(key)?;
        let number = value
            .as_u64()
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| range.contains(number));
        if number.is_none() {
            let expected = if *range.end() == u32::MAX {
                format!("a whole number from {}", range.start())
            } else {
                format!("a whole number from {} to {}", range.start(), range.end())
            };
            self.wrong(key, value, &expected, found);
        }
        number
    }

    pub(super) fn text(&mut self, key: &'static str, found: &mut Findings) -> Option<String> {
        let value = self.take(key)?;
        let text = value.as_str().map(str::to_owned);
        if text.is_none() {
            self.wrong(key, value, "a text", found);
        }
        text
    }

    pub(super) fn texts(&mut self, key: &'static str, found: &mut Findings) -> Option<Vec<String>> {
        let value = self.take(key)?;
        let texts = value.as_array().and_then(|list| {
            list.iter()
                .map(|entry| entry.as_str().map(str::to_owned))
                .collect::<Option<Vec<_>>>()
        });
        if texts.is_none() {
            self.wrong(key, value, "a list of texts", found);
        }
        texts
    }

    /// One of the words that `T` reads.
    pub(super) fn term<T: std::str::FromStr>(
        &mut self,
        key: &'static str,
        expected: &str,
        found: &mut Findings,
    ) -> Option<T> {
        let value = self.take(key)?;
        let term = value.as_str().and_then(|text| text.parse().ok());
        if term.is_none() {
            self.wrong(key, value, expected, found);
        }
        term
    }

    /// Keys that are known here and read by nobody of ours.
    pub(super) fn ignore(&mut self, keys: &[&'static str]) {
        self.asked.extend(keys);
    }

    /// Warns about every key that was not asked for. `_comment` and the like are notes.
    pub(super) fn finish(self, found: &mut Findings) {
        for key in self.members.into_iter().flat_map(Map::keys) {
            if !self.asked.contains(&key.as_str()) && !key.starts_with('_') {
                found.unknown.push(UnknownKey {
                    key: self.dotted(key),
                    place: self.file.to_owned(),
                    nearest: nearest(key, &self.asked).map(|known| self.dotted(&known)),
                });
            }
        }
    }

    pub(super) fn take(&mut self, key: &'static str) -> Option<&'v Value> {
        self.asked.push(key);
        self.members?.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn wrong(&self, key: &str, value: &Value, expected: &str, found: &mut Findings) {
        let mut shown = value.to_string();
        if shown.chars().count() > 60 {
            shown = shown.chars().take(60).chain("…".chars()).collect();
        }
        found.errors.push(ConfigError::Value {
            key: self.dotted(key),
            place: self.file.to_owned(),
            found: shown,
            expected: expected.to_owned(),
        });
    }

    fn dotted(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }
}
