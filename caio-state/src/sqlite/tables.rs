//! Reading and writing the tables, inside a transaction or outside of one.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, StatementStatus, params};

use super::failed;
use crate::error::Result;
use crate::guard::{TXN_HOURS, View, first_failing, later};
use crate::key::Key;
use crate::memory::more;
use crate::store::{Page, Range, RangeEntry, Version, Versioned};
use crate::txn::{CommitOutcome, Txn, Write};

/// Expired rows removed with one commit: a commit never pays for a long backlog.
const PURGE: usize = 200;

/// The tables as they are at one instant.
pub(super) struct Tables<'a> {
    pub(super) connection: &'a Connection,
    pub(super) now: Timestamp,
}

impl View for Tables<'_> {
    fn document(&self, key: &Key) -> Result<Option<Versioned>> {
        let sql = "SELECT value, version FROM document \
                   WHERE key = ?1 AND (expires IS NULL OR expires > ?2)";
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        let found = statement.query_row(params![key.as_str(), self.micros()], |row| {
            Ok(Versioned {
                value: value(row, 0)?,
                version: version(row.get(1)?),
            })
        });
        found.optional().map_err(failed)
    }

    fn counter(&self, key: &Key) -> Result<u64> {
        let sql = "SELECT value FROM counter \
                   WHERE key = ?1 AND (expires IS NULL OR expires > ?2)";
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        let found: Option<i64> = statement
            .query_row(params![key.as_str(), self.micros()], |row| row.get(0))
            .optional()
            .map_err(failed)?;
        Ok(found.map_or(0, i64::unsigned_abs))
    }
}

/// A page, and the steps of SQLite's machine that it took.
type Counted<T, N> = (Page<T, N>, u64);

impl Tables<'_> {
    /// A page of documents.
    pub(super) fn scan(
        &self,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Counted<(Key, Versioned), Key>> {
        // One lower bound: of two, SQLite would seek to one and walk from there to the other.
        let (beyond, from) = match after.map(Key::as_str).filter(|after| *after >= prefix) {
            Some(after) => (">", after),
            None => (">=", prefix),
        };
        let sql = format!(
            "SELECT key, value, version FROM document \
             WHERE key {beyond} ?1 AND (expires IS NULL OR expires > ?2) ORDER BY key LIMIT ?3"
        );
        let mut statement = self.connection.prepare_cached(&sql).map_err(failed)?;
        let mut found = statement
            .query(params![from, self.micros(), rows(limit)])
            .map_err(failed)?;
        let mut items = Vec::new();
        while let Some(row) = found.next().map_err(failed)? {
            let key: String = row.get(0).map_err(failed)?;
            if !key.starts_with(prefix) {
                break;
            }
            let value = value(row, 1).map_err(failed)?;
            let version = version(row.get(2).map_err(failed)?);
            items.push((Key::stored(&key), Versioned { value, version }));
        }
        drop(found);
        let next = more(&mut items, limit).map(|(key, _)| key.clone());
        Ok((Page { items, next }, steps(&statement)))
    }

    /// A page of an index.
    pub(super) fn range(
        &self,
        index: &str,
        range: &Range,
        after: Option<&RangeEntry>,
        limit: usize,
    ) -> Result<Counted<RangeEntry, RangeEntry>> {
        let (sql, values) = page_of_index(index, range, after, limit);
        let mut statement = self.connection.prepare_cached(&sql).map_err(failed)?;
        let mut found = statement
            .query(rusqlite::params_from_iter(values))
            .map_err(failed)?;
        let mut items = Vec::new();
        while let Some(row) = found.next().map_err(failed)? {
            let key: String = row.get(1).map_err(failed)?;
            items.push(RangeEntry {
                order: row.get(0).map_err(failed)?,
                key: Key::stored(&key),
            });
        }
        drop(found);
        let next = more(&mut items, limit).cloned();
        Ok((Page { items, next }, steps(&statement)))
    }

    pub(super) fn commit(&self, txn: &Txn) -> Result<CommitOutcome> {
        if let Some(first) = self.outcome(txn)? {
            return Ok(first);
        }
        let refused = first_failing(self, &txn.guards, self.now)?;
        if refused.is_none() {
            for write in &txn.writes {
                self.write(write)?;
            }
        }
        let guard = refused.and_then(|guard| i64::try_from(guard).ok());
        let expires = micros(later(self.now, SignedDuration::from_hours(TXN_HOURS)));
        self.execute(
            "INSERT OR REPLACE INTO outcome (id, guard, expires) VALUES (?1, ?2, ?3)",
            params![txn.id.0, guard, expires],
        )?;
        Ok(
            refused.map_or(CommitOutcome::Committed, |guard| CommitOutcome::Refused {
                guard,
            }),
        )
    }

    fn outcome(&self, txn: &Txn) -> Result<Option<CommitOutcome>> {
        let sql = "SELECT guard FROM outcome WHERE id = ?1 AND expires > ?2";
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        let found: Option<Option<i64>> = statement
            .query_row(params![txn.id.0, self.micros()], |row| row.get(0))
            .optional()
            .map_err(failed)?;
        Ok(found.map(
            |guard| match guard.and_then(|guard| usize::try_from(guard).ok()) {
                Some(guard) => CommitOutcome::Refused { guard },
                None => CommitOutcome::Committed,
            },
        ))
    }

    fn write(&self, write: &Write) -> Result<()> {
        match write {
            Write::Add {
                counter,
                amount,
                expires_in,
            } => self.execute(
                "INSERT INTO counter (key, value, expires) VALUES (?1, max(0, ?2), ?3) \
                 ON CONFLICT (key) DO UPDATE SET \
                   value = CASE \
                     WHEN expires <= ?4 THEN max(0, ?2) \
                     WHEN value > ?5 - max(0, ?2) THEN ?5 \
                     ELSE max(0, value + ?2) END, \
                   expires = iif(expires <= ?4, ?3, expires)",
                params![
                    counter.as_str(),
                    amount,
                    self.expires(*expires_in),
                    self.micros(),
                    i64::MAX
                ],
            ),
            Write::Delete(key) => {
                self.execute("DELETE FROM document WHERE key = ?1", params![key.as_str()])
            }
            // An earlier place of this key breaks `place_key` and is replaced with it.
            Write::Index { index, order, key } => self.execute(
                "INSERT OR REPLACE INTO place (name, position, key) VALUES (?1, ?2, ?3)",
                params![index, order, key.as_str()],
            ),
            Write::Put {
                key,
                value,
                expires_in,
            } => {
                self.execute("UPDATE version SET last = last + 1", [])?;
                self.execute(
                    "INSERT OR REPLACE INTO document (key, value, version, expires) \
                     VALUES (?1, ?2, (SELECT last FROM version), ?3)",
                    params![key.as_str(), value, self.expires(*expires_in)],
                )
            }
            Write::Unindex { index, key } => self.unindex(index, key),
        }
    }

    fn unindex(&self, index: &str, key: &Key) -> Result<()> {
        self.execute(
            "DELETE FROM place WHERE name = ?1 AND key = ?2",
            params![index, key.as_str()],
        )
    }

    /// Removes some of what has expired.
    pub(super) fn purge(&self) -> Result<()> {
        for (table, name) in [("document", "key"), ("counter", "key"), ("outcome", "id")] {
            self.execute(
                &format!(
                    "DELETE FROM {table} WHERE {name} IN \
                     (SELECT {name} FROM {table} WHERE expires <= ?1 LIMIT {PURGE})"
                ),
                params![self.micros()],
            )?;
        }
        Ok(())
    }

    fn execute(&self, sql: &str, values: impl rusqlite::Params) -> Result<()> {
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        statement.execute(values).map_err(failed).map(|_| ())
    }

    fn expires(&self, ttl: Option<SignedDuration>) -> Option<i64> {
        ttl.map(|ttl| micros(later(self.now, ttl)))
    }

    pub(super) fn micros(&self) -> i64 {
        micros(self.now)
    }
}

/// The statement of a page of an index, and its values.
///
/// A page is one seek and `limit` steps, wherever it begins: row values are compared in the order of
/// the primary key, and there is one bound on the side where the page starts, since of two SQLite
/// would seek to one and walk from there to the other.
fn page_of_index<'a>(
    index: &'a str,
    range: &'a Range,
    after: Option<&'a RangeEntry>,
    limit: usize,
) -> (String, Vec<&'a str>) {
    let inside = |after: &&RangeEntry| {
        if range.descending {
            let until = range.until.as_ref();
            until.is_none_or(|until| after.order < *until)
        } else {
            let from = range.from.as_ref();
            from.is_none_or(|from| after.order >= *from)
        }
    };
    let after = after.filter(inside);
    let mut sql = "SELECT position, key FROM place WHERE name = ?1".to_owned();
    let mut values = vec![index];
    if let Some(from) = range
        .from
        .as_ref()
        .filter(|_| after.is_none() || range.descending)
    {
        values.push(from);
        sql.push_str(&format!(" AND position >= ?{}", values.len()));
    }
    if let Some(until) = range
        .until
        .as_ref()
        .filter(|_| after.is_none() || !range.descending)
    {
        values.push(until);
        sql.push_str(&format!(" AND position < ?{}", values.len()));
    }
    if let Some(after) = after {
        values.extend([after.order.as_str(), after.key.as_str()]);
        let (beyond, last) = (if range.descending { '<' } else { '>' }, values.len());
        sql.push_str(&format!(
            " AND (position, key) {beyond} (?{}, ?{last})",
            last - 1
        ));
    }
    let direction = if range.descending { "DESC" } else { "ASC" };
    sql.push_str(&format!(
        " ORDER BY position {direction}, key {direction} LIMIT {}",
        rows(limit)
    ));
    (sql, values)
}

/// A value, also where somebody has written it by hand as text.
pub(super) fn value(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Vec<u8>> {
    let found = row.get_ref(column)?;
    found.as_bytes().map(<[u8]>::to_vec).map_err(|_| {
        let name = "value".to_owned();
        rusqlite::Error::InvalidColumnType(column, name, found.data_type())
    })
}

/// Steps of SQLite's machine since this was asked last.
fn steps(statement: &rusqlite::Statement<'_>) -> u64 {
    u64::try_from(statement.reset_status(StatementStatus::VmStep)).unwrap_or(0)
}

fn micros(instant: Timestamp) -> i64 {
    instant.as_microsecond()
}

fn version(number: i64) -> Version {
    Version(number.to_string())
}

/// One more than asked, to know whether there is more.
fn rows(limit: usize) -> i64 {
    i64::try_from(limit)
        .unwrap_or(i64::MAX - 1)
        .saturating_add(1)
}
