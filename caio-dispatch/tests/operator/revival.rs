//! Who went quiet: named, written to once, within a limit of its own.

use caio_core::EmailKey;
use caio_core::config::Production;
use caio_core::draft::DraftStatus;
use caio_core::suppression::Scope;
use caio_core::terms::Motion;
use caio_dispatch::revival::{Revivals, contacts};
use caio_dispatch::suppress::Suppress;
use caio_dispatch::{records, review};
use caio_state::{StateStoreExt, Write};
use serde_json::{Value, json};

use crate::days::{Days, one_world, writer};
use crate::person;

fn days() -> Days {
    Days::new(one_world())
}

fn revivals<'a>(days: &'a Days, rules: &'a Production) -> Revivals<'a> {
    Revivals {
        store: &*days.world.store,
        clock: &*days.world.clock,
        ids: &*days.world.ids,
        by: "ann",
        rules: &rules.revival,
    }
}

/// A contact of the CRM that was active on 20 January, 41 days before the first day of the tests.
fn contact(email: &str, more: &Value) -> Value {
    let mut contact = json!({
        "id": format!("c-{email}"), "email": email, "firstName": "Lou", "lastName": "Roe",
        "companyName": "Beta", "tags": ["cold"], "lastActivity": "2026-01-20T10:00:00Z",
    });
    for (member, value) in more.as_object().unwrap() {
        contact[member] = value.clone();
    }
    contact
}

#[tokio::test]
async fn whoever_went_quiet_is_named_and_nobody_else() {
    let days = days();
    let store = &*days.world.store;
    let suppress = Suppress {
        store,
        clock: &*days.world.clock,
        ids: &*days.world.ids,
        by: "ann",
    };
    let scope = Scope::parse("optout@beta.test").unwrap();
    suppress
        .add(&scope, "unsubscribed", "test", None)
        .await
        .unwrap();
    for (email, status) in [
        ("booked@beta.test", json!({"status": "meeting_booked"})),
        ("ghost@beta.test", json!({"status": "ghosted"})),
        (
            "back@beta.test",
            json!({"status": "stalled", "signals": [
                {"type": "rb2b:visit", "status": "", "at": "2026-02-20T10:00:00+00:00"}]}),
        ),
    ] {
        let key = records::lead_status(&EmailKey::parse(email).unwrap());
        let value = serde_json::to_vec(&status).unwrap();
        let put = Write::Put {
            key,
            value,
            expires_in: None,
        };
        days.world.commit(vec![put]).await;
    }
    let list = json!([
        contact("new@beta.test", &json!({})),
        contact("ghost@beta.test", &json!({})),
        contact("back@beta.test", &json!({})),
        contact("BACK@beta.test", &json!({})),
        contact("optout@beta.test", &json!({})),
        contact("booked@beta.test", &json!({})),
        contact("dnc@beta.test", &json!({"tags": ["cold", "DNC"]})),
        contact("status@beta.test", &json!({"tags": ["cold", "status-unsubscribed"]})),
        contact("quiet@beta.test", &json!({"dnd": true})),
        contact("customer@beta.test", &json!({"pipeline_stage": "Customer"})),
        contact("fresh@beta.test", &json!({"lastActivity": "2026-02-20T10:00:00Z"})),
        contact("old@beta.test", &json!({"lastActivity": "2025-08-01T10:00:00Z"})),
        contact("synced@beta.test", &json!({"lastActivity": null, "_synced_at": "2026-01-20T10:00:00Z"})),
        contact("null@beta.test", &json!({"tags": [null, "cold"]})),
        {"email": null},
        "nonsense",
    ]);
    let (list, problems) = contacts(&list.to_string()).unwrap();
    assert_eq!((list.len(), problems.len()), (14, 2));
    let rules = Production::default();
    let before = store.dump().await.unwrap();
    let scan = revivals(&days, &rules).scan(&list, 10).await.unwrap();
    assert_eq!(
        store.dump().await.unwrap(),
        before,
        "a question writes nothing"
    );
    let named: Vec<(&str, f64)> = scan
        .candidates
        .iter()
        .map(|it| (it.email.as_str(), it.revival_score))
        .collect();
    assert_eq!(
        named,
        [
            ("back@beta.test", 0.92),
            ("ghost@beta.test", 0.35),
            ("null@beta.test", 0.3),
            ("new@beta.test", 0.3),
        ]
    );
    for (why, count) in [
        ("suppressed", 1),
        ("status", 1),
        ("tag", 2),
        ("do_not_disturb", 1),
        ("stage", 1),
        ("too_early", 1),
        ("too_late", 1),
        ("unknown_activity", 1),
    ] {
        assert_eq!(scan.excluded.get(why), Some(&count), "{why}");
    }
    let one = revivals(&days, &rules).scan(&list, 1).await.unwrap();
    assert_eq!(
        (one.count, one.candidates[0].email.as_str()),
        (1, "back@beta.test")
    );
    let none = revivals(&days, &rules).scan(&list, 0).await.unwrap();
    assert_eq!(none.count, 0);
    assert!(contacts("{}").is_err() && contacts("no").is_err());
}

#[tokio::test]
async fn a_lead_is_revived_after_its_follow_up_and_only_once() {
    let mut days = days();
    days.begin(2).await;
    let rules = Production::default();
    let quiet = json!([contact(person(0).as_str(), &json!({}))]);
    let (quiet, _) = contacts(&quiet.to_string()).unwrap();
    let scan = revivals(&days, &rules).scan(&quiet, 9).await.unwrap();
    assert_eq!(
        scan.excluded.get("programme"),
        Some(&1),
        "its follow-up goes on"
    );
    while days.day < 26 {
        days.next_day();
        if days.day == 20 {
            let replied = json!({"status": "replied", "reply_count": 1});
            days.signal(&person(1), replied).await;
        }
        days.morning().await;
    }
    assert_eq!(revivals(&days, &rules).scan(&[], 9).await.unwrap().count, 0);
    for _ in 0..30 {
        days.next_day();
    }
    let scan = revivals(&days, &rules).scan(&[], 9).await.unwrap();
    assert_eq!(
        (scan.count, scan.candidates[0].pipeline_stage.as_str()),
        (1, "Cold")
    );
    assert_eq!(scan.candidates[0].email, person(0).as_str());
    assert_eq!(scan.candidates[0].context["emails_sent"], 5);
    let revived = revivals(&days, &rules)
        .draft(&[], 9, &writer())
        .await
        .unwrap();
    assert_eq!(revived.drafts.len(), 1);
    let again = revivals(&days, &rules)
        .draft(&[], 9, &writer())
        .await
        .unwrap();
    assert_eq!(again.drafts.len(), 0, "it was written before");
    let batch = days.approve(Motion::Revival).await.unwrap();
    let report = days.execute(&batch, Motion::Revival).await.unwrap();
    assert_eq!(report.items[0].state, "accepted");
    for _ in 0..60 {
        days.next_day();
    }
    let scan = revivals(&days, &rules).scan(&[], 9).await.unwrap();
    assert_eq!(scan.excluded.get("revived_before"), Some(&1), "{scan:?}");
}

#[tokio::test]
async fn revivals_have_a_limit_of_their_own_and_an_opt_out_in_between_counts() {
    let mut days = days();
    days.world.we_send().await;
    days.we_send().await;
    let list: Vec<Value> = (0..8)
        .map(|it| contact(&format!("lou{it}@beta{it}.test"), &json!({})))
        .collect();
    let (list, _) = contacts(&json!({ "contacts": list }).to_string()).unwrap();
    let rules = Production::default();
    let revived = revivals(&days, &rules)
        .draft(&list, 7, &writer())
        .await
        .unwrap();
    assert_eq!(revived.drafts.len(), 7);
    let draft = review::one(&*days.world.store, &revived.drafts[0])
        .await
        .unwrap();
    assert_eq!(
        (draft.status, draft.motion),
        (DraftStatus::Pending, Motion::Revival)
    );
    assert!(draft.body.starts_with("Hi Lou,") && draft.body.contains("Beta"));
    let batch = days.approve(Motion::Revival).await.unwrap();
    assert_eq!(batch.items.len(), 7);
    days.signal(&batch.items[0].recipient, json!({"status": "unsubscribed"}))
        .await;
    let report = days.execute(&batch, Motion::Revival).await.unwrap();
    let accepted = report
        .items
        .iter()
        .filter(|it| it.state == "accepted")
        .count();
    assert_eq!(accepted, 5, "the default limit of a day");
    let limited = report
        .items
        .iter()
        .filter(|it| it.detail.contains("revival:day:"))
        .count();
    assert_eq!(limited, 1, "{report:?}");
}
