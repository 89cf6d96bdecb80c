//! `pycage stubs`.

use crate::furnish::GivenArgs;
use crate::{print, run, status};
use clap::Args;
use std::path::PathBuf;

/// What the stubs are of, and where they go.
#[derive(Args)]
pub struct StubsArgs {
    #[command(flatten)]
    given: GivenArgs,
    /// A JSON file, bound as the global `inputs` in scripts: its type is among the stubs
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// The folder to write to, which is made
    #[arg(short, long, value_name = "DIR", default_value = "pycage-stubs")]
    output: PathBuf,
}

pub fn stubs(args: &StubsArgs) -> Result<u8, String> {
    let mut sandbox = crate::sandbox(&args.given)?;
    if let Some(file) = &args.input {
        sandbox.set("inputs", run::inputs(file)?).map_err(|error| format!("--input: {error}"))?;
    }
    let mut stubs = sandbox.stubs();
    if let Some(folder) = args.given.modules_folder() {
        // A checker is started anywhere.
        stubs = stubs.source_folder(folder.canonicalize().map_err(|error| format!("--modules: {error}"))?);
    }
    let shown = args.output.display();
    stubs.write_to(&args.output).map_err(|error| format!("{shown}: {error}"))?;
    print(&format!("{shown}: written; check a plugin with: mypy --config-file {shown}/mypy.ini plugin.py\n"));
    Ok(status::OK)
}
