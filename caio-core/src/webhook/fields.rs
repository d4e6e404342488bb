//! Fields of a body that anybody may have written: by any of several names, of any type.

use jiff::{SignedDuration, Timestamp};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::Malformed;
use crate::identity::EmailKey;
use crate::pytext::fromisoformat;

/// Most bytes of a field that is no message.
const MAX_FIELD: usize = 1024;

/// Longest address, in bytes.
const MAX_ADDRESS: usize = 254;

/// How far ahead of ours a provider's clock may be.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// Nothing that is reported happened before this: 2015-01-01.
const EARLIEST: i64 = 1_420_070_400;

/// An object, or the place of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(Option<&'a Map<String, Value>>);

impl<'a> Fields<'a> {
    pub(super) fn new(map: &'a Map<String, Value>) -> Self {
        Self(Some(map))
    }

    /// The first of `names` that is an object; otherwise no fields.
    pub(super) fn object(self, names: &[&str]) -> Self {
        let mut found = names.iter().filter_map(|name| self.0?.get(*name));
        Self(found.find_map(Value::as_object))
    }

    /// This one's fields, or those of `other` where this is no object.
    pub(super) fn or(self, other: Self) -> Self {
        Self(self.0.or(other.0))
    }

    pub(super) fn value(self, name: &str) -> Option<&'a Value> {
        self.0?.get(name)
    }

    /// The objects of a list.
    pub(super) fn objects(self, name: &str) -> impl Iterator<Item = Fields<'a>> + use<'a> {
        let items = self.value(name).and_then(Value::as_array);
        let items = items.map_or(&[][..], Vec::as_slice).iter();
        items.filter_map(Value::as_object).map(Fields::new)
    }

    /// The texts of a list.
    pub(super) fn texts(self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let items = self.value(name).and_then(Value::as_array);
        let items = items.map_or(&[][..], Vec::as_slice).iter();
        items.filter_map(Value::as_str)
    }

    /// The first of `names` that says something, of whatever length.
    pub(super) fn message(self, names: &[&str]) -> Option<String> {
        let found = names.iter().filter_map(|name| self.0?.get(*name));
        let mut texts = found.filter_map(|value| match value {
            Value::String(text) => Some(text.trim().to_owned()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        });
        texts.find(|text| !text.is_empty())
    }

    /// The same, where it is no longer than a field may be.
    pub(super) fn text(self, names: &[&str]) -> Option<String> {
        let mut each = names.iter().filter_map(|name| self.message(&[name]));
        each.find(|text| text.len() <= MAX_FIELD)
    }

    /// The first of `names` that is an address, also as `Kim <kim@example.com>`.
    pub(super) fn address(self, names: &[&str]) -> Option<EmailKey> {
        let mut each = names.iter().filter_map(|name| self.text(&[name]));
        each.find_map(|text| address(&text))
    }

    /// The first of `names` that is a profile.
    pub(super) fn profile(self, names: &[&str]) -> Option<String> {
        let mut each = names.iter().filter_map(|name| self.text(&[name]));
        each.find_map(|text| profile_key(&text))
    }

    /// The first of `names` that is a plausible instant.
    pub(super) fn instant(self, names: &[&str], received: Timestamp) -> Option<Timestamp> {
        let mut found = names.iter().filter_map(|name| self.0?.get(*name));
        found.find_map(|value| instant(value, received))
    }
}

/// The object that `body` is. `lenient` forgives commas before a closing bracket.
pub(super) fn document(body: &[u8], lenient: bool) -> Result<Map<String, Value>, Malformed> {
    let text = std::str::from_utf8(body).map_err(|_| Malformed::NotJson)?;
    let text = text.trim_start_matches('\u{feff}');
    let parsed: Option<Value> = serde_json::from_str(text).ok().or_else(|| {
        let mended = lenient.then(|| without_trailing_commas(text))?;
        serde_json::from_str(&mended).ok()
    });
    let found = match parsed.ok_or(Malformed::NotJson)? {
        Value::Object(map) => return Ok(map),
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Number(_) => "number",
        Value::Bool(_) => "boolean",
        Value::Null => "null",
    };
    Err(Malformed::NotObject { found })
}

/// When a signed body says that it was made, whether that is plausible or not.
pub(super) fn signed_at(body: &[u8]) -> Option<Timestamp> {
    let document = document(body, false).ok()?;
    Fields::new(&document).instant(&["timestamp"], Timestamp::MAX)
}

/// `text` without commas that only a closing bracket follows.
fn without_trailing_commas(text: &str) -> String {
    let mut mended = String::with_capacity(text.len());
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        if quoted {
            quoted = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else if c == '"' {
            quoted = true;
        } else if matches!(c, '}' | ']') {
            let kept = mended.trim_end();
            if let Some(kept) = kept.strip_suffix(',') {
                mended.truncate(kept.len());
            }
        }
        mended.push(c);
    }
    mended
}

/// The key of an address that a mail program would take; of `<…>` where there is a name beside it.
fn address(text: &str) -> Option<EmailKey> {
    let text = match text.rsplit_once('<') {
        Some((_, rest)) => rest.split_once('>')?.0,
        None => text,
    };
    let key = EmailKey::parse(text).ok()?;
    let plain = |c: char| !c.is_control() && !c.is_whitespace() && !matches!(c, '<' | '>' | '"');
    let (local, domain) = key.as_str().rsplit_once('@')?;
    let usable = !local.is_empty()
        && domain.contains('.')
        && !domain.starts_with('.')
        && key.as_str().len() <= MAX_ADDRESS
        && key.as_str().chars().all(plain);
    usable.then_some(key)
}

/// A LinkedIn profile however its address is written: `in/name`, lower-case, percent-decoded.
///
/// ```
/// use caio_core::webhook::profile_key;
///
/// let key = profile_key("https://www.linkedin.com/in/Kim-M%C3%BCller/?trk=x");
/// assert_eq!(key.as_deref(), Some("in/kim-müller"));
/// assert_eq!(profile_key("https://example.com/about"), None);
/// ```
pub fn profile_key(url: &str) -> Option<String> {
    let url = url.trim();
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (host, path) = rest.split_once('/')?;
    let path = path.split(['?', '#']).next()?;
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    let is_profile = host.to_lowercase().contains("linkedin.")
        && parts.next().is_some_and(|it| it.eq_ignore_ascii_case("in"));
    let name = percent_decode_str(parts.next()?).decode_utf8_lossy();
    let name = name.to_lowercase();
    let usable = is_profile && name.len() <= 200 && !name.chars().any(char::is_control);
    usable.then(|| format!("in/{name}"))
}

/// An instant as texts or numbers say it: ISO 8601, seconds or milliseconds since 1970. What lies
/// before 2015 or ahead of `received` is none.
fn instant(value: &Value, received: Timestamp) -> Option<Timestamp> {
    let of_number = |number: i64| {
        let millis = number.unsigned_abs() >= 100_000_000_000;
        if millis {
            Timestamp::from_millisecond(number).ok()
        } else {
            Timestamp::from_second(number).ok()
        }
    };
    let found = match value {
        Value::String(text) => {
            let text = text.trim();
            let iso = || {
                let python = fromisoformat(text)?;
                let offset = python.offset_micros.unwrap_or(0);
                Timestamp::from_microsecond(python.local_micros.checked_sub(offset)?).ok()
            };
            text.parse::<Timestamp>()
                .ok()
                .or_else(iso)
                .or_else(|| text.parse().ok().and_then(of_number))
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a fraction of a second is cut"
        )]
        Value::Number(number) => {
            let whole = number.as_i64();
            whole
                .or_else(|| number.as_f64().map(|it| it as i64))
                .and_then(of_number)
        }
        _ => None,
    }?;
    let latest = received.checked_add(AHEAD).unwrap_or(Timestamp::MAX);
    (found.as_second() >= EARLIEST && found <= latest).then_some(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn now() -> Timestamp {
        "2026-03-02T10:00:00Z".parse().unwrap()
    }

    #[test]
    fn addresses_are_found_in_what_people_write_and_nothing_else_is_one() {
        for (text, expected) in [
            (" Kim@Example.COM ", Some("kim@example.com")),
            ("Kim Lee <kim@example.com>", Some("kim@example.com")),
            ("kim+tag@example.com", Some("kim+tag@example.com")),
            ("", None),
            ("kim", None),
            ("/etc/passwd", None),
            ("../../x", None),
            ("@example.com", None),
            ("kim@localhost", None),
            ("kim lee@example.com", None),
            ("kim@example.com\u{0}", None),
            ("<kim@example.com", None),
        ] {
            let found = address(text);
            assert_eq!(found.as_ref().map(EmailKey::as_str), expected, "{text}");
        }
        assert!(address(&format!("{}@example.com", "a".repeat(250))).is_none());
    }

    #[test]
    fn one_profile_has_one_key_however_it_is_written() {
        for url in [
            "https://www.linkedin.com/in/Kim-Lee/",
            "linkedin.com/in/kim-lee",
            "http://de.linkedin.com/in/kim%2Dlee/de?x=1#y",
        ] {
            assert_eq!(profile_key(url).as_deref(), Some("in/kim-lee"), "{url}");
        }
        for url in [
            "",
            "/in/kim",
            "https://linkedin.com/company/acorn",
            "https://linkedin.com/in/",
        ] {
            assert_eq!(profile_key(url), None, "{url}");
        }
    }

    #[test]
    fn instants_of_every_form_and_none_that_cannot_be() {
        let at = Some("2026-03-01T08:00:00Z".parse().unwrap());
        for value in [
            json!("2026-03-01T08:00:00.000Z"),
            json!("2026-03-01T09:00:00+01:00"),
            json!("2026-03-01T08:00:00"),
            json!(1_772_352_000),
            json!(1_772_352_000_000_i64),
            json!("1772352000"),
            json!(1_772_352_000.0),
        ] {
            assert_eq!(instant(&value, now()), at, "{value}");
        }
        for value in [
            json!("2024-01-01T12:34:56:00.00+00.00"),
            json!("soon"),
            json!(null),
            json!(-1),
            json!(f64::MAX),
            json!("2026-03-02T10:06:00Z"),
            json!("1999-01-01T00:00:00Z"),
        ] {
            assert_eq!(instant(&value, now()), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn mending_never_changes_what_is_good_json(text in "\\PC*") {
            let good = serde_json::to_string(&json!({"a": [text, ",}", {"b": text}]})).unwrap();
            prop_assert_eq!(without_trailing_commas(&good), good.clone());
            let bad = format!("{},]{}", &good[..good.len() - 2], "}");
            prop_assert!(document(bad.as_bytes(), false).is_err());
            prop_assert!(document(bad.as_bytes(), true).is_ok());
        }
    }
}
