//! Who must not be written to: addresses, domains and companies.
//!
//! Only a person takes an entry back; no event and no import does. A match is by canonical address,
//! by domain with everything below it, or by the company's registrable domain.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::identity::EmailKey;
use crate::limits::registrable_domain;
use crate::record::is_free_mail;

/// What an entry covers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "scope", content = "value", rename_all = "snake_case")]
pub enum Scope {
    /// One address.
    Address(EmailKey),
    /// A domain and everything below it; a company is its registrable domain.
    Domain(String),
}

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppression {
    /// What it covers.
    #[serde(flatten)]
    pub scope: Scope,
    /// Why: `unsubscribed`, `customer`, `competitor`, `bounced`, or any text.
    pub reason: String,
    /// Where it comes from, such as a file or a webhook.
    pub source: String,
    /// Since when, RFC 3339 UTC.
    pub at: String,
    /// Who entered it.
    pub by: String,
}

/// Why something cannot be suppressed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScopeError {
    /// It is neither an address nor a domain.
    #[error("`{0}` is neither an e-mail address nor a domain such as example.com")]
    Neither(String),
    /// Everybody has an address there.
    #[error(
        "`{0}` is a free-mail domain: suppressing it would cover people everywhere; suppress their addresses"
    )]
    FreeMail(String),
}

impl ScopeError {
    /// Stable code.
    pub const CODE: &'static str = "suppression.scope";
}

impl Scope {
    /// An address, or a domain (also as `@example.com`, `*.example.com` or a web address).
    ///
    /// # Errors
    /// Anything else, and a free-mail domain.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let neither = || ScopeError::Neither(text.to_owned());
        let text = text.trim();
        match text.rsplit_once('@') {
            Some((local, _)) if !local.is_empty() => EmailKey::parse(text)
                .map(Self::Address)
                .map_err(|_| neither()),
            Some((_, domain)) => Self::domain(domain),
            None => Self::domain(text),
        }
    }

    /// A domain and everything below it.
    ///
    /// # Errors
    /// What is no domain, and a free-mail domain.
    pub fn domain(text: &str) -> Result<Self, ScopeError> {
        let lower = text.trim().to_lowercase();
        let host = lower
            .split_once("://")
            .map_or(lower.as_str(), |(_, rest)| rest);
        let host = host
            .split(['/', '?', ':'])
            .next()
            .unwrap_or("")
            .trim_end_matches('.');
        let host = host.trim_start_matches("*.").trim_start_matches("www.");
        let usable = host.contains('.')
            && !host.starts_with('.')
            && host
                .chars()
                .all(|c| c.is_alphanumeric() || c == '.' || c == '-');
        if !usable {
            return Err(ScopeError::Neither(text.to_owned()));
        }
        if is_free_mail(host) {
            return Err(ScopeError::FreeMail(host.to_owned()));
        }
        Ok(Self::Domain(host.to_owned()))
    }

    /// The whole company of an address or domain: its registrable domain.
    ///
    /// # Errors
    /// What is no domain, and a free-mail domain.
    pub fn company(text: &str) -> Result<Self, ScopeError> {
        let domain = text.rsplit_once('@').map_or(text, |(_, domain)| domain);
        match Self::domain(domain)? {
            Self::Domain(domain) => Self::domain(&registrable_domain(&domain)),
            address @ Self::Address(_) => Ok(address),
        }
    }

    /// Whether it covers `key`.
    pub fn covers(&self, key: &EmailKey) -> bool {
        match self {
            Self::Address(address) => address == key,
            Self::Domain(domain) => {
                let below = key.domain().strip_suffix(domain.as_str());
                below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
            }
        }
    }

    /// The address or domain.
    pub fn value(&self) -> &str {
        match self {
            Self::Address(key) => key.as_str(),
            Self::Domain(domain) => domain,
        }
    }
}

/// One entry of a list, or what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Line, 1-based; 0 in a JSON document.
    pub line: u64,
    /// What it covers, or why it cannot be used.
    pub scope: Result<Scope, ScopeError>,
    /// Since when, where the list says so.
    pub at: Option<String>,
    /// Why, where the list says so: the name of the member it stands in.
    pub reason: Option<String>,
    /// Where it comes from, where the list says so, as an export does.
    pub source: Option<String>,
}

/// Reads a list: the old `unsubscribes.jsonl` (`{email, at}` a line), the old exclusion lists (JSON
/// objects of lists), or plain lines and CSV whose first cell is an address or domain. One bad entry
/// costs itself alone.
pub fn read_list(text: &str) -> Vec<Listed> {
    let text = text.trim_start_matches('\u{feff}');
    if let Ok(document @ (Value::Array(_) | Value::Object(_))) = serde_json::from_str::<Value>(text)
    {
        let mut listed = Vec::new();
        collect(&document, None, &mut listed);
        return listed;
    }
    let lines = (1..).zip(text.lines());
    lines
        .filter_map(|(line, text)| line_of(line, text))
        .collect()
}

fn line_of(line: u64, text: &str) -> Option<Listed> {
    let text = text.trim();
    if text.is_empty() || text.starts_with('#') {
        return None;
    }
    if text.starts_with('{') {
        let mut listed = Vec::new();
        if let Ok(value) = serde_json::from_str::<Value>(text) {
            collect(&value, None, &mut listed);
        }
        let neither = Listed {
            line,
            scope: Err(ScopeError::Neither(text.to_owned())),
            at: None,
            reason: None,
            source: None,
        };
        let first = listed.into_iter().next().unwrap_or(neither);
        return Some(Listed { line, ..first });
    }
    let cell = text
        .split([',', ';', '\t'])
        .next()
        .unwrap_or("")
        .trim()
        .trim_matches('"');
    let header = matches!(
        cell.to_lowercase().as_str(),
        "email" | "e-mail" | "address" | "domain"
    );
    if line == 1 && header {
        return None;
    }
    Some(Listed {
        line,
        scope: Scope::parse(cell),
        at: None,
        reason: None,
        source: None,
    })
}

/// Members that hold an address or a domain, in any nesting.
fn collect(value: &Value, reason: Option<&str>, listed: &mut Vec<Listed>) {
    match value {
        Value::String(text) => {
            let scope = Scope::parse(text);
            listed.push(Listed {
                line: 0,
                scope,
                at: None,
                reason: reason.map(str::to_owned),
                source: None,
            });
        }
        Value::Array(items) => {
            for item in items {
                collect(item, reason, listed);
            }
        }
        Value::Object(members) => {
            let text = |name: &str| members.get(name).and_then(Value::as_str);
            let named = text("email")
                .or_else(|| text("domain"))
                .or_else(|| text("value"));
            if let Some(named) = named {
                let at = text("at").or_else(|| text("timestamp")).map(str::to_owned);
                let reason = text("reason").or(reason).map(str::to_owned);
                listed.push(Listed {
                    line: 0,
                    scope: Scope::parse(named),
                    at,
                    reason,
                    source: text("source").map(str::to_owned),
                });
                return;
            }
            for (name, member) in members {
                if member.is_array() || member.is_object() {
                    collect(member, Some(name), listed);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(email: &str) -> EmailKey {
        EmailKey::parse(email).unwrap()
    }

    #[test]
    fn a_domain_covers_what_is_below_it_and_nothing_beside_it() {
        let scope = Scope::parse("*.Acorn.example.com").unwrap();
        assert!(
            scope.covers(&key("kim@acorn.example.com"))
                && scope.covers(&key("kim@mail.acorn.example.com"))
        );
        assert!(
            !scope.covers(&key("kim@notacorn.example.com"))
                && !scope.covers(&key("kim@acorn.example.com.test"))
        );
        assert_eq!(
            Scope::company("kim@mail.acorn.co.uk").unwrap(),
            Scope::Domain("acorn.co.uk".to_owned())
        );
        assert!(matches!(
            Scope::parse("gmail.com"),
            Err(ScopeError::FreeMail(_))
        ));
        assert!(Scope::parse("gmail").is_err());
    }

    #[test]
    fn the_old_lists_are_read_and_a_bad_entry_costs_itself() {
        let text = "{\"email\": \" Lou@Beta.test \", \"at\": \"2026-03-03T08:00:00+00:00\"}\n{broken\n\n{\"email\": \"pat@beta.test\"}\n";
        let listed = read_list(text);
        assert_eq!(
            listed.iter().map(|it| it.line).collect::<Vec<_>>(),
            [1, 2, 4]
        );
        assert_eq!(listed[0].scope, Ok(Scope::Address(key("lou@beta.test"))));
        assert!(listed[0].at.is_some() && listed[1].scope.is_err());
        let exclusions = r#"{"version": 1, "customers": [{"email": "a@x.test"}, {"domain": "y.test"}], "competitors": ["z.test", 3]}"#;
        let reasons: Vec<_> = read_list(exclusions)
            .into_iter()
            .map(|it| it.reason.unwrap())
            .collect();
        assert_eq!(reasons, ["customers", "customers", "competitors"]);
        let plain =
            read_list("email,why\nkim@example.com,asked\n# a remark\nexample.org\nnonsense\n");
        assert_eq!(plain.len(), 3);
        assert!(plain[2].scope.is_err());
    }

    #[test]
    fn an_export_read_again_says_the_same() {
        let entry = Suppression {
            scope: Scope::company("kim@mail.acorn.co.uk").unwrap(),
            reason: "customer".to_owned(),
            source: "exclusions/customers.json".to_owned(),
            at: "2026-03-02T09:00:00.000000Z".to_owned(),
            by: "kim".to_owned(),
        };
        let line = serde_json::to_string(&entry).unwrap();
        let listed = read_list(&format!("{line}\n{line}\n")).remove(1);
        assert_eq!(listed.scope, Ok(entry.scope));
        assert_eq!(listed.reason, Some(entry.reason));
        assert_eq!(listed.source, Some(entry.source));
        assert_eq!(listed.at, Some(entry.at));
    }

    proptest! {
        #[test]
        fn an_address_in_any_case_and_padding_is_covered(local in "[a-z]{1,8}", pad in "[ \t]{0,2}") {
            let email = format!("{local}@example.com");
            let scope = Scope::parse(&format!("{pad}{}{pad}", email.to_uppercase())).unwrap();
            prop_assert!(scope.covers(&key(&email)));
        }

        #[test]
        fn any_text_ends(text in any::<String>()) {
            let _ = read_list(&text);
        }
    }
}
