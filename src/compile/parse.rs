//! From text to the tree that is compiled: limits, one parse, validation.

use super::limits::{self, SourceLimits, text::Refused};
use super::validate::{self, Grant};
use super::violation::{Violation, position};
use crate::error::{Error, SyntaxError};
use rustpython_ast::{Mod, ModModule, PythonVersion};
use rustpython_parser::{Mode, ParseOptions, parse};
use rustpython_source_file::{SourceFile, SourceFileBuilder};
use rustpython_text_size::{Ranged, TextSize};

/// Parses a script and checks everything that can be checked before it is compiled.
///
/// `grants` says which modules the policy grants; without it the validator is skipped, and only the limits hold.
///
/// The tree that comes back is the very tree that was validated: compile it as it is. No input panics or needs more than
/// a small stack.
pub(crate) fn parse_checked(
    source: &str,
    name: &str,
    limits: &SourceLimits,
    grants: Option<&dyn Fn(&str) -> Grant>,
) -> Result<(Mod, SourceFile), Error> {
    let file = SourceFileBuilder::new(name, source).finish();
    let rejected = |violation: Violation| Error::Rejected(violation.into_rejection(&file));
    limits::text::check(source, limits).map_err(|refused| match refused {
        Refused::Violation(violation) => rejected(violation),
        Refused::Syntax { message, at } => syntax_error(&file, message, at),
    })?;
    let options = ParseOptions::from(Mode::Module).with_target_version(PythonVersion::PY314);
    let parsed =
        parse(source, options).map_err(|error| syntax_error(&file, error.error.to_string(), error.range().start()))?;
    // The parser reads newer grammar than the target has, and tells of it here. It has no meaning in this language.
    if let Some(error) = parsed.unsupported_syntax_errors().first() {
        return Err(syntax_error(&file, error.to_string(), error.range().start()));
    }
    limits::text::check_literals(source, parsed.tokens(), limits).map_err(rejected)?;
    let tree = parsed.into_syntax();
    let Mod::Module(module) = &tree else {
        return Err(syntax_error(&file, "not a module".to_owned(), TextSize::new(0)));
    };
    check_tree(source, module, limits).map_err(rejected)?;
    if let Some(grants) = grants {
        validate::check(module, grants).map_err(rejected)?;
    }
    Ok((tree, file))
}

/// The limits on the tree. The depth comes first: the others walk the tree and rely on it.
fn check_tree(source: &str, module: &ModModule, limits: &SourceLimits) -> Result<(), Violation> {
    limits::tree::check(module, limits)?;
    limits::expansion::check(module, limits)?;
    limits::folding::check(source, module, limits)?;
    limits::format::check(module, limits)
}

fn syntax_error(file: &SourceFile, message: String, at: TextSize) -> Error {
    let (line, column) = position(file, at);
    Error::Syntax(SyntaxError { message, file: file.name().to_owned(), line, column })
}
