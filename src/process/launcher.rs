//! How a worker is started: the seam for containers, virtual machines and other machines.

use super::{death::Exit, jail::Wall, worker};
use crate::error::Error;
use parking_lot::Mutex;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Starts workers.
///
/// A worker is any process, here or elsewhere, that was made to run `pycage worker` (or a host's executable with
/// [`worker::init`]) and whose standard input and output are passed through. Nothing else is asked for: no
/// shared memory, no descriptors, no common file system. A worker ends when its standard input is closed.
///
/// [`Launcher`] is the ready-made one.
///
/// ```
/// use pycage::process::{Launch, Launcher, Link};
///
/// /// Counts what it starts.
/// struct Counting(Launcher, std::sync::atomic::AtomicUsize);
///
/// impl Launch for Counting {
///     fn launch(&self) -> Result<Link, pycage::Error> {
///         self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
///         self.0.launch()
///     }
/// }
/// ```
pub trait Launch: Send + Sync + 'static {
    /// Starts a worker. It need not have come up yet: the pool waits for its first frame, up to its start timeout.
    ///
    /// # Errors
    /// [`Error::Setup`] with what keeps it from being started.
    ///
    /// ```
    /// use pycage::process::{Launch, Launcher};
    ///
    /// assert!(Launcher::executable("/there/is/no/such").launch().is_err());
    /// ```
    fn launch(&self) -> Result<Link, Error>;
}

/// What a [`Launch`] answers: the two pipes, and a hold on whatever is behind them.
///
/// ```
/// use pycage::process::{Link, Process};
/// use std::sync::Arc;
///
/// fn over(stream: std::net::TcpStream, process: Arc<dyn Process>) -> std::io::Result<Link> {
///     Ok(Link { input: Box::new(stream.try_clone()?), output: Box::new(stream), errors: None, process })
/// }
/// ```
pub struct Link {
    /// Goes to the worker's standard input. Dropping it closes it.
    pub input: Box<dyn Write + Send>,
    /// Comes from the worker's standard output.
    pub output: Box<dyn Read + Send>,
    /// Comes from its standard error, where that is captured. Reading must not block.
    pub errors: Option<Box<dyn Read + Send>>,
    /// Ends it, and tells how it ended.
    pub process: Arc<dyn Process>,
}

/// A hold on a worker.
///
/// ```
/// use pycage::process::{Exit, Process};
/// use std::time::Duration;
///
/// /// A worker on another machine, behind a connection: gone when that is.
/// struct Remote(std::net::TcpStream);
///
/// impl Process for Remote {
///     fn kill(&self) {
///         let _ = self.0.shutdown(std::net::Shutdown::Both);
///     }
///
///     fn wait(&self, _patience: Duration) -> Option<Exit> {
///         Some(Exit::Unknown)
///     }
/// }
/// ```
pub trait Process: Send + Sync {
    /// Ends it at once, whatever it does. Does nothing where it has ended.
    ///
    /// ```
    /// # fn end(process: &dyn pycage::process::Process) {
    /// process.kill();
    /// # }
    /// ```
    fn kill(&self);

    /// Waits up to `patience` for its end, gives it back to the system, and says how it ended. `None` when it goes on.
    ///
    /// ```
    /// # fn end(process: &dyn pycage::process::Process) {
    /// if process.wait(std::time::Duration::from_millis(100)).is_none() {
    ///     process.kill();
    /// }
    /// # }
    /// ```
    fn wait(&self, patience: Duration) -> Option<Exit>;

    /// The walls that the launcher itself has put around it, in force or lacking for a reason. Asked once, when the worker has
    /// come up and before it is given anything; what it answers goes into what
    /// [`Sandbox::enforced`](crate::Sandbox::enforced) and [`PoolBuilder::require`](super::PoolBuilder::require) see. None,
    /// unless overridden.
    ///
    /// ```
    /// use pycage::process::{Exit, Process, Wall};
    /// use std::time::Duration;
    ///
    /// /// A container that was started with `--memory`.
    /// struct Container;
    ///
    /// impl Process for Container {
    ///     # fn kill(&self) {}
    ///     # fn wait(&self, _patience: Duration) -> Option<Exit> { None }
    ///     // ... kill and wait, and:
    ///     fn walls(&self) -> Vec<(Wall, Result<(), String>)> {
    ///         vec![(Wall::CgroupMemory, Ok(()))]
    ///     }
    /// }
    /// assert_eq!(Container.walls().len(), 1);
    /// ```
    fn walls(&self) -> Vec<(Wall, Result<(), String>)> {
        Vec::new()
    }

    /// Which of these walls ended it, once it has ended. [`Wall::CgroupMemory`] makes its end one for want of memory. None,
    /// unless overridden.
    ///
    /// ```
    /// # fn look(process: &dyn pycage::process::Process) {
    /// if process.ended_by() == Some(pycage::process::Wall::CgroupMemory) {
    ///     println!("it took more memory than it may");
    /// }
    /// # }
    /// ```
    fn ended_by(&self) -> Option<Wall> {
        None
    }
}

/// The ready-made ways to start a worker.
///
/// ```no_run
/// use pycage::process::{Launcher, Pool};
///
/// // Any program that passes standard input and output through can stand in front of a worker.
/// // A worker starts its own executable once more, for its stack, so it needs a `/proc` of its own.
/// let launcher = Launcher::command(["launchers/bubblewrap", "/usr/local/bin/pycage"]);
/// let pool = Pool::builder().launcher(launcher).build()?;
/// # Ok::<(), pycage::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Launcher {
    program: Program,
}

#[derive(Clone, Debug)]
enum Program {
    ThisExecutable,
    Executable(PathBuf),
    Command(Vec<OsString>),
}

impl Launcher {
    /// The host's own executable, started again: [`worker::init`] must be the first call in its `main`. The
    /// default.
    ///
    /// On Linux it is started once, as a template that workers are forked from.
    ///
    /// ```
    /// let builder = pycage::process::Pool::builder().launcher(pycage::process::Launcher::this_executable());
    /// ```
    pub fn this_executable() -> Launcher {
        Launcher { program: Program::ThisExecutable }
    }

    /// Another executable with [`worker::init`] first in its `main`, or the `pycage` binary; forked from a
    /// template likewise.
    ///
    /// ```
    /// let launcher = pycage::process::Launcher::executable("/usr/local/bin/pycage");
    /// ```
    pub fn executable(path: impl Into<PathBuf>) -> Launcher {
        Launcher { program: Program::Executable(path.into()) }
    }

    /// A command line that ends in a worker (`pycage worker`), started once for each worker. The command gets an empty
    /// environment but for `PATH`.
    ///
    /// On Unix the command is the leader of a process group of its own, which is killed as a whole, so a pipeline of a shell is
    /// ended too. Killing the command must end the worker: what leaves the group and goes on is not waited for. Not so its starting thread's end: a worker lives on when the thread that
    /// started it is gone, so `bwrap --die-with-parent` and the like need a process in front that stays. The scripts in the
    /// folder `launchers` of pycage's repository, for bubblewrap, gVisor, containers and virtual machines, see to that.
    ///
    /// ```
    /// let launcher = pycage::process::Launcher::command(["ssh", "worker.example", "pycage", "worker"]);
    /// ```
    pub fn command<S: Into<OsString>>(words: impl IntoIterator<Item = S>) -> Launcher {
        Launcher { program: Program::Command(words.into_iter().map(Into::into).collect()) }
    }

    /// The executable that can be a template, where there is one.
    #[cfg(target_os = "linux")]
    pub(crate) fn template(&self) -> Result<Option<PathBuf>, Error> {
        match &self.program {
            Program::ThisExecutable => this_executable().map(Some),
            Program::Executable(path) => Ok(Some(path.clone())),
            Program::Command(_) => Ok(None),
        }
    }

    fn line(&self) -> Result<Command, Error> {
        let command = match &self.program {
            Program::ThisExecutable => worker_command(this_executable()?),
            Program::Executable(path) => worker_command(path.clone()),
            Program::Command(words) => {
                let (program, args) =
                    words.split_first().ok_or_else(|| Error::Setup("an empty launcher".to_owned()))?;
                let mut command = Command::new(program);
                command.args(args).env_clear();
                if let Some(path) = std::env::var_os("PATH") {
                    command.env("PATH", path);
                }
                command
            }
        };
        Ok(command)
    }
}

impl Launch for Launcher {
    fn launch(&self) -> Result<Link, Error> {
        spawn(self.line()?)
    }
}

/// This executable, if it serves as a worker when it is started as one. Otherwise its `main` would run again, and start
/// it again.
fn this_executable() -> Result<PathBuf, Error> {
    if !worker::initialised() {
        return Err(Error::Setup(
            "sandboxes in worker processes need `pycage::worker::init();` as the first line of the host's main, or a \
             pool with another launcher"
                .to_owned(),
        ));
    }
    std::env::current_exe().map_err(|error| Error::Setup(format!("this executable cannot be found: {error}")))
}

fn worker_command(path: PathBuf) -> Command {
    let mut command = Command::new(path);
    command.arg(worker::ARGUMENT).env_clear();
    if cfg!(unix) {
        command.current_dir("/");
    }
    command
}

/// Starts a child with its three streams piped.
fn spawn(mut command: Command) -> Result<Link, Error> {
    // A group of its own can be killed as a whole: none that is left behind may keep the pipes open, at which the host waits.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    // Standard error is read without waiting, which pipes can on Unix alone.
    let errors = if cfg!(unix) { Stdio::piped() } else { Stdio::null() };
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(errors)
        .spawn()
        .map_err(|error| Error::Setup(format!("{} cannot be started: {error}", command.get_program().display())))?;
    let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(Error::Setup("a worker's pipes are missing".to_owned()));
    };
    let errors = child.stderr.take().map(|stderr| {
        #[cfg(unix)]
        do_not_wait(&stderr);
        Box::new(stderr) as Box<dyn Read + Send>
    });
    let (input, output, held) = until_killed(input, output)?;
    Ok(Link {
        input,
        output,
        errors,
        process: Arc::new(DirectChild { child: Mutex::new(child), held: Mutex::new(held) }),
    })
}

/// The host's ends of a child's pipes.
type Ends = (Box<dyn Write + Send>, Box<dyn Read + Send>, Option<std::io::PipeWriter>);

/// Ends that no read and no write waits at once the third is dropped, whoever still holds the child's ends.
#[cfg(unix)]
fn until_killed(input: ChildStdin, output: ChildStdout) -> Result<Ends, Error> {
    let no_pipe = |error| Error::Setup(format!("no pipe: {error}"));
    let (killed, held) = std::io::pipe().map_err(no_pipe)?;
    let too = killed.try_clone().map_err(no_pipe)?;
    do_not_wait(&input);
    let input = UntilKilled { pipe: input, killed };
    Ok((Box::new(input), Box::new(UntilKilled { pipe: output, killed: too }), Some(held)))
}

/// Elsewhere a child's end is the end of its pipes.
#[cfg(not(unix))]
fn until_killed(input: ChildStdin, output: ChildStdout) -> Result<Ends, Error> {
    Ok((Box::new(input), Box::new(output), None))
}

/// One of the host's ends. A command may leave processes behind that its kill does not reach, and that keep their ends of the
/// pipes open: so what is waited for is the pipe or the kill.
#[cfg(unix)]
struct UntilKilled<P> {
    pipe: P,
    /// Its other end is closed at the kill.
    killed: std::io::PipeReader,
}

#[cfg(unix)]
impl<P: std::os::fd::AsFd> UntilKilled<P> {
    /// Waits. `false` when it was killed.
    fn is_ready(&self, events: nix::poll::PollFlags) -> std::io::Result<bool> {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        use std::os::fd::AsFd;
        loop {
            let mut both =
                [PollFd::new(self.pipe.as_fd(), events), PollFd::new(self.killed.as_fd(), PollFlags::POLLIN)];
            match poll(&mut both, PollTimeout::NONE) {
                Ok(_) if both[1].any() != Some(false) => return Ok(false),
                Ok(_) => return Ok(true),
                Err(nix::errno::Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(unix)]
impl Read for UntilKilled<ChildStdout> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.is_ready(nix::poll::PollFlags::POLLIN)? { self.pipe.read(buffer) } else { Ok(0) }
    }
}

#[cfg(unix)]
impl Write for UntilKilled<ChildStdin> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        loop {
            match self.pipe.write(bytes) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    if !self.is_ready(nix::poll::PollFlags::POLLOUT)? {
                        return Err(std::io::ErrorKind::BrokenPipe.into());
                    }
                }
                done => return done,
            }
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.pipe.flush()
    }
}

/// Makes reads and writes answer at once.
#[cfg(unix)]
pub(super) fn do_not_wait(fd: impl std::os::fd::AsFd) {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    // A pipe of our own: it cannot fail, and if it did the deadline would end the wait.
    let _ = fcntl(fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK));
}

/// A child of this process, and the leader of a process group.
struct DirectChild {
    child: Mutex<Child>,
    /// Lets go of whoever waits at its pipes, when it is dropped.
    held: Mutex<Option<std::io::PipeWriter>>,
}

/// Ends a child and its group, unless the child was waited for.
fn kill_group(child: &mut Child) {
    // Its number is its own, and its group's, as long as it was not waited for. So it is asked first.
    #[cfg(unix)]
    if matches!(child.try_wait(), Ok(None))
        && let Ok(pid) = i32::try_from(child.id())
    {
        let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
    }
    let _ = child.kill();
}

impl Process for DirectChild {
    fn kill(&self) {
        kill_group(&mut self.child.lock());
        self.held.lock().take();
    }

    fn wait(&self, patience: Duration) -> Option<Exit> {
        let deadline = Instant::now() + patience;
        loop {
            match self.child.lock().try_wait() {
                Ok(Some(status)) => return Some(Exit::of(status)),
                Err(_) => return Some(Exit::Unknown),
                Ok(None) => {}
            }
            if Instant::now() >= deadline {
                return None;
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }
}

impl Drop for DirectChild {
    /// Leaves no zombie.
    fn drop(&mut self) {
        let child = self.child.get_mut();
        kill_group(child);
        let _ = child.wait();
    }
}
