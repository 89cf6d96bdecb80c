//! Tables of cases in TOML, under `tests/cases`.

use super::source;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// One entry of a table.
#[derive(Clone, Debug)]
pub struct Entry {
    pub name: String,
    pub source: String,
    fields: Table,
}

impl Entry {
    fn read(fields: &Value, known: &[&str]) -> Result<Entry, String> {
        let fields = fields.as_table().ok_or("an entry is a table")?.clone();
        let name = fields.get("name").and_then(Value::as_str).ok_or("an entry needs a name")?.to_owned();
        let unknown =
            fields.keys().find(|key| !["name", "source", "parts"].contains(&&***key) && !known.contains(&&***key));
        if let Some(unknown) = unknown {
            return Err(format!("{name}: unknown field {unknown}"));
        }
        let source = source::of(&fields).map_err(|error| format!("{name}: {error}"))?;
        Ok(Entry { name, source, fields })
    }

    /// A field that must be there.
    pub fn text(&self, field: &str) -> &str {
        self.optional(field).unwrap_or_else(|| panic!("{}: needs a text field '{field}'", self.name))
    }

    /// A field that may be there.
    pub fn optional(&self, field: &str) -> Option<&str> {
        self.fields.get(field).and_then(Value::as_str)
    }
}

/// A table: what stands above its entries, and the entries by kind.
pub struct CaseTable {
    pub path: PathBuf,
    fields: Table,
}

impl CaseTable {
    /// Reads a file under `tests/cases`.
    pub fn read(path: &str) -> CaseTable {
        Self::read_path(&cases().join(path))
    }

    /// Reads every table of a folder under `tests/cases`, in the order of their names.
    pub fn read_folder(folder: &str) -> Vec<CaseTable> {
        let mut paths: Vec<PathBuf> = std::fs::read_dir(cases().join(folder))
            .unwrap_or_else(|error| panic!("{folder}: {error}"))
            .map(|entry| entry.expect("a folder can be read").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
            .collect();
        paths.sort();
        paths.iter().map(|path| Self::read_path(path)).collect()
    }

    fn read_path(path: &Path) -> CaseTable {
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let fields = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        CaseTable { path: path.to_owned(), fields }
    }

    /// The entries of one kind, `[[kind]]`, which may have the fields named beside a name and a source.
    pub fn entries(&self, kind: &str, known: &[&str]) -> Vec<Entry> {
        let entries = match self.fields.get(kind) {
            None => return Vec::new(),
            Some(entries) => entries.as_array().unwrap_or_else(|| panic!("{}: [[{kind}]]", self.path.display())),
        };
        entries
            .iter()
            .map(|entry| Entry::read(entry, known).unwrap_or_else(|error| panic!("{}: {error}", self.path.display())))
            .collect()
    }

    /// A text above the entries, which must be there.
    pub fn text(&self, field: &str) -> String {
        self.optional(field).unwrap_or_else(|| panic!("{}: needs a text '{field}'", self.path.display()))
    }

    /// A text above the entries.
    pub fn optional(&self, field: &str) -> Option<String> {
        self.fields.get(field).and_then(Value::as_str).map(str::to_owned)
    }

    /// A list of pairs of strings above the entries.
    pub fn pairs(&self, field: &str) -> Vec<(String, String)> {
        let items = self.fields.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
        items
            .iter()
            .map(|item| match item.as_array().map(Vec::as_slice) {
                Some([Value::String(first), Value::String(second)]) => (first.clone(), second.clone()),
                _ => panic!("{}: {item}: a pair of strings", self.path.display()),
            })
            .collect()
    }

    /// The strings of a list above the entries.
    pub fn list(&self, field: &str) -> Vec<String> {
        let items = self.fields.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
        items.iter().map(|item| item.as_str().expect("a list of strings").to_owned()).collect()
    }
}

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}
