//! Everything in the file, in portions: each seeks to where the last one ended.

use jiff::Timestamp;
use rusqlite::params;

use super::failed;
use super::tables::{Tables, value};
use crate::error::Result;
use crate::key::Key;
use crate::record::Record;

/// Rows of a portion.
const ROWS: i64 = 500;

/// Where a portion begins.
#[derive(Debug, Clone)]
pub(super) enum Cursor {
    /// Behind this document.
    Document(String),
    /// Behind this counter.
    Counter(String),
    /// Behind this place.
    Place(String, String, String),
}

impl Default for Cursor {
    fn default() -> Self {
        Self::Document(String::new())
    }
}

impl Tables<'_> {
    /// The records behind `cursor`, and where the next portion begins.
    pub(super) fn portion(&self, cursor: Cursor) -> Result<(Vec<Record>, Option<Cursor>)> {
        match cursor {
            Cursor::Document(after) => {
                let sql = "SELECT key, value, expires FROM document \
                           WHERE key > ?1 AND (expires IS NULL OR expires > ?2) ORDER BY key LIMIT ?3";
                let records = self.records(sql, params![after, self.micros(), ROWS], |row| {
                    Ok(Record::Document {
                        key: Key::stored(&row.get::<_, String>(0)?),
                        value: value(row, 1)?,
                        expires: instant(row.get(2)?),
                    })
                })?;
                let next = match records.last() {
                    Some(Record::Document { key, .. }) => Cursor::Document(key.as_str().to_owned()),
                    _ => Cursor::Counter(String::new()),
                };
                Ok((records, Some(next)))
            }
            Cursor::Counter(after) => {
                let sql = "SELECT key, value, expires FROM counter \
                           WHERE key > ?1 AND (expires IS NULL OR expires > ?2) ORDER BY key LIMIT ?3";
                let records = self.records(sql, params![after, self.micros(), ROWS], |row| {
                    Ok(Record::Counter {
                        key: Key::stored(&row.get::<_, String>(0)?),
                        value: row.get::<_, i64>(1)?.unsigned_abs(),
                        expires: instant(row.get(2)?),
                    })
                })?;
                let next = match records.last() {
                    Some(Record::Counter { key, .. }) => Cursor::Counter(key.as_str().to_owned()),
                    _ => Cursor::Place(String::new(), String::new(), String::new()),
                };
                Ok((records, Some(next)))
            }
            Cursor::Place(index, order, key) => {
                let sql = "SELECT name, position, key FROM place \
                           WHERE (name, position, key) > (?1, ?2, ?3) \
                           ORDER BY name, position, key LIMIT ?4";
                let records = self.records(sql, params![index, order, key, ROWS], |row| {
                    Ok(Record::Place {
                        index: row.get(0)?,
                        order: row.get(1)?,
                        key: Key::stored(&row.get::<_, String>(2)?),
                    })
                })?;
                let next = match records.last() {
                    Some(Record::Place { index, order, key }) => Some(Cursor::Place(
                        index.clone(),
                        order.clone(),
                        key.as_str().to_owned(),
                    )),
                    _ => None,
                };
                Ok((records, next))
            }
        }
    }

    fn records(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        read: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<Record>,
    ) -> Result<Vec<Record>> {
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        let rows = statement.query_map(values, |row| read(row));
        rows.map_err(failed)?
            .collect::<rusqlite::Result<_>>()
            .map_err(failed)
    }
}

fn instant(micros: Option<i64>) -> Option<Timestamp> {
    micros.and_then(|micros| Timestamp::from_microsecond(micros).ok())
}
