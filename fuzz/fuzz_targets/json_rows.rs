//! Any bytes, read as rows: it ends, says the same at every pace, and numbers only go up. The quick
//! reader of a line says what the forgiving one says.
#![no_main]

use std::io::Read;

use caio_core::record::{FieldMap, Record, lead_of_json};
use caio_dispatch::source::{Input, RowData, RowReader};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

struct Drip(std::io::Cursor<Vec<u8>>, usize);

impl Read for Drip {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = buffer.len().min(self.1);
        self.0.read(&mut buffer[..length])
    }
}

fn rows(data: &[u8], step: usize) -> Vec<String> {
    let reader = Drip(std::io::Cursor::new(data.to_vec()), step);
    let input = Input::Reader("fuzz".to_owned(), Box::new(reader));
    let mut reader = match RowReader::open(input) {
        Ok(reader) => reader,
        Err(error) => return vec![error.to_string()],
    };
    let fields = FieldMap::of_columns(reader.headers(), &[]).unwrap_or_default();
    let mut said = Vec::new();
    let mut line = 0;
    loop {
        match reader.next_row() {
            Ok(Some(Ok(row))) => {
                assert!(row.line >= line);
                line = row.line;
                let lead = match &row.data {
                    RowData::Fields(values) => Record::from_fields(values).to_lead(&fields),
                    RowData::Object(object) => Record::from_object(object).to_lead(&fields),
                };
                said.push(format!("{row:?} {lead:?}"));
            }
            Ok(Some(Err(fault))) => said.push(format!("{fault:?}")),
            Ok(None) => return said,
            Err(error) => {
                said.push(error.to_string());
                return said;
            }
        }
    }
}

fn quick_is_forgiving(line: &str) {
    let fields = FieldMap::default();
    let forgiving = match serde_json::from_str::<Map<String, Value>>(line) {
        Ok(object) => Record::from_object(&object).to_lead(&fields).map_err(Some),
        Err(_) => Err(None),
    };
    assert_eq!(lead_of_json(line, &fields), forgiving);
}

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        text.lines().for_each(quick_is_forgiving);
    }
    let data = [if data.first() == Some(&b'{') { &b""[..] } else { b"[" }, data].concat();
    assert_eq!(rows(&data, 1 << 16), rows(&data, 3));
});
