//! Reads entries: with history and editing on a terminal, plain lines from a pipe.

use super::entry;
use pycage::Sandbox;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Config, Editor};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;

/// Where entries come from.
pub struct Lines {
    editor: Editor<(), FileHistory>,
    history: Option<PathBuf>,
    /// Whether a person types them.
    pub interactive: bool,
}

impl Lines {
    pub fn new(history: Option<PathBuf>) -> Result<Self, String> {
        let config = Config::builder().auto_add_history(true).build();
        let mut editor = Editor::<(), FileHistory>::with_config(config).map_err(|error| error.to_string())?;
        if let Some(file) = history.as_ref().filter(|file| file.exists()) {
            editor.load_history(file).map_err(|error| format!("{}: {error}", file.display()))?;
        }
        Ok(Lines { editor, history, interactive: std::io::stdin().is_terminal() })
    }

    /// The next entry; `None` at the end.
    pub fn next(&mut self, sandbox: &Sandbox) -> Result<Option<String>, String> {
        let mut text = String::new();
        loop {
            let prompt = match (self.interactive, text.is_empty()) {
                (false, _) => "",
                (true, true) => ">>> ",
                (true, false) => "... ",
            };
            match self.editor.readline(prompt) {
                Ok(line) => text.push_str(&line),
                Err(ReadlineError::Interrupted) => {
                    text.clear();
                    continue;
                }
                Err(ReadlineError::Eof) if text.trim().is_empty() => return Ok(None),
                // What was begun is run, and tells what it lacks.
                Err(ReadlineError::Eof) => return Ok(Some(text)),
                Err(error) => return Err(error.to_string()),
            }
            if text.trim_start().starts_with(':') || entry::is_complete(&text, sandbox) {
                return Ok(Some(text));
            }
            text.push('\n');
        }
    }

    /// Writes the history, if it is to be kept.
    pub fn save(&mut self) -> Result<(), String> {
        let _ = std::io::stdout().flush();
        match &self.history {
            Some(file) => self.editor.save_history(file).map_err(|error| format!("{}: {error}", file.display())),
            None => Ok(()),
        }
    }
}
