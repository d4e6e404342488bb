//! The identity of a person: normalising twice is normalising once, and a lead's address check
//! never disagrees with it.
#![no_main]

use caio_core::identity::{EmailKey, dedup_email_key, normalize_email};
use caio_core::record::check_address;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|email: &str| {
    let once = normalize_email(email);
    assert_eq!(normalize_email(&once), once);
    match EmailKey::parse(email) {
        Ok(key) => {
            assert_eq!(key.as_str(), once);
            assert_eq!(dedup_email_key(email), format!("email:{once}"));
        }
        Err(_) => assert!(once.is_empty()),
    }
    if let Ok(key) = check_address(email) {
        assert!(key.as_str().contains('@') && !key.as_str().contains(char::is_whitespace));
    }
});
