//! Keys and stored batches that outsiders may have edited: no panic, and no key in an error.
#![no_main]

use caio_core::batch::{Batch, SealKeyError, SealKeys};
use libfuzzer_sys::fuzz_target;

/// What an error says without its numbers.
fn words(error: &SealKeyError) -> String {
    let text = error.to_string();
    text.chars().filter(|it| !it.is_ascii_digit()).collect()
}

fuzz_target!(|data: (&str, &[u8])| {
    let (keys, batch) = data;
    if let Err(error) = SealKeys::parse(keys) {
        // An error holds positions and lengths and nothing else of the value.
        let possible = [
            SealKeyError::DuplicateId { first: 0, second: 0 },
            SealKeyError::Missing,
            SealKeyError::Form { position: 0 },
            SealKeyError::NotBase64 { position: 0 },
            SealKeyError::TooShort { position: 0, bytes: 0 },
        ];
        assert!(possible.iter().any(|it| words(it) == words(&error)));
    }
    let known = SealKeys::parse("k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=").expect("a key");
    if let Ok(batch) = serde_json::from_slice::<Batch>(batch) {
        assert!(batch.verify(&known, Default::default()).is_err(), "a seal out of nothing");
        assert_eq!(batch.compute_digest().len(), 64);
    }
});
