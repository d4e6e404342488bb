//! Which class of keywords a text belongs to: all keywords of a field in one pass.

use aho_corasick::automaton::{Automaton, OverlappingState};
use aho_corasick::dfa::DFA;
use aho_corasick::{Anchored, Input, Match};
use smallvec::SmallVec;

/// How a keyword matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Matching {
    /// Anywhere, also inside of a word.
    Substring,
    /// Whole words; a keyword inside of a longer one that matches does not count.
    Words,
}

/// The keywords of several classes.
#[derive(Debug, Clone)]
pub(crate) struct Keywords {
    automaton: DFA,
    /// Class of each keyword.
    class: Vec<usize>,
    matching: Matching,
    /// Classes that count before all others.
    first: Vec<usize>,
    /// Longest text looked at, in bytes.
    longest: usize,
}

/// Longest text looked at, unless it is said otherwise: titles and industries are short.
const LONGEST: usize = 512;

impl Keywords {
    /// Keywords by class; `first` names classes that count before all others.
    pub(crate) fn new<S: AsRef<[u8]>>(
        classes: &[&[S]],
        matching: Matching,
        first: Vec<usize>,
    ) -> Result<Self, String> {
        let class: Vec<usize> = classes
            .iter()
            .enumerate()
            .flat_map(|(class, keywords)| keywords.iter().map(move |_| class))
            .collect();
        let keywords = classes.iter().flat_map(|keywords| keywords.iter());
        // Texts are short: a search for the first letters of all keywords would cost more than it saves.
        let automaton = DFA::builder()
            .ascii_case_insensitive(true)
            .prefilter(false)
            .build(keywords)
            .map_err(|error| error.to_string())?;
        Ok(Self {
            automaton,
            class,
            matching,
            first,
            longest: LONGEST,
        })
    }

    /// The same keywords, for texts of any length.
    pub(crate) fn of_whole_texts(self) -> Self {
        Self {
            longest: usize::MAX,
            ..self
        }
    }

    /// The class of `text`, if a keyword matches; `text` may be in any case.
    pub(crate) fn class_of(&self, text: &str) -> Option<usize> {
        let text = self.cut(text);
        if self.matching == Matching::Substring && !text.is_ascii() {
            return self.class_of_lower(&text.to_lowercase());
        }
        self.class_of_lower(text)
    }

    fn class_of_lower(&self, text: &str) -> Option<usize> {
        if self.matching == Matching::Substring {
            return self
                .matches(text)
                .map(|found| self.class[found.pattern().as_usize()])
                .min();
        }
        let whole_word = |found: &Match| is_word(text, found.start(), found.end());
        let words: SmallVec<[Match; 8]> = self.matches(text).filter(whole_word).collect();
        let inside_longer = |found: &Match| {
            words.iter().any(|other| {
                other.start() <= found.start()
                    && other.end() >= found.end()
                    && other.len() > found.len()
            })
        };
        let classes = words
            .iter()
            .filter(|found| !inside_longer(found))
            .map(|found| self.class[found.pattern().as_usize()]);
        classes.min_by_key(|class| (!self.first.contains(class), *class))
    }

    /// Every class that a keyword of `text` belongs to, as a bit set.
    pub(crate) fn classes_of(&self, text: &str) -> u32 {
        let text = self.cut(text);
        let lower;
        let text = if text.is_ascii() {
            text
        } else {
            lower = text.to_lowercase();
            &lower
        };
        let found = self.matches(text).filter(|found| {
            self.matching == Matching::Substring || is_word(text, found.start(), found.end())
        });
        found.fold(0, |set, found| {
            set | 1 << self.class[found.pattern().as_usize()]
        })
    }

    fn cut<'t>(&self, text: &'t str) -> &'t str {
        if text.len() <= self.longest {
            return text;
        }
        let end = (0..=self.longest)
            .rev()
            .find(|end| text.is_char_boundary(*end))
            .unwrap_or(0);
        &text[..end]
    }

    /// Every match, also those that overlap, by their ends.
    fn matches(&self, text: &str) -> impl Iterator<Item = Match> {
        let input = Input::new(text).anchored(Anchored::No);
        let mut state = OverlappingState::start();
        std::iter::from_fn(move || {
            // Fails only for automata of another kind than the one that was built.
            self.automaton
                .try_find_overlapping(&input, &mut state)
                .ok()?;
            state.get_match()
        })
    }
}

fn is_word(text: &str, start: usize, end: usize) -> bool {
    let letter = |c: char| c.is_alphanumeric();
    !text[..start].chars().next_back().is_some_and(letter)
        && !text[end..].chars().next().is_some_and(letter)
}
