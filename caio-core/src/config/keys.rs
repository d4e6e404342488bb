//! Every key of `caio.toml`: its kind, its default, and the variable that overrides it.

use super::settings::Value;

/// What a key holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A text.
    Text,
    /// A whole number within bounds.
    Number(u32, u32),
    /// true or false.
    Flag,
    /// One of these words.
    Word(&'static [&'static str]),
}

/// A default.
#[derive(Debug, Clone, Copy)]
enum Preset {
    Text(&'static str),
    Number(u32),
    Flag(bool),
}

/// One key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    /// Dotted name.
    pub(super) name: &'static str,
    /// What it holds.
    pub(super) kind: Kind,
    default: Preset,
}

impl Key {
    pub(super) fn default(&self) -> Value {
        match self.default {
            Preset::Text(text) => Value::Text(text.to_owned()),
            Preset::Number(number) => Value::Number(number),
            Preset::Flag(flag) => Value::Flag(flag),
        }
    }

    /// `limits.email_per_day` → `CAIO_LIMITS_EMAIL_PER_DAY`.
    pub(super) fn variable(&self) -> String {
        format!("CAIO_{}", self.name.replace('.', "_").to_uppercase())
    }
}

pub(super) fn key(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

const fn text(name: &'static str, default: &'static str) -> Key {
    Key {
        name,
        kind: Kind::Text,
        default: Preset::Text(default),
    }
}

const fn word(name: &'static str, words: &'static [&'static str], default: &'static str) -> Key {
    Key {
        name,
        kind: Kind::Word(words),
        default: Preset::Text(default),
    }
}

const fn number(name: &'static str, least: u32, most: u32, default: u32) -> Key {
    Key {
        name,
        kind: Kind::Number(least, most),
        default: Preset::Number(default),
    }
}

pub(super) const KEYS: &[Key] = &[
    text("time_zone", "UTC"),
    text("sender.name", ""),
    text("sender.title", ""),
    text("sender.company", ""),
    text("sender.email", ""),
    text("sender.reply_to", ""),
    text("sender.postal_address", ""),
    text("sender.opt_out_text", ""),
    text("sender.opt_out_url", ""),
    text("sender.website", ""),
    text("sender.calendar_url", ""),
    number("limits.email_per_day", 0, u32::MAX, 25),
    number("limits.email_per_hour", 0, u32::MAX, 15),
    number("limits.email_per_domain_hour", 0, u32::MAX, 3),
    number("limits.email_per_month", 0, u32::MAX, 2500),
    number("limits.email_min_delay_seconds", 0, 86_400, 45),
    number("limits.linkedin_per_day", 0, u32::MAX, 5),
    number("limits.revival_per_day", 0, u32::MAX, 5),
    number("limits.per_campaign", 0, u32::MAX, 150),
    Key {
        name: "ramp.enabled",
        kind: Kind::Flag,
        default: Preset::Flag(true),
    },
    text("ramp.start_date", ""),
    number("ramp.days", 1, 365, 3),
    number("ramp.email_per_day", 0, u32::MAX, 5),
    word(
        "ramp.tier",
        &["tier_1", "tier_2", "tier_3", "tier_4"],
        "tier_1",
    ),
    word("ramp.mode", &["clean_days", "calendar"], "clean_days"),
    number("ramp.lookback_days", 1, 3650, 45),
    number("batch.expiry_hours", 1, 168, 24),
    number("alerts.fold_minutes", 1, 1440, 15),
    number("alerts.louder_after_hours", 1, 168, 4),
    text("icp.model", "default"),
    text("templates.folder", ""),
];
