//! The console: entries over several lines, what it shows of values and errors, the bill, and what outlives a bad entry.

use crate::support::child;

/// What the console answers to these lines, without the times of its bills.
fn session(options: &[&str], lines: &str) -> Vec<String> {
    let args: Vec<&str> = ["repl"].iter().chain(options).copied().collect();
    let ended = child::pycage(&args, lines.as_bytes());
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    ended.stdout.lines().map(str::to_owned).collect()
}

/// The same without the bills.
fn shown(options: &[&str], lines: &str) -> Vec<String> {
    session(options, lines).into_iter().filter(|line| !line.starts_with("# ")).collect()
}

#[test]
fn values_are_shown_as_python_shows_them() {
    let lines = "1 + 1\nx = [1,\n2]\nx\n'a'  # a comment\nNone\n_\nclass C:\n    def __repr__(self): return '<C>'\n\nC()\nlen\n";
    assert_eq!(shown(&[], lines), ["2", "[1, 2]", "'a'", "'a'", "<C>", "<built-in function len>"]);
}

#[test]
fn blocks_end_with_an_empty_line() {
    let lines = "def f(a):\n    b = a\n    return b * 2\n\nf(21)\nfor i in range(2): print(i)\n\n\"\"\"a\n\nb\"\"\"\nif x := 0:\n    1\nelse:\n    print('else')\n\n";
    assert_eq!(shown(&[], lines), ["42", "0", "1", "'a\\n\\nb'", "else"]);
}

#[test]
fn what_fails_costs_the_entry_alone() {
    let lines = "x = 5\n1/0\nimport os\nx ==\nwhile True: pass\n\nx\n:nope\n";
    let all = session(&["--max-instructions", "50000"], lines).join("\n");
    for part in ["<entry 2>", "ZeroDivisionError", "os", "<entry 4>", "instructions", "\n5\n", "there is no :nope"] {
        assert!(all.contains(part), "{part}: {all}");
    }
}

#[test]
fn each_entry_has_its_bill() {
    let bills: Vec<String> = session(&[], "x = 1\nx = 1\nsum(range(1000))\n:total\n")
        .into_iter()
        .filter(|line| line.starts_with("# "))
        .collect();
    let instructions = |line: &String| line.trim_start_matches("# ").split(' ').next().unwrap().parse::<u64>().unwrap();
    let counts: Vec<u64> = bills.iter().map(instructions).collect();
    assert_eq!(counts.len(), 4, "{bills:?}");
    assert_eq!(counts[0], counts[1]);
    assert_eq!(counts[3], counts[..3].iter().sum::<u64>());
}

#[test]
fn a_reset_forgets() {
    let all = shown(&[], "x = 5\n:reset\nx\n").join("\n");
    assert!(all.contains("NameError"), "{all}");
}

#[test]
fn what_is_not_finished_is_run_at_the_end_of_the_input() {
    assert_eq!(shown(&[], "def f(): return 1\n\nif f():\n    print('yes')"), ["yes"]);
    assert!(shown(&[], "print(1").join("\n").contains("<entry 1>"));
}

#[test]
fn in_a_worker_process_it_is_the_same() {
    assert_eq!(shown(&["--isolation", "process"], "x = {1: 2}\nx\n"), ["{1: 2}"]);
}
