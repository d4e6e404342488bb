//! The leads that were touched last: a page of two indexes where they are whole, else out of everything.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};

use caio_core::EmailKey;
use caio_core::draft::Draft;
use caio_core::identity::cadence_email_hash;
use caio_state::{Key, Range, RangeEntry, StateStore, StateStoreExt, Versioned};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{PAGE, Row, Signals, each, row, stranger};
use crate::error::Result;
use crate::leads::LeadRecord;
use crate::records;
use crate::reindex::Reindex;

/// Fewest places, or people, looked up at a time.
const LEAST: usize = 32;

/// Most people looked up at a time: two records each.
const MOST: usize = PAGE / 2;

/// Whether every lead and every status has its place in the indexes by time.
///
/// Whoever writes one here writes its place in the same commit. Others may not: a version that knew no
/// such index, a hand, an import of what such a version exported. So the indexes are believed only after
/// somebody has held all records against them and found that nothing was missing.
#[derive(Debug, Default)]
pub struct Places {
    whole: AtomicBool,
}

impl Places {
    /// Holds all records against the indexes and makes what is missing. Where something was, whoever
    /// wrote it may write more: then the indexes are not believed until a later look finds nothing.
    ///
    /// # Errors
    /// When the store fails; what was believed before still is.
    pub async fn look(&self, reindex: &Reindex<'_>) -> Result<bool> {
        let can = reindex.store.capabilities();
        let is_whole = if can.indexes && can.listings {
            let drift = reindex.leads().await?;
            drift.made == 0 && drift.unreadable.is_empty()
        } else {
            false
        };
        self.whole.store(is_whole, Ordering::Relaxed);
        Ok(is_whole)
    }

    /// Whether a page may be read from the indexes.
    pub fn are_whole(&self) -> bool {
        self.whole.load(Ordering::Relaxed)
    }
}

/// The leads that were touched last, up to `limit`, the newest first. Costs what the answer costs
/// where `places` are whole, else what all leads cost; the answer is the same.
pub async fn newest(store: &dyn StateStore, places: &Places, limit: usize) -> Result<Vec<Row>> {
    let mut rows = if places.are_whole() {
        of_places(store, limit).await?
    } else {
        of_all(store, limit).await?
    };
    cut(&mut rows, limit);
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

/// A row and its place: by time, then by the person's hash.
type Placed = (String, Row);

fn placed(row: Row) -> Placed {
    let order = records::changed_order(row.updated_at.as_deref(), &cadence_email_hash(&row.email));
    (order, row)
}

/// The newest alone, in order.
fn cut(rows: &mut Vec<Placed>, limit: usize) {
    rows.sort_by(|(a, _), (b, _)| b.cmp(a));
    rows.truncate(limit);
}

async fn of_all(store: &dyn StateStore, limit: usize) -> Result<Vec<Placed>> {
    let mut rows = Vec::new();
    each(store, |row| {
        rows.push(placed(row));
        // Never many more than are asked for.
        if rows.len() > limit.saturating_mul(2).max(PAGE) {
            cut(&mut rows, limit);
        }
    })
    .await?;
    Ok(rows)
}

/// Takes people from the indexes until the page is full. Whoever has a lead's record and a status
/// stands in both; which of the two places is that of the row, the records say.
async fn of_places(store: &dyn StateStore, limit: usize) -> Result<Vec<Placed>> {
    let mut statuses = Cursor::new(records::STATUS_INDEX, limit);
    let mut leads = Cursor::new(records::LEAD_INDEX, limit);
    let (mut rows, mut known) = (Vec::new(), HashSet::new());
    while rows.len() < limit {
        let wanted = (limit - rows.len()).clamp(LEAST, MOST);
        let mut found: Vec<RangeEntry> = Vec::with_capacity(wanted);
        while found.len() < wanted {
            let (status, lead) = (statuses.first(store).await?, leads.first(store).await?);
            let next = if lead > status {
                &mut leads
            } else {
                &mut statuses
            };
            match next.ahead.pop_front() {
                Some(entry) => found.push(entry),
                None => break,
            }
        }
        if found.is_empty() {
            break;
        }
        let people = found.iter().map(|entry| records::person_of(&entry.key));
        let people: BTreeSet<&str> = people.filter(|it| !known.contains(*it)).collect();
        let mut people = rows_of(store, &people).await?;
        for entry in &found {
            let person = records::person_of(&entry.key);
            // One whose place is further down is met again there.
            if people
                .get(person)
                .is_some_and(|(order, _)| *order >= entry.order)
            {
                rows.extend(people.remove(person));
                known.insert(person.to_owned());
            }
        }
    }
    Ok(rows)
}

/// An index from its newest place on.
struct Cursor {
    index: &'static str,
    size: usize,
    ahead: VecDeque<RangeEntry>,
    after: Option<RangeEntry>,
    is_over: bool,
}

impl Cursor {
    fn new(index: &'static str, limit: usize) -> Self {
        Self {
            index,
            size: limit.clamp(LEAST, PAGE),
            ahead: VecDeque::new(),
            after: None,
            is_over: false,
        }
    }

    /// What comes next, if anything does.
    async fn first(&mut self, store: &dyn StateStore) -> Result<Option<&RangeEntry>> {
        const NEWEST: Range = Range {
            from: None,
            until: None,
            descending: true,
        };
        while self.ahead.is_empty() && !self.is_over {
            let page = store
                .range(self.index, &NEWEST, self.after.as_ref(), self.size)
                .await?;
            self.ahead.extend(page.items);
            self.is_over = page.next.is_none();
            self.after = page.next;
        }
        Ok(self.ahead.front())
    }
}

/// The rows of these people, by their hashes, out of what the store has of each.
async fn rows_of(
    store: &dyn StateStore,
    people: &BTreeSet<&str>,
) -> Result<HashMap<String, Placed>> {
    fn of(family: &str, person: &str) -> Key {
        Key::new(&["caio", family, person])
    }
    fn read<T: DeserializeOwned>(document: &Versioned) -> Option<T> {
        serde_json::from_slice(&document.value).ok()
    }
    let keys = people
        .iter()
        .flat_map(|person| [of("lead", person), of("status", person)]);
    let found = store.get(&keys.collect::<Vec<_>>()).await?;
    let (mut rows, mut leads) = (HashMap::new(), Vec::new());
    for (person, pair) in people.iter().zip(found.chunks_exact(2)) {
        let signals: Option<Signals> = pair[1].as_ref().and_then(read);
        match (&pair[0], signals) {
            (Some(lead), signals) => {
                // One that cannot be read is the doctor's to report.
                let lead = read::<LeadRecord>(lead);
                leads.extend(lead.map(|lead| (*person, lead, signals)));
            }
            (None, Some(signals)) => {
                let email = signals.get("email").and_then(Value::as_str);
                if let Some(key) = email.and_then(|it| EmailKey::parse(it).ok()) {
                    rows.insert((*person).to_owned(), placed(stranger(&key, &signals)));
                }
            }
            (None, None) => {}
        }
    }
    let drafts = leads
        .iter()
        .filter_map(|(_, lead, _)| lead.draft.as_deref());
    let drafts: Vec<Key> = drafts.map(records::draft).collect();
    let drafts: Vec<Draft> = store.get_all_json(&drafts).await?;
    let drafts: HashMap<&EmailKey, &Draft> = drafts.iter().map(|it| (&it.recipient, it)).collect();
    for (person, lead, signals) in &leads {
        let draft = drafts.get(&lead.lead.key).copied();
        let row = row(lead, draft, signals.as_ref());
        rows.insert((*person).to_owned(), placed(row));
    }
    Ok(rows)
}
