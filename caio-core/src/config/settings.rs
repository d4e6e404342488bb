//! Our own settings: layers of values, each of which knows where it comes from.

use std::collections::BTreeMap;
use std::fmt;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::limits::LimitPolicy;
use crate::ramp::{RampConfig, RampMode};
use crate::terms::Tier;

use super::keys::{KEYS, Key, Kind, key};
use super::{ConfigError, UnknownKey, nearest};

/// Everything that a person may set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Business time zone, an IANA name; resolved by who has the zone data.
    pub time_zone: String,
    /// Who writes.
    pub sender: Sender,
    /// Ceilings.
    pub limits: LimitPolicy,
    /// The ramp.
    pub ramp: RampConfig,
    /// Hours for which an approval holds.
    pub batch_expiry_hours: u32,
    /// Minutes in which the same alert is told once.
    pub alerts_fold_minutes: u32,
    /// Hours after which a batch that waits is told again, one level louder.
    pub alerts_louder_after_hours: u32,
    /// Name of the ICP model.
    pub icp_model: String,
    /// Folder of templates; `""` for the built-in ones.
    pub templates_folder: String,
}

/// Who writes. Texts are `""` where nothing is set; nothing is invented.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sender {
    /// Name under the message.
    pub name: String,
    /// Title under the name.
    pub title: String,
    /// Company.
    pub company: String,
    /// Address the message comes from.
    pub email: String,
    /// Address for answers.
    pub reply_to: String,
    /// Postal address, which the law asks for.
    pub postal_address: String,
    /// How to opt out, as a sentence.
    pub opt_out_text: String,
    /// How to opt out, as a link.
    pub opt_out_url: String,
    /// Web site.
    pub website: String,
    /// Where to book a meeting.
    pub calendar_url: String,
}

impl Sender {
    /// Keys that live needs and that are not set.
    pub fn missing(&self) -> Vec<String> {
        let mut missing: Vec<String> = [
            ("sender.name", &self.name),
            ("sender.company", &self.company),
            ("sender.email", &self.email),
            ("sender.postal_address", &self.postal_address),
        ]
        .into_iter()
        .filter(|(_, value)| value.trim().is_empty())
        .map(|(key, _)| key.to_owned())
        .collect();
        if self.opt_out_text.trim().is_empty() && self.opt_out_url.trim().is_empty() {
            missing.push("sender.opt_out_text or sender.opt_out_url".to_owned());
        }
        missing
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nobody set it.
    Default,
    /// A line of a file, from 1.
    File {
        /// The file.
        name: String,
        /// The line.
        line: usize,
    },
    /// An environment variable.
    Environment(String),
    /// The command line.
    Flag(String),
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A whole number.
    Number(u32),
    /// true or false.
    Flag(bool),
}

/// Values of one source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layer {
    values: BTreeMap<&'static str, (Value, Source)>,
    unknown: Vec<UnknownKey>,
}

/// Settings, where each of them comes from, and keys that nobody reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The settings.
    pub settings: Settings,
    /// Every key in order, with its value and source.
    pub provenance: Vec<(&'static str, Value, Source)>,
    /// Keys that nobody reads.
    pub unknown: Vec<UnknownKey>,
}

/// The file that `caio init` writes.
#[derive(Debug, Clone, Copy)]
pub struct CaioToml;

impl CaioToml {
    /// The commented file; what it holds equals the defaults.
    pub const fn template() -> &'static str {
        include_str!("caio.toml")
    }
}

impl Layer {
    /// Reads the text of the TOML file `name`; every wrong value is an error with its line.
    pub fn toml(name: &str, text: &str) -> Result<Self, Vec<ConfigError>> {
        let text = text.trim_start_matches('\u{feff}');
        let table = DeTable::parse(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            vec![ConfigError::Syntax {
                place: format!("{name}:{line}"),
                problem: error.message().to_owned(),
            }]
        })?;
        let mut layer = Self::default();
        let mut errors = Vec::new();
        let mut walk = Walk {
            name,
            text,
            layer: &mut layer,
            errors: &mut errors,
        };
        walk.table("", table.get_ref());
        if errors.is_empty() {
            Ok(layer)
        } else {
            Err(errors)
        }
    }

    /// Takes the `CAIO_…` variables of settings out of `variables`; the others are left alone.
    pub fn environment(variables: &BTreeMap<String, String>) -> Result<Self, Vec<ConfigError>> {
        let given = KEYS.iter().filter_map(|key| {
            let variable = key.variable();
            let text = variables.get(&variable)?;
            (!text.is_empty()).then_some((key, text.as_str(), Source::Environment(variable)))
        });
        Self::texts(given)
    }

    /// Values of the command line by dotted key; an unknown key is an error.
    pub fn flags<'a>(
        flags: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Vec<ConfigError>> {
        let mut given = Vec::new();
        let mut errors = Vec::new();
        for (name, text) in flags {
            match key(name) {
                Some(key) => given.push((key, text, Source::Flag(name.to_owned()))),
                None => errors.push(ConfigError::Value {
                    key: name.to_owned(),
                    place: "command line".to_owned(),
                    found: "not a key of caio.toml".to_owned(),
                    expected: nearest(name, &names()).unwrap_or_else(|| "a known key".to_owned()),
                }),
            }
        }
        match Self::texts(given) {
            Ok(layer) if errors.is_empty() => Ok(layer),
            Ok(_) => Err(errors),
            Err(more) => Err(errors.into_iter().chain(more).collect()),
        }
    }

    fn texts<'a>(
        given: impl IntoIterator<Item = (&'static Key, &'a str, Source)>,
    ) -> Result<Self, Vec<ConfigError>> {
        let mut layer = Self::default();
        let mut errors = Vec::new();
        for (key, text, source) in given {
            match from_text(key.kind, text.trim()) {
                Some(value) => drop(layer.values.insert(key.name, (value, source))),
                None => errors.push(ConfigError::Value {
                    key: key.name.to_owned(),
                    place: source.to_string(),
                    found: format!("`{text}`"),
                    expected: expected(key.kind),
                }),
            }
        }
        if errors.is_empty() {
            Ok(layer)
        } else {
            Err(errors)
        }
    }
}

impl Settings {
    /// Lays `layers` over the defaults; the last one wins, key by key.
    pub fn resolve(layers: &[Layer]) -> Resolved {
        let mut values: BTreeMap<&'static str, (Value, Source)> = KEYS
            .iter()
            .map(|key| (key.name, (key.default(), Source::Default)))
            .collect();
        let mut unknown = Vec::new();
        for layer in layers {
            values.extend(layer.values.clone());
            unknown.extend(layer.unknown.iter().cloned());
        }
        let settings = Self::from_values(&values);
        let provenance = KEYS
            .iter()
            .filter_map(|key| {
                let (value, source) = values.get(key.name)?;
                Some((key.name, value.clone(), source.clone()))
            })
            .collect();
        Resolved {
            settings,
            provenance,
            unknown,
        }
    }

    fn from_values(values: &BTreeMap<&'static str, (Value, Source)>) -> Self {
        let text = |name: &str| match values.get(name) {
            Some((Value::Text(text), _)) => text.clone(),
            _ => String::new(),
        };
        let number = |name: &str| match values.get(name) {
            Some((Value::Number(number), _)) => *number,
            _ => 0,
        };
        Self {
            time_zone: text("time_zone"),
            sender: Sender {
                name: text("sender.name"),
                title: text("sender.title"),
                company: text("sender.company"),
                email: text("sender.email"),
                reply_to: text("sender.reply_to"),
                postal_address: text("sender.postal_address"),
                opt_out_text: text("sender.opt_out_text"),
                opt_out_url: text("sender.opt_out_url"),
                website: text("sender.website"),
                calendar_url: text("sender.calendar_url"),
            },
            limits: LimitPolicy {
                email_per_day: number("limits.email_per_day"),
                linkedin_per_day: number("limits.linkedin_per_day"),
                revival_per_day: number("limits.revival_per_day"),
                email_per_hour: Some(number("limits.email_per_hour")),
                email_per_domain_hour: Some(number("limits.email_per_domain_hour")),
                email_per_month: Some(number("limits.email_per_month")),
                per_campaign: Some(number("limits.per_campaign")),
                email_min_delay_seconds: number("limits.email_min_delay_seconds"),
            },
            ramp: RampConfig {
                enabled: !matches!(values.get("ramp.enabled"), Some((Value::Flag(false), _))),
                email_per_day: number("ramp.email_per_day"),
                tier: text("ramp.tier").parse().unwrap_or(Tier::One),
                start_date: text("ramp.start_date"),
                days: number("ramp.days"),
                mode: text("ramp.mode").parse().unwrap_or(RampMode::CleanDays),
                lookback_days: number("ramp.lookback_days"),
            },
            batch_expiry_hours: number("batch.expiry_hours"),
            alerts_fold_minutes: number("alerts.fold_minutes"),
            alerts_louder_after_hours: number("alerts.louder_after_hours"),
            icp_model: text("icp.model"),
            templates_folder: text("templates.folder"),
        }
    }
}

/// Walks a parsed file.
struct Walk<'a> {
    name: &'a str,
    text: &'a str,
    layer: &'a mut Layer,
    errors: &'a mut Vec<ConfigError>,
}

impl Walk<'_> {
    fn table(&mut self, path: &str, table: &DeTable<'_>) {
        // In the order of the file, not of the alphabet.
        let mut members: Vec<_> = table.iter().collect();
        members.sort_by_key(|(member, _)| member.span().start);
        for (member, value) in members {
            let dotted = if path.is_empty() {
                member.get_ref().to_string()
            } else {
                format!("{path}.{}", member.get_ref())
            };
            match (key(&dotted), value.get_ref()) {
                (Some(key), _) => self.value(key, value),
                (None, DeValue::Table(inner)) if is_section(&dotted) => self.table(&dotted, inner),
                (None, _) => self.layer.unknown.push(UnknownKey {
                    place: format!("{}:{}", self.name, line_of(self.text, member.span().start)),
                    nearest: nearest(&dotted, &names()),
                    key: dotted,
                }),
            }
        }
    }

    fn value(&mut self, key: &'static Key, value: &Spanned<DeValue<'_>>) {
        let line = line_of(self.text, value.span().start);
        let read = match (key.kind, value.get_ref()) {
            (Kind::Flag, DeValue::Boolean(flag)) => Some(Value::Flag(*flag)),
            (Kind::Text | Kind::Word(_), DeValue::String(text)) => from_text(key.kind, text),
            (Kind::Number(..), DeValue::Integer(integer)) => {
                u32::from_str_radix(integer.as_str(), integer.radix())
                    .ok()
                    .and_then(|number| in_bounds(key.kind, number))
            }
            _ => None,
        };
        match read {
            Some(value) => {
                let name = self.name.to_owned();
                drop(
                    self.layer
                        .values
                        .insert(key.name, (value, Source::File { name, line })),
                );
            }
            None => self.errors.push(ConfigError::Value {
                key: key.name.to_owned(),
                place: format!("{}:{line}", self.name),
                found: self
                    .text
                    .get(value.span())
                    .unwrap_or_default()
                    .chars()
                    .take(60)
                    .collect(),
                expected: expected(key.kind),
            }),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { name, line } => write!(f, "{name}:{line}"),
            Self::Environment(name) => write!(f, "env {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.pad(text),
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
        }
    }
}

fn from_text(kind: Kind, text: &str) -> Option<Value> {
    match kind {
        Kind::Text => Some(Value::Text(text.to_owned())),
        Kind::Word(words) => words.contains(&text).then(|| Value::Text(text.to_owned())),
        Kind::Number(..) => text.parse().ok().and_then(|number| in_bounds(kind, number)),
        Kind::Flag => match text {
            "true" | "1" | "yes" | "on" => Some(Value::Flag(true)),
            "false" | "0" | "no" | "off" => Some(Value::Flag(false)),
            _ => None,
        },
    }
}

fn in_bounds(kind: Kind, number: u32) -> Option<Value> {
    match kind {
        Kind::Number(least, most) if (least..=most).contains(&number) => {
            Some(Value::Number(number))
        }
        _ => None,
    }
}

fn expected(kind: Kind) -> String {
    match kind {
        Kind::Text => "a text".to_owned(),
        Kind::Word(words) => format!("one of: {}", words.join(", ")),
        Kind::Number(least, u32::MAX) => format!("a whole number from {least}"),
        Kind::Number(least, most) => format!("a whole number from {least} to {most}"),
        Kind::Flag => "true or false".to_owned(),
    }
}

fn names() -> Vec<&'static str> {
    KEYS.iter().map(|key| key.name).collect()
}

fn is_section(path: &str) -> bool {
    KEYS.iter().any(|key| {
        key.name
            .split_once('.')
            .is_some_and(|(section, _)| section == path)
    })
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes()
        .take(offset)
        .filter(|byte| *byte == b'\n')
        .count()
        + 1
}

#[cfg(test)]
mod tests;
