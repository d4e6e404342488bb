//! Any text, read as a list of opt-outs: no panic, and what is taken covers what it names.
#![no_main]

use caio_core::identity::EmailKey;
use caio_core::suppression::{Scope, read_list};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for listed in read_list(text) {
        match listed.scope {
            Ok(scope @ Scope::Address(_)) => {
                assert!(scope.covers(&EmailKey::parse(scope.value()).expect("a key")));
            }
            Ok(Scope::Domain(domain)) => assert!(domain.contains('.') && !domain.contains('@')),
            Err(_) => {}
        }
    }
});
