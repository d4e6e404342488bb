//! What a value means; one that means nothing is left out, with a remark.

use std::borrow::Cow;

use serde_json::Value;

use super::Column;

/// A value as its source holds it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cell<'a> {
    Text(&'a str),
    Json(&'a Value),
}

impl<'a> Cell<'a> {
    /// A text as such, everything else as JSON.
    fn split(self) -> Result<&'a str, &'a Value> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Json(Value::String(text)) => Ok(text),
            Self::Json(value) => Err(value),
        }
    }
}

/// What was odd, in words that can be counted: the same oddity gives the same words.
#[derive(Debug, Default)]
pub(super) struct Remarks(pub(super) Vec<String>);

impl Remarks {
    fn note(&mut self, column: Column, what: &str) {
        self.0.push(format!("{column}: {what}"));
    }

    /// A text on one line, without characters that change how other text is read.
    pub(super) fn text<'a>(&mut self, column: Column, cell: Cell<'a>) -> Cow<'a, str> {
        let text = match cell.split() {
            Ok(text) => text,
            Err(Value::Null) => return Cow::Borrowed(""),
            Err(Value::Number(number)) => return Cow::Owned(number.to_string()),
            Err(_) => {
                self.note(column, "left out, it is not a text");
                return Cow::Borrowed("");
            }
        };
        if is_clean(text) {
            return Cow::Borrowed(text);
        }
        let kept: String = text
            .chars()
            .map(|c| {
                if matches!(c, '\n' | '\r' | '\t') {
                    ' '
                } else {
                    c
                }
            })
            .filter(|c| !c.is_control() && !is_invisible(*c))
            .collect();
        if kept.chars().count() != text.chars().count() {
            self.note(column, "control or direction characters removed");
        }
        Cow::Owned(kept.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// A whole number from 0 on: `1,200+` is 1200, a range such as `51-200` its lower end.
    pub(super) fn count(&mut self, column: Column, cell: Cell<'_>) -> Option<u32> {
        let number = match cell.split() {
            Err(Value::Null) => return None,
            Err(Value::Number(number)) => number.as_f64(),
            Ok(text) if text.trim().is_empty() => return None,
            Ok(text) => match text.parse::<u32>() {
                Ok(number) => return Some(number),
                Err(_) => self.count_in_text(column, text),
            },
            Err(_) => None,
        };
        match number {
            Some(number) if (0.0..=f64::from(u32::MAX)).contains(&number) => Some(whole(number)),
            Some(number) if number < 0.0 => {
                self.note(column, "left out, it is negative");
                None
            }
            _ => {
                self.note(column, "left out, it is not a number");
                None
            }
        }
    }

    fn count_in_text(&mut self, column: Column, text: &str) -> Option<f64> {
        let text: String = text
            .trim()
            .trim_end_matches('+')
            .chars()
            .filter(|c| *c != ',')
            .collect();
        if let Ok(number) = text.trim().parse::<f64>() {
            return number.is_finite().then_some(number);
        }
        let text = text.replace(['–', '—'], "-").replace(" to ", "-");
        let (low, high) = text.split_once('-')?;
        let (low, high) = (
            low.trim().parse::<u32>().ok()?,
            high.trim().parse::<u32>().ok()?,
        );
        if low > high {
            return None;
        }
        self.note(column, "a range, its lower end is used");
        Some(f64::from(low))
    }

    /// An amount of money: `$2.5M`, `1,200,000`, `300k`.
    pub(super) fn amount(&mut self, column: Column, cell: Cell<'_>) -> Option<f64> {
        let amount = match cell.split() {
            Err(Value::Null) => return None,
            Err(Value::Number(number)) => number.as_f64(),
            Ok(text) if text.trim().is_empty() => return None,
            Ok(text) => amount_in_text(text),
            Err(_) => None,
        };
        if amount.is_none_or(|amount| !amount.is_finite() || amount < 0.0) {
            self.note(column, "left out, it is not an amount");
            return None;
        }
        amount
    }

    /// Yes or no, in the words that forms use.
    pub(super) fn truth(&mut self, column: Column, cell: Cell<'_>) -> bool {
        let known = match cell.split() {
            Ok("") | Err(Value::Null) => Some(false),
            Err(Value::Bool(truth)) => Some(*truth),
            Err(Value::Number(number)) => number.as_f64().map(|number| number > 0.0),
            Ok(text) => match text.trim().to_lowercase().as_str() {
                "true" | "yes" | "y" | "1" | "x" | "on" => Some(true),
                "" | "false" | "no" | "n" | "0" | "off" | "-" => Some(false),
                _ => None,
            },
            Err(_) => None,
        };
        if known.is_none() {
            self.note(column, "read as no, it is neither yes nor no");
        }
        known.unwrap_or(false)
    }

    /// A list, from an array or a text with commas, semicolons or bars.
    pub(super) fn list<'a>(&mut self, column: Column, cell: Cell<'a>) -> Vec<Cow<'a, str>> {
        match cell.split() {
            Err(Value::Array(items)) => {
                let texts = items.iter().map(|item| self.text(column, Cell::Json(item)));
                texts.filter(|text| !text.is_empty()).collect()
            }
            Ok(text) => text
                .split([',', ';', '|', '\n'])
                .map(|item| self.text(column, Cell::Text(item.trim_ascii())))
                .filter(|item| !item.is_empty())
                .collect(),
            Err(Value::Null) => Vec::new(),
            Err(_) => {
                self.note(column, "left out, it is not a list");
                Vec::new()
            }
        }
    }
}

/// Whether cleaning would change nothing: printable ASCII, single spaces inside only.
pub(super) fn is_clean(text: &str) -> bool {
    let bytes = text.as_bytes();
    // Behind a space: the edges count as one.
    let mut behind = true;
    let Some(last) = bytes.last_chunk::<8>() else {
        return bytes.iter().all(|byte| {
            let is_space = *byte == b' ';
            let clean = matches!(byte, b' '..=b'~') && !(is_space && behind);
            behind = is_space;
            clean
        }) && bytes.last() != Some(&b' ');
    };
    let (words, _) = bytes.as_chunks::<8>();
    for word in words {
        if !is_clean_word(u64::from_le_bytes(*word), &mut behind) {
            return false;
        }
    }
    // The last eight bytes overlap with the last word.
    let before = bytes.len().checked_sub(9).and_then(|at| bytes.get(at));
    behind = before.is_none_or(|byte| *byte == b' ');
    is_clean_word(u64::from_le_bytes(*last), &mut behind) && !behind
}

/// Eight bytes in one step: each is printable ASCII, and no space stands behind a space.
fn is_clean_word(word: u64, behind: &mut bool) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = ONES * 0x80;
    if word & HIGH != 0 {
        return false;
    }
    // From here on none of these sums runs over into the next byte.
    let below_space = !(word + ONES * (0x80 - 0x20));
    let above_tilde = word + ONES;
    if (below_space | above_tilde) & HIGH != 0 {
        return false;
    }
    let no_space = (word ^ (ONES * 0x20)) + ONES * 0x7f;
    let spaces = !no_space & HIGH;
    let before = spaces << 8 | if *behind { 0x80 } else { 0 };
    *behind = spaces >> 63 != 0;
    spaces & before == 0
}

/// The domain in a web address or domain, lower-case, without `www.`.
pub(super) fn domain(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.is_empty() {
        return text;
    }
    let text = text.trim().to_lowercase();
    let text = text
        .split_once("://")
        .map_or(text.as_str(), |(_, rest)| rest);
    let host = text.split(['/', '?', '#', ':']).next().unwrap_or("");
    let host = host.strip_prefix("www.").unwrap_or(host);
    Cow::Owned(host.trim_end_matches('.').to_owned())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the caller checked that it is within 0 and u32::MAX; the fraction is dropped"
)]
fn whole(number: f64) -> u32 {
    number as u32
}

fn amount_in_text(text: &str) -> Option<f64> {
    let text: String = text
        .to_lowercase()
        .chars()
        .filter(|c| !matches!(c, '$' | '€' | ',' | ' ' | '+'))
        .collect();
    let text = text.trim_start_matches("usd").trim_end_matches("usd");
    let (digits, factor) = match text.chars().last() {
        Some('k') => (text.strip_suffix('k'), 1e3),
        Some('m') => (text.strip_suffix('m'), 1e6),
        Some('b') => (text.strip_suffix('b'), 1e9),
        _ => (Some(text), 1.0),
    };
    digits?.parse::<f64>().ok().map(|number| number * factor)
}

/// Zero-width and direction characters, which make one text look like another.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
