//! The main job, from a file to the sealed requests.

use serde_json::Value;

use crate::support::Place;

fn adds_up(report: &Value) {
    let read = report["read"].as_u64().unwrap();
    let fates: u64 = report["fates"]
        .as_object()
        .unwrap()
        .values()
        .map(|it| it.as_u64().unwrap())
        .sum();
    assert_eq!(read, fates, "{report}");
}

fn texts(values: &Value, field: &str) -> Vec<String> {
    let values = values.as_array().unwrap();
    values
        .iter()
        .map(|it| it[field].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_file_becomes_drafts_once() {
    let place = Place::new();
    place.example();
    let first = place.json(3, &["run", "leads.csv"]);
    adds_up(&first);
    assert!(first["fates"]["queued"].as_u64().unwrap() > 150, "{first}");
    assert!(first["fates"]["refused"].as_u64().unwrap() >= 5);
    let refused = place.read("leads.refused.csv");
    assert!(refused.starts_with("line,record,field,reason,expected,row\n"));
    assert!(refused.contains("there is no e-mail address"));
    let second = place.json(3, &["run", "leads.csv"]);
    adds_up(&second);
    assert_eq!(second["fates"].get("queued"), None, "{second}");
    assert_eq!(second["fates"]["already_known"], first["fates"]["queued"]);
}

#[test]
fn a_dry_run_and_every_reading_command_leave_the_store_as_it_is() {
    let place = Place::new();
    place.example();
    let dry = place.json(3, &["run", "leads.csv", "--dry-run"]);
    adds_up(&dry);
    assert!(!place.path(".caio").exists() && !place.path("leads.refused.csv").exists());
    place.expect(3, &["run", "leads.csv"]);
    place.expect(0, &["drafts", "approve", "--all", "--yes"]);
    let batch = place.json(0, &["batch", "create"])["batch"].clone();
    let (id, digest) = (
        batch["id"].as_str().unwrap(),
        batch["digest"].as_str().unwrap(),
    );
    place.expect(0, &["batch", "approve", id, "--digest", digest]);
    let before = place.dump();
    let draft = texts(
        &place.json(0, &["drafts", "list", "--status", "approved"])["drafts"],
        "id",
    );
    place.expect(3, &["run", "leads.csv", "--dry-run", "--update"]);
    for args in [
        vec!["dispatch"],
        vec!["status"],
        vec!["doctor"],
        vec!["history"],
        vec!["batch", "list"],
        vec!["batch", "show", id],
        vec!["drafts", "list"],
        vec!["drafts", "show", &draft[0]],
        vec!["drafts", "export"],
        vec!["leads", "show", "kim.doe@kestrelpartners.example.com"],
        vec!["suppress", "list"],
        vec!["suppress", "export"],
        vec!["icp", "explain", "leads.csv"],
        vec!["icp", "compare", "leads.csv"],
        vec!["config", "show"],
    ] {
        place.expect(0, &args);
        place.expect(
            0,
            &args.iter().copied().chain(["--json"]).collect::<Vec<_>>(),
        );
    }
    place.expect(4, &["dispatch", "--live"]);
    assert_eq!(place.dump(), before);
}

#[test]
fn what_was_seen_is_what_would_be_sent() {
    let place = Place::new();
    place.example();
    place.expect(3, &["run", "leads.csv"]);
    place.expect(0, &["drafts", "approve", "--all", "--yes"]);
    let batch = place.json(0, &["batch", "create"]);
    let id = batch["batch"]["id"].as_str().unwrap();
    let digest = batch["batch"]["digest"].as_str().unwrap();
    assert_eq!(
        batch["batch"]["items"].as_array().unwrap().len(),
        5,
        "day 1 of the ramp"
    );

    let refused = place.expect(1, &["batch", "approve", id, "--digest", &"0".repeat(64)]);
    assert!(refused.err.contains("batch.digest_differs"));
    let nobody = place.expect(2, &["batch", "approve", id]);
    assert!(nobody.err.contains("batch.digest"));
    place.expect(0, &["batch", "approve", id, "--digest", digest]);

    let shown = place.json(0, &["dispatch"]);
    assert_eq!(
        (shown["batch"].as_str(), shown["written"].as_bool()),
        (Some(id), Some(false))
    );
    let leads = shown["requests"][1]["body"]["leads"].clone();
    let bodies: std::collections::BTreeSet<String> = leads
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            it["custom_variables"]["caio_body"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(bodies.len(), 5, "each lead with its own words");
    assert_eq!(shown["layers"].as_array().unwrap()[0]["allows"], true);

    // An edit after approval is refused by the seal; the rest goes on.
    let draft = batch["batch"]["items"][0]["draft"].as_str().unwrap();
    place.expect(0, &["drafts", "edit", draft, "--subject", "Other words"]);
    place.expect(0, &["drafts", "approve", draft]);
    let shown = place.json(3, &["dispatch"]);
    let left = &shown["left_out"][0];
    assert_eq!(left["draft"].as_str(), Some(draft));
    assert!(
        left["reason"]
            .as_str()
            .unwrap()
            .contains("changed after approval")
    );

    // Less can be asked for, never more.
    let none = place.json(3, &["dispatch", "--limit", "0"]);
    assert_eq!(none["requests"].as_array().unwrap().len(), 0);
    let more = place.json(3, &["dispatch", "--limit", "500"]);
    assert_eq!(
        more["requests"][1]["body"]["leads"]
            .as_array()
            .unwrap()
            .len(),
        4
    );
}

#[test]
fn a_batch_changed_in_the_database_is_refused() {
    let place = Place::new();
    place.example();
    place.expect(3, &["run", "leads.csv"]);
    place.expect(0, &["drafts", "approve", "--all", "--yes"]);
    let batch = place.json(0, &["batch", "create"])["batch"].clone();
    let id = batch["id"].as_str().unwrap();
    let key = format!("caio:batch:{id}");
    let change = |from: &str, to: &str| {
        let store = rusqlite::Connection::open(place.path(".caio/caio.db")).unwrap();
        let value: Vec<u8> = store
            .query_row("SELECT value FROM document WHERE key = ?1", [&key], |row| {
                row.get(0)
            })
            .unwrap();
        let text = String::from_utf8(value).unwrap();
        assert!(text.contains(from), "{text}");
        let text = text.replacen(from, to, 1).into_bytes();
        store
            .execute(
                "UPDATE document SET value = ?1 WHERE key = ?2",
                (text, &key),
            )
            .unwrap();
    };
    let gate = || {
        let shown = place.run(&["dispatch", "--batch", id, "--json"]);
        let shown: Value = serde_json::from_str(&shown.out).unwrap();
        let layers = shown["layers"].as_array().unwrap().clone();
        let gate: Vec<Value> = layers.into_iter().filter(|it| it["layer"] == 4).collect();
        gate.iter().all(|it| it["allows"] == true)
    };
    change("\"status\":\"pending\"", "\"status\":\"approved\"");
    assert!(!gate(), "approved by hand, without a seal");
    change("\"status\":\"approved\"", "\"status\":\"pending\"");
    place.expect(
        0,
        &[
            "batch",
            "approve",
            id,
            "--digest",
            batch["digest"].as_str().unwrap(),
        ],
    );
    assert!(gate());
    let expires = batch["expires_at"].as_str().unwrap();
    change(expires, "2031-01-01T00:00:00.000000Z");
    assert!(!gate(), "a moved expiry");
    change("2031-01-01T00:00:00.000000Z", expires);
    assert!(gate());
    place.expect(0, &["batch", "revoke", id, "--reason", "changed my mind"]);
    change("\"status\":\"rejected\"", "\"status\":\"approved\"");
    assert!(gate(), "the seal of a revoked batch still fits its content");
}

#[test]
fn suppressed_people_are_dropped_and_history_says_who() {
    let place = Place::new();
    place.write("leads.ndjson", "{\"email\":\"Lou@beta.test\",\"first_name\":\"Lou\",\"company\":\"Beta\",\"title\":\"CEO\",\"employees\":80,\"industry\":\"Marketing\"}\n{\"email\":\"pat@sub.gamma.test\",\"first_name\":\"Pat\",\"company\":\"Gamma\",\"title\":\"CEO\",\"employees\":80,\"industry\":\"Marketing\"}\n{\"email\":\"ann@delta.test\",\"first_name\":\"Ann\",\"company\":\"Delta\",\"title\":\"CEO\",\"employees\":80,\"industry\":\"Marketing\"}\n");
    place.write(
        "unsubscribes.jsonl",
        "{\"email\": \" LOU@beta.test\", \"at\": \"2026-03-03T08:00:00+00:00\"}\n{broken\n",
    );
    place.expect(3, &["suppress", "import", "unsubscribes.jsonl"]);
    place.expect(
        0,
        &[
            "suppress",
            "add",
            "gamma.test",
            "--reason",
            "customer",
            "--by",
            "ann",
        ],
    );
    let free = place.expect(2, &["suppress", "add", "gmail.com"]);
    assert!(free.err.contains("free-mail"));
    let report = place.json(0, &["run", "leads.ndjson"]);
    assert_eq!(report["fates"]["suppressed"], 2);
    assert_eq!(report["fates"]["queued"], 1);
    let lead = place.json(0, &["leads", "show", "pat@sub.gamma.test"]);
    assert_eq!(lead["suppressed"], "customer (command line)");
    assert_eq!(lead["lead"]["outcome"], "suppressed");
    let history = place.json(0, &["history"]);
    assert_eq!(history["events"][0]["by"], "ann");
}

#[test]
fn changed_data_are_kept_out_until_they_are_asked_in() {
    let place = Place::new();
    let row = |title: &str| {
        format!(
            "email,first name,company,title,employees,industry\nkim@acorn.test,Kim,Acorn,{title},80,Marketing\n"
        )
    };
    place.write("a.csv", row("CEO"));
    place.expect(0, &["run", "a.csv"]);
    place.expect(0, &["drafts", "approve", "--all", "--yes"]);
    place.write("a.csv", row("COO"));
    let kept = place.json(0, &["run", "a.csv"]);
    assert_eq!(kept["fates"]["kept_as_was"], 1);
    assert_eq!(
        kept["differences"][0]["changes"][0],
        "title: \"CEO\" -> \"COO\""
    );
    let approved = place.json(0, &["drafts", "list", "--status", "approved"]);
    assert_eq!(approved["drafts"][0]["flags"][0], "old_facts");
    let updated = place.json(0, &["run", "a.csv", "--update"]);
    assert_eq!(updated["fates"]["updated"], 1);
    let drafts = place.json(0, &["drafts", "list"]);
    assert_eq!(
        drafts["drafts"][0]["status"], "pending",
        "a yes was for the old text"
    );
    assert_eq!(
        place.json(0, &["run", "a.csv"])["fates"]["already_known"],
        1
    );
}

#[test]
fn two_runs_at_once_on_one_store_queue_nobody_twice() {
    let place = Place::new();
    place.example();
    let children: Vec<_> = (0..4)
        .map(|number| {
            let refused = format!("refused{number}.csv");
            let mut command = place.command(&["run", "leads.csv", "--json", "--refused", &refused]);
            command
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped());
            command.spawn().unwrap()
        })
        .collect();
    let mut queued = 0;
    for child in children {
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{err}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        adds_up(&report);
        queued += report["fates"]["queued"].as_u64().unwrap_or(0);
    }
    let drafts = place.json(0, &["drafts", "list", "--limit", "1000"]);
    assert_eq!(drafts["drafts"].as_array().unwrap().len() as u64, queued);
}

#[test]
fn the_kill_switch_is_shared_and_shown() {
    let place = Place::new();
    place.expect(0, &["stop", "--reason", "pause"]);
    assert_eq!(place.json(0, &["status"])["stopped"]["reason"], "pause");
    let layers = place.json(0, &["dispatch"])["layers"].clone();
    assert_eq!(layers[0]["allows"], false);
    place.expect(0, &["resume"]);
    assert_eq!(place.json(0, &["status"])["stopped"], Value::Null);
    let stopped = Place::new().variable("EMERGENCY_STOP", "true");
    assert_eq!(stopped.json(0, &["dispatch"])["layers"][0]["allows"], false);
}

#[test]
fn the_doctor_names_what_is_wrong_and_touches_nothing() {
    let place = Place::new();
    place.example();
    place.expect(3, &["run", "leads.csv"]);
    assert!(
        place
            .expect(0, &["doctor"])
            .out
            .contains("nothing is wrong")
    );
    place.expect(0, &["stop", "--reason", "audit"]);
    let store = rusqlite::Connection::open(place.path(".caio/caio.db")).unwrap();
    let change = |sql: &str| assert_eq!(store.execute(sql, []).unwrap(), 1);
    let draft = "(SELECT key FROM document WHERE key LIKE 'caio:draft:%' LIMIT 1)";
    change(&format!(
        "UPDATE document SET value = CAST('torn' AS BLOB) WHERE key = {draft}"
    ));
    let last = draft.replace("LIMIT 1", "ORDER BY key DESC LIMIT 1");
    change(&format!("DELETE FROM document WHERE key = {last}"));
    let before = place.dump();
    let findings = place.json(3, &["doctor"])["findings"].to_string();
    for what in ["audit", "cannot be read", "which is not there"] {
        assert!(findings.contains(what), "{findings}");
    }
    assert_eq!(place.dump(), before);
}
