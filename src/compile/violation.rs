//! A broken rule, before the script's name and the line are known.

use crate::error::{Rejection, SourceLimit};
use rustpython_compiler_core::{PositionEncoding, SourceFile};
use rustpython_text_size::TextSize;

/// A rule that a source broke, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub rule: &'static str,
    pub message: String,
    pub advice: String,
    /// Where, in bytes from the start of the source.
    pub at: TextSize,
    pub limit: Option<SourceLimit>,
}

impl Violation {
    pub(crate) fn new(
        rule: &'static str,
        message: impl Into<String>,
        advice: impl Into<String>,
        at: impl Into<TextSize>,
    ) -> Self {
        Violation { rule, message: message.into(), advice: advice.into(), at: at.into(), limit: None }
    }

    pub(crate) fn into_rejection(self, file: &SourceFile) -> Rejection {
        let (line, column) = position(file, self.at);
        Rejection {
            rule: self.rule,
            message: self.message,
            advice: self.advice,
            file: file.name().to_owned(),
            line,
            column,
            limit: self.limit,
        }
    }
}

/// Line and column in characters, both from 1. An offset inside a character or past the end counts as the character's
/// start or the end.
pub(crate) fn position(file: &SourceFile, at: TextSize) -> (u32, u32) {
    let text = file.source_text();
    let offset = text.floor_char_boundary(at.to_usize());
    // The text's length fits: the parser takes no source over 4 GiB, and the limits far less.
    let offset = TextSize::new(u32::try_from(offset).unwrap_or(u32::MAX));
    let location = file.to_source_code().source_location(offset, PositionEncoding::Utf32);
    let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    (narrow(location.line.get()), narrow(location.character_offset.get()))
}
