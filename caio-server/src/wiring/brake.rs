//! What stops this process without the store: its environment, and the file `STOP` in its home folder.

use std::io::ErrorKind;
use std::path::PathBuf;

use caio_core::safety::{StopFlag, stop_value};
use caio_dispatch::operator;

use super::{Context, environment};

/// Name of the file.
const FILE: &str = "STOP";

/// Looks anew each time it is asked.
#[derive(Debug)]
pub(crate) struct Brake {
    file: PathBuf,
}

impl Context {
    /// What stops this process without the store.
    pub(crate) fn brake(&self) -> Brake {
        Brake {
            file: self.home.join(FILE),
        }
    }
}

impl Brake {
    /// Either stops this process; so does a file of which nobody can tell.
    pub(crate) fn holds(&self) -> bool {
        use operator::Brake as _;
        self.environment().is_some() || self.file() != StopFlag::Clear
    }
}

impl operator::Brake for Brake {
    fn environment(&self) -> Option<String> {
        stop_value(&environment())
    }

    fn file(&self) -> StopFlag {
        match self.file.symlink_metadata() {
            Ok(_) => StopFlag::Set,
            Err(error) if error.kind() == ErrorKind::NotFound => StopFlag::Clear,
            Err(_) => StopFlag::Unreadable,
        }
    }
}
