//! Read + score + key + hash of a file of leads, beside bare parsing of the same bytes.
//!
//! `cargo bench -p caio-dispatch --bench score_leads [-- ROWS]`
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::hint::black_box;
use std::io::Cursor;
use std::sync::Arc;

use caio_core::icp::{Model, Scorer};
use caio_core::record::{FieldMap, Record, lead_of_json};
use caio_dispatch::source::{Input, RowReader, RowRef};
use serde::Deserialize;
use sha2::{Digest, Sha256};

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct Plain {
    lead_id: String,
    name: String,
    title: String,
    linkedin_url: String,
    source_type: String,
    source_name: String,
    company: PlainCompany,
    intent: PlainIntent,
    contact: PlainContact,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct PlainCompany {
    name: String,
    employee_count: u32,
    industry: String,
    technologies: Vec<String>,
    revenue_estimate: f64,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct PlainIntent {
    website_visits: u32,
    content_downloads: u32,
    pricing_page_visits: u32,
    demo_requested: bool,
    intent_score: u32,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct PlainContact {
    work_email: String,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct PlainRow {
    name: String,
    email: String,
    title: String,
    company: String,
    employees: u32,
    industry: String,
    linkedin: String,
    technologies: String,
    source: String,
    website_visits: u32,
}

const TITLES: &[&str] = &[
    "CEO",
    "Vice President of Sales",
    "Director of Operations",
    "Marketing Manager",
    "Analyst",
];
const INDUSTRIES: &[&str] = &[
    "Marketing Agency",
    "Computer Software",
    "Logistics",
    "Mining",
];

/// 500 different ones: people are more inventive with titles than with anything else.
fn title(n: usize) -> String {
    format!("{} - Region {}", TITLES[n % 5], n / 5 % 100)
}

fn ndjson(rows: usize) -> Vec<u8> {
    let line = |n: usize| {
        format!(
            "{{\"lead_id\":\"lead_{n:06}\",\"name\":\"Kim Doe\",\"title\":\"{}\",\"linkedin_url\":\"https://linkedin.example/in/kim-{n}\",\"source_type\":\"event_attendee\",\"source_name\":\"Spring Summit\",\"company\":{{\"name\":\"Acorn {n}\",\"employee_count\":{},\"industry\":\"{}\",\"technologies\":[\"HubSpot\",\"Slack\"],\"revenue_estimate\":5000000.0}},\"intent\":{{\"website_visits\":{},\"content_downloads\":1,\"pricing_page_visits\":0,\"demo_requested\":false,\"intent_score\":40}},\"contact\":{{\"work_email\":\"Kim.Doe{n}@acorn{}.example.com\"}}}}\n",
            title(n),
            5 + n % 900,
            INDUSTRIES[n % 4],
            n % 7,
            n % 1000
        )
    };
    (0..rows).map(line).collect::<String>().into_bytes()
}

fn csv_file(rows: usize) -> Vec<u8> {
    let mut text =
        "name,email,title,company,employees,industry,linkedin,technologies,source,website_visits\n"
            .to_owned();
    for n in 0..rows {
        text.push_str(&format!(
            "Kim Doe,Kim.Doe{n}@acorn{}.example.com,{},Acorn {n},{},{},https://linkedin.example/in/kim-{n},HubSpot; Slack,event_attendee,{}\n",
            n % 1000, title(n), 5 + n % 900, INDUSTRIES[n % 4], n % 7
        ));
    }
    text.into_bytes()
}

struct Shared(Arc<[u8]>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Reads, keys, scores and hashes every row; answers how many there were.
fn score(bytes: &Arc<[u8]>, model: &Model) -> usize {
    let input = Input::Reader(
        "bench".to_owned(),
        Box::new(Cursor::new(Shared(Arc::clone(bytes)))),
    );
    let mut reader = RowReader::open(input).unwrap();
    let fields = FieldMap::of_columns(reader.headers(), &[]).unwrap_or_default();
    let mut scorer = Scorer::new(model);
    let mut count = 0;
    while let Some(row) = reader.advance().unwrap() {
        let mapped = match row.unwrap() {
            RowRef::Json(text) => lead_of_json(text, &fields).unwrap(),
            RowRef::Fields(row) => Record::from_columns(&row).to_lead(&fields).unwrap(),
        };
        let points = scorer.points(&mapped.lead);
        black_box((points, Sha256::digest(mapped.lead.key.as_str())));
        count += 1;
    }
    count
}

/// Median ratio of `ours` to `base` over 11 alternating pairs, in wall time.
#[expect(clippy::disallowed_methods, reason = "a benchmark looks at the clock")]
fn ratio(mut base: impl FnMut(), mut ours: impl FnMut()) -> f64 {
    let time = |work: &mut dyn FnMut()| {
        let start = std::time::Instant::now();
        work();
        start.elapsed().as_secs_f64()
    };
    let mut ratios: Vec<f64> = (0..11)
        .map(|_| {
            let base = time(&mut base);
            time(&mut ours) / base
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    ratios[5]
}

fn main() {
    let rows = std::env::args()
        .find_map(|it| it.parse().ok())
        .unwrap_or(200_000);
    let model = Model::builtin("default").unwrap();
    let json: Arc<[u8]> = ndjson(rows).into();
    let from_json = ratio(
        || {
            for line in json
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty())
            {
                black_box(serde_json::from_slice::<Plain>(line).unwrap());
            }
        },
        || assert_eq!(score(&json, &model), rows),
    );
    println!("NDJSON, {rows} leads: {from_json:.2} x serde_json alone (bar: 2.50)");
    let table: Arc<[u8]> = csv_file(rows).into();
    let from_csv = ratio(
        || {
            let mut reader = csv::Reader::from_reader(&table[..]);
            for row in reader.deserialize::<PlainRow>() {
                black_box(row.unwrap());
            }
        },
        || assert_eq!(score(&table, &model), rows),
    );
    println!("CSV, {rows} leads: {from_csv:.2} x csv alone (bar: 3.00)");
    let half = |part: usize| -> Arc<[u8]> {
        let lines: Vec<&[u8]> = json.split_inclusive(|byte| *byte == b'\n').collect();
        lines
            .chunks(rows.div_ceil(2))
            .nth(part)
            .unwrap_or_default()
            .concat()
            .into()
    };
    let halves = [half(0), half(1)];
    let two = ratio(
        || {
            std::thread::scope(|scope| {
                for half in &halves {
                    let model = &model;
                    scope.spawn(move || score(half, model));
                }
            });
        },
        || assert_eq!(score(&json, &model), rows),
    );
    println!("two threads: {two:.2} x one (bar: 1.40)");
}
