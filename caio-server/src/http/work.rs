//! Work that goes on when its caller leaves: a live run, say. The service waits for it when it ends.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

use super::problem::{Problem, Result};

/// What is under way, whether or not its caller is still there.
#[derive(Debug, Default)]
pub(crate) struct Work(TaskTracker);

impl Work {
    /// Does this to its end, whatever becomes of the caller.
    ///
    /// # Errors
    /// A panic, which is logged here: a caller who has left reports nothing.
    pub(super) async fn carry<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let done = self.0.spawn(async {
            let done = AssertUnwindSafe(work).catch_unwind().await;
            done.unwrap_or_else(|panic| {
                let cause = words(&*panic);
                tracing::error!(event.kind = "work", cause, "work under way has panicked");
                Err(Problem::internal("bug.panic", cause))
            })
        });
        done.await
            .unwrap_or_else(|error| Err(Problem::internal("bug.panic", error.to_string())))
    }

    /// Waits for what is under way, until then at the most; answers how much is not done.
    pub(super) async fn end(&self, until: Instant) -> usize {
        self.0.close();
        match timeout_at(until, self.0.wait()).await {
            Ok(()) => 0,
            Err(_) => self.0.len(),
        }
    }
}

/// What a panic says.
pub(super) fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without words")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_is_under_way_is_waited_for_when_its_caller_has_left() {
        let work = Arc::new(Work::default());
        let (begun, begins) = oneshot::channel();
        let (go, goes) = oneshot::channel::<()>();
        let (done, mut is_done) = oneshot::channel();
        let of_caller = Arc::clone(&work);
        let caller = tokio::spawn(async move {
            of_caller
                .carry(async {
                    begun.send(()).unwrap();
                    goes.await.unwrap();
                    done.send(()).unwrap();
                    Ok(())
                })
                .await
        });
        begins.await.unwrap();
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        assert_eq!(work.end(Instant::now()).await, 1, "it is under way");
        go.send(()).unwrap();
        assert_eq!(work.end(Instant::now() + Duration::from_mins(1)).await, 0);
        is_done.try_recv().unwrap();
    }

    #[tokio::test]
    async fn a_panic_is_an_error_of_ours() {
        let work = Work::default();
        let lost = work.carry::<()>(async { panic!("planted") }).await;
        assert!(lost.unwrap_err().is("bug.panic"));
        assert_eq!(work.end(Instant::now()).await, 0);
    }
}
