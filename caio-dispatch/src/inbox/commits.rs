//! Commits of several requests at once: those that wait for the disk or the network together share
//! one sync or one round trip.

use std::sync::Arc;

use caio_state::{CommitOutcome, StateStore, StateStoreExt, StoreError, Txn};
use tokio::sync::{mpsc, oneshot};

/// Most transactions that are sent together.
const TOGETHER: usize = 64;

/// Most requests that may wait; another one waits for its turn to wait.
const WAITING: usize = 256;

type Answer = Result<CommitOutcome, StoreError>;
type Waiting = (Txn, oneshot::Sender<Answer>);

/// Where requests hand in their transactions.
#[derive(Debug, Clone)]
pub struct Commits(mpsc::Sender<Waiting>);

/// The place to hand them in, and the work that commits them: it ends when the last clone of the
/// place is gone and everything handed in has been answered.
pub fn committer(store: Arc<dyn StateStore>) -> (Commits, impl Future<Output = ()> + Send) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Commits(sender), work(store, receiver))
}

impl Commits {
    /// Commits `txn` with whatever else is waiting; answers once it is durable.
    pub(super) async fn commit(&self, txn: Txn) -> Answer {
        let lost = || StoreError::Ambiguous {
            backend: "inbox",
            reason: "the process is shutting down".to_owned(),
        };
        let (answer, answered) = oneshot::channel();
        self.0.send((txn, answer)).await.map_err(|_| lost())?;
        answered.await.map_err(|_| lost())?
    }
}

async fn work(store: Arc<dyn StateStore>, mut waiting: mpsc::Receiver<Waiting>) {
    let mut together = Vec::with_capacity(TOGETHER);
    while waiting.recv_many(&mut together, TOGETHER).await > 0 {
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
