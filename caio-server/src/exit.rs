//! How a command ends: stable exit codes, and failures with code and hint.

use std::process::ExitCode;

use caio_core::batch::BatchRefusal;
use caio_core::icp::ModelError;
use caio_core::record::HeaderProblem;
use caio_dispatch::DispatchError;
use caio_dispatch::source::SourceError;
use caio_state::StoreError;

/// Result of a command.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// Exit codes; stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// The call's words are off.
    Usage = 2,
    /// Done, with refusals.
    Refusals = 3,
    /// A safety layer forbids it.
    Blocked = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Stable code.
    pub(crate) code: &'static str,
    /// What happened.
    pub(crate) message: String,
    /// What to do.
    pub(crate) hint: Option<String>,
    /// How the process ends.
    pub(crate) exit: Exit,
}

impl Failure {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
            exit: Exit::Failed,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<DispatchError> for Failure {
    fn from(error: DispatchError) -> Self {
        let exit = match &error {
            DispatchError::Refused {
                code: "dispatch.blocked",
                ..
            } => Exit::Blocked,
            _ => Exit::Failed,
        };
        Self::new(error.code(), error.to_string()).exit(exit)
    }
}

impl From<BatchRefusal> for Failure {
    fn from(refusal: BatchRefusal) -> Self {
        Self::new(refusal.code(), refusal.to_string())
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<HeaderProblem> for Failure {
    fn from(problem: HeaderProblem) -> Self {
        Self::new(HeaderProblem::CODE, problem.to_string()).exit(Exit::Usage)
    }
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        Self::new(error.code(), error.to_string()).exit(Exit::Usage)
    }
}
