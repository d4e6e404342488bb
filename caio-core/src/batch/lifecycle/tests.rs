use proptest::prelude::*;

use super::fixture::{
    approve, approved, executed, executing, item, keys, new, noon, pending, with_items,
};
use super::*;

fn later() -> Timestamp {
    "2026-03-03T11:00:01Z".parse().unwrap()
}

fn outcomes(batch: &Batch, of: &[ItemOutcome]) -> BTreeMap<String, ItemOutcome> {
    batch
        .items
        .iter()
        .zip(of)
        .map(|(item, outcome)| (item.draft.clone(), *outcome))
        .collect()
}

#[test]
fn create_refuses_what_could_not_be_executed() {
    let code = |edit: fn(&mut NewBatch)| {
        let mut given = new(3);
        edit(&mut given);
        Batch::create(given).unwrap_err().code()
    };
    assert_eq!(code(|b| b.items.clear()), "batch.empty");
    assert_eq!(code(|b| b.expires = b.created), "batch.expiry_out_of_range");
    assert_eq!(
        code(|b| b.expires = "2026-04-02T11:00:00Z".parse().unwrap()),
        "batch.expiry_out_of_range"
    );
    assert_eq!(code(|b| b.id = "batch_1".into()), "batch.malformed");
    assert_eq!(
        code(|b| b.items[1].draft = b.items[0].draft.clone()),
        "batch.duplicate_draft"
    );
    assert_eq!(
        code(|b| b.items[1].recipient = b.items[0].recipient.clone()),
        "batch.duplicate_recipient"
    );
}

#[test]
fn approval_needs_the_digest_that_was_seen() {
    let shown = pending();
    let mut stored = shown.clone();
    stored.items.push(item(9));
    stored.digest = stored.compute_digest();
    let approval = Approval {
        by: "sam",
        seen_digest: &shown.digest,
        shown: Some(&shown),
        keys: &keys(),
    };
    let refusal = stored.approve(&approval, noon()).unwrap_err();
    assert_eq!(refusal.code(), "batch.digest_differs");
    assert!(
        refusal
            .to_string()
            .contains("to person9@example.com was added"),
        "{refusal}"
    );
}

#[test]
fn approval_refuses_an_edited_record_and_an_expired_one_and_nobody() {
    let batch = pending();
    let try_it = |batch: &Batch, by: &str, now| {
        let approval = Approval {
            by,
            seen_digest: &batch.digest,
            shown: None,
            keys: &keys(),
        };
        batch.approve(&approval, now).unwrap_err().code()
    };
    let mut edited = batch.clone();
    edited.items[0].pool = "other".into();
    assert_eq!(try_it(&edited, "sam", noon()), "batch.record_edited");
    assert_eq!(try_it(&batch, "sam", later()), "batch.expired");
    assert_eq!(try_it(&batch, "  ", noon()), "batch.nobody_named");
    assert_eq!(
        try_it(&approve(&batch), "sam", noon()),
        "batch.wrong_status"
    );
}

#[test]
fn scenario_7_reject_of_an_executed_or_executing_batch_is_a_conflict() {
    for batch in [executed(), executing()] {
        let refusal = batch.reject("sam", "no", noon()).unwrap_err();
        assert_eq!(refusal.code(), "batch.wrong_status");
    }
    assert!(
        !pending()
            .reject("sam", "no", noon())
            .unwrap()
            .rejection
            .unwrap()
            .revoked
    );
    assert!(
        approved()
            .reject("sam", "no", noon())
            .unwrap()
            .rejection
            .unwrap()
            .revoked
    );
    assert!(pending().revoke("sam", "no", noon()).is_err());
}

#[test]
fn pending_and_approved_expire_but_not_early() {
    for batch in [pending(), approved()] {
        assert_eq!(
            batch.expire(noon()).unwrap_err().code(),
            "batch.not_expired"
        );
        assert_eq!(batch.expire(later()).unwrap().status, BatchStatus::Expired);
        let mut unreadable = batch.clone();
        unreadable.expires_at = "never".into();
        assert_eq!(
            unreadable.expire(noon()).unwrap().status,
            BatchStatus::Expired
        );
    }
    assert!(executing().expire(later()).is_err());
}

#[test]
fn settling_says_what_happened() {
    use ItemOutcome::{Accepted, NotSent, Rejected, Unknown};
    let batch = executing();
    for (of, expected) in [
        ([Accepted, Accepted, Accepted], BatchStatus::Executed),
        ([Accepted, NotSent, Accepted], BatchStatus::Partial),
        ([Accepted, Rejected, Accepted], BatchStatus::Partial),
        ([Rejected, NotSent, Rejected], BatchStatus::Failed),
        ([Accepted, Unknown, Rejected], BatchStatus::Unknown),
    ] {
        let settled = batch.settle(&outcomes(&batch, &of), noon()).unwrap();
        assert_eq!(settled.status, expected, "{of:?}");
    }
    let short = outcomes(&batch, &[Accepted]);
    assert_eq!(
        batch.settle(&short, noon()).unwrap_err().code(),
        "batch.outcome_missing"
    );
    let mut stray = outcomes(&batch, &[Accepted; 3]);
    stray.insert("dr_x".into(), Accepted);
    assert_eq!(
        batch.settle(&stray, noon()).unwrap_err().code(),
        "batch.outcome_stray"
    );
    let nothing = approve(&with_items(0))
        .begin_execution("run-1", Motion::Outbound, &keys(), noon())
        .unwrap();
    assert_eq!(
        nothing.settle(&BTreeMap::new(), noon()).unwrap().status,
        BatchStatus::Failed
    );
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Approve,
    Reject,
    Revoke,
    Expire,
    Begin,
    Settle(ItemOutcome),
}

fn event() -> impl Strategy<Value = Event> {
    use ItemOutcome::{Accepted, NotSent, Rejected, Unknown};
    prop_oneof![
        3 => Just(Event::Approve),
        1 => Just(Event::Reject),
        1 => Just(Event::Revoke),
        1 => Just(Event::Expire),
        3 => Just(Event::Begin),
        3 => prop_oneof![Just(Accepted), Just(NotSent), Just(Rejected), Just(Unknown)].prop_map(Event::Settle),
    ]
}

fn step(batch: &Batch, event: Event, now: Timestamp) -> Result<Batch, BatchRefusal> {
    match event {
        Event::Approve => {
            let approval = Approval {
                by: "sam",
                seen_digest: &batch.digest,
                shown: None,
                keys: &keys(),
            };
            batch.approve(&approval, now)
        }
        Event::Reject => batch.reject("sam", "", now),
        Event::Revoke => batch.revoke("sam", "", now),
        Event::Expire => batch.expire(now),
        Event::Begin => batch.begin_execution("run-1", Motion::Outbound, &keys(), now),
        Event::Settle(outcome) => batch.settle(&outcomes(batch, &[outcome; 3]), now),
    }
}

proptest! {
    #[test]
    fn no_path_leaves_a_terminal_status_and_none_executes_twice(
        events in prop::collection::vec((event(), any::<bool>()), 0..30)
    ) {
        let mut batch = pending();
        let mut begun = 0;
        for (event, late) in events {
            let now = if late { later() } else { noon() };
            if let Ok(next) = step(&batch, event, now) {
                prop_assert!(batch.status.successors().contains(&next.status));
                prop_assert!(!batch.status.is_terminal());
                if next.status == BatchStatus::Executing { begun += 1; }
                // Nothing that was approved changes on the way.
                prop_assert_eq!(next.compute_digest(), batch.compute_digest());
                batch = next;
            }
        }
        prop_assert!(begun <= 1);
    }

    #[test]
    fn a_batch_survives_its_record(count in 0_usize..5) {
        let batch = approve(&with_items(count));
        let text = serde_json::to_string(&batch).unwrap();
        let read: Batch = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&read, &batch);
        prop_assert!(read.verify(&keys(), noon()).is_ok());
    }
}
