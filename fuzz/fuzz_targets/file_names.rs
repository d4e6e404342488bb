//! Names of files: injective, and never a way out of the folder.
#![no_main]

use caio_core::identity::{EmailKey, file_name, old_file_name};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|emails: (&str, &str)| {
    let (Ok(a), Ok(b)) = (EmailKey::parse(emails.0), EmailKey::parse(emails.1)) else { return };
    assert_eq!(file_name(&a) == file_name(&b), a == b);
    for name in [Some(file_name(&a)), old_file_name(&a)].into_iter().flatten() {
        assert!(!name.starts_with('/') && !name.split('/').any(|part| part == ".."), "{name}");
    }
});
