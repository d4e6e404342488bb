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
    text_or_null(out, ",\"icp_tier\":", score.tier());
    truth(out, ",\"needs_review\":", points.needs_review);
    text_or_null(
        out,
        ",\"disqualification_reason\":",
        score.disqualification(),
    );
    let breakdown = points.breakdown;
    number(out, ",\"score_breakdown\":{\"size\":", Some(breakdown.size));
    number(out, ",\"title\":", Some(breakdown.title));
    number(out, ",\"industry\":", Some(breakdown.industry));
    number(out, ",\"technology\":", Some(breakdown.technology));
    number(out, ",\"intent\":", Some(breakdown.intent));
    number(out, ",\"bonus\":", Some(breakdown.bonus));
    let multiplier = breakdown.multiplier_percent;
    number(out, ",\"multiplier_percent\":", Some(multiplier));
    texts(out, "},\"scoring_reasons\":", score.reasons.iter());
    text_or_null(out, ",\"recommended_campaign\":", score.campaign);
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

fn text(out: &mut Vec<u8>, label: &str, text: &str) {
    out.extend_from_slice(label.as_bytes());
    push_text(out, text);
}

fn text_or_null(out: &mut Vec<u8>, label: &str, given: Option<&str>) {
    match given {
        Some(given) => text(out, label, given),
        None => {
            out.extend_from_slice(label.as_bytes());
            out.extend_from_slice(b"null");
        }
    }
}

fn texts<'t>(out: &mut Vec<u8>, label: &str, texts: impl Iterator<Item = &'t str>) {
    out.extend_from_slice(label.as_bytes());
    out.push(b'[');
    for (at, text) in texts.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push_text(out, text);
    }
    out.push(b']');
}

fn number(out: &mut Vec<u8>, label: &str, number: Option<u32>) {
    out.extend_from_slice(label.as_bytes());
    match number {
        Some(number) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        None => out.extend_from_slice(b"null"),
    }
}

fn truth(out: &mut Vec<u8>, label: &str, truth: bool) {
    out.extend_from_slice(label.as_bytes());
    out.extend_from_slice(if truth { b"true" } else { b"false" });
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    push_escaped(out, text);
    out.push(b'"');
}

/// The inside of a JSON text: as it is, but for quotes, backslashes and control characters.
fn push_escaped(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    while let Some(at) = first_special(rest) {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain);
        let Some((special, behind)) = special.split_first() else {
            break;
        };
        push_special(out, *special);
        rest = behind;
    }
    out.extend_from_slice(rest);
}

/// Where the first byte stands that JSON does not hold as it is.
fn first_special(bytes: &[u8]) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        if let Some(byte) = special_in(*word) {
            return Some(at * 8 + byte);
        }
    }
    let mut last = [b'x'; 8];
    last[..rest.len()].copy_from_slice(rest);
    special_in(last).map(|byte| words.len() * 8 + byte)
}

/// Eight bytes in one step.
const fn special_in(word: [u8; 8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = ONES * 0x80;
    let word = u64::from_le_bytes(word);
    // Without the high bits none of these sums runs over into the next byte.
    let low = word & !HIGH;
    let from_space = low + ONES * (0x80 - 0x20);
    let no_quote = (low ^ (ONES * 0x22)) + ONES * 0x7f;
    let no_backslash = (low ^ (ONES * 0x5c)) + ONES * 0x7f;
    let special = !(from_space & no_quote & no_backslash) & !word & HIGH;
    if special == 0 {
        return None;
    }
    Some(special.trailing_zeros() as usize / 8)
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
