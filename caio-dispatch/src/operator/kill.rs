//! Where a test may end the process: labelled points of a run.
//!
//! Only a build with the feature `kill-points` knows them; in every other one reaching a point is
//! nothing at all, and there is no way to ask for more.

/// A labelled point of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// A group of claims is about to be made.
    BeforeClaim,
    /// It was made.
    AfterClaim,
    /// The provider is about to be called.
    BeforeCall,
    /// It has answered, and nothing is recorded.
    AfterAnswer,
    /// Outcomes are in the ledger.
    AfterRecord,
    /// The batch is about to have its final status.
    BeforeSettle,
    /// It has it.
    AfterSettle,
}

#[cfg(not(feature = "kill-points"))]
pub(super) const fn reach(_: Point) {}

#[cfg(feature = "kill-points")]
pub use armed::arm;
#[cfg(feature = "kill-points")]
pub(super) use armed::reach;

#[cfg(feature = "kill-points")]
mod armed {
    use std::str::FromStr;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::Point;

    /// The point that ends the process, and how often it is reached before.
    static ARMED: OnceLock<(Point, AtomicU32)> = OnceLock::new();

    impl Point {
        /// Every point with its name.
        pub const ALL: [(&'static str, Self); 7] = [
            ("before-claim", Self::BeforeClaim),
            ("after-claim", Self::AfterClaim),
            ("before-call", Self::BeforeCall),
            ("after-answer", Self::AfterAnswer),
            ("after-record", Self::AfterRecord),
            ("before-settle", Self::BeforeSettle),
            ("after-settle", Self::AfterSettle),
        ];
    }

    impl FromStr for Point {
        type Err = String;

        fn from_str(text: &str) -> Result<Self, String> {
            let found = Self::ALL.iter().find(|(name, _)| *name == text);
            found
                .map(|(_, point)| *point)
                .ok_or_else(|| format!("`{text}` is no point of a run"))
        }
    }

    /// From now on the process ends with SIGKILL when `point` is reached for the `nth` time, from 1.
    pub fn arm(point: Point, nth: u32) {
        let _ = ARMED.set((point, AtomicU32::new(nth)));
    }

    pub(in crate::operator) fn reach(point: Point) {
        let Some((armed, left)) = ARMED.get() else {
            return;
        };
        if *armed == point && left.fetch_sub(1, Ordering::SeqCst) == 1 {
            let own = rustix::process::getpid();
            let _ = rustix::process::kill_process(own, rustix::process::Signal::KILL);
            // The signal may take a moment; nothing happens in it.
            loop {
                std::thread::park();
            }
        }
    }
}
