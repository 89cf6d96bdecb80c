//! Native code of an attacker who has taken a worker over, for the tests of the jail: each function tries one thing, by
//! the shortest way there is, and says what came of it. Where the jail holds it does not come to that.

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use std::io::Write;

/// Does what the attack of that name does.
pub(super) fn run(name: &str) -> String {
    match name {
        "open" => said(std::fs::File::open("/etc/passwd")),
        "create" => said(std::fs::File::create("/tmp/pycage-was-here")),
        "list" => said(std::fs::read_dir("/")),
        "socket" => said(std::net::UdpSocket::bind("127.0.0.1:0")),
        "connect" => said(std::net::TcpStream::connect("127.0.0.1:1")),
        "unix-socket" => said(std::os::unix::net::UnixStream::pair()),
        "fork" => fork(),
        "thread" => said(std::thread::Builder::new().spawn(|| ())),
        "exec" => exec(),
        "ptrace" => raw(libc::SYS_ptrace, [16, parent(), 0, 0]),
        "read-memory" => raw(libc::SYS_process_vm_readv, [parent(), 0, 0, 0]),
        "kill-parent" => said(nix::sys::signal::kill(Pid::from_raw(1), Signal::SIGTERM)),
        "kill-all" => raw(libc::SYS_kill, [-1, 15, 0, 0]),
        "write-descriptor" => write_descriptor(),
        "read-descriptor" => raw(libc::SYS_read, [3, 0, 0, 0]),
        "executable-memory" => executable_memory(),
        "raise-limit" => raw(libc::SYS_prlimit64, [0, libc::RLIMIT_AS as i64, 0, 0]),
        "namespace" => raw(libc::SYS_unshare, [i64::from(libc::CLONE_NEWUSER), 0, 0, 0]),
        "mount" => raw(libc::SYS_mount, [0, 0, 0, 0]),
        "io-uring" => raw(libc::SYS_io_uring_setup, [1, 0, 0, 0]),
        "bpf" => raw(libc::SYS_bpf, [0, 0, 0, 0]),
        "keyctl" => raw(libc::SYS_keyctl, [0, 0, 0, 0]),
        "other-abi" => other_abi(),
        "allocate" => allocate(),
        "overflow-stack" => format!("{}", deeper(0)),
        "spin" => loop {
            std::hint::spin_loop();
        },
        "crash" => crash(),
        "abort" => std::process::abort(),
        "exit" => std::process::exit(7),
        "panic" => panic!("an attack"),
        "close-output" => raw(libc::SYS_close, [1, 0, 0, 0]),
        "garbage" => send(b"\xff\xff\xff\xff\x02 not a frame"),
        "huge-frame" => send(&[0xff, 0xff, 0xff, 0x7f, 2]),
        "unknown-kind" => send(&[1, 0, 0, 0, 99]),
        "out-of-order" => send(&[1, 0, 0, 0, 6]),
        "wrong-function" => send(&[3, 0, 0, 0, 3, 77, 0]),
        "half-frame" => {
            let _ = nix::unistd::write(std::io::stdout(), &[200, 0, 0, 0, 2, 1, 2, 3]);
            std::process::exit(0)
        }
        "flood" => flood(),
        "flood-stderr" => flood_stderr(),
        other => format!("there is no attack named {other}"),
    }
}

fn said<T, E: std::fmt::Display>(result: Result<T, E>) -> String {
    match result {
        Ok(_) => "it worked".to_owned(),
        Err(error) => format!("refused: {error}"),
    }
}

fn parent() -> i64 {
    // SAFETY: it asks for a number.
    i64::from(unsafe { libc::getppid() })
}

fn raw(number: libc::c_long, args: [i64; 4]) -> String {
    // SAFETY: what it asks for would be refused for its null pointers, if it were not refused before.
    let result = unsafe { libc::syscall(number, args[0], args[1], args[2], args[3]) };
    if result < 0 { format!("refused: {}", std::io::Error::last_os_error()) } else { "it worked".to_owned() }
}

fn fork() -> String {
    // SAFETY: a worker has one thread; the child, if there were one, ends at once.
    match unsafe { libc::fork() } {
        0 => std::process::exit(0),
        -1 => format!("refused: {}", std::io::Error::last_os_error()),
        _ => "it worked".to_owned(),
    }
}

fn exec() -> String {
    let program = c"/bin/true";
    let argv = [program.as_ptr(), std::ptr::null()];
    let envp = [std::ptr::null()];
    // SAFETY: the arguments are arrays that end in null, of strings that end in zero.
    unsafe { libc::execve(program.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
    format!("refused: {}", std::io::Error::last_os_error())
}

fn write_descriptor() -> String {
    let byte = [0u8];
    // SAFETY: it writes one byte from a buffer that has one.
    let written = unsafe { libc::write(3, byte.as_ptr().cast(), 1) };
    if written < 0 { format!("refused: {}", std::io::Error::last_os_error()) } else { "it worked".to_owned() }
}

fn executable_memory() -> String {
    // SAFETY: a new mapping, at an address that the kernel chooses.
    let mapped = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            4096,
            libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if mapped == libc::MAP_FAILED {
        format!("refused: {}", std::io::Error::last_os_error())
    } else {
        "it worked".to_owned()
    }
}

/// The system calls of 32-bit programs have other numbers: 5 is `open` there.
#[cfg(target_arch = "x86_64")]
fn other_abi() -> String {
    let mut result: u64 = 5;
    // SAFETY: the kernel takes the call or ends the process; registers it changes are named.
    unsafe {
        std::arch::asm!("int 0x80", inout("rax") result, in("rcx") 0u64, in("rdx") 0u64,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _)
    };
    if (result as i32) < 0 { format!("refused: error {}", -(result as i32)) } else { "it worked".to_owned() }
}

#[cfg(not(target_arch = "x86_64"))]
fn other_abi() -> String {
    raw(libc::SYS_unshare, [0; 4])
}

fn allocate() -> String {
    let mut held: Vec<Vec<u8>> = Vec::new();
    for _ in 0..4096 {
        // Written to, so that it is really there.
        held.push(vec![1; 16 << 20]);
    }
    format!("it worked: {} MiB", held.len() * 16)
}

#[allow(unconditional_recursion, reason = "it is what is tried")]
fn deeper(depth: u64) -> u64 {
    let block = std::hint::black_box([depth; 512]);
    deeper(depth + 1) + block[(depth % 512) as usize]
}

fn crash() -> String {
    // SAFETY: none: a crash is what is tried.
    let byte = unsafe { std::ptr::read_volatile(std::hint::black_box(16 as *const u8)) };
    format!("it worked: {byte}")
}

/// Writes to the host as if it were a frame.
fn send(bytes: &[u8]) -> String {
    let sent = nix::unistd::write(std::io::stdout(), bytes);
    // The host ends this process for it; a host that does not would wait here.
    if sent.is_ok() {
        std::thread::sleep(std::time::Duration::from_secs(30));
    }
    said(sent)
}

fn flood() -> String {
    let frame = [1u8, 0, 0, 0, 6];
    while nix::unistd::write(std::io::stdout(), &frame).is_ok() {}
    "it worked".to_owned()
}

fn flood_stderr() -> String {
    for _ in 0..5_000 {
        let _ = std::io::stderr().write_all(b"a line of nothing in particular, over and over again\n");
    }
    "it worked".to_owned()
}
