//! Whether a text is an address that can be written to.

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
    if key.as_str().len() > MAX_BYTES {
        return Err(refuse(format!(
            "the address is longer than {MAX_BYTES} bytes"
        )));
    }
    if !is_plain(email) {
        check_any(email).map_err(refuse)?;
    }
    let (local, domain) = key.as_str().rsplit_once('@').unwrap_or_default();
    let mut flags = Vec::new();
    for (is, flag) in [
        (ROLES.contains(&local), "role_address"),
        (DISPOSABLE.contains(&domain), "disposable_address"),
        (is_free_mail(domain), "free_mail"),
    ] {
        if is {
            flags.push(flag.to_owned());
        }
    }
    Ok((key, flags))
}

/// Why an address of any shape cannot be written to.
fn check_any(email: &str) -> Result<(), String> {
    if email.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(format!(
            "the address {email:?} holds a space or control character"
        ));
    }
    let (local, domain) = email
        .rsplit_once('@')
        .ok_or_else(|| "it is no e-mail address".to_owned())?;
    let domain =
        idna::domain_to_ascii(domain).map_err(|_| "the address has no usable domain".to_owned())?;
    let options = Options::default()
        .without_display_text()
        .without_domain_literal()
        .with_required_tld();
    match EmailAddress::parse_with_options(&format!("{local}@{domain}"), options) {
        Ok(_) => Ok(()),
        Err(_) => Err("it is no e-mail address".to_owned()),
    }
}

/// Whether this is an address of the shape that nearly all have, which is always a good one: saves the
/// whole grammar for the others.
fn is_plain(email: &str) -> bool {
    // Parts are what stands between dots and the `@`.
    let (mut part, mut letters_only, mut joint) = (0, true, true);
    let (mut at, mut dot_behind) = (None, false);
    for (position, byte) in email.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' => letters_only = false,
            b'.' | b'@' => {
                if joint || part > 63 || (byte == b'@' && at.is_some()) {
                    return false;
                }
                if byte == b'@' {
                    at = Some(position);
                }
                dot_behind |= byte == b'.' && at.is_some();
                (part, letters_only, joint) = (0, true, true);
                continue;
            }
            b'-' if !joint => {}
            b'_' | b'+' if at.is_none() && part > 0 => {}
            _ => return false,
        }
        part += 1;
        joint = false;
        if matches!(byte, b'-' | b'_' | b'+') {
            (joint, letters_only) = (true, false);
        }
    }
    at.is_some_and(|at| at <= 64) && dot_behind && (2..=63).contains(&part) && letters_only
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
    "maildrop.cc",
    "mailinator.com",
    "sharklasers.com",
    "temp-mail.org",
    "tempmail.com",
    "throwawaymail.com",
    "trashmail.com",
    "yopmail.com",
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn most_addresses_are_plain() {
        for plain in ["kim.doe@example.com", "Kim_D+x@a-b.example.co", "k@x1.ab"] {
            assert!(is_plain(plain), "{plain}");
        }
        for other in [
            "k@xn--bcher-kva.ab",
            "\"k d\"@x.ab",
            "k@x",
            "k..d@x.ab",
            "k@-x.ab",
            "k@x.a1",
        ] {
            assert!(!is_plain(other), "{other}");
        }
    }

    proptest! {
        #[test]
        fn a_plain_address_passes_the_whole_grammar(
            email in "[a-zA-Z0-9._+-]{1,12}@[a-zA-Z0-9.-]{1,16}\\.[a-z0-9]{1,4}"
        ) {
            prop_assert!(!is_plain(&email) || check_any(&email).is_ok(), "{email}");
        }
    }
}
