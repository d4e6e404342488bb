//! Whether the folder is the same as before, without reading its files.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use sha2::{Digest, Sha256};

/// Names, sizes and times of everything that gates a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

/// What gates a send: files, and folders of files.
const GATES: &[&str] = &[
    "cadence_state",
    "ghl_usage.json",
    "heyreach_dispatch_log.jsonl",
    "heyreach_dispatch_state.json",
    "instantly_dispatch_log.jsonl",
    "instantly_dispatch_state.json",
    "lead_status",
    "operator_batches",
    "operator_state.json",
    "shadow_mode_emails",
    "unsubscribes.jsonl",
];

impl Fingerprint {
    /// The folder as it is now.
    pub fn of(root: &Path) -> io::Result<Self> {
        fs::read_dir(root)?;
        let mut hash = Sha256::new();
        for name in GATES {
            let path = root.join(name);
            let metadata = match fs::metadata(&path) {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            add(&mut hash, name.as_bytes(), &metadata);
            if !metadata.is_dir() {
                continue;
            }
            let mut files = Vec::new();
            for entry in fs::read_dir(&path)? {
                let entry = entry?;
                match entry.metadata() {
                    Ok(metadata) => files.push((entry.file_name(), metadata)),
                    // Gone since the folder was read.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            files.sort_by(|left, right| left.0.cmp(&right.0));
            for (file, metadata) in &files {
                add(&mut hash, file.as_encoded_bytes(), metadata);
            }
        }
        Ok(Self(hash.finalize().into()))
    }
}

fn add(hash: &mut Sha256, name: &[u8], metadata: &Metadata) {
    hash.update(name);
    for number in [
        metadata.ino(),
        metadata.len(),
        metadata.mtime().unsigned_abs(),
        metadata.mtime_nsec().unsigned_abs(),
        metadata.ctime_nsec().unsigned_abs(),
    ] {
        hash.update(number.to_be_bytes());
    }
}
