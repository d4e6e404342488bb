//! Names of the files that hold one person's records.
//!
//! The Python system spelled the address into the name and lost the difference between
//! `a.b@example.com` and `a_b@example.com` on the way (PR-1). Ours are hashes; the old name is
//! still known for look-ups, whose record counts only if [`is_record_of`] says so.

use sha2::Digest;
use sha2::Sha256;

use super::EmailKey;
use super::hex;
use super::normalize_email;

/// File name of a person's record: 64 hex digits of SHA-256 over the address, and `.json`.
///
/// Injective, free of separators, and the same whatever case or space the address came with.
pub fn file_name(key: &EmailKey) -> String {
    format!("{}.json", hex(&Sha256::digest(key.as_str())))
}

/// The name that the Python system gave the same record, to look for it.
///
/// `None` for an address whose old name would have left its folder.
pub fn old_file_name(key: &EmailKey) -> Option<String> {
    let stem = key.as_str().replace('@', "_at_").replace('.', "_");
    (!stem.contains(['/', '\\', '\0'])).then(|| format!("{stem}.json"))
}

/// Whether a record that names `recorded_email` inside is about `key`; to be asked of every
/// record found under an old name, since two people could share one (PR-1).
pub fn is_record_of(key: &EmailKey, recorded_email: &str) -> bool {
    normalize_email(recorded_email) == key.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(email: &str) -> EmailKey {
        EmailKey::parse(email).unwrap()
    }

    #[test]
    fn two_people_under_one_old_name_are_told_apart() {
        let (dotted, underscored) = (key("a.b@example.com"), key("a_b@example.com"));
        assert_eq!(old_file_name(&dotted), old_file_name(&underscored));
        assert_eq!(
            old_file_name(&dotted).as_deref(),
            Some("a_b_at_example_com.json")
        );
        assert_ne!(file_name(&dotted), file_name(&underscored));
        assert!(is_record_of(&dotted, " A.B@Example.com"));
        assert!(!is_record_of(&dotted, "a_b@example.com"));
    }

    #[test]
    fn an_address_cannot_name_a_file_elsewhere() {
        assert_eq!(old_file_name(&key("/tmp/x@example.com")), None);
        assert_eq!(old_file_name(&key("..\\x@example.com")), None);
    }

    proptest! {
        #[test]
        fn new_names_are_injective_plain_and_never_old_ones(
            left in "[ -~é]{1,20}",
            right in "[ -~é]{1,20}",
        ) {
            prop_assume!(EmailKey::parse(&left).is_ok() && EmailKey::parse(&right).is_ok());
            let (left, right) = (key(&left), key(&right));
            prop_assert_eq!(file_name(&left) == file_name(&right), left == right);
            prop_assert_eq!(file_name(&left).len(), 69);
            prop_assert!(file_name(&left).bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.'));
            prop_assert_ne!(Some(file_name(&left)), old_file_name(&left));
        }
    }
}
