//! What users really have: each with a clear message, and the good rows go on.

use serde_json::Value;

use crate::support::Place;

const HEADER: &str = "Email,First Name,Company,Title,Employees,Industry\n";

fn good(name: &str) -> String {
    format!("{name}@acorn.test,{name},Acorn,CEO,80,Marketing\n")
}

fn run(place: &Place, file: &str) -> (i32, Value, String) {
    let answer = place.run(&["run", file, "--json"]);
    let report = serde_json::from_str(&answer.out).unwrap_or_default();
    (answer.code, report, answer.err)
}

#[test]
fn files_that_are_no_leads_are_named_with_what_to_do() {
    let place = Place::new();
    place.write("empty.csv", "");
    place.write("book.csv", b"PK\x03\x04\x14\x00");
    place.write("pack.csv", b"\x1f\x8b\x08\x00");
    place.write("head.csv", "Name,Town\nx,y\n");
    place.write("twice.csv", "Email,Work Email\na@x.test,b@x.test\n");
    std::fs::create_dir(place.path("folder")).unwrap();
    for (file, code, words) in [
        ("none.csv", 1, "No such file"),
        ("folder", 1, "this is a folder"),
        ("empty.csv", 1, "the file is empty"),
        ("book.csv", 1, "save it as CSV"),
        ("pack.csv", 1, "unpack it first"),
        ("head.csv", 2, "--map email="),
        ("twice.csv", 2, "both mean email"),
    ] {
        let (found, _, err) = run(&place, file);
        assert_eq!(found, code, "{file}: {err}");
        assert!(err.contains(words), "{file}: {err}");
    }
    assert_eq!(run(&place, "twice.csv").0, 2);
    let mapped = place.run(&["run", "twice.csv", "--map", "email=Work Email"]);
    assert_eq!(mapped.code, 0, "{}", mapped.err);
}

#[test]
fn one_faulty_row_never_costs_another() {
    let place = Place::new();
    let big = "x".repeat(10 << 20);
    let bad = [
        "no.address,Ann,Acorn,CEO,80,Marketing\n".to_owned(),
        ",Ann,Acorn,CEO,80,Marketing\n".to_owned(),
        "a@x.test,Ann\n".to_owned(),
        format!("b@x.test,{big},Acorn,CEO,80,Marketing\n"),
        "\"c@x.test,Ann,Acorn,CEO,80,Marketing\n".to_owned(),
        "d@x.test,,Acorn,CEO,80,Marketing\n".to_owned(),
    ];
    let mut text = HEADER.to_owned();
    for (number, row) in bad.iter().enumerate() {
        text.push_str(&good(&format!("good{number}")));
        text.push_str(row);
    }
    text.push_str(&good("last"));
    place.write("leads.csv", text);
    let (code, report, err) = run(&place, "leads.csv");
    assert_eq!(code, 3, "{err}");
    assert_eq!(report["fates"]["queued"], 7, "{report}");
    assert_eq!(report["fates"]["refused"], 6, "{report}");
    let refused = place.read("leads.refused.csv");
    assert_eq!(refused.lines().count(), 7, "{refused:.2000}");
}

#[test]
fn odd_values_are_left_out_with_a_remark() {
    let place = Place::new();
    let mut text = HEADER.to_owned();
    for (name, employees) in [
        ("a", "\"1,200+\""),
        ("b", "51-200"),
        ("c", "abc"),
        ("d", "-5"),
        ("e", ""),
    ] {
        text.push_str(&format!(
            "{name}@acorn.test,{name},Acorn,CEO,{employees},Marketing\n"
        ));
    }
    text.push_str("=1+1@acorn.test,\"=HYPERLINK(\"\"x\"\")\",Acorn,CEO,80,Marketing\n");
    text.push_str("info@acorn.test,O'Brien \u{202e}x\u{7}/../,Acorn,CEO,80,Marketing\n");
    text.push_str(" A@ACORN.test ,again,Acorn,CEO,80,Marketing\n");
    place.write("leads.csv", text);
    let (_, report, err) = run(&place, "leads.csv");
    assert_eq!(report["fates"]["duplicate_in_file"], 1, "{report}");
    assert_eq!(
        report["remarks"]["employees: left out, it is not a number"],
        1
    );
    assert_eq!(report["remarks"]["employees: left out, it is negative"], 1);
    assert_eq!(
        report["remarks"]["employees: a range, its lower end is used"], 1,
        "{err}"
    );
    let lead = |email: &str| place.json(0, &["leads", "show", email])["lead"]["lead"].clone();
    assert_eq!(lead("a@acorn.test")["company"]["employees"], 1200);
    assert_eq!(lead("b@acorn.test")["company"]["employees"], 51);
    assert_eq!(lead("info@acorn.test")["first_name"], "O'Brien x/../");
    let drafts = place.json(0, &["drafts", "list"]);
    let flags = drafts["drafts"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["to"] == "info@acorn.test");
    assert_eq!(flags.unwrap()["flags"][0], "role_address");
}

#[test]
fn json_in_every_shape_and_broken() {
    let place = Place::new();
    let lead = |name: &str| {
        format!(
            "{{\"email\":\"{name}@acorn.test\",\"first_name\":\"{name}\",\"company\":{{\"name\":\"Acorn\",\"employee_count\":80,\"industry\":\"Marketing\"}},\"title\":\"CEO\",\"intent\":null}}"
        )
    };
    let (a, b) = (lead("a"), lead("b"));
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    place.write("array.json", format!("[{a},\n{deep},\nnull, {b}]"));
    let (code, report, err) = run(&place, "array.json");
    assert_eq!(
        (
            code,
            &report["fates"]["queued"],
            &report["fates"]["refused"]
        ),
        (3, &2.into(), &2.into()),
        "{err}"
    );
    place.write(
        "leads.txt",
        format!(
            "{{\"n\": 1, \"leads\": [{}, {}], \"next\": 2}}",
            lead("c"),
            lead("d")
        ),
    );
    assert_eq!(run(&place, "leads.txt").1["fates"]["queued"], 2);
    place.write(
        "broken.json",
        format!("[{},\n{}\n{}]", lead("e"), lead("f"), lead("g")),
    );
    let (code, report, err) = run(&place, "broken.json");
    assert_eq!((code, &report["fates"]["queued"]), (1, &2.into()), "{err}");
    assert!(
        report["broken"].as_str().unwrap().contains("line 3"),
        "{report}"
    );
    let piped = place.run_with(
        &["run", "-", "--json"],
        format!("{}\n{}\n", lead("h"), lead("i")).as_bytes(),
    );
    assert_eq!(piped.code, 0, "{}", piped.err);
}

#[test]
fn excel_encodings_read_the_same() {
    let place = Place::new();
    let text = "Email;First Name;Company;Title;Employees;Industry\r\nzoe@acorn.test;Zoë;Käse & Brot;CEO;80;Marketing\r\n";
    let latin: Vec<u8> = text
        .chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap())
        .collect();
    let wide: Vec<u8> = std::iter::once(0xFEFF)
        .chain(text.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    for (number, bytes) in [text.as_bytes().to_vec(), latin, wide]
        .into_iter()
        .enumerate()
    {
        let place_number = Place::new();
        place_number.write("leads.csv", bytes);
        place_number.expect(0, &["run", "leads.csv"]);
        let lead = place_number.json(0, &["leads", "show", "zoe@acorn.test"]);
        assert_eq!(lead["lead"]["lead"]["first_name"], "Zoë", "{number}");
        assert_eq!(lead["lead"]["lead"]["company"]["name"], "Käse & Brot");
    }
    place.write(
        "sep.csv",
        "sep=;\r\nEmail;First Name;Company\r\nzoe@acorn.test;Zoe;Acorn\r\n",
    );
    assert_eq!(run(&place, "sep.csv").1["read"], 1);
}

#[test]
fn a_full_disk_is_said_and_loses_nothing() {
    let place = Place::new();
    place.write(
        "leads.csv",
        format!(
            "{HEADER}{}no.address,Ann,Acorn,CEO,80,Marketing\n",
            good("a")
        ),
    );
    let answer = place.expect(1, &["run", "leads.csv", "--refused", "/dev/full"]);
    assert!(answer.err.contains("refused_file.write"), "{}", answer.err);
    let again = place.run(&["run", "leads.csv", "--json"]);
    let report: Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!(report["read"], 2, "{report}");
    let mut command = place.command(&["drafts", "export"]);
    command.stdout(
        std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap(),
    );
    assert_eq!(
        command.status().unwrap().code(),
        Some(1),
        "output that cannot be written is no success"
    );
}
