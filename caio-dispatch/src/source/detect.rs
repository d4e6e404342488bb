//! What an input is, from its first bytes and never from its name.

use super::error::SourceError;

/// How rows stand in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Lines of fields.
    Csv {
        /// Between fields.
        delimiter: u8,
    },
    /// An array of objects.
    JsonArray,
    /// An object whose member `leads` is an array of objects.
    JsonLeads,
    /// One object a line.
    Ndjson,
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Csv { delimiter: b';' } => "CSV (semicolon)",
            Self::Csv { delimiter: b'\t' } => "CSV (tab)",
            Self::Csv { .. } => "CSV (comma)",
            Self::JsonArray => "JSON array",
            Self::JsonLeads => "JSON object with `leads`",
            Self::Ndjson => "NDJSON",
        })
    }
}

/// Refuses what is plainly no text.
pub(super) fn refuse_binary(name: &str, sample: &[u8]) -> Result<(), SourceError> {
    const SAVE: &str = "open it in a spreadsheet program and save it as CSV (UTF-8)";
    const UNPACK: &str = "unpack it first";
    let known: &[(&[u8], &str, &str)] = &[
        (
            b"PK\x03\x04",
            "an Excel workbook (.xlsx) or a zip archive",
            SAVE,
        ),
        (b"\xD0\xCF\x11\xE0", "an old Excel workbook (.xls)", SAVE),
        (b"\x1F\x8B", "a gzip archive", UNPACK),
        (b"BZh", "a bzip2 archive", UNPACK),
        (b"\x28\xB5\x2F\xFD", "a zstd archive", UNPACK),
        (b"%PDF-", "a PDF", "export the table as CSV"),
        (
            b"SQLite format 3\0",
            "a SQLite database",
            "export the table as CSV",
        ),
        (b"PAR1", "a Parquet file", "export it as CSV or NDJSON"),
    ];
    let found = known.iter().find(|(magic, _, _)| sample.starts_with(magic));
    match found {
        Some((_, kind, remedy)) => Err(SourceError::NotText {
            name: name.to_owned(),
            kind,
            remedy,
        }),
        None => Ok(()),
    }
}

/// Refuses text that is mostly control characters; `text` is the decoded sample.
pub(super) fn refuse_noise(name: &str, text: &[u8]) -> Result<(), SourceError> {
    let odd = text
        .iter()
        .filter(|byte| **byte < 32 && !b"\t\r\n\x0C".contains(byte))
        .count();
    if odd * 10 > text.len() {
        let name = name.to_owned();
        let remedy = "expected CSV with a header line, JSON or NDJSON";
        return Err(SourceError::NotText {
            name,
            kind: "binary data",
            remedy,
        });
    }
    Ok(())
}

/// How rows stand in `text`, the decoded sample.
pub(super) fn format(text: &[u8]) -> Format {
    match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'[') => Format::JsonArray,
        Some(b'{') => match leads_member(text) {
            Some(_) => Format::JsonLeads,
            None => Format::Ndjson,
        },
        _ => Format::Csv {
            delimiter: delimiter(text),
        },
    }
}

/// What `sep=` names, else what stands most often in the header line, outside of quotes.
fn delimiter(text: &[u8]) -> u8 {
    if let Some(named) = separator_line(text) {
        return named;
    }
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    let mut quoted = false;
    for byte in text {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted && counts.iter().any(|(_, count)| *count > 0) => break,
            byte if !quoted => {
                for (delimiter, count) in &mut counts {
                    *count += usize::from(*delimiter == *byte);
                }
            }
            _ => {}
        }
    }
    // The first of equals: a comma.
    let [comma, semicolon, tab] = counts.map(|(_, count)| count);
    if semicolon > comma && semicolon >= tab {
        b';'
    } else if tab > comma {
        b'\t'
    } else {
        b','
    }
}

/// The delimiter that a first line such as `sep=;` names, as Excel writes it.
pub(super) fn separator_line(text: &[u8]) -> Option<u8> {
    let line = text.split(|byte| *byte == b'\n' || *byte == b'\r').next()?;
    let line = line
        .strip_prefix(b"\"")
        .and_then(|line| line.strip_suffix(b"\""))
        .unwrap_or(line);
    match line {
        [
            b's' | b'S',
            b'e' | b'E',
            b'p' | b'P',
            b'=',
            delimiter @ (b',' | b';' | b'\t'),
        ] => Some(*delimiter),
        _ => None,
    }
}

/// Offset of the `[` of the first object's member `leads`, as far as the sample shows it.
pub(super) fn leads_member(text: &[u8]) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    let mut string_start = 0;
    let mut last_string: &[u8] = b"";
    for (at, byte) in text.iter().enumerate() {
        if quoted {
            if escaped {
                escaped = false;
            } else if *byte == b'\\' {
                escaped = true;
            } else if *byte == b'"' {
                quoted = false;
                last_string = &text[string_start..at];
            }
            continue;
        }
        match byte {
            b'"' => (quoted, string_start) = (true, at + 1),
            b'[' if depth == 1 && last_string == b"leads" => return Some(at),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return None;
                }
            }
            b',' if depth == 1 => last_string = b"",
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_says_what_it_is() {
        for (text, expected) in [
            ("a,b\n1;2,3\n", Format::Csv { delimiter: b',' }),
            ("a;b\n1,2;3\n", Format::Csv { delimiter: b';' }),
            ("a\tb\n", Format::Csv { delimiter: b'\t' }),
            ("sep=;\na,b;c\n", Format::Csv { delimiter: b';' }),
            ("\"a;b;c\",d\n", Format::Csv { delimiter: b',' }),
            ("email\nkim@example.com\n", Format::Csv { delimiter: b',' }),
            (" [{}]", Format::JsonArray),
            ("{\"a\":1}\n{\"a\":2}\n", Format::Ndjson),
            ("{\"total\": 2, \"leads\": [{}]}", Format::JsonLeads),
            (
                "{\n  \"x\": {\"leads\": [1]}, \"leads\": [",
                Format::JsonLeads,
            ),
            ("{\"x\": \"leads\", \"y\": [1]}", Format::Ndjson),
            ("{\"name\": \"\\\"leads\\\": [\"}", Format::Ndjson),
        ] {
            assert_eq!(format(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn a_workbook_is_named_with_what_to_do() {
        let error = refuse_binary("leads.xlsx", b"PK\x03\x04rest").unwrap_err();
        assert!(error.to_string().contains("save it as CSV"));
        assert!(refuse_noise("x", &[0, 1, 2, 3, b'a']).is_err());
        assert!(refuse_noise("x", b"a,b\r\n").is_ok());
    }
}
