//! The audit log: every event of the history, chained by hash in the order in which it was sealed.
//!
//! An event is written with the change that it tells of, and stands in a list of what is not sealed
//! yet. Sealing takes it from there into the chain: each entry holds the digest of its event and the
//! hash of the entry before. A changed, removed or inserted event breaks the chain at that place; a
//! chain that was cut off at its end, or made anew, is noticed by comparing its last hash with one
//! that was kept elsewhere (the service logs it).

use caio_core::IdSource;
use caio_core::identity::hex;
use caio_state::{
    CommitOutcome, Guard, Key, Page, Range, RangeEntry, StateStore, StateStoreExt, Version, Write,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::Result;
use crate::records;
use crate::transition::commit;

/// Events sealed in one commit.
const PORTION: usize = 200;

/// One link of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Place in the chain, from 1.
    pub seq: u64,
    /// Id of the event.
    pub event: String,
    /// SHA-256 of the event's record as it is stored, hex.
    pub digest: String,
    /// Hash of the entry before; `""` for the first.
    pub before: String,
    /// SHA-256 over all of that, hex.
    pub hash: String,
}

impl Entry {
    fn new(seq: u64, event: &str, record: &[u8], before: &str) -> Self {
        let digest = hex(&Sha256::digest(record));
        let hash = link(seq, event, &digest, before);
        Self {
            seq,
            event: event.to_owned(),
            digest,
            before: before.to_owned(),
            hash,
        }
    }
}

/// Hash of an entry: each part with its length before it, so that no two entries read alike.
fn link(seq: u64, event: &str, digest: &str, before: &str) -> String {
    let mut hasher = Sha256::new_with_prefix("caio-audit-v1");
    for part in [&seq.to_string(), event, digest, before] {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hex(&hasher.finalize())
}

/// The end of the chain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Entries in the chain.
    pub seq: u64,
    /// Hash of the last one.
    pub hash: String,
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// The end of the chain.
    pub head: Head,
    /// Events that are not sealed yet.
    pub unsealed: usize,
    /// What is wrong, the earliest first; empty when all is well.
    pub faults: Vec<String>,
}

/// The end of the chain.
pub async fn head(store: &dyn StateStore) -> Result<Head> {
    Ok(end(store).await?.0)
}

/// The end of the chain, and its version; the beginning when nothing was sealed.
async fn end(store: &dyn StateStore) -> Result<(Head, Option<Version>)> {
    let found = store.get_json::<Head>(&records::audit_head()).await?;
    Ok(match found {
        Some((head, version)) => (head, Some(version)),
        None => (Head::default(), None),
    })
}

/// Takes what is not sealed yet into the chain; answers how many events that were. When somebody
/// else seals at the same time, one of both does it.
pub async fn seal(store: &dyn StateStore, ids: &dyn IdSource) -> Result<usize> {
    let mut sealed = 0;
    loop {
        let (head, version) = end(store).await?;
        let guard = match version {
            Some(version) => Guard::Unchanged(records::audit_head(), version),
            None => {
                list_history(store, ids).await?;
                Guard::Absent(records::audit_head())
            }
        };
        let places = page(store, records::UNSEALED_INDEX, None).await?.items;
        if places.is_empty() {
            return Ok(sealed);
        }
        let count = places.len();
        let writes = links(store, head, places).await?;
        match commit(store, ids, vec![guard], writes).await? {
            CommitOutcome::Committed => sealed += count,
            CommitOutcome::Refused { .. } => return Ok(sealed),
        }
    }
}

/// Lists what was written before there was a chain.
async fn list_history(store: &dyn StateStore, ids: &dyn IdSource) -> Result<()> {
    let mut after = None;
    loop {
        let found = page(store, records::HISTORY_INDEX, after.as_ref()).await?;
        let listed = found.items.into_iter().map(|place| Write::Index {
            index: records::UNSEALED_INDEX.to_owned(),
            order: place.order,
            key: place.key,
        });
        commit(store, ids, Vec::new(), listed.collect()).await?;
        match found.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

/// The writes that put these events at the end of the chain.
async fn links(
    store: &dyn StateStore,
    mut head: Head,
    places: Vec<RangeEntry>,
) -> Result<Vec<Write>> {
    let keys: Vec<_> = places.iter().map(|place| place.key.clone()).collect();
    let records = store.get(&keys).await?;
    let mut writes = Vec::with_capacity(places.len() * 2 + 1);
    for (key, record) in keys.into_iter().zip(records) {
        // An event that is gone before it was sealed leaves a link that says so.
        let record = record.map_or_else(Vec::new, |it| it.value);
        let entry = Entry::new(head.seq + 1, key.as_str(), &record, &head.hash);
        head = Head {
            seq: entry.seq,
            hash: entry.hash.clone(),
        };
        writes.push(Write::Put {
            key: records::audit(entry.seq),
            value: serde_json::to_vec(&entry)?,
            expires_in: None,
        });
        writes.push(Write::Unindex {
            index: records::UNSEALED_INDEX.to_owned(),
            key,
        });
    }
    writes.push(Write::Put {
        key: records::audit_head(),
        value: serde_json::to_vec(&head)?,
        expires_in: None,
    });
    Ok(writes)
}

/// Reads the whole chain and every event that it names. `kept` is an end of the chain that was
/// noted elsewhere: it has to be a part of this one.
pub async fn verify(store: &dyn StateStore, kept: Option<&Head>) -> Result<Verification> {
    let head = head(store).await?;
    let mut faults = Vec::new();
    let mut before = String::new();
    let mut seen = kept.is_none_or(|kept| kept.seq == 0);
    let mut next = 1;
    while next <= head.seq {
        let last = head.seq.min(next + PORTION as u64 - 1);
        let keys: Vec<_> = (next..=last).map(records::audit).collect();
        let entries: Vec<Option<Entry>> = store
            .get(&keys)
            .await?
            .into_iter()
            .map(|found| serde_json::from_slice(&found?.value).ok())
            .collect();
        let events: Vec<_> = entries
            .iter()
            .map(|it| {
                it.as_ref()
                    .map_or_else(records::audit_head, |it| Key::new(&[&it.event]))
            })
            .collect();
        let events = store.get(&events).await?;
        for ((seq, entry), event) in (next..=last).zip(entries).zip(events) {
            let Some(entry) = entry else {
                faults.push(format!("entry {seq} is gone or cannot be read"));
                before.clear();
                continue;
            };
            let record = event.map_or_else(Vec::new, |it| it.value);
            if let Some(fault) = fault(seq, &entry, &record, &before) {
                faults.push(fault);
            }
            seen |= kept.is_some_and(|kept| kept.seq == seq && kept.hash == entry.hash);
            before = entry.hash;
        }
        next = last + 1;
    }
    if before != head.hash && faults.is_empty() {
        faults.push(format!(
            "entry {} is not the end that is recorded",
            head.seq
        ));
    }
    if let Some(kept) = kept.filter(|_| !seen) {
        faults.push(format!(
            "the chain does not hold {}:{}, which was its end once: it was cut off or made anew",
            kept.seq, kept.hash
        ));
    }
    let unsealed = page(store, records::UNSEALED_INDEX, None)
        .await?
        .items
        .len();
    Ok(Verification {
        head,
        unsealed,
        faults,
    })
}

/// What is wrong with one entry.
fn fault(seq: u64, entry: &Entry, record: &[u8], before: &str) -> Option<String> {
    let Entry { event, digest, .. } = entry;
    if entry.seq != seq || entry.before != before {
        return Some(format!("entry {seq} does not follow the one before it"));
    }
    if entry.hash != link(seq, event, digest, before) {
        return Some(format!("entry {seq} was changed"));
    }
    if *digest != hex(&Sha256::digest(record)) {
        let what = if record.is_empty() {
            "removed"
        } else {
            "changed"
        };
        return Some(format!("the event of entry {seq} (`{event}`) was {what}"));
    }
    None
}

async fn page(
    store: &dyn StateStore,
    index: &str,
    after: Option<&RangeEntry>,
) -> Result<Page<RangeEntry, RangeEntry>> {
    Ok(store
        .range(index, &Range::default(), after, PORTION)
        .await?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use caio_state::{Key, MemoryStore, Txn, TxnId};
    use jiff::Timestamp;

    use super::*;
    use crate::history::Event;

    #[derive(Debug, Default)]
    struct Counted(std::sync::atomic::AtomicU64);

    impl IdSource for Counted {
        fn id(&self) -> String {
            let next = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            format!("{next:032}")
        }

        fn random(&self) -> [u8; 32] {
            [0; 32]
        }
    }

    #[derive(Debug)]
    struct Fixed;

    impl caio_core::Clock for Fixed {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }
    }

    async fn write(store: &dyn StateStore, ids: &dyn IdSource, writes: Vec<Write>) {
        let txn = Txn {
            id: TxnId(ids.id()),
            guards: Vec::new(),
            writes,
        };
        store.commit(&txn).await.unwrap();
    }

    /// A store with so many events, all sealed.
    async fn sealed(events: u64) -> (MemoryStore, Counted) {
        let (store, ids) = (MemoryStore::new(Arc::new(Fixed)), Counted::default());
        for at in 0..events {
            happened(&store, &ids, &format!("e{at:04}")).await;
        }
        assert_eq!(
            seal(&store, &ids).await.unwrap(),
            usize::try_from(events).unwrap()
        );
        (store, ids)
    }

    async fn happened(store: &dyn StateStore, ids: &dyn IdSource, id: &str) {
        let event = Event::new(id, Timestamp::UNIX_EPOCH, "kim", "draft.approved", "d1");
        write(store, ids, event.writes().unwrap()).await;
    }

    #[tokio::test]
    async fn every_event_is_sealed_once_and_the_chain_holds() {
        let (store, ids) = sealed(450).await;
        let found = verify(&store, None).await.unwrap();
        assert_eq!((found.head.seq, found.unsealed), (450, 0));
        assert_eq!(found.faults, Vec::<String>::new());
        assert_eq!(seal(&store, &ids).await.unwrap(), 0);
        let kept = found.head;
        happened(&store, &ids, "later").await;
        assert_eq!(verify(&store, None).await.unwrap().unsealed, 1);
        assert_eq!(seal(&store, &ids).await.unwrap(), 1);
        let found = verify(&store, Some(&kept)).await.unwrap();
        assert_eq!((found.head.seq, found.faults.len()), (451, 0));
    }

    #[tokio::test]
    async fn what_was_written_before_there_was_a_chain_is_sealed_first() {
        let (store, ids) = (MemoryStore::new(Arc::new(Fixed)), Counted::default());
        for at in 0..300 {
            happened(&store, &ids, &format!("old{at:03}")).await;
            let listed = Write::Unindex {
                index: records::UNSEALED_INDEX.to_owned(),
                key: records::event(&format!("old{at:03}")),
            };
            write(&store, &ids, vec![listed]).await;
        }
        assert_eq!(seal(&store, &ids).await.unwrap(), 300);
        assert!(verify(&store, None).await.unwrap().faults.is_empty());
    }

    #[tokio::test]
    async fn a_change_a_removal_a_cut_and_a_new_chain_are_noticed() {
        let put = |key: Key, value: &[u8]| Write::Put {
            key,
            value: value.to_vec(),
            expires_in: None,
        };
        let cases: Vec<(Vec<Write>, &str)> = vec![
            (
                vec![put(records::event("e0003"), b"{}")],
                "entry 4 (`caio:event:e0003`) was changed",
            ),
            (vec![Write::Delete(records::event("e0003"))], "was removed"),
            (vec![Write::Delete(records::audit(3))], "entry 3 is gone"),
            (
                vec![put(
                    records::audit(3),
                    br#"{"seq":3,"event":"x","digest":"","before":"","hash":""}"#,
                )],
                "entry 3 does not follow",
            ),
        ];
        for (writes, expected) in cases {
            let (store, ids) = sealed(5).await;
            write(&store, &ids, writes).await;
            let found = verify(&store, None).await.unwrap();
            assert!(
                found.faults.iter().any(|it| it.contains(expected)),
                "{found:?}"
            );
        }
        // Whoever cuts the end off, or makes the chain anew, is betrayed by the end that was noted.
        let (store, ids) = sealed(5).await;
        let kept = head(&store).await.unwrap();
        let (shorter, _) = sealed(4).await;
        let cut = serde_json::to_vec(&head(&shorter).await.unwrap()).unwrap();
        write(&store, &ids, vec![put(records::audit_head(), &cut)]).await;
        assert!(verify(&store, None).await.unwrap().faults.is_empty());
        let found = verify(&store, Some(&kept)).await.unwrap();
        assert!(
            found.faults[0].contains("cut off or made anew"),
            "{found:?}"
        );
    }
}
