//! A scored lead as a line of JSON, written straight: a third of the time that a serializer takes
//! goes into member names that are the same in each line.

use caio_core::lead::Lead;
use caio_core::record::Mapped;

use super::output::{Score, Scored};

/// Appends one line of NDJSON; the members are those of [`super::output::dict`], in its order.
pub(crate) fn push(out: &mut Vec<u8>, scored: &Scored<'_>) {
    let Mapped {
        lead,
        remarks,
        flags,
    } = scored.mapped;
    let Lead {
        company,
        source,
        intent,
        ..
    } = lead;
    text(out, "{\"email\":", lead.key.as_str());
    name(out, &lead.first_name, &lead.last_name);
    text(out, ",\"first_name\":", &lead.first_name);
    text(out, ",\"last_name\":", &lead.last_name);
    text(out, ",\"title\":", &lead.title);
    text(out, ",\"linkedin_url\":", &lead.linkedin_url);
    text(out, ",\"location\":", &lead.location);
    text(out, ",\"company\":", &company.name);
    text(out, ",\"company_domain\":", &company.domain);
    number(out, ",\"company_size\":", company.employees);
    text(out, ",\"industry\":", &company.industry);
    let technologies = company.technologies.iter().map(AsRef::as_ref);
    texts(out, ",\"technologies\":", technologies);
    text(out, ",\"source_type\":", &source.kind);
    text(out, ",\"source_name\":", &source.name);
    number(out, ",\"intent_score\":", intent.score);
    number(out, ",\"website_visits\":", Some(intent.website_visits));
    number(
        out,
        ",\"content_downloads\":",
        Some(intent.content_downloads),
    );
    number(
        out,
        ",\"pricing_page_visits\":",
        Some(intent.pricing_page_visits),
    );
    truth(out, ",\"demo_requested\":", intent.demo_requested);
    texts(out, ",\"flags\":", flags.iter().map(String::as_str));
    texts(out, ",\"remarks\":", remarks.iter().map(String::as_str));
    if let Some(score) = &scored.score {
        push_score(out, score);
    }
    out.extend_from_slice(b"}\n");
}

fn push_score(out: &mut Vec<u8>, score: &Score<'_>) {
    let points = score.points;
    number(out, ",\"icp_score\":", Some(points.points));
    word_or_null(out, ",\"icp_tier\":", score.tier());
    truth(out, ",\"needs_review\":", points.needs_review);
    let reason = score.disqualification();
    word_or_null(out, ",\"disqualification_reason\":", reason);
    let breakdown = points.breakdown;
    number(out, ",\"score_breakdown\":{\"size\":", Some(breakdown.size));
    number(out, ",\"title\":", Some(breakdown.title));
    number(out, ",\"industry\":", Some(breakdown.industry));
    number(out, ",\"technology\":", Some(breakdown.technology));
    number(out, ",\"intent\":", Some(breakdown.intent));
    number(out, ",\"bonus\":", Some(breakdown.bonus));
    let multiplier = breakdown.multiplier_percent;
    number(out, ",\"multiplier_percent\":", Some(multiplier));
    // One look at all of them in place of one at each.
    let reasons = score.reasons;
    if is_plain(reasons.joined().as_bytes()) {
        list(out, "},\"scoring_reasons\":", reasons.iter(), push_plain);
    } else {
        list(out, "},\"scoring_reasons\":", reasons.iter(), push_text);
    }
    word_or_null(out, ",\"recommended_campaign\":", score.campaign);
    text(out, ",\"model\":", score.model.name());
}

/// As [`Lead::name`] joins it.
fn name(out: &mut Vec<u8>, first: &str, last: &str) {
    text(out, ",\"name\":", first);
    out.pop();
    if !first.is_empty() && !last.is_empty() {
        out.push(b' ');
    }
    push_escaped(out, last);
    out.push(b'"');
}

#[inline]
fn text(out: &mut Vec<u8>, label: &str, text: &str) {
    out.extend_from_slice(label.as_bytes());
    push_text(out, text);
}

/// A word of ours, which has nothing to escape.
#[inline]
fn word_or_null(out: &mut Vec<u8>, label: &str, word: Option<&'static str>) {
    out.extend_from_slice(label.as_bytes());
    match word {
        Some(word) => push_plain(out, word),
        None => out.extend_from_slice(b"null"),
    }
}

fn texts<'t>(out: &mut Vec<u8>, label: &str, texts: impl Iterator<Item = &'t str>) {
    list(out, label, texts, push_text);
}

#[inline]
fn list<'t>(
    out: &mut Vec<u8>,
    label: &str,
    texts: impl Iterator<Item = &'t str>,
    push: impl Fn(&mut Vec<u8>, &str),
) {
    out.extend_from_slice(label.as_bytes());
    out.push(b'[');
    for (at, text) in texts.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push(out, text);
    }
    out.push(b']');
}

#[inline]
fn number(out: &mut Vec<u8>, label: &str, number: Option<u32>) {
    out.extend_from_slice(label.as_bytes());
    match number {
        Some(number) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        None => out.extend_from_slice(b"null"),
    }
}

#[inline]
fn truth(out: &mut Vec<u8>, label: &str, truth: bool) {
    out.extend_from_slice(label.as_bytes());
    out.extend_from_slice(if truth { b"true" } else { b"false" });
}

#[inline]
fn push_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    push_escaped(out, text);
    out.push(b'"');
}

fn push_plain(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// The inside of a JSON text: as it is, but for quotes, backslashes and control characters.
fn push_escaped(out: &mut Vec<u8>, text: &str) {
    let text = text.as_bytes();
    if is_plain(text) {
        out.extend_from_slice(text);
        return;
    }
    for byte in text {
        if is_special(*byte) {
            push_special(out, *byte);
        } else {
            out.push(*byte);
        }
    }
}

/// A byte that JSON does not hold as it is.
const fn is_special(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

/// Whether no byte is special.
fn is_plain(bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk() else {
        return !bytes.iter().copied().any(is_special);
    };
    let (words, _) = bytes.as_chunks();
    // The last eight bytes overlap with the last word.
    words.iter().all(|word| is_plain_word(*word)) && is_plain_word(*last)
}

/// Eight bytes in one step.
const fn is_plain_word(word: [u8; 8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = ONES * 0x80;
    let word = u64::from_le_bytes(word);
    // Without the high bits none of these sums runs over into the next byte.
    let low = word & !HIGH;
    let from_space = low + ONES * (0x80 - 0x20);
    let no_quote = (low ^ (ONES * 0x22)) + ONES * 0x7f;
    let no_backslash = (low ^ (ONES * 0x5c)) + ONES * 0x7f;
    ((from_space & no_quote & no_backslash) | word) & HIGH == HIGH
}

fn push_special(out: &mut Vec<u8>, byte: u8) {
    let digit = |at: u8| match at & 15 {
        at @ 0..10 => b'0' + at,
        at => b'a' + at - 10,
    };
    match byte {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        other => {
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&[digit(other >> 4), digit(other)]);
        }
    }
}
