//! The seal's keys: from `CAIO_SEAL_KEYS`, or a file beside the embedded store.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use caio_core::IdSource;
use caio_core::batch::SealKeys;

use crate::exit::{Failure, Result};

/// The keys; made once, readable by the owner alone, when `ids` are given and there are none.
///
/// # Errors
/// Keys that cannot be used, and a file that others can read. No error shows a key.
pub(super) fn seal_keys(
    home: &Path,
    environment: &BTreeMap<String, String>,
    ids: Option<&dyn IdSource>,
) -> Result<Option<SealKeys>> {
    if let Some(text) = environment
        .get("CAIO_SEAL_KEYS")
        .filter(|text| !text.is_empty())
    {
        return parse(text, "CAIO_SEAL_KEYS").map(Some);
    }
    let path = home.join("seal.key");
    let name = path.display().to_string();
    match fs::metadata(&path) {
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => Err(Failure::new(
            "seal.permissions",
            format!("{name} can be read by others"),
        )
        .hint(format!("make it yours alone: chmod 600 {name}"))),
        Ok(_) => parse(super::read(&path)?.trim(), &name).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => match ids {
            None => Ok(None),
            Some(ids) => make(&path, ids)
                .and_then(|text| parse(&text, &name))
                .map(Some),
        },
        Err(error) => Err(Failure::new("file.read", format!("{name}: {error}"))),
    }
}

fn parse(text: &str, origin: &str) -> Result<SealKeys> {
    SealKeys::parse(text).map_err(|error| Failure::new("seal.keys", format!("{origin}: {error}")))
}

fn make(path: &Path, ids: &dyn IdSource) -> Result<String> {
    let text = format!("k{}:{}", &ids.id()[..8], STANDARD.encode(ids.random()));
    let written = (|| {
        if let Some(folder) = path.parent() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
        }
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    })();
    match written {
        Ok(()) => Ok(text),
        // Somebody else made it at the same time: theirs counts.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            super::read(path).map(|text| text.trim().to_owned())
        }
        Err(error) => Err(Failure::new(
            "seal.write",
            format!("{}: {error}", path.display()),
        )),
    }
}
