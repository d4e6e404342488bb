//! The keywords of the old scorer: all of a field in one pass, also inside of words (D-22, D-35).

use std::sync::LazyLock;

use crate::icp::{Keywords, Matching};

/// What it looks for.
pub(super) struct Words {
    pub(super) titles: Keywords,
    pub(super) industries: Keywords,
    pub(super) technologies: Keywords,
    /// Titles that are written to in a way of their own.
    pub(super) hooks: Keywords,
}

pub(super) static WORDS: LazyLock<Words> = LazyLock::new(|| Words {
    titles: keywords(&[C_LEVEL, VP, DIRECTOR, MANAGER]),
    industries: keywords(&[INDUSTRY_1, INDUSTRY_2, INDUSTRY_3]),
    technologies: keywords(&[CRM, MARKETING, SALES]),
    hooks: keywords(&[&["cro", "chief"], &["director"]]),
});

#[expect(
    clippy::expect_used,
    reason = "fails for more or longer keywords than any automaton holds"
)]
fn keywords(classes: &[&[&str]]) -> Keywords {
    let keywords = Keywords::new(classes, Matching::Substring, Vec::new());
    keywords.expect("a few short keywords").of_whole_texts()
}

const C_LEVEL: &[&str] = &[
    "ceo",
    "cfo",
    "coo",
    "cto",
    "cmo",
    "cro",
    "chief",
    "founder",
    "co-founder",
];
const VP: &[&str] = &["vp", "vice president", "svp", "evp", "head of"];
const DIRECTOR: &[&str] = &["director", "sr director", "senior director"];
const MANAGER: &[&str] = &["manager", "lead", "senior manager", "principal"];
const INDUSTRY_1: &[&str] = &[
    "saas",
    "software as a service",
    "b2b software",
    "enterprise software",
];
const INDUSTRY_2: &[&str] = &[
    "technology",
    "tech",
    "information technology",
    "it services",
];
const INDUSTRY_3: &[&str] = &[
    "professional services",
    "consulting",
    "fintech",
    "healthtech",
];
const CRM: &[&str] = &[
    "salesforce",
    "hubspot",
    "pipedrive",
    "zoho crm",
    "dynamics 365",
    "freshsales",
];
const SALES: &[&str] = &[
    "gong",
    "clari",
    "chorus",
    "outreach",
    "salesloft",
    "apollo",
    "zoominfo",
];
const MARKETING: &[&str] = &[
    "marketo",
    "pardot",
    "eloqua",
    "mailchimp",
    "klaviyo",
    "intercom",
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As Python's `any(keyword in text.lower() ...)` says it, class by class.
    fn plainly(text: &str, classes: &[&[&str]]) -> Vec<bool> {
        let lower = text.to_lowercase();
        let any = |keywords: &&[&str]| keywords.iter().any(|keyword| lower.contains(keyword));
        classes.iter().map(any).collect()
    }

    proptest! {
        #[test]
        fn one_pass_finds_what_a_plain_search_finds(
            parts in prop::collection::vec(
                prop_oneof![
                    prop::sample::select([C_LEVEL, VP, DIRECTOR, MANAGER].concat()).prop_map(str::to_owned),
                    prop::sample::select([CRM, MARKETING, SALES].concat()).prop_map(str::to_uppercase),
                    "[a-zA-Z \u{130}\u{212a}\u{c9}\u{3a3}-]{0,4}",
                    "x{600}",
                ],
                0..5,
            )
        ) {
            let text = parts.concat();
            let titles = plainly(&text, &[C_LEVEL, VP, DIRECTOR, MANAGER]);
            prop_assert_eq!(WORDS.titles.class_of(&text), titles.iter().position(|found| *found));
            let hooks = plainly(&text, &[&["cro", "chief"], &["director"]]);
            prop_assert_eq!(WORDS.hooks.class_of(&text), hooks.iter().position(|found| *found));
            let technologies = plainly(&text, &[CRM, MARKETING, SALES]);
            let bits = WORDS.technologies.classes_of(&text);
            let found: Vec<bool> = (0..3).map(|at| bits & (1 << at) != 0).collect();
            prop_assert_eq!(found, technologies);
        }
    }
}
