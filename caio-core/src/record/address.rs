//! Whether a text is an address that can be written to.

use std::borrow::Cow;

use email_address::{EmailAddress, Options};

use super::Refusal;
use crate::identity::EmailKey;

/// Longest address, in bytes (RFC 5321 with its angle brackets gone).
const MAX_BYTES: usize = 254;

/// The key of `email` and what a reviewer should know about it.
pub(super) fn check(email: &str) -> Result<(EmailKey, Vec<String>), Refusal> {
    let refuse = |reason: String| Refusal {
        field: "email".to_owned(),
        reason,
        expected: "an address such as name@example.com".to_owned(),
    };
    let key =
        EmailKey::parse(email).map_err(|_| refuse("there is no e-mail address".to_owned()))?;
    if email.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(refuse(format!(
            "the address {email:?} holds a space or control character"
        )));
    }
    if key.as_str().len() > MAX_BYTES {
        return Err(refuse(format!(
            "the address is longer than {MAX_BYTES} bytes"
        )));
    }
    let ascii = match email.rsplit_once('@') {
        Some((_, domain)) if is_plain_domain(domain) => Cow::Borrowed(email),
        Some((local, domain)) => match idna::domain_to_ascii(domain) {
            Ok(domain) => Cow::Owned(format!("{local}@{domain}")),
            Err(_) => return Err(refuse("the address has no usable domain".to_owned())),
        },
        None => return Err(refuse("it is no e-mail address".to_owned())),
    };
    let options = Options::default()
        .without_display_text()
        .without_domain_literal()
        .with_required_tld();
    if EmailAddress::parse_with_options(&ascii, options).is_err() {
        return Err(refuse("it is no e-mail address".to_owned()));
    }
    let mut flags = Vec::new();
    for (is, flag) in [
        (is_role(&key), "role_address"),
        (DISPOSABLE.contains(&key.domain()), "disposable_address"),
        (is_free_mail(key.domain()), "free_mail"),
    ] {
        if is {
            flags.push(flag.to_owned());
        }
    }
    Ok((key, flags))
}

/// A domain that international names do not change.
fn is_plain_domain(domain: &str) -> bool {
    domain
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-')
        && !domain.contains("--")
}

/// Whether the address is read by whoever has the job, not by one person.
pub fn is_role(key: &EmailKey) -> bool {
    let local = key.as_str().rsplit_once('@').map_or("", |(local, _)| local);
    ROLES.contains(&local)
}

/// Whether anybody can have an address at `domain`: it says nothing about a company.
pub fn is_free_mail(domain: &str) -> bool {
    FREE_MAIL.contains(&domain)
}

const ROLES: &[&str] = &[
    "abuse",
    "accounts",
    "admin",
    "billing",
    "careers",
    "contact",
    "enquiries",
    "hello",
    "help",
    "hr",
    "info",
    "jobs",
    "mail",
    "marketing",
    "no-reply",
    "noreply",
    "office",
    "postmaster",
    "press",
    "privacy",
    "sales",
    "security",
    "support",
    "team",
    "webmaster",
];

const FREE_MAIL: &[&str] = &[
    "aol.com",
    "fastmail.com",
    "gmail.com",
    "gmx.com",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hotmail.co.uk",
    "hotmail.com",
    "hotmail.fr",
    "icloud.com",
    "live.com",
    "mac.com",
    "mail.com",
    "mail.ru",
    "me.com",
    "msn.com",
    "outlook.com",
    "pm.me",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "web.de",
    "yahoo.co.uk",
    "yahoo.com",
    "yahoo.fr",
    "yandex.com",
    "yandex.ru",
    "ymail.com",
    "zoho.com",
];

const DISPOSABLE: &[&str] = &[
    "10minutemail.com",
    "discard.email",
    "dispostable.com",
    "getnada.com",
    "guerrillamail.com",
    "mailinator.com",
    "maildrop.cc",
    "sharklasers.com",
    "temp-mail.org",
    "tempmail.com",
    "throwawaymail.com",
    "trashmail.com",
    "yopmail.com",
];
