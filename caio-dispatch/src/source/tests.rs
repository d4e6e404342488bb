use proptest::prelude::*;

use super::*;

/// A reader that gives `step` bytes at a time.
struct Drip(io::Cursor<Vec<u8>>, usize);

impl Read for Drip {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(self.1);
        self.0.read(&mut buffer[..length])
    }
}

fn open(bytes: &[u8], step: usize) -> Result<RowReader, SourceError> {
    let reader = Drip(io::Cursor::new(bytes.to_vec()), step);
    RowReader::open(Input::Reader("leads".to_owned(), Box::new(reader)))
}

type Outcome = (Vec<Result<Row, RowFault>>, Option<String>);

fn all(bytes: &[u8], step: usize) -> Outcome {
    let mut reader = match open(bytes, step) {
        Ok(reader) => reader,
        Err(error) => return (Vec::new(), Some(error.to_string())),
    };
    let mut rows = Vec::new();
    loop {
        match reader.next_row() {
            Ok(Some(row)) => rows.push(row),
            Ok(None) => return (rows, None),
            Err(error) => return (rows, Some(error.to_string())),
        }
    }
}

fn fields(bytes: &[u8]) -> Vec<Vec<String>> {
    let (rows, error) = all(bytes, 7);
    assert_eq!(error, None);
    let fields = |row: Result<Row, RowFault>| match row.unwrap().data {
        RowData::Fields(fields) => fields,
        RowData::Object(_) => panic!("an object"),
    };
    rows.into_iter().map(fields).collect()
}

#[test]
fn lines_and_records_are_those_of_an_editor() {
    let (rows, _) = all(b"a,b\n1,2\n\n\"x\ny\",3\n4,5", 3);
    let places: Vec<_> = rows
        .iter()
        .map(|row| row.as_ref().unwrap())
        .map(|row| (row.line, row.record))
        .collect();
    assert_eq!(places, [(2, 1), (4, 2), (6, 3)]);
}

#[test]
fn every_line_ending_and_separator_line_reads() {
    let expected = vec![vec!["1".to_owned(), "2".to_owned()]];
    for text in [
        "a,b\n1,2",
        "a,b\r\n1,2\r\n",
        "a,b\r1,2\r",
        "sep=;\r\na;b\r\n1;2\r\n",
        "a\tb\n1\t2\n",
    ] {
        assert_eq!(fields(text.as_bytes()), expected, "{text:?}");
    }
}

#[test]
fn an_unclosed_quote_costs_its_own_line() {
    let (rows, error) = all(b"a,b\n1,2\n\"x,3\n4,5\n6,7\n", 64);
    assert_eq!(error, None);
    let good: Vec<u64> = rows.iter().flatten().map(|row| row.line).collect();
    assert_eq!(good, [2, 4, 5]);
    let fault = rows[1].as_ref().unwrap_err();
    assert_eq!(
        (fault.line, fault.record, fault.raw.as_str()),
        (3, 2, "\"x,3")
    );
}

#[test]
fn ragged_rows_say_how_many_fields_were_expected() {
    let (rows, _) = all(b"a,b\n1\n1,2,3\n1,2,,\n", 64);
    let reasons: Vec<_> = rows
        .iter()
        .map(|row| row.as_ref().err().map(|f| f.reason.as_str()))
        .collect();
    let expected = [
        Some("the row has 1 fields, the header 2"),
        Some("the row has 3 fields, the header 2"),
        None,
    ];
    assert_eq!(reasons, expected);
}

#[test]
fn ten_megabytes_in_one_field_cost_that_row_alone() {
    let big = "x".repeat(10 << 20);
    for quote in ["", "\""] {
        let text = format!("a,b\n1,2\n{quote}{big}{quote},3\n4,5\n");
        let (rows, error) = all(text.as_bytes(), 65536);
        assert_eq!(error, None);
        assert_eq!(rows.iter().filter(|row| row.is_ok()).count(), 2, "{quote}");
        assert!(rows[1].as_ref().unwrap_err().reason.contains("too large"));
    }
}

#[test]
fn json_in_every_frame_gives_the_same_rows() {
    let row = r#"{"email":"kim@example.com","n":1}"#;
    for text in [
        format!("[{row}, {row}]"),
        format!("{row}\n\n{row}\n"),
        format!("{{\"total\": 2,\n \"leads\": [{row},{row}], \"next\": null}}"),
    ] {
        let (rows, error) = all(text.as_bytes(), 5);
        assert_eq!(error, None, "{text}");
        let data: Vec<_> = rows.into_iter().map(|row| row.unwrap().data).collect();
        assert_eq!(data.len(), 2, "{text}");
        assert_eq!(data[0], data[1]);
    }
}

#[test]
fn a_broken_array_keeps_the_rows_before_and_names_the_place() {
    let (rows, error) = all(b"[{\"a\":1},\n {\"a\":2}\n {\"a\":3}]", 64);
    assert_eq!(rows.iter().filter(|row| row.is_ok()).count(), 2);
    assert!(error.unwrap().contains("line 3"));
}

#[test]
fn what_is_no_object_is_refused_by_kind() {
    let (rows, _) = all(b"[null, 3, \"x\", [1], {\"a\":}, {\"a\":1}]", 64);
    let reasons: Vec<_> = rows
        .iter()
        .map(|row| {
            row.as_ref()
                .map_or_else(|f| f.reason.clone(), |_| "ok".to_owned())
        })
        .collect();
    assert_eq!(
        reasons[..4],
        [
            "the row is null",
            "the row is a number",
            "the row is a text",
            "the row is an array"
        ]
    );
    assert!(reasons[4].starts_with("the row is not valid JSON"));
    assert_eq!(reasons[5], "ok");
}

#[test]
fn inputs_that_are_no_leads_are_named() {
    let message = |bytes: &[u8]| open(bytes, 64).unwrap_err().to_string();
    assert!(message(b"").contains("empty"));
    assert!(message(b" \n\n ").contains("empty"));
    assert!(message(b"PK\x03\x04......").contains("Excel workbook"));
    assert!(message(b"\x1f\x8b\x08").contains("gzip"));
    let missing = RowReader::open(Input::Path("/no/such/file.csv".into())).unwrap_err();
    assert_eq!(missing.code(), "source.read_failed");
    let folder = RowReader::open(Input::Path("/".into())).unwrap_err();
    assert_eq!(folder.code(), "source.folder");
}

fn csv_of(rows: &[Vec<String>], delimiter: char) -> String {
    let line = |row: &Vec<String>| {
        let quoted: Vec<String> = row
            .iter()
            .map(|field| format!("\"{}\"", field.replace('"', "\"\"")))
            .collect();
        quoted.join(&delimiter.to_string())
    };
    let header = format!("x{delimiter}y{delimiter}z");
    std::iter::once(header)
        .chain(rows.iter().map(line))
        .collect::<Vec<_>>()
        .join("\n")
}

proptest! {
    #[test]
    fn rows_read_back_whatever_they_hold(
        rows in prop::collection::vec(prop::collection::vec("[a-z\"',;\t\n\r é€]{0,8}x", 3), 1..6),
        delimiter in prop::sample::select(vec![',', ';', '\t']),
        step in 1usize..20,
    ) {
        let text = csv_of(&rows, delimiter);
        let (read, error) = all(text.as_bytes(), step);
        prop_assert_eq!(error, None);
        let read: Vec<Vec<String>> = read.into_iter().map(|row| match row.unwrap().data {
            RowData::Fields(fields) => fields,
            RowData::Object(_) => Vec::new(),
        }).collect();
        prop_assert_eq!(read, rows);
    }

    #[test]
    fn any_bytes_end_and_mean_the_same_at_every_pace(
        bytes in prop::collection::vec(prop::sample::select(b"ab,;\t\n\r\"{}[]:1\\\xc3\xa9\xff\0 ".to_vec()), 0..80),
        step in 1usize..9,
    ) {
        prop_assert_eq!(all(&bytes, step), all(&bytes, 4096));
    }
}
