//! The preview hash of any JSON ends in a hash or a Python exception, whatever the order of ids.
#![no_main]

use caio_core::compat::compute_preview_hash;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Ok(mut batch) = serde_json::from_slice::<Value>(data) else { return };
    let Ok(hash) = compute_preview_hash(&batch) else { return };
    assert_eq!(hash.as_str().len(), 64);
    let ids = batch.get_mut("approved_shadow_email_ids").and_then(Value::as_array_mut);
    if let Some(ids) = ids
        && ids.iter().all(Value::is_string)
    {
        ids.reverse();
        assert_eq!(compute_preview_hash(&batch).expect("the same ids"), hash);
    }
});
