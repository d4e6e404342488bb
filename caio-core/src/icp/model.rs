//! A model: its data, and what is checked when it is loaded.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::keywords::{Keywords, Matching};
use crate::draft::ModelRef;
use crate::identity::hex;
use crate::terms::Tier;

/// A model that was checked.
#[derive(Debug, Clone)]
pub struct Model {
    pub(super) data: Data,
    pub(super) titles: Keywords,
    pub(super) industries: Keywords,
    pub(super) technologies: Keywords,
    digest: String,
    too_small: String,
}

/// Why a model cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A value makes no sense.
    #[error("model `{model}`: {what}")]
    Invalid {
        /// Name of the model.
        model: String,
        /// What is wrong, and what was expected.
        what: String,
    },
    /// It is not TOML of the expected shape.
    #[error("the model cannot be read: {0}")]
    Syntax(String),
    /// No built-in model has that name.
    #[error("there is no model `{0}`; built in: {names}", names = NAMES.join(", "))]
    Unknown(String),
}

impl ModelError {
    /// Stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "model.invalid",
            Self::Syntax(_) => "model.syntax",
            Self::Unknown(_) => "model.unknown",
        }
    }
}

/// Names that [`Model::builtin`] knows.
const NAMES: &[&str] = &["default", "realigned", "legacy-746"];

const LEGACY: &str = include_str!("../../models/legacy-746.toml");
const REALIGNED: &str = include_str!("../../models/realigned.toml");

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Data {
    pub(super) name: String,
    pub(super) matching: Matching,
    pub(super) cap: u32,
    /// Least points of tiers 1, 2 and 3.
    pub(super) tiers: [u32; 3],
    /// Points, from and to, that a person should look at.
    pub(super) review: [u32; 2],
    pub(super) disqualified: Disqualified,
    pub(super) unknown_size: UnknownSize,
    pub(super) size: Vec<Band>,
    /// Companies below this many employees are disqualified.
    pub(super) smallest: u32,
    pub(super) title: Vec<Class>,
    pub(super) industry: Vec<Class>,
    pub(super) technology: Technology,
    pub(super) intent: IntentRules,
    #[serde(default)]
    pub(super) bonus: BTreeMap<String, u32>,
    #[serde(default)]
    pub(super) multiplier: Vec<Multiplier>,
}

/// What a disqualification does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Disqualified {
    /// The lead keeps its tier and carries a label.
    #[serde(rename = "label")]
    Label,
    /// The lead has no tier and no campaign.
    #[serde(rename = "no tier")]
    NoTier,
}

/// What an unknown head count does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum UnknownSize {
    /// It counts as 0 employees.
    #[serde(rename = "disqualify")]
    Disqualify,
    /// It scores nothing.
    #[serde(rename = "no points")]
    NoPoints,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Band {
    pub(super) from: u32,
    pub(super) to: Option<u32>,
    pub(super) points: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Class {
    pub(super) name: String,
    pub(super) points: u32,
    #[serde(default)]
    pub(super) first: bool,
    pub(super) keywords: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Technology {
    pub(super) cap: u32,
    pub(super) count: TechnologyCount,
    pub(super) classes: Vec<Class>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum TechnologyCount {
    #[serde(rename = "each entry")]
    EachEntry,
    #[serde(rename = "each product once")]
    EachProductOnce,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IntentRules {
    pub(super) cap: u32,
    pub(super) website_visits: Vec<AtLeast>,
    pub(super) content_downloads: Vec<AtLeast>,
    pub(super) pricing_page_visits: Vec<AtLeast>,
    pub(super) demo_requested: u32,
    #[serde(default)]
    pub(super) source: BTreeMap<String, u32>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AtLeast {
    pub(super) from: u32,
    pub(super) points: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Multiplier {
    pub(super) title: Option<String>,
    pub(super) industry: Option<String>,
    pub(super) percent: u32,
}

impl Model {
    /// A built-in model: `legacy-746`, `realigned`, or `default` (which is `realigned`).
    ///
    /// # Errors
    /// Any other name.
    pub fn builtin(name: &str) -> Result<Self, ModelError> {
        match name {
            "default" | "realigned" => Self::from_toml(REALIGNED),
            "legacy-746" => Self::from_toml(LEGACY),
            other => Err(ModelError::Unknown(other.to_owned())),
        }
    }

    /// Names of the built-in models, without aliases.
    pub const fn builtin_names() -> &'static [&'static str] {
        &["realigned", "legacy-746"]
    }

    /// Reads and checks a model.
    ///
    /// # Errors
    /// Unknown and missing keys, bands that overlap or run backwards, thresholds that do not fall, a
    /// class without keywords, a multiplier for a class that there is not.
    pub fn from_toml(text: &str) -> Result<Self, ModelError> {
        let data: Data =
            toml::from_str(text).map_err(|error| ModelError::Syntax(error.to_string()))?;
        let invalid = |what: String| ModelError::Invalid {
            model: data.name.clone(),
            what,
        };
        data.check().map_err(invalid)?;
        let keywords = |classes: &[Class]| {
            let lists: Vec<&[String]> = classes
                .iter()
                .map(|class| class.keywords.as_slice())
                .collect();
            let first = (0..classes.len())
                .filter(|class| classes[*class].first)
                .collect();
            Keywords::new(&lists, data.matching, first)
        };
        let titles = keywords(&data.title).map_err(invalid)?;
        let industries = keywords(&data.industry).map_err(invalid)?;
        let technologies = keywords(&data.technology.classes).map_err(invalid)?;
        // Comments and layout do not count: only what is decided with.
        let canonical =
            serde_json::to_vec(&data).map_err(|error| ModelError::Syntax(error.to_string()))?;
        let digest = hex(&Sha256::digest(canonical));
        let too_small = format!("fewer than {} employees", data.smallest);
        Ok(Self {
            data,
            titles,
            industries,
            technologies,
            digest,
            too_small,
        })
    }

    /// Name.
    pub fn name(&self) -> &str {
        &self.data.name
    }

    /// SHA-256 (64 hex) of everything that it decides with.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Why a lead is disqualified that is: there is no other reason.
    pub fn too_small(&self) -> &str {
        &self.too_small
    }

    /// Name and digest, as records keep them.
    pub fn reference(&self) -> ModelRef {
        ModelRef {
            name: self.data.name.clone(),
            digest: self.digest.clone(),
        }
    }

    /// The tier of so many points.
    pub fn tier_of(&self, points: u32) -> Tier {
        let [one, two, three] = self.data.tiers;
        match points {
            points if points >= one => Tier::One,
            points if points >= two => Tier::Two,
            points if points >= three => Tier::Three,
            _ => Tier::Four,
        }
    }
}

impl Data {
    fn check(&self) -> Result<(), String> {
        if self.name.trim().is_empty() {
            return Err("`name` is empty".to_owned());
        }
        let [one, two, three] = self.tiers;
        if !(one > two && two > three && one <= self.cap) {
            return Err(format!(
                "`tiers` {:?} have to fall and stay within `cap`",
                self.tiers
            ));
        }
        if self.review[0] > self.review[1] {
            return Err(format!("`review` {:?} runs backwards", self.review));
        }
        self.check_bands()?;
        for (field, classes) in [
            ("title", &self.title),
            ("industry", &self.industry),
            ("technology.classes", &self.technology.classes),
        ] {
            if classes.len() > 32 {
                return Err(format!("`{field}` has more than 32 classes"));
            }
            for class in classes {
                if class
                    .keywords
                    .iter()
                    .all(|keyword| keyword.trim().is_empty())
                {
                    return Err(format!("`{field}` class `{}` has no keywords", class.name));
                }
                let odd = class.keywords.iter().find(|keyword| {
                    keyword.trim() != keyword.as_str() || **keyword != keyword.to_lowercase()
                });
                if let Some(odd) = odd {
                    return Err(format!("keyword {odd:?} has to be lower-case and trimmed"));
                }
            }
        }
        for multiplier in &self.multiplier {
            let known = |name: &Option<String>, classes: &[Class]| {
                name.as_ref()
                    .is_none_or(|name| classes.iter().any(|class| class.name == *name))
            };
            if !known(&multiplier.title, &self.title)
                || !known(&multiplier.industry, &self.industry)
            {
                return Err(format!(
                    "a multiplier names a class that there is not: {multiplier:?}"
                ));
            }
        }
        Ok(())
    }

    fn check_bands(&self) -> Result<(), String> {
        let mut end = None;
        for (position, band) in self.size.iter().enumerate() {
            if end.is_some_and(|end: u32| band.from <= end)
                || band.to.is_some_and(|to| to < band.from)
            {
                return Err(format!(
                    "`size` band from {} overlaps or runs backwards",
                    band.from
                ));
            }
            if band.to.is_none() && position + 1 < self.size.len() {
                return Err(format!(
                    "`size` band from {} has no `to` and is not the last",
                    band.from
                ));
            }
            end = band.to;
        }
        Ok(())
    }
}
