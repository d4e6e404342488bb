//! A letter as its template prints it with a lead's variables, as plain text.

use serde_json::{Map, Value};

use super::instantly::{Campaign, Lead};
use super::text;

/// What one step says to one lead.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(super) struct Letter {
    pub(super) subject: String,
    pub(super) body: String,
    /// Variables that the lead has no value for: they print as nothing.
    pub(super) missing: Vec<String>,
}

/// The first letter of every step; only the first sequence is ever used.
pub(super) fn letters(campaign: &Campaign, lead: &Lead) -> Vec<Letter> {
    let sequences = campaign.record.get("sequences");
    let steps = sequences.and_then(|sequences| sequences.pointer("/0/steps"));
    let steps = steps.and_then(Value::as_array).into_iter().flatten();
    let variants = steps.filter_map(|step| {
        let variants = step.get("variants").and_then(Value::as_array)?;
        let on = |variant: &&Value| variant.get("v_disabled") != Some(&Value::Bool(true));
        variants.iter().find(on)
    });
    variants
        .map(|variant| {
            let mut missing = Vec::new();
            let subject = fill(text(variant.get("subject")), &lead.record, &mut missing);
            let body = fill(text(variant.get("body")), &lead.record, &mut missing);
            Letter {
                subject: plain(&subject),
                body: plain(&body),
                missing,
            }
        })
        .collect()
}

/// Puts values in place of `{{name}}`; words to choose from (`{{RANDOM | a | b}}`) stay as they are.
fn fill(template: &str, lead: &Map<String, Value>, missing: &mut Vec<String>) -> String {
    let payload = lead.get("payload").and_then(Value::as_object);
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        let Some((name, after)) = after.split_once("}}") else {
            filled.push_str("{{");
            rest = after;
            continue;
        };
        rest = after;
        let name = name.trim();
        if name.contains('|') {
            filled.push_str(&format!("{{{{{name}}}}}"));
            continue;
        }
        let value = payload
            .and_then(|payload| payload.get(name))
            .or_else(|| lead.get(name));
        match value {
            Some(Value::String(value)) => filled.push_str(value),
            // The word `null`, as the vendor prints it.
            Some(value) => filled.push_str(&value.to_string()),
            None if missing.iter().any(|known| known == name) => {}
            None => missing.push(name.to_owned()),
        }
    }
    filled.push_str(rest);
    filled
}

/// The text of simple HTML: lines from breaks and blocks, no tags, no entities.
pub(super) fn plain(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some((before, after)) = rest.split_once('<') {
        text.push_str(before);
        // A sign that opens no tag is itself.
        let opens = after.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!'));
        let Some((tag, after)) = after.split_once('>').filter(|_| opens) else {
            text.push('<');
            rest = after;
            continue;
        };
        rest = after;
        let name: String = tag
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '/')
            .collect();
        match name.trim_end_matches('/').to_ascii_lowercase().as_str() {
            "/div" | "/li" | "/tr" | "br" => text.push('\n'),
            "/h1" | "/h2" | "/h3" | "/p" => text.push_str("\n\n"),
            _ => {}
        }
    }
    text.push_str(rest);
    entities(text.trim())
}

/// Text with what its entities stand for.
pub(super) fn entities(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let named = after
            .split_once(';')
            .and_then(|(name, after)| Some((entity(name)?, after)));
        match named {
            Some((letter, after)) => {
                plain.push(letter);
                rest = after;
            }
            None => {
                plain.push('&');
                rest = after;
            }
        }
    }
    plain + rest
}

fn entity(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "apos" => '\'',
        "gt" => '>',
        "lt" => '<',
        "nbsp" => ' ',
        "quot" => '"',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filled(template: &str) -> (String, Vec<String>) {
        let lead =
            json!({ "email": "a@example.com", "payload": { "firstName": "Ada", "n": null } });
        let mut missing = Vec::new();
        let text = fill(template, lead.as_object().unwrap(), &mut missing);
        (text, missing)
    }

    #[test]
    fn a_template_prints_what_the_lead_has_and_says_what_it_lacks() {
        assert_eq!(
            filled("Hi {{ firstName }}, {{x}}{{x}}{{n}} {{email}} {{a|b}} {{open"),
            (
                "Hi Ada, null a@example.com {{a|b}} {{open".to_owned(),
                vec!["x".to_owned()]
            )
        );
    }

    #[test]
    fn html_becomes_text_and_never_tags() {
        assert_eq!(
            plain(
                "<p>1 &lt; 2 &amp;amp; 3</p><script src=x></script>a<br/>b < c &#39;&#x41; &nope;"
            ),
            "1 < 2 &amp; 3\n\na\nb < c 'A &nope;"
        );
    }
}
