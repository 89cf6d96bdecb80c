//! Ordinary plugin programs print what CPython prints: the rings and the meters take nothing from them.

use crate::support::assert_none;
use crate::support::table::CaseTable;
use pycage::{Runner, Sandbox};

/// All on one runner: a program finds nothing of the others.
#[test]
fn ordinary_programs_print_what_python_prints() {
    let runner = Runner::new().unwrap();
    let mut wrong = Vec::new();
    for table in CaseTable::read_folder("ordinary") {
        for program in table.entries("program", &["output"]) {
            let mut sandbox = Sandbox::builder().runner(&runner).build().unwrap();
            let result = sandbox
                .compile(&program.name, &program.source)
                .and_then(|script| sandbox.run::<pycage::Value>(&script));
            let output = sandbox.take_output();
            if let Err(error) = result {
                wrong.push(format!("{}: {error}", program.name));
            } else if output != program.text("output") {
                wrong.push(format!("{}: expected {:?}, printed {output:?}", program.name, program.text("output")));
            }
        }
    }
    assert_none("ordinary programs that went wrong", wrong);
}

/// The same sandbox code again gives the same bill: nothing in these programs depends on addresses or on earlier runs.
#[test]
fn ordinary_programs_cost_the_same_twice() {
    let runner = Runner::new().unwrap();
    let mut wrong = Vec::new();
    for table in CaseTable::read_folder("ordinary") {
        for program in table.entries("program", &["output"]) {
            let bill = || {
                let mut sandbox = Sandbox::builder().runner(&runner).build().unwrap();
                let script = sandbox.compile(&program.name, &program.source).ok()?;
                let budget = sandbox.budget().clone();
                let (_, usage) = sandbox.run_with::<pycage::Value>(&script, budget).ok()?;
                Some((usage.instructions, usage.native_steps, usage.output_bytes))
            };
            let (first, second) = (bill(), bill());
            if first.is_none() || first != second || first.is_some_and(|(instructions, ..)| instructions == 0) {
                wrong.push(format!("{}: {first:?}, then {second:?}", program.name));
            }
        }
    }
    assert_none("ordinary programs whose bill is not the same", wrong);
}
