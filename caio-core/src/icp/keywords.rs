//! Which class of keywords a text belongs to: all keywords of a field in one pass.

use aho_corasick::{AhoCorasick, AhoCorasickKind};

/// How a keyword matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Matching {
    /// Anywhere, also inside of a word.
    Substring,
    /// Whole words; a keyword inside of a longer one that matches does not count.
    Words,
}

/// The keywords of several classes.
#[derive(Debug, Clone)]
pub(super) struct Keywords {
    automaton: AhoCorasick,
    /// Class of each keyword.
    class: Vec<usize>,
    matching: Matching,
    /// Classes that count before all others.
    first: Vec<usize>,
}

/// Longest text looked at, in bytes: titles and industries are short.
const LONGEST: usize = 512;

impl Keywords {
    /// Keywords by class; `first` names classes that count before all others.
    pub(super) fn new(
        classes: &[&[String]],
        matching: Matching,
        first: Vec<usize>,
    ) -> Result<Self, String> {
        let class: Vec<usize> = classes
            .iter()
            .enumerate()
            .flat_map(|(class, keywords)| keywords.iter().map(move |_| class))
            .collect();
        let keywords = classes.iter().flat_map(|keywords| keywords.iter());
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind(Some(AhoCorasickKind::DFA))
            .build(keywords)
            .map_err(|error| error.to_string())?;
        Ok(Self {
            automaton,
            class,
            matching,
            first,
        })
    }

    /// The class of `text`, if a keyword matches; `text` may be in any case.
    pub(super) fn class_of(&self, text: &str) -> Option<usize> {
        let text = cut(text);
        if self.matching == Matching::Substring && !text.is_ascii() {
            return self.class_of_lower(&text.to_lowercase());
        }
        self.class_of_lower(text)
    }

    fn class_of_lower(&self, text: &str) -> Option<usize> {
        if self.matching == Matching::Substring {
            let found = self.automaton.find_overlapping_iter(text);
            return found
                .map(|found| self.class[found.pattern().as_usize()])
                .min();
        }
        let mut best: Option<usize> = None;
        for found in self.automaton.find_overlapping_iter(text) {
            let (start, end) = (found.start(), found.end());
            if !is_word(text, start, end) || self.inside_longer(text, start, end) {
                continue;
            }
            let class = self.class[found.pattern().as_usize()];
            if self.first.contains(&class) {
                return Some(class);
            }
            best = Some(best.map_or(class, |best| best.min(class)));
        }
        best
    }

    /// Every class that a keyword of `text` belongs to, as a bit set.
    pub(super) fn classes_of(&self, text: &str) -> u32 {
        let text = cut(text);
        let lower;
        let text = if text.is_ascii() {
            text
        } else {
            lower = text.to_lowercase();
            &lower
        };
        let found = self.automaton.find_overlapping_iter(text).filter(|found| {
            self.matching == Matching::Substring || is_word(text, found.start(), found.end())
        });
        found.fold(0, |set, found| {
            set | 1 << self.class[found.pattern().as_usize()]
        })
    }

    fn inside_longer(&self, text: &str, start: usize, end: usize) -> bool {
        self.automaton.find_overlapping_iter(text).any(|other| {
            other.start() <= start
                && other.end() >= end
                && other.end() - other.start() > end - start
                && is_word(text, other.start(), other.end())
        })
    }
}

fn is_word(text: &str, start: usize, end: usize) -> bool {
    let letter = |c: char| c.is_alphanumeric();
    !text[..start].chars().next_back().is_some_and(letter)
        && !text[end..].chars().next().is_some_and(letter)
}

fn cut(text: &str) -> &str {
    if text.len() <= LONGEST {
        return text;
    }
    let end = (0..=LONGEST)
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(0);
    &text[..end]
}
