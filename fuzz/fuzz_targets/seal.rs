//! Keys and stored batches that outsiders may have edited: no panic, and no key in an error.
#![no_main]

use caio_core::batch::{Batch, SealKeys};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: (&str, &[u8])| {
    let (keys, batch) = data;
    if let Err(error) = SealKeys::parse(keys) {
        let secret = keys.split_once(':').map_or("", |(_, secret)| secret);
        assert!(secret.len() < 12 || !error.to_string().contains(secret));
    }
    let known = SealKeys::parse("k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=").expect("a key");
    if let Ok(batch) = serde_json::from_slice::<Batch>(batch) {
        assert!(batch.verify(&known, Default::default()).is_err(), "a seal out of nothing");
        assert_eq!(batch.compute_digest().len(), 64);
    }
});
