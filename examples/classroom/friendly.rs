//! Errors in a teacher's words: what happened, where, and how to mend it.

use pycage::{Error, Limit, ScriptException, TraceEntry};
use std::fmt;

/// An error for a student.
#[derive(Debug, PartialEq)]
pub struct Friendly {
    pub what: String,
    /// Line and column from 1, and the line itself.
    pub place: Option<(u32, Option<u32>, String)>,
    pub mend: String,
}

impl fmt::Display for Friendly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.what)?;
        if let Some((line, column, text)) = &self.place {
            writeln!(f, "{line:>6} | {text}")?;
            if let Some(column) = column {
                writeln!(f, "       | {}^", " ".repeat(*column as usize - 1))?;
            }
        }
        writeln!(f, "  -> {}", self.mend)
    }
}

/// Explains an error of a program with this source.
pub fn explain(source: &str, error: &Error) -> Friendly {
    let at = |line: u32, column: Option<u32>| {
        let text = source.lines().nth(line.checked_sub(1)? as usize)?;
        Some((line, column.filter(|column| *column > 0), text.to_owned()))
    };
    let last = |traceback: &[TraceEntry]| traceback.last().and_then(|entry| at(entry.line, entry.column));
    let told = |what: String, place, mend: &str| Friendly { what, place, mend: mend.to_owned() };
    match error {
        Error::Syntax(syntax) => {
            let (what, mend) = syntax_text(&syntax.message);
            told(format!("This is not Python yet: {what}"), at(syntax.line, Some(syntax.column)), &mend)
        }
        Error::Rejected(rejection) if rejection.rule == "import" => told(
            format!("You cannot use this module here: {}.", rejection.message),
            at(rejection.line, Some(rejection.column)),
            "Programs in this class may not touch files, the network or the machine. Use math or random, or do without.",
        ),
        Error::Rejected(rejection) => told(
            format!("This is Python, but not allowed here: {}.", rejection.message),
            at(rejection.line, Some(rejection.column)),
            &sentence(&rejection.advice),
        ),
        Error::Exception(exception) => {
            let place = last(&exception.traceback);
            let (what, mend) = exception_text(source, exception);
            told(what, place, &mend)
        }
        Error::Budget(stop) => {
            let (what, mend) = limit_text(stop.limit);
            told(what.to_owned(), last(&stop.traceback), mend)
        }
        Error::Cancelled(_) => told("Your program was stopped by your teacher.".to_owned(), None, "Ask why."),
        Error::Stopped(stop) => told(
            format!("Your program was stopped: {}.", stop.reason),
            last(&stop.traceback),
            "Make it do less, or ask your teacher.",
        ),
        Error::Conversion(_) => told(
            "Your answer is of a kind that cannot be taken out of the program.".to_owned(),
            None,
            "Answer with numbers, texts, lists or dicts, none of which contains itself.",
        ),
        // The rest is nobody's mistake in the program: it is the classroom's to start again.
        _ => told(
            "The classroom had to stop your program, and not for a mistake that it can name.".to_owned(),
            None,
            "Try again. If it happens again, show it to your teacher.",
        ),
    }
}

fn limit_text(limit: Limit) -> (&'static str, &'static str) {
    match limit {
        Limit::Instructions | Limit::Time => (
            "Your program did not come to an end. It was last in this line:",
            "Look at the loop around it: what has to change for it to end, and does that change?",
        ),
        Limit::Memory | Limit::Allocations => (
            "Your program keeps more than there is room for. It was last in this line:",
            "Which list, text or dict grows all the time? Keep only what you need.",
        ),
        Limit::Output => (
            "Your program prints too much. It was last in this line:",
            "Is print inside a loop that should have ended, or that should print only now and then?",
        ),
        _ => (
            "Your program asks for too much. It was last in this line:",
            "Ask once, and keep the answer in a variable.",
        ),
    }
}

/// By what the parser says.
const SYNTAX: [(&str, &str, &str); 14] = [
    ("never closed", "a bracket is opened and never closed.", "Count the brackets: each ( [ { needs its partner."),
    (
        "Expected `:`",
        "a colon is missing.",
        "Lines with if, else, for, while, def and class end with a colon. To compare, write == and not =.",
    ),
    ("closing quote", "a text has no end.", "Put the same quote behind the text that is in front of it."),
    (
        "Unexpected indentation",
        "this line begins too far to the right.",
        "Begin it where the line above begins: only the lines after a colon go in.",
    ),
    (
        "unindent",
        "this line begins where no other does.",
        "Begin it exactly where the lines of its block begin. Do not mix tabs and blanks.",
    ),
    (
        "indented block",
        "after a colon, the next line has to go in.",
        "Begin it four blanks further to the right; write pass if there is nothing to do.",
    ),
    (
        "outside function",
        "this word has a meaning only inside of a function.",
        "Put it into a def, or print the value.",
    ),
    ("outside loop", "this word has a meaning only inside of a loop.", "Put it into a for or a while."),
    ("not properly in loop", "this word has a meaning only inside of a loop.", "Put it into a for or a while."),
    (
        "assignment target",
        "only a name can be given a value.",
        "The name stands on the left: x = 5, not 5 = x. To compare, write ==.",
    ),
    (
        "separated by newlines",
        "there are two things in one line.",
        "Begin a new line, or see whether something is missing between them: print needs brackets.",
    ),
    ("Expected an expression", "something is missing here.", "Is there a value on both sides of the operator?"),
    (
        "Expected a statement",
        "a line cannot begin like this.",
        "else, elif and except belong to an if or a try that begins in the same column.",
    ),
    ("Expected", "something is missing, or too much.", "Compare the line with one that works, sign by sign."),
];

fn syntax_text(message: &str) -> (String, String) {
    match SYNTAX.iter().find(|(part, ..)| message.contains(part)) {
        Some((_, what, mend)) => ((*what).to_owned(), (*mend).to_owned()),
        None => (sentence(message), "Compare the line with one that works, sign by sign.".to_owned()),
    }
}

/// What to do about each exception that Python raises by itself.
const EXCEPTIONS: [(&str, &str, &str); 20] = [
    (
        "UnboundLocalError",
        "This variable has no value yet",
        "Give it a value first in this function; to change one from outside, write global and its name.",
    ),
    (
        "IndexError",
        "There is no place with this number",
        "Places count from 0, so the last one is len(...) - 1. Print the number and the length.",
    ),
    ("KeyError", "The dict has no such key", "Look before you take: if key in d, or d.get(key, something else)."),
    (
        "AttributeError",
        "This value does not have what stands behind the dot",
        "What kind of value is it? Print type(...). A function that returns nothing gives None.",
    ),
    (
        "ZeroDivisionError",
        "You divide by zero",
        "What is the divisor here, and when is it 0? Look at it with if before you divide.",
    ),
    (
        "RecursionError",
        "Your function calls itself without an end",
        "Which call should not call again? Begin the function with an if that returns in that case.",
    ),
    ("ModuleNotFoundError", "There is no such module here", "Use math or random, or write it yourself."),
    ("ImportError", "The module has no such thing", "Check the spelling of the name that you import."),
    (
        "OverflowError",
        "A number has become too large",
        "Does the loop run too often, or do you multiply where you should add?",
    ),
    (
        "AssertionError",
        "What you said must be true is not",
        "Print what stands behind assert, and see where it is not what you expect.",
    ),
    ("StopIteration", "There is nothing further to take", "Use for in the place of next(...)."),
    ("MemoryError", "There is no room for this", "Which list, text or dict is so large? Keep only what you need."),
    ("UnicodeError", "A text could not be turned into bytes, or back", "Use encode('utf-8') and decode('utf-8')."),
    ("NotImplementedError", "This part is not written yet", "Write what is to happen in the place of raise."),
    (
        "RuntimeError",
        "Something does not work here",
        "Read the words of the error: does a dict or list change while a loop goes through it?",
    ),
    ("OSError", "The file cannot be used like this", "Check its name and its folder, and whether you may write there."),
    ("EOFError", "There is no further line to read", "How many lines does the input have? Read as many."),
    ("ReferenceError", "What you use was taken back", "Do not keep it for later: ask for it again."),
    (
        "TypeError",
        "These values do not go together",
        "Print the type(...) of each. str(...) makes a text of a number, int(...) a number of a text.",
    ),
    (
        "ValueError",
        "The value is of the right kind, but does not work here",
        "Print the value. Is it what you think it is, also for the first and the last time?",
    ),
];

fn exception_text(source: &str, exception: &ScriptException) -> (String, String) {
    let name = exception.type_name.as_str();
    let message = exception.message.trim();
    if name == "NameError" {
        return name_text(source, message);
    }
    // Kin that are one to a student.
    let key = match name {
        name if name.starts_with("Unicode") => "UnicodeError",
        name if name.starts_with("File") || FILES.contains(&name) => "OSError",
        name => name,
    };
    match EXCEPTIONS.iter().find(|(known, ..)| *known == key) {
        Some((_, what, mend)) if message.is_empty() => (format!("{what} ({name})."), (*mend).to_owned()),
        Some((_, what, mend)) => (format!("{what} ({name}: {message})."), (*mend).to_owned()),
        None => (
            format!("Your program stopped with {name}: {message}."),
            "The program raised this itself. Look at the raise, or catch it with try and except.".to_owned(),
        ),
    }
}

/// What a file can raise.
const FILES: [&str; 6] = [
    "PermissionError",
    "IsADirectoryError",
    "NotADirectoryError",
    "BlockingIOError",
    "ConnectionError",
    "TimeoutError",
];

/// Names that students know and that the source need not have.
const KNOWN: [&str; 20] = [
    "print",
    "len",
    "range",
    "int",
    "str",
    "float",
    "list",
    "dict",
    "sum",
    "min",
    "max",
    "sorted",
    "input",
    "abs",
    "round",
    "enumerate",
    "zip",
    "True",
    "False",
    "None",
];

fn name_text(source: &str, message: &str) -> (String, String) {
    let name = message.split('\'').nth(1).unwrap_or_default();
    let words = source.split(|c: char| !c.is_alphanumeric() && c != '_');
    let words = words.filter(|word| word.starts_with(|c: char| c.is_alphabetic()) && *word != name);
    let near = words.chain(KNOWN).map(|word| (distance(name, word), word)).min();
    let mend = match near {
        Some((steps, word)) if steps <= (name.chars().count() / 3).max(1) => format!("Did you mean {word}?"),
        _ => "Give it a value before this line. If it is to be a text, put it in quotes.".to_owned(),
    };
    (format!("There is no variable or function with the name {name}."), mend)
}

/// How many letters have to be changed, added, left out or swapped to make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let mut least =
                (rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1])).min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().collect::<String>()).unwrap_or_default();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}
