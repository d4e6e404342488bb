//! Leads over HTTP: by person, never by a part of a name, and in the old groups.

use caio_core::EmailKey;
use caio_core::access::Role;
use caio_core::draft::DraftStatus;
use caio_core::signals::{self, Seen};
use caio_dispatch::records;
use caio_dispatch::reindex::Reindex;
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
    let record = Value::Object(signals::apply(None, &seen));
    let key = records::lead_status(&EmailKey::parse(email).unwrap());
    let writes = records::put_status(&key, &record);
    write(world, &format!("{email}{status}"), writes.into()).await;
}

async fn write(world: &World, id: &str, writes: Vec<Write>) {
    let txn = Txn {
        id: TxnId(id.to_owned()),
        guards: Vec::new(),
        writes,
    };
    world.service.store.commit_surely(&txn).await.unwrap();
}

/// As the service does it by itself.
fn reindex(world: &World) -> Reindex<'_> {
    Reindex {
        store: &*world.service.store,
        ids: &*world.service.context.ids,
        dry_run: false,
    }
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
async fn a_status_that_was_written_past_the_index_is_listed_in_its_place() {
    let world = World::new();
    let kim = world.token("kim", Role::Viewer).await;
    for (email, day) in [("a", 2), ("b", 3), ("c", 4)] {
        let (email, at) = (
            format!("{email}@example.com"),
            format!("2026-03-0{day}T10:00:00+00:00"),
        );
        signal(&world, &email, "sent", &at).await;
    }
    let person = EmailKey::parse("b@example.com").unwrap();
    let later = json!({
        "email": person, "status": "replied", "updated_at": "2026-03-05T10:00:00+00:00",
    });
    let [put, _] = records::put_status(&records::lead_status(&person), &later);
    write(&world, "past the index", vec![put]).await;
    let expected = ["b@example.com", "c@example.com", "a@example.com"].map(Value::from);
    for is_whole in [None, Some(false), Some(true)] {
        if let Some(is_whole) = is_whole {
            let looked = world.service.places.look(&reindex(&world)).await.unwrap();
            assert_eq!(looked, is_whole);
        }
        let leads = world.read(&kim, "/api/leads").await;
        let emails: Vec<Value> = leads
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["email"].clone())
            .collect();
        assert_eq!(emails, expected, "{is_whole:?}");
        let newest = world.read(&kim, "/api/leads?limit=1").await;
        assert_eq!(newest, json!([leads[0]]));
    }
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
    assert!(world.service.places.look(&reindex(&world)).await.unwrap());
    let newest = world.read(&kim, "/api/leads?limit=1").await;
    assert_eq!(newest[0]["email"], "a@example.com", "silence is news");
}
