//! `<input>.refused.csv`: every refused row with its place, what is wrong and what was expected.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::source::RowFault;

/// Where refused rows go.
pub trait RefusedSink: Send {
    /// Keeps one row.
    fn refuse(&mut self, fault: &RowFault) -> io::Result<()>;

    /// Makes what was kept visible; answers its path if there is any.
    fn finish(&mut self) -> io::Result<Option<PathBuf>>;
}

/// Keeps nothing: for dry runs and tests.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRefusedFile;

impl RefusedSink for NoRefusedFile {
    fn refuse(&mut self, _: &RowFault) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<Option<PathBuf>> {
        Ok(None)
    }
}

/// A CSV file, made at the first refusal and moved to its name when it is whole.
#[derive(Debug)]
pub struct RefusedFile {
    path: PathBuf,
    partial: PathBuf,
    writer: Option<csv::Writer<BufWriter<File>>>,
}

impl RefusedFile {
    /// The file at `path`; nothing is made before the first refusal.
    pub fn new(path: &Path) -> Self {
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        Self {
            path: path.to_owned(),
            partial: partial.into(),
            writer: None,
        }
    }
}

impl RefusedSink for RefusedFile {
    fn refuse(&mut self, fault: &RowFault) -> io::Result<()> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => {
                // Moving a file over a device or folder would replace it.
                if fs::metadata(&self.path).is_ok_and(|metadata| !metadata.is_file()) {
                    let message = format!("{} is not a file", self.path.display());
                    return Err(io::Error::other(message));
                }
                let file = File::create(&self.partial)?;
                let mut writer = csv::Writer::from_writer(BufWriter::new(file));
                writer.write_record(COLUMNS)?;
                self.writer.insert(writer)
            }
        };
        write(writer, fault)
    }

    fn finish(&mut self) -> io::Result<Option<PathBuf>> {
        let Some(writer) = self.writer.take() else {
            return Ok(None);
        };
        let mut buffered = writer
            .into_inner()
            .map_err(|error| io::Error::other(error.to_string()))?;
        buffered.flush()?;
        buffered.get_ref().sync_all()?;
        fs::rename(&self.partial, &self.path)?;
        Ok(Some(self.path.clone()))
    }
}

const COLUMNS: [&str; 6] = ["line", "record", "field", "reason", "expected", "row"];

fn write<W: Write>(writer: &mut csv::Writer<W>, fault: &RowFault) -> io::Result<()> {
    let (line, record) = (fault.line.to_string(), fault.record.to_string());
    let texts = [&fault.field, &fault.reason, &fault.expected, &fault.raw].map(|text| inert(text));
    let [field, reason, expected, raw] = &texts;
    writer.write_record([&line, &record, field, reason, expected, raw])?;
    Ok(())
}

/// A cell that no spreadsheet program runs as a formula.
pub fn inert(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(raw: &str) -> RowFault {
        RowFault {
            line: 3,
            record: 2,
            field: "email".to_owned(),
            reason: "there is no address".to_owned(),
            expected: "name@example.com".to_owned(),
            raw: raw.to_owned(),
        }
    }

    #[test]
    fn nothing_is_made_without_a_refusal_and_no_cell_is_a_formula() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("leads.refused.csv");
        assert_eq!(RefusedFile::new(&path).finish().unwrap(), None);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

        let mut file = RefusedFile::new(&path);
        file.refuse(&fault("=1+1,\"x\"")).unwrap();
        assert_eq!(file.finish().unwrap(), Some(path.clone()));
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("line,record,field,reason,expected,row\n3,2,email,"));
        assert!(text.contains("\"'=1+1,\"\"x\"\"\""));
    }

    #[test]
    fn a_full_disk_is_an_error_and_no_panic() {
        let mut file = RefusedFile::new(Path::new("/no/such/folder/x.csv"));
        assert!(file.refuse(&fault("x")).is_err());
        let mut device = RefusedFile::new(Path::new("/dev/null"));
        assert!(
            device.refuse(&fault("x")).is_err(),
            "a device is not replaced"
        );
        let mut full = csv::WriterBuilder::new()
            .buffer_capacity(1)
            .from_writer(File::options().write(true).open("/dev/full").unwrap());
        assert!(
            write(&mut full, &fault("x"))
                .and_then(|()| full.flush())
                .is_err()
        );
    }
}
