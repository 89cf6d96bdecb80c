//! Pieces of Python source.

use crate::compile::names::KEYWORDS;

/// Whether source can write this name.
pub(crate) fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|first| first == '_' || first.is_alphabetic())
        && chars.all(|char| char == '_' || char.is_alphanumeric())
        && !KEYWORDS.contains(&name)
}

/// `header` with a body that is nothing but its documentation.
pub(crate) fn documented(header: &str, doc: &str, indent: &str) -> String {
    match doc.trim() {
        "" => format!("{indent}{header} ...\n"),
        doc => format!("{indent}{header}\n{}", docstring(doc, &format!("{indent}    "))),
    }
}

/// A documentation string, on lines of its own.
pub(crate) fn docstring(doc: &str, indent: &str) -> String {
    let doc = doc.trim().replace('\\', "\\\\").replace("\"\"\"", "\\\"\\\"\\\"");
    let mut lines = doc.lines();
    let mut text = format!("{indent}\"\"\"{}", lines.next().unwrap_or_default());
    let mut more = false;
    for line in lines {
        text.push('\n');
        if !line.trim().is_empty() {
            text.push_str(indent);
            text.push_str(line.trim_end());
        }
        more = true;
    }
    if more {
        text.push('\n');
        text.push_str(indent);
    } else if text.ends_with('"') {
        text.push(' ');
    }
    text + "\"\"\"\n"
}

/// The source without its top-level definition of a function of this name.
pub(crate) fn without_function(source: &str, name: &str) -> String {
    let head = format!("def {name}(");
    let mut kept = String::with_capacity(source.len());
    // Decorators wait for what they decorate.
    let mut waiting = String::new();
    let mut dropping = false;
    for line in source.split_inclusive('\n') {
        let starts = line.starts_with(|first: char| !first.is_whitespace() && first != ')');
        if starts {
            dropping = line.starts_with(&head);
            if dropping {
                waiting.clear();
                continue;
            }
            if line.starts_with('@') {
                waiting.push_str(line);
                continue;
            }
        }
        if dropping && !line.trim().is_empty() {
            continue;
        }
        kept.push_str(&std::mem::take(&mut waiting));
        kept.push_str(line);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documentation_cannot_end_early() {
        assert_eq!(docstring("one", ""), "\"\"\"one\"\"\"\n");
        assert_eq!(docstring("a \"quote\"", ""), "\"\"\"a \"quote\" \"\"\"\n");
        assert_eq!(docstring("a\\ \"\"\" b", ""), "\"\"\"a\\\\ \\\"\\\"\\\" b\"\"\"\n");
        assert_eq!(docstring("one\n\n  two ", "  "), "  \"\"\"one\n\n    two\n  \"\"\"\n");
    }

    #[test]
    fn a_function_is_taken_out_with_its_overloads() {
        let source = "x: int\n@overload\ndef f(\n    a: int,\n) -> int: ...\n@overload\ndef f() -> str: ...\n\n@final\nclass C:\n    def f(self): ...\n";
        assert_eq!(without_function(source, "f"), "x: int\n\n@final\nclass C:\n    def f(self): ...\n");
        assert_eq!(without_function(source, "g"), source);
    }

    #[test]
    fn keywords_are_no_names() {
        assert!(is_identifier("größe_1") && is_identifier("_x"));
        assert!(!is_identifier("class") && !is_identifier("1x") && !is_identifier("") && !is_identifier("a b"));
    }
}
