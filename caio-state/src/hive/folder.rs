//! The folder at one instant: finding a document, and the commit of one.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use caio_core::identity::hex;
use jiff::{SignedDuration, Timestamp};
use sha1::{Digest, Sha1};

use super::files::{self, Content, OwnFile, Trouble};
use super::layout::{self, BATCHES, CADENCES, Family, OWN, STATUSES};
use super::{BACKEND, Memory, Stamp, unavailable, unsupported};
use crate::Access;
use crate::error::{Result, StoreError};
use crate::guard::{TXN_HOURS, View, first_failing, later};
use crate::key::Key;
use crate::store::{Version, Versioned};
use crate::txn::{CommitOutcome, Guard, Txn, Write};

/// The folder at one instant.
pub(super) struct Folder<'a> {
    pub(super) root: &'a Path,
    pub(super) access: Access,
    pub(super) now: Timestamp,
    pub(super) memory: &'a mut Memory,
}

/// A document of the folder.
pub(super) struct Found {
    pub(super) file: PathBuf,
    pub(super) value: Vec<u8>,
    pub(super) expires: Option<Timestamp>,
}

impl Found {
    pub(super) fn versioned(self) -> Versioned {
        Versioned {
            version: Version(hex(&Sha1::digest(&self.value))),
            value: self.value,
        }
    }
}

impl Folder<'_> {
    pub(super) fn find(&mut self, key: &Key) -> Result<Option<Found>> {
        let family = Family::of(key);
        let file = match layout::file_of(self.root, key) {
            Some(file) => file,
            None => match self.persons_file(family, key)? {
                Some(file) => file,
                None => return Ok(None),
            },
        };
        let found = self.read(family, &file)?;
        Ok(found.and_then(|(inside, found)| (inside == *key).then_some(found)))
    }

    /// A live document, and its name.
    pub(super) fn read(&self, family: Family, file: &Path) -> Result<Option<(Key, Found)>> {
        let failed = |error: io::Error| unavailable(file, &error);
        let (key, value, expires) = if family == Family::Own {
            match files::own(file).map_err(failed)? {
                Content::Absent => return Ok(None),
                Content::Broken(trouble) => return Err(self.corrupt(file, &trouble)),
                Content::Whole(OwnFile {
                    key,
                    value,
                    expires,
                }) => (Key::stored(&key), value, expires),
            }
        } else {
            match files::object(file).map_err(failed)? {
                Content::Absent => return Ok(None),
                Content::Broken(trouble) => return Err(self.corrupt(file, &trouble)),
                Content::Whole(record) => {
                    let key = family.key_of(file, &record);
                    let key = key.map_err(|trouble| self.corrupt(file, &trouble))?;
                    (key, layout::value_of(&record), None)
                }
            }
        };
        let found = Found {
            file: file.to_owned(),
            value,
            expires,
        };
        let is_live = expires.is_none_or(|expires| expires > self.now);
        Ok(is_live.then_some((key, found)))
    }

    /// The file about one person. Where none is, and one of the folder cannot be read, nobody knows.
    fn persons_file(&mut self, family: Family, key: &Key) -> Result<Option<PathBuf>> {
        let mut found = Vec::new();
        let mut broken = None;
        for (file, inside) in self.listed(family)? {
            match inside {
                Ok(inside) if inside == *key => found.push(file),
                Ok(_) => {}
                Err(trouble) => broken = Some((file, trouble)),
            }
        }
        match (found.len(), broken) {
            (0, Some((file, trouble))) => Err(self.corrupt(&file, &trouble)),
            (0, None) => Ok(None),
            (1, _) => Ok(found.pop()),
            // The Python system's names let one person have several files; ours is the newest word.
            _ => match found.iter().position(|file| layout::is_named_by(file, key)) {
                Some(ours) => Ok(Some(found.swap_remove(ours))),
                None => {
                    let reason = format!("{} tells of the same person", found[1].display());
                    Err(self.corrupt(&found[0], &Trouble::new(reason)))
                }
            },
        }
    }

    /// The files of a family, and which document each one holds.
    fn listed(&mut self, family: Family) -> Result<Vec<(PathBuf, Result<Key, Trouble>)>> {
        let (folder, extension) = match family {
            Family::Batch => (self.root.join(BATCHES.1), "json"),
            Family::Person { folder, .. } => (self.root.join(folder), "json"),
            Family::Own => (self.root.join(OWN), "rec"),
            Family::Daily => {
                let file = self.root.join("operator_state.json");
                let inside = self.read(family, &file)?;
                return Ok(inside.map(|(key, _)| (file, Ok(key))).into_iter().collect());
            }
        };
        let failed = |error: io::Error| unavailable(&folder, &error);
        let mut listed = Vec::new();
        for file in files::list(&folder, extension).map_err(failed)? {
            let Ok(stamp) = stamp(&file) else {
                // Gone since the folder was read.
                continue;
            };
            let inside = match self.memory.known.get(&file) {
                Some((known, inside)) if *known == stamp => inside.clone(),
                _ => {
                    let Some(inside) = inside(family, &file).map_err(failed)? else {
                        continue;
                    };
                    let entry = (stamp, inside.clone());
                    self.memory.known.insert(file.clone(), entry);
                    inside
                }
            };
            listed.push((file, inside));
        }
        Ok(listed)
    }

    /// Every document whose name begins so, by name. A file that cannot be read is an error: a listing
    /// leaves nothing out.
    pub(super) fn documents(&mut self, prefix: &str) -> Result<BTreeMap<Key, (Family, PathBuf)>> {
        let mut documents = BTreeMap::new();
        for family in [
            Family::Batch,
            CADENCES,
            STATUSES,
            Family::Daily,
            Family::Own,
        ] {
            for (file, inside) in self.listed(family)? {
                let key = inside.map_err(|trouble| self.corrupt(&file, &trouble))?;
                if key.as_str().starts_with(prefix) {
                    documents.insert(key, (family, file));
                }
            }
        }
        Ok(documents)
    }

    pub(super) fn commit(&mut self, txn: &Txn) -> Result<CommitOutcome> {
        while let Some((at, id)) = self.memory.forgotten.pop_front() {
            if at > self.now {
                self.memory.forgotten.push_front((at, id));
                break;
            }
            self.memory.outcomes.remove(&id);
        }
        if let Some(first) = self.memory.outcomes.get(&txn.id.0) {
            return Ok(first.clone());
        }
        let found = match one_document(txn)? {
            Some(key) => Some((key, self.find(key)?)),
            None => None,
        };
        let view = One(found.as_ref().and_then(|(_, it)| it.as_ref()));
        let outcome = match first_failing(&view, &txn.guards, self.now)? {
            Some(guard) => CommitOutcome::Refused { guard },
            None => {
                if let (Some(write), Some((key, found))) = (txn.writes.first(), found) {
                    self.write(key, write, found)?;
                }
                CommitOutcome::Committed
            }
        };
        let forgotten = later(self.now, SignedDuration::from_hours(TXN_HOURS));
        let id = txn.id.0.clone();
        self.memory.forgotten.push_back((forgotten, id.clone()));
        self.memory.outcomes.insert(id, outcome.clone());
        Ok(outcome)
    }

    fn write(&mut self, key: &Key, write: &Write, found: Option<Found>) -> Result<()> {
        let file = match write {
            Write::Put {
                value, expires_in, ..
            } => {
                let (file, bytes) = self.encoded(key, value, *expires_in, found)?;
                files::replace(&file, &bytes).map_err(|error| unavailable(&file, &error))?;
                file
            }
            _ => match found {
                Some(found) => {
                    let failed = |error: io::Error| unavailable(&found.file, &error);
                    std::fs::remove_file(&found.file).map_err(failed)?;
                    found.file
                }
                None => return Ok(()),
            },
        };
        // Times of files are coarse: a second change within one of their ticks must be seen too.
        self.memory.known.remove(&file);
        files::sync_folder(&file).map_err(|error| StoreError::Ambiguous {
            backend: BACKEND,
            reason: format!("{}: it may not be on the disk: {error}", file.display()),
        })
    }

    /// The file for a value, and what it will hold.
    fn encoded(
        &self,
        key: &Key,
        value: &[u8],
        expires_in: Option<SignedDuration>,
        found: Option<Found>,
    ) -> Result<(PathBuf, Vec<u8>)> {
        let family = Family::of(key);
        if family == Family::Own {
            let file = layout::file_of(self.root, key).unwrap_or_default();
            let own = OwnFile {
                key: key.as_str().to_owned(),
                value: value.to_vec(),
                expires: expires_in.map(|ttl| later(self.now, ttl)),
            };
            return Ok((file, own.encode()));
        }
        let invalid = |what: &str| StoreError::Invalid(format!("hive: `{key}`: {what}"));
        let (bytes, record) =
            layout::text_of(family, value).ok_or_else(|| invalid("expected a JSON object"))?;
        let known = found.map(|found| found.file);
        let file = known.or_else(|| match family {
            Family::Person { folder, .. } => layout::new_file(self.root, folder, &record),
            _ => layout::file_of(self.root, key),
        });
        let file = file.ok_or_else(|| invalid("`email` inside holds no address"))?;
        match family.key_of(&file, &record) {
            Ok(inside) if inside == *key => {}
            Ok(inside) => return Err(invalid(&format!("the record inside is `{inside}`"))),
            Err(trouble) => return Err(invalid(&trouble.reason)),
        }
        if family == Family::Daily
            && let Some((kept, _)) = self.read(family, &file)?
            && kept > *key
        {
            return Err(unsupported("a day before the one that the folder keeps"));
        }
        Ok((file, bytes))
    }

    /// What a file at fault answers; a copy of it is kept.
    fn corrupt(&self, file: &Path, trouble: &Trouble) -> StoreError {
        let kept = match self.access {
            Access::ReadOnly => String::new(),
            Access::ReadWrite => match files::quarantine(self.root, file) {
                Ok(copy) => format!("; a copy is kept as {}", copy.display()),
                Err(error) => format!("; no copy could be kept: {error}"),
            },
        };
        let name = file.strip_prefix(self.root).unwrap_or(file);
        StoreError::Corrupt {
            backend: BACKEND,
            key: name.display().to_string(),
            reason: format!("{}{kept}", trouble.reason),
        }
    }
}

/// The document of a transaction, as guards see it.
struct One<'a>(Option<&'a Found>);

impl View for One<'_> {
    fn document(&self, _: &Key) -> Result<Option<Versioned>> {
        let found = self.0.map(|found| Found {
            file: PathBuf::new(),
            value: found.value.clone(),
            expires: found.expires,
        });
        Ok(found.map(Found::versioned))
    }

    fn counter(&self, _: &Key) -> Result<u64> {
        Err(unsupported("counters"))
    }
}

/// The one document that a transaction is about.
pub(super) fn one_document(txn: &Txn) -> Result<Option<&Key>> {
    let mut keys = Vec::new();
    for guard in &txn.guards {
        keys.push(match guard {
            Guard::Absent(key) | Guard::Present(key) | Guard::Unchanged(key, _) => key,
            Guard::Ceiling { .. } | Guard::Fence { .. } => {
                return Err(unsupported("counters and leases"));
            }
            Guard::StopAbsent => return Err(unsupported("guards on other documents")),
        });
    }
    for write in &txn.writes {
        keys.push(match write {
            Write::Put { key, .. } | Write::Delete(key) => key,
            Write::Add { .. } => return Err(unsupported("counters and leases")),
            Write::Index { .. } | Write::Unindex { .. } => return Err(unsupported("indexes")),
        });
    }
    if txn.writes.len() > 1 || keys.windows(2).any(|pair| pair[0] != pair[1]) {
        return Err(unsupported("transactions over several documents"));
    }
    let lives = |write: &Write| {
        matches!(
            write,
            Write::Put {
                expires_in: Some(_),
                ..
            }
        )
    };
    match keys.first() {
        Some(key) if Family::of(key) != Family::Own && txn.writes.iter().any(lives) => {
            Err(unsupported("an expiry of the Python system's records"))
        }
        key => Ok(key.copied()),
    }
}

/// Which document a file holds; `None` when it is gone.
fn inside(family: Family, file: &Path) -> io::Result<Option<Result<Key, Trouble>>> {
    Ok(if family == Family::Own {
        match files::own(file)? {
            Content::Absent => None,
            Content::Broken(trouble) => Some(Err(trouble)),
            Content::Whole(own) => Some(Ok(Key::stored(&own.key))),
        }
    } else {
        match files::object(file)? {
            Content::Absent => None,
            Content::Broken(trouble) => Some(Err(trouble)),
            Content::Whole(record) => Some(family.key_of(file, &record)),
        }
    })
}

fn stamp(file: &Path) -> io::Result<Stamp> {
    let metadata = std::fs::metadata(file)?;
    Ok((metadata.modified()?, metadata.len()))
}
