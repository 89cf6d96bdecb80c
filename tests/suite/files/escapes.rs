//! Paths that try to leave a mount: a table of them, in every ring, with the validator and without.

use super::folder;
use crate::support::assert_none;
use crate::support::table::CaseTable;
use pycage::{Budget, MemoryFiles, Mount, Runner, Sandbox, SandboxBuilder, Value};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a file outside of the mount holds, and part of the names outside.
const SECRET: &str = "S3CRET";

/// The ways in which a path is read: each must raise.
const READS: [&str; 6] = [
    "open(p).read()",
    "open(p, 'rb').read()",
    "open(p, 'r+').read()",
    "list(open(p))",
    "Path(p).read_text()",
    "Path(p).read_bytes()",
];

/// The ways in which it is changed or looked at: what they answer must hold no secret, and they change nothing outside.
const OTHERS: [&str; 16] = [
    "open(p, 'w').write('REACHED')",
    "open(p, 'a').write('REACHED')",
    "open(p, 'x').write('REACHED')",
    "open(p, 'r+').write('REACHED')",
    "open(p, 'w+b').truncate(3)",
    "Path(p).write_text('REACHED')",
    "[str(x) for x in Path(p).iterdir()]",
    "[x.read_text() for x in Path(p).glob('*') if x.is_file()]",
    "[str(x) for x in Path(p).rglob('*S3CRET*')]",
    "Path(p).mkdir(parents=True)",
    "Path(p).touch()",
    "Path(p).replace('data/stolen')",
    "Path('data/moved').write_text('REACHED') and Path('data/moved').replace(p)",
    "Path(p).unlink()",
    "Path(p).rmdir()",
    "(Path(p).exists(), Path(p).is_file(), Path(p).is_dir(), Path(p).stat())",
];

/// Lays what is to be attacked; answers the folder that is mounted.
fn lay(base: &Path) -> PathBuf {
    let (mounted, outside) = (base.join("mounted"), base.join("outside"));
    std::fs::create_dir_all(mounted.join("deep")).unwrap();
    std::fs::create_dir_all(&outside).unwrap();
    std::fs::write(outside.join("secret.txt"), SECRET).unwrap();
    std::fs::write(outside.join("S3CRET.name"), SECRET).unwrap();
    for (name, text) in [
        ("inside.txt", "inside"),
        ("größe.txt", "inside"),
        ("with space.txt", "inside"),
        (".hidden", "inside"),
        ("a..b.txt", "inside"),
        ("%2e%2e.txt", "inside"),
        ("deep/below.txt", "inside"),
    ] {
        std::fs::write(mounted.join(name), text).unwrap();
    }
    for (target, name) in [
        ("../outside/secret.txt", "link-file"),
        (outside.join("secret.txt").to_str().unwrap(), "link-absolute"),
        ("../outside", "link-folder"),
        ("link-file", "link-chain"),
        ("/proc/self/environ", "link-environ"),
        ("/", "link-root"),
        ("..", "link-parent"),
        ("../outside/new.txt", "link-new"),
        ("link-loop", "link-loop"),
        ("/dev/stdin", "link-stdin"),
        ("/proc/self/fd/0", "link-fd"),
        ("../..", "deep/link-up"),
        ("inside.txt", "link-inside"),
        (".", "link-self"),
        ("pipe", "link-pipe"),
    ] {
        symlink(target, mounted.join(name)).unwrap();
    }
    make_pipe(&mounted.join("pipe")).unwrap();
    // The listener may go: its socket stays. Its path has an end of some hundred bytes.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let here = std::env::temp_dir().join(format!("pycage-{}-{next}", std::process::id()));
    drop(UnixListener::bind(&here).unwrap());
    if std::fs::rename(&here, mounted.join("socket")).is_err() {
        let _ = std::fs::remove_file(&here);
        println!("the socket could not be moved into the folder: that attempt is of a name that is not there");
    }
    for device in ["device", "deep/device"] {
        // The device of /dev/null.
        if make_node(&mounted.join(device), libc::S_IFCHR, libc::makedev(1, 3)).is_err() {
            println!("no device could be made (that takes root): that attempt is of a name that is not there");
        }
    }
    mounted
}

fn make_pipe(path: &Path) -> std::io::Result<()> {
    let path = std::ffi::CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: the path is a C string that lives through the call.
    if unsafe { libc::mkfifo(path.as_ptr(), 0o666) } == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

fn make_node(path: &Path, kind: libc::mode_t, device: libc::dev_t) -> std::io::Result<()> {
    let path = std::ffi::CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: the path is a C string that lives through the call.
    if unsafe { libc::mknod(path.as_ptr(), kind | 0o666, device) } == 0 {
        Ok(())
    } else {
        Err(std::io::Error::last_os_error())
    }
}

/// All that lies outside, by name and contents.
fn outside(base: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for folder in [base.to_owned(), base.join("outside")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let contents =
                if entry.file_type().unwrap().is_file() { std::fs::read(entry.path()).unwrap() } else { Vec::new() };
            found.push((name, contents));
        }
    }
    found.sort();
    found
}

fn program(path: &str) -> String {
    let lambdas = |ways: &[&str]| ways.iter().map(|way| format!("lambda: {way},\n")).collect::<String>();
    format!(
        "from pathlib import Path
def attempt(f):
    try:
        return repr(f())
    except Exception as error:
        return 'RAISED ' + repr(error)
p = {path}
reads = [attempt(f) for f in [{}]]
others = [attempt(f) for f in [{}]]
(reads, others)",
        lambdas(&READS),
        lambdas(&OTHERS)
    )
}

/// Runs every attempt with one kind of mount; answers how many attempts there were.
fn attack(kind: &str, build: &dyn Fn() -> SandboxBuilder, unvalidated: bool) -> usize {
    let base = folder(&format!("escapes-{kind}-{unvalidated}"));
    let table = CaseTable::read("files/escapes.toml");
    let mut wrong = Vec::new();
    let mut count = 0;
    let changes = MemoryFiles::new();
    let budget = Budget::default().timeout(Duration::from_secs(20));
    for (index, case) in table.entries("attempt", &["technique"]).iter().enumerate() {
        // Laid anew, as what lies inside may be taken away.
        let base = base.join(index.to_string());
        let mounted = lay(&base);
        let before = outside(&base);
        let mount = match kind {
            "read-only" => Mount::folder(&mounted),
            "writable" => Mount::writable_folder(&mounted),
            _ => Mount::overlay(&mounted, &changes),
        };
        let mut sandbox = build().mount("data", mount.unwrap()).build().unwrap();
        let path = case.source.replace("HOST", base.to_str().unwrap());
        let source = program(&path);
        let came = if unvalidated {
            let script = sandbox.compile_unvalidated("attempt.py", &source).unwrap();
            sandbox.run_with::<(Vec<String>, Vec<String>)>(&script, budget.clone())
        } else {
            sandbox.eval_with::<(Vec<String>, Vec<String>)>(&source, budget.clone())
        };
        match came {
            Ok(((reads, others), _)) => {
                count += reads.len() + others.len();
                for (way, read) in READS.iter().zip(&reads) {
                    if !read.starts_with("RAISED ") {
                        wrong.push(format!("{} ({}): {way} answered {read:.200}", case.name, case.text("technique")));
                    }
                }
                for (way, shown) in READS.iter().chain(&OTHERS).zip(reads.iter().chain(&others)) {
                    if shown.contains(SECRET) || shown.contains("root:") || shown.contains("PATH=") {
                        wrong.push(format!("{} ({}): {way} showed {shown:.200}", case.name, case.text("technique")));
                    }
                }
            }
            Err(error) => wrong.push(format!("{}: {error}", case.name)),
        }
        if outside(&base) != before {
            wrong.push(format!("{} ({}): changed what is outside", case.name, case.text("technique")));
        }
        if kind != "writable" {
            let inside = std::fs::read_to_string(mounted.join("inside.txt")).unwrap_or_default();
            if inside != "inside" || mounted.join("moved").exists() || mounted.join("stolen").exists() {
                wrong.push(format!("{} ({}): changed a folder that is not to be", case.name, case.text("technique")));
            }
        }
        drop(sandbox);
        let _ = std::fs::remove_dir_all(&base);
    }
    let mounted = lay(&base.join("controls"));
    let mut sandbox = build().mount("data", Mount::folder(&mounted).unwrap()).build().unwrap();
    for control in table.entries("control", &[]) {
        match sandbox.eval::<Value>(&format!("open({}).read()", control.source)) {
            Ok(Value::Str(text)) if text == "inside" => {}
            other => wrong.push(format!("control {}: {other:?}", control.name)),
        }
    }
    let _ = std::fs::remove_dir_all(&base);
    assert_none("file escapes not stopped", wrong);
    count
}

#[test]
fn no_path_leaves_a_mount() {
    let runner = Runner::new().unwrap();
    let mut count = 0;
    for kind in ["read-only", "writable", "overlay"] {
        count += attack(kind, &|| Sandbox::builder().runner(&runner), false);
    }
    println!("{count} attempts");
    assert!(count >= 3 * 100 * 22, "{count} attempts");
}

#[test]
fn no_path_leaves_a_mount_without_the_validator() {
    let runner = Runner::new().unwrap();
    attack("writable", &|| Sandbox::builder().runner(&runner), true);
}

#[test]
fn no_path_leaves_a_mount_from_a_worker() {
    let pool = crate::process::pool();
    attack("writable", &|| Sandbox::builder().pool(&pool), false);
}

/// What is on another file system is not there, also where the host mounts a folder that others are mounted in.
#[cfg(target_os = "linux")]
#[test]
fn other_file_systems_are_refused() {
    let mut sandbox = Sandbox::builder().mount("all", Mount::folder("/").unwrap()).build().unwrap();
    for path in ["all/proc/self/environ", "all/proc/version", "all/sys/kernel", "all/dev/null", "all/proc"] {
        let source =
            format!("try: open('{path}').read()\nexcept OSError as error: found = repr(error).split('(')[0]\nfound");
        let came: String = sandbox.eval(&source).unwrap();
        assert!(["PermissionError", "FileNotFoundError"].contains(&came.as_str()), "{path}: {came}");
    }
}

#[test]
fn files_with_several_names_are_not_written_to() {
    let base = folder("hard");
    let mounted = lay(&base);
    std::fs::hard_link(base.join("outside/secret.txt"), mounted.join("hard")).unwrap();
    let mut sandbox = Sandbox::builder().mount("data", Mount::writable_folder(&mounted).unwrap()).build().unwrap();
    for way in ["open('data/hard', 'w')", "open('data/hard', 'a').write('x')", "open('data/hard', 'r+').truncate(0)"] {
        let error = sandbox.exec(way).unwrap_err().to_string();
        assert!(error.contains("PermissionError"), "{way}: {error}");
    }
    assert_eq!(std::fs::read_to_string(base.join("outside/secret.txt")).unwrap(), SECRET);
    sandbox.exec("open('data/inside.txt', 'w').write('x')").unwrap();
    let _ = std::fs::remove_dir_all(&base);
}
