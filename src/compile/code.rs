//! From the validated tree to a code object.

use super::violation::{Violation, position};
use crate::error::{Error, SyntaxError};
use rustpython_ast::Mod;
use rustpython_codegen::compile::{CompileOpts, compile_top};
use rustpython_codegen::error::CodegenError;
use rustpython_compiler_core::Mode;
use rustpython_compiler_core::bytecode::CodeObject;
use rustpython_source_file::SourceFile;
use rustpython_text_size::TextSize;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Compiles the tree that [`parse_checked`](super::parse::parse_checked) gave, as it is.
///
/// The compiler panics on some wrong programs where overflow is checked, as in a development build: `break` outside a
/// loop, in a function, in a `with`. It works on its own data alone, all of which is dropped, so the panic ends here.
pub(crate) fn compile_checked(
    tree: Mod,
    file: SourceFile,
    mode: Mode,
    options: CompileOpts,
) -> Result<CodeObject, Error> {
    // A clone shares the text.
    let source = file.clone();
    match catch_unwind(AssertUnwindSafe(|| compile_top(tree, source, mode, options))) {
        Ok(compiled) => compiled.map_err(|error| syntax_error(&file, &error)),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            let message = format!("the compiler gave up: {}", text.unwrap_or("no reason given"));
            let advice = "the script is probably wrong Python, such as a break outside a loop";
            Err(Error::Rejected(
                Violation::new(COMPILER_PANIC, message, advice, TextSize::new(0)).into_rejection(&file),
            ))
        }
    }
}

pub(crate) const COMPILER_PANIC: &str = "compiler-panic";

/// The compiler counts columns in bytes.
fn syntax_error(file: &SourceFile, error: &CodegenError) -> Error {
    let (line, column) = error.location.map_or((1, 1), |location| {
        let start = file.to_source_code().line_start(location.line);
        let bytes = u32::try_from(location.character_offset.to_zero_indexed()).unwrap_or(u32::MAX);
        position(file, TextSize::new(start.to_u32().saturating_add(bytes)))
    });
    Error::Syntax(SyntaxError { message: error.error.to_string(), file: file.name().to_owned(), line, column })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::limits::SourceLimits;
    use crate::compile::parse::parse_checked;
    use crate::compile::validate::Grant;

    fn compile(source: &str) -> Result<CodeObject, Error> {
        let (tree, file) = parse_checked(source, "test.py", &SourceLimits::default(), Some(&|_| Grant::Granted))?;
        compile_checked(tree, file, Mode::Exec, CompileOpts::default())
    }

    #[test]
    fn what_the_compiler_finds_is_a_syntax_error_with_a_place() {
        for (source, line, column) in [
            ("x = 1\nbreak", 2, 1),
            ("'é'; return 1", 1, 6),
            ("def f():\n  await x", 2, 3),
            ("def f(a, a): pass", 1, 10),
            ("def f():\n  x = 1\n  global x", 3, 3),
        ] {
            match compile(source) {
                Err(Error::Syntax(error)) => {
                    assert_eq!((error.line, error.column), (line, column), "{source:?}: {error}")
                }
                other => panic!("{source:?}: {other:?}"),
            }
        }
        assert!(compile("x = 1").is_ok());
    }

    #[test]
    fn a_panic_of_the_compiler_is_an_error() {
        let refused = compile("with a:\n def f():\n  break\n");
        assert!(matches!(refused, Err(Error::Rejected(_) | Error::Syntax(_))), "{refused:?}");
    }
}
