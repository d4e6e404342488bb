//! Files that are whole or not there, and what is done with those that are not.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use caio_core::identity::hex;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::layout::OWN;

/// How long a writer that truncates its files may take between two calls.
const HALF_WRITTEN: Duration = Duration::from_millis(20);

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) reason: String,
}

impl Trouble {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
        }
    }
}

/// First line of a file of ours; the value follows it, byte for byte.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    key: String,
    length: usize,
    sha256: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_us: Option<i64>,
}

/// A file of ours.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OwnFile {
    pub(super) key: String,
    pub(super) value: Vec<u8>,
    pub(super) expires: Option<Timestamp>,
}

impl OwnFile {
    pub(super) fn encode(&self) -> Vec<u8> {
        let header = Header {
            key: self.key.clone(),
            length: self.value.len(),
            sha256: hex(&Sha256::digest(&self.value)),
            expires_us: self.expires.map(Timestamp::as_microsecond),
        };
        let mut bytes = serde_json::to_vec(&header).unwrap_or_default();
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.value);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let header: Header = serde_json::from_slice(&bytes[..end]).ok()?;
        let value = &bytes[end + 1..];
        let is_whole = value.len() == header.length && hex(&Sha256::digest(value)) == header.sha256;
        let expires = header.expires_us.map(Timestamp::from_microsecond);
        is_whole.then_some(Self {
            key: header.key,
            value: value.to_vec(),
            expires: expires.transpose().ok()?,
        })
    }
}

/// What a file holds.
#[derive(Debug)]
pub(super) enum Content<T> {
    /// There is no such file.
    Absent,
    /// It cannot be read as what it should be.
    Broken(Trouble),
    /// A whole one.
    Whole(T),
}

/// A JSON object of the Python system.
pub(super) fn object(path: &Path) -> io::Result<Content<Value>> {
    read(path, |bytes| {
        let value: Option<Value> = serde_json::from_slice(bytes).ok();
        value.filter(Value::is_object)
    })
}

/// A file of ours.
pub(super) fn own(path: &Path) -> io::Result<Content<OwnFile>> {
    read(path, OwnFile::decode)
}

/// A file that is not whole is read once more: the Python system truncates before it writes.
fn read<T>(path: &Path, decode: impl Fn(&[u8]) -> Option<T>) -> io::Result<Content<T>> {
    for is_last in [false, true] {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Content::Absent),
            Err(error) => return Err(error),
        };
        if let Some(value) = decode(&bytes) {
            return Ok(Content::Whole(value));
        }
        if !is_last {
            std::thread::sleep(HALF_WRITTEN);
        }
    }
    Ok(Content::Broken(Trouble::new(
        "it is not whole, perhaps half written",
    )))
}

/// Replaces a file by one that is on the disk before it has the name.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder_of(path);
    private_folder(folder)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Neither begins nor ends as a record does, so no listing takes it for one.
    let temporary = folder.join(format!(".{name}.{}.tmp", std::process::id()));
    let written = (|| {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Puts a folder's names on the disk.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

/// Makes a folder for its owner alone.
pub(super) fn private_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or_else(|| Path::new("."))
}

/// The lock that our processes share; the Python system takes none.
pub(super) fn lock(root: &Path) -> io::Result<File> {
    let folder = root.join(OWN);
    private_folder(&folder)?;
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(folder.join("lock"))?;
    file.lock()?;
    Ok(file)
}

/// Keeps a copy of a broken file, once for each content; the file itself stays where it is, since a
/// record that is taken away would read as absent.
pub(super) fn quarantine(root: &Path, path: &Path) -> io::Result<PathBuf> {
    let bytes = fs::read(path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let digest = hex(&Sha256::digest(&bytes)[..4]);
    let copy = root
        .join(OWN)
        .join("quarantine")
        .join(format!("{name}.{digest}"));
    if !copy.exists() {
        replace(&copy, &bytes)?;
    }
    Ok(copy)
}

/// The files of a folder that end so, by name.
pub(super) fn list(folder: &Path, extension: &str) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let is_temporary = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !is_temporary && path.extension().is_some_and(|it| it == extension) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
