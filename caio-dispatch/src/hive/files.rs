//! Files of the folder, one by one; what cannot be read is noted and the others go on.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use caio_core::pytext::loads;
use serde_json::Value;

use super::Fault;

/// The folder, and what was wrong in it so far.
#[derive(Debug)]
pub(super) struct Files<'a> {
    root: &'a Path,
    pub(super) faults: Vec<Fault>,
}

impl<'a> Files<'a> {
    pub(super) fn new(root: &'a Path) -> io::Result<Self> {
        fs::read_dir(root)?;
        Ok(Self {
            root,
            faults: Vec::new(),
        })
    }

    pub(super) fn fault(&mut self, file: &str, line: Option<u64>, reason: impl Into<String>) {
        self.faults.push(Fault {
            file: file.to_owned(),
            line,
            reason: reason.into(),
        });
    }

    /// The object in one file; `None` where there is no such file, or it is at fault.
    pub(super) fn object(&mut self, name: &str) -> Option<Value> {
        let text = self.text(name)?;
        match loads(&text) {
            Some(value @ Value::Object(_)) => Some(value),
            Some(_) => {
                self.fault(name, None, "expected a JSON object");
                None
            }
            None => {
                self.fault(name, None, "it is no JSON document, perhaps half written");
                None
            }
        }
    }

    /// The objects of a folder, by name.
    pub(super) fn objects(&mut self, folder: &str) -> Vec<(String, Value)> {
        let path = self.root.join(folder);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                self.fault(folder, None, error.to_string());
                return Vec::new();
            }
        };
        let mut files: Vec<PathBuf> = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) => files.push(entry.path()),
                Err(error) => self.fault(folder, None, error.to_string()),
            }
        }
        files.sort();
        let names = files.iter().filter_map(|path| path.file_name()?.to_str());
        let names: Vec<String> = names
            .filter(|name| Path::new(name).extension().is_some_and(|it| it == "json"))
            .map(|name| format!("{folder}/{name}"))
            .collect();
        names
            .into_iter()
            .filter_map(|name| Some((self.object(&name)?, name)))
            .map(|(value, name)| (name, value))
            .collect()
    }

    /// The objects of a file with one a line, with their lines.
    pub(super) fn lines(&mut self, name: &str) -> Vec<(u64, Value)> {
        let Some(text) = self.text(name) else {
            return Vec::new();
        };
        let mut objects = Vec::new();
        for (line, text) in (1..).zip(text.lines()) {
            if text.trim().is_empty() {
                continue;
            }
            match loads(text) {
                Some(value @ Value::Object(_)) => objects.push((line, value)),
                _ => self.fault(name, Some(line), "expected a JSON object on one line"),
            }
        }
        objects
    }

    /// A file's text; `None` where there is no such file, or it is at fault.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        match fs::read(self.root.join(name)) {
            Ok(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Some(text),
                Err(_) => {
                    self.fault(name, None, "it is not UTF-8");
                    None
                }
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                self.fault(name, None, error.to_string());
                None
            }
        }
    }

    /// Files in a folder, or lines in a file: what stays where it is.
    pub(super) fn count(&self, name: &str) -> u64 {
        let path = self.root.join(name);
        if path.is_dir() {
            return fs::read_dir(path).map_or(0, |entries| entries.count() as u64);
        }
        fs::read(path).map_or(0, |bytes| {
            bytes
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty())
                .count() as u64
        })
    }
}
