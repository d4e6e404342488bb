//! The words of the field: tier, motion, medium, provider, step, mode.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A word that is none of the accepted ones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{given}`; expected one of: {expected}")]
pub struct UnknownTerm {
    /// What kind of word was asked for.
    pub what: &'static str,
    /// The word that was given.
    pub given: String,
    /// The accepted words, comma-separated.
    pub expected: &'static str,
}

impl UnknownTerm {
    /// Stable code of this error.
    pub const CODE: &'static str = "term.unknown";
}

macro_rules! terms {
    ($(#[$meta:meta])* $name:ident, $what:literal, $expected:literal { $($(#[$vmeta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(into = "&'static str", try_from = "String")]
        pub enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word as it stands in records and on the command line.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.pad(self.as_str()) }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::terms::UnknownTerm;
            fn from_str(text: &str) -> Result<Self, $crate::terms::UnknownTerm> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    other => Err($crate::terms::UnknownTerm { what: $what, given: other.to_owned(), expected: $expected }),
                }
            }
        }

        impl From<$name> for &'static str {
            fn from(term: $name) -> &'static str { term.as_str() }
        }

        #[cfg(feature = "schema")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                $crate::terms::word_schema(&[$($text),+])
            }
        }

        #[cfg(feature = "schema")]
        impl utoipa::ToSchema for $name {}

        impl TryFrom<String> for $name {
            type Error = $crate::terms::UnknownTerm;
            fn try_from(text: String) -> Result<Self, $crate::terms::UnknownTerm> { text.parse() }
        }
    };
}
pub(crate) use terms;

/// A text that is one of `words`.
#[cfg(feature = "schema")]
pub(crate) fn word_schema(words: &[&str]) -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
    utoipa::openapi::ObjectBuilder::new()
        .schema_type(utoipa::openapi::schema::Type::String)
        .enum_values(Some(words.iter().copied()))
        .into()
}

terms! {
    /// How well a lead fits the ideal customer profile; 1 is best.
    Tier, "tier", "tier_1, tier_2, tier_3, tier_4" {
        /// Score of 80 and more.
        One = "tier_1",
        /// Score of 60 to 79.
        Two = "tier_2",
        /// Score of 40 to 59.
        Three = "tier_3",
        /// Below 40.
        Four = "tier_4",
    }
}

terms! {
    /// A programme of contact: what a batch is for.
    Motion, "motion", "outbound, cadence, revival, all" {
        /// First touches.
        Outbound = "outbound",
        /// Follow-ups of the 21-day cadence.
        Cadence = "cadence",
        /// People who went quiet long ago.
        Revival = "revival",
        /// All three.
        All = "all",
    }
}

terms! {
    /// The way a message reaches a person; one person is touched once per medium and step.
    Medium, "medium", "email, linkedin" {
        /// E-mail, whoever delivers it (Instantly and GHL are one medium).
        Email = "email",
        /// LinkedIn.
        LinkedIn = "linkedin",
    }
}

terms! {
    /// Who delivers.
    Provider, "provider", "instantly, heyreach, ghl" {
        /// GoHighLevel, e-mail to warm contacts.
        Ghl = "ghl",
        /// HeyReach, LinkedIn.
        HeyReach = "heyreach",
        /// Instantly, cold e-mail.
        Instantly = "instantly",
    }
}

terms! {
    /// What a run may do.
    Mode, "mode", "dry_run, shadow, live" {
        /// Show what would happen; write nothing.
        DryRun = "dry_run",
        /// Do everything but the provider call, and keep the requests.
        Shadow = "shadow",
        /// Send.
        Live = "live",
    }
}

impl Provider {
    /// The medium this provider delivers on.
    pub const fn medium(self) -> Medium {
        match self {
            Self::Ghl | Self::Instantly => Medium::Email,
            Self::HeyReach => Medium::LinkedIn,
        }
    }
}

/// Position in the cadence, 1-based; step 1 is the first touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Step(pub u32);

impl Step {
    /// The first touch.
    pub const FIRST: Self = Self(1);

    /// The one message to somebody who went quiet long ago, behind every cadence.
    pub const REVIVAL: Self = Self(101);

    /// It belongs to a cadence that the first touch began.
    pub const fn is_follow_up(self) -> bool {
        self.0 > Self::FIRST.0 && self.0 < Self::REVIVAL.0
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_term_reads_back_what_it_writes() {
        for tier in Tier::ALL {
            assert_eq!(tier.as_str().parse(), Ok(*tier));
            let json = serde_json::to_string(tier).unwrap();
            assert_eq!(serde_json::from_str::<Tier>(&json).unwrap(), *tier);
        }
        assert!("Tier_1".parse::<Tier>().is_err());
        assert!(
            "everything"
                .parse::<Motion>()
                .unwrap_err()
                .to_string()
                .contains("outbound")
        );
    }
}
