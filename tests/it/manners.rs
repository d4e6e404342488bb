//! How the command line behaves: exit codes, streams, terminals that are none.

use std::process::Stdio;

use crate::support::Place;

#[test]
fn every_command_explains_itself() {
    let place = Place::new();
    for command in [
        "",
        "init",
        "config",
        "config show",
        "run",
        "drafts",
        "drafts list",
        "drafts show",
        "drafts edit",
        "drafts approve",
        "drafts reject",
        "drafts reopen",
        "drafts export",
        "leads show",
        "suppress add",
        "suppress import",
        "suppress list",
        "suppress export",
        "batch create",
        "batch list",
        "batch show",
        "batch approve",
        "batch reject",
        "batch revoke",
        "dispatch",
        "status",
        "history",
        "stop",
        "resume",
        "icp list",
        "icp explain",
        "icp compare",
        "icp adopt",
        "sandbox",
        "completions",
    ] {
        let args: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let help = place.expect(0, &args);
        assert!(
            help.out.contains("Usage: caio") && help.out.contains("--json"),
            "{command}"
        );
        assert!(help.err.is_empty());
    }
    assert!(place.expect(0, &["--version"]).out.starts_with("caio "));
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            place
                .expect(0, &["completions", shell])
                .out
                .contains("caio")
        );
    }
}

#[test]
fn words_that_are_off_end_with_two() {
    let place = Place::new();
    for args in [
        &["dispatch", "--motion", "everything"][..],
        &["dispatch", "--limit", "-1"],
        &["drafts", "approve"],
        &["drafts", "list", "--status", "nearly"],
        &["run"],
        &["run", "x.csv", "--map", "email"],
        &["--store", "nonsense", "status"],
        &["nonsense"],
    ] {
        place.expect(2, args);
    }
    let unknown = place.expect(2, &["dispatch", "--motion", "everything"]);
    assert!(unknown.err.contains("outbound, cadence, revival, all"));
}

#[test]
fn data_are_ascii_where_the_locale_asks_for_it() {
    let place = Place::new().variable("LC_ALL", "C");
    place.write(
        "a.csv",
        "email,first name,company,title\nzoe@acorn.test,Zoë \u{202e}x,Käse,CEO\n",
    );
    place.expect(0, &["run", "a.csv"]);
    for args in [
        &["drafts", "list"][..],
        &["leads", "show", "zoe@acorn.test"],
        &["status"],
    ] {
        let answer = place.expect(0, args);
        assert!(
            answer.out.is_ascii() && answer.err.is_ascii(),
            "{}",
            answer.out
        );
    }
}

#[test]
fn a_reader_that_leaves_is_no_fault() {
    let place = Place::new();
    place.example();
    place.expect(3, &["run", "leads.csv"]);
    let mut child = place
        .command(&["drafts", "export"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn bulk_decisions_ask_and_refuse_to_guess() {
    let place = Place::new();
    place.example();
    place.expect(3, &["run", "leads.csv"]);
    let answer = place.expect(2, &["drafts", "approve", "--all"]);
    assert!(
        answer.err.contains("--yes") && answer.err.contains("dr_"),
        "it shows who"
    );
    assert_eq!(place.json(0, &["status"])["drafts"]["approved"], 0);
    let unknown = place.expect(3, &["drafts", "approve", "dr_none"]);
    assert!(unknown.err.contains("there is no draft"));
    place.expect(
        0,
        &[
            "drafts", "approve", "--all", "--tier", "tier_2", "--yes", "--by", "ann",
        ],
    );
    let twice = place.json(0, &["drafts", "list", "--status", "approved"]);
    let id = twice["drafts"][0]["id"].as_str().unwrap().to_owned();
    place.expect(3, &["drafts", "approve", &id]);
    place.expect(0, &["drafts", "reopen", &id]);
    place.expect(0, &["drafts", "reject", &id, "--reason", "tone"]);
    let draft = place.json(0, &["drafts", "show", &id]);
    assert_eq!(draft["draft"]["decisions"].as_array().unwrap().len(), 3);
    assert_eq!(draft["draft"]["decisions"][0]["by"], "ann");
}

#[test]
fn settings_say_where_they_come_from() {
    let place = Place::new().variable("CAIO_LIMITS_EMAIL_PER_DAY", "7");
    place.expect(0, &["init"]);
    let again = place.expect(1, &["init"]);
    assert!(again.err.contains("is there already"));
    let text = place
        .read(".caio/caio.toml")
        .replace("name = \"\"", "name = \"Robin\"");
    place.write(
        ".caio/caio.toml",
        text.replace("[limits]", "[limits]\nemail_per_dya = 3"),
    );
    let shown = place.expect(0, &["config", "show", "--json"]);
    assert!(
        shown.err.contains("email_per_dya"),
        "unknown keys are said: {}",
        shown.err
    );
    let shown: serde_json::Value = serde_json::from_str(&shown.out).unwrap();
    let source = |key: &str| {
        let all = shown["settings"].as_array().unwrap();
        all.iter().find(|it| it["key"] == key).unwrap()["source"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        source("limits.email_per_day"),
        "environment CAIO_LIMITS_EMAIL_PER_DAY"
    );
    assert!(source("sender.name").starts_with(".caio/caio.toml:"));
}

#[test]
fn errors_are_documents_for_programs_and_keys_stay_private() {
    let place = Place::new();
    let answer = place.expect(1, &["batch", "show", "batch_none", "--json"]);
    let error: serde_json::Value =
        serde_json::from_str(answer.err.lines().last().unwrap()).unwrap();
    assert_eq!(error["error"]["code"], "record.not_found");
    assert!(answer.out.is_empty());

    place.example();
    place.expect(3, &["run", "leads.csv"]);
    place.expect(0, &["drafts", "approve", "--all", "--yes"]);
    let batch = place.json(0, &["batch", "create"])["batch"].clone();
    let (id, digest) = (
        batch["id"].as_str().unwrap(),
        batch["digest"].as_str().unwrap(),
    );
    let approved = place.expect(0, &["batch", "approve", id, "--digest", digest, "-v"]);
    let key = place.read(".caio/seal.key");
    let secret = key.split(':').nth(1).unwrap();
    assert!(!approved.out.contains(secret) && !approved.err.contains(secret));
    assert!(!place.dump().contains(secret));
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(place.path(".caio/seal.key"), open).unwrap();
    let refused = place.expect(1, &["dispatch"]);
    assert!(refused.err.contains("chmod 600"));
}

#[test]
fn a_ramp_without_proof_stays_at_its_first_day_for_months() {
    let place = Place::new()
        .variable("CAIO_RAMP_START_DATE", "2026-02-17")
        .variable("CAIO_RAMP_DAYS", "3");
    let ramp = place.json(0, &["status"])["ramp"].clone();
    assert_eq!(
        (ramp["active"].as_bool(), ramp["email_limit"].as_u64()),
        (Some(true), Some(5))
    );
    assert_eq!(ramp["tier"], "tier_1");
}
