//! Commits of several requests at once: those that wait for the disk or the network together share
//! one sync or one round trip.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use caio_state::{CommitOutcome, StateStore, StateStoreExt, StoreError, Txn};
use tokio::sync::{mpsc, oneshot};

/// Most transactions that are sent together.
const TOGETHER: usize = 64;

/// Most requests that may wait; another one waits for its turn to wait.
const WAITING: usize = 256;

/// How long those that came together the last time are waited for: who was answered at one time asks
/// again at one time, and a sync is dear.
const MOMENT: Duration = Duration::from_millis(1);

type Answer = Result<CommitOutcome, StoreError>;
type Waiting = (Txn, oneshot::Sender<Answer>);

/// Where requests hand in their transactions.
#[derive(Debug, Clone)]
pub struct Commits {
    sender: mpsc::Sender<Waiting>,
    taken: Arc<AtomicU64>,
}

/// The place to hand them in, and the work that commits them: it ends when the last clone of the
/// place is gone and everything handed in has been answered.
pub fn committer(store: Arc<dyn StateStore>) -> (Commits, impl Future<Output = ()> + Send) {
    let (sender, receiver) = mpsc::channel(WAITING);
    let commits = Commits {
        sender,
        taken: Arc::default(),
    };
    (commits, work(store, receiver))
}

impl Commits {
    /// How many have been handed in so far.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Commits `txn` with whatever else is waiting; answers once it is durable.
    pub(super) async fn commit(&self, txn: Txn) -> Answer {
        let lost = || StoreError::Ambiguous {
            backend: "inbox",
            reason: "the process is shutting down".to_owned(),
        };
        let (answer, answered) = oneshot::channel();
        self.taken.fetch_add(1, Ordering::Relaxed);
        self.sender.send((txn, answer)).await.map_err(|_| lost())?;
        answered.await.map_err(|_| lost())?
    }
}

async fn work(store: Arc<dyn StateStore>, mut waiting: mpsc::Receiver<Waiting>) {
    let mut together = Vec::with_capacity(TOGETHER);
    let mut before = 0;
    while waiting.recv_many(&mut together, TOGETHER).await > 0 {
        gather(&mut waiting, &mut together, before).await;
        before = together.len();
        let (txns, answers): (Vec<Txn>, Vec<_>) = together.drain(..).unzip();
        match store.commit_many(&txns).await {
            Ok(outcomes) if outcomes.len() == answers.len() => {
                for (answer, outcome) in answers.into_iter().zip(outcomes) {
                    // Who does not wait any more was not told that it was taken.
                    let _ = answer.send(Ok(outcome));
                }
            }
            // A fault of one must not cost the others: the same transactions again, one by one. Those
            // that were applied answer what they answered before.
            _ => {
                for (txn, answer) in txns.iter().zip(answers) {
                    let _ = answer.send(store.commit_surely(txn).await);
                }
            }
        }
    }
}

/// Waits a moment for as many as came `before`.
async fn gather(waiting: &mut mpsc::Receiver<Waiting>, together: &mut Vec<Waiting>, before: usize) {
    let as_many = async {
        while together.len() < before {
            let missing = before - together.len();
            if waiting.recv_many(together, missing).await == 0 {
                break;
            }
        }
    };
    // Fewer come now.
    let _ = tokio::time::timeout(MOMENT, as_many).await;
}
