//! `docs/assurance.md` is made from `tests/assurance.toml`; every test that it names exists.
//!
//! `CAIO_BLESS=1 cargo test -p caio-server --test it assurance` writes it anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

#[derive(Deserialize)]
struct Assurance {
    part: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    title: String,
    entry: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    question: String,
    answer: String,
    tests: Vec<String>,
}

fn assurance() -> Assurance {
    let text = fs::read_to_string(Path::new(ROOT).join("tests/assurance.toml")).unwrap();
    toml::from_str(&text).unwrap()
}

/// Names of all functions that are marked as tests.
fn tests() -> BTreeSet<String> {
    let mut folders = vec![PathBuf::from(ROOT)];
    let mut found = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|it| it == "py") {
                let text = fs::read_to_string(&path).unwrap();
                let lines = text.lines().filter_map(|it| it.trim().strip_prefix("def "));
                found.extend(
                    lines
                        .filter_map(|it| it.split('(').next())
                        .map(str::to_owned),
                );
            } else if path.extension().is_some_and(|it| it == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let mut is_test = text.contains("proptest!");
                for line in text.lines() {
                    is_test |= line.trim_start().starts_with("#[") && line.contains("test");
                    if let Some((_, rest)) = line.split_once("fn ")
                        && is_test
                    {
                        found.insert(rest.split(['(', '<']).next().unwrap().to_owned());
                        is_test = text.contains("proptest!");
                    }
                }
            }
        }
    }
    found
}

#[test]
fn the_page_says_what_the_list_says() {
    let mut page = "# Assurance\n\nMade from `tests/assurance.toml`: what reviewers asked of the Python system, caio's answer, and the tests\nthat show it. `./tests/run` runs all of them.\n".to_owned();
    for part in assurance().part {
        page.push_str(&format!(
            "\n## {}\n\n| question | answer | shown by |\n|---|---|---|\n",
            part.title
        ));
        for Entry {
            question,
            answer,
            tests,
        } in part.entry
        {
            let tests: Vec<String> = tests.iter().map(|it| format!("`{it}`")).collect();
            page.push_str(&format!(
                "| {question} | {answer} | {} |\n",
                tests.join(", ")
            ));
        }
    }
    let path = Path::new(ROOT).join("docs/assurance.md");
    if option_env!("CAIO_BLESS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let found = fs::read_to_string(path).unwrap();
    assert!(
        found == page,
        "docs/assurance.md is not what tests/assurance.toml says; see tests/it/assurance.rs"
    );
}

/// Rows of the page of differences: the first cell, and the last.
fn differences() -> Vec<(String, String)> {
    let text = fs::read_to_string(Path::new(ROOT).join("docs/parity.md")).unwrap();
    let rows = text.lines().filter(|it| it.starts_with("| "));
    let cells = rows.map(|it| it.trim_matches('|').split('|').collect::<Vec<_>>());
    let rows = cells.filter(|it| it.len() >= 4);
    rows.map(|it| (it[0].to_owned(), it[it.len() - 1].to_owned()))
        .collect()
}

#[test]
fn every_defect_of_the_old_service_has_its_row_and_every_row_names_tests_that_exist() {
    let known = tests();
    let rows = differences();
    for number in 1..=58 {
        let id = format!("http D-{number:02}");
        assert!(rows.iter().any(|(first, _)| first.contains(&id)), "{id}");
    }
    let names = rows
        .iter()
        .flat_map(|(_, last)| last.split('`').skip(1).step_by(2));
    let functions = names.filter_map(|it| it.rsplit("::").next());
    // Files, modules and tests of Python are named as well.
    let is_test = |it: &&str| it.matches('_').count() >= 3 && !it.contains([' ', '.', '/']);
    let missing: Vec<&str> = functions
        .filter(is_test)
        .filter(|it| !known.contains(*it))
        .collect();
    assert!(missing.is_empty(), "no such test: {missing:?}");
}

#[test]
fn every_test_that_it_names_exists() {
    let known = tests();
    let named = assurance()
        .part
        .into_iter()
        .flat_map(|it| it.entry)
        .flat_map(|it| it.tests);
    let missing: Vec<String> = named.filter(|it| !known.contains(it)).collect();
    assert!(missing.is_empty(), "no such test: {missing:?}");
}
