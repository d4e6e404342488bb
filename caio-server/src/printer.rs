//! Where words go: data to stdout, everything else to stderr. The one place that prints.

use std::collections::BTreeMap;
use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use comfy_table::{ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::args::Global;
use crate::exit::{Exit, Failure};

/// Prints, in the way the terminal, the locale and the flags allow.
#[derive(Debug, Clone)]
pub(crate) struct Printer {
    json: bool,
    quiet: bool,
    verbose: bool,
    ascii: bool,
    /// The reader of stdout went away (`| head`): nothing further is printed, and that is no fault.
    closed: Arc<AtomicBool>,
    /// Writing to stdout failed, such as on a full disk.
    broken: Arc<AtomicBool>,
}

impl Printer {
    pub(crate) fn new(global: &Global, environment: &BTreeMap<String, String>) -> Self {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .find_map(|name| environment.get(*name).filter(|value| !value.is_empty()));
        let utf8 = locale.is_some_and(|locale| {
            let locale = locale.to_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        Self {
            json: global.json,
            quiet: global.quiet,
            verbose: global.verbose > 0,
            ascii: !utf8,
            closed: Arc::default(),
            broken: Arc::default(),
        }
    }

    pub(crate) const fn is_json(&self) -> bool {
        self.json
    }

    /// One JSON document.
    pub(crate) fn json(&self, document: &impl Serialize) {
        match serde_json::to_string_pretty(document) {
            Ok(text) => self.out(&text),
            Err(error) => self.warn(&format!("the answer cannot be written as JSON: {error}")),
        }
    }

    /// A line of data.
    pub(crate) fn line(&self, text: &str) {
        self.out(&self.plain(text));
    }

    /// Text of several lines, as it is but for control characters.
    pub(crate) fn text(&self, text: &str) {
        for line in text.lines() {
            self.line(line);
        }
    }

    /// A table of data.
    pub(crate) fn table(&self, headers: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
        let mut table = Table::new();
        let preset = if self.ascii {
            presets::ASCII_MARKDOWN
        } else {
            presets::UTF8_FULL_CONDENSED
        };
        table
            .load_style(preset)
            .set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(headers.to_vec());
        for row in rows {
            table.add_row(row.iter().map(|cell| self.plain(cell)).collect::<Vec<_>>());
        }
        self.out(&table.to_string());
    }

    /// Something worth knowing.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            self.err(text);
        }
    }

    /// Something that only `-v` shows.
    pub(crate) fn detail(&self, text: &str) {
        if self.verbose {
            self.err(text);
        }
    }

    /// Something that should be looked at.
    pub(crate) fn warn(&self, text: &str) {
        self.err(&format!("warning: {text}"));
    }

    /// Why the command failed.
    pub(crate) fn failure(&self, failure: &Failure) {
        if self.json {
            let Failure {
                code,
                message,
                hint,
                ..
            } = failure;
            let error = serde_json::json!({ "code": code, "message": message, "hint": hint });
            self.err(&serde_json::json!({ "error": error }).to_string());
            return;
        }
        self.err(&format!("error: {} [{}]", failure.message, failure.code));
        if let Some(hint) = &failure.hint {
            self.err(&format!("hint: {hint}"));
        }
    }

    /// Shows how far a long run is, on a terminal.
    pub(crate) fn progress(&self, unit: &str) -> ProgressBar {
        if self.json || self.quiet || !io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new_spinner();
        let template = format!("{{pos}} {unit}, {{elapsed}}, {{per_sec}}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        bar
    }

    /// Asks for a yes; `None` when nobody can be asked.
    pub(crate) fn confirm(&self, question: &str) -> Option<bool> {
        if !io::stdin().is_terminal() {
            return None;
        }
        let mut stderr = io::stderr();
        let _ = write!(stderr, "{} [y/N] ", self.plain(question));
        let _ = stderr.flush();
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).ok()?;
        Some(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
    }

    /// How the process ends: data that could not be written is a failure.
    pub(crate) fn finish(&self, exit: Exit) -> Exit {
        if self.broken.load(Ordering::Relaxed) && exit == Exit::Done {
            Exit::Failed
        } else {
            exit
        }
    }

    fn out(&self, text: &str) {
        if self.closed.load(Ordering::Relaxed) {
            return;
        }
        let mut stdout = io::stdout().lock();
        if let Err(error) = writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
            self.closed.store(true, Ordering::Relaxed);
            if error.kind() != io::ErrorKind::BrokenPipe {
                self.broken.store(true, Ordering::Relaxed);
                self.err(&format!("error: the output cannot be written: {error}"));
            }
        }
    }

    fn err(&self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{}", self.plain(text));
    }

    /// What can be shown: no control or direction characters, ASCII where the locale asks for it.
    fn plain(&self, text: &str) -> String {
        let shown = |c: char| match c {
            '\n' | '\t' => c.to_string(),
            c if c.is_control() || is_direction(c) => c.escape_unicode().to_string(),
            c if self.ascii && !c.is_ascii() => ascii(c),
            c => c.to_string(),
        };
        text.chars().map(shown).collect()
    }
}

fn is_direction(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn ascii(c: char) -> String {
    match c {
        '–' | '—' => "-".to_owned(),
        '…' => "...".to_owned(),
        '“' | '”' => "\"".to_owned(),
        '‘' | '’' => "'".to_owned(),
        c => c.escape_unicode().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printer(locale: &str) -> Printer {
        let environment = BTreeMap::from([("LC_ALL".to_owned(), locale.to_owned())]);
        Printer::new(&Global::default(), &environment)
    }

    #[test]
    fn what_a_lead_is_called_cannot_drive_the_terminal() {
        assert_eq!(
            printer("en_US.UTF-8").plain("Zoë\u{1b}[2J\u{202e}x"),
            "Zoë\\u{1b}[2J\\u{202e}x"
        );
        assert_eq!(printer("C").plain("Zoë – …"), "Zo\\u{eb} - ...");
    }
}
