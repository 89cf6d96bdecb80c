//! Modules and files for the scripts, as the command line names them.

use pycage::{MemoryFiles, Mount, SandboxBuilder};
use std::path::Path;

#[cfg(unix)]
pub fn modules(builder: SandboxBuilder, folder: &Path) -> Result<SandboxBuilder, String> {
    let modules = pycage::FolderModules::open(folder).map_err(|error| format!("--modules: {error}"))?;
    Ok(builder.resolver(modules))
}

#[cfg(not(unix))]
pub fn modules(_builder: SandboxBuilder, _folder: &Path) -> Result<SandboxBuilder, String> {
    Err("--modules: folders can be used on Unix alone".to_owned())
}

/// `NAME=DIR`, with `:ro`, `:rw` or `:overlay` behind it.
pub fn mount(builder: SandboxBuilder, mount: &str) -> Result<SandboxBuilder, String> {
    let (name, folder) =
        mount.split_once('=').ok_or_else(|| format!("--mount: expected NAME=DIR[:ro|rw|overlay], got {mount}"))?;
    let (folder, mode) = match folder.rsplit_once(':') {
        Some((folder, mode @ ("ro" | "rw" | "overlay"))) => (folder, mode),
        _ => (folder, "ro"),
    };
    let mounted = match mode {
        "rw" => Mount::writable_folder(folder),
        "overlay" => Mount::overlay(folder, &MemoryFiles::new()),
        _ => Mount::folder(folder),
    };
    Ok(builder.mount(name, mounted.map_err(|error| format!("--mount: {error}"))?))
}
