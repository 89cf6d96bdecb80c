//! Any bytes as source: compiling answers in time, with code or a typed error that has a place in the source.

use super::bed;
use pycage::{Error, Sandbox};
use std::time::{Duration, Instant};

/// What compiling may take. The limits on sources keep it far below.
const PATIENCE: Duration = Duration::from_secs(2);

/// Compiles the bytes as they are.
pub fn run(bytes: &[u8]) {
    let source = bed::text(bytes);
    bed::show(&source);
    bed::patiently(PATIENCE, || {
        let sandbox = bed::sandbox(bed::small());
        let began = Instant::now();
        let compiled = sandbox.compile("fuzz.py", &source);
        match &compiled {
            Ok(script) => {
                // What the validator lets through, the run ring must have nothing to refuse in.
                let listing = sandbox.disassemble(script);
                let listing = listing.unwrap_or_else(|error| panic!("cannot be instrumented: {error}\n{source}"));
                if let Some(denied) = listing.lines().find(|line| line.contains("(deny ")) {
                    panic!("valid, and denied at run time: {denied}\n{source}");
                }
            }
            Err(Error::Stuck(_)) => return Err(format!("compiling did not end\n{source}")),
            Err(error) => check_place(error, &source),
        }
        compile_unvalidated(&sandbox, &source);
        let took = began.elapsed();
        if took > PATIENCE { Err(format!("compiling took {took:?}\n{source}")) } else { Ok(()) }
    });
}

fn compile_unvalidated(sandbox: &Sandbox, source: &str) {
    match sandbox.compile_unvalidated("fuzz.py", source) {
        Ok(script) => {
            if let Err(error) = sandbox.disassemble(&script) {
                panic!("cannot be instrumented: {error}\n{source}");
            }
        }
        // Its time is looked at by the caller.
        Err(Error::Stuck(_)) => {}
        Err(error) => check_place(&error, source),
    }
}

fn check_place(error: &Error, source: &str) {
    bed::expect_typed(error, source);
    let (line, column) = match error {
        Error::Syntax(error) => (error.line, error.column),
        Error::Rejected(rejection) => {
            assert!(!rejection.rule.is_empty() && !rejection.advice.is_empty(), "{rejection:?}\n{source}");
            (rejection.line, rejection.column)
        }
        other => panic!("compiling came to {other:?}\n{source}"),
    };
    // A line may end in any of three ways, and the last one may have no end.
    let lines = source.chars().filter(|char| matches!(char, '\n' | '\r')).count() + 1;
    assert!((1..=lines as u32 + 1).contains(&line) && column >= 1, "line {line}, column {column}: {error}\n{source}");
}
