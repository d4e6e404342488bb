//! Lists in pages: the place to go on from, as a text that callers pass back.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use caio_state::{Key, RangeEntry};

use super::problem::Problem;

/// Most entries of a page.
pub(crate) const MOST: usize = 500;

/// Entries of a page where the caller does not say.
const USUAL: usize = 50;

/// The text that stands for the place behind `entry`.
pub(crate) fn cursor(entry: &RangeEntry) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}\n{}", entry.order, entry.key))
}

/// The place that a text of ours stands for.
pub(crate) fn place(cursor: Option<&str>) -> Result<Option<RangeEntry>, Problem> {
    let Some(cursor) = cursor.filter(|it| !it.is_empty()) else {
        return Ok(None);
    };
    let read = || {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let (order, key) = text.split_once('\n')?;
        let (order, key) = (order.to_owned(), Key::new(&[key]));
        Some(RangeEntry { order, key })
    };
    let wrong = || {
        Problem::invalid(
            "request.cursor",
            "`cursor` is none that a list has answered",
        )
    };
    read().map(Some).ok_or_else(wrong)
}

/// How many entries a page has: 1 to [`MOST`].
pub(crate) fn size(asked: Option<usize>) -> Result<usize, Problem> {
    match asked.unwrap_or(USUAL) {
        size @ 1..=MOST => Ok(size),
        other => Err(Problem::invalid(
            "request.limit",
            format!("`limit` is {other}; expected 1 to {MOST}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_and_nothing_else_is_one() {
        let entry = RangeEntry {
            order: "010|2026-03-02T11:00:00Z|dr_1".to_owned(),
            key: Key::new(&["caio", "draft", "dr_1"]),
        };
        assert_eq!(place(Some(&cursor(&entry))).unwrap(), Some(entry));
        assert_eq!(place(None).unwrap(), None);
        for wrong in ["!", "YQ", "____"] {
            assert!(place(Some(wrong)).is_err(), "{wrong}");
        }
        assert_eq!(size(None).unwrap(), USUAL);
        assert!(size(Some(0)).is_err() && size(Some(MOST + 1)).is_err());
    }
}
