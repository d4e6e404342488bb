//! Many leads in a row: what a word means is looked up once.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::model::Model;
use super::score::{Points, Words};
use crate::lead::Lead;
use crate::texts::Texts;

/// Scores leads one after the other, and remembers what their words meant: lists of leads say the
/// same titles, industries and products over and over. Answers what [`Model::points`] answers.
#[derive(Debug)]
pub struct Scorer<'m> {
    model: &'m Model,
    titles: Memo<Option<usize>>,
    industries: Memo<Option<usize>>,
    technologies: Memo<u32>,
}

impl<'m> Scorer<'m> {
    /// A scorer that has seen nothing yet.
    pub fn new(model: &'m Model) -> Self {
        Self {
            model,
            titles: Memo::default(),
            industries: Memo::default(),
            technologies: Memo::default(),
        }
    }

    /// The score of one lead.
    pub fn points<S: AsRef<str>>(&mut self, lead: &Lead<S>) -> Points {
        self.model.points_by(lead, self)
    }

    /// The model.
    pub const fn model(&self) -> &'m Model {
        self.model
    }

    /// The score of one lead; adds its reasons to `reasons`, as [`Model::explain`] has them.
    pub fn explain<S: AsRef<str>>(&mut self, lead: &Lead<S>, reasons: &mut Texts) -> Points {
        self.model.explain_by(lead, self, reasons)
    }
}

impl Words for &mut Scorer<'_> {
    fn title(&mut self, text: &str) -> Option<usize> {
        self.titles.get(text, |text| self.model.title_class(text))
    }

    fn industry(&mut self, text: &str) -> Option<usize> {
        self.industries
            .get(text, |text| self.model.industry_class(text))
    }

    fn technology(&mut self, text: &str) -> u32 {
        self.technologies
            .get(text, |text| self.model.technology_classes(text))
    }
}

/// Texts remembered; beyond, all are forgotten, so that memory stays as it is.
const MOST: usize = 4096;

/// Longest text remembered, in bytes.
const LONGEST: usize = 64;

#[derive(Debug)]
struct Memo<T>(HashMap<Box<str>, T, RandomState>);

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<T: Copy> Memo<T> {
    fn get(&mut self, text: &str, find: impl FnOnce(&str) -> T) -> T {
        if text.len() > LONGEST {
            return find(text);
        }
        if let Some(known) = self.0.get(text) {
            return *known;
        }
        if self.0.len() >= MOST {
            self.0.clear();
        }
        let found = find(text);
        self.0.insert(text.into(), found);
        found
    }
}
