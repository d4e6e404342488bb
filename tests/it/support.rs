//! A folder of its own, the binary, a clean environment.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

pub(crate) struct Place {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            variables: Vec::new(),
        }
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_caio"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .env_clear();
        command.env("LC_ALL", "C.UTF-8").env("USER", "kim");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Answer {
        self.run_with(args, b"")
    }

    pub(crate) fn run_with(&self, args: &[&str], input: &[u8]) -> Answer {
        let mut command = self.command(args);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A program that ends before it reads everything closes the pipe: no fault of the test.
        let _ = child.stdin.take().unwrap().write_all(input);
        let Output {
            status,
            stdout,
            stderr,
        } = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Answer {
            code: status.code().unwrap_or(-1),
            out: text(stdout),
            err: text(stderr),
        }
    }

    /// Runs and expects this exit code.
    pub(crate) fn expect(&self, code: i32, args: &[&str]) -> Answer {
        let answer = self.run(args);
        assert_eq!(
            answer.code, code,
            "{args:?}\n{}\n{}",
            answer.out, answer.err
        );
        answer
    }

    /// Runs with `--json`, expects this exit code and answers the document.
    pub(crate) fn json(&self, code: i32, args: &[&str]) -> Value {
        let all: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        let answer = self.expect(code, &all);
        serde_json::from_str(&answer.out).unwrap_or_else(|error| panic!("{error}: {}", answer.out))
    }

    /// The example file of the repository, in this place.
    pub(crate) fn example(&self) {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/leads.csv");
        fs::copy(path, self.path("leads.csv")).unwrap();
    }

    /// Every table of the store, as text: equal texts are equal stores.
    pub(crate) fn dump(&self) -> String {
        let path = self.path(".caio/caio.db");
        let store = rusqlite::Connection::open(path).unwrap();
        let mut dump = String::new();
        for table in ["document", "counter", "place", "outcome", "version"] {
            let mut statement = store.prepare(&format!("SELECT * FROM {table}")).unwrap();
            let columns = statement.column_count();
            let mut rows = statement.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                for column in 0..columns {
                    dump.push_str(&format!("{:?} ", row.get_ref(column).unwrap()));
                }
                dump.push('\n');
            }
        }
        dump
    }
}
