//! Sandboxes in worker processes that the kernel walls in.
//!
//! [`Isolation::Process`](crate::Isolation::Process) on a [`SandboxBuilder`](crate::SandboxBuilder) is all that a host
//! needs, beside [`worker::init`] first in its `main`. The rest of this module is for hosts that want to say how many
//! workers there are ([`Pool`]), what must be in force around them ([`PoolBuilder::require`]), and how they are started
//! ([`Launcher`], [`Launch`]).

mod call;
mod cgroup;
mod death;
mod handles;
pub(crate) mod jail;
mod launcher;
mod opening;
mod place;
mod pool;
pub(crate) mod protocol;
pub(crate) mod session;
mod supply;
#[cfg(target_os = "linux")]
mod template;
mod watchdog;
pub mod worker;

#[cfg(feature = "test-hooks")]
#[doc(hidden)]
pub mod testing;

pub use cgroup::Cgroup;
pub use death::{DeathCause, Exit, WorkerDeath};
pub use jail::Wall;
pub use launcher::{Launch, Launcher, Link, Process};
pub(crate) use place::Place;
pub use pool::{Pool, PoolBuilder};
