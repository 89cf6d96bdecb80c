//! Jobs that a future waits for, on any executor. A thread of the library's own looks out for those that do not end.

use crate::meter::run::LiveUsage;
use crate::runner::handover::{self, NoAnswer, Waiter, Watch};
use crate::runner::{CallError, Runner};
use parking_lot::{Condvar, Mutex};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Once, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use super::cage::Cage;

/// How often the look-out looks.
const LOOK: Duration = Duration::from_millis(20);

struct LookOut {
    waited_for: Mutex<Vec<(Weak<Watch>, Duration)>>,
    changed: Condvar,
}

static LOOK_OUT: LookOut = LookOut { waited_for: Mutex::new(Vec::new()), changed: Condvar::new() };

/// A job on a runner that has not been answered yet.
pub(crate) struct Pending<T> {
    runner: Runner,
    patience: Duration,
    waiter: Waiter<Result<T, String>>,
}

impl Runner {
    /// [`Runner::call`], for a future to wait for.
    pub(crate) fn call_async<T: Send + 'static>(
        &self,
        patience: Duration,
        live: Arc<LiveUsage>,
        job: impl FnOnce(&mut Cage<'_>, &Arc<Watch>) -> T + Send + 'static,
    ) -> Result<Pending<T>, CallError> {
        let (answer, waiter) = handover::reply_to_future::<Result<T, String>>(live);
        look_out(waiter.watch(), patience);
        if !self.lease.queue.push(Runner::answering(answer, job)) {
            return Err(CallError::NoAnswer(NoAnswer::Lost));
        }
        Ok(Pending { runner: self.clone(), patience, waiter })
    }
}

impl<T> Future for Pending<T> {
    type Output = Result<T, CallError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = match self.waiter.poll(self.patience, context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(answer) => answer,
        };
        Poll::Ready(self.runner.take(answer, self.waiter.watch()))
    }
}

/// Has the caller of `watch` woken when there will be no answer, or it is late.
fn look_out(watch: &Arc<Watch>, patience: Duration) {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        // Without the thread, calls that do not end are not noticed, and all others are as they should be.
        let _ = std::thread::Builder::new().name("pycage-look-out".into()).spawn(|| LOOK_OUT.watch());
    });
    LOOK_OUT.waited_for.lock().push((Arc::downgrade(watch), patience));
    LOOK_OUT.changed.notify_one();
}

impl LookOut {
    fn watch(&self) {
        loop {
            let mut late = Vec::new();
            {
                let mut waited_for = self.waited_for.lock();
                while waited_for.is_empty() {
                    self.changed.wait(&mut waited_for);
                }
                waited_for.retain(|(watch, patience)| match watch.upgrade() {
                    Some(watch) => {
                        if watch.wants_a_look(*patience) {
                            late.push(watch);
                        }
                        true
                    }
                    None => false,
                });
            }
            for watch in late {
                watch.wake();
            }
            std::thread::sleep(LOOK);
        }
    }
}
