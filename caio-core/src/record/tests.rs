use proptest::prelude::*;
use serde_json::json;

use super::*;

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn map(headers: &[&str]) -> FieldMap {
    FieldMap::of_columns(&strings(headers), &[]).unwrap()
}

fn lead_of(object: &Value) -> Result<Mapped, Refusal> {
    Record::from_object(object.as_object().unwrap()).to_lead(&FieldMap::default())
}

#[test]
fn usual_headers_are_understood() {
    let map = map(&[
        "First Name",
        "LAST_NAME",
        "Work E-mail",
        "Job Title",
        "# Employees",
        "Notes",
    ]);
    let fields = strings(&["Kim", "Doe", " Kim@Example.com ", "COO", "1,200+", "x"]);
    let Mapped { lead, .. } = Record::from_fields(&fields).to_lead(&map).unwrap();
    assert_eq!(
        (lead.first_name.as_str(), lead.key.as_str()),
        ("Kim", "kim@example.com")
    );
    assert_eq!(
        (lead.title.as_str(), lead.company.employees),
        ("COO", Some(1200))
    );
    assert_eq!(map.unknown(), ["Notes"]);
}

#[test]
fn nested_json_is_understood() {
    let lead = lead_of(&json!({
        "name": "Kim Doe Smith",
        "contact": {"work_email": "kim@example.com"},
        "company": {"name": "Acorn", "employee_count": 80, "technologies": ["Salesforce", 3]},
        "intent": {"website_visits": 2, "demo_requested": "no"},
        "source_type": "event_attendee",
    }))
    .unwrap()
    .lead;
    assert_eq!(
        (lead.first_name.as_str(), lead.last_name.as_str()),
        ("Kim", "Doe Smith")
    );
    assert_eq!(lead.company.name, "Acorn");
    assert_eq!(lead.company.technologies, ["Salesforce", "3"]);
    assert_eq!(
        (lead.intent.website_visits, lead.intent.demo_requested),
        (2, false)
    );
    let flat = lead_of(&json!({"Email": "kim@example.com", "company": "Acorn"}))
        .unwrap()
        .lead;
    assert_eq!(flat.company.name, "Acorn");
}

#[test]
fn numbers_as_people_write_them() {
    let read = |text: &str| {
        let mut remarks = Remarks::default();
        let number = remarks.count(Column::Employees, Cell::Text(text));
        (number, !remarks.0.is_empty())
    };
    assert_eq!(read("1,200+"), (Some(1200), false));
    assert_eq!(read("51-200"), (Some(51), true));
    assert_eq!(read("51 – 200"), (Some(51), true));
    assert_eq!(read("abc"), (None, true));
    assert_eq!(read("-5"), (None, true));
    assert_eq!(read("200-51"), (None, true));
    assert_eq!(read(" "), (None, false));
    assert_eq!(read("NaN"), (None, true));
    let mut remarks = Remarks::default();
    assert_eq!(
        remarks.amount(Column::Revenue, Cell::Text("$2.5M")),
        Some(2.5e6)
    );
}

#[test]
fn a_row_without_a_usable_address_says_why() {
    for email in [
        "",
        "kim",
        "kim@",
        "@example.com",
        "kim@@example.com",
        "a b@example.com",
        "kim@localhost",
        "kim@exa_mple..com",
    ] {
        let refusal = lead_of(&json!({"email": email})).unwrap_err();
        assert_eq!(refusal.field, "email", "{email}");
        assert!(refusal.expected.contains("name@example.com"));
    }
    assert_eq!(
        lead_of(&json!({"email": "info@example.com"}))
            .unwrap()
            .flags,
        ["role_address"]
    );
    assert_eq!(
        lead_of(&json!({"email": "x@mailinator.com"}))
            .unwrap()
            .flags,
        ["disposable_address"]
    );
    assert!(lead_of(&json!({"email": "jürgen@bücher.example"})).is_ok());
}

#[test]
fn header_problems_name_columns_and_the_way_out() {
    let problem = |headers: &[&str], overrides: &[(&str, &str)]| {
        let overrides: Vec<_> = overrides
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect();
        FieldMap::of_columns(&strings(headers), &overrides)
            .map(|_| ())
            .map_err(|e| e.to_string())
    };
    assert!(
        problem(&["Email", "Work Email"], &[])
            .unwrap_err()
            .contains("both mean email")
    );
    assert_eq!(
        problem(&["Email", "Work Email"], &[("email", "Work Email")]),
        Ok(())
    );
    assert!(
        problem(&["Name"], &[])
            .unwrap_err()
            .contains("--map email=")
    );
    assert!(
        problem(&["Email"], &[("mail", "Email")])
            .unwrap_err()
            .contains("fields: email")
    );
    assert!(
        problem(&["Email"], &[("title", "Job")])
            .unwrap_err()
            .contains("no such column")
    );
}

#[test]
fn invisible_characters_are_removed_and_said() {
    let mapped = lead_of(
        &json!({"email": "kim@example.com", "first_name": "K\u{202e}im\u{0}", "title": "CO\nO"}),
    )
    .unwrap();
    assert_eq!(
        (mapped.lead.first_name.as_str(), mapped.lead.title.as_str()),
        ("Kim", "CO O")
    );
    assert_eq!(
        mapped.remarks,
        ["first_name: control or direction characters removed"]
    );
}

proptest! {
    #[test]
    fn an_odd_field_never_costs_the_lead(
        title in any::<String>(), employees in any::<String>(), technologies in any::<String>(),
        demo in any::<i64>(), revenue in any::<f64>(),
    ) {
        let mapped = lead_of(&json!({
            "email": "kim@example.com", "title": title, "employees": employees,
            "technologies": technologies, "demo_requested": demo, "revenue": revenue,
            "company": null, "intent": [1], "contact": "x",
        }));
        let lead = mapped.unwrap().lead;
        prop_assert!(!lead.title.chars().any(char::is_control));
        prop_assert_eq!(lead.key.as_str(), "kim@example.com");
    }
}

proptest! {
    #[test]
    fn a_clean_text_is_one_that_cleaning_leaves_alone(text in "[ a-z\\t~\u{7f}\u{e9}]{0,20}", any in any::<String>()) {
        for text in [text, any] {
            let printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
            let single = text.trim() == text && !text.contains("  ");
            prop_assert_eq!(values::is_clean(&text), printable && single, "{:?}", text);
        }
    }
}

fn plain_row() -> impl Strategy<Value = Value> {
    let text = || prop::option::of("[ a-zA-Z@.\\t\u{202e}é]{0,12}");
    let count = || {
        prop_oneof![
            Just(json!(null)),
            any::<u8>().prop_map(|n| json!(n)),
            any::<i32>().prop_map(|n| json!(n)),
            Just(json!(2.5)),
            Just(json!("51-200")),
            Just(json!("")),
        ]
    };
    (text(), text(), text(), count(), count(), prop::option::of(prop::collection::vec("[a-z ]{0,6}", 0..3)), any::<Option<bool>>())
        .prop_map(|(title, name, industry, employees, visits, technologies, demo)| {
            json!({
                "lead_id": "x", "name": name, "title": title, "linkedin_url": "https://x.test/y",
                "company": {"name": "Acorn", "employee_count": employees, "industry": industry,
                            "technologies": technologies, "revenue_estimate": 5_000_000},
                "source_type": "event_attendee", "source_name": null,
                "intent": {"website_visits": visits, "demo_requested": demo, "intent_score": 40},
                "contact": {"work_email": "kim@example.com"},
            })
        })
}

proptest! {
    #[test]
    fn the_short_way_says_what_the_long_way_says(row in plain_row()) {
        let map = FieldMap::default();
        let long = Record::from_object(row.as_object().unwrap()).to_lead(&map).map_err(Some);
        prop_assert_eq!(lead_of_json(&row.to_string(), &map), long);
    }

    #[test]
    fn a_part_that_is_no_object_is_read_the_long_way(
        row in plain_row(),
        part in prop::sample::select(vec!["company", "intent", "contact"]),
        instead in prop_oneof![
            Just(json!([])),
            Just(json!(["kim@example.com"])),
            Just(json!(["Acorn", "acorn.example", 12, "SaaS", [], 1.5])),
            Just(json!([1, 2, 3, true, 90])),
            Just(json!(null)),
            Just(json!("kim@example.com")),
        ],
    ) {
        let map = FieldMap::default();
        let mut row = row;
        row[part] = instead;
        let long = Record::from_object(row.as_object().unwrap()).to_lead(&map).map_err(Some);
        prop_assert_eq!(lead_of_json(&row.to_string(), &map), long);
    }
}

#[test]
fn an_array_of_a_rows_values_is_no_row() {
    let text =
        r#"["lead_1","Kim Doe","CEO",null,null,null,{},{},{"work_email":"kim@example.com"}]"#;
    assert_eq!(lead_of_json(text, &FieldMap::default()), Err(None));
    let twice = r#"{"contact":{"work_email":"kim@example.com"}} {}"#;
    assert_eq!(lead_of_json(twice, &FieldMap::default()), Err(None));
}
