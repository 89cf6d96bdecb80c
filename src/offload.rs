//! Work that blocks, on a thread of the library's own, while a future waits for it on any executor: what goes over a pipe
//! to a worker process, and the building of a sandbox.

use crate::error::Error;
use crate::runner::handover;
use crate::runner::panic_message;
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// How long a thread with nothing to do is kept for the next work.
const KEEP: Duration = Duration::from_secs(5);

/// Host functions run on it, and call a script's callables that call host functions. Only what is touched costs anything.
const STACK: usize = 8 << 20;

type Work = Box<dyn FnOnce() + Send>;

/// Has `work` done on a thread that does nothing else meanwhile: there are as many as there is work, so that none waits
/// behind another's. Work whose future is dropped before a thread has come to it is not done; once begun it is done to
/// its end, and what it gave is dropped there.
///
/// # Errors
/// [`Error::Setup`] when the system refuses a thread, [`Error::Crashed`] when the work panicked.
pub(crate) async fn offload<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let (answer, waiter) = handover::reply_to_future::<Result<T, String>>(Arc::default());
    THREADS.hand_over(Box::new(move || {
        if answer.is_awaited() {
            let done = catch_unwind(AssertUnwindSafe(work));
            answer.send(done.map_err(|panic| panic_message(&*panic)));
        }
    }))?;
    match poll_fn(|context| waiter.poll(Duration::MAX, context)).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(message)) => Err(Error::Crashed { message, usage: Box::default() }),
        Err(_) => Err(Error::Lost),
    }
}

struct Threads {
    state: Mutex<State>,
    more: Condvar,
}

struct State {
    queue: VecDeque<Work>,
    /// Threads that wait for work, those included that were told of some and have not taken it yet.
    idle: usize,
}

static THREADS: Threads =
    Threads { state: Mutex::new(State { queue: VecDeque::new(), idle: 0 }), more: Condvar::new() };

impl Threads {
    fn hand_over(&'static self, work: Work) -> Result<(), Error> {
        let mut state = self.state.lock();
        if state.idle <= state.queue.len() {
            let thread = std::thread::Builder::new().name("pycage-offload".into()).stack_size(STACK);
            thread.spawn(|| self.serve()).map_err(|error| {
                Error::Setup(format!("no thread for a call that does not block could be started: {error}"))
            })?;
        }
        state.queue.push_back(work);
        drop(state);
        self.more.notify_one();
        Ok(())
    }

    fn serve(&self) {
        let mut state = self.state.lock();
        loop {
            if let Some(work) = state.queue.pop_front() {
                drop(state);
                work();
                state = self.state.lock();
                continue;
            }
            state.idle += 1;
            let timed_out = self.more.wait_for(&mut state, KEEP).timed_out();
            state.idle -= 1;
            if timed_out && state.queue.is_empty() {
                return;
            }
        }
    }
}
