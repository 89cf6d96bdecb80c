//! Paths as scripts write them.

use super::failure::Failure;

/// Bytes of a path, of a name in it, and names in it.
const MAX_PATH: usize = 1024;
const MAX_NAME: usize = 255;
const MAX_DEPTH: usize = 32;

/// Names that Windows keeps for devices, whatever comes behind a dot.
const DEVICES: [&str; 22] = [
    "CON", "PRN", "AUX", "NUL", "COM1", "COM2", "COM3", "COM4", "COM5", "COM6", "COM7", "COM8", "COM9", "LPT1", "LPT2",
    "LPT3", "LPT4", "LPT5", "LPT6", "LPT7", "LPT8", "LPT9",
];

/// The names of a path, one below the other: none is empty, `.` or `..`, and none holds a character that a system takes for
/// more than a part of a name. So each can be handed to the system by itself.
///
/// The rules are the same on every system: a plugin that works on one works on all.
pub(super) fn names(path: &str) -> Result<Vec<&str>, Failure> {
    if path.is_empty() {
        return Err(Failure::NotFound);
    }
    if path.len() > MAX_PATH {
        return Err(Failure::NameTooLong);
    }
    let mut names = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => continue,
            ".." => return Err(Failure::Denied("'..' is not available in paths")),
            name => names.push(checked(name)?),
        }
    }
    if names.len() > MAX_DEPTH {
        return Err(Failure::NameTooLong);
    }
    Ok(names)
}

/// Whether a name that a system has told could stand in a path.
#[cfg(unix)]
pub(super) fn speakable(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains('/') && checked(name).is_ok()
}

fn checked(name: &str) -> Result<&str, Failure> {
    if name.contains('\0') {
        return Err(Failure::Value("embedded null byte"));
    }
    if name.len() > MAX_NAME {
        return Err(Failure::NameTooLong);
    }
    if name.contains(|c: char| c.is_control() || matches!(c, '\\' | ':' | '<' | '>' | '"' | '|' | '?' | '*')) {
        return Err(Failure::Denied("a name may not hold control characters or any of \\ : < > \" | ? *"));
    }
    if name.ends_with(['.', ' ']) {
        return Err(Failure::Denied("a name may not end with a dot or a space"));
    }
    let stem = name.split('.').next().unwrap_or(name).trim_end();
    if DEVICES.iter().any(|device| device.eq_ignore_ascii_case(stem)) {
        return Err(Failure::Denied("this name stands for a device"));
    }
    Ok(name)
}
