//! `datetime.strptime(text, "%Y-%m-%d")` and `datetime.fromisoformat(text)` of Python 3.11.
//!
//! Both accept more than their documentation says (digits of other scripts, any separator between
//! date and time, one stray character before the offset); whether a batch has expired or a ramp
//! has begun depends on it, so the parsers walk the text as its own do.

use jiff::civil::Date;
use jiff::civil::ISOWeekDate;
use jiff::civil::Weekday;
use jiff::civil::date;

use super::digit::decimal;

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// A Python `datetime`, to the microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PyDateTime {
    /// Wall-clock time, as microseconds from 1970-01-01 00:00 of the same clock.
    pub local_micros: i64,
    /// Distance of that clock from UTC in microseconds, east positive; `None` is a naive time.
    pub offset_micros: Option<i64>,
}

impl PyDateTime {
    /// Microseconds since 1970-01-01 UTC; `None` for a naive time.
    pub fn utc_micros(self) -> Option<i64> {
        self.offset_micros.map(|offset| self.local_micros - offset)
    }
}

/// `strptime(text, "%Y-%m-%d").date()`; `None` where Python raises a `ValueError`.
pub fn strptime_ymd(text: &str) -> Option<Date> {
    let mut parts = text.splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let year = digits(year).filter(|_| year.chars().count() == 4)?;
    let month = match month.as_bytes() {
        [b'1', b'0'..=b'2'] | [b'0', b'1'..=b'9'] | [b'1'..=b'9'] => digits(month)?,
        _ => return None,
    };
    let mut chars = day.chars();
    let day = match (chars.next()?, chars.next(), chars.next()) {
        ('1'..='9', None, None)
        | ('0' | ' ', Some('1'..='9'), None)
        | ('3', Some('0' | '1'), None) => digits(day.trim_start_matches(' '))?,
        // The pattern takes any decimal digit here, of whatever script.
        ('1' | '2', Some(_), None) => digits(day)?,
        _ => return None,
    };
    python_date(year, month, day)
}

fn digits(text: &str) -> Option<i32> {
    text.chars()
        .try_fold(0, |number, c| Some(number * 10 + i32::from(decimal(c)?)))
}

/// A date of the years 1–9999, the ones that Python has.
fn python_date(year: i32, month: i32, day: i32) -> Option<Date> {
    if !(1..=9999).contains(&year) {
        return None;
    }
    let (month, day) = (i8::try_from(month).ok()?, i8::try_from(day).ok()?);
    Date::new(i16::try_from(year).ok()?, month, day).ok()
}

/// `datetime.fromisoformat(text)`; `None` where Python raises a `ValueError`.
pub fn fromisoformat(text: &str) -> Option<PyDateTime> {
    let bytes = Bytes(text.as_bytes());
    let separator = separator_position(bytes);
    let day = iso_date(bytes, separator)?;
    let day_micros = i64::from(day.since(date(1970, 1, 1)).ok()?.get_days())
        * SECONDS_PER_DAY
        * MICROS_PER_SECOND;
    if bytes.len() <= separator {
        return Some(PyDateTime {
            local_micros: day_micros,
            offset_micros: None,
        });
    }
    let rest = text.get(separator..)?;
    let time = rest.get(rest.chars().next()?.len_utf8()..)?;
    let (clock, offset_micros) = iso_time(time)?;
    Some(PyDateTime {
        local_micros: day_micros + clock.micros_of_day()?,
        offset_micros,
    })
}

/// Text as C sees it: a NUL byte follows the last one.
#[derive(Debug, Clone, Copy)]
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn len(self) -> usize {
        self.0.len()
    }

    fn at(self, index: usize) -> u8 {
        self.0.get(index).copied().unwrap_or(0)
    }

    /// The number made of `count` ASCII digits at `index`.
    fn number(self, index: usize, count: usize) -> Option<i32> {
        (index..index + count).try_fold(0, |number, at| {
            let byte = self.at(at);
            byte.is_ascii_digit()
                .then(|| number * 10 + i32::from(byte - b'0'))
        })
    }
}

/// Where the date ends; the character there may be anything.
fn separator_position(text: Bytes<'_>) -> usize {
    if text.len() == 7 {
        return 7;
    }
    match (text.at(4), text.at(5)) {
        (b'-', b'W') => {
            let day_follows = text.len() > 8 && text.at(8) == b'-';
            // `YYYY-Www-D…` and `YYYY-Www` with `-` before the hour look alike until here.
            if day_follows && !(text.len() > 10 && text.at(10).is_ascii_digit()) {
                10
            } else {
                8
            }
        }
        (b'-', _) => 10,
        (b'W', _) => {
            let end = (7..text.len())
                .find(|at| !text.at(*at).is_ascii_digit())
                .unwrap_or(text.len().max(7));
            match end {
                0..9 => end,
                _ if end % 2 == 0 => 7,
                _ => 8,
            }
        }
        _ => 8,
    }
}

/// `YYYY-MM-DD`, `YYYYMMDD` and the ISO week forms, ending at `length`.
fn iso_date(text: Bytes<'_>, length: usize) -> Option<Date> {
    let year = text.number(0, 4)?;
    let dashed = text.at(4) == b'-';
    let mut at = if dashed { 5 } else { 4 };
    if text.at(at) == b'W' {
        return iso_week_date(text, length, year, at + 1, dashed);
    }
    let month = text.number(at, 2)?;
    at += 2;
    if dashed {
        if text.at(at) != b'-' {
            return None;
        }
        at += 1;
    }
    let day = text.number(at, 2)?;
    (at + 2 == length).then(|| python_date(year, month, day))?
}

fn iso_week_date(
    text: Bytes<'_>,
    length: usize,
    year: i32,
    mut at: usize,
    dashed: bool,
) -> Option<Date> {
    let week = text.number(at, 2)?;
    at += 2;
    let mut weekday = 1;
    if at < length {
        if dashed {
            if text.at(at) != b'-' {
                return None;
            }
            at += 1;
        }
        weekday = text.number(at, 1)?;
    }
    if !(1..=9999).contains(&year) {
        return None;
    }
    let weekday = Weekday::from_monday_one_offset(i8::try_from(weekday).ok()?).ok()?;
    let week = ISOWeekDate::new(i16::try_from(year).ok()?, i8::try_from(week).ok()?, weekday);
    week.ok()
        .map(ISOWeekDate::date)
        .filter(|day| day.year() >= 1)
}

/// Hour, minute, second, microsecond: of the day, or of an offset.
#[derive(Debug, Clone, Copy, Default)]
struct ClockTime {
    fields: [i32; 3],
    micros: i32,
}

impl ClockTime {
    fn micros(self) -> i64 {
        let [hour, minute, second] = self.fields.map(i64::from);
        (hour * 3600 + minute * 60 + second) * MICROS_PER_SECOND + i64::from(self.micros)
    }

    fn micros_of_day(self) -> Option<i64> {
        let [hour, minute, second] = self.fields;
        (hour < 24 && minute < 60 && second < 60).then(|| self.micros())
    }
}

/// A time and its offset, if any.
fn iso_time(text: &str) -> Option<(ClockTime, Option<i64>)> {
    let bytes = Bytes(text.as_bytes());
    let end = (0..bytes.len())
        .find(|at| matches!(bytes.at(*at), b'+' | b'-' | b'Z'))
        .unwrap_or(bytes.len());
    let (clock, more) = clock_time(bytes, 0, end)?;
    match bytes.at(end) {
        _ if end == bytes.len() => (!more).then_some((clock, None)),
        b'Z' => (bytes.at(end + 1) == 0).then_some((clock, Some(0))),
        sign => {
            let (offset, more) = clock_time(bytes, end + 1, bytes.len())?;
            let micros = offset.micros();
            let in_range = micros < SECONDS_PER_DAY * MICROS_PER_SECOND;
            let signed = if sign == b'-' { -micros } else { micros };
            (!more && in_range).then_some((clock, Some(signed)))
        }
    }
}

/// `HH[:MM[:SS[.f…]]]` or the same without colons, between `start` and `end`; with it whether
/// something follows. A character too many right before `end` goes unnoticed, as in Python.
fn clock_time(text: Bytes<'_>, start: usize, end: usize) -> Option<(ClockTime, bool)> {
    let mut clock = ClockTime::default();
    let mut at = start;
    let mut colons = true;
    for (index, field) in clock.fields.iter_mut().enumerate() {
        *field = text.number(at, 2)?;
        at += 2;
        let next = text.at(at);
        at += 1;
        if index == 0 {
            colons = next == b':';
        }
        if at >= end {
            return Some((clock, next != 0));
        }
        match next {
            b':' if colons => {}
            b'.' | b',' => break,
            _ if !colons => at -= 1,
            _ => return None,
        }
    }
    let kept = (end - at).min(6);
    let scale = 10_i32.pow(u32::try_from(6 - kept).ok()?);
    clock.micros = text.number(at, kept)? * scale;
    at += kept;
    while text.at(at).is_ascii_digit() {
        at += 1;
    }
    Some((clock, text.at(at) != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_dates_are_read_as_strptime_reads_them() {
        for (text, expected) in [
            ("2026-02-17", Some(date(2026, 2, 17))),
            ("2026-2-7", Some(date(2026, 2, 7))),
            ("2026-02- 7", Some(date(2026, 2, 7))),
            ("2026-02-1７", Some(date(2026, 2, 17))),
            ("２０２６-02-17", Some(date(2026, 2, 17))),
            ("0000-01-01", None),
            ("2026-02-30", None),
            ("2026-02-17 ", None),
            ("2026-02-３", None),
            ("26-02-17", None),
            ("2026-002-17", None),
        ] {
            assert_eq!(strptime_ymd(text), expected, "{text:?}");
        }
    }

    #[test]
    fn one_stray_character_before_the_offset_is_ignored() {
        let plain = fromisoformat("2026-03-28T02:00:00+00:00").unwrap();
        for text in [
            "2026-03-28X02:00:00+00:00",
            "2026-03-28é02:00:00.+00:00",
            "2026-03-28T02:00:00 +00:00",
            "20260328T02Z",
            "2026-W13-6T02:00Z",
            "2026-03-28T04:00:00,0+02",
        ] {
            assert_eq!(
                fromisoformat(text).and_then(PyDateTime::utc_micros),
                plain.utc_micros(),
                "{text:?}"
            );
        }
        for text in [
            "",
            "2026",
            "2026-03-28T02:00:00  +00:00",
            "2026-03-28T02:00:00z",
            "2026-03-28T02:00:00+24:00",
            "2026-03-28T",
        ] {
            let naive_or_none = fromisoformat(text).and_then(PyDateTime::utc_micros);
            assert_eq!(naive_or_none, None, "{text:?}");
        }
    }
}
