//! What is to be told, noted where nothing may wait: in memory, until somebody raises it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use caio_core::escalation::Subject;

/// Notes that are kept; further ones are dropped, since the same things happen over and over then.
const MOST: usize = 256;

/// A short list that anybody may add to without waiting and without failing.
#[derive(Debug, Default)]
pub struct Notes(Mutex<VecDeque<Subject>>);

impl Notes {
    /// Adds one.
    pub fn note(&self, subject: Subject) {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.len() < MOST {
            notes.push_back(subject);
        }
    }

    /// Takes all of them.
    pub fn take(&self) -> Vec<Subject> {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        notes.drain(..).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_so_many_and_is_empty_once_taken() {
        let notes = Notes::default();
        for _ in 0..MOST + 10 {
            notes.note(Subject::Resumed {
                by: "kim".to_owned(),
            });
        }
        assert_eq!(notes.take().len(), MOST);
        assert!(notes.take().is_empty());
    }
}
