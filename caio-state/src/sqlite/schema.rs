//! The file: its tables, its version, and how it is opened.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use rusqlite::{Connection, ErrorCode as SqliteCode, OpenFlags};
use tempfile::NamedTempFile;

use super::{Access, BACKEND, failed};
use crate::error::{Result, StoreError};

/// Marks the file as ours (`caio` in ASCII), so that a foreign database is refused.
const APPLICATION: i32 = 0x6361_696f;

/// Version of the tables below.
const VERSION: i32 = 1;

/// How long a process waits for another one's commit, in milliseconds.
const BUSY_MILLISECONDS: u64 = 5_000;

/// Memory for pages, in kibibytes (negative: SQLite's way of saying so), taken as it is needed.
const CACHE: &str = "-16000";

/// Pages that commits have written before they are carried over into the file: a page that many of
/// them change is carried over once.
const CHECKPOINT: &str = "4000";

const TABLES: &str = "
    CREATE TABLE document (
        key TEXT PRIMARY KEY, value BLOB NOT NULL, version INTEGER NOT NULL, expires INTEGER
    ) WITHOUT ROWID;
    CREATE INDEX document_expires ON document (expires) WHERE expires IS NOT NULL;
    CREATE TABLE counter (
        key TEXT PRIMARY KEY, value INTEGER NOT NULL, expires INTEGER
    ) WITHOUT ROWID;
    CREATE INDEX counter_expires ON counter (expires) WHERE expires IS NOT NULL;
    -- An index is read in the order of its primary key and needs no other table.
    CREATE TABLE place (
        name TEXT NOT NULL, position TEXT NOT NULL, key TEXT NOT NULL,
        PRIMARY KEY (name, position, key)
    ) WITHOUT ROWID;
    CREATE UNIQUE INDEX place_key ON place (name, key);
    -- Outcomes of transactions: NULL for committed, else the guard that failed.
    CREATE TABLE outcome (
        id TEXT PRIMARY KEY, guard INTEGER, expires INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX outcome_expires ON outcome (expires);
    CREATE TABLE version (last INTEGER NOT NULL);
    INSERT INTO version VALUES (0);
";

/// Opens the file, makes it if allowed, and refuses one that is not ours.
pub(super) fn open(path: &Path, access: Access) -> Result<Connection> {
    if path.is_dir() {
        return Err(unavailable(
            path,
            "it is a folder; name a file, such as caio.db in it",
        ));
    }
    let mut connection = match access {
        Access::ReadOnly if !path.exists() => return empty(),
        Access::ReadOnly => {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            Connection::open_with_flags(path, flags).map_err(|error| cannot_open(path, &error))?
        }
        Access::ReadWrite => {
            create(path)?;
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            Connection::open_with_flags(path, flags).map_err(|error| cannot_open(path, &error))?
        }
    };
    connection
        .busy_timeout(std::time::Duration::from_millis(BUSY_MILLISECONDS))
        .map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(32);
    check(&connection, path)?;
    if access == Access::ReadWrite {
        use_write_ahead_log(&connection).map_err(failed)?;
        for (name, value) in [
            ("synchronous", "FULL"),
            ("cache_size", CACHE),
            ("wal_autocheckpoint", CHECKPOINT),
        ] {
            connection
                .pragma_update(None, name, value)
                .map_err(failed)?;
        }
        prepare(&mut connection)?;
    } else if pragma(&connection, "user_version")? == 0 {
        return empty();
    }
    Ok(connection)
}

/// SQLite does not wait here for others that open the same new file, whatever its busy timeout.
fn use_write_ahead_log(connection: &Connection) -> rusqlite::Result<()> {
    let pause = std::time::Duration::from_millis(20);
    for _ in 0..BUSY_MILLISECONDS / 20 {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if error.sqlite_error_code() == Some(SqliteCode::DatabaseBusy) => {
                std::thread::sleep(pause);
            }
            answer => return answer,
        }
    }
    connection.pragma_update(None, "journal_mode", "WAL")
}

/// A store with nothing in it, that touches no file.
fn empty() -> Result<Connection> {
    let mut connection = Connection::open_in_memory().map_err(failed)?;
    prepare(&mut connection)?;
    Ok(connection)
}

/// Makes the file where there is none, readable by its owner alone. It is made whole beside its place
/// and put there when it is on the disk: that takes two syncs, where the steps of making it in its
/// place take seven, and a crash leaves no half of it.
fn create(path: &Path) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    if let Some(folder) = folder {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| unavailable(folder, &format!("the folder cannot be made: {error}")))?;
    }
    let folder = folder.unwrap_or(Path::new("."));
    let Ok(whole) = make(folder) else {
        return empty_file(path);
    };
    match whole.persist_noclobber(path) {
        // The name of a file that is lost is no loss: nothing was acknowledged yet.
        Ok(_) => File::open(folder).and_then(|it| it.sync_all()).or(Ok(())),
        // Somebody else was first, which is as good.
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(()),
        // Where a file cannot be moved like that, it is made in its place.
        Err(_) => empty_file(path),
    }
}

/// A whole file with a name of its own, on the disk when this is done; it goes away with what is
/// answered. Readable by its owner alone.
fn make(folder: &Path) -> std::io::Result<NamedTempFile> {
    let other = |error: rusqlite::Error| std::io::Error::other(error);
    let file = tempfile::Builder::new()
        .prefix(".caio-new-")
        .tempfile_in(folder)?;
    let mut connection = Connection::open(file.path()).map_err(other)?;
    for (name, value) in [("journal_mode", "MEMORY"), ("synchronous", "OFF")] {
        connection.pragma_update(None, name, value).map_err(other)?;
    }
    prepare(&mut connection).map_err(std::io::Error::other)?;
    use_write_ahead_log(&connection).map_err(other)?;
    connection.close().map_err(|(_, error)| other(error))?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Makes an empty file in its place.
fn empty_file(path: &Path) -> Result<()> {
    let mut options = OpenOptions::new();
    match options.write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(unavailable(
            path,
            &format!("the file cannot be made: {error}"),
        )),
        _ => Ok(()),
    }
}

/// Refuses a file that is no database, a foreign one, and one of a newer version.
fn check(connection: &Connection, path: &Path) -> Result<()> {
    // One snapshot for all questions: another process may be making the tables right now.
    let connection = connection.unchecked_transaction().map_err(failed)?;
    let found = connection.pragma_query_value(None, "user_version", |row| row.get::<_, i32>(0));
    let version = match found {
        Err(error) if error.sqlite_error_code() == Some(SqliteCode::NotADatabase) => {
            return Err(not_ours(path, "it is no database"));
        }
        version => version.map_err(failed)?,
    };
    let application = pragma(&connection, "application_id")?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))
        .map_err(failed)?;
    if version == 0 && application == 0 && tables == 0 {
        return Ok(());
    }
    if application != APPLICATION {
        return Err(not_ours(path, "it is another program's database"));
    }
    if version > VERSION {
        return Err(StoreError::Invalid(format!(
            "{} was made by a newer version of caio (tables {version}, this one knows {VERSION}); \
             use that version",
            path.display()
        )));
    }
    Ok(())
}

/// Makes the tables in an empty file; two processes may try at once.
fn prepare(connection: &mut Connection) -> Result<()> {
    let transaction = connection
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .map_err(failed)?;
    if pragma(&transaction, "user_version")? == 0 {
        transaction.execute_batch(TABLES).map_err(failed)?;
        transaction
            .pragma_update(None, "application_id", APPLICATION)
            .map_err(failed)?;
        transaction
            .pragma_update(None, "user_version", VERSION)
            .map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}

fn pragma(connection: &Connection, name: &str) -> Result<i32> {
    connection
        .pragma_query_value(None, name, |row| row.get(0))
        .map_err(failed)
}

fn cannot_open(path: &Path, error: &rusqlite::Error) -> StoreError {
    unavailable(path, &format!("it cannot be opened: {error}"))
}

fn unavailable(path: &Path, reason: &str) -> StoreError {
    let reason = format!("{}: {reason}", path.display());
    StoreError::Unavailable {
        backend: BACKEND,
        reason,
        source: None,
    }
}

fn not_ours(path: &Path, reason: &str) -> StoreError {
    StoreError::Invalid(format!(
        "{} is not a caio store ({reason}); name another file with --store sqlite:PATH",
        path.display()
    ))
}
