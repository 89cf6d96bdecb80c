//! Control groups, version 2: below a group that was delegated to the host, each worker has a leaf with limits on it. The host
//! makes it, the worker goes into it by a descriptor that the host has opened, the host looks whether it is there, and
//! removes it when the worker is gone.

use super::Wall;
use crate::process::cgroup::Cgroup;
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};
use parking_lot::Mutex;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What the names of leaves begin with; others in the group are left alone.
const PREFIX: &str = "pycage-";

/// How long the removal of a leaf waits for what is killed in it.
const PATIENCE: Duration = Duration::from_millis(500);

/// A delegated group.
pub(crate) struct Group {
    path: PathBuf,
    usable: Result<(), String>,
    limits: Vec<Limit>,
    /// Leaves that could not be removed, as something in them was not gone yet.
    left: Mutex<Vec<PathBuf>>,
}

/// What becomes one wall.
struct Limit {
    wall: Wall,
    /// Whether the group has what it takes.
    granted: Result<(), String>,
    /// The leaf's files, and what they are to say.
    files: Vec<(&'static str, String)>,
}

impl Group {
    /// Readies a group for leaves, `memory` being the pool's. What is in the way is noted at each wall.
    pub(crate) fn open(cgroup: &Cgroup, memory: u64) -> Arc<Group> {
        let path = cgroup.path().to_owned();
        let usable = is_group(&path).and_then(|()| has_no_processes(&path));
        let limits = cgroup.walls().into_iter().map(|wall| {
            let (controller, files) = match wall {
                Wall::CgroupMemory => ("memory", vec![("memory.max", cgroup.memory_max(memory).to_string())]),
                Wall::CgroupCpu => ("cpu", vec![("cpu.max", cgroup.cpu_max())]),
                // Written when the worker has come up: it makes its tasks' stacks on threads.
                _ => ("pids", Vec::new()),
            };
            let granted = usable.clone().and_then(|()| switch_on(&path, controller));
            Limit { wall, granted, files }
        });
        let group = Group { limits: limits.collect(), path, usable, left: Mutex::default() };
        if group.usable.is_ok() {
            group.sweep();
        }
        Arc::new(group)
    }

    /// A leaf for one more worker, or what is in the way of one.
    pub(crate) fn leaf(self: &Arc<Group>) -> Leaf {
        self.left.lock().retain(|path| fs::remove_dir(path).is_err());
        let place = self.usable.clone().and_then(|()| self.make_place());
        let walls = self.limits.iter().map(|limit| {
            let raised = match &place {
                Err(why) => Err(why.clone()),
                Ok(place) => limit.granted.clone().and_then(|()| place.set(limit)),
            };
            (limit.wall, raised)
        });
        Leaf { walls: walls.collect(), place: place.ok(), group: self.clone() }
    }

    fn make_place(&self) -> Result<Place, String> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        // Another host may take a new leaf for one that was left, before it is locked: then one more.
        for _ in 0..8 {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path = self.path.join(format!("{PREFIX}{}-{number}", std::process::id()));
            match fs::create_dir(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made.map_err(|error| format!("no group can be made in {}: {error}", self.path.display()))?,
            }
            let Ok(lock) = File::open(&path) else { continue };
            if lock.lock().is_ok() && path.exists() {
                return Ok(Place { path, _lock: lock });
            }
        }
        Err(format!("no group stays in {}", self.path.display()))
    }

    /// Removes the leaves of hosts that are gone: nobody holds their lock.
    fn sweep(&self) {
        for entry in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
            if ours && File::open(entry.path()).is_ok_and(|folder| folder.try_lock().is_ok()) {
                // One that something is still in stays.
                let _ = fs::remove_dir(entry.path());
            }
        }
    }
}

/// A worker's group. Removed, with all that is in it, when it is dropped.
pub(crate) struct Leaf {
    group: Arc<Group>,
    place: Option<Place>,
    walls: Vec<(Wall, Result<(), String>)>,
}

/// A leaf's folder, locked as long as its host is there.
struct Place {
    path: PathBuf,
    _lock: File,
}

impl Leaf {
    /// What a process has to write "0" to in order to go into it. With this process's rights, whoever writes.
    pub(crate) fn entrance(&self) -> Option<File> {
        let file = self.place.as_ref()?.path.join("cgroup.procs");
        File::options().write(true).open(file).ok()
    }

    /// To be called when the worker has come up: shuts the leaf, and tells which walls it is.
    pub(crate) fn shut(&self) -> Vec<(Wall, Result<(), String>)> {
        let inside = match &self.place {
            Some(place) if place.is_empty() => Err("the worker did not get into its control group".to_owned()),
            _ => Ok(()),
        };
        let shut = |wall, raised: &Result<(), String>| {
            raised.clone()?;
            inside.clone()?;
            match &self.place {
                // The worker itself.
                Some(place) if wall == Wall::CgroupPids => place.write("pids.max", "1"),
                _ => Ok(()),
            }
        };
        self.walls.iter().map(|(wall, raised)| (*wall, shut(*wall, raised))).collect()
    }

    /// Kills all that is in it, where the kernel has that (Linux 5.14).
    pub(crate) fn kill(&self) {
        if let Some(place) = &self.place {
            place.kill();
        }
    }

    /// Which of its limits killed something in it.
    pub(crate) fn has_killed(&self) -> Option<Wall> {
        let events = fs::read_to_string(self.place.as_ref()?.path.join("memory.events")).ok()?;
        let kills = events.lines().find_map(|line| line.strip_prefix("oom_kill "));
        kills.is_some_and(|kills| kills.trim() != "0").then_some(Wall::CgroupMemory)
    }
}

impl Drop for Leaf {
    fn drop(&mut self) {
        let Some(place) = self.place.take() else { return };
        let deadline = Instant::now() + PATIENCE;
        while fs::remove_dir(&place.path).is_err_and(|error| error.kind() != io::ErrorKind::NotFound) {
            place.kill();
            if Instant::now() >= deadline {
                self.group.left.lock().push(place.path.clone());
                return;
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }
}

impl Place {
    fn set(&self, limit: &Limit) -> Result<(), String> {
        limit.files.iter().try_for_each(|(file, text)| self.write(file, text))?;
        if limit.wall == Wall::CgroupMemory {
            // All of a worker or nothing of it; it has one process, so an older kernel does the same.
            let _ = self.write("memory.oom.group", "1");
            match self.write("memory.swap.max", "0") {
                Err(why) if swaps() => return Err(why),
                _ => {}
            }
        }
        Ok(())
    }

    fn write(&self, file: &str, text: &str) -> Result<(), String> {
        let written =
            File::options().write(true).open(self.path.join(file)).and_then(|mut f| f.write_all(text.as_bytes()));
        written.map_err(|error| format!("{file} cannot be set to {text}: {error}"))
    }

    fn is_empty(&self) -> bool {
        fs::read(self.path.join("cgroup.procs")).map_or(true, |processes| processes.is_empty())
    }

    fn kill(&self) {
        // An older kernel has no such file: then the worker's own end is what empties it.
        let _ = self.write("cgroup.kill", "1");
    }
}

/// Goes into the group of a leaf's [entrance](Leaf::entrance).
pub(crate) fn go_into(entrance: impl Into<File>) -> Result<(), String> {
    entrance.into().write_all(b"0").map_err(|error| {
        format!(
            "the worker could not go into its control group: {error}; the host must be allowed to write to cgroup.procs of \
             the group that its own and the delegated one are in"
        )
    })
}

fn is_group(path: &Path) -> Result<(), String> {
    match statfs(path) {
        Ok(stat) if stat.filesystem_type() == CGROUP2_SUPER_MAGIC => Ok(()),
        Ok(_) => Err(format!("{} is no control group of version 2", path.display())),
        Err(error) => Err(format!("the control group {}: {error}", path.display())),
    }
}

/// Where a group has some, what is below it can have no limit on memory, and once other controllers are switched on no process.
fn has_no_processes(path: &Path) -> Result<(), String> {
    // The top of all is an exception. It alone has no type.
    let top = !path.join("cgroup.type").exists();
    match fs::read(path.join("cgroup.procs")) {
        Ok(processes) if top || processes.is_empty() => Ok(()),
        Ok(_) => Err(format!(
            "the control group {} has processes of its own; a group without is needed (systemd: DelegateSubgroup=)",
            path.display()
        )),
        Err(error) => Err(format!("the control group {}: {error}", path.display())),
    }
}

/// Has a controller at work in what is below the group.
fn switch_on(path: &Path, controller: &str) -> Result<(), String> {
    let there = fs::read_to_string(path.join("cgroup.controllers")).map_err(|error| error.to_string())?;
    if !there.split_whitespace().any(|name| name == controller) {
        return Err(format!(
            "the control group {} has no controller {controller}: it was not delegated, or version 1 has it",
            path.display()
        ));
    }
    let control = path.join("cgroup.subtree_control");
    // In one piece: the kernel takes each write for a whole request.
    let request = format!("+{controller}");
    let on = File::options().write(true).open(control).and_then(|mut file| file.write_all(request.as_bytes()));
    on.map_err(|error| format!("the controller {controller} of {} cannot be switched on: {error}", path.display()))
}

/// Whether memory can go to a disk here.
fn swaps() -> bool {
    fs::read_to_string("/proc/swaps").is_ok_and(|swaps| swaps.lines().count() > 1)
}
