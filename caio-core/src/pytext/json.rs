//! `json.dumps(..., sort_keys=True, separators=(",", ":"))` and a lenient `json.loads`.

use std::fmt::Write;

use serde_json::Value;

use super::value::push_number;

/// Writes `value` as compact JSON, keys sorted by code point, non-ASCII escaped.
pub fn push_ascii_json(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => push_number(out, number),
        Value::String(text) => push_ascii_string(out, text),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                push_ascii_json(out, item);
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(key, _)| *key);
            out.push('{');
            for (index, (key, item)) in members.into_iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                push_ascii_string(out, key);
                out.push(':');
                push_ascii_json(out, item);
            }
            out.push('}');
        }
    }
}

/// `json.dumps(value, ensure_ascii=False)`: comma-space and colon-space, members in their order,
/// non-ASCII as it is. The Python system writes its records into Redis so.
pub fn dumps(value: &Value) -> String {
    let mut out = String::new();
    push_json(&mut out, value, None);
    out
}

/// `json.dumps(value, indent=2, ensure_ascii=False)`: the same, one member a line. The Python
/// system writes its files so.
pub fn dumps_indented(value: &Value) -> String {
    let mut out = String::new();
    push_json(&mut out, value, Some(1));
    out
}

/// `depth` is that of the members, where each has a line of its own.
fn push_json(out: &mut String, value: &Value, depth: Option<usize>) {
    let between = |out: &mut String, index: usize| {
        if index > 0 {
            out.push(',');
        }
        match depth {
            Some(depth) => push_line(out, depth),
            None if index > 0 => out.push(' '),
            None => {}
        }
    };
    let end = |out: &mut String, is_empty: bool| {
        if let Some(depth) = depth.filter(|_| !is_empty) {
            push_line(out, depth - 1);
        }
    };
    let inner = depth.map(|depth| depth + 1);
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Number(number) => push_number(out, number),
        Value::String(text) => push_string(out, text),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                between(out, index);
                push_json(out, item, inner);
            }
            end(out, items.is_empty());
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (index, (key, item)) in members.iter().enumerate() {
                between(out, index);
                push_string(out, key);
                out.push_str(": ");
                push_json(out, item, inner);
            }
            end(out, members.is_empty());
            out.push('}');
        }
    }
}

fn push_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

fn push_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        if c >= '\u{7f}' {
            out.push(c);
        } else {
            push_escaped(out, c);
        }
    }
    out.push('"');
}

/// Writes a JSON string in which everything outside U+0020–U+007E is escaped.
pub fn push_ascii_string(out: &mut String, text: &str) {
    out.push('"');
    if is_plain(text) {
        out.push_str(text);
    } else {
        for c in text.chars() {
            push_escaped(out, c);
        }
    }
    out.push('"');
}

/// Whether nothing needs an escape; looks at every byte without branching, which is faster than
/// stopping at the first hit on the short ids that a batch holds.
fn is_plain(text: &str) -> bool {
    let escapes = text.bytes().fold(0, |found, byte| {
        let outside = u8::from(!(b' '..=b'~').contains(&byte));
        found | outside | u8::from(byte == b'"') | u8::from(byte == b'\\')
    });
    escapes == 0
}

fn push_escaped(out: &mut String, c: char) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        ' '..='~' => out.push(c),
        _ => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a `String` cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
}

/// Reads a JSON document of the Python system; `None` where `json.loads` would raise.
///
/// Python also accepts `NaN`, `Infinity`, numbers out of range and lone surrogates, none of which
/// a [`Value`] can hold; they stand as the number 1 and as U+FFFD, which no decision over a record
/// tells apart from the originals.
pub fn loads(text: &str) -> Option<Value> {
    serde_json::from_str(text)
        .or_else(|_| serde_json::from_str(&without_python_extras(text)))
        .ok()
}

/// The document with Python's extras replaced; other faults stay, so that they are still refused.
fn without_python_extras(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let taken = match ["NaN", "Infinity", "-Infinity"]
            .into_iter()
            .find(|word| rest.starts_with(word))
        {
            Some(word) => {
                out.push('1');
                word.len()
            }
            None if c == '"' => push_string_literal(&mut out, rest),
            None if c == '-' || c.is_ascii_digit() => push_number_literal(&mut out, rest),
            None => {
                out.push(c);
                c.len_utf8()
            }
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    out
}

/// Copies the string literal that `text` starts with; returns its length in bytes.
fn push_string_literal(out: &mut String, text: &str) -> usize {
    out.push('"');
    let mut at = 1;
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = text.get(at..).unwrap_or_default();
        let taken = match (utf16_escape(rest), rest.get(6..).and_then(utf16_escape)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                out.push('\u{fffd}');
                at += 6;
                continue;
            }
            _ if c == '\\' => 1 + rest.chars().nth(1).map_or(0, char::len_utf8),
            _ => c.len_utf8(),
        };
        out.push_str(rest.get(..taken).unwrap_or_default());
        at += taken;
        if c == '"' {
            break;
        }
    }
    at
}

/// The code unit of the `\uXXXX` that `text` starts with.
fn utf16_escape(text: &str) -> Option<u16> {
    u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

/// Copies the number that `text` starts with, or 1 when no float holds it; returns its length.
fn push_number_literal(out: &mut String, text: &str) -> usize {
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')))
        .unwrap_or(text.len());
    let literal = text.get(..end).unwrap_or_default();
    let too_large = literal.parse().is_ok_and(f64::is_infinite);
    out.push_str(if too_large { "1" } else { literal });
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn canonical(value: &Value) -> String {
        let mut out = String::new();
        push_ascii_json(&mut out, value);
        out
    }

    #[test]
    fn canonical_text_is_sorted_compact_and_ascii() {
        let value = json!({"b": [1, 1e16, null, true], "a": "é/\u{7f}\u{8}\"\u{1f600}", "B": {}});
        assert_eq!(
            canonical(&value),
            r#"{"B":{},"a":"\u00e9/\u007f\b\"\ud83d\ude00","b":[1,1e+16,null,true]}"#
        );
    }

    #[test]
    fn stored_text_is_what_the_old_system_stores() {
        let value = json!({"name": "Zo\u{eb}", "n": [1, 2.0, 1e16], "x": null, "e": {}, "q": "\"\n\u{1}\u{7f}"});
        assert_eq!(
            dumps(&value),
            "{\"name\": \"Zo\u{eb}\", \"n\": [1, 2.0, 1e+16], \"x\": null, \"e\": {}, \"q\": \"\\\"\\n\\u0001\u{7f}\"}"
        );
    }

    #[test]
    fn files_have_a_member_a_line() {
        let value = json!({"n": [1, [], {"a": "\u{e9}"}], "e": {}});
        assert_eq!(
            dumps_indented(&value),
            "{\n  \"n\": [\n    1,\n    [],\n    {\n      \"a\": \"\u{e9}\"\n    }\n  ],\n  \"e\": {}\n}"
        );
    }

    #[test]
    fn python_extras_are_read_and_other_faults_are_not() {
        assert_eq!(
            loads(r#"{"a":NaN,"b":[-Infinity,1e999,-2],"c":"NaN \ud800x \ud83d\ude00 \\ud800"}"#),
            Some(json!({"a": 1, "b": [1, 1, -2], "c": "NaN \u{fffd}x \u{1f600} \\ud800"}))
        );
        assert_eq!(loads(r#"{"a":1,"a":2}"#), Some(json!({"a": 2})));
        for refused in [
            "",
            "{bad",
            "\u{feff}{}",
            "[1,]",
            "\"a\nb\"",
            "01",
            "nan",
            "\"\\ud8",
        ] {
            assert_eq!(loads(refused), None, "{refused:?}");
        }
    }
}
