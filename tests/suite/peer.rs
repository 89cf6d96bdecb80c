//! Programs that were written for another sandbox: what bare RustPython runs, pycage runs, unless a named rule forbids it.
//!
//! Nobody else's programs are kept here. This runs those of a folder, and is ignored otherwise:
//!
//! ```sh
//! python3 -m pip download --no-deps --no-binary :all: pydantic-monty-runtime && tar xzf pydantic_monty_runtime-*.tar.gz
//! PYCAGE_PEER_PROGRAMS=$(echo pydantic_monty_runtime-*/crates/monty/test_cases) \
//!     cargo test --ignore-rust-version --test suite peer::programs -- --ignored --nocapture
//! ```

use crate::support::child::{self, Ended};
use crate::support::{assert_none, in_parallel, peer_counts};
use rustpython_vm::builtins::{PyBaseExceptionRef, PyListRef};
use rustpython_vm::compiler::Mode;
use rustpython_vm::{AsObject, Interpreter, Settings, VirtualMachine};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::PathBuf;

/// Where the programs are.
const FOLDER: &str = "PYCAGE_PEER_PROGRAMS";

/// What the answer of the bare interpreter begins with, on a line that the test harness may have begun.
const MARK: &str = "BARE: ";

/// What a program came to, in the words that the two engines share.
#[derive(Debug, PartialEq, Eq)]
struct Came {
    /// The class of the exception that ended it, and what it says.
    raised: Option<(String, String)>,
    output: String,
}

#[test]
#[ignore = "it runs the programs of a folder that is not part of this repository"]
fn programs() {
    let folder = std::env::var_os(FOLDER).unwrap_or_else(|| panic!("{FOLDER} is to name a folder of programs"));
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "py"))
        .collect();
    files.sort();
    let given = names_given();
    let verdicts = in_parallel(&files, |file| verdict(&std::fs::read_to_string(file).unwrap(), &given));

    let mut counts = BTreeMap::new();
    let mut unexplained = Vec::new();
    for (file, verdict) in files.iter().zip(verdicts) {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        match &verdict {
            Verdict::Differs(how) => unexplained.push(format!("{name}: {how}")),
            Verdict::Forbidden(rule, what) => println!("{name}: {rule}: {what}"),
            Verdict::Skipped(_) | Verdict::NotBare | Verdict::Same => {}
        }
        *counts.entry(verdict.to_string()).or_insert(0) += 1;
    }
    println!("{} programs", files.len());
    for (verdict, count) in &counts {
        println!("{count:5}  {verdict}");
    }
    assert!(counts.contains_key(&Verdict::Same.to_string()), "nothing was run");
    assert_none("programs that run bare and differ in pycage", unexplained);
    // What the documentation says of this package.
    let (package, recorded) = peer_counts();
    if files[0].components().any(|part| part.as_os_str() == package.as_str()) {
        let counts: Vec<(String, String)> =
            counts.into_iter().map(|(verdict, count)| (verdict, count.to_string())).collect();
        assert_eq!(counts, recorded, "for tests/cases/breadth/peer.toml");
    }
}

enum Verdict {
    /// It needs what a bare interpreter has not.
    Skipped(&'static str),
    /// Bare RustPython does not do what the program expects.
    NotBare,
    Same,
    /// By a rule of the policy.
    Forbidden(String, String),
    Differs(String),
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Verdict::Skipped(why) => write!(f, "skipped: {why}"),
            Verdict::NotBare => write!(f, "do not run on bare RustPython"),
            Verdict::Same => write!(f, "the same"),
            Verdict::Forbidden(rule, _) => write!(f, "forbidden: {rule}"),
            Verdict::Differs(_) => write!(f, "differ"),
        }
    }
}

fn verdict(source: &str, given: &BTreeSet<String>) -> Verdict {
    if let Some(why) = needs(source) {
        return Verdict::Skipped(why);
    }
    // The value of the program is not asked for: it may be one that is not for a host.
    let source = format!("{source}\npass\n");
    let Some(bare) = bare_came(&child::ignored_test("peer::on_bare_rustpython", source.as_bytes())) else {
        return Verdict::NotBare;
    };
    if !expected(&source, &bare) {
        return Verdict::NotBare;
    }
    let ended = child::pycage(&["run", "--json", "--timeout", "20000", "-"], source.as_bytes());
    let came = match ended.json() {
        Ok(came) => came,
        Err(why) => return Verdict::Differs(why),
    };
    match judged(&source, &came, &bare, given) {
        Ok(None) => Verdict::Same,
        Ok(Some((rule, what))) => Verdict::Forbidden(rule, what),
        Err(how) => Verdict::Differs(how),
    }
}

/// What a program needs that is the host's, or another module. It is told by the lines of its text: an import, or the
/// settings in its header that name functions of the host, files, or an event loop.
fn needs(source: &str) -> Option<&'static str> {
    for line in source.lines().map(str::trim) {
        if line.starts_with("import ") || line.starts_with("from ") && line.contains(" import ") {
            return Some("imports");
        }
        if ["# call-external = true", "# mount-fs = true", "# run-async = true"]
            .iter()
            .any(|head| line.starts_with(head))
        {
            return Some("needs its host");
        }
    }
    None
}

/// Whether a program did what it says: it ends, or it ends with the exception that its last lines name.
fn expected(source: &str, came: &Came) -> bool {
    let Some((class, _)) = &came.raised else { return true };
    let ends: Vec<&str> = source.lines().rev().filter(|line| !line.trim().is_empty()).skip(1).take(2).collect();
    ends.iter().any(|line| {
        let line = line.strip_prefix("# Raise=").unwrap_or(line);
        line.strip_prefix(class.as_str()).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
    })
}

/// Whether pycage did as the bare interpreter did; otherwise the rule that forbids the program, and what it says.
fn judged(
    source: &str,
    came: &Json,
    bare: &Came,
    given: &BTreeSet<String>,
) -> Result<Option<(String, String)>, String> {
    let error = &came["error"];
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    let (kind, message) = (text(&error["kind"]), text(&error["message"]));
    match came["outcome"].as_str().unwrap_or_default() {
        "ok" if bare.raised.is_none() && text(&came["output"]) == bare.output => Ok(None),
        "exception" | "rejected" if bare.raised.as_ref().is_some_and(|(class, _)| *class == kind) => Ok(None),
        "rejected" if text(&error["rule"]) != "syntax" => Ok(Some((text(&error["rule"]), message))),
        // A builtin that no policy gives.
        "exception" if kind == "NameError" => match message.split('\'').nth(1) {
            Some(name) if !given.contains(name) => Ok(Some(("builtin-not-given".to_owned(), name.to_owned()))),
            _ => Err(message),
        },
        // What a program asks of addresses is answered, but otherwise.
        "exception" if asks_for_an_address(line_of(source, &error["line"])) => {
            Ok(Some(("no-address".to_owned(), line_of(source, &error["line"]).to_owned())))
        }
        "budget" => Ok(Some((format!("budget-{}", text(&error["limit"])), message))),
        _ => Err(format!(
            "{} {kind} {message} at {}, bare {:.300}",
            text(&came["outcome"]),
            error["line"],
            format!("{bare:?}")
        )),
    }
}

fn line_of<'a>(source: &'a str, line: &Json) -> &'a str {
    let index = line.as_u64().and_then(|line| usize::try_from(line).ok()?.checked_sub(1));
    index.and_then(|index| source.lines().nth(index)).unwrap_or_default().trim()
}

/// Whether a line asserts that the hashes of two objects differ. Of those without a `__hash__` it is that of their class.
fn asks_for_an_address(line: &str) -> bool {
    line.strip_prefix("assert hash(").is_some_and(|rest| rest.contains(") != hash("))
}

/// The builtins that every script has.
fn names_given() -> BTreeSet<String> {
    let table = include_str!("../../src/guard/tests/reachable.txt");
    let line = table.lines().find_map(|line| line.strip_prefix("builtins: ")).expect("the table has the builtins");
    line.split(' ').map(str::to_owned).collect()
}

fn bare_came(ended: &Ended) -> Option<Came> {
    let line = ended.stdout.lines().find_map(|line| line.split_once(MARK))?.1;
    let came: Json = serde_json::from_str(line).ok()?;
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    let raised = came["raised"].as_array().map(|raised| (text(&raised[0]), text(&raised[1])));
    Some(Came { raised, output: text(&came["output"]) })
}

/// Not a test by itself: [`programs`] runs it in a process of its own, where no guard of pycage's is, as it is for the
/// whole process.
#[test]
#[ignore = "a part of the test of the programs"]
fn on_bare_rustpython() {
    let mut source = String::new();
    std::io::stdin().read_to_string(&mut source).unwrap();
    let run = move || {
        let mut settings = Settings::default();
        settings.hash_seed = Some(0);
        let interpreter = Interpreter::without_stdlib(settings);
        let came = interpreter.enter(|vm| run_bare(&source, vm));
        println!("\n{MARK}{came}");
        std::mem::forget(interpreter);
    };
    std::thread::Builder::new().stack_size(256 << 20).spawn(run).unwrap().join().unwrap();
}

/// A standard output that keeps what is written.
const STDOUT: &str = "
class Stdout:
    def __init__(self):
        self.written = []
    def write(self, text):
        self.written.append(text)
    def flush(self):
        pass
stdout = Stdout()
written = stdout.written
";

fn run_bare(source: &str, vm: &VirtualMachine) -> Json {
    let kept = vm.new_scope_with_builtins();
    let prelude = vm.compile(STDOUT, Mode::Exec, "<stdout>").expect("the source above compiles");
    vm.run_code_obj(prelude, kept.clone()).unwrap_or_else(|error| panic!("{:?}", described(&error, vm)));
    let global = |name: &str| kept.globals.get_item(name, vm).unwrap_or_else(|_| panic!("{name} is set above"));
    let (stdout, written) = (global("stdout"), global("written"));
    vm.sys_module.set_attr("stdout", stdout, vm).unwrap_or_else(|_| panic!("sys takes attributes"));
    let scope = vm.new_scope_with_builtins();
    let name = vm.ctx.new_str("__main__");
    scope.globals.set_item("__name__", name.into(), vm).unwrap_or_else(|_| panic!("a dict takes names"));
    let raised = match vm.compile(source, Mode::Exec, "<stdin>") {
        Ok(code) => vm.run_code_obj(code, scope).err().map(|error| described(&error, vm)),
        Err(error) => Some(("SyntaxError".to_owned(), error.to_string())),
    };
    let written = written.downcast::<rustpython_vm::builtins::PyList>().unwrap_or_else(|_| panic!("it is a list"));
    json!({ "raised": raised.map(|(class, message)| [class, message]), "output": joined(&written, vm) })
}

fn described(error: &PyBaseExceptionRef, vm: &VirtualMachine) -> (String, String) {
    let message = error.as_object().str(vm).map_or_else(|_| String::new(), |text| text.to_string());
    (error.class().name().to_string(), message)
}

fn joined(parts: &PyListRef, vm: &VirtualMachine) -> String {
    parts
        .borrow_vec()
        .iter()
        .filter_map(|part| part.str(vm).ok())
        .map(|part| part.to_string_lossy().into_owned())
        .collect()
}
