//! What a request brings to prove itself: no panic, and nothing that was not made with a key of ours
//! is taken.
#![no_main]

use caio_core::webhook::Source;
use caio_core::webhook::signature::{Keys, Request, signature_headers, verify};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: (&[u8], &[u8], &str, &[u8])| {
    let (first, second, url_key, body) = data;
    let now = Timestamp::from_second(1_772_445_600).expect("an instant");
    for source in Source::ALL {
        let mut keys = Keys::of(*source);
        keys.add_key("a key that nobody guesses 7f3a").expect("a key");
        keys.add_hmac("a secret that nobody guesses 91").expect("a secret");
        keys.add_standard("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=").expect("a secret");
        let mut names = vec!["authorization", "x-caio-webhook-key", "webhook-signature"];
        names.extend(signature_headers(*source));
        for name in names {
            let headers = [
                (name, first), ("webhook-id", second), ("webhook-timestamp", b"1772445600"),
            ];
            let request = Request { headers: &headers, url_key: Some(url_key), body };
            assert!(verify(*source, &keys, &request, now).is_err());
        }
        // Without a key nothing is taken, whatever it brings; GoHighLevel has its own.
        let request = Request { headers: &[(names_first(*source), first)], url_key: Some(url_key), body };
        assert!(verify(*source, &Keys::of(*source), &request, now).is_err());
    }
});

fn names_first(source: Source) -> &'static str {
    signature_headers(source).first().copied().unwrap_or("authorization")
}
