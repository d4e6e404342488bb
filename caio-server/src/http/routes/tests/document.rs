//! What the description of the service promises, asked of the service.

use axum::http::StatusCode;
use caio_core::access::Role;
use caio_core::draft::DraftStatus;
use serde_json::{Value, json};

use crate::http::describe;
use crate::http::testing::{World, nothing};

/// Streams and sockets do not end by themselves; the other pages are asked as any route.
const ENDLESS: [&str; 2] = ["/api/events", "/ws"];

/// Every GET of the document, with something that is there in place of each parameter.
fn gets(document: &Value, of: &[(&str, &str)]) -> Vec<String> {
    let paths = document["paths"].as_object().unwrap().iter();
    let gets =
        paths.filter(|(path, item)| item.get("get").is_some() && !ENDLESS.contains(&path.as_str()));
    let fill = |path: &str| {
        of.iter().fold(path.to_owned(), |path, (name, value)| {
            path.replace(&format!("{{{name}}}"), value)
        })
    };
    gets.map(|(path, _)| fill(path)).collect()
}

#[tokio::test]
async fn d_24_no_get_changes_anything() {
    let world = World::new();
    let root = world.token("root", Role::Admin).await;
    let draft = world.draft("lee@example.com", DraftStatus::Approved).await;
    world.draft("max@example.com", DraftStatus::Pending).await;
    world.expect(201, &root, "/api/batches", &nothing()).await;
    let document = serde_json::to_value(crate::http::openapi()).unwrap();
    let of = [
        ("id", draft.as_str()),
        ("email_id", draft.as_str()),
        ("email", "lee@example.com"),
    ];
    let targets = gets(&document, &of);
    assert!(targets.len() > 30, "{targets:?}");
    let before = world.dump().await;
    let mut answered = 0;
    for target in &targets {
        let reply = world.get(&root, target).await;
        assert!(!reply.status.is_server_error(), "{target}: {reply:?}");
        answered += u32::from(reply.status == StatusCode::OK);
    }
    assert!(
        answered > 25,
        "{answered} of {} routes have answered",
        targets.len()
    );
    assert_eq!(world.dump().await, before);
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
