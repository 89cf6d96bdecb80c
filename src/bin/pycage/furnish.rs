//! Modules and files for the scripts, as the command line names them.

use clap::Args;
use pycage::{MemoryFiles, Mount, Policy, SandboxBuilder};
use std::path::{Path, PathBuf};

/// What scripts are given.
#[derive(Args)]
pub struct GivenArgs {
    /// Grant a module (may be repeated)
    #[arg(long = "grant", value_name = "MODULE")]
    grants: Vec<String>,
    /// A folder whose files scripts can import: `import shop` finds `shop.py` in it
    #[arg(long, value_name = "DIR")]
    modules: Option<PathBuf>,
    /// Mount a folder for `open` and `pathlib`, as `NAME/...` (may be repeated). `ro`, to read alone, is the default; with
    /// `overlay` what is written is kept in memory, and is gone with the script
    #[arg(long = "mount", value_name = "NAME=DIR[:ro|rw|overlay]")]
    mounts: Vec<String>,
}

impl GivenArgs {
    pub fn policy(&self) -> Policy {
        self.grants.iter().fold(Policy::default(), |policy, module| policy.grant(module))
    }

    /// The folder whose files scripts can import.
    pub fn modules_folder(&self) -> Option<&Path> {
        self.modules.as_deref()
    }

    /// Gives a sandbox the modules and the files that are asked for.
    pub fn furnish(&self, mut builder: SandboxBuilder) -> Result<SandboxBuilder, String> {
        if let Some(folder) = &self.modules {
            builder = modules(builder, folder)?;
        }
        self.mounts.iter().try_fold(builder, |builder, folder| mount(builder, folder))
    }
}

#[cfg(unix)]
fn modules(builder: SandboxBuilder, folder: &Path) -> Result<SandboxBuilder, String> {
    let modules = pycage::FolderModules::open(folder).map_err(|error| format!("--modules: {error}"))?;
    Ok(builder.resolver(modules))
}

#[cfg(not(unix))]
fn modules(_builder: SandboxBuilder, _folder: &Path) -> Result<SandboxBuilder, String> {
    Err("--modules: folders can be used on Unix alone".to_owned())
}

/// `NAME=DIR`, with `:ro`, `:rw` or `:overlay` behind it.
fn mount(builder: SandboxBuilder, mount: &str) -> Result<SandboxBuilder, String> {
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
