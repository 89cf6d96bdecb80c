//! Names that come to mean another thing while a script uses them.

use super::folder;
use pycage::{Budget, Mount, Sandbox};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Does something over and over while a script runs.
struct Meanwhile {
    stop: Arc<AtomicBool>,
    turns: Arc<AtomicU64>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Meanwhile {
    fn begin(mut turn: impl FnMut() + Send + 'static) -> Self {
        let (stop, turns) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, count) = (stop.clone(), turns.clone());
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                turn();
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Meanwhile { stop, turns, thread: Some(thread) }
    }

    fn end(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        self.turns.load(Ordering::Relaxed)
    }
}

fn lay(name: &str) -> (PathBuf, PathBuf) {
    let base = folder(name);
    let (mounted, outside) = (base.join("mounted"), base.join("outside"));
    std::fs::create_dir_all(&outside).unwrap();
    std::fs::create_dir_all(mounted.join("real")).unwrap();
    std::fs::write(outside.join("file.txt"), "S3CRET").unwrap();
    std::fs::write(mounted.join("real/file.txt"), "inside").unwrap();
    (mounted, outside)
}

/// Puts what `make` makes in the place of a name, at once.
fn swap(path: &Path, make: impl FnOnce(&Path)) {
    let beside = path.with_extension("next");
    let _ = std::fs::remove_file(&beside);
    make(&beside);
    // A folder is not replaced by a link at once: out of the way first.
    if std::fs::rename(&beside, path).is_err() {
        let _ = std::fs::rename(path, path.with_extension("last"));
        let _ = std::fs::rename(&beside, path);
        let _ = std::fs::remove_dir_all(path.with_extension("last"));
    }
}

fn budget() -> Budget {
    Budget::default().timeout(Duration::from_secs(60)).instructions(u64::MAX)
}

const READER: &str = "
def race(path, turns):
    seen = {}
    for i in range(turns):
        try:
            got = open(path).read()
        except OSError as error:
            got = repr(error).split('(')[0]
        seen[got] = seen.get(got, 0) + 1
    return sorted(seen)
";

/// Runs the race until both sides of it were seen, or long enough.
fn read_until(sandbox: &mut Sandbox, path: &str, wanted: &[&str]) -> Vec<String> {
    sandbox.exec(READER).unwrap();
    let mut seen: Vec<String> = Vec::new();
    for _ in 0..60 {
        let more: (Vec<String>, _) = sandbox.call_with("race", (path, 2000), budget()).unwrap();
        seen.extend(more.0);
        seen.sort();
        seen.dedup();
        assert!(!seen.iter().any(|got| got.contains("S3CRET")), "{seen:?}");
        if wanted.iter().all(|one| seen.iter().any(|got| got == one)) {
            break;
        }
    }
    seen
}

#[test]
fn a_folder_that_becomes_a_link() {
    let (mounted, outside) = lay("race-folder");
    let (path, real) = (mounted.join("turns"), mounted.join("real/file.txt"));
    let meanwhile = Meanwhile::begin(move || {
        swap(&path, |path| {
            std::fs::create_dir(path).unwrap();
            std::fs::copy(&real, path.join("file.txt")).unwrap();
        });
        swap(&path, |path| symlink(&outside, path).unwrap());
    });
    let mut sandbox = Sandbox::builder().mount("data", Mount::folder(&mounted).unwrap()).build().unwrap();
    let seen = read_until(&mut sandbox, "data/turns/file.txt", &["inside", "PermissionError"]);
    let turns = meanwhile.end();
    println!("{turns} turns, seen {seen:?}");
    assert!(turns > 0 && seen.iter().any(|got| got == "PermissionError"), "{seen:?}");
}

#[test]
fn a_file_that_becomes_a_link() {
    let (mounted, outside) = lay("race-file");
    let (path, secret) = (mounted.join("turns"), outside.join("file.txt"));
    let meanwhile = Meanwhile::begin(move || {
        swap(&path, |path| std::fs::write(path, "inside").unwrap());
        swap(&path, |path| symlink(&secret, path).unwrap());
    });
    let mut sandbox = Sandbox::builder().mount("data", Mount::folder(&mounted).unwrap()).build().unwrap();
    let seen = read_until(&mut sandbox, "data/turns", &["inside", "PermissionError"]);
    let turns = meanwhile.end();
    println!("{turns} turns, seen {seen:?}");
    assert!(turns > 0 && seen.iter().any(|got| got == "inside"), "{seen:?}");
}

#[test]
fn a_file_that_becomes_a_pipe_holds_nobody_up() {
    let (mounted, _) = lay("race-pipe");
    let path = mounted.join("turns");
    let meanwhile = Meanwhile::begin(move || {
        swap(&path, |path| std::fs::write(path, "inside").unwrap());
        swap(&path, |path| {
            let path = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
            // SAFETY: the path is a C string that lives through the call.
            assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o666) }, 0);
        });
    });
    let mut sandbox = Sandbox::builder().mount("data", Mount::folder(&mounted).unwrap()).build().unwrap();
    let seen = read_until(&mut sandbox, "data/turns", &["inside", "PermissionError"]);
    assert!(meanwhile.end() > 0 && seen.iter().any(|got| got == "inside"), "{seen:?}");
}

#[test]
fn writes_do_not_follow_a_link_that_was_a_file() {
    let (mounted, outside) = lay("race-write");
    let (path, target, new) = (mounted.join("turns"), outside.join("file.txt"), outside.join("new.txt"));
    let meanwhile = Meanwhile::begin(move || {
        swap(&path, |path| std::fs::write(path, "inside").unwrap());
        swap(&path, |path| symlink(&target, path).unwrap());
        let _ = std::fs::remove_file(&path);
        swap(&path, |path| symlink(&new, path).unwrap());
    });
    let mount = Mount::writable_folder(&mounted).unwrap();
    let mut sandbox = Sandbox::builder().mount("data", mount).build().unwrap();
    let source = "
def race(turns):
    done = 0
    for i in range(turns):
        for mode in ('w', 'a', 'x', 'r+'):
            try:
                open('data/turns', mode).write('REACHED')
                done += 1
            except OSError: pass
    return done
";
    sandbox.exec(source).unwrap();
    let mut done = 0;
    for _ in 0..20 {
        done += sandbox.call_with::<i64>("race", (500,), budget()).unwrap().0;
    }
    let turns = meanwhile.end();
    println!("{turns} turns, {done} writes");
    assert!(turns > 0 && done > 0);
    assert_eq!(std::fs::read_to_string(outside.join("file.txt")).unwrap(), "S3CRET");
    assert!(!outside.join("new.txt").exists());
}

/// A mount is the folder that it was when it was opened.
#[test]
fn a_mount_whose_path_comes_to_mean_another_folder() {
    let (mounted, outside) = lay("race-root");
    let mut sandbox = Sandbox::builder().mount("data", Mount::folder(&mounted).unwrap()).build().unwrap();
    std::fs::rename(&mounted, mounted.with_extension("moved")).unwrap();
    symlink(&outside, &mounted).unwrap();
    assert!(sandbox.eval::<String>("open('data/file.txt').read()").is_err());
    assert_eq!(sandbox.eval::<String>("open('data/real/file.txt').read()").unwrap(), "inside");
}
