//! The old system's folder: files that appear whole, and locks that the operating system keeps.

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use caio_core::EmailKey;
use caio_core::identity;
use pyo3::PyResult;
use serde_json::Value;

use super::parse;
use crate::errors::Class;

/// The folder, and the locks that are held in it.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) root: PathBuf,
    /// By motion: token, the process that took it, and the file that is locked.
    held: Mutex<HashMap<String, (String, u32, File)>>,
}

impl Folder {
    /// Makes it where it is missing, as the old store did.
    pub(crate) fn open(root: PathBuf) -> PyResult<Self> {
        for part in ["operator_batches", "cadence_state"] {
            let folder = root.join(part);
            fs::create_dir_all(&folder).map_err(|error| failed(&folder, &error))?;
        }
        Ok(Self {
            root,
            held: Mutex::new(HashMap::new()),
        })
    }

    /// Every record of a folder whose file name begins so, by name.
    pub(crate) fn list(&self, folder: &str, begins: &str) -> PyResult<Vec<Value>> {
        let folder = self.root.join(folder);
        let mut records = Vec::new();
        for path in paths(&folder)? {
            let fits = path
                .file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| name.starts_with(begins));
            if fits && let Some(record) = read(&path)? {
                records.push(record);
            }
        }
        Ok(records)
    }

    /// Takes a lock that ends with this process, whatever becomes of it.
    pub(crate) fn lock(&self, motion: &str, token: &str) -> PyResult<bool> {
        let folder = self.root.join("locks");
        fs::create_dir_all(&folder).map_err(|error| failed(&folder, &error))?;
        let path = folder.join(format!("operator_{motion}.lock"));
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|error| failed(&path, &error))?;
        match file.try_lock() {
            Ok(()) => {
                let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
                held.insert(
                    motion.to_owned(),
                    (token.to_owned(), std::process::id(), file),
                );
                Ok(true)
            }
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(failed(&path, &error)),
        }
    }

    pub(crate) fn unlock(&self, motion: &str, token: &str) -> PyResult<()> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        match held.get(motion) {
            // A child of a fork has its parent's locks in its memory, and no part in them.
            Some((holder, process, _)) if holder == token && *process == std::process::id() => {}
            _ => return Ok(()),
        }
        if let Some((_, _, file)) = held.remove(motion) {
            file.unlock().map_err(|error| failed(&self.root, &error))?;
        }
        Ok(())
    }
}

/// Where a person's record stands, or will stand: under the old name while that is theirs or free,
/// since other scripts read there; else under the hash (PR-1).
pub(crate) fn person_file(
    folder: &Path,
    person: &EmailKey,
    old_name: Option<String>,
) -> PyResult<PathBuf> {
    let hashed = folder.join(identity::file_name(person));
    let Some(old) = old_name.map(|name| folder.join(name)) else {
        return Ok(hashed);
    };
    if exists(&hashed)? {
        return Ok(hashed);
    }
    // A broken file under the old name may be this person's: it is found, and is an error.
    let theirs = match read(&old) {
        Ok(Some(record)) => record
            .get("email")
            .and_then(Value::as_str)
            .is_none_or(|email| identity::is_record_of(person, email)),
        Ok(None) | Err(_) => true,
    };
    Ok(if theirs { old } else { hashed })
}

fn exists(path: &Path) -> PyResult<bool> {
    path.try_exists().map_err(|error| failed(path, &error))
}

/// The JSON files of a folder, by name; a missing folder holds none.
pub(crate) fn paths(folder: &Path) -> PyResult<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(folder, &error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| failed(folder, &error))?.path();
        if path.extension().is_some_and(|it| it == "json") {
            paths.push(path);
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

/// A record; None only where there is no file.
pub(crate) fn read(path: &Path) -> PyResult<Option<Value>> {
    match fs::read_to_string(path) {
        Ok(text) => parse(&path.display().to_string(), &text).map(Some),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            Err(Class::StateCorrupt.error("store.corrupt", format!("{}: {error}", path.display())))
        }
        Err(error) => Err(failed(path, &error)),
    }
}

/// Writes a record, indented as the old system does; it appears whole or not at all (CP12).
pub(crate) fn write_whole(path: &Path, record: &Value) -> PyResult<()> {
    let text = serde_json::to_vec_pretty(record).map_err(crate::convert::invalid)?;
    let part = path.with_extension(format!("{}.part", uuid::Uuid::new_v4().simple()));
    let put = || -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = File::create(&part)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&part, path)?;
        match path.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    };
    put().map_err(|error| {
        let _ = fs::remove_file(&part);
        failed(path, &error)
    })
}

pub(crate) fn failed(path: &Path, error: &std::io::Error) -> pyo3::PyErr {
    Class::StateUnavailable.error("store.unavailable", format!("{}: {error}", path.display()))
}
