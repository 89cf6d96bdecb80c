//! A folder of the host that cannot be left.
//!
//! A path is walked one name at a time, each opened below the folder that was opened before it, and no link is followed:
//! neither on the way nor at its end. So what is reached lies below the root whatever becomes of the names meanwhile. Names
//! are checked before, none is `..`. What is no regular file or folder, and what lies on another file system (another
//! system's mounted below, `/proc`), is refused, after it was opened too.

use super::failure::Failure;
use super::path::speakable;
use super::store::{At, Entry, Store, room_for};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::{Errno, pread, pwrite};
use std::path::Path;

/// The folder, held open: it stays the same one when its path comes to mean another.
pub(crate) struct Folder {
    root: OwnedFd,
    /// The file system that it is on.
    device: u64,
}

/// No link is followed, no read waits for a writer, and nothing becomes this process's terminal.
const CAREFULLY: OFlags = OFlags::CLOEXEC.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// Of the entries that are looked at for a listing, how many may be of no use to a script for each that is.
const UNUSABLE: usize = 4;

impl Folder {
    /// Opens it. Links in the host's own path are followed.
    pub(crate) fn open(path: &Path) -> std::io::Result<Folder> {
        let root = fs::open(path, OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY, Mode::empty())?;
        let device = device(&fs::fstat(&root)?);
        Ok(Folder { root, device })
    }

    /// The folder at a path.
    fn enter(&self, path: &[&str]) -> Result<Place<'_>, Failure> {
        let mut place = Place::Root(self.root.as_fd());
        for name in path {
            let next = fs::openat(place.fd(), *name, CAREFULLY | OFlags::DIRECTORY | OFlags::RDONLY, Mode::empty());
            let next = next.map_err(|error| self.explained(error, &place, name))?;
            self.same_device(&fs::fstat(&next).map_err(told)?)?;
            place = Place::Below(next);
        }
        Ok(place)
    }

    /// The folder that a path's last name is in, and that name.
    fn parent<'p>(&self, path: &[&'p str]) -> Result<(Place<'_>, &'p str), Failure> {
        match path.split_last() {
            Some((name, folders)) => Ok((self.enter(folders)?, name)),
            None => Err(Failure::IsFolder),
        }
    }

    /// What has that name, if it is a file or a folder.
    fn look(&self, place: &Place<'_>, name: &str) -> Result<Entry, Failure> {
        let stat = fs::statat(place.fd(), name, AtFlags::SYMLINK_NOFOLLOW).map_err(told)?;
        self.judged(&stat)
    }

    fn judged(&self, stat: &Stat) -> Result<Entry, Failure> {
        let entry = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Entry::File { size: u64::try_from(stat.st_size).unwrap_or(0) },
            FileType::Directory => Entry::Folder,
            FileType::Symlink => return Err(Failure::Denied("links are not followed")),
            _ => return Err(Failure::Denied("this is no regular file")),
        };
        self.same_device(stat)?;
        Ok(entry)
    }

    fn same_device(&self, stat: &Stat) -> Result<(), Failure> {
        if device(stat) == self.device { Ok(()) } else { Err(Failure::Denied("this is on another file system")) }
    }

    /// Opens a regular file. What is there is looked at before it is opened, as opening a device may do something, and once
    /// it is open, as it may be another by then.
    fn file(&self, path: &[&str], access: OFlags) -> Result<(OwnedFd, u64), Failure> {
        let (place, name) = self.parent(path)?;
        if self.look(&place, name)? == Entry::Folder {
            return Err(Failure::IsFolder);
        }
        let file = fs::openat(place.fd(), name, CAREFULLY | access, Mode::empty());
        let file = file.map_err(|error| self.explained(error, &place, name))?;
        let stat = fs::fstat(&file).map_err(told)?;
        match self.judged(&stat)? {
            // One that has another name too may be the same as a file outside of the folder.
            _ if access != OFlags::RDONLY && stat.st_nlink > 1 => Err(Failure::Denied("this file has several names")),
            Entry::File { size } => Ok((file, size)),
            Entry::Folder => Err(Failure::IsFolder),
        }
    }

    /// The system says the same of a link and of a file in the place of a folder.
    fn explained(&self, error: Errno, place: &Place<'_>, name: &str) -> Failure {
        match error {
            Errno::NOTDIR | Errno::LOOP => match self.look(place, name) {
                Err(failure) => failure,
                Ok(_) => Failure::NotFolder,
            },
            error => told(error),
        }
    }
}

/// A folder on the way.
enum Place<'a> {
    Root(BorrowedFd<'a>),
    Below(OwnedFd),
}

impl Place<'_> {
    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Place::Root(fd) => *fd,
            Place::Below(fd) => fd.as_fd(),
        }
    }
}

impl Store for Folder {
    fn entry(&self, path: &[&str]) -> Result<Entry, Failure> {
        if path.is_empty() {
            return Ok(Entry::Folder);
        }
        let (place, name) = self.parent(path)?;
        self.look(&place, name)
    }

    fn held(&self, path: &[&str]) -> Option<u64> {
        match self.entry(path).ok()? {
            Entry::File { size } => Some(size),
            Entry::Folder => Some(0),
        }
    }

    fn list(&self, path: &[&str], most: usize) -> Result<Vec<String>, Failure> {
        let place = self.enter(path)?;
        let mut names = Vec::new();
        let mut left = most.saturating_mul(UNUSABLE);
        for entry in fs::Dir::read_from(place.fd()).map_err(told)? {
            let entry = entry.map_err(told)?;
            left = left.checked_sub(1).ok_or(Failure::Denied("there are too many entries to list"))?;
            // What cannot be named, and what cannot be used, is not there.
            let Ok(name) = entry.file_name().to_str() else { continue };
            if !speakable(name) || self.look(&place, name).is_err() {
                continue;
            }
            if names.len() == most {
                break;
            }
            names.push(name.to_owned());
        }
        Ok(names)
    }

    fn read(&self, path: &[&str], offset: u64, most: usize) -> Result<Vec<u8>, Failure> {
        let (file, size) = self.file(path, OFlags::RDONLY)?;
        let most = usize::try_from(size.saturating_sub(offset)).unwrap_or(most).min(most);
        let mut bytes = room_for(most)?;
        bytes.resize(most, 0);
        let mut filled = 0;
        while filled < most {
            match pread(&file, &mut bytes[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(Errno::INTR) => {}
                Err(error) => return Err(told(error)),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    fn create(&self, path: &[&str]) -> Result<(), Failure> {
        let (place, name) = self.parent(path)?;
        let new = CAREFULLY | OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        fs::openat(place.fd(), name, new, Mode::from_raw_mode(0o644)).map(drop).map_err(told)
    }

    fn write(&self, path: &[&str], at: At, bytes: &[u8]) -> Result<u64, Failure> {
        let (file, size) = self.file(path, OFlags::WRONLY)?;
        let start = match at {
            At::Offset(offset) => offset,
            At::End => size,
        };
        let mut written = 0;
        while written < bytes.len() {
            match pwrite(&file, &bytes[written..], start + written as u64) {
                Ok(0) => return Err(Failure::System),
                Ok(count) => written += count,
                Err(Errno::INTR) => {}
                Err(error) => return Err(told(error)),
            }
        }
        Ok(start + written as u64)
    }

    fn truncate(&self, path: &[&str], size: u64) -> Result<(), Failure> {
        let (file, _) = self.file(path, OFlags::WRONLY)?;
        fs::ftruncate(&file, size).map_err(told)
    }

    fn make_folder(&self, path: &[&str]) -> Result<(), Failure> {
        let (place, name) = self.parent(path).map_err(|failure| match failure {
            Failure::IsFolder => Failure::Exists,
            other => other,
        })?;
        fs::mkdirat(place.fd(), name, Mode::from_raw_mode(0o755)).map_err(told)
    }

    fn remove_file(&self, path: &[&str]) -> Result<(), Failure> {
        let (place, name) = self.parent(path)?;
        match self.look(&place, name)? {
            Entry::File { .. } => fs::unlinkat(place.fd(), name, AtFlags::empty()).map_err(told),
            Entry::Folder => Err(Failure::IsFolder),
        }
    }

    fn remove_folder(&self, path: &[&str]) -> Result<(), Failure> {
        let (place, name) = self.parent(path).map_err(root_stays)?;
        match self.look(&place, name)? {
            Entry::Folder => fs::unlinkat(place.fd(), name, AtFlags::REMOVEDIR).map_err(told),
            Entry::File { .. } => Err(Failure::NotFolder),
        }
    }

    fn rename(&self, from: &[&str], to: &[&str]) -> Result<(), Failure> {
        let (old, old_name) = self.parent(from).map_err(root_stays)?;
        let (new, new_name) = self.parent(to).map_err(root_stays)?;
        self.look(&old, old_name)?;
        match self.look(&new, new_name) {
            Ok(Entry::File { .. }) | Err(Failure::NotFound) => {}
            Ok(Entry::Folder) => return Err(Failure::Exists),
            Err(failure) => return Err(failure),
        }
        fs::renameat(old.fd(), old_name, new.fd(), new_name).map_err(told)
    }
}

pub(super) fn root_stays(failure: Failure) -> Failure {
    match failure {
        Failure::IsFolder => Failure::Denied("the root of a mount stays"),
        other => other,
    }
}

#[allow(clippy::unnecessary_cast, clippy::cast_sign_loss, reason = "its type differs from system to system")]
fn device(stat: &Stat) -> u64 {
    stat.st_dev as u64
}

fn told(error: Errno) -> Failure {
    match error {
        Errno::NOENT => Failure::NotFound,
        Errno::EXIST => Failure::Exists,
        Errno::ISDIR => Failure::IsFolder,
        Errno::NOTDIR => Failure::NotFolder,
        Errno::NOTEMPTY => Failure::NotEmpty,
        Errno::NAMETOOLONG => Failure::NameTooLong,
        Errno::ROFS => Failure::ReadOnly,
        Errno::LOOP => Failure::Denied("links are not followed"),
        Errno::ACCESS | Errno::PERM => Failure::Denied("the host may not do that itself"),
        Errno::INVAL => Failure::Value("a folder cannot be moved into itself"),
        _ => Failure::System,
    }
}
