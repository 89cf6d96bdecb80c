//! Why a file operation failed, and the exception that a script sees.

use crate::host::failure::{ExceptionType, Raise};

/// What the script may know of it: nothing of the host's own paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    NotFound,
    Exists,
    IsFolder,
    NotFolder,
    NotEmpty,
    NameTooLong,
    ReadOnly,
    /// Refused, for this reason.
    Denied(&'static str),
    /// A budget of the mount: this many are allowed.
    TooManyBytes(u64),
    TooManyFiles(u64),
    /// Not what the operation takes.
    Value(&'static str),
    /// Anything else that the system says, without its words.
    System,
}

impl Failure {
    /// As Python words it.
    pub(super) fn raise(&self, path: &str) -> Raise {
        use ExceptionType as E;
        let mut end = path.len().min(200);
        while !path.is_char_boundary(end) {
            end -= 1;
        }
        let path = &path[..end];
        let (exception, message) = match self {
            Failure::NotFound => (E::FileNotFoundError, format!("[Errno 2] No such file or directory: '{path}'")),
            Failure::Exists => (E::FileExistsError, format!("[Errno 17] File exists: '{path}'")),
            Failure::IsFolder => (E::OSError, format!("[Errno 21] Is a directory: '{path}'")),
            Failure::NotFolder => (E::OSError, format!("[Errno 20] Not a directory: '{path}'")),
            Failure::NotEmpty => (E::OSError, format!("[Errno 39] Directory not empty: '{path}'")),
            Failure::NameTooLong => (E::OSError, "[Errno 36] File name too long".to_owned()),
            Failure::ReadOnly => (E::PermissionError, format!("[Errno 30] Read-only file system: '{path}'")),
            Failure::Denied(why) => (E::PermissionError, format!("[Errno 13] Permission denied: '{path}': {why}")),
            Failure::TooManyBytes(most) => {
                (E::OSError, format!("[Errno 122] Disk quota exceeded: '{path}': {most} bytes may be written here"))
            }
            Failure::TooManyFiles(most) => {
                (E::OSError, format!("[Errno 122] Disk quota exceeded: '{path}': {most} files may be made here"))
            }
            Failure::Value(why) => (E::ValueError, (*why).to_owned()),
            Failure::System => (E::OSError, format!("[Errno 5] Input/output error: '{path}'")),
        };
        Raise::new(exception, message)
    }
}
