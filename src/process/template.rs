//! The template: a process with a warm interpreter and one thread, that forks a worker whenever the host asks for one.
//!
//! Its workers share its pages until they write to them. Host and template speak over a socket with a packet a request and
//! one an answer. A worker's three pipes are handed over with the request; this is between the host and its own template
//! on the same machine, and no part of what a [`Launch`] has to offer.

use super::death::Exit;
use super::jail::cgroup::{self, Group, Leaf};
use super::jail::{Ground, Report, Wall};
use super::launcher::{Launch, Launcher, Link, Process, do_not_wait};
use super::worker;
use crate::error::Error;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg, sendmsg, setsockopt,
    socketpair,
};
use nix::sys::time::TimeVal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, dup2_stderr, dup2_stdin, dup2_stdout, fork, pipe2};
use parking_lot::Mutex;
use std::fs::File;
use std::io::{IoSlice, IoSliceMut, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Requests: what is wanted, and of which worker.
const FORK: u8 = 1;
const KILL: u8 = 2;
const REAP: u8 = 3;

/// A request, and an answer, is one byte and a number.
type Packet = [u8; 5];

/// What a REAP answers in its first byte.
const RUNS: u8 = 0;
const EXITED: u8 = 1;
const SIGNALLED: u8 = 2;
const GONE: u8 = 3;

/// How long the template may take to answer, once it is up.
const PATIENCE: Duration = Duration::from_secs(5);

fn packet(what: u8, number: i32) -> Packet {
    let number = number.to_le_bytes();
    [what, number[0], number[1], number[2], number[3]]
}

fn parts(packet: Packet) -> (u8, i32) {
    (packet[0], i32::from_le_bytes([packet[1], packet[2], packet[3], packet[4]]))
}

// ---- the host's side

/// Launches workers by forking them from a template, which is started at the first, and again if it is lost.
pub(crate) struct TemplateLaunch {
    executable: PathBuf,
    start_timeout: Duration,
    group: Option<Arc<Group>>,
    template: Mutex<Option<Arc<Template>>>,
}

impl TemplateLaunch {
    /// For a launcher whose executable can be a template. Each worker gets a leaf of the group.
    pub(crate) fn of(
        launcher: &Launcher,
        start_timeout: Duration,
        group: Option<Arc<Group>>,
    ) -> Result<Option<TemplateLaunch>, Error> {
        Ok(launcher.template()?.map(|executable| TemplateLaunch {
            executable,
            start_timeout,
            group,
            template: Mutex::new(None),
        }))
    }

    /// The template that is up, or a new one.
    fn template(&self) -> Result<Arc<Template>, Error> {
        let mut template = self.template.lock();
        match template.as_ref() {
            Some(template) if template.is_up() => Ok(template.clone()),
            _ => {
                let new = Arc::new(Template::start(&self.executable, self.start_timeout)?);
                *template = Some(new.clone());
                Ok(new)
            }
        }
    }
}

impl Launch for TemplateLaunch {
    fn launch(&self) -> Result<Link, Error> {
        let template = self.template()?;
        let pipe = || pipe2(OFlag::O_CLOEXEC).map_err(|error| Error::Setup(format!("no pipe: {error}")));
        let (stdin, input) = pipe()?;
        let (output, stdout) = pipe()?;
        let (errors, stderr) = pipe()?;
        // Neither side waits: the host reads what is there, the worker's words are dropped when the pipe is full.
        for end in [&errors, &stderr] {
            do_not_wait(end);
        }
        let leaf = self.group.as_ref().map(Group::leaf);
        let entrance = leaf.as_ref().and_then(Leaf::entrance);
        let mut fds = vec![stdin.as_fd(), stdout.as_fd(), stderr.as_fd()];
        fds.extend(entrance.as_ref().map(AsFd::as_fd));
        let pid = template.fork(&fds)?;
        Ok(Link {
            input: Box::new(File::from(input)),
            output: Box::new(File::from(output)),
            errors: Some(Box::new(File::from(errors))),
            process: Arc::new(Forked { template, pid, exit: Mutex::new(None), leaf }),
        })
    }
}

/// A template process. Ends when dropped, and its workers with it: each of them holds it.
struct Template {
    socket: Mutex<OwnedFd>,
    up: std::sync::atomic::AtomicBool,
    child: Mutex<Child>,
}

impl Template {
    fn start(executable: &Path, patience: Duration) -> Result<Template, Error> {
        let failed = |what: &str, why: String| Error::Setup(format!("the template of the workers {what}: {why}"));
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
            .map_err(|error| failed("has no socket", error.to_string()))?;
        let mut child = Command::new(executable)
            .arg(worker::TEMPLATE_ARGUMENT)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| failed("cannot be started", error.to_string()))?;
        let stderr = child.stderr.take();
        let template = Template {
            socket: Mutex::new(ours),
            up: std::sync::atomic::AtomicBool::new(true),
            child: Mutex::new(child),
        };
        let ready = {
            let socket = template.socket.lock();
            let within = |time: Duration| {
                let time = TimeVal::new(time.as_secs().try_into().unwrap_or(3600), time.subsec_micros().into());
                setsockopt(&*socket, ReceiveTimeout, &time)
            };
            let ready = within(patience).and_then(|()| receive(&*socket));
            ready.and_then(|_| within(PATIENCE))
        };
        match ready {
            Ok(()) => Ok(template),
            Err(error) => {
                let _ = template.child.lock().kill();
                let mut words = String::new();
                if let Some(stderr) = stderr {
                    do_not_wait(&stderr);
                    let _ = stderr.take(4096).read_to_string(&mut words);
                }
                Err(failed("did not come up", format!("{error}; {}", words.trim())))
            }
        }
    }

    fn is_up(&self) -> bool {
        self.up.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn fork(&self, fds: &[BorrowedFd<'_>]) -> Result<i32, Error> {
        let answer = self.ask(packet(FORK, 0), fds);
        match answer.map(parts) {
            Ok((FORK, pid)) if pid > 0 => Ok(pid),
            Ok((_, errno)) => {
                Err(Error::Setup(format!("no worker could be forked: {}", std::io::Error::from_raw_os_error(errno))))
            }
            Err(error) => Err(Error::Setup(format!("the template of the workers was lost: {error}"))),
        }
    }

    /// One request at a time: the template answers at once.
    fn ask(&self, request: Packet, fds: &[BorrowedFd<'_>]) -> nix::Result<Packet> {
        let socket = self.socket.lock();
        let answer = send(&*socket, request, fds).and_then(|()| receive(&*socket)).map(|(answer, _)| answer);
        if answer.is_err() {
            // An answer that comes late would be taken for that of the next request.
            self.up.store(false, std::sync::atomic::Ordering::Relaxed);
            let _ = self.child.lock().kill();
        }
        answer
    }
}

impl Drop for Template {
    fn drop(&mut self) {
        let child = self.child.get_mut();
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// A worker that a template has forked.
struct Forked {
    template: Arc<Template>,
    /// As the template knows it.
    pid: i32,
    exit: Mutex<Option<Exit>>,
    /// Goes after the worker is gone, see its `drop`.
    leaf: Option<Leaf>,
}

impl Process for Forked {
    fn kill(&self) {
        // Not after it was reaped: the number may be another worker's by then.
        let exit = self.exit.lock();
        if exit.is_none() {
            // Does without the template. The template does without a group, or with one that the worker is not in yet.
            if let Some(leaf) = &self.leaf {
                leaf.kill();
            }
            let _ = self.template.ask(packet(KILL, self.pid), &[]);
        }
    }

    fn wait(&self, patience: Duration) -> Option<Exit> {
        let deadline = Instant::now() + patience;
        loop {
            {
                let mut exit = self.exit.lock();
                if exit.is_none() {
                    *exit = match self.template.ask(packet(REAP, self.pid), &[]).map(parts) {
                        Ok((RUNS, _)) => None,
                        Ok((EXITED, status)) => Some(Exit::Status(status)),
                        Ok((SIGNALLED, signal)) => Some(Exit::Signal(signal)),
                        // The template is gone, and its workers with it.
                        Ok(_) | Err(_) => Some(Exit::Unknown),
                    };
                }
                if exit.is_some() {
                    return *exit;
                }
            }
            if Instant::now() >= deadline {
                return None;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    fn walls(&self) -> Vec<(Wall, Result<(), String>)> {
        self.leaf.as_ref().map(Leaf::shut).unwrap_or_default()
    }

    fn ended_by(&self) -> Option<Wall> {
        self.leaf.as_ref().and_then(Leaf::has_killed)
    }
}

impl Drop for Forked {
    /// Leaves no zombie at the template.
    fn drop(&mut self) {
        if self.exit.get_mut().is_none() {
            self.kill();
            self.wait(Duration::from_secs(1));
        }
    }
}

// ---- the template's side

/// Serves as a template on standard input until the host closes it.
pub(crate) fn serve() -> ! {
    worker::with_big_stack(|| {
        let report = super::jail::namespaces::enter(true);
        let report = step_inside(report);
        worker::warm(report, true, |cage, ground| {
            let mut ground = super::jail::namespaces::with_empty_root(ground);
            let _ = prctl::set_dumpable(false);
            match fork_on_demand() {
                Some(pipes) => {
                    take(pipes, &mut ground);
                    worker::serve::serve(cage, &ground, true)
                }
                None => std::process::exit(0),
            }
        })
    })
}

/// A PID namespace begins with the next child: goes on as that child, its first process, while this one only waits for it.
fn step_inside(report: Report) -> Report {
    if !report.enforced.contains(&super::jail::Wall::PidNamespace) {
        return report;
    }
    // SAFETY: this process has one thread, so the child has all of its locks in order.
    match unsafe { fork() } {
        Ok(ForkResult::Child) => {
            let _ = prctl::set_pdeathsig(Signal::SIGKILL);
            report
        }
        Err(error) => worker::give_up(&format!("cannot fork: {error}")),
        Ok(ForkResult::Parent { child }) => {
            // The child alone holds the socket: so the host sees it end.
            close_stdin();
            loop {
                match waitpid(child, None) {
                    Err(Errno::EINTR) => {}
                    _ => std::process::exit(0),
                }
            }
        }
    }
}

fn close_stdin() {
    if let Ok(null) = File::open("/dev/null") {
        let _ = dup2_stdin(&null);
    }
}

/// Serves the host. Answers `None` when the host is gone, and in each worker its pipes, and the entrance of its control group
/// if there is one.
fn fork_on_demand() -> Option<Vec<OwnedFd>> {
    let host = std::io::stdin();
    let host = host.as_fd();
    send(host, packet(FORK, 0), &[]).ok()?;
    loop {
        let (request, pipes) = match receive(host) {
            Ok(received) => received,
            Err(Errno::EINTR) => continue,
            Err(_) => return None,
        };
        let (what, pid) = parts(request);
        let answer = match what {
            // SAFETY: this process has one thread, so the child has all of its locks in order.
            FORK if matches!(pipes.len(), 3 | 4) => match unsafe { fork() } {
                Ok(ForkResult::Child) => return Some(pipes),
                Ok(ForkResult::Parent { child }) => packet(FORK, child.as_raw()),
                Err(errno) => packet(0, errno as i32),
            },
            KILL if pid > 0 => {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
                packet(KILL, 0)
            }
            REAP if pid > 0 => reap(pid),
            _ => return None,
        };
        drop(pipes);
        send(host, answer, &[]).ok()?;
    }
}

fn reap(pid: i32) -> Packet {
    match waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG)) {
        Ok(WaitStatus::StillAlive) => packet(RUNS, 0),
        Ok(WaitStatus::Exited(_, status)) => packet(EXITED, status),
        Ok(WaitStatus::Signaled(_, signal, _)) => packet(SIGNALLED, signal as i32),
        Ok(_) | Err(_) => packet(GONE, 0),
    }
}

/// Goes into the control group, and makes the pipes the worker's standard streams; what else it has open is closed by the jail.
fn take(mut pipes: Vec<OwnedFd>, ground: &mut Ground) {
    if pipes.len() > 3
        && let Some(entrance) = pipes.pop()
        && let Err(why) = cgroup::go_into(entrance)
    {
        for wall in [Wall::CgroupMemory, Wall::CgroupPids, Wall::CgroupCpu] {
            ground.report.note(wall, Err(why.clone()));
        }
    }
    let taken = dup2_stdin(&pipes[0]).and_then(|()| dup2_stdout(&pipes[1])).and_then(|()| dup2_stderr(&pipes[2]));
    if taken.is_err() {
        std::process::exit(super::death::NO_START);
    }
}

// ---- packets

fn send(socket: impl AsFd, packet: Packet, fds: &[BorrowedFd<'_>]) -> nix::Result<()> {
    let fds: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&fds)];
    let control = if fds.is_empty() { &[] } else { &rights[..] };
    let packet = [IoSlice::new(&packet)];
    sendmsg::<()>(socket.as_fd().as_raw_fd(), &packet, control, MsgFlags::MSG_NOSIGNAL, None).map(drop)
}

fn receive(socket: impl AsFd) -> nix::Result<(Packet, Vec<OwnedFd>)> {
    let mut packet = [0; 5];
    let mut space = nix::cmsg_space!([RawFd; 4]);
    let mut parts = [IoSliceMut::new(&mut packet)];
    let received = recvmsg::<()>(socket.as_fd().as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)?;
    let mut fds = Vec::new();
    for message in received.cmsgs()? {
        if let ControlMessageOwned::ScmRights(received) = message {
            // SAFETY: the kernel has just made these for this process, and nobody else knows of them.
            fds.extend(received.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    }
    if received.bytes == 5 { Ok((packet, fds)) } else { Err(Errno::ECONNRESET) }
}
