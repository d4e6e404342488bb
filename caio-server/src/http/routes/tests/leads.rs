//! Leads over HTTP: by person, never by a part of a name, and in the old groups.

use caio_core::EmailKey;
use caio_core::access::Role;
use caio_core::draft::DraftStatus;
use caio_core::signals::{self, Seen};
use caio_dispatch::records;
use caio_state::{StateStoreExt, Txn, TxnId, Write};
use serde_json::{Value, json};

use crate::http::testing::{World, nothing};

/// A record of one signal about a person.
pub(super) async fn signal(world: &World, email: &str, status: &str, at: &str) {
    let seen = Seen {
        email,
        status,
        source: "instantly_webhook:open",
        at,
        data: None,
    };
    let record = signals::apply(None, &seen);
    let key = records::lead_status(&EmailKey::parse(email).unwrap());
    let txn = Txn {
        id: TxnId(format!("{email}{status}")),
        guards: Vec::new(),
        writes: vec![Write::Put {
            key,
            value: serde_json::to_vec(&record).unwrap(),
            expires_in: None,
        }],
    };
    world.service.store.commit_surely(&txn).await.unwrap();
}

#[tokio::test]
async fn leads_are_listed_newest_first_and_counted_in_their_groups() {
    let world = World::new();
    let kim = world.token("kim", Role::Viewer).await;
    signal(
        &world,
        "a@example.com",
        "opened",
        "2026-03-02T10:00:00+00:00",
    )
    .await;
    signal(&world, "b@example.com", "sent", "2026-03-03T10:00:00+00:00").await;
    let leads = world.read(&kim, "/api/leads").await;
    let emails: Vec<&Value> = leads
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["email"])
        .collect();
    assert_eq!(emails, [&json!("b@example.com"), &json!("a@example.com")]);
    assert_eq!(
        (&leads[1]["open_count"], &leads[1]["signal_count"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(leads[0]["name"], json!(null), "nothing is invented");
    let newest = world.read(&kim, "/api/leads?limit=1").await;
    assert_eq!(newest.as_array().unwrap().len(), 1);
    let funnel = world.read(&kim, "/api/leads/funnel").await;
    assert_eq!(funnel["engagement"]["opened"], 1);
    assert_eq!(funnel["outreach"]["sent"], 1);
    assert_eq!(funnel["revival"]["revival_sent"], 0);
    assert_eq!(funnel["total_leads"], 2);
    let summary = world.read(&kim, "/api/leads/status-summary").await;
    assert_eq!(summary, json!({"opened": 1, "sent": 1}));
}

#[tokio::test]
async fn d_35_a_timeline_holds_what_happened_to_this_person_alone() {
    let world = World::new();
    let kim = world.token("kim", Role::Approver).await;
    let id = world.draft("al@example.com", DraftStatus::Pending).await;
    world.draft("sally@example.com", DraftStatus::Pending).await;
    let reject = format!("/api/emails/{id}/reject?reason=x&rejection_tag=other");
    world.expect(200, &kim, &reject, &nothing()).await;
    signal(
        &world,
        "sally@example.com",
        "opened",
        "2026-03-02T10:00:00+00:00",
    )
    .await;
    let timeline = world.read(&kim, "/api/leads/AL@Example.com/timeline").await;
    assert_eq!(timeline["email"], "al@example.com");
    assert_eq!(timeline["event_count"], 1);
    assert_eq!(timeline["timeline"][0]["type"], "draft.rejected");
    assert_eq!(timeline["current_status"], json!(null));
    let other = world
        .read(&kim, "/api/leads/sally@example.com/timeline")
        .await;
    assert_eq!(other["timeline"][0]["type"], "opened");
    assert_eq!(other["timeline"][0]["channel"], "instantly_webhook");
    assert_eq!(other["current_status"]["status"], "opened");
    let nobody = world.read(&kim, "/api/leads/a@example.com/timeline").await;
    assert_eq!(nobody["event_count"], 0);
    assert_eq!(
        world.get(&kim, "/api/leads/nobody/timeline").await.status,
        422
    );
}

#[tokio::test]
async fn silence_is_recorded_once_and_ends_no_conversation() {
    let world = World::new();
    let kim = world.token("kim", Role::Operator).await;
    signal(&world, "a@example.com", "sent", "2020-03-02T10:00:00+00:00").await;
    signal(
        &world,
        "b@example.com",
        "replied",
        "2020-03-02T10:00:00+00:00",
    )
    .await;
    let target = "/api/leads/detect-decay";
    let decayed = world.expect(200, &kim, target, &nothing()).await;
    assert_eq!(decayed["ghosted"], 1);
    assert_eq!(decayed["details"]["ghosted"], json!(["a@example.com"]));
    let again = world.expect(200, &kim, target, &nothing()).await;
    assert_eq!(again["ghosted"], 0);
    let summary = world.read(&kim, "/api/leads/status-summary").await;
    assert_eq!(summary, json!({"ghosted": 1, "replied": 1}));
}
