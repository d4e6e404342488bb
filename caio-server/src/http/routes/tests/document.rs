//! What the description of the service promises, asked of the service.

use caio_core::access::Role;
use caio_core::draft::DraftStatus;
use serde_json::{Value, json};

use crate::http::describe;
use crate::http::testing::{World, nothing};

/// Streams and sockets do not end by themselves; the other pages are asked as any route.
const ENDLESS: [&str; 2] = ["/api/events", "/ws"];

/// What a GET may answer here but 200: there is no delivery, no provider has a key, a page leads on.
const OTHERWISE: [(&str, u16); 4] = [
    ("/ChiefAIOfficer", 308),
    ("/api/instantly/campaigns", 422),
    ("/api/ledger/{id}", 404),
    ("/metrics", 404),
];

#[tokio::test]
async fn d_24_no_get_changes_anything() {
    let world = World::new();
    let root = world.token("root", Role::Admin).await;
    let draft = world.draft("lee@example.com", DraftStatus::Approved).await;
    world.draft("max@example.com", DraftStatus::Pending).await;
    let made = world.expect(201, &root, "/api/batches", &nothing()).await;
    let row = json!({ "request_id": "r1" });
    let event = world.expect(200, &root, "/api/clay-callback", &row).await;
    let out = json!({ "who": "out@example.com" });
    world.expect(201, &root, "/api/suppressions", &out).await;
    world.expect(200, &root, "/api/stop", &nothing()).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (batch, event) = (text(&made["batch"]["id"]), text(&event["id"]));
    let filled = |path: &str| {
        let id = match path.split('/').nth(2) {
            Some("batches") => &batch,
            Some("webhooks") => &event,
            _ => &draft,
        };
        path.replace("{id}", id)
            .replace("{email}", "lee@example.com")
            .replace("{file}", "app.css")
            .replace("/check", "/check?email=out@example.com")
    };
    let document = serde_json::to_value(crate::http::openapi()).unwrap();
    let before = world.dump().await;
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        if item.get("get").is_none() || ENDLESS.contains(&path.as_str()) {
            continue;
        }
        let reply = world.get(&root, &filled(path)).await;
        let otherwise = OTHERWISE.iter().find(|(known, _)| known == path);
        let expected = otherwise.map_or(200, |(_, status)| *status);
        assert_eq!(reply.status.as_u16(), expected, "{path}: {reply:?}");
        assert_eq!(world.dump().await, before, "{path} has changed something");
        asked += 1;
    }
    assert!(asked > 45, "{asked}");
}

#[tokio::test]
async fn every_post_refuses_what_is_no_object_and_changes_nothing_by_it() {
    let world = World::new();
    let root = world.token("root", Role::Admin).await;
    let document = serde_json::to_value(crate::http::openapi()).unwrap();
    let before = world.dump().await;
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let operation = &item["post"];
        let body = &operation["requestBody"]["content"];
        if body.get("application/json").is_none() || operation["security"][0].get("token").is_none()
        {
            continue;
        }
        for wrong in [json!([]), json!("x"), json!(1)] {
            let target = path.replace(['{', '}'], "");
            let reply = world.post(&root, &target, &wrong).await;
            // What a provider is to send is 400 where it is malformed, as ever.
            let is_refused = matches!(reply.status.as_u16(), 400 | 422);
            assert!(is_refused, "{path}: {reply:?}");
            assert!(reply.json()["detail"].is_string(), "{path}: {reply:?}");
            asked += 1;
        }
    }
    assert!(asked > 30, "{asked}");
    assert_eq!(world.dump().await, before);
}

/// Writes what would be right where a person finds it.
fn kept(is_right: bool, name: &str, right: &str) {
    if !is_right {
        let path = format!("{}/../target/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::write(&path, right).unwrap();
        panic!("docs/{name} is not that of the routes; {path} is");
    }
}

#[test]
fn the_description_in_the_repository_is_that_of_the_routes() {
    let real = serde_json::to_string_pretty(&crate::http::openapi()).unwrap() + "\n";
    let is_right = include_str!("../../../../../docs/openapi.json") == real;
    kept(is_right, "openapi.json", &real);
}

#[test]
fn the_table_of_routes_in_the_documentation_is_that_of_the_routes() {
    let table = describe::table(&crate::http::openapi());
    let is_right = include_str!("../../../../../docs/api.md").contains(&table);
    kept(is_right, "api.md", &table);
}

/// Names under which the sources describe types, as often as they do.
fn described(folder: &std::path::Path, names: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            described(&path, names);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let (mut is_described, mut given) = (false, None);
        for line in text.lines().map(str::trim_start) {
            is_described |= line.starts_with("#[") && line.contains("ToSchema");
            if let Some((_, rest)) = line.split_once("schema(as = ") {
                given = rest.split([')', ',']).next().map(str::to_owned);
            }
            let words = line
                .split_whitespace()
                .skip_while(|it| it.starts_with("pub"));
            let mut words = words.skip_while(|it| *it != "struct" && *it != "enum");
            if let (Some(_), Some(name), false) =
                (words.next(), words.next(), line.starts_with('/'))
            {
                let plain = name
                    .split(['<', '(', ';'])
                    .next()
                    .unwrap_or(name)
                    .to_owned();
                let name = given.take().unwrap_or(plain);
                names.extend(std::mem::take(&mut is_described).then_some(name));
            }
        }
    }
}

#[test]
fn no_two_types_are_described_under_one_name() {
    let mut names = Vec::new();
    for member in ["caio-core", "caio-dispatch", "caio-server"] {
        let folder = format!("{}/../{member}/src", env!("CARGO_MANIFEST_DIR"));
        described(std::path::Path::new(&folder), &mut names);
    }
    assert!(names.len() > 100, "{names:?}");
    names.sort();
    let twice: Vec<&String> = (names
        .windows(2)
        .filter(|it| it[0] == it[1])
        .map(|it| &it[0]))
    .collect();
    // The later one would replace the earlier one without a word.
    assert!(twice.is_empty(), "{twice:?}");
}
