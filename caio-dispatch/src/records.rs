//! The names under which our own records stand in the store, and the order of its indexes.
//!
//! All of them live under `caio:`; the Python system never writes there. People are named by a
//! hash of their address, so that a key never shows one.

use caio_core::batch::{Batch, BatchStatus, parse_instant};
use caio_core::draft::{Draft, DraftStatus};
use caio_core::identity::{EmailKey, cadence_email_hash, hex};
use caio_core::terms::{Medium, Motion, Step};
use caio_core::time::rfc3339;
use caio_core::webhook::{Source, profile_key};
use caio_state::{Key, Range, Write};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::inbox::EventState;
use crate::leads::LeadRecord;

/// Index of the newest events.
pub const HISTORY_INDEX: &str = "caio:idx:history";
/// Index of batches that were put away.
pub const ARCHIVE_INDEX: &str = "caio:idx:archive:batch";
/// Index of all suppressions by time.
pub const SUPPRESSION_INDEX: &str = "caio:idx:suppression";
/// Index of ledger entries by time of intent.
pub const LEDGER_INDEX: &str = "caio:idx:ledger";
/// Index of all alerts by time.
pub const ALERT_INDEX: &str = "caio:idx:alert";
/// Index of the alerts that are still to be delivered, by when they are due.
pub const OUTBOX_INDEX: &str = "caio:idx:outbox";

/// Events that are not in the audit chain yet; a queue, which records alone do not tell.
pub const UNSEALED_INDEX: &str = "caio:queue:unsealed";
/// Index of all tokens by time of creation.
pub const TOKEN_INDEX: &str = "caio:idx:token";

/// Index of the webhooks' events by time of arrival.
pub const WEBHOOK_INDEX: &str = "caio:idx:webhook";
/// Index of leads by their LinkedIn profile.
pub const PROFILE_INDEX: &str = "caio:idx:profile";
/// Index of leads by when a run took them last.
pub const LEAD_INDEX: &str = "caio:idx:lead";
/// Index of leads' statuses by when a signal changed them last.
pub const STATUS_INDEX: &str = "caio:idx:status";

/// Stands for the time of a record that tells none: before all others.
const NEVER: &str = "0000-00-00T00:00:00.000000Z";

/// Hash that stands for a person in keys: 24 hex digits.
pub fn person(key: &EmailKey) -> String {
    cadence_email_hash(key.as_str())
}

/// A lead's record.
pub fn lead(key: &EmailKey) -> Key {
    Key::new(&["caio", "lead", &person(key)])
}

/// Writes that store a lead's record, its place by time and that of its LinkedIn profile.
pub fn put_lead(record: &LeadRecord) -> serde_json::Result<Vec<Write>> {
    let key = lead(&record.lead.key);
    let mut writes = vec![
        Write::Put {
            key: key.clone(),
            value: serde_json::to_vec(record)?,
            expires_in: None,
        },
        Write::Index {
            index: LEAD_INDEX.to_owned(),
            order: changed_order(Some(&record.updated_at), &person(&record.lead.key)),
            key: key.clone(),
        },
    ];
    if let Some(profile) = profile_key(&record.lead.linkedin_url) {
        writes.push(Write::Index {
            index: PROFILE_INDEX.to_owned(),
            order: profile_place(&profile),
            key,
        });
    }
    Ok(writes)
}

/// Place of what changed at that time and is about this person, in [`LEAD_INDEX`] and
/// [`STATUS_INDEX`]: by time, whatever the text's zone and digits, then by the person's hash. What
/// tells no time stands first.
pub fn changed_order(updated_at: Option<&str>, person: &str) -> String {
    let at = updated_at.and_then(parse_instant).map(rfc3339);
    format!("{}|{person}", at.as_deref().unwrap_or(NEVER))
}

/// Place of a profile in its index: a hash, so that no name shows.
fn profile_place(profile: &str) -> String {
    hex(&Sha256::digest(profile)[..12])
}

/// The part of [`PROFILE_INDEX`] that points at the leads of one profile.
pub fn profile_range(profile: &str) -> Range {
    let place = profile_place(profile);
    Range {
        until: Some(format!("{place}~")),
        from: Some(place),
        descending: false,
    }
}

/// A draft.
pub fn draft(id: &str) -> Key {
    Key::new(&["caio", "draft", id])
}

/// Index of the drafts in one status.
pub fn draft_index(status: DraftStatus) -> String {
    format!("caio:idx:draft:{status}")
}

/// Index of the approved drafts of one programme on one medium: what a batch is planned from.
pub fn approved_index(motion: Motion, medium: Medium) -> String {
    format!("caio:idx:draft:approved:{motion}:{medium}")
}

/// Place of a draft in its index: best score first, then oldest first.
pub fn draft_order(draft: &Draft) -> String {
    format!(
        "{:03}|{}|{}",
        100 - draft.score.min(100),
        draft.created_at,
        draft.id
    )
}

/// Writes that store `draft` and move it from the index of `before` to that of its status.
pub fn put_draft(draft: &Draft, before: Option<DraftStatus>) -> serde_json::Result<Vec<Write>> {
    let key = self::draft(&draft.id);
    let mut writes = Vec::with_capacity(4);
    let plannable = approved_index(draft.motion, draft.medium);
    if draft.status == DraftStatus::Approved {
        writes.push(Write::Index {
            index: plannable,
            order: draft_order(draft),
            key: key.clone(),
        });
    } else if before == Some(DraftStatus::Approved) {
        writes.push(Write::Unindex {
            index: plannable,
            key: key.clone(),
        });
    }
    if let Some(before) = before
        && before != draft.status
    {
        writes.push(Write::Unindex {
            index: draft_index(before),
            key: key.clone(),
        });
    }
    writes.push(Write::Index {
        index: draft_index(draft.status),
        order: draft_order(draft),
        key: key.clone(),
    });
    writes.push(Write::Put {
        key,
        value: serde_json::to_vec(draft)?,
        expires_in: None,
    });
    Ok(writes)
}

/// A batch.
pub fn batch(id: &str) -> Key {
    Key::new(&["caio", "batch", id])
}

/// Index of the batches in one status, by time of creation.
pub fn batch_index(status: BatchStatus) -> String {
    format!("caio:idx:batch:{status}")
}

/// A batch that was put away.
pub fn archived_batch(id: &str) -> Key {
    Key::new(&["caio", "archive", "batch", id])
}

/// Its place among those, by time of creation.
pub fn archived_place(batch: &Batch) -> Write {
    Write::Index {
        index: ARCHIVE_INDEX.to_owned(),
        order: format!("{}|{}", batch.created_at, batch.id),
        key: archived_batch(&batch.id),
    }
}

/// The claim that makes a batch single-use; never deleted.
pub fn claim(batch: &str) -> Key {
    Key::new(&["caio", "claim", batch])
}

/// The lease of the executor that runs a batch.
pub fn executor_lease(batch: &str) -> Key {
    Key::new(&["caio", "lease", "batch", batch])
}

/// A touch: once per person, medium and step, whatever batch or provider asks.
pub fn touch(key: &EmailKey, medium: Medium, step: Step) -> Key {
    Key::new(&[
        "caio",
        "touch",
        &person(key),
        medium.as_str(),
        &format!("s{step}"),
    ])
}

/// A ledger entry.
pub fn ledger(delivery: &str) -> Key {
    Key::new(&["caio", "ledger", delivery])
}

/// Index of the ledger entries of one batch.
pub fn ledger_of_batch(batch: &str) -> String {
    format!("caio:idx:ledger:batch:{batch}")
}

/// Index of the ledger entries of one person.
pub fn ledger_of_person(key: &EmailKey) -> String {
    format!("caio:idx:ledger:person:{}", person(key))
}

/// Counter of a limit window.
pub fn limit(window: &str) -> Key {
    Key::new(&["caio", "limit", window])
}

/// Index of the newest shadow run of each batch, by time.
pub const SHADOW_INDEX: &str = "caio:idx:shadow";

/// The newest shadow run of a batch.
pub fn shadow(batch: &str) -> Key {
    Key::new(&["caio", "shadow", "batch", batch])
}

/// What a shadow run would have handed over in its n-th call.
pub fn shadow_call(run: &str, number: usize) -> Key {
    Key::new(&["caio", "shadow", "call", run, &format!("{number:06}")])
}

/// What a call for a batch handed over that was run in shadow before.
pub fn sent(batch: &str, id: &str) -> Key {
    Key::new(&["caio", "shadow", "sent", batch, id])
}

/// A suppression of one address.
pub fn suppressed_address(key: &EmailKey) -> Key {
    Key::new(&["caio", "suppress", "address", &person(key)])
}

/// A suppression of a domain and everything below it.
pub fn suppressed_domain(domain: &str) -> Key {
    Key::new(&["caio", "suppress", "domain", domain])
}

/// A person to whom nothing is sent until somebody has looked.
pub fn held(key: &EmailKey) -> Key {
    Key::new(&["caio", "hold", &person(key)])
}

/// Every record that keeps us from writing to a person: a hold, and the suppressions that would cover
/// them: the address, its domain and each domain above.
pub fn suppressions_of(key: &EmailKey) -> Vec<Key> {
    let mut keys = vec![held(key), suppressed_address(key)];
    let mut domain = key.domain();
    while domain.contains('.') {
        keys.push(suppressed_domain(domain));
        domain = domain.split_once('.').map_or("", |(_, above)| above);
    }
    keys
}

/// Index of first e-mails that are known as sent and whose follow-up has not begun.
pub const SENT_INDEX: &str = "caio:idx:ledger:sent";

/// Where a person stands in the follow-up.
pub fn cadence(key: &EmailKey) -> Key {
    Key::new(&["caio", "cadence", &person(key)])
}

/// Index of the follow-ups in one status, by the day on which something is due.
pub fn cadence_index(status: &str) -> String {
    format!("caio:idx:cadence:{status}")
}

/// The Python system's record of the same.
pub fn shared_cadence(key: &EmailKey) -> Key {
    Key::new(&["cadence", "lead", &person(key)])
}

/// A lead's status, as signals (replies, bounces, opt-outs) made it.
pub fn lead_status(key: &EmailKey) -> Key {
    Key::new(&["caio", "status", &person(key)])
}

/// Writes that store the status of that key, and its place by time: whoever writes one does it with
/// these.
pub fn put_status(key: &Key, record: &Value) -> [Write; 2] {
    let put = Write::Put {
        key: key.clone(),
        value: record.to_string().into_bytes(),
        expires_in: None,
    };
    let updated_at = record.get("updated_at").and_then(Value::as_str);
    [put, status_place(key, updated_at)]
}

/// The place of the status of that key, which changed last at `updated_at`.
pub(crate) fn status_place(key: &Key, updated_at: Option<&str>) -> Write {
    Write::Index {
        index: STATUS_INDEX.to_owned(),
        order: changed_order(updated_at, person_of(key)),
        key: key.clone(),
    }
}

/// The hash of whom a lead's record or status is about.
pub(crate) fn person_of(key: &Key) -> &str {
    key.as_str().rsplit(':').next().unwrap_or_default()
}

/// A link of the audit chain.
pub fn audit(seq: u64) -> Key {
    Key::new(&["caio", "audit", &format!("{seq:012}")])
}

/// The end of the audit chain.
pub fn audit_head() -> Key {
    Key::new(&["caio", "audit", "head"])
}

/// A token, without its secret.
pub fn token(id: &str) -> Key {
    Key::new(&["caio", "token", id])
}

/// A session, by the SHA-256 of its text.
pub fn session(digest: &str) -> Key {
    Key::new(&["caio", "session", digest])
}

/// A request that may be sent again, by the SHA-256 of whose it is and its key.
pub fn idempotent(digest: &str) -> Key {
    Key::new(&["caio", "idem", digest])
}

/// A ticket for a socket, by the SHA-256 of its text.
pub fn ticket(digest: &str) -> Key {
    Key::new(&["caio", "ticket", digest])
}

/// The ICP model that a person adopted for live sending.
pub fn adopted_model() -> Key {
    Key::new(&["caio", "icp", "adopted"])
}

/// An event of the history.
pub fn event(id: &str) -> Key {
    Key::new(&["caio", "event", id])
}

/// Index of the events about one person.
pub fn events_of_person(key: &EmailKey) -> String {
    format!("caio:idx:history:person:{}", person(key))
}

/// An alert, from when it is raised until it is old.
pub fn alert(id: &str) -> Key {
    Key::new(&["caio", "outbox", id])
}

/// What was said last about one thing, so that the same is folded into it.
pub fn alert_fold(fingerprint: &str) -> Key {
    Key::new(&["caio", "fold", fingerprint])
}

/// The lease of whoever delivers alerts.
pub fn outbox_lease() -> Key {
    Key::new(&["caio", "lease", "outbox"])
}

/// An event of a webhook.
pub fn webhook(id: &str) -> Key {
    Key::new(&["caio", "webhook", id])
}

/// Index of the webhooks' events in one state, by time of arrival.
pub fn webhook_index(state: EventState) -> String {
    format!("caio:idx:webhook:{state}")
}

/// The keys that a provider's webhooks are checked with.
pub fn webhook_keys(source: Source) -> Key {
    Key::new(&["caio", "webhook-keys", source.as_str()])
}

/// The switch that takes a provider's webhooks unsigned.
pub fn webhook_hold(source: Source) -> Key {
    Key::new(&["caio", "webhook-hold", source.as_str()])
}
