//! Stop, suppressions, tokens, ledger and history over HTTP.

use caio_core::access::Role;
use caio_core::draft::DraftStatus;
use serde_json::json;

use crate::http::testing::{World, nothing};

#[tokio::test]
async fn d_06_a_stop_sets_the_flag_and_says_what_it_reached() {
    let world = World::new();
    let kim = world.token("kim", Role::Operator).await;
    assert_eq!(world.read(&kim, "/api/stop").await["stopped"], false);
    let stopped = world
        .expect(200, &kim, "/api/stop", &json!({"reason": "pause"}))
        .await;
    assert_eq!(
        (&stopped["stopped"], &stopped["complete"]),
        (&json!(true), &json!(true))
    );
    let read = world.read(&kim, "/api/stop").await;
    assert_eq!(
        (&read["flag"]["by"], &read["flag"]["reason"]),
        (&json!("kim"), &json!("pause"))
    );
    world.expect(200, &kim, "/api/resume", &nothing()).await;
    assert_eq!(world.read(&kim, "/api/stop").await["stopped"], false);
}

#[tokio::test]
async fn d_06_a_stop_that_a_provider_does_not_confirm_is_207_with_the_flag_set() {
    // Nothing listens there.
    let world = World::with(&[
        ("INSTANTLY_API_KEY", "k"),
        ("INSTANTLY_BASE_URL", "http://127.0.0.1:9/api/v2"),
    ]);
    let kim = world.token("kim", Role::Operator).await;
    let stopped = world.expect(207, &kim, "/api/stop", &nothing()).await;
    assert_eq!(
        (&stopped["stopped"], &stopped["complete"]),
        (&json!(true), &json!(false))
    );
    assert!(
        stopped["halted"]["instantly"]["error"].is_string(),
        "{stopped}"
    );
    assert_eq!(world.read(&kim, "/api/stop").await["stopped"], true);
}

#[tokio::test]
async fn suppressions_are_added_once_and_asked_for_by_person() {
    let world = World::new();
    let kim = world.token("kim", Role::Operator).await;
    let target = "/api/suppressions";
    let entry = json!({"who": "example.org", "reason": "customer"});
    assert_eq!(world.expect(201, &kim, target, &entry).await["added"], true);
    assert_eq!(
        world.expect(200, &kim, target, &entry).await["added"],
        false
    );
    let wrong = json!({"who": "gmail.com"});
    let refused = world.expect(422, &kim, target, &wrong).await;
    assert_eq!(refused["code"], "suppression.scope");
    let check = world
        .read(&kim, "/api/suppressions/check?email=Lee@Mail.Example.org")
        .await;
    assert_eq!(check["suppressed"], true);
    assert_eq!(check["entries"][0]["value"], "example.org");
    let check = world
        .read(&kim, "/api/suppressions/check?email=lee@example.com")
        .await;
    assert_eq!(check["suppressed"], false);
    assert_eq!(
        world
            .get(&kim, "/api/suppressions/check?email=x")
            .await
            .status,
        422
    );
    let page = world.read(&kim, "/api/suppressions?limit=1").await;
    assert_eq!(page["suppressions"][0]["by"], "kim");
}

#[tokio::test]
async fn a_token_is_shown_once_and_opens_nothing_once_revoked() {
    let world = World::new();
    let root = world.token("root", Role::Admin).await;
    let new = json!({"name": "lee", "role": "viewer", "expires_days": 30});
    let made = world.expect(201, &root, "/api/tokens", &new).await;
    let secret = made["secret"].as_str().unwrap().to_owned();
    world.read(&secret, "/api/stop").await;
    assert_eq!(world.get(&secret, "/api/tokens").await.status, 403);
    let listed = world.get(&root, "/api/tokens").await;
    assert!(!listed.body.contains("digest") && !listed.body.contains(&secret));
    let revoke = format!(
        "/api/tokens/{}/revoke",
        made["token"]["id"].as_str().unwrap()
    );
    let revoked = world.expect(200, &root, &revoke, &nothing()).await;
    assert_eq!(revoked["token"]["valid"], false);
    assert_eq!(world.get(&secret, "/api/stop").await.status, 401);
    for wrong in [
        json!({"name": "", "role": "viewer"}),
        json!({"name": "x", "role": "root"}),
    ] {
        world.expect(422, &root, "/api/tokens", &wrong).await;
    }
}

#[tokio::test]
async fn d_19_lists_come_in_pages_that_leave_nothing_out() {
    let world = World::new();
    let kim = world.token("kim", Role::Viewer).await;
    for number in 0..5 {
        world
            .draft(&format!("p{number}@example.com"), DraftStatus::Pending)
            .await;
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = world
            .read(&kim, &format!("/api/drafts?limit=2&cursor={cursor}"))
            .await;
        seen.extend(
            page["drafts"]
                .as_array()
                .unwrap()
                .iter()
                .map(|it| it["to"].clone()),
        );
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    seen.sort_by_key(ToString::to_string);
    let all: Vec<_> = (0..5)
        .map(|it| json!(format!("p{it}@example.com")))
        .collect();
    assert_eq!(seen, all);
    let found = world
        .read(&kim, "/api/drafts?search=P3@EXAMPLE&limit=1")
        .await;
    assert_eq!(found["drafts"][0]["to"], "p3@example.com");
    let none = world.read(&kim, "/api/drafts?tier=tier_2").await;
    assert_eq!(none["drafts"], json!([]));
    for wrong in [
        "limit=0",
        "limit=501",
        "status=open",
        "cursor=x",
        "stauts=pending",
    ] {
        assert_eq!(
            world
                .get(&kim, &format!("/api/drafts?{wrong}"))
                .await
                .status,
            422,
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn the_ledger_tells_what_is_not_there() {
    let world = World::new();
    let kim = world.token("kim", Role::Operator).await;
    assert_eq!(world.read(&kim, "/api/ledger").await["entries"], json!([]));
    assert_eq!(world.get(&kim, "/api/ledger/none").await.status, 404);
    assert_eq!(
        world
            .get(&kim, "/api/ledger?batch=b&email=a@example.com")
            .await
            .status,
        422
    );
    let resolve = "/api/ledger/none/resolve";
    for wrong in [
        json!({"outcome": "sent", "reason": "x"}),
        json!({"outcome": "accepted", "reason": ""}),
    ] {
        world.expect(422, &kim, resolve, &wrong).await;
    }
}

#[tokio::test]
async fn d_22_a_trigger_is_a_dry_run_unless_it_says_false_and_makes_a_batch_to_approve() {
    let world = World::new();
    let kim = world.token("kim", Role::Operator).await;
    world.draft("lee@example.com", DraftStatus::Approved).await;
    let trigger = "/api/operator/trigger";
    let before = world.dump().await;
    let dry = world.expect(200, &kim, trigger, &nothing()).await;
    assert_eq!(
        (&dry["dry_run"], &dry["motion"]),
        (&json!(true), &json!("all"))
    );
    for wrong in [
        json!({"dry_run": "false"}),
        json!({"dry_run": 0}),
        json!({"dry_run": null}),
        json!({"motion": "everything"}),
    ] {
        world.expect(422, &kim, trigger, &wrong).await;
    }
    assert_eq!(world.dump().await, before, "a dry run writes nothing");
    let live = json!({"dry_run": false, "motion": "outbound"});
    let asked = world.expect(200, &kim, trigger, &live).await;
    assert_eq!(
        (&asked["pending_approval"], &asked["run_id"]),
        (&json!(true), &json!(null))
    );
    let pending = world.read(&kim, "/api/operator/pending-batch").await;
    assert_eq!(pending["batch_id"], asked["batch_id"]);
    let approve = format!(
        "/api/operator/approve-batch/{}",
        pending["batch_id"].as_str().unwrap()
    );
    world
        .expect(409, &kim, &approve, &json!({"approved_by": "x"}))
        .await;
    let right = json!({"digest": pending["digest"], "approved_by": "x"});
    let approved = world.expect(200, &kim, &approve, &right).await;
    assert_eq!(approved["batch"]["approved_by"], "kim");
    // Approved, and still nothing goes: the layers say why.
    let blocked = world.expect(200, &kim, trigger, &live).await;
    assert_eq!(
        (&blocked["run_id"], &blocked["instantly_report"]),
        (&json!(null), &json!(null)),
        "counts are of what went"
    );
    let errors = blocked["errors"].as_array().unwrap();
    assert!(errors[0].as_str().unwrap().starts_with("nothing was sent"));
    assert!(errors[1].as_str().unwrap().starts_with("layer "));
    let status = world.read(&kim, "/api/operator/status").await;
    assert_eq!(
        (&status["today"]["runs"], &status["emergency_stop"]),
        (&json!(0), &json!(false))
    );
    assert_eq!(world.read(&kim, "/api/operator/history").await, json!([]));
    assert_eq!(
        world
            .get(&kim, "/api/operator/history?limit=-1")
            .await
            .status,
        422
    );
}

#[tokio::test]
async fn d_54_the_queue_counts_every_draft_and_shows_todays_limit() {
    let world = World::new();
    let kim = world.token("kim", Role::Viewer).await;
    world.draft("a@example.com", DraftStatus::Pending).await;
    world.draft("b@example.com", DraftStatus::Done).await;
    let status = world.read(&kim, "/api/queue-status").await;
    let drafts = &status["shadow_mode_emails"];
    assert_eq!(
        (&drafts["total"], &drafts["pending"], &drafts["out"]),
        (&json!(2), &json!(1), &json!(1))
    );
    let operator = world.read(&kim, "/api/operator/status").await;
    let limit = &operator["warmup_schedule"]["email_daily_limit"];
    assert_eq!(&status["daily_limits"]["limit"], limit);
}

#[tokio::test]
async fn an_entry_goes_for_a_reason_by_name_and_what_else_ends_contact_stays() {
    let world = World::new();
    let root = world.token("root", Role::Admin).await;
    let kim = world.token("kim", Role::Operator).await;
    for who in ["lee@example.org", "example.org"] {
        world
            .expect(201, &kim, "/api/suppressions", &json!({ "who": who }))
            .await;
    }
    let remove = "/api/suppressions/remove";
    let right = json!({ "who": "LEE@example.org", "reason": "asked by phone" });
    world.expect(403, &kim, remove, &right).await;
    for wrong in [
        json!({ "who": "lee@example.org" }),
        json!({ "who": "lee@example.org", "reason": " " }),
        json!({ "who": "nobody", "reason": "x" }),
    ] {
        world.expect(422, &root, remove, &wrong).await;
    }
    let removed = world.expect(200, &root, remove, &right).await;
    assert_eq!(removed["removed"]["value"], "lee@example.org");
    world.expect(404, &root, remove, &right).await;
    let check = "/api/suppressions/check?email=lee@example.org";
    let checked = world.read(&root, check).await;
    assert_eq!(checked["suppressed"], true, "the domain is still there");
    let listed = world.read(&root, "/api/suppressions").await;
    assert_eq!(listed["suppressions"].as_array().unwrap().len(), 1);
    let event = world.read(&root, "/api/history?limit=1").await["events"][0].clone();
    assert_eq!(
        (&event["kind"], &event["by"], &event["person"]),
        (
            &json!("suppression.removed"),
            &json!("root"),
            &json!("lee@example.org")
        )
    );
    let detail = event["detail"].as_str().unwrap();
    assert!(detail.starts_with("asked by phone (it was: "), "{detail}");
    let domain = json!({ "who": "example.org", "reason": "not a customer any more" });
    world.expect(200, &root, remove, &domain).await;
    assert_eq!(world.read(&root, check).await["suppressed"], false);
}

#[tokio::test]
async fn lists_are_filtered_by_where_things_stand_and_whom_they_are_about() {
    let world = World::new();
    let root = world.token("root", Role::Admin).await;
    world.draft("lee@example.com", DraftStatus::Approved).await;
    let max = world.draft("max@example.com", DraftStatus::Pending).await;
    let made = world.expect(201, &root, "/api/batches", &nothing()).await;
    let reject = format!("/api/emails/{max}/reject?reason=x&rejection_tag=other");
    world.expect(200, &root, &reject, &nothing()).await;
    for (target, list, expected) in [
        ("/api/drafts", "drafts", 0),
        ("/api/drafts?status=approved", "drafts", 1),
        ("/api/drafts?status=rejected&search=MAX", "drafts", 1),
        ("/api/drafts?status=rejected&search=lee", "drafts", 0),
        ("/api/drafts?status=approved&tier=tier_1", "drafts", 1),
        ("/api/drafts?status=approved&tier=tier_3", "drafts", 0),
        ("/api/batches", "batches", 1),
        ("/api/batches?status=approved", "batches", 0),
        ("/api/history?email=max@example.com", "events", 1),
        ("/api/history?email=nobody@example.com", "events", 0),
        ("/api/ledger?email=lee@example.com", "entries", 0),
        ("/api/webhooks?state=dead", "events", 0),
    ] {
        let answer = world.read(&root, target).await;
        let found = answer[list].as_array().unwrap().len();
        assert_eq!(found, expected, "{target}: {answer}");
    }
    let batch = made["batch"]["id"].as_str().unwrap();
    let of_batch = format!("/api/ledger?batch={batch}");
    assert_eq!(world.read(&root, &of_batch).await["entries"], json!([]));
    for wrong in [
        "/api/batches?status=open",
        "/api/history?email=nobody",
        "/api/webhooks?state=gone",
        "/api/webhooks?from=yesterday",
        "/api/webhooks?limit=0",
        "/api/ledger?limit=x",
    ] {
        assert_eq!(world.get(&root, wrong).await.status, 422, "{wrong}");
    }
}
