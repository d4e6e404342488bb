//! How our names stand in Redis: documents under the prefix as they are, everything that keeps them
//! in order under `{prefix}:caio:_…`.

use crate::key::Key;

/// Families that the Python system writes too, past our script.
pub(super) const FOREIGN: &[&str] = &["operator:batch:", "operator:state:", "cadence:lead:"];

/// Names under one prefix, which may carry a cluster hash tag.
#[derive(Debug, Clone)]
pub(super) struct Names {
    prefix: String,
}

impl Names {
    pub(super) const fn new(prefix: String) -> Self {
        Self { prefix }
    }

    /// A document, where the Python system looks for its own.
    pub(super) fn document(&self, key: &str) -> String {
        [&self.prefix, ":", key].concat()
    }

    /// How many bytes stand before the name of a document.
    pub(super) const fn before_document(&self) -> usize {
        self.prefix.len() + 1
    }

    /// The document that a name in Redis stands for.
    pub(super) fn key(&self, name: &str) -> Option<Key> {
        let rest = name.strip_prefix(&self.prefix)?.strip_prefix(':')?;
        Some(Key::stored(rest))
    }

    pub(super) fn counter(&self, key: &str) -> String {
        self.own("n:", key)
    }

    pub(super) fn index(&self, index: &str) -> String {
        self.own("i:", index)
    }

    /// Where each key stands in an index.
    pub(super) fn places(&self, index: &str) -> String {
        self.own("p:", index)
    }

    pub(super) fn outcome(&self, id: &str) -> String {
        self.own("t:", id)
    }

    /// Names of all documents that we wrote, in order.
    pub(super) fn documents(&self) -> String {
        self.own("documents", "")
    }

    /// Counts commits: one that was seen and is gone means that data was lost.
    pub(super) fn sequence(&self) -> String {
        self.own("sequence", "")
    }

    /// Which environment the data belongs to.
    pub(super) fn environment(&self) -> String {
        self.own("environment", "")
    }

    fn own(&self, kind: &str, name: &str) -> String {
        [&self.prefix, ":caio:_", kind, name].concat()
    }

    /// The pattern of one foreign family, its special characters taken as they are.
    pub(super) fn pattern(&self, family: &str) -> String {
        let mut pattern = String::new();
        for c in self.prefix.chars() {
            if matches!(c, '*' | '?' | '[' | ']' | '\\') {
                pattern.push('\\');
            }
            pattern.push(c);
        }
        format!("{pattern}:{family}*")
    }
}
